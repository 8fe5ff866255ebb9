//! `knowlyr-crew init`, `bump` and `template`.

use std::{fs, path::Path};

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::{
    args::{BumpArgs, Form, Global, TemplateArgs, TemplateCommand},
    exit::{Error, Outcome},
    render,
    run::crew,
};
use crate::{
    app::Environment,
    defs::Bump,
    engine::{
        author::{self, About},
        template_files,
    },
    tools,
};

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Name of a first employee
    #[arg(long, value_name = "NAME")]
    employee: Option<String>,
    /// Make it a folder in place of a file
    #[arg(long, requires = "employee")]
    dir_format: bool,
    #[command(flatten)]
    about: AboutArgs,
    /// Earlier versions had a picture painted
    #[arg(long, hide = true)]
    avatar: bool,
}

/// What is said of a first employee.
#[derive(Debug, Args)]
#[group(requires = "employee")]
struct AboutArgs {
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Name of its character
    #[arg(long, value_name = "TEXT")]
    character_name: Option<String>,
    /// What it does, in one line
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// The same for lists
    #[arg(long, value_name = "TEXT")]
    summary: Option<String>,
    /// Who its character is
    #[arg(long, value_name = "TEXT")]
    bio: Option<String>,
    /// What a picture of it would show
    #[arg(long, value_name = "TEXT", hide = true)]
    avatar_prompt: Option<String>,
    /// Tags: a,b
    #[arg(long, value_delimiter = ',')]
    tags: Vec<String>,
    /// Other names it is found by: a,b
    #[arg(long, value_delimiter = ',')]
    triggers: Vec<String>,
}

impl AboutArgs {
    fn about(&self) -> About {
        let text = |given: &Option<String>| given.clone().unwrap_or_default();
        let list = |given: &[String]| {
            let words = given.iter().map(|word| word.trim()).filter(|word| !word.is_empty());
            words.map(str::to_owned).collect()
        };
        About {
            display_name: text(&self.display_name),
            character_name: text(&self.character_name),
            description: text(&self.description),
            summary: text(&self.summary),
            bio: text(&self.bio),
            avatar_prompt: text(&self.avatar_prompt),
            tags: list(&self.tags),
            triggers: list(&self.triggers),
        }
    }
}

pub(super) fn init(global: &Global, args: &InitArgs) -> Result<Outcome, Error> {
    let root = global.root();
    let mut made = match &args.employee {
        Some(name) => {
            author::scaffold(&root, name, args.dir_format, &args.about.about()).map_err(tools::Error::from)?
        }
        None => {
            let folder = root.join("private/employees");
            fs::create_dir_all(&folder).with_context(|| format!("`{}` cannot be made", folder.display()))?;
            vec!["private/employees".to_owned()]
        }
    };
    if args.avatar {
        render::note("warning: no picture is painted here; `avatar_prompt` is kept for those who paint one");
    }
    made.extend(author::write_schemas(&root).map_err(tools::Error::from)?);
    made.extend(author::write_ignored(&root).map_err(tools::Error::from)?);
    match global.form() {
        Form::Json => render::json(&json!({"written": made}))?,
        Form::Text => made.iter().try_for_each(|path| render::answer(&format!("written {path}")))?,
    }
    Ok(Outcome::Done)
}

pub(super) async fn bump(global: &Global, args: &BumpArgs, env: &Environment) -> Result<Outcome, Error> {
    let crew = crew(global, env).crew;
    let name = crew.employee(&args.name).await?.name.clone();
    let definitions = crew.definitions().await;
    let Some(entry) = definitions.employee(&name) else { return Ok(Outcome::Failed) };
    let by = match (args.major, args.minor) {
        (true, _) => Bump::Major,
        (_, true) => Bump::Minor,
        _ => Bump::Patch,
    };
    let bumped = author::bump(crew.root(), entry, by, args.force).map_err(tools::Error::from)?;
    let version = bumped.as_ref().map_or(&entry.employee.version, |bumped| &bumped.to);
    match (global.form(), &bumped) {
        (Form::Json, _) => {
            render::json(&json!({"name": name, "version": version, "changed": bumped.is_some()}))?;
        }
        (Form::Text, Some(bumped)) => {
            render::answer(&format!("{name}: {} -> {}", bumped.from, bumped.to))?;
        }
        (Form::Text, None) => render::answer(&format!("{name}: {version}, nothing changed"))?,
    }
    Ok(Outcome::Done)
}

pub(super) fn template(global: &Global, args: &TemplateArgs) -> Result<Outcome, Error> {
    let root = global.root();
    match &args.command {
        TemplateCommand::List => {
            let templates = template_files::all(&root);
            match global.form() {
                Form::Json => render::json(&templates)?,
                Form::Text => {
                    let rows =
                        templates.into_iter().map(|found| [found.name, found.layer.to_owned(), found.path]);
                    render::answer(&render::table(["NAME", "LAYER", "PATH"], rows))?;
                }
            }
        }
        TemplateCommand::Apply(args) => {
            let name = args.employee.as_deref();
            let text =
                template_files::apply(&root, &args.template, name, &args.vars).map_err(tools::Error::from)?;
            let path = template_files::write(
                &root,
                &text,
                args.output.as_deref().map(Path::new),
                name.unwrap_or(&args.template),
                args.force,
            )
            .map_err(tools::Error::from)?;
            match global.form() {
                Form::Json => render::json(&json!({"written": [path]}))?,
                Form::Text => render::answer(&format!("written {path}"))?,
            }
        }
    }
    Ok(Outcome::Done)
}
