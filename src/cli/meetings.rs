//! `knowlyr-crew meetings`: discussions that were held, or only rendered.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    args::{Form, Global, at_most},
    exit::{Error, Outcome},
    render,
};
use crate::{
    base::text::visible,
    defs,
    engine::records::meeting::{Meeting, Meetings, Record},
    store::document::Replacement,
    tools,
};

/// The words of `meetings`.
#[derive(Debug, Args)]
pub(super) struct MeetingsArgs {
    #[command(subcommand)]
    command: MeetingsCommand,
}

#[derive(Debug, Subcommand)]
enum MeetingsCommand {
    /// List them, the newest first
    List(ListArgs),
    /// Show what was said in one
    Show {
        /// Its id, or how that begins
        id: String,
    },
    /// Print or write one: its text in Markdown, or with --json all that was recorded
    Export(ExportArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// At most this many
    #[arg(short = 'n', long, default_value_t = 20, value_parser = at_most)]
    limit: usize,
    /// Only those with this in their name, topic or participants
    #[arg(long)]
    keyword: Option<String>,
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// Its id, or how that begins
    #[arg(required_unless_present = "meeting_id")]
    id: Option<String>,
    /// The same, as earlier versions took it
    #[arg(long, value_name = "ID", conflicts_with = "id", hide = true)]
    meeting_id: Option<String>,
    /// File to write, in place of printing
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// With what is known of it before the text
    #[arg(long)]
    with_meta: bool,
}

pub(super) fn meetings(global: &Global, args: &MeetingsArgs) -> Result<Outcome, Error> {
    match &args.command {
        MeetingsCommand::List(args) => list(global, args.limit, args.keyword.as_deref()),
        MeetingsCommand::Show { id } => show(global, id),
        MeetingsCommand::Export(args) => export(global, args),
    }
}

/// Lists what was held, the newest first.
pub(super) fn list(global: &Global, limit: usize, keyword: Option<&str>) -> Result<Outcome, Error> {
    let all = Meetings::of(&global.root()).all();
    if all.broken > 0 {
        render::note(&format!("warning: {} lines of the list of meetings are no records", all.broken));
    }
    let fits = |record: &&Record| keyword.is_none_or(|keyword| record.tells_of(keyword));
    let found: Vec<_> = all.records.iter().filter(fits).take(limit).collect();
    match global.form() {
        Form::Json => render::json(&found)?,
        Form::Text if found.is_empty() => render::note("No discussion was held here yet, or none that fits."),
        Form::Text => {
            let rows = found.into_iter().map(|record| {
                [
                    record.meeting_id.clone(),
                    visible(&record.name),
                    visible(&record.participants.join(", ")),
                    record.rounds.to_string(),
                    visible(&record.topic.split_whitespace().collect::<Vec<_>>().join(" ")),
                ]
            });
            render::answer(&render::table(["ID", "NAME", "PARTICIPANTS", "ROUNDS", "TOPIC"], rows))?;
        }
    }
    Ok(Outcome::Done)
}

/// Shows one that was held, found by its id or the beginning of that.
pub(super) fn show(global: &Global, id: &str) -> Result<Outcome, Error> {
    let (meetings, held) = find(&global.root(), id)?;
    match global.form() {
        Form::Json => render::json(&whole(&meetings, &held))?,
        Form::Text => render::answer(&held.text)?,
    }
    Ok(Outcome::Done)
}

fn export(global: &Global, args: &ExportArgs) -> Result<Outcome, Error> {
    let id = args.id.as_ref().or(args.meeting_id.as_ref()).map_or("", String::as_str);
    let (meetings, held) = find(&global.root(), id)?;
    let text = match global.form() {
        Form::Json => {
            serde_json::to_string_pretty(&whole(&meetings, &held)).map_err(anyhow::Error::from)? + "\n"
        }
        Form::Text if args.with_meta => format!("---\n{}---\n\n{}", about(&held.record), held.text),
        Form::Text => held.text,
    };
    let Some(path) = &args.output else {
        render::answer(&text)?;
        return Ok(Outcome::Done);
    };
    let told = || format!("`{}` cannot be written", path.display());
    let mut file = Replacement::begin(path).with_context(told)?;
    file.write_all(text.as_bytes())?;
    file.commit().with_context(told)?;
    render::note(&format!("written {}", path.display()));
    Ok(Outcome::Done)
}

/// What is known of a meeting, as YAML.
fn about(record: &Record) -> String {
    let text = |key: &str, value: &str| format!("{key}: {}\n", defs::yaml_text(value));
    text("meeting_id", &record.meeting_id)
        + &text("name", &record.name)
        + &text("topic", &record.topic)
        + &text("participants", &record.participants.join(", "))
        + &text("mode", &record.mode)
        + &format!("rounds: {}\n", record.rounds)
        + &text("output_format", &record.output_format)
        + &text("started_at", &record.started_at)
}

fn whole(meetings: &Meetings, held: &Meeting) -> serde_json::Value {
    let recorded = meetings.recorded(&held.record.meeting_id);
    json!({"meeting": held.record, "text": held.text, "recorded": recorded})
}

/// The meeting that `id` begins; what is to be said about it is told.
fn find(root: &Path, id: &str) -> Result<(Meetings, Meeting), Error> {
    let meetings = Meetings::of(root);
    let id = full_id(&meetings, id)?;
    let held =
        meetings.read(&id).ok_or_else(|| tools::Error::not_found("meeting", &id, std::iter::empty()))?;
    for note in &held.notes {
        render::note(&format!("warning: {note}"));
    }
    Ok((meetings, held))
}

/// The id of the meeting that `id` begins.
pub(super) fn full_id(meetings: &Meetings, id: &str) -> Result<String, Error> {
    let all = meetings.all();
    let ids: Vec<&str> = all.records.iter().map(|record| record.meeting_id.as_str()).collect();
    match ids.iter().filter(|known| known.starts_with(id)).collect::<Vec<_>>().as_slice() {
        _ if ids.contains(&id) => Ok(id.to_owned()),
        [one] => Ok((**one).to_owned()),
        [] => Err(tools::Error::not_found("meeting", id, ids.iter().copied().take(8)).into()),
        several => {
            let message = format!("{} meetings begin with `{}`", several.len(), id.escape_debug());
            Err(tools::Error::Arguments(message).into())
        }
    }
}
