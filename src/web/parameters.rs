//! What an operation takes besides its body, as `/openapi.json` describes it.

use serde_json::{Value, json};

use crate::{
    defs::{Destination, TargetKind},
    engine::CostQuery,
};

/// The parameters of the operation `method` of `path`, those in the path first.
pub(super) fn of(method: &str, path: &str) -> Vec<Value> {
    let inner = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let in_path = inner.map(|name| {
        let schema = if name == "kind" { json!({"enum": TargetKind::ALL}) } else { text() };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    });
    let mut parameters: Vec<Value> = in_path.collect();
    if method == "get" {
        parameters.extend(asked(path).into_iter().map(|(name, schema)| {
            let needed =
                matches!((path, name), ("/api/memory", "employee") | ("/api/memory/search", "query"));
            json!({"name": name, "in": "query", "required": needed, "schema": schema})
        }));
    }
    if path.starts_with("/api/plan/") {
        let values = json!({"type": "object", "additionalProperties": text()});
        parameters.push(
            json!({"name": "values", "in": "query", "style": "form", "explode": true, "schema": values}),
        );
    }
    if takes_key(path) {
        parameters.push(key());
    }
    parameters
}

/// What the query of a path may ask for.
pub(super) fn asked(path: &str) -> Vec<(&'static str, Value)> {
    let up_to = |most: u32| ("limit", json!({"type": "integer", "minimum": 1, "maximum": most}));
    let word = |name| (name, text());
    let one_of = |name, words: &[&str]| (name, json!({"enum": words}));
    match path {
        "/tasks" => vec![
            one_of(
                "status",
                &["pending", "running", "awaiting_approval", "completed", "failed", "cancelled", "dead"],
            ),
            word("target"),
            word("type"),
            word("trigger"),
            word("caller"),
            up_to(200),
            ("cursor", json!({"type": "string", "description": "`next_cursor` of the page before."})),
        ],
        "/deliveries" => vec![
            one_of("status", &["pending", "sending", "delivered", "dead"]),
            ("task_id", json!({"type": "string", "pattern": "^[0-9A-Za-z_-]{1,64}$"})),
            one_of("type", &Destination::KINDS),
            up_to(200),
        ],
        "/api/cost/summary" => vec![
            ("days", json!({"type": "integer", "minimum": 1, "maximum": CostQuery::MOST_DAYS})),
            word("employee"),
        ],
        "/api/memory" => vec![word("employee"), word("category"), word("tags"), up_to(1000)],
        "/api/memory/search" => vec![
            word("query"),
            word("employee"),
            one_of("kind", &["memory", "session", "all"]),
            word("category"),
            up_to(1000),
        ],
        "/api/skills" | "/api/skills/stats" => vec![word("employee")],
        "/api/decisions" => {
            vec![word("employee"), one_of("status", &["pending", "evaluated"]), word("category"), up_to(1000)]
        }
        "/api/calibration" => vec![word("employee"), word("category")],
        "/api/sessions" => {
            vec![one_of("type", &["employee", "pipeline", "discussion"]), word("subject"), up_to(200)]
        }
        "/api/logs" => {
            vec![word("employee"), one_of("severity", &["info", "warning", "critical"]), up_to(200)]
        }
        "/api/meetings" => vec![word("keyword"), up_to(200)],
        _ => Vec::new(),
    }
}

fn text() -> Value {
    json!({"type": "string"})
}

/// Whether work can be started under a key there.
fn takes_key(path: &str) -> bool {
    let ends = ["/resume", "/replay", "/fork", "/webhook", "/openclaw", "/api/tools/{name}"];
    path.starts_with("/run/") || ends.iter().any(|end| path.ends_with(end))
}

/// The header under which work is begun once.
pub(super) fn key() -> Value {
    let schema = json!({"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"});
    let description = "Work accepted under a key is not accepted twice.";
    json!({"name": "Idempotency-Key", "in": "header", "schema": schema, "description": description})
}
