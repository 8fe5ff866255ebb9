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
    collections::HashSet,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize as _, Serialize};
use serde_json::{Value, json};

use super::{Crew, Error, cost::Ended};
use crate::{
    base::clock,
    llm::Tape,
    store::document,
    tasks::{Spent, Task},
};

/// Where they are, relative to the root of the project.
const FOLDER: &str = ".crew/sessions";
/// Longer files are not shown.
const MOST_BYTES: u64 = 64 << 20;

/// A session in brief.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    let path = crew.root().join(FOLDER).join(format!("{}.jsonl", task.task_id));
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
        name.strip_suffix(".jsonl").filter(|id| is_id(id) && !known.contains(*id)).map(str::to_owned)
    });
    ids.filter_map(|id| ended(&session(root, &id).ok()?)).filter(|ended| ended.at >= since).collect()
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

/// The sessions of the project at `root`, the newest first; files of the predecessor are among them. Only their first lines
/// are read. Blocks.
pub fn sessions(root: &Path, filter: &SessionFilter) -> Vec<SessionRow> {
    let Ok(entries) = std::fs::read_dir(root.join(FOLDER)) else { return Vec::new() };
    let id = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        name.strip_suffix(".jsonl").filter(|id| is_id(id)).map(str::to_owned)
    };
    let rows = entries.flatten().filter_map(id).filter_map(|id| row(root, id));
    let fits = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
    let mut rows: Vec<_> = rows
        .filter(|row| fits(&filter.session_type, &row.session_type) && fits(&filter.subject, &row.subject))
        .collect();
    // Ids of both kinds count the time, but not in the same way.
    rows.sort_by(|a, b| (&b.started_at, &b.session_id).cmp(&(&a.started_at, &a.session_id)));
    rows.truncate(filter.limit);
    rows
}

fn row(root: &Path, session_id: String) -> Option<SessionRow> {
    use std::io::{BufRead as _, BufReader, Read as _};
    let file = std::fs::File::open(path(root, &session_id)).ok()?;
    let mut first = String::new();
    BufReader::new(file.take(1 << 20)).read_line(&mut first).ok()?;
    let first: Value = serde_json::from_str(&first).unwrap_or_default();
    let text = |name: &str| first.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (session_type, subject, started_at) = (text("session_type"), text("subject"), text("timestamp"));
    Some(SessionRow { session_id, session_type, subject, started_at })
}

/// All that is told of a session, in order; lines that cannot be read are left out. Blocks.
///
/// # Errors
/// [`Error::UnknownSession`] when there is none of that id.
pub fn session(root: &Path, id: &str) -> Result<Vec<Value>, Error> {
    let unknown = || Error::UnknownSession { id: crate::base::text::truncate(id, 100) };
    if !is_id(id) {
        return Err(unknown());
    }
    let path = path(root, id);
    if std::fs::metadata(&path).map_err(|_| unknown())?.len() > MOST_BYTES {
        return Err(unknown());
    }
    let bytes = std::fs::read(&path).map_err(|_| unknown())?;
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    Ok(lines.collect())
}

fn path(root: &Path, id: &str) -> PathBuf {
    root.join(FOLDER).join(format!("{id}.jsonl"))
}

/// An id is never a path.
fn is_id(id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=100).contains(&id.len()) && id.bytes().all(fits)
}
