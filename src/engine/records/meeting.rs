//! What was discussed: `.crew/meetings/index.jsonl`, one meeting a line, and the text of each in a file of its own.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::folder::Folder;

/// Where meetings are kept.
pub const FOLDER: &str = ".crew/meetings";
/// Their list.
pub const INDEX: &str = "index.jsonl";
/// How the names of their texts end.
pub const ENDING: &str = ".md";
/// Most bytes of the list that are read, from its end.
const READ: u64 = 4 << 20;
/// Most meetings that are known, the newest.
const KNOWN: usize = 1000;
/// Most bytes of a text, from its end.
const TEXT: u64 = 512 << 10;
/// Most bytes of what was recorded.
const RECORD: u64 = 64 << 20;

/// A meeting, as it is listed. The values it was begun with are left out: they may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Its id.
    pub meeting_id: String,
    /// Name of the discussion.
    #[serde(default)]
    pub name: String,
    /// What it was about.
    #[serde(default)]
    pub topic: String,
    /// The employees who took part.
    #[serde(default)]
    pub participants: Vec<String>,
    /// `meeting` with one participant, else `discussion`.
    #[serde(default)]
    pub mode: String,
    /// How many rounds it had.
    #[serde(default)]
    pub rounds: u64,
    /// What came out of it.
    #[serde(default)]
    pub output_format: String,
    /// When it began.
    #[serde(default)]
    pub started_at: String,
}

impl Record {
    /// Whether its name, its topic or one who took part holds `keyword`, in letters of either size.
    pub fn tells_of(&self, keyword: &str) -> bool {
        let text = format!("{} {} {}", self.name, self.topic, self.participants.join(" "));
        text.to_lowercase().contains(&keyword.to_lowercase())
    }
}

/// A meeting with its text.
#[derive(Debug, Serialize)]
pub struct Meeting {
    /// As it is listed.
    #[serde(flatten)]
    pub record: Record,
    /// Its text.
    pub text: String,
    /// What is to be said about that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The list of meetings.
#[derive(Debug, Default)]
pub struct Index {
    /// The newest first, each id once.
    pub records: Vec<Record>,
    /// Lines that are no records.
    pub broken: usize,
}

/// Whether a meeting may be called `id`.
fn may_name(id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=128).contains(&id.len()) && id.bytes().all(fits)
}

impl Index {
    /// Reads the list; an empty one when there is none. Waits for the disk.
    pub fn read(folder: &Folder) -> Self {
        let mut index = Self::default();
        let tail = folder.tail(INDEX, READ).unwrap_or_default();
        let mut seen = std::collections::HashSet::new();
        for line in tail.text.lines().rev().filter(|line| !line.trim().is_empty()) {
            match serde_json::from_str::<Record>(line) {
                // Two of one id share a text: the later one, which is first here, is the one it belongs to.
                Ok(record) if may_name(&record.meeting_id) => {
                    if index.records.len() < KNOWN && seen.insert(record.meeting_id.clone()) {
                        index.records.push(record);
                    }
                }
                _ => index.broken += 1,
            }
        }
        index
    }
}

/// The meetings of the project at `root`, the newest first, and how many lines of their list are no records. Waits for
/// the disk.
pub fn list(root: &Path) -> (Vec<Record>, usize) {
    let index = Folder::open(root, FOLDER).map(|folder| Index::read(&folder)).unwrap_or_default();
    (index.records, index.broken)
}

/// All that was recorded of the meeting `id`; `None` when it was not held by this program. Waits for the disk.
pub fn record(root: &Path, id: &str) -> Option<serde_json::Value> {
    let folder = may_name(id).then(|| Folder::open(root, FOLDER)).flatten()?;
    let whole = folder.tail(&format!("{id}.json"), RECORD).ok()?;
    serde_json::from_str(&whole.text).ok()
}

/// Reads the meeting `id`; `None` when there is none. Waits for the disk.
pub fn read(root: &Path, id: &str) -> Option<Meeting> {
    if !may_name(id) {
        return None;
    }
    let folder = Folder::open(root, FOLDER)?;
    let index = Index::read(&folder);
    let record = index.records.into_iter().find(|record| record.meeting_id == id)?;
    let mut notes = Vec::new();
    let text = match folder.tail(&format!("{id}{ENDING}"), TEXT) {
        Ok(tail) => {
            if tail.is_cut {
                notes.push(format!("the text is long; these are its last {TEXT} bytes"));
            }
            tail.text
        }
        Err(_) => {
            notes.push("the text of this meeting is not there".to_owned());
            String::new()
        }
    };
    if index.broken > 0 {
        notes.push(format!("{} lines of the list of meetings are no records", index.broken));
    }
    Some(Meeting { record, text, notes })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn meetings_are_found_by_id() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(FOLDER);
        fs::create_dir_all(&folder).unwrap();
        let lines = [
            r#"{"meeting_id":"20260101_101010","name":"old","topic":"t","participants":["a"],"mode":"meeting","rounds":0,"output_format":"summary","started_at":"2026-01-01T10:10:10","args":{"key":"s3cret"}}"#,
            r#"{"meeting_id":"../../x"}"#,
            "{\"meeting_",
            r#"{"meeting_id":"20260102_101010_ab12cd","name":"first"}"#,
            r#"{"meeting_id":"20260102_101010_ab12cd","name":"second"}"#,
        ];
        fs::write(folder.join(INDEX), lines.join("\n")).unwrap();
        fs::write(folder.join("20260101_101010.md"), "# 评审\n").unwrap();
        let index = Index::read(&Folder::open(root.path(), FOLDER).unwrap());
        let names: Vec<_> = index.records.iter().map(|record| record.name.as_str()).collect();
        assert_eq!((names, index.broken), (vec!["second", "old"], 2));
        let get = |id: &str| -> Value { serde_json::to_value(read(root.path(), id)).unwrap() };
        let old = get("20260101_101010");
        assert_eq!((&old["text"], &old["participants"]), (&json!("# 评审\n"), &json!(["a"])));
        assert!(!old.to_string().contains("s3cret"), "{old}");
        let without_text = get("20260102_101010_ab12cd");
        assert_eq!(without_text["notes"][0], "the text of this meeting is not there");
        for id in ["20260103_101010", "../../x", "", "index.jsonl", "index"] {
            assert_eq!(get(id), Value::Null, "{id}");
        }
    }
}
