//! What came of runs, one file each: `.crew/sessions/<id>.jsonl`, in the form of the predecessor.
//!
//! ```json
//! {"event":"start","timestamp":"…","session_type":"pipeline","subject":"review","metadata":{"task_id":"…","trigger":"cli","args":["target"]}}
//! {"event":"message","timestamp":"…","role":"assistant","content":"…","metadata":{"employee":"…","model":"…","cost_usd":0.01}}
//! {"event":"end","timestamp":"…","status":"completed","detail":"","metadata":{"calls":1,"input_tokens":900,"output_tokens":80,"cost_usd":0.01,"models":["…"]}}
//! ```
//!
//! Neither prompts nor values are kept, as there may be secrets among them. The id is that of the task, so that a run whose
//! end comes twice, because the program died in between, is written twice and there once.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Crew, Error};
use crate::{
    base::clock,
    llm::Tape,
    store::document,
    tasks::{Code, Failure, Spent, Steps, Task},
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

/// Puts down what came of `task`. A run is not worse because that cannot be written.
pub(super) async fn record(crew: &Crew, task: &Task, steps: &Steps, ended: &Result<Value, Failure>) {
    // What is only played again has come of nothing.
    if crew.llm().tape().is_some_and(Tape::plays) {
        return;
    }
    let (status, detail, result) = match ended {
        Ok(result) => ("completed", String::new(), Some(result)),
        Err(failure) if failure.code == Some(Code::INTERRUPTED) || steps.cancelled().is_cancelled() => return,
        Err(failure) => ("failed", failure.message.clone(), failure.partial.as_deref()),
    };
    let code = ended.as_ref().err().and_then(|failure| failure.code.clone());
    let started = task.started_at.unwrap_or(task.created_at);
    let names: Vec<_> = task.args.keys().collect();
    let mut lines = vec![json!({
        "event": "start", "timestamp": started, "session_type": task.target_type, "subject": task.target_name,
        "metadata": {"task_id": task.task_id, "trigger": task.trigger, "args": names, "attempt": steps.attempt()},
    })];
    let now = clock::now();
    lines.extend(result.map(|result| messages(result, now)).unwrap_or_default());
    lines.push(json!({
        "event": "end", "timestamp": now, "status": status, "detail": detail, "code": code,
        "metadata": account(&steps.spent()),
    }));
    let path = crew.root().join(FOLDER).join(format!("{}.jsonl", task.task_id));
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
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

/// What was said in a run, wherever its result holds that.
fn messages(result: &Value, at: Timestamp) -> Vec<Value> {
    match result {
        Value::Array(items) => items.iter().flat_map(|item| messages(item, at)).collect(),
        Value::Object(fields) => match (fields.get("employee"), fields.get("output")) {
            (Some(employee), Some(Value::String(output))) => {
                let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
                vec![json!({
                    "event": "message", "timestamp": at, "role": "assistant", "content": output,
                    "metadata": {
                        "employee": employee, "step_id": field("step_id"), "model": field("model"),
                        "input_tokens": field("input_tokens"), "output_tokens": field("output_tokens"),
                        "cost_usd": field("cost_usd"), "error_message": field("error_message"),
                    },
                })]
            }
            _ => fields.get("steps").map(|steps| messages(steps, at)).unwrap_or_default(),
        },
        _ => Vec::new(),
    }
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
