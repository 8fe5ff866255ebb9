use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::value::RawValue;

use super::*;
use crate::protocol::{
    Host, Info,
    testing::Client,
    tool::{Tool, ToolOutcome},
};

/// Knows the task `t`, of `ann`, in a state that the test sets.
struct Keeper {
    state: Mutex<Option<State>>,
    said: Mutex<Vec<String>>,
}

impl Keeper {
    fn with(state: State) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(Some(state)), said: Mutex::default() })
    }

    fn task(&self) -> Task {
        Task {
            id: "t".into(),
            created_at: "2026-11-23T10:00:00Z".parse().unwrap(),
            updated_at: "2026-11-23T10:00:01.5Z".parse().unwrap(),
            ttl: Some(Duration::from_mins(1)),
            poll_interval: Some(Duration::from_millis(200)),
            message: None,
            state: self.state.lock().take().unwrap(),
        }
    }

    fn check(id: &str, context: &Context) -> Result<(), Error> {
        if id == "t" && &**context.caller() == "ann" { Ok(()) } else { Err(Error::task_not_found()) }
    }
}

impl Host for Keeper {
    fn info(&self) -> Info {
        Info::default()
    }

    fn tools(&self) -> Arc<[Tool]> {
        Arc::new([Tool {
            name: "begin".into(),
            title: None,
            description: String::new(),
            input_schema: Arc::new(json!({"type": "object"})),
            output_schema: None,
            annotations: None,
            icons: vec![],
        }])
    }

    fn call_tool<'a>(
        &'a self,
        _: &'a str,
        _: &'a RawValue,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<ToolOutcome, Error>> {
        Box::pin(async move {
            context.require_tasks()?;
            Ok(ToolOutcome::Task(self.task()))
        })
    }

    fn tasks(&self) -> Option<&dyn TaskHost> {
        Some(self)
    }
}

impl TaskHost for Keeper {
    fn get<'a>(&'a self, id: &'a str, context: &'a Context) -> BoxFuture<'a, Result<Task, Error>> {
        Box::pin(async move { Self::check(id, context).map(|()| self.task()) })
    }

    fn update<'a>(
        &'a self,
        id: &'a str,
        responses: InputResponses,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            Self::check(id, context)?;
            self.said.lock().push(Value::Object(responses).to_string());
            Ok(())
        })
    }

    fn cancel<'a>(&'a self, id: &'a str, context: &'a Context) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            Self::check(id, context)?;
            self.said.lock().push("cancel".into());
            Ok(())
        })
    }
}

fn declaring() -> Client {
    Client::with(EXTENSION)
}

#[tokio::test]
async fn a_task_tells_what_its_state_holds() {
    #[track_caller]
    fn check(told: &Value, status: &str, more: &Value) {
        let mut expected = json!({
            "taskId": "t", "status": status, "createdAt": "2026-11-23T10:00:00Z",
            "lastUpdatedAt": "2026-11-23T10:00:01.5Z", "ttlMs": 60_000, "pollIntervalMs": 200,
            "resultType": "complete",
        });
        expected.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut told = told.clone();
        told.as_object_mut().unwrap().shift_remove("_meta");
        assert_eq!(told, expected);
    }
    async fn get(state: State) -> Value {
        declaring().ask(Keeper::with(state), "tasks/get", json!({"taskId": "t"})).await.unwrap()
    }
    check(&get(State::Working).await, "working", &json!({}));
    check(&get(State::Cancelled).await, "cancelled", &json!({}));
    let requests = json!({"k": {"method": "elicitation/create", "params": {}}});
    let waiting = State::InputRequired(requests.as_object().unwrap().clone());
    check(&get(waiting).await, "input_required", &json!({"inputRequests": requests}));
    let result =
        json!({"resultType": "complete", "content": [{"type": "text", "text": "x"}], "isError": true});
    let failed = get(State::Completed(ToolResult::error("x"))).await;
    check(&failed, "completed", &json!({"result": result}));
    let error = get(State::Failed(Error::internal("x"))).await;
    check(&error, "failed", &json!({"error": {"code": -32603, "message": "x"}}));
}

#[tokio::test]
async fn a_call_is_answered_with_a_task_only_where_tasks_are_known() {
    let call = || json!({"name": "begin"});
    let begun = declaring().ask(Keeper::with(State::Working), "tools/call", call()).await.unwrap();
    assert_eq!(begun["resultType"], "task");
    assert_eq!(begun["taskId"], "t");
    let waiting = State::InputRequired(Map::from_iter([("k".to_owned(), json!({}))]));
    let begun = declaring().ask(Keeper::with(waiting), "tools/call", call()).await.unwrap();
    assert!(begun.get("inputRequests").is_none(), "{begun}");

    for client in [Client::plain(), declaring().of(Version::V2025_11_25)] {
        let error = client.ask(Keeper::with(State::Working), "tools/call", call()).await.unwrap_err();
        assert_eq!(error.code(), -32021);
        let required = json!({"requiredCapabilities": {"extensions": {EXTENSION: {}}}});
        assert_eq!(error.data(), Some(&required));
    }
}

#[tokio::test]
async fn tasks_are_for_those_who_know_them_and_own_them() {
    async fn check(client: Client, params: Value, code: i32) {
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let asked = client.ask(Keeper::with(State::Working), method, params.clone()).await;
            assert_eq!(asked.unwrap_err().code(), code, "{method} {params}");
        }
    }
    let fit = json!({"taskId": "t", "inputResponses": {}});
    check(Client::plain(), fit.clone(), -32021).await;
    check(Client::plain(), json!({}), -32021).await;
    check(declaring().of(Version::V2025_11_25), fit.clone(), -32601).await;
    check(Client { caller: "bob", ..declaring() }, fit, -32602).await;
    check(declaring(), json!({"taskId": "u", "inputResponses": {}}), -32602).await;
    check(declaring(), json!({"taskId": 1, "inputResponses": {}}), -32602).await;
    check(declaring(), json!({}), -32602).await;
    for method in ["tasks/list", "tasks/result"] {
        let asked = declaring().ask(Keeper::with(State::Working), method, json!({"taskId": "t"})).await;
        assert_eq!(asked.unwrap_err().code(), -32601);
    }
}

#[tokio::test]
async fn answers_and_wishes_reach_the_keeper() {
    let keeper = Keeper::with(State::Working);
    let ask = async |method: &str, params: Value| {
        let answer = declaring().ask(Arc::clone(&keeper) as _, method, params).await?;
        assert_eq!(answer.as_object().unwrap().keys().collect::<Vec<_>>(), ["resultType", "_meta"]);
        Ok::<_, Error>(())
    };
    ask("tasks/update", json!({"taskId": "t", "inputResponses": {"k": {"action": "accept"}}})).await.unwrap();
    ask("tasks/cancel", json!({"taskId": "t"})).await.unwrap();
    assert_eq!(*keeper.said.lock(), [r#"{"k":{"action":"accept"}}"#, "cancel"]);
    for wrong in [json!({"k": 1}), json!({"k": null}), json!([]), json!(null)] {
        let params = json!({"taskId": "t", "inputResponses": wrong});
        assert_eq!(ask("tasks/update", params).await.unwrap_err().code(), -32602);
    }
}

#[tokio::test]
async fn tasks_are_announced_to_the_modern_era() {
    let keeper = || Keeper::with(State::Working);
    let told = Client::plain().ask(keeper(), "server/discover", json!({})).await.unwrap();
    assert_eq!(told["capabilities"]["extensions"], json!({EXTENSION: {}}));
    let legacy = Client::plain().of(Version::V2025_11_25);
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
    let told = legacy.ask(keeper(), "initialize", hello).await.unwrap();
    assert_eq!(told["capabilities"].get("extensions"), None);
}

#[test]
fn durations_are_whole_and_positive() {
    assert_eq!(milliseconds(Duration::ZERO), 1);
    assert_eq!(milliseconds(Duration::from_secs(2)), 2000);
    assert_eq!(milliseconds(Duration::MAX), 9_007_199_254_740_991);
}
