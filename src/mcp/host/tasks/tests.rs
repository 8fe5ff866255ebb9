use std::fs;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::*;
use crate::{
    base::Tracker,
    catalog::Catalog,
    engine, llm,
    mcp::{Crew, Library},
    protocol::{
        Info, Version,
        prompt::{Arguments, Filled, Prompt},
        resource::{Contents, Resource, Template},
        task::EXTENSION,
        testing::Client,
    },
    tasks::{Body, Engine, Failure, Kind, Steps, TaskId},
};

struct Nothing;

impl Library for Nothing {
    fn prompts(&self) -> BoxFuture<'_, Arc<[Prompt]>> {
        Box::pin(async { Arc::default() })
    }

    fn get_prompt<'a>(&'a self, name: &'a str, _: Arguments) -> BoxFuture<'a, Result<Filled, tools::Error>> {
        Box::pin(async move { Err(tools::Error::not_found("prompt", name, [])) })
    }

    fn resources(&self) -> BoxFuture<'_, Arc<[Resource]>> {
        Box::pin(async { Arc::default() })
    }

    fn resource_templates(&self) -> Arc<[Template]> {
        Arc::default()
    }

    fn read<'a>(&'a self, uri: &'a str) -> BoxFuture<'a, Result<Vec<Contents>, tools::Error>> {
        Box::pin(async move { Err(tools::Error::not_found("resource", uri, [])) })
    }
}

/// Begins once the gate lets it.
struct Gated {
    gate: Arc<Semaphore>,
    body: Arc<dyn Body>,
}

impl Body for Gated {
    fn run(&self, task: Arc<Task>, steps: Steps) -> BoxFuture<'static, Result<Value, Failure>> {
        let (gate, body) = (Arc::clone(&self.gate), Arc::clone(&self.body));
        Box::pin(async move {
            gate.acquire().await.unwrap().forget();
            if task.args.get("topic").is_some_and(|topic| topic == "fail") {
                return Err(Failure::new("the model is on strike"));
            }
            body.run(task, steps).await
        })
    }
}

/// A crew of one employee and one pipeline, whose tasks wait at a gate.
struct Stage {
    folder: tempfile::TempDir,
    gate: Arc<Semaphore>,
    office: Office,
    host: Arc<Crew>,
    tracker: Tracker,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            ".crew/employees/poet.md",
            "---\nname: poet\ndescription: Writes\nmodel: echo\nargs:\n  - name: topic\n    required: true\n---\nWrite of $topic.\n",
        );
        write(
            ".crew/pipelines/verse.yaml",
            "name: verse\ndescription: Verse\nsteps:\n  - employee: poet\n    args:\n      topic: rain\n",
        );
        Self::open(folder)
    }

    fn open(folder: tempfile::TempDir) -> Self {
        let (gate, tracker) = (Arc::new(Semaphore::new(0)), Tracker::new());
        let client = llm::Client::new(llm::Settings::default(), Arc::new(llm::Meter::new()));
        let catalog = Catalog::open(folder.path().to_owned());
        let crew = Arc::new(engine::Crew::new(catalog, client, engine::Models::of("echo")));
        let journal = Some(folder.path().join(".crew/tasks.jsonl"));
        let (door, background) = (Arc::clone(&gate), tracker.clone());
        let bodies = engine::bodies(&crew);
        let office = Office::new(
            crew,
            Box::new(move || {
                let options = tasks::Options { journal: journal.clone(), ..tasks::Options::default() };
                let bodies: Vec<(Kind, Arc<dyn Body>)> = bodies
                    .iter()
                    .map(|(kind, body)| {
                        let body = Gated { gate: Arc::clone(&door), body: Arc::clone(body) };
                        (kind.clone(), Arc::new(body) as _)
                    })
                    .collect();
                let opening = Engine::open(options, bodies, background.clone());
                Box::pin(async move { Ok(opening.await?.into()) })
            }),
        );
        let registry = Arc::new(tools::all(&office));
        let host = Crew::new(Info::default(), registry, Arc::new(Nothing)).with_tasks(office.clone());
        Self { folder, gate, office, host: Arc::new(host), tracker }
    }

    async fn ask(&self, client: &Client, method: &str, params: Value) -> Result<Value, Error> {
        client.ask(Arc::clone(&self.host) as _, method, params).await
    }

    /// Calls a tool, and tells the id of the task that the call became.
    async fn begin(&self, tool: &str, arguments: Value) -> String {
        let params = json!({"name": tool, "arguments": arguments});
        let begun = self.ask(&declaring(), "tools/call", params).await.unwrap();
        assert_eq!(begun["resultType"], "task", "{begun}");
        assert_eq!(begun["status"], "working");
        assert_eq!(begun["ttlMs"], Value::Null);
        assert!(begun.get("content").is_none() && begun.get("result").is_none(), "{begun}");
        begun["taskId"].as_str().unwrap().to_owned()
    }

    async fn get(&self, id: &str) -> Value {
        self.ask(&declaring(), "tasks/get", json!({"taskId": id})).await.unwrap()
    }

    /// Waits for the end of a task.
    async fn ended(&self, id: &str) -> Value {
        let id: TaskId = id.parse().unwrap();
        self.office.tasks().await.unwrap().wait(&id).await.unwrap();
        self.get(id.as_str()).await
    }

    /// Ends the program, as far as the crew is concerned.
    async fn close(self) -> tempfile::TempDir {
        self.tracker.stop();
        let Self { folder, office, host, tracker, gate } = self;
        drop((office, host));
        // Those that wait at the gate go on as far as the end lets them.
        gate.close();
        drop(gate);
        tracker.wait().await;
        folder
    }
}

fn declaring() -> Client {
    Client::with(EXTENSION)
}

fn sing(topic: &str) -> Value {
    json!({"name": "poet", "args": {"topic": topic}, "execute": true})
}

#[tokio::test]
async fn a_long_call_is_a_task_of_the_crew() {
    let stage = Stage::new();
    let id = stage.begin("run_employee", sing("rain")).await;
    let working = stage.get(&id).await;
    assert_eq!((&working["status"], &working["resultType"]), (&json!("working"), &json!("complete")));
    assert_eq!(working["pollIntervalMs"], 2000);
    let kept = stage.office.task(&id).await.unwrap();
    assert_eq!(kept.caller.as_deref(), Some("ann"));
    assert!(stage.folder.path().join(".crew/tasks.jsonl").metadata().unwrap().len() > 0);

    stage.gate.add_permits(1);
    let done = stage.ended(&id).await;
    assert_eq!(done["status"], "completed");
    let result = &done["result"];
    assert_eq!(result["isError"], false);
    assert_eq!(result["structuredContent"]["task_id"], *id);
    assert_eq!(result["structuredContent"]["status"], "completed");
    assert_eq!(result["structuredContent"]["answer"]["employee"], "poet");
    assert!(result["content"][0]["text"].as_str().unwrap().contains("Write of rain."), "{result}");
    assert!(done["ttlMs"].as_u64().unwrap() >= 86_400_000);
    assert_eq!(done.get("pollIntervalMs"), None);
}

#[tokio::test]
async fn a_pipeline_is_answered_as_if_it_was_waited_for() {
    let stage = Stage::new();
    let id = stage.begin("run_pipeline", json!({"name": "verse", "execute": true})).await;
    stage.gate.add_permits(2);
    let late = stage.ended(&id).await["result"].clone();

    let params = json!({"name": "run_pipeline", "arguments": {"name": "verse", "execute": true}});
    let waited = stage.ask(&Client::plain(), "tools/call", params).await.unwrap();
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&late["structuredContent"]), members(&waited["structuredContent"]));
    let steps = |value: &Value| value["structuredContent"]["run"]["steps"].as_array().unwrap().len();
    assert_eq!((steps(&late), steps(&waited)), (1, 1));
    assert_eq!((&late["resultType"], &waited["resultType"]), (&json!("complete"), &json!("complete")));
}

#[tokio::test]
async fn only_long_work_for_those_who_know_tasks_is_a_task() {
    async fn check(stage: &Stage, client: Client, arguments: Value, member: &str) {
        let params = json!({"name": "run_employee", "arguments": arguments});
        let answer = stage.ask(&client, "tools/call", params).await.unwrap();
        assert!(answer["structuredContent"].get(member).is_some(), "{answer}");
        assert_eq!(answer.get("taskId"), None);
    }
    let stage = Stage::new();
    stage.gate.add_permits(10);
    let prompt = json!({"name": "poet", "args": {"topic": "rain"}});
    let background = json!({"name": "poet", "args": {"topic": "rain"}, "execute": true, "background": true});
    check(&stage, declaring(), prompt, "prompt").await;
    check(&stage, declaring(), background, "task_id").await;
    check(&stage, Client::plain(), sing("rain"), "answer").await;
    check(&stage, declaring().of(Version::V2025_11_25), sing("rain"), "answer").await;
    let nobody = json!({"name": "nobody", "execute": true});
    check(&stage, declaring(), nobody, "error").await;
}

#[tokio::test]
async fn failure_is_a_result() {
    let stage = Stage::new();
    let id = stage.begin("run_employee", sing("fail")).await;
    stage.gate.add_permits(1);
    let failed = stage.ended(&id).await;
    assert_eq!(failed["status"], "completed");
    assert_eq!(failed["statusMessage"], "the model is on strike");
    assert_eq!(failed["result"]["isError"], true);
    assert_eq!(failed["result"]["structuredContent"]["code"], "failed");
    let text = format!("task `{id}` failed: the model is on strike");
    assert_eq!(failed["result"]["content"][0]["text"], text);
}

#[tokio::test]
async fn a_task_is_stopped_on_request() {
    let stage = Stage::new();
    let id = stage.begin("run_employee", sing("rain")).await;
    for _ in 0..2 {
        let told = stage.ask(&declaring(), "tasks/cancel", json!({"taskId": id})).await.unwrap();
        assert_eq!(told["resultType"], "complete");
    }
    assert_eq!(stage.get(&id).await["status"], "cancelled");
    let params = json!({"taskId": id, "inputResponses": {"k": {}}});
    stage.ask(&declaring(), "tasks/update", params).await.unwrap();
}

#[tokio::test]
async fn what_no_call_began_is_seen_by_all_and_stopped_by_none() {
    let stage = Stage::new();
    let tasks = stage.office.tasks().await.unwrap();
    let order = tasks::NewTask {
        args: [("topic".to_owned(), "rain".to_owned())].into_iter().collect(),
        trigger: Trigger::CRON,
        ..tasks::NewTask::new(engine::EMPLOYEE_RUN, "poet")
    };
    let id = tasks.submit(order).await.unwrap().id;
    assert_eq!(stage.get(id.as_str()).await["status"], "working");
    for method in ["tasks/cancel", "tasks/update"] {
        let params = json!({"taskId": id, "inputResponses": {}});
        let refused = stage.ask(&declaring(), method, params).await.unwrap_err();
        assert_eq!(refused.code(), -32602, "{method}");
    }
}

#[tokio::test]
async fn a_task_belongs_to_who_began_it() {
    let stage = Stage::new();
    let id = stage.begin("run_employee", sing("rain")).await;
    let bob = Client { caller: "bob", ..declaring() };
    let unknown = TaskId::generate().to_string();
    for (client, id) in [(bob, &*id), (declaring(), &unknown), (declaring(), "no/id"), (declaring(), "")] {
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let params = json!({"taskId": id, "inputResponses": {}});
            let error = stage.ask(&client, method, params).await.unwrap_err();
            assert_eq!(error.code(), -32602, "{method} {id}");
        }
    }
    assert_eq!(stage.get(&id).await["status"], "working");
}

#[tokio::test]
async fn a_task_is_found_after_a_restart() {
    let stage = Stage::new();
    stage.gate.add_permits(1);
    let ended = stage.begin("run_employee", sing("rain")).await;
    let before = stage.ended(&ended).await;
    let folder = stage.close().await;
    let stage = Stage::open(folder);
    let after = stage.get(&ended).await;
    assert_eq!(after, before);
}
