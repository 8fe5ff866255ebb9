//! `memory import`, `export` and `config`.

use std::{
    io::{Read as _, Write as _},
    path::Path,
};

use anyhow::Context as _;

use super::{
    Asked,
    args::{ConfigArgs, ExportArgs, ImportArgs},
};
use crate::{
    app::{Environment, Settings},
    cli::{
        args::Form,
        exit::{Error, Outcome},
        render,
    },
    engine::memory::{self, Transfer},
    store::document::Replacement,
    tools,
};

/// More is not read.
const MOST_BYTES: u64 = 65 << 20;

fn form(markdown: bool, format: Option<&str>, file: Option<&Path>) -> Transfer {
    let is_called =
        |ending: &str| file.and_then(Path::extension).is_some_and(|extension| extension == ending);
    match format {
        Some("jsonl") => Transfer::Jsonl,
        Some("markdown") => Transfer::Markdown,
        Some("mem0") => Transfer::Mem0,
        Some("letta") => Transfer::Letta,
        // The others say how the answer is printed.
        _ if markdown || is_called("md") => Transfer::Markdown,
        _ if is_called("af") => Transfer::Letta,
        _ => Transfer::Jsonl,
    }
}

pub(super) async fn import(asked: &Asked<'_>, args: &ImportArgs) -> Result<Outcome, Error> {
    let holder = asked.employee(&args.employee, args.force).await?;
    let form = form(args.markdown, args.format.as_deref(), Some(&args.file));
    let mut bytes = Vec::new();
    if args.file.as_os_str() == "-" {
        std::io::stdin().lock().take(MOST_BYTES).read_to_end(&mut bytes)?;
    } else {
        let told = || format!("`{}` cannot be read", args.file.display());
        let file = std::fs::File::open(&args.file).with_context(told)?;
        file.take(MOST_BYTES).read_to_end(&mut bytes).with_context(told)?;
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        tools::Error::Arguments(format!("`{}` is no UTF-8: {error}", args.file.display()))
    })?;
    let done = asked.office.crew.remember(move |memory| memory.import(&holder, form, &text)).await?;
    for told in done.refused.iter().chain(&done.notes) {
        render::note(told);
    }
    match asked.global.form() {
        Form::Json => render::json(&done)?,
        Form::Text => render::answer(&format!(
            "added {}, known already {}, refused {}",
            done.added, done.known, done.refused_count
        ))?,
    }
    Ok(if done.refused_count > 0 { Outcome::Failed } else { Outcome::Done })
}

pub(super) async fn export(asked: &Asked<'_>, args: &ExportArgs) -> Result<Outcome, Error> {
    let holder = asked.holder(&args.employee).await?;
    let form = form(args.markdown, args.format.as_deref(), args.output.as_deref());
    let clearance = args.told.clearance();
    let exported = asked.office.crew.remember(move |memory| memory.export(&holder, form, &clearance)).await?;
    let (text, held_back) = exported;
    if held_back > 0 {
        render::note(&format!("{held_back} more are not among them; --clearance and --private add them"));
    }
    match &args.output {
        Some(path) => {
            let told = || format!("`{}` cannot be written", path.display());
            let mut file = Replacement::begin(path).with_context(told)?;
            file.write_all(text.as_bytes())?;
            file.commit().with_context(told)?;
            render::note(&format!("written {}", path.display()));
        }
        None => render::answer(&text)?,
    }
    Ok(Outcome::Done)
}

pub(super) fn config(asked: &Asked<'_>, args: &ConfigArgs, env: &Environment) -> Result<Outcome, Error> {
    let root = asked.global.root();
    let sets = args.ttl_days.is_some() || args.max_entries.is_some() || args.half_life.is_some();
    if sets && !args.show {
        memory::Settings::keep(&root, args.ttl_days, args.max_entries, args.half_life)?;
    }
    let settings = Settings::read(env, &root).map_err(anyhow::Error::from)?.memory;
    if sets {
        let wanted = [
            (args.ttl_days.is_some_and(|days| days != settings.ttl_days), "ttl_days"),
            (args.max_entries.is_some_and(|most| most != settings.max_entries), "max_entries"),
            (
                args.half_life.is_some_and(|days| days.total_cmp(&settings.half_life_days).is_ne()),
                "half_life_days",
            ),
        ];
        for (_, name) in wanted.iter().filter(|(hidden, _)| *hidden) {
            render::note(&format!("`memory.{name}` in .crew/config.yaml goes before what was set"));
        }
    }
    match asked.global.form() {
        Form::Json => render::json(&settings)?,
        Form::Text => {
            let shown = serde_json::to_value(&settings).unwrap_or_default();
            let rows = shown.as_object().into_iter().flatten();
            let rows = rows.map(|(name, value)| [name.clone(), value.to_string()]);
            render::answer(&render::table(["SETTING", "VALUE"], rows))?;
        }
    }
    Ok(Outcome::Done)
}
