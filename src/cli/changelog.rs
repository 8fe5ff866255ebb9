//! `knowlyr-crew changelog`: what git says has changed, as a draft.

use std::{fmt::Write as _, path::PathBuf, process::Stdio};

use anyhow::Context as _;
use clap::Args;
use jiff::tz::TimeZone;
use serde::Serialize;
use tokio::process::Command;

use super::{
    args::{Form, Global, at_most},
    exit::{Error, Outcome},
    output::Output,
    render,
};
use crate::{base::clock, tools};

/// The words of `changelog`.
#[derive(Debug, Args)]
pub(super) struct ChangelogArgs {
    /// All since this tag or commit, in place of the latest
    #[arg(long, value_name = "REF")]
    since: Option<String>,
    /// The latest this many
    #[arg(short = 'n', long, default_value_t = 10, value_parser = at_most)]
    limit: usize,
    /// File to write, `CHANGELOG_DRAFT.md` of the project unless given; what is there is replaced
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Commit {
    hash: String,
    subject: String,
}

pub(super) async fn changelog(global: &Global, args: &ChangelogArgs) -> Result<Outcome, Error> {
    let commits = commits(global, args).await?;
    let path = args.output.clone().unwrap_or_else(|| global.root().join("CHANGELOG_DRAFT.md"));
    let output = Output::begin(Some(&path))?;
    let today = clock::now().to_zoned(TimeZone::UTC).date();
    let mut text = format!("## {today} Changelog\n\n");
    for Commit { hash, subject } in &commits {
        let _ = writeln!(text, "- {hash} {subject}");
    }
    output.give(&text)?;
    if global.form() == Form::Json {
        render::json(&commits)?;
    }
    Ok(Outcome::Done)
}

async fn commits(global: &Global, args: &ChangelogArgs) -> Result<Vec<Commit>, Error> {
    let range = match &args.since {
        // Git would take it for an option of its own, such as one that writes a file.
        Some(since) if since.starts_with('-') || since.trim().is_empty() => {
            let message = format!("`{}` is no tag and no commit", since.escape_debug());
            return Err(tools::Error::Arguments(message).into());
        }
        Some(since) => vec![format!("{since}..HEAD")],
        None => vec![format!("--max-count={}", args.limit)],
    };
    let mut git = Command::new("git");
    git.current_dir(global.root()).args(["--no-pager", "log", "--no-color", "--pretty=format:%h%x09%s"]);
    // A name that is a file's, too, is meant as a commit.
    git.args(range).arg("--").stdin(Stdio::null()).kill_on_drop(true);
    let said = git.output().await.context("git cannot be run")?;
    if !said.status.success() {
        let why = String::from_utf8_lossy(&said.stderr);
        let why = why.trim().trim_start_matches("fatal: ");
        return Err(tools::Error::Failed(format!("git does not tell what has changed: {why}")).into());
    }
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    Ok(lines.map(|(hash, subject)| Commit { hash: hash.to_owned(), subject: subject.to_owned() }).collect())
}
