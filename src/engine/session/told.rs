//! Puts down what came of a run.

use std::{fmt::Write as _, sync::Arc};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ENDING, FOLDER};
use crate::{
    base::clock,
    engine::Crew,
    llm::Tape,
    store::{self, document},
    tasks::{Spent, Task},
};

/// Puts down what came of `task`, which has ended. A run is not worse because that cannot be written.
pub(in crate::engine) async fn record(crew: &Crew, task: &Task) {
    // What is only played again has come of nothing.
    if crew.llm().tape().is_some_and(Tape::plays) {
        return;
    }
    let path = crew.root().join(FOLDER).join(format!("{}{ENDING}", task.task_id));
    let (text, id) = (told(task, clock::now()), task.task_id.to_string());
    let records = Arc::clone(crew.records());
    let written = tokio::task::spawn_blocking(move || {
        // The task holds all of this too, and its end is what the disk has to keep.
        document::put_down(&path, text.as_bytes())?;
        records.sessions.note(&id, &text);
        Ok(())
    })
    .await;
    if let Ok::<Result<(), store::Error>, _>(Err(error)) = written {
        // Of a run by a command it is all that is kept.
        tracing::error!(
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
