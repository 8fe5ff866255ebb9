//! `render_prompt`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    engine::{self, Given},
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

pub(in crate::tools) struct RenderPrompt(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {
    /// Name or trigger of the employee.
    name: String,
    /// Values for its arguments, by name.
    #[serde(default)]
    args: engine::Args,
    /// Values for its arguments, in the order it declares them; they fill those that are not named.
    #[serde(default)]
    positional: Vec<String>,
    /// Only the instructions, without the heading that says who the employee is.
    #[serde(default)]
    raw: bool,
}

/// What the employee works by.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    /// Who.
    employee: String,
    /// The prompt, every place in it filled.
    prompt: String,
}

impl Tool for RenderPrompt {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "render_prompt";
    const TITLE: &'static str = "Render a prompt";
    const SUMMARY: &'static str = "Renders the prompt of an employee with its arguments filled in, for you to follow \
        or to check. Nothing is executed or recorded.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, args: Args) -> Result<Answer, Error> {
        let employee = self.0.crew.employee(&args.name).await?;
        let given = Given { named: args.args, positional: args.positional };
        let prompt = if args.raw {
            self.0.crew.render_body(&employee, &given).await?
        } else {
            self.0.crew.render(&employee, &given).await?
        };
        Ok(Answer { employee: employee.name.clone(), prompt })
    }

    fn text(answer: &Answer) -> Option<String> {
        Some(answer.prompt.clone())
    }
}
