//! What was discussed: `.crew/meetings/index.jsonl`, one meeting a line, and the text of each in a file of its own.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::folder::Folder;
use crate::{
    catalog::Identity,
    store::log::{Change, Line, Shared},
};

/// Where meetings are kept.
pub const FOLDER: &str = ".crew/meetings";
/// Their list.
pub const INDEX: &str = "index.jsonl";
/// How the names of their texts end.
pub const ENDING: &str = ".md";
/// Most bytes of the list that are read, from its end.
const READ: u64 = 8 << 20;
/// Most meetings that are known, the newest.
const KNOWN: usize = 20_000;
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
    /// The newest first, each id once: earlier ones of the same id have `~2`, `~3` and so on behind it.
    pub records: Vec<Record>,
    /// Lines that are no records.
    pub broken: usize,
}

/// Whether a meeting may be called `id` in the list.
fn may_name(id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=128).contains(&id.len()) && id.bytes().all(fits)
}

impl Index {
    /// Reads the list; an empty one when there is none. Waits for the disk.
    pub fn read(folder: &Folder) -> Self {
        let mut index = Self::default();
        let tail = folder.tail(INDEX, READ).unwrap_or_default();
        let mut seen: HashMap<String, usize> = HashMap::new();
        for line in tail.text.lines().rev().filter(|line| !line.trim().is_empty()) {
            match serde_json::from_str::<Record>(line) {
                Ok(mut record) if may_name(&record.meeting_id) => {
                    if index.records.len() >= KNOWN {
                        break;
                    }
                    // The predecessor counted in seconds. Two of one id share a text: the later one, which is first here,
                    // is the one it belongs to.
                    let number = seen.entry(record.meeting_id.clone()).or_default();
                    *number += 1;
                    if *number > 1 {
                        record.meeting_id = format!("{}~{number}", record.meeting_id);
                    }
                    index.records.push(record);
                }
                _ => index.broken += 1,
            }
        }
        index
    }
}

/// The meetings of a project. The list is read again only when it looks different. Everything here waits for the disk.
#[derive(Debug)]
pub struct Meetings {
    root: PathBuf,
    known: Mutex<Option<(Identity, Arc<Index>)>>,
}

impl Meetings {
    /// Those of the project at `root`. Reads nothing yet.
    pub fn of(root: &Path) -> Self {
        Self { root: root.to_owned(), known: Mutex::default() }
    }

    fn folder(&self) -> Option<Folder> {
        Folder::open(&self.root, FOLDER)
    }

    /// All of them, and how many lines of their list are no records.
    pub fn all(&self) -> Arc<Index> {
        let Some(folder) = self.folder() else { return Arc::default() };
        let identity = folder.identity(INDEX);
        let mut known = self.known.lock();
        if let Some((before, index)) = &*known
            && *before == identity
        {
            return Arc::clone(index);
        }
        let index = Arc::new(Index::read(&folder));
        *known = Some((identity, Arc::clone(&index)));
        index
    }

    /// All that was recorded of the meeting `id`; `None` when it was not held by this program.
    pub fn recorded(&self, id: &str) -> Option<Value> {
        let folder = may_name(id).then(|| self.folder()).flatten()?;
        let whole = folder.tail(&format!("{id}.json"), RECORD).ok()?;
        serde_json::from_str(&whole.text).ok()
    }

    /// The task that the meeting `id` was held by, if that is told.
    pub(super) fn task(&self, id: &str) -> Option<String> {
        Some(self.recorded(id)?.get("task_id")?.as_str()?.to_owned())
    }

    /// Reads the meeting `id`; `None` when there is none.
    pub fn read(&self, id: &str) -> Option<Meeting> {
        let (folder, index) = (self.folder()?, self.all());
        let record = index.records.iter().find(|record| record.meeting_id == id)?.clone();
        let mut notes = Vec::new();
        let mut text = String::new();
        if may_name(id) {
            match folder.tail(&format!("{id}{ENDING}"), TEXT) {
                Ok(tail) => {
                    if tail.is_cut {
                        notes.push(format!("the text is long; these are its last {TEXT} bytes"));
                    }
                    text = tail.text;
                }
                Err(_) => notes.push("the text of this meeting is not there".to_owned()),
            }
        } else {
            notes.push(
                "a later meeting of the same id was written in place of the text of this one".to_owned(),
            );
        }
        if index.broken > 0 {
            notes.push(format!("{} lines of the list of meetings are no records", index.broken));
        }
        Some(Meeting { record, text, notes })
    }

    /// Removes meetings from the list, with their texts; of those that share an id only all together.
    pub(super) fn remove(&self, ids: &[String]) -> io::Result<()> {
        let Some(folder) = self.folder().filter(|_| !ids.is_empty()) else { return Ok(()) };
        let ids: HashSet<&str> = ids.iter().map(String::as_str).filter(|id| may_name(id)).collect();
        let path = self.root.join(FOLDER).join(INDEX);
        let change = |line: Line<'_>| match line.parse::<Record>() {
            Ok(record) if ids.contains(record.meeting_id.as_str()) => Change::Drop,
            _ => Change::Keep,
        };
        // The list first: what is in it is there.
        let shared = Shared::lock(&path).map_err(io::Error::other)?;
        shared.rewrite(change, b"").map_err(io::Error::other)?;
        for id in ids {
            for ending in [ENDING, ".json"] {
                folder.remove(&format!("{id}{ending}"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

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
        let meetings = Meetings::of(root.path());
        let index = meetings.all();
        let names: Vec<_> = index.records.iter().map(|record| record.name.as_str()).collect();
        assert_eq!((names, index.broken), (vec!["second", "first", "old"], 2));
        let get = |id: &str| -> Value { serde_json::to_value(meetings.read(id)).unwrap() };
        let old = get("20260101_101010");
        assert_eq!((&old["text"], &old["participants"]), (&json!("# 评审\n"), &json!(["a"])));
        assert!(!old.to_string().contains("s3cret"), "{old}");
        let without_text = get("20260102_101010_ab12cd");
        assert_eq!(without_text["notes"][0], "the text of this meeting is not there");
        // What the predecessor wrote over is told as well, as far as it is there.
        let earlier = get("20260102_101010_ab12cd~2");
        assert_eq!((&earlier["name"], &earlier["text"]), (&json!("first"), &json!("")));
        assert!(
            earlier["notes"][0].as_str().unwrap().contains("a later meeting of the same id"),
            "{earlier}"
        );
        for id in ["20260103_101010", "../../x", "", "index.jsonl", "index"] {
            assert_eq!(get(id), Value::Null, "{id}");
        }
    }
    #[test]
    fn what_is_removed_leaves_the_list_and_the_folder() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(FOLDER);
        fs::create_dir_all(&folder).unwrap();
        let line = |id: &str| format!("{{\"meeting_id\":\"{id}\"}}\n");
        fs::write(folder.join(INDEX), line("a") + "nonsense\n" + &line("b") + &line("b")).unwrap();
        for name in ["a.md", "b.md", "b.json"] {
            fs::write(folder.join(name), "{}").unwrap();
        }
        let meetings = Meetings::of(root.path());
        meetings.remove(&["b~2".to_owned(), "../x".to_owned()]).unwrap();
        assert_eq!(meetings.all().records.len(), 3);
        meetings.remove(&["b".to_owned()]).unwrap();
        assert_eq!(fs::read_to_string(folder.join(INDEX)).unwrap(), line("a") + "nonsense\n");
        let left = Folder::open(root.path(), FOLDER).unwrap();
        assert_eq!((left.stems(".md"), left.stems(".json").len()), (vec!["a".to_owned()], 0));
    }
}
