//! `knowlyr-crew init`, `bump` and `template`.

use std::{fs, path::Path};

use anyhow::Context as _;
use serde_json::json;

use super::{
    args::{BumpArgs, Form, Global, InitArgs, TemplateArgs, TemplateCommand},
    exit::{Error, Outcome},
    render,
    run::crew,
};
use crate::{
    app::Environment,
    defs::Bump,
    engine::{author, template_files},
    tools,
};

pub(super) fn init(global: &Global, args: &InitArgs) -> Result<Outcome, Error> {
    let root = global.root();
    let mut made = match &args.employee {
        Some(name) => author::scaffold(&root, name, args.dir_format).map_err(tools::Error::from)?,
        None => {
            let folder = root.join("private/employees");
            fs::create_dir_all(&folder).with_context(|| format!("`{}` cannot be made", folder.display()))?;
            vec!["private/employees".to_owned()]
        }
    };
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
