//! `create_employee` and `update_employee`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    catalog::Layer,
    defs::{Diagnostic, Scope},
    engine::author,
    tools::{Act, Annotations, Ctx, Deed, Error, Tool, office::Office},
};

pub(in crate::tools) struct CreateEmployee(pub(in crate::tools) Office);
pub(in crate::tools) struct UpdateEmployee(pub(in crate::tools) Office);

/// Adds or replaces files of this project; what was there before is lost only when it is asked for by name.
/// What is there already is left alone, so the second time there is nothing to do but refuse.
const CREATES: Annotations = Annotations {
    read_only_hint: false,
    destructive_hint: false,
    idempotent_hint: false,
    open_world_hint: false,
};

/// What was there is gone.
const REPLACES: Annotations = Annotations {
    read_only_hint: false,
    destructive_hint: true,
    idempotent_hint: true,
    open_world_hint: false,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct CreateArgs {
    /// The whole definition: front matter between two lines `---` with `name` and `description`, then the instructions.
    text: String,
    /// Where to keep it: with the project, or private.
    #[serde(default)]
    layer: Shelf,
}

/// Where employees can be kept.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Shelf {
    /// `.crew/employees`.
    #[default]
    Project,
    /// `private/employees`.
    Private,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct UpdateArgs {
    /// Name or trigger of the employee.
    name: String,
    /// The whole new definition.
    text: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    /// The employee.
    name: String,
    /// Its file, from the root of the project.
    path: String,
    /// Warnings about the definition.
    diagnostics: Vec<Diagnostic>,
}

impl Tool for CreateEmployee {
    type Args = CreateArgs;
    type Output = Answer;

    const NAME: &'static str = "create_employee";
    const TITLE: &'static str = "Create an employee";
    const SUMMARY: &'static str = "Writes the definition of a new employee into this project. A definition with errors \
        is refused with all of them; one that is there already is left as it is (see update_employee).";
    const ANNOTATIONS: Annotations = CREATES;
    const NEEDS: Scope = Scope::Admin;

    async fn call(&self, ctx: Ctx, args: CreateArgs) -> Result<Answer, Error> {
        let layer = match args.layer {
            Shelf::Project => Layer::Project,
            Shelf::Private => Layer::Private,
        };
        let root = self.0.crew.root().to_owned();
        let act = self.0.acts.begin(Deed::CreateEmployee, ctx.caller().name(), "");
        written(&self.0, act, move || author::create(&root, layer, &args.text)).await
    }
}

impl Tool for UpdateEmployee {
    type Args = UpdateArgs;
    type Output = Answer;

    const NAME: &'static str = "update_employee";
    const TITLE: &'static str = "Change an employee";
    const SUMMARY: &'static str = "Replaces the definition of an employee of this project that is one Markdown file. A \
        definition with errors is refused with all of them, and the old one stays.";
    const ANNOTATIONS: Annotations = REPLACES;
    const NEEDS: Scope = Scope::Admin;

    async fn call(&self, ctx: Ctx, args: UpdateArgs) -> Result<Answer, Error> {
        let name = self.0.crew.employee(&args.name).await?.name.clone();
        let definitions = self.0.crew.definitions().await;
        let Some(entry) = definitions.employee(&name).cloned() else {
            return Err(Error::not_found("employee", &name, definitions.employee_names()));
        };
        let root = self.0.crew.root().to_owned();
        let act = self.0.acts.begin(Deed::UpdateEmployee, ctx.caller().name(), &name);
        written(&self.0, act, move || author::update(&root, &entry, &args.text)).await
    }
}

/// Writes where it may wait for the disk, and has the definitions read again.
async fn written(
    office: &Office,
    mut act: Act,
    write: impl FnOnce() -> Result<author::Written, crate::engine::Refusal> + Send + 'static,
) -> Result<Answer, Error> {
    let ended = tokio::task::spawn_blocking(write).await.map_err(|error| Error::Failed(error.to_string()));
    let ended = ended.and_then(|written| Ok(written?));
    if let Ok(done) = &ended {
        act.about(&done.name);
    }
    let done = act.end(ended).await?;
    office.crew.catalog().refresh().await;
    Ok(Answer { name: done.name, path: done.path, diagnostics: done.diagnostics })
}
