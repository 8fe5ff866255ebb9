//! `GET /openapi.json`: what there is to call, made of the list of operations, the types of records and the tools.

use std::sync::OnceLock;

use axum::{
    body::Bytes,
    extract::State as Shared,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{State, order, parameters, webhook};
use crate::{
    engine::{Forecast, delivery::Sending},
    tasks::Task,
    tools::{Annotations, Registry},
};

/// The page that shows the document; it asks nobody but this server.
const PAGE: &str = include_str!("docs.html");

/// What can be asked of a path.
#[derive(Clone, Copy)]
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    summary: &'static str,
    /// What a token must allow; none where no token is needed.
    scope: Option<&'static str>,
    takes: Takes,
    gives: Gives,
    /// The status of what it gives.
    status: &'static str,
    /// Statuses beside it that are no mistakes of the caller.
    also: &'static [&'static str],
}

#[derive(Clone, Copy)]
enum Takes {
    Nothing,
    Object(&'static str),
    /// The same, or a form whose field `payload` holds it.
    Form(&'static str),
}

#[derive(Clone, Copy)]
enum Gives {
    Json(&'static str),
    /// The same, or events for who asks for them.
    Told(&'static str),
    Text(&'static str),
}

const fn get(path: &'static str, summary: &'static str, gives: Gives) -> Operation {
    Operation {
        method: "get",
        path,
        summary,
        scope: Some("read"),
        takes: Takes::Nothing,
        gives,
        status: "200",
        also: &[],
    }
}

const fn post(path: &'static str, summary: &'static str, body: &'static str, gives: Gives) -> Operation {
    let takes = Takes::Object(body);
    Operation {
        method: "post",
        path,
        summary,
        scope: Some("run"),
        takes,
        gives,
        status: "200",
        also: &["202"],
    }
}

/// What is only ever begun.
const fn begin(operation: Operation) -> Operation {
    Operation { status: "202", also: &[], ..operation }
}

/// What can be waited for with `sync`.
const fn run(path: &'static str, summary: &'static str, body: &'static str) -> Operation {
    Operation { also: &["202", "402"], ..post(path, summary, body, RAN) }
}

const fn open(operation: Operation) -> Operation {
    Operation { scope: None, ..operation }
}

const OBJECT: Gives = Gives::Json("Object");
const LIST: Gives = Gives::Json("List");
const TASK: Gives = Gives::Json("Task");
/// What is begun at most once.
const BEGUN: Gives = Gives::Json("Accepted");
const RAN: Gives = Gives::Json("Ran");
const EVENTS: Gives = Gives::Text("text/event-stream");

/// Every operation of the bridge, and the way into MCP.
pub(super) const OPERATIONS: &[Operation] = &[
    open(get("/health", "Whether the process answers, as earlier versions said it", OBJECT)),
    open(get("/healthz", "Whether the process answers", OBJECT)),
    Operation {
        also: &["503"],
        ..open(get("/readyz", "Whether work can be accepted, and what is in its way", OBJECT))
    },
    get("/metrics", "Calls, tokens and latency; for Prometheus with `Accept: text/plain`", OBJECT),
    get("/metrics/prometheus", "The same as Prometheus reads it", Gives::Text("text/plain")),
    get("/cron/status", "Schedules, with their next and last runs", OBJECT),
    Operation {
        gives: Gives::Told("Ran"),
        ..run(
            "/run/employee/{name}",
            "Start an employee; with `stream`, its words come as they are said",
            "RunRequest",
        )
    },
    run("/run/pipeline/{name}", "Start a pipeline", "RunRequest"),
    run("/run/discussion/{name}", "Hold a discussion", "RunRequest"),
    get("/api/cost/summary", "What finished work has cost: `days`, `employee`", OBJECT),
    get(
        "/api/plan/{kind}/{name}",
        "What a run would do and cost; the query gives values by name",
        Gives::Json("Forecast"),
    ),
    run("/webhook", "Start what the body names; signed calls need no token", "WebhookCall"),
    run("/webhook/openclaw", "The same, for an employee unless it says otherwise", "WebhookCall"),
    get("/tasks", "Tasks in brief, the newest first, a page at a time", Gives::Json("TaskPage")),
    get("/tasks/{id}", "A task with its steps", TASK),
    Operation {
        also: &["204"],
        ..get("/tasks/{id}/events", "A task as it is worked on: `step` and `status`", EVENTS)
    },
    Operation {
        scope: Some("admin"),
        also: &[],
        ..post("/tasks/{id}/approve", "Decide what a task waits for; no body is a yes", "Decision", TASK)
    },
    begin(post("/tasks/{id}/cancel", "Stop a task", "Nothing", TASK)),
    post("/tasks/{id}/resume", "Let a task go on that failed or was cancelled", "Resumption", BEGUN),
    post("/tasks/{id}/replay", "Do an ended task once more", "Nothing", BEGUN),
    post("/tasks/{id}/fork", "Do an ended task again from one of its steps on", "Fork", BEGUN),
    get("/deliveries", "Where results went, the newest first", Gives::Json("Deliveries")),
    begin(post("/deliveries/{id}/redeliver", "Send a result once more", "Nothing", Gives::Json("Delivery"))),
    Operation {
        takes: Takes::Form("Object"),
        ..open(post("/webhook/github", "A delivery of GitHub, signed", "Object", OBJECT))
    },
    get("/api/tools", "The tools, with what they take and answer", LIST),
    Operation {
        scope: Some("read"),
        ..post(
            "/api/tools/{name}",
            "Call a tool; what its token must allow depends on the tool",
            "Object",
            OBJECT,
        )
    },
    get("/api/memory", "What an employee remembers: `employee`, `category`, `tags`, `limit`", LIST),
    Operation {
        also: &["201"],
        ..post("/api/memory", "Have an employee remember something", "Object", OBJECT)
    },
    get("/api/memory/search", "Memories, and with `kind` what came of runs, by the words in them", LIST),
    Operation {
        also: &[],
        ..post(
            "/api/memory/recall-feedback",
            "Say which of the memories that were told were of use",
            "Object",
            OBJECT,
        )
    },
    get("/api/skills", "What is laid before employees when a task calls for it: `employee`", LIST),
    get("/api/skills/stats", "How often that was: `employee`", LIST),
    Operation {
        scope: Some("read"),
        also: &[],
        ..post("/api/skills/check-triggers", "What a task calls for: `employee`, `task`", "Object", OBJECT)
    },
    get("/api/decisions", "What employees decided: `employee`, `status`, `category`, `limit`", LIST),
    get("/api/calibration", "How well employees expect: `employee`, `category`", LIST),
    get("/api/employees", "The employees", LIST),
    get("/api/employees/{name}", "The whole definition of an employee", OBJECT),
    get("/api/pipelines", "The pipelines", LIST),
    get("/api/discussions", "The discussions", LIST),
    get("/api/sessions", "What was said in runs, the newest first", LIST),
    get("/api/sessions/{id}", "What was said in a run", OBJECT),
    get("/api/logs", "Work logs, the newest first: who did what, how it went", LIST),
    get("/api/logs/{id}", "What was done in a run, and what it took", OBJECT),
    get("/api/meetings", "The discussions that were held, the newest first", LIST),
    get("/api/meetings/{id}", "What was said in a discussion, and what came of it", OBJECT),
    get("/openapi.json", "This document", OBJECT),
    open(get("/docs", "This document as a page", Gives::Text("text/html"))),
    Operation {
        scope: Some("read"),
        ..post("/mcp", "A message of the Model Context Protocol", "Object", OBJECT)
    },
    Operation { gives: EVENTS, ..get("/mcp", "The stream of an MCP session", OBJECT) },
    Operation { method: "delete", ..get("/mcp", "The end of an MCP session", OBJECT) },
];

/// What is asked about the server itself; all else goes by the first part of its path.
const SERVER: [&str; 5] = ["/health", "/healthz", "/readyz", "/openapi.json", "/docs"];

/// `GET /openapi.json`. Made when somebody first asks: its schemas take longer than a start may.
pub(super) async fn document(Shared(state): Shared<State>) -> Response {
    static MADE: OnceLock<Bytes> = OnceLock::new();
    let made = MADE.get_or_init(|| describe(&state.tools).to_string().into());
    ([(header::CONTENT_TYPE, "application/json")], made.clone()).into_response()
}

/// `GET /docs`. The page holds nothing of this server, so that it is open to everybody.
pub(super) async fn page() -> Response {
    static POLICY: OnceLock<HeaderValue> = OnceLock::new();
    let policy = POLICY.get_or_init(|| {
        let hash = |tag: &str| {
            let inside = PAGE.split_once(&format!("<{tag}>")).and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")));
            let inside = inside.map_or("", |(inside, _)| inside);
            format!("'sha256-{}'", STANDARD.encode(Sha256::digest(inside.as_bytes())))
        };
        let policy = format!(
            "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
            hash("script"),
            hash("style")
        );
        HeaderValue::from_str(&policy).expect("hashes are letters and digits")
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, policy.clone()),
    ];
    (headers, PAGE).into_response()
}

/// The document in version 3.1, whose schemas are those of JSON Schema 2020-12.
fn describe(tools: &Registry) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS {
        if let Value::Object(path) = paths.entry(operation.path).or_insert_with(|| json!({})) {
            path.insert(operation.method.to_owned(), operation.describe());
        }
    }
    for spec in tools.specs() {
        let call = json!({
            "summary": spec.title,
            "description": spec.description,
            "operationId": spec.name,
            "tags": ["tools"],
            "parameters": if spec.annotations == Annotations::WORKS { vec![parameters::key()] } else { Vec::new() },
            "requestBody": body(&spec.input_schema),
            "responses": answers(&json!({"application/json": {"schema": spec.output_schema}}), "200", &["202", "402"], "Error"),
        });
        paths.insert(format!("/api/tools/{}", spec.name), json!({ "post": call }));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "crew",
            "version": env!("CARGO_PKG_VERSION"),
            "description": env!("CARGO_PKG_DESCRIPTION"),
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Object": {"type": "object"},
                "List": {"type": "object", "required": ["items", "total"], "properties": {
                    "items": {"type": "array", "items": {"type": "object"}}, "total": {"type": "integer", "minimum": 0}}},
                "Task": schema::<Task>(),
                "Accepted": {"type": "object", "required": ["task_id"], "properties": {
                    "task_id": {"type": "string"}, "status": {"type": "string"},
                    "duplicate": {"type": "boolean", "description": "It was accepted before."}}},
                "Ran": {"anyOf": [{"$ref": "#/components/schemas/Task"}, {"$ref": "#/components/schemas/Accepted"}]},
                "WebhookCall": webhook_call(),
                "Decision": decision(),
                "Nothing": changes(&[]),
                "Resumption": changes(&["force", "model", "max_cost_usd", "max_tokens"]),
                "Fork": changes(&["step", "args", "force", "model", "max_cost_usd", "max_tokens"]),
                "TaskPage": {"type": "object", "required": ["tasks"], "properties": {
                    "tasks": {"type": "array", "items": {"type": "object"}}, "next_cursor": {"type": "string"}}},
                "RunRequest": run_request(),
                "Forecast": schema::<Forecast>(),
                "Delivery": schema::<Sending>(),
                "Deliveries": {"type": "object", "required": ["deliveries"], "properties": {
                    "deliveries": {"type": "array", "items": {"$ref": "#/components/schemas/Delivery"}}}},
                "Error": {"type": "object", "required": ["error", "code", "trace_id"], "properties": {
                    "error": {"type": "string", "description": "For a person."},
                    "code": {"type": "string", "description": "For a program; stays the same."},
                    "trace_id": {"type": "string", "description": "Under this id the log has more."}}},
            },
        },
    })
}

impl Operation {
    fn describe(&self) -> Value {
        let first = self.path.split('/').nth(1).unwrap_or_default();
        let tag = if SERVER.contains(&self.path) { "server" } else { first };
        let name = self.path.replace(['{', '}'], "").replace(['/', '.'], "_");
        let content = match self.gives {
            Gives::Json(name) => {
                json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{name}")}}})
            }
            Gives::Told(name) => json!({
                "application/json": {"schema": {"$ref": format!("#/components/schemas/{name}")}},
                "text/event-stream": {"schema": {"type": "string"}},
            }),
            Gives::Text(media) => json!({media: {"schema": {"type": "string"}}}),
        };
        let mut told = Map::new();
        let mut tell = |key: &str, value: Value| told.insert(key.to_owned(), value);
        tell("summary", self.summary.into());
        tell("operationId", format!("{}{name}", self.method).into());
        tell("tags", json!([tag]));
        match self.scope {
            Some(scope) => {
                let needs = format!("Needs a token with the scope `{scope}`, where tokens are needed.");
                tell("description", needs.into())
            }
            None => tell("security", json!([])),
        };
        let parameters = self.parameters();
        if !parameters.is_empty() {
            tell("parameters", parameters.into());
        }
        match self.takes {
            Takes::Nothing => None,
            Takes::Object(name) => tell("requestBody", body(&reference(name))),
            Takes::Form(name) => tell("requestBody", form(&reference(name))),
        };
        tell("responses", answers(&content, self.status, self.also, self.refuses()));
        Value::Object(told)
    }

    /// The schema of its errors. MCP has a form of its own; who may not come in at all is told in that of the bridge.
    fn refuses(&self) -> &'static str {
        if self.path == "/mcp" { "Object" } else { "Error" }
    }

    fn parameters(&self) -> Vec<Value> {
        let mut parameters = parameters::of(self.method, self.path);
        if matches!(self.gives, Gives::Text("text/event-stream")) {
            parameters.push(json!({"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}}));
        }
        parameters
    }
}

fn body(schema: &Value) -> Value {
    json!({"required": false, "content": {"application/json": {"schema": schema}}})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// JSON, or a form of whose fields one is that JSON.
fn form(schema: &Value) -> Value {
    let fields = json!({"type": "object", "required": ["payload"], "properties": {
        "payload": {"type": "string", "contentMediaType": "application/json"}}});
    json!({"required": true, "content": {
        "application/json": {"schema": schema}, "application/x-www-form-urlencoded": {"schema": fields}}})
}

/// The answers of an operation; whatever is not listed is an error in the form of the schema `refuses`.
fn answers(content: &Value, status: &str, also: &[&str], refuses: &str) -> Value {
    let error = json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{refuses}")}}});
    let accepted = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Object"}}});
    let mut answers = Map::new();
    let mut add = |status: &str, answer: Value| answers.insert(status.to_owned(), answer);
    let told = if status == "202" { "It goes on." } else { "It was done." };
    add(status, json!({"description": told, "content": content}));
    for status in also {
        let answer = match *status {
            "202" => json!({"description": "It goes on; `Location` tells where.", "content": accepted}),
            "402" => json!({
                "description": "The budget is reached: the task failed with the code `budget-reached`, and goes on when it is resumed with more.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Task"}}},
            }),
            "204" => json!({"description": "There is nothing left to tell."}),
            _ => json!({"description": "Not now.", "content": content}),
        };
        add(status, answer);
    }
    add("default", json!({"description": "It was not done.", "content": error}));
    Value::Object(answers)
}

fn run_request() -> Value {
    let seconds = |told: &str| json!({"type": ["integer", "null"], "minimum": 1, "maximum": order::LONGEST, "description": told});
    let scalar = json!({"type": ["string", "number", "boolean", "null"]});
    json!({"type": "object", "additionalProperties": false, "properties": {
        "args": {"type": ["object", "null"], "additionalProperties": scalar, "description": "Values for the arguments."},
        "sync": {"type": ["boolean", "null"], "description": "Wait for the end; what takes too long is answered with 202."},
        "stream": {"type": ["boolean", "null"], "description": "Answer with the words as they come (employees)."},
        "deliver": {"type": ["array", "null"], "items": {"type": "string"}, "maxItems": 20,
            "description": "Destinations of `.crew/config.yaml` the result goes to."},
        "model": {"type": ["string", "null"], "pattern": "\\S", "description": "Another model than the employee's own."},
        "timeout_seconds": seconds("How long it may take, waiting included."),
        "deadline_seconds": seconds("Another name of `timeout_seconds`."),
        "max_cost_usd": {"type": ["number", "null"], "exclusiveMinimum": 0, "description": "What its models may cost, in US dollars."},
        "max_tokens": {"type": ["integer", "null"], "minimum": 1, "description": "Tokens its models may read and write."},
        "priority": {"type": ["string", "null"], "enum": ["high", "normal", "low", null], "description": "How soon it is begun when more work waits than is worked on; `normal`, unless given."},
        "agent_id": {"type": ["integer", "string", "null"], "minimum": 0, "pattern": "^[0-9]{1,20}$", "description": "Which agent of the identity service an employee is, where one is set; digits."},
    }})
}

/// What a webhook may be told: what it starts, and some of what a run may be. Of other keys nothing comes.
fn webhook_call() -> Value {
    let mut properties = Map::new();
    properties
        .insert("target_type".to_owned(), json!({"enum": ["employee", "pipeline", "discussion", null]}));
    properties.insert("target_name".to_owned(), json!({"type": "string", "pattern": "\\S"}));
    properties.extend(some(&run_request(), &webhook::KEYS));
    json!({"type": "object", "required": ["target_name"], "properties": properties})
}

fn decision() -> Value {
    let text = json!({"type": ["string", "null"]});
    json!({"type": "object", "additionalProperties": false, "properties": {
        "approved": {"type": "boolean"},
        "action": {"enum": ["approve", "reject"], "description": "Another way to say `approved`."},
        "comment": text, "reason": text, "user_id": {"description": "Passed over: the token tells who decides."},
        "step": {"type": ["string", "null"], "description": "Needed once the task has asked more than one thing."},
    }})
}

/// What may be said when a task is done again.
fn changes(keys: &[&str]) -> Value {
    let passed_over = json!({"description": "Passed over: the token tells who asks."});
    let mut properties = some(&run_request(), keys);
    for name in ["user_id", "agent_id"] {
        properties.insert(name.to_owned(), passed_over.clone());
    }
    if keys.contains(&"force") {
        let told = "Go on even if what it works on was changed since.";
        properties.insert("force".to_owned(), json!({"type": ["boolean", "null"], "description": told}));
    }
    let mut required = Vec::new();
    if keys.contains(&"step") {
        properties
            .insert("step".to_owned(), json!({"type": "string", "description": "The first to do anew."}));
        required.push("step");
    }
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

/// The properties of `schema` with these names.
fn some(schema: &Value, names: &[&str]) -> Map<String, Value> {
    let all = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    all.filter(|(name, _)| names.contains(&name.as_str()))
        .map(|(name, one)| (name.clone(), one.clone()))
        .collect()
}

/// The schema of `T` with everything inlined: there is one place for definitions here, and it is not inside a schema.
fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<T>().into()
}
