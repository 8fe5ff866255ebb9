//! `knowlyr-crew records`.

use clap::{Args, Subcommand};

use super::{
    args::{Form, Global},
    cost::history,
    exit::{Error, Outcome},
    render,
};
use crate::{
    app::{Environment, Settings},
    base::clock,
    engine::{past, records::Records},
};

/// The words of `records`.
#[derive(Debug, Args)]
pub(super) struct RecordsArgs {
    #[command(subcommand)]
    command: RecordsCommand,
}

#[derive(Debug, Subcommand)]
enum RecordsCommand {
    /// Remove what `records` of .crew/config.yaml says is kept no longer; a server does that by itself
    Prune {
        /// Only tell what would be removed
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) async fn records(
    global: &Global,
    args: &RecordsArgs,
    env: &Environment,
) -> Result<Outcome, Error> {
    let RecordsCommand::Prune { dry_run } = args.command;
    let root = global.root();
    let retention = Settings::read(env, &root).map_err(anyhow::Error::from)?.records;
    if !retention.has_bounds() {
        render::note(
            "Everything is kept: there is nothing in `records` of .crew/config.yaml, such as `sessions_days: 90`.",
        );
    }
    let needed = history(global, env, past::needed_of).await?;
    let records = Records::of(&root);
    let pruned = records.prune(&retention, &needed, clock::now(), usize::MAX, dry_run)?;
    if !dry_run {
        records.sessions.tend();
    }
    match global.form() {
        Form::Json => render::json(&pruned)?,
        Form::Text => {
            let did = if dry_run { "would remove" } else { "removed" };
            let [sessions, logs, meetings] = [&pruned.sessions, &pruned.logs, &pruned.meetings].map(Vec::len);
            render::answer(&format!("{did} {sessions} sessions, {logs} work logs, {meetings} meetings"))?;
        }
    }
    Ok(Outcome::Done)
}
