//! The bridge as its callers see it, over a crew that only pretends.

mod runs;
mod streams;
mod surface;
mod webhooks;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode},
    response::Response,
};
use futures_util::future::BoxFuture;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::*;
use crate::{
    base::{HostNames, Secret, Tracker},
    catalog::Snapshot,
    defs::{Route, Scope, Source, Span, Target, TargetKind, parse_webhook},
    engine::{
        self, Again, Anew, Args, Changes, CostQuery, CostSummary, Forecast, Live, Order, delivery::Wish,
        records::Records,
    },
    llm::Meter,
    tasks::{self, Engine, Failure, Kind, NewTask, Steps, Task},
    tools,
};

/// Where requests come from.
const PEER: Peer = Peer(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000));
const TOKEN: &str = "tok-123";
const WEBHOOK_SECRET: &str = "It's a Secret to Everybody";

/// A crew that knows `echo-bot` (wants `target`), `failing-bot` and `two-step`.
struct Pretence {
    webhook: Option<Arc<webhook::Config>>,
}

impl Runs for Pretence {
    fn plan(&self, order: Order) -> BoxFuture<'_, Result<NewTask, tools::Error>> {
        Box::pin(async move { plan(order) })
    }

    fn again<'r>(
        &'r self,
        task: &'r Task,
        how: &'r Again,
        changes: Changes,
    ) -> BoxFuture<'r, Result<Anew, tools::Error>> {
        Box::pin(async move {
            if *how == Again::Resume {
                return Ok(Anew::Same(tasks::Resumption::default()));
            }
            let origin = Some(tasks::Origin { id: task.task_id.clone(), steps: Vec::new() });
            let mut args = task.args.clone();
            args.extend(changes.args);
            let new = NewTask::new(task.kind.clone(), task.target_name.clone());
            Ok(Anew::New(NewTask { args, origin, idempotency_key: changes.idempotency_key, ..new }))
        })
    }

    fn webhook(&self) -> Option<Arc<webhook::Config>> {
        self.webhook.clone()
    }

    fn wishes(&self, destinations: &[String]) -> Result<Vec<Wish>, tools::Error> {
        let none = Snapshot::default();
        Wish::named(destinations, &none).map_err(|error| tools::Error::Arguments(error.to_string()))
    }

    fn readiness(&self) -> BoxFuture<'_, Readiness> {
        Box::pin(async { Readiness::default() })
    }

    fn cron_status(&self) -> Value {
        json!({"enabled": false, "schedules": []})
    }

    fn cost<'r>(
        &'r self,
        tasks: &'r Engine,
        query: CostQuery,
    ) -> BoxFuture<'r, Result<CostSummary, tasks::Error>> {
        Box::pin(async move {
            engine::past::cost(tasks, &Arc::new(Records::of(Path::new("/nowhere"))), &query).await
        })
    }

    fn forecast(
        &self,
        kind: TargetKind,
        name: String,
        _: Args,
        _: Vec<Task>,
    ) -> BoxFuture<'_, Result<Forecast, tools::Error>> {
        Box::pin(async move { Err(tools::Error::not_found(kind.as_str(), &name, [])) })
    }

    fn measures(&self) -> String {
        "crew_tasks{status=\"pending\"} 0\n".to_owned()
    }
}

fn plan(order: Order) -> Result<NewTask, tools::Error> {
    let (kind, known) = match order.kind {
        TargetKind::Employee => {
            (Kind::new("employee.run"), ["echo-bot", "failing-bot", "asking-bot"].as_slice())
        }
        TargetKind::Pipeline => (Kind::new("pipeline.run"), ["two-step"].as_slice()),
        TargetKind::Discussion => (Kind::new("discussion.run"), ["design"].as_slice()),
    };
    match order.target.as_str() {
        "busy" => return Err(tools::Error::Unavailable { message: "busy".to_owned(), retry_after: None }),
        "broken" => return Err(tools::Error::Failed("the disk is on fire at /secret/path".to_owned())),
        "forbidden" => return Err(tools::Error::Denied("not you".to_owned())),
        "panicking" => panic!("at the disco"),
        name if !known.contains(&name) => {
            return Err(tools::Error::not_found(order.kind.as_str(), name, known.iter().copied()));
        }
        "echo-bot" if !order.args.contains_key("target") => {
            return Err(tools::Error::Arguments("`echo-bot` needs `target`".to_owned()));
        }
        _ => {}
    }
    let model = order.model.map(|model| ("model".to_owned(), Value::String(model)));
    Ok(NewTask {
        args: order.args,
        options: model.into_iter().collect::<Map<_, _>>(),
        trigger: order.trigger,
        caller: order.caller,
        idempotency_key: order.idempotency_key,
        ..NewTask::new(kind, order.target)
    })
}

/// Answers with its arguments, or fails when called `failing-bot`.
struct Worker {
    live: Live,
    /// Asked for before each word that is told.
    words: Arc<Semaphore>,
}

impl tasks::Body for Worker {
    fn run(&self, task: Arc<Task>, steps: Steps) -> BoxFuture<'static, Result<Value, Failure>> {
        if task.options.contains_key("stream") {
            let output = self.live.output(&task.task_id);
            return Box::pin(streams::speak(output, Arc::clone(&self.words), task, steps));
        }
        Box::pin(async move {
            match task.target_name.as_str() {
                "failing-bot" => Err(Failure::new("no model answered")),
                _ => Ok(json!({"output": task.args})),
            }
        })
    }

    /// One that a newer delivery may take the place of ends when a word is asked for.
    fn ended(&self, task: Arc<Task>) -> BoxFuture<'static, ()> {
        let words = Arc::clone(&self.words);
        Box::pin(async move {
            if task.options.contains_key("newest") {
                words.acquire().await.unwrap().forget();
            }
        })
    }
}

/// A bridge and everything behind it.
struct Stage {
    bridge: Bridge,
    tasks: Engine,
    words: Arc<Semaphore>,
    /// Where it keeps what it keeps.
    _folder: tempfile::TempDir,
}

/// An answer, its body read.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks that it is a problem in the one form, and gives its text.
    #[track_caller]
    fn problem(&self, status: u16, code: &str) -> String {
        let body = self.json();
        assert_eq!((self.status.as_u16(), body["code"].as_str()), (status, Some(code)), "{body}");
        assert_eq!(body["trace_id"], self.header("x-trace-id"));
        assert_eq!(self.header("x-trace-id").len(), 32);
        let keys: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["error", "code", "trace_id"]);
        body["error"].as_str().unwrap().to_owned()
    }
}

impl Stage {
    async fn with(token: Option<&str>, webhook: Option<webhook::Config>, options: tasks::Options) -> Self {
        Self::issued(token, webhook, None, options).await
    }

    async fn issued(
        token: Option<&str>,
        webhook: Option<webhook::Config>,
        resource: Option<Resource>,
        options: tasks::Options,
    ) -> Self {
        let (live, words) = (Live::default(), Arc::new(Semaphore::new(0)));
        let worker: Arc<dyn tasks::Body> = Arc::new(Worker { live: live.clone(), words: Arc::clone(&words) });
        let bodies = ["employee.run", "pipeline.run"].map(|kind| (Kind::new(kind), Arc::clone(&worker)));
        let tracker = Tracker::new();
        let tasks = Engine::open(options, bodies, tracker.clone()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let state = State {
            outbox: None,
            resource,
            hosts: Arc::new(HostNames::new(&[])),
            tasks: tasks.clone(),
            live,
            deliveries: Arc::new(webhook::Deliveries::in_memory()),
            meter: Arc::new(Meter::new()),
            access: token.map_or_else(Access::open, |token| {
                let mut tokens = Tokens::default();
                tokens.add(&Secret::new(token).unwrap(), "token", Scope::Admin);
                Access::guarded(tokens)
            }),
            limits: Arc::default(),
            tools: Arc::new(tools::Registry::new()),
            acts: tools::Acts::of(folder.path()),
            denials: Arc::default(),
            streams: Arc::new(Semaphore::new(2)),
            tracker: tracker.clone(),
            runs: Arc::new(Pretence { webhook: webhook.map(Arc::new) }),
        };
        let mounted = Router::new().route("/mcp", axum::routing::post(async || "mounted"));
        Self { bridge: bridge(state, mounted), tasks, words, _folder: folder }
    }

    async fn new() -> Self {
        Self::with(Some(TOKEN), None, tasks::Options::default()).await
    }

    /// The answer while it is being given.
    fn ask(&self, request: Request<Body>) -> impl Future<Output = Response> + Send + use<> {
        self.bridge.answer(PEER, request)
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.ask(request).await;
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(request("GET", path, &[BEARER], "")).await
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(request("POST", path, &[BEARER, JSON], body)).await
    }
}

type Header = (&'static str, &'static str);
const BEARER: Header = ("authorization", "Bearer tok-123");
const JSON: Header = ("content-type", "application/json");

fn request(method: &str, path: &str, headers: &[Header], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::new(body.into());
    *request.method_mut() = method.parse().unwrap();
    *request.uri_mut() = path.parse().unwrap();
    for (name, value) in headers {
        request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    request.headers_mut().entry("host").or_insert(HeaderValue::from_static("127.0.0.1"));
    request
}

/// A route that takes everything of `event` to `two-step`.
fn route(event: &str, args: &[(&str, &str)]) -> Route {
    let args: IndexMap<_, _> = args.iter().copied().collect();
    let target = json!({"type": "pipeline", "name": "two-step", "args": args});
    let text = json!({"routes": [{"event": event, "target": target}]}).to_string();
    let (config, found) = parse_webhook(&Source::new("webhook.yaml", text));
    config.unwrap_or_else(|| panic!("{found:?}")).routes.remove(0)
}
