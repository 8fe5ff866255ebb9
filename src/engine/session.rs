//! What came of runs, one file each: `.crew/sessions/<id>.jsonl`, in the form of the predecessor.
//!
//! ```json
//! {"event":"start","timestamp":"…","session_type":"pipeline","subject":"review","metadata":{"task_id":"…","trigger":"cli","args":["target"]}}
//! {"event":"message","timestamp":"…","role":"assistant","content":"…","metadata":{"employee":"…","model":"…","cost_usd":0.01}}
//! {"event":"end","timestamp":"…","status":"completed","detail":"","metadata":{"calls":1,"input_tokens":900,"output_tokens":80,"cost_usd":0.01,"models":["…"],"spent":[…]}}
//! ```
//!
//! Neither prompts nor values are kept, as there may be secrets among them. The id is that of the task, so that a run whose
//! end comes twice, because the program died in between, is written twice and there once.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize as _, Serialize};
use serde_json::{Value, json};

use super::{Crew, Error, cost::Ended, records::Folder};
use crate::{
    base::clock,
    catalog::Identity,
    llm::Tape,
    store::document,
    tasks::{Spent, Task},
};

/// Where they are, relative to the root of the project.
const FOLDER: &str = ".crew/sessions";
/// How their files end.
const ENDING: &str = ".jsonl";
/// Of longer files the end is shown.
const MOST_BYTES: u64 = 64 << 20;
/// Most bytes of a first line.
const FIRST_LINE: u64 = 1 << 20;

/// A session in brief.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SessionRow {
    /// Name of its file, without the ending.
    pub session_id: String,
    /// `employee`, `pipeline` or `discussion`.
    pub session_type: String,
    /// What was run.
    pub subject: String,
    /// When, as it is written there.
    pub started_at: String,
}

/// Which sessions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Only those of this type.
    pub session_type: Option<String>,
    /// Only those of this name.
    pub subject: Option<String>,
    /// At most this many, the newest.
    pub limit: usize,
}

/// Puts down what came of `task`, which has ended. A run is not worse because that cannot be written.
pub(super) async fn record(crew: &Crew, task: &Task) {
    // What is only played again has come of nothing.
    if crew.llm().tape().is_some_and(Tape::plays) {
        return;
    }
    let path = crew.root().join(FOLDER).join(format!("{}{ENDING}", task.task_id));
    let text = told(task, clock::now());
    // The task holds all of this too, and its end is what the disk has to keep.
    let written = tokio::task::spawn_blocking(move || document::put_down(&path, text.as_bytes())).await;
    if let Ok(Err(error)) = written {
        tracing::warn!(
            task.id = task.task_id.as_str(),
            error = &error as &dyn std::error::Error,
            "the session of a run could not be written"
        );
    }
}

/// The lines of a session.
fn told(task: &Task, now: Timestamp) -> String {
    let started = task.started_at.unwrap_or(task.created_at);
    let names: Vec<_> = task.args.keys().collect();
    let mut lines = vec![json!({
        "event": "start", "timestamp": started, "session_type": task.target_type, "subject": task.target_name,
        "metadata": {"task_id": task.task_id, "trigger": task.trigger, "args": names, "attempt": task.attempts},
    })];
    match &task.result {
        Some(result) => lines.extend(messages(result, now)),
        // What was cancelled has no result, but may have done some of its steps.
        None => {
            let done = task.steps.iter().filter(|done| !done.is_inner());
            lines.extend(done.flat_map(|done| messages(&done.output, done.at)));
        }
    }
    lines.push(json!({
        "event": "end", "timestamp": now, "status": task.status, "detail": task.error.as_deref().unwrap_or_default(),
        "code": task.code, "metadata": account(&task.spent),
    }));
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// What was said in a run, wherever its result holds that.
fn messages(result: &Value, at: Timestamp) -> Vec<Value> {
    let fields = match result {
        Value::Array(items) => return items.iter().flat_map(|item| messages(item, at)).collect(),
        Value::Object(fields) => fields,
        _ => return Vec::new(),
    };
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let said = |employee: Value, content: &str| {
        // What a turn of a discussion took stands in a place of its own.
        let cost = |name: &str, of_turn: &str| {
            fields.get(name).or_else(|| fields.get("cost")?.get(of_turn)).cloned().unwrap_or_default()
        };
        json!({
            "event": "message", "timestamp": at, "role": "assistant", "content": content,
            "metadata": {
                "employee": employee, "step_id": field("step_id"), "model": field("model"),
                "input_tokens": cost("input_tokens", "input_tokens"),
                "output_tokens": cost("output_tokens", "output_tokens"), "cost_usd": cost("cost_usd", "usd"),
                "error_message": fields.get("error_message").or_else(|| fields.get("error")),
            },
        })
    };
    if let (Some(employee), Some(Value::String(content))) =
        (fields.get("employee"), fields.get("output").or_else(|| fields.get("text")))
    {
        return vec![said(employee.clone(), content)];
    }
    let inner = ["steps", "rounds", "turns", "answers"].into_iter().filter_map(|name| fields.get(name));
    let mut all: Vec<_> = inner.flat_map(|inner| messages(inner, at)).collect();
    if let Some(Value::String(synthesis)) = fields.get("synthesis").filter(|synthesis| *synthesis != "") {
        all.push(json!({
            "event": "message", "timestamp": at, "role": "assistant", "content": synthesis,
            "metadata": {"employee": field("synthesis_by"), "step_id": "synthesis"},
        }));
    }
    all
}

/// The runs among the sessions of the project at `root` that ended since then and are none of the tasks in `known`: they
/// were over with their process, or have been forgotten. Blocks.
pub(super) fn unkept(root: &Path, known: &HashSet<String>, since: Timestamp) -> Vec<Ended> {
    let Ok(entries) = std::fs::read_dir(root.join(FOLDER)) else { return Vec::new() };
    let recent = entries.flatten().filter(|entry| {
        let modified = entry.metadata().and_then(|seen| seen.modified()).map(Timestamp::try_from);
        matches!(modified, Ok(Ok(modified)) if modified >= since)
    });
    let ids = recent.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        name.strip_suffix(ENDING).filter(|id| is_id(id) && !known.contains(*id)).map(str::to_owned)
    });
    ids.filter_map(|id| ended(&session(root, &id, usize::MAX).ok()?.events))
        .filter(|ended| ended.at >= since)
        .collect()
}

/// What a session tells of what its run took; nothing when it is not one of ours, or has no end.
fn ended(events: &[Value]) -> Option<Ended> {
    let (start, end) = (events.first()?, events.last()?);
    Some(Ended {
        at: end.get("timestamp")?.as_str()?.parse().ok()?,
        trigger: start.get("metadata")?.get("trigger")?.as_str()?.to_owned(),
        spent: Vec::deserialize(end.get("metadata")?.get("spent")?).ok()?,
    })
}

fn account(spent: &[Spent]) -> Value {
    let sum = |of: fn(&Spent) -> u64| spent.iter().map(of).sum::<u64>();
    let priced = spent.iter().all(|spent| spent.cost_usd.is_some());
    let cost = spent.iter().filter_map(|spent| spent.cost_usd).sum::<f64>();
    let mut models: Vec<_> = spent.iter().map(|spent| spent.model.as_str()).collect();
    models.sort_unstable();
    models.dedup();
    json!({
        "calls": sum(|spent| spent.calls), "input_tokens": sum(|spent| spent.input_tokens),
        "cached_input_tokens": sum(|spent| spent.cached_input_tokens), "output_tokens": sum(|spent| spent.output_tokens),
        "cost_usd": (cost * 1e9).round() / 1e9, "all_prices_known": priced, "models": models,
        "spent": spent,
    })
}

/// What was told of one run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Session {
    /// What it was.
    #[serde(flatten)]
    pub row: SessionRow,
    /// All that is told of it, or as much of that as was asked for: `start`, `message` and `end`, in order.
    pub events: Vec<Value>,
    /// How many events there are.
    pub total: usize,
    /// Whether some are left out: those before the last ones.
    pub is_cut: bool,
}

/// The sessions of a project. What they begin with is remembered, so that each file is opened once.
#[derive(Debug)]
pub struct Sessions {
    root: PathBuf,
    known: Mutex<HashMap<String, (Identity, Arc<SessionRow>)>>,
}

impl Sessions {
    /// Those of the project at `root`.
    pub fn of(root: &Path) -> Self {
        Self { root: root.to_owned(), known: Mutex::default() }
    }

    /// Those that fit, the newest first; files of the predecessor are among them. Only their first lines are read. Blocks.
    pub fn list(&self, filter: &SessionFilter) -> Vec<SessionRow> {
        let Some(folder) = Folder::open(&self.root, FOLDER) else { return Vec::new() };
        let mut rows = self.rows(&folder);
        let fits = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        rows.retain(|row| {
            fits(&filter.session_type, &row.session_type) && fits(&filter.subject, &row.subject)
        });
        // Ids of both kinds count the time, but not in the same way.
        rows.sort_by(|a, b| (&b.started_at, &b.session_id).cmp(&(&a.started_at, &a.session_id)));
        rows.truncate(filter.limit);
        rows.iter().map(|row| SessionRow::clone(row)).collect()
    }

    fn rows(&self, folder: &Folder) -> Vec<Arc<SessionRow>> {
        let ids: Vec<_> = folder.stems(ENDING).into_iter().filter(|id| is_id(id)).collect();
        let mut known = self.known.lock();
        // What is gone is forgotten.
        let mut before = std::mem::take(&mut *known);
        for id in ids {
            let name = format!("{id}{ENDING}");
            let identity = folder.identity(&name);
            let row = match before.remove(&id) {
                Some((same, row)) if same == identity => row,
                _ => Arc::new(SessionRow::of(&id, &folder.head(&name, FIRST_LINE).unwrap_or_default())),
            };
            known.insert(id, (identity, row));
        }
        known.values().map(|(_, row)| Arc::clone(row)).collect()
    }
}

impl SessionRow {
    /// What the first line of a session says of it; nothing when it cannot be read.
    fn of(id: &str, first: &str) -> Self {
        let first: Value = serde_json::from_str(first).unwrap_or_default();
        let text = |name: &str| first.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            session_id: id.to_owned(),
            session_type: text("session_type"),
            subject: text("subject"),
            started_at: text("timestamp"),
        }
    }
}

/// What is told of a session, its last `most` events; lines that cannot be read are left out. Blocks.
///
/// # Errors
/// [`Error::UnknownSession`] when there is none of that id.
pub fn session(root: &Path, id: &str, most: usize) -> Result<Session, Error> {
    let unknown = || Error::UnknownSession { id: crate::base::text::truncate(id, 100) };
    let folder = Folder::open(root, FOLDER).filter(|_| is_id(id)).ok_or_else(unknown)?;
    let name = format!("{id}{ENDING}");
    let first = folder.head(&name, FIRST_LINE).map_err(|_| unknown())?;
    let tail = folder.tail(&name, MOST_BYTES).map_err(|_| unknown())?;
    let mut events: Vec<Value> =
        tail.text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let total = events.len();
    events.drain(..total.saturating_sub(most));
    let is_cut = tail.is_cut || events.len() < total;
    Ok(Session { row: SessionRow::of(id, &first), events, total, is_cut })
}

/// An id is never a path.
fn is_id(id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=100).contains(&id.len()) && id.bytes().all(fits)
}
