//! What an employee remembers: `.crew/memory/<employee>.jsonl`, one entry a line.

use std::path::Path;

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use serde::Serialize;
use serde_json::{Map, Value};

use super::folder::Folder;
use crate::{base::clock, defs::Employee};

/// Where it is kept.
pub(super) const FOLDER: &str = ".crew/memory";
/// How its files end.
pub(super) const ENDING: &str = ".jsonl";
/// Most bytes of a file that are read, from its end.
const READ: u64 = 4 << 20;
/// Most entries that are shown, the newest.
const ENTRIES: usize = 100;
/// Most bytes of entries that are shown.
const SHOWN: usize = 256 << 10;
/// Most faults that are named one by one.
const NAMED: usize = 5;
/// What is shown of an entry.
const FIELDS: [&str; 9] = [
    "id",
    "created_at",
    "category",
    "content",
    "confidence",
    "importance",
    "tags",
    "keywords",
    "source_session",
];

/// What is shown of a memory.
#[derive(Debug, Serialize)]
pub(in crate::app::library) struct Memory {
    employee: String,
    /// The newest first.
    entries: Vec<Map<String, Value>>,
    /// What was left out, for reasons that are no secret.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// The names under which the memory of `employee` may be kept.
pub(in crate::app::library) fn holders(employee: &Employee) -> Vec<String> {
    let mut names = vec![employee.name.clone()];
    if !employee.character_name.is_empty() {
        names.push(employee.character_name.clone());
        names.push(as_file_name(&employee.character_name));
    }
    names.dedup();
    names
}

/// How a name of a person becomes the name of a file.
fn as_file_name(name: &str) -> String {
    let fits = |letter: char| {
        letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '\u{4e00}'..='\u{9fff}')
    };
    name.chars().map(|letter| if fits(letter) { letter } else { '_' }).collect()
}

/// Reads what is kept under any of `names`, which are those of one employee; `None` when nothing is. Waits for the disk.
pub(in crate::app::library) fn read(root: &Path, names: &[String]) -> Option<Memory> {
    let folder = Folder::open(root, FOLDER)?;
    let mut memory = Memory { employee: names.first()?.clone(), entries: Vec::new(), notes: Vec::new() };
    let (mut found, mut left) = (false, SHOWN);
    let now = clock::now();
    // The file of the character is the newer of the two ways.
    for stem in folder.stems(ENDING).iter().rev().filter(|stem| names.contains(stem)) {
        let Ok(tail) = folder.tail(&format!("{stem}{ENDING}"), READ) else { continue };
        found = true;
        if tail.is_cut {
            memory.notes.push(format!("`{stem}{ENDING}` is long; only its last {READ} bytes were read"));
        }
        memory.take(&tail.text, names, now, &mut left);
    }
    found.then_some(memory)
}

impl Memory {
    fn take(&mut self, text: &str, names: &[String], now: Timestamp, left: &mut usize) {
        let mut broken = 0;
        for (number, line) in text.lines().enumerate().collect::<Vec<_>>().into_iter().rev() {
            if line.trim().is_empty() {
                continue;
            }
            let Ok(entry) = serde_json::from_str::<Map<String, Value>>(line) else {
                broken += 1;
                if broken <= NAMED {
                    self.notes
                        .push(format!("line {} of what was read is no entry, and is left out", number + 1));
                }
                continue;
            };
            if !is_open(&entry) || !is_valid(&entry, now) || !is_of(&entry, names) {
                continue;
            }
            let shown: Map<String, Value> = FIELDS
                .iter()
                .filter_map(|field| Some(((*field).to_owned(), entry.get(*field)?.clone())))
                .filter(|(_, value)| !value.is_null() && *value != "")
                .collect();
            let size = serde_json::to_string(&shown).map_or(0, |text| text.len());
            if self.entries.len() >= ENTRIES || size > *left {
                self.notes.push("there are more entries, older than these".to_owned());
                break;
            }
            *left -= size;
            self.entries.push(shown);
        }
        if broken > NAMED {
            self.notes.push(format!("{broken} lines in all are no entries"));
        }
    }
}

/// Whether everybody may read it. What says anything that is not known is kept back.
fn is_open(entry: &Map<String, Value>) -> bool {
    let says = |field: &str, open: &[&str]| match entry.get(field) {
        None | Some(Value::Null) => true,
        Some(Value::String(level)) => open.contains(&level.trim()),
        Some(_) => false,
    };
    says("classification", &["", "public", "internal"]) && says("visibility", &["", "open"])
}

/// Whether it still holds: neither corrected by another one nor past its time.
fn is_valid(entry: &Map<String, Value>, now: Timestamp) -> bool {
    let replaced = entry.get("superseded_by").and_then(Value::as_str).is_some_and(|id| !id.is_empty());
    let days = entry.get("ttl_days").and_then(Value::as_i64).filter(|days| (1..=365_000).contains(days));
    let end = days.and_then(|days| {
        let written = entry.get("created_at").and_then(Value::as_str).and_then(time)?;
        written.checked_add(SignedDuration::from_hours(24 * days)).ok()
    });
    !replaced && end.is_none_or(|end| now < end)
}

/// Reads a time; one that names no zone is taken for UTC.
fn time(text: &str) -> Option<Timestamp> {
    text.parse()
        .ok()
        .or_else(|| Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp()))
}

/// Names that differ may share a file.
fn is_of(entry: &Map<String, Value>, names: &[String]) -> bool {
    let owner = entry.get("employee").and_then(Value::as_str);
    owner.is_none_or(|owner| names.iter().any(|name| name == owner))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn contents(lines: &[&str]) -> Value {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join(FOLDER)).unwrap();
        fs::write(root.path().join(".crew/memory/poet.jsonl"), lines.join("\n")).unwrap();
        assert!(read(root.path(), &["smith".to_owned()]).is_none());
        serde_json::to_value(read(root.path(), &["poet".to_owned()]).unwrap()).unwrap()
    }

    #[track_caller]
    fn check(lines: &[&str], expected: &[&str]) {
        let memory = contents(lines);
        let entries = memory["entries"].as_array().unwrap();
        let shown: Vec<_> = entries.iter().map(|entry| entry["content"].as_str().unwrap()).collect();
        assert_eq!(shown, expected, "{memory}");
    }

    #[test]
    fn the_newest_comes_first_and_what_no_longer_holds_not_at_all() {
        check(
            &[
                r#"{"id":"1","employee":"poet","created_at":"2026-01-01T00:00:00","category":"finding","content":"a","superseded_by":""}"#,
                r#"{"id":"2","employee":"poet","content":"b","superseded_by":"3"}"#,
                r#"{"id":"3","employee":"poet","content":"c","ttl_days":0}"#,
                r#"{"id":"4","content":"d","ttl_days":3,"created_at":"2020-01-01T00:00:00.5+00:00"}"#,
                r#"{"id":"5","content":"e","ttl_days":36500,"created_at":"2020-01-01T00:00:00"}"#,
                r#"{"id":"6","employee":"po et","content":"f"}"#,
            ],
            &["e", "c", "a"],
        );
    }

    #[test]
    fn what_is_confidential_is_never_shown() {
        check(
            &[
                r#"{"content":"a","classification":"public","visibility":"open"}"#,
                r#"{"content":"b","classification":"internal"}"#,
                r#"{"content":"c","classification":"restricted"}"#,
                r#"{"content":"d","classification":"confidential"}"#,
                r#"{"content":"e","classification":"CONFIDENTIAL"}"#,
                r#"{"content":"f","classification":["public"]}"#,
                r#"{"content":"g","visibility":"private"}"#,
                r#"{"content":"h","classification":null}"#,
            ],
            &["h", "b", "a"],
        );
    }

    #[test]
    fn broken_lines_are_noted_and_the_rest_is_read() {
        let memory = contents(&[r#"{"content":"a"}"#, "{\"conte", "", "[]", r#"{"content":"b"}"#]);
        assert_eq!(memory["entries"].as_array().unwrap().len(), 2);
        let notes = memory["notes"].as_array().unwrap();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert_eq!(notes[0], "line 4 of what was read is no entry, and is left out");
    }

    #[test]
    fn it_is_bounded() {
        let long = format!(r#"{{"content":"{}"}}"#, "x".repeat(SHOWN / 2));
        let memory = contents(&[&long, &long, &long]);
        assert_eq!(memory["entries"].as_array().unwrap().len(), 1);
        assert_eq!(memory["notes"][0], "there are more entries, older than these");
        let many = vec![r#"{"content":"x"}"#; ENTRIES + 1];
        assert_eq!(contents(&many)["entries"].as_array().unwrap().len(), ENTRIES);
    }

    #[test]
    fn a_character_has_a_file_of_its_own() {
        assert_eq!(as_file_name("张 三/a"), "张_三_a");
    }
}
