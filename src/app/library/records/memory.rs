//! What an employee remembers, as clients of MCP browse it.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::engine::memory::{Clearance, Entry, Error, Holder, Memory, Query};

/// Where it is kept.
pub(super) const FOLDER: &str = crate::engine::memory::FOLDER;
/// How its files end.
pub(super) const ENDING: &str = ".jsonl";
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
pub(in crate::app::library) struct Told {
    employee: String,
    /// The newest first.
    entries: Vec<Map<String, Value>>,
    /// What was left out, for reasons that are no secret.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// What everybody may read of the memory of `holder`; `None` when there is none. Waits for the disk.
///
/// # Errors
/// When it cannot be read.
pub(in crate::app::library) fn told(memory: &Memory, holder: &Holder) -> Result<Option<Told>, Error> {
    if !memory.is_kept(holder) {
        return Ok(None);
    }
    let query = Query { limit: ENTRIES + 1, ..Query::default() };
    let found = memory.query(holder, &query, &Clearance::open())?;
    let mut told = Told { employee: holder.name().to_owned(), entries: Vec::new(), notes: Vec::new() };
    for (file, broken) in found.broken.iter().take(NAMED) {
        told.notes.push(format!("line {} of `{file}` is no entry, and is left out", broken.line));
    }
    if found.broken_count > NAMED {
        told.notes.push(format!("{} lines in all are no entries", found.broken_count));
    }
    let mut left = SHOWN;
    for entry in &found.entries {
        let entry = shown(entry);
        let size = serde_json::to_string(&entry).map_or(0, |text| text.len());
        if told.entries.len() >= ENTRIES || size > left {
            told.notes.push("there are more entries, older than these".to_owned());
            break;
        }
        left -= size;
        told.entries.push(entry);
    }
    Ok(Some(told))
}

fn shown(entry: &Entry) -> Map<String, Value> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(entry) else { return Map::new() };
    fields.retain(|name, value| FIELDS.contains(&name.as_str()) && *value != "");
    fields
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::engine::memory::Settings;

    fn contents(lines: &[&str]) -> Value {
        let root = tempfile::tempdir().unwrap();
        let memory = Memory::open(root.path(), Settings::default());
        fs::create_dir_all(root.path().join(FOLDER)).unwrap();
        let lines = lines.join("\n") + "\n";
        fs::write(root.path().join(".crew/memory/poet.jsonl"), lines).unwrap();
        assert!(told(&memory, &Holder::named("smith")).unwrap().is_none());
        serde_json::to_value(told(&memory, &Holder::named("poet")).unwrap()).unwrap()
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
                r#"{"id":"2","employee":"poet","category":"finding","content":"b","superseded_by":"3"}"#,
                r#"{"id":"3","employee":"poet","created_at":"2026-01-02T00:00:00","category":"finding","content":"c","ttl_days":0}"#,
                r#"{"id":"4","category":"finding","content":"d","ttl_days":3,"created_at":"2020-01-01T00:00:00.5+00:00"}"#,
                r#"{"id":"5","category":"finding","content":"e","ttl_days":36500,"created_at":"2020-01-01T00:00:00"}"#,
                r#"{"id":"6","employee":"po et","category":"finding","content":"f"}"#,
            ],
            &["c", "a", "e"],
        );
    }

    #[test]
    fn what_is_confidential_is_never_shown() {
        let line = |content: &str, more: &str| {
            format!(r#"{{"id":"{content}","category":"finding","content":"{content}",{more}}}"#)
        };
        let lines = [
            line("a", r#""classification":"public","visibility":"open""#),
            line("b", r#""classification":"internal""#),
            line("c", r#""classification":"restricted""#),
            line("d", r#""classification":"confidential""#),
            line("e", r#""classification":"CONFIDENTIAL""#),
            line("f", r#""classification":["public"]"#),
            line("g", r#""visibility":"private""#),
            line("h", r#""classification":null"#),
        ];
        check(&lines.each_ref().map(String::as_str), &["h", "b", "a"]);
    }

    #[test]
    fn broken_lines_are_noted_and_the_rest_is_read() {
        let entry = r#"{"id":"1","category":"finding","content":"a"}"#;
        let memory = contents(&[entry, "{\"conte", "", "[]"]);
        assert_eq!(memory["entries"].as_array().unwrap().len(), 1);
        let notes = memory["notes"].as_array().unwrap();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert_eq!(notes[0], "line 2 of `poet.jsonl` is no entry, and is left out");
    }

    #[test]
    fn it_is_bounded() {
        let entry = |id: usize, content: &str| {
            format!(r#"{{"id":"{id}","category":"finding","content":"{content}"}}"#)
        };
        let long = "x".repeat(SHOWN / 2);
        let long: Vec<String> = (0..3).map(|id| entry(id, &long)).collect();
        let memory = contents(&long.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(memory["entries"].as_array().unwrap().len(), 1);
        assert_eq!(memory["notes"][0], "there are more entries, older than these");
        let many: Vec<String> = (0..=ENTRIES).map(|id| entry(id, "x")).collect();
        let memory = contents(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(memory["entries"].as_array().unwrap().len(), ENTRIES);
    }
}
