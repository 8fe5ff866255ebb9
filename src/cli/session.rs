//! `knowlyr-crew session`.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    args::{Form, Global, at_most},
    exit::{Error, Outcome},
    render,
};
use crate::engine::{SessionFilter, Sessions};

/// The words of `session`.
#[derive(Debug, Args)]
pub(super) struct SessionArgs {
    #[command(subcommand)]
    command: SessionCommand,
}

#[derive(Debug, Subcommand)]
enum SessionCommand {
    /// List sessions, the newest first
    List(ListArgs),
    /// Show all that is told of one
    Show {
        /// Id of the session; that of a task is the task's
        id: String,
    },
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only sessions of this type: employee, pipeline, discussion
    #[arg(long = "type", value_name = "TYPE")]
    session_type: Option<String>,
    /// Only runs of this employee, pipeline or discussion
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// At most this many
    #[arg(short = 'n', long, default_value_t = 20, value_parser = at_most)]
    limit: usize,
}

pub(super) fn session(global: &Global, args: &SessionArgs) -> Result<Outcome, Error> {
    match &args.command {
        SessionCommand::List(args) => list(global, args)?,
        SessionCommand::Show { id } => {
            let session = Sessions::of(&global.root()).read(id, usize::MAX)?;
            if session.is_cut {
                render::note("warning: the session is long; this is its end");
            }
            match global.form() {
                Form::Json => render::json(&session.events)?,
                Form::Text => render::answer(&text(&session.events))?,
            }
        }
    }
    Ok(Outcome::Done)
}

fn list(global: &Global, args: &ListArgs) -> Result<(), Error> {
    let (session_type, subject) = (args.session_type.clone(), args.subject.clone());
    let rows = Sessions::of(&global.root()).list(&SessionFilter { session_type, subject, limit: args.limit });
    match global.form() {
        Form::Json => render::json(&rows)?,
        Form::Text if rows.is_empty() => render::note("There are no such sessions."),
        Form::Text => {
            let cells = rows.into_iter().map(|row| {
                [row.session_id, row.session_type, row.subject, render::recorded(&row.started_at)]
            });
            render::answer(&render::table(["SESSION", "TYPE", "SUBJECT", "STARTED"], cells))?;
        }
    }
    Ok(())
}

/// One event after the other, what was said below its heading.
fn text(events: &[Value]) -> String {
    let mut text = String::new();
    for event in events {
        let field = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let (time, what) = (field("timestamp"), field("event"));
        let _ = match what {
            "start" => writeln!(text, "{time}  {} {}", field("session_type"), field("subject")),
            "message" => writeln!(text, "\n{time}  {}\n\n{}\n", field("role"), field("content")),
            "end" => writeln!(text, "{time}  {} {}", field("status"), field("detail")),
            other => writeln!(text, "{time}  {other}"),
        };
        if let Some(metadata) = event.get("metadata").filter(|_| what != "message") {
            let _ = writeln!(text, "  {metadata}");
        }
    }
    text
}
