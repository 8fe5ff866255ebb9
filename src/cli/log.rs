//! `knowlyr-crew log`.

use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};

use super::{
    args::{Form, Global, at_most},
    exit::{Error, Outcome},
    render,
    run::crew,
};
use crate::{
    app::Environment,
    base::text::visible,
    engine::records::{
        Records,
        log::{LogEntry, LogFilter, Severity},
    },
    tools,
};

/// The words of `log`.
#[derive(Debug, Args)]
pub(super) struct LogArgs {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// List work logs, the newest first
    List(ListArgs),
    /// Show what was done in one
    Show {
        /// Its id; that of a task is the task's
        id: String,
    },
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only those in which this employee did something: its name, a trigger or the name of its character
    #[arg(long, value_name = "NAME")]
    employee: Option<String>,
    /// Only those with an entry of this severity
    #[arg(long, value_enum)]
    severity: Option<HowBad>,
    /// At most this many
    #[arg(short = 'n', long, default_value_t = 20, value_parser = at_most)]
    limit: usize,
}

/// How badly something went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HowBad {
    /// It went well
    Info,
    /// Part of it went wrong, or somebody stopped it
    Warning,
    /// It failed
    Critical,
}

impl From<HowBad> for Severity {
    fn from(how: HowBad) -> Self {
        match how {
            HowBad::Info => Self::Info,
            HowBad::Warning => Self::Warning,
            HowBad::Critical => Self::Critical,
        }
    }
}

pub(super) async fn log(global: &Global, args: &LogArgs, env: &Environment) -> Result<Outcome, Error> {
    match &args.command {
        LogCommand::List(args) => list(global, args, env).await?,
        LogCommand::Show { id } => {
            let log = Records::of(&global.root()).log(id, usize::MAX)?;
            for note in &log.notes {
                render::note(&format!("warning: {}", visible(note)));
            }
            match global.form() {
                Form::Json => render::json(&log.log)?,
                Form::Text => render::answer(&text(&log.log))?,
            }
        }
    }
    Ok(Outcome::Done)
}

async fn list(global: &Global, args: &ListArgs, env: &Environment) -> Result<(), Error> {
    let names = match &args.employee {
        Some(name) => tools::names_of(&crew(global, env), name).await,
        None => Vec::new(),
    };
    let severity = args.severity.map(Severity::from);
    let filter = LogFilter { names, severity, since: None, limit: args.limit };
    let rows = Records::of(&global.root()).logs(&filter);
    match global.form() {
        Form::Json => render::json(&rows)?,
        Form::Text if rows.is_empty() => render::note("There are no such work logs."),
        Form::Text => {
            let cells = rows.iter().map(|row| {
                let [id, employee, began] =
                    [&row.session_id, &row.employee_name, &render::recorded(&row.started_at)]
                        .map(|text| visible(text));
                [id, employee, began, row.entries.to_string(), row.severity.as_str().to_owned()]
            });
            render::answer(&render::table(["LOG", "EMPLOYEE", "STARTED", "ENTRIES", "WORST"], cells))?;
        }
    }
    Ok(())
}

/// `[when] action: detail`, a line each.
fn text(entries: &[LogEntry]) -> String {
    let mut text = String::new();
    for LogEntry { timestamp, employee_name, action, detail, severity, .. } in entries {
        let [timestamp, who, action, detail] =
            [timestamp, employee_name, action, detail].map(|text| visible(text));
        let how = if *severity == Severity::Info { "" } else { severity.as_str() };
        let space = if how.is_empty() { "" } else { " " };
        let _ = writeln!(text, "[{timestamp}] {how}{space}{action}: {detail} ({who})");
    }
    text
}
