//! Rows that the disk decides.

use std::{fs, io, path::Path};

use super::{Row, Verdict};
use crate::{
    app::{backup, office::JOURNAL},
    base::text::chain,
    store::{self, OwnerLock, document::Replacement},
};

const WRITERS: &str = "let the user of the server write there";
/// Where the unit of systemd is installed.
const UNIT: &str = "/etc/systemd/system/knowlyr-crew.service";

pub(super) fn rows(root: &Path) -> Vec<Row> {
    vec![journal(root), readers(root), backups(root), unit()]
}

/// Whether tasks can be kept, and by whom they are.
fn journal(root: &Path) -> Row {
    let path = root.join(JOURNAL);
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => {
            return match try_to_write(root) {
                Ok(()) => Row::new("tasks", Verdict::Skip, JOURNAL, "no task was kept yet, but one can be"),
                Err(error) => {
                    let found = format!("no task can be kept: {}", chain(&error));
                    Row::new("tasks", Verdict::Fail, JOURNAL, found).fix(WRITERS)
                }
            };
        }
        Err(error) => return Row::new("tasks", Verdict::Fail, JOURNAL, error.to_string()),
    }
    let unreadable =
        store::log::read(&path, |line| serde_json::from_slice::<serde::de::IgnoredAny>(line.bytes).map(drop));
    let lines = match unreadable {
        Ok(seen) if seen.skipped == 0 => seen.lines,
        Ok(seen) => {
            let found = format!("{} of {} lines cannot be read", seen.skipped, seen.lines);
            return Row::new("tasks", Verdict::Warn, JOURNAL, found)
                .fix("they are passed over; look at them");
        }
        Err(error) => return Row::new("tasks", Verdict::Fail, JOURNAL, error.to_string()),
    };
    let found = match OwnerLock::acquire(&path) {
        Err(store::Error::Owned { pid, .. }) => {
            let by = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
            format!("{lines} records; a server keeps them{by}")
        }
        Err(error) => {
            return Row::new("tasks", Verdict::Fail, JOURNAL, error.to_string()).fix(WRITERS);
        }
        Ok(_) => format!("{lines} records; no server is running"),
    };
    Row::new("tasks", Verdict::Pass, JOURNAL, found)
}

/// Tries what a server does at its first start, with a file that is gone again at once. As long as there is no `.crew`, the
/// server makes it.
fn try_to_write(root: &Path) -> Result<(), store::Error> {
    let folder = root.join(".crew");
    let folder = if folder.is_dir() { &*folder } else { root };
    Replacement::begin(&folder.join("doctor")).map(drop)
}

/// Whether others may read what was said.
#[cfg(unix)]
fn readers(root: &Path) -> Row {
    use std::os::unix::fs::PermissionsExt as _;
    let open = |name: &str| {
        let mode = fs::metadata(root.join(name)).ok()?.permissions().mode();
        (mode & 0o077 != 0).then(|| name.to_owned())
    };
    let names = [JOURNAL, ".crew/outbox.jsonl", ".crew/webhook-secret", ".crew/audit/tool_usage.jsonl"];
    let found: Vec<String> = names.iter().filter_map(|name| open(name)).collect();
    if found.is_empty() {
        return Row::new("file-modes", Verdict::Pass, ".crew", "what was said is its owner's alone");
    }
    Row::new("file-modes", Verdict::Warn, ".crew", format!("others may read {}", found.join(", ")))
        .fix(format!("chmod 600 {}", found.join(" ")))
}

#[cfg(not(unix))]
fn readers(_root: &Path) -> Row {
    Row::new("file-modes", Verdict::Skip, ".crew", "this system has other rules")
}

fn backups(root: &Path) -> Row {
    match backup::survey(root) {
        Ok((files, left_out)) => {
            let found = format!("{files} files would be in a backup, {left_out} would not");
            Row::new("backup", Verdict::Pass, ".crew, private", found)
        }
        Err(error) => Row::new("backup", Verdict::Fail, ".crew, private", format!("{error:#}"))
            .fix("knowlyr-crew backup --dry-run"),
    }
}

/// Whether the unit gives secrets away. One that somebody else may read is no place for them either.
fn unit() -> Row {
    let text = match fs::read_to_string(UNIT) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Row::new("systemd", Verdict::Skip, UNIT, "the unit is not installed");
        }
        Err(error) => return Row::new("systemd", Verdict::Skip, UNIT, error.to_string()),
    };
    let starts = text.lines().filter(|line| line.trim_start().starts_with("ExecStart"));
    let tells =
        |line: &str| line.split_whitespace().any(|word| word == "--token" || word.starts_with("--token="));
    if starts.into_iter().any(tells) {
        return Row::new(
            "systemd",
            Verdict::Fail,
            UNIT,
            "the token is on the command line, which every user can read",
        )
        .fix("EnvironmentFile= with CREW_API_TOKEN, or --token-file");
    }
    Row::new("systemd", Verdict::Pass, UNIT, "no token is on the command line")
}
