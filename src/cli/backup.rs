//! `knowlyr-crew backup` and `restore`.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;

use super::{
    args::{Form, Global},
    exit::{Error, Outcome},
    render,
};
use crate::{
    app::{
        self, Environment,
        backup::{self, BackedUp, LeftOut, Manifest},
    },
    base::clock,
    tasks::Place,
};

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The archive; `crew-backup-<time>.tar.gz` where you are, unless given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Read all that would be in it, and write nothing
    #[arg(long, conflicts_with = "output")]
    dry_run: bool,
    /// Compare an archive with its own sums, in place of making one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["output", "dry_run"])]
    verify: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The archive
    archive: PathBuf,
    /// Read it and say what would be done, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Keep what is there under another name, and put the archive in its place
    #[arg(long)]
    force: bool,
}

pub(super) async fn backup(global: &Global, args: &BackupArgs, env: &Environment) -> Result<Outcome, Error> {
    if let Some(archive) = args.verify.clone() {
        let manifest = aside(move || backup::verify(&archive)).await?;
        return tell(global, &json!({"manifest": manifest}), &format!("whole: {}", summary(&manifest)), &[]);
    }
    let to = (!args.dry_run).then(|| args.output.clone().unwrap_or_else(default_name));
    let root = global.root();
    let exported = backup::export(&root, env).await?;
    let made = aside(move || {
        let tasks = exported.as_ref().map(backup::Exported::path);
        backup::back_up(&root, to.as_deref(), tasks)
    });
    let made = made.await?;
    tell(global, &made, &told(&made), &made.left_out)
}

pub(super) async fn restore(
    global: &Global,
    args: &RestoreArgs,
    env: &Environment,
) -> Result<Outcome, Error> {
    let (root, archive) = (global.root(), args.archive.clone());
    if args.dry_run {
        let found = aside(move || backup::rehearse(&archive, &root)).await?;
        let mut text = format!("whole: {}; nothing was written", summary(&found.manifest));
        for path in &found.in_the_way {
            let _ = write!(
                text,
                "\n  {} is there already: `--force` keeps it under another name",
                path.display()
            );
        }
        return tell(global, &found, &text, &[]);
    }
    let force = args.force;
    if force && let Some(error) = backup::unserved(&root, env).await? {
        render::note(&format!("warning: nobody can tell whether a server works on this project: {error}"));
    }
    let restored = aside(move || backup::restore(&archive, &root, force)).await?;
    let mut text = format!("restored {}", summary(&restored.manifest));
    for path in &restored.kept {
        let _ = write!(text, "\n  what was there is now {}", path.display());
    }
    let place = app::journal(&global.root(), env).map_err(anyhow::Error::from)?;
    if let Place::Shared(target) = place {
        let _ = write!(
            text,
            "\n  its tasks are in .crew/tasks.jsonl; `knowlyr-crew task import` brings them into {target}"
        );
    }
    tell(global, &restored, &text, &[])
}

/// Does what blocks on a thread where that keeps nobody waiting.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> Result<T, Error> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(anyhow::Error::from)??)
}

fn default_name() -> PathBuf {
    format!("crew-backup-{}.tar.gz", clock::now().strftime("%Y%m%dT%H%M%SZ")).into()
}

fn summary(manifest: &Manifest) -> String {
    let count = manifest.files.len();
    format!("{count} files, {} bytes, of {}", manifest.bytes(), render::moment(manifest.created_at))
}

fn told(made: &BackedUp) -> String {
    let size = |path: &Path| format!("{} ({} bytes)", path.display(), made.archive_bytes);
    match &made.archive {
        Some(archive) => format!("{}: {}, read again and whole", size(archive), summary(&made.manifest)),
        None => format!("would hold {}; nothing was written", summary(&made.manifest)),
    }
}

/// Files that are named for one reason; of more it is told how many they are.
const NAMED: usize = 5;

fn note(left_out: &[LeftOut]) {
    let mut by_reason = BTreeMap::<_, Vec<_>>::new();
    for left in left_out {
        by_reason.entry(left.reason).or_default().push(left.path.as_str());
    }
    for (reason, paths) in by_reason {
        for path in paths.iter().take(NAMED) {
            render::note(&format!("left out: {path} ({reason})"));
        }
        if let Some(more) = paths.len().checked_sub(NAMED).filter(|more| *more > 0) {
            render::note(&format!("left out: {more} more ({reason}); --json names them"));
        }
    }
}

fn tell(
    global: &Global,
    value: &impl serde::Serialize,
    text: &str,
    left_out: &[LeftOut],
) -> Result<Outcome, Error> {
    match global.form() {
        Form::Json => render::json(value)?,
        Form::Text => {
            note(left_out);
            render::answer(text)?;
        }
    }
    Ok(Outcome::Done)
}
