//! Work logs as the predecessor wrote them: one entry a line.

use serde::{Deserialize, Serialize};

use super::{Done, LogEntry, entry::Line};
use crate::engine::records::{Folder, catalogue::Brief};

/// Of longer files the beginning is read.
const MOST_BYTES: u64 = 16 << 20;

/// A file in brief.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::engine::records) struct LogBrief {
    pub(super) employee_name: String,
    pub(super) started_at: String,
    pub(super) done: Done,
}

impl LogBrief {
    pub(super) fn of(entries: &[LogEntry]) -> Self {
        let mut brief = Self::default();
        for entry in entries {
            if brief.started_at.is_empty() {
                brief.started_at.clone_from(&entry.timestamp);
                brief.employee_name.clone_from(&entry.employee_name);
            }
            brief.done.count(entry);
        }
        brief
    }
}

impl Brief for LogBrief {
    const FORMAT: u32 = 1;

    fn read(folder: &Folder, name: &str) -> Self {
        read(folder, name).map(|read| Self::of(&read.entries)).unwrap_or_default()
    }

    fn began(&self) -> &str {
        &self.started_at
    }
}

/// What a file tells.
pub(super) struct Read {
    pub(super) entries: Vec<LogEntry>,
    /// Lines that say something without meaning, and what.
    pub(super) broken: Vec<String>,
}

/// Reads the file `name`; `None` when there is none.
pub(super) fn read(folder: &Folder, name: &str) -> Option<Read> {
    let mut read = Read { entries: Vec::new(), broken: Vec::new() };
    let mut number = 0;
    let done = folder.lines(name, MOST_BYTES, |line| {
        number += 1;
        if line.trim_ascii().is_empty() {
            return;
        }
        match serde_json::from_slice::<Line>(line).map(Line::entry) {
            Ok((entry, note)) => {
                read.entries.push(entry);
                read.broken.extend(note.map(|note| format!("line {number}: {note}")));
            }
            Err(error) => read.broken.push(format!("line {number} cannot be read: {error}")),
        }
    });
    done.is_ok().then_some(read)
}
