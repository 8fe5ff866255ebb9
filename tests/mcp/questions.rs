//! What a person at a client is asked, and what becomes of the answers.

use serde_json::{Value, json};

use super::conversation::{Conversation, MODERN};
use crate::support::{Project, patiently};

const OLDER: &str = "2025-11-25";

fn project() -> Project {
    let project = Project::small("echo");
    let discussion = |name: &str| {
        format!(
            "name: {name}\ntopic: About $what\nparticipants: [{{employee: writer}}, {{employee: checker}}]\nrounds: 1\n"
        )
    };
    project.write(".crew/discussions/one.yaml", &discussion("one"));
    project.write(".crew/discussions/two.yaml", &discussion("two"));
    project.write(
        ".crew/pipelines/ship.yaml",
        "
args: [{name: what, description: What to ship}]
steps:
  - {id: build, employee: writer, args: {topic: $what}}
  - parallel:
      - {id: east, employee: writer, approval: 'Ship east?', args: {topic: east}}
      - {id: west, employee: writer, approval: true, args: {topic: west}}
  - {id: tell, employee: checker, args: {text: '{prev}'}}
",
    );
    project
}

/// A client whose person can be asked, in both eras.
async fn askable(project: &Project) -> [Conversation; 3] {
    let mut clients = [
        Conversation::over_stdio(project, OLDER),
        Conversation::over_http(project, MODERN),
        Conversation::over_stdio(project, MODERN),
    ];
    for client in &mut clients {
        client.capabilities = json!({"elicitation": {"form": {}}});
        client.open().await;
    }
    clients
}

fn accept(content: &Value) -> Value {
    json!({"action": "accept", "content": content})
}

fn call(tool: &str, arguments: &Value) -> Value {
    json!({"name": tool, "arguments": arguments})
}

/// The code of a tool that failed, which the two eras have in different places.
fn code(failed: &Value) -> &str {
    let code = failed["structuredContent"]["code"].as_str();
    code.or_else(|| failed["_meta"]["failure"]["code"].as_str()).unwrap_or("none")
}

fn result(said: &[Value]) -> &Value {
    let answer = said.last().unwrap();
    assert!(answer["error"].is_null(), "{answer}");
    &answer["result"]
}

#[tokio::test]
async fn a_missing_argument_is_asked_for() {
    let project = project();
    for client in &mut askable(&project).await {
        let mut asked = Vec::new();
        let params = call("run_employee", &json!({"name": "writer"}));
        let said = client
            .ask_and_answer("tools/call", params, |_, question| {
                asked.push(question.clone());
                accept(&json!({"topic": "tea for $USER"}))
            })
            .await;
        let prompt = result(&said)["structuredContent"]["prompt"].as_str().unwrap();
        assert!(prompt.contains("Work on tea for $USER."), "{prompt}");
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0]["message"], "employee `writer` needs argument `topic`");
        assert_eq!(asked[0]["requestedSchema"]["required"], json!(["topic"]));

        let said = client
            .ask_and_answer("prompts/get", json!({"name": "writer"}), |_, _| {
                accept(&json!({"topic": "milk"}))
            })
            .await;
        let text = result(&said)["messages"][0]["content"]["text"].as_str().unwrap();
        assert!(text.contains("Work on milk."), "{text}");

        let mut asked = None;
        let params = call("run_pipeline", &json!({"name": "ship"}));
        let said = client
            .ask_and_answer("tools/call", params, |_, question| {
                asked = Some(question["requestedSchema"]["properties"]["what"].clone());
                accept(&json!({"what": "it"}))
            })
            .await;
        assert_eq!(result(&said)["structuredContent"]["run"]["steps"][0]["args"]["topic"], "it");
        assert_eq!(asked.unwrap(), json!({"type": "string", "description": "What to ship"}));
    }
}

#[tokio::test]
async fn who_cannot_be_asked_is_told_what_is_missing() {
    let project = project();
    for mut client in [Conversation::over_stdio(&project, OLDER), Conversation::over_http(&project, MODERN)] {
        client.open().await;
        for (tool, arguments, missing) in [
            ("run_employee", json!({"name": "writer"}), "`topic`"),
            ("run_pipeline", json!({"name": "ship", "execute": true}), "`what`"),
            ("run_discussion", json!({"name": "one"}), "`what`"),
            ("run_discussion", json!({}), "`name`"),
        ] {
            let said = client.ask("tools/call", call(tool, &arguments)).await;
            let refusal = result(&said);
            assert_eq!(refusal["isError"], true, "{refusal}");
            let text = refusal["content"][0]["text"].as_str().unwrap();
            assert!(text.contains(missing), "{text}");
            assert_eq!(code(refusal), "invalid-arguments");
        }
        let said = client.ask("prompts/get", json!({"name": "writer"})).await;
        assert_eq!(said.last().unwrap()["error"]["code"], -32602);
    }
}

#[tokio::test]
async fn who_will_not_say_is_refused_and_nonsense_is_asked_about_once_more() {
    let project = project();
    for client in &mut askable(&project).await {
        for action in ["decline", "cancel"] {
            let params = call("run_employee", &json!({"name": "writer"}));
            let said = client.ask_and_answer("tools/call", params, |_, _| json!({"action": action})).await;
            let refusal = result(&said);
            assert_eq!((&refusal["isError"], code(refusal)), (&json!(true), "denied"));
        }
        let mut asked = 0;
        let params = call("run_employee", &json!({"name": "writer"}));
        let said = client
            .ask_and_answer("tools/call", params, |_, _| {
                asked += 1;
                accept(&json!({"topic": " ", "other": [1]}))
            })
            .await;
        assert_eq!((asked, code(result(&said))), (2, "invalid-arguments"));

        // A choice that is none, then one that is, then what that one needs.
        let mut rounds = 0;
        let params = call("run_discussion", &json!({"args": {"what": "tea"}}));
        let said = client
            .ask_and_answer("tools/call", params, |_, question| {
                rounds += 1;
                let names = &question["requestedSchema"]["properties"]["name"]["enum"];
                assert_eq!(*names, json!(["one", "two"]));
                accept(&json!({"name": if rounds == 1 { "three" } else { "two" }}))
            })
            .await;
        assert_eq!((rounds, &result(&said)["structuredContent"]["discussion"]), (2, &json!("two")));
    }
}

#[tokio::test]
async fn a_caller_who_waits_is_asked_to_approve() {
    let project = project();
    // One after the other: only one process may keep the tasks.
    for (era, over_http) in [(OLDER, false), (MODERN, true)] {
        let mut client = if over_http {
            Conversation::over_http(&project, era)
        } else {
            Conversation::over_stdio(&project, era)
        };
        client.capabilities = json!({"elicitation": {"form": {}}});
        client.open().await;
        let ship = || {
            let mut params =
                call("run_pipeline", &json!({"name": "ship", "args": {"what": "it"}, "execute": true}));
            params["_meta"] = json!({"progressToken": "p"});
            params
        };
        let mut asked = Vec::new();
        let said = client
            .ask_and_answer("tools/call", ship(), |_, question| {
                asked.push(question["message"].as_str().unwrap().to_owned());
                accept(&json!({"approved": true, "comment": "fine"}))
            })
            .await;
        assert_eq!(asked, ["Ship east?", "Run step `west` (employee `writer`) of pipeline `ship`?"]);
        let answer = &result(&said)["structuredContent"];
        assert_eq!(
            (&answer["status"], answer["run"]["steps"].as_array().unwrap().len()),
            (&json!("completed"), 3)
        );
        let done: Vec<_> = said.iter().filter_map(|message| message["params"]["progress"].as_u64()).collect();
        assert!(done.is_sorted() || over_http, "{done:?}");
        assert_eq!((done.first(), done.last()), (Some(&1), Some(&6)), "before and after: {done:?}");

        // A form that was declined is a no, and a no ends the run.
        let said = client
            .ask_and_answer("tools/call", ship(), |_, question| {
                if question["message"] == "Ship east?" {
                    return accept(&json!({"approved": false, "comment": "not on a friday"}));
                }
                accept(&json!({"approved": true}))
            })
            .await;
        let refused = result(&said)["content"][0]["text"].as_str().unwrap();
        assert!(refused.contains("step 1 (`east`) was refused by `"), "{refused}");
        assert!(refused.ends_with("`: not on a friday"), "{refused}");

        // To turn away decides nothing.
        let said = client.ask_and_answer("tools/call", ship(), |_, _| json!({"action": "cancel"})).await;
        assert_eq!(result(&said)["structuredContent"]["status"], "awaiting_approval");
    }
}

#[tokio::test]
async fn who_cannot_be_asked_approves_with_a_tool() {
    let project = project();
    for era in [OLDER, MODERN] {
        let mut client = Conversation::over_stdio(&project, era);
        client.open().await;
        let params = call("run_pipeline", &json!({"name": "ship", "args": {"what": "it"}, "execute": true}));
        let said = client.ask("tools/call", params).await;
        let answer = result(&said)["structuredContent"].clone();
        assert_eq!(
            (&answer["status"], &result(&said)["isError"]),
            (&json!("awaiting_approval"), &json!(false))
        );
        let id = &answer["task_id"];
        let steps: Vec<_> =
            answer["waiting"].as_array().unwrap().iter().map(|one| one["step"].clone()).collect();
        assert_eq!(steps, ["approval-1:east", "approval-2:west"]);
        let said = client.ask("tools/call", call("get_task", &json!({"task_id": id}))).await;
        assert_eq!(result(&said)["structuredContent"]["waiting"], answer["waiting"]);

        let approve = async |client: &mut Conversation, arguments: Value| {
            let said = client.ask("tools/call", call("approve_task", &arguments)).await;
            result(&said).clone()
        };
        let which = approve(&mut client, json!({"task_id": id, "approved": true})).await;
        assert_eq!(code(&which), "conflict", "{which}");
        for step in &steps {
            approve(&mut client, json!({"task_id": id, "approved": true, "step": step})).await;
            let again = approve(&mut client, json!({"task_id": id, "approved": false, "step": step})).await;
            assert_eq!(code(&again), "conflict", "{again}");
        }
        let ended = patiently(async || {
            let said = client.ask("tools/call", call("get_task", &json!({"task_id": id}))).await;
            let task = result(&said)["structuredContent"].clone();
            Some(task).filter(|task| task["status"] == "completed")
        })
        .await;
        assert!(ended.get("waiting").is_none(), "{ended}");
    }
}

#[tokio::test]
async fn a_task_asks_through_the_tasks_extension() {
    let project = project();
    let mut client = Conversation::over_http(&project, MODERN);
    let tasks = json!({"io.modelcontextprotocol/tasks": {}});
    client.capabilities = json!({"elicitation": {}, "extensions": tasks});
    let params = call("run_pipeline", &json!({"name": "ship", "args": {"what": "it"}, "execute": true}));
    let begin = async |client: &mut Conversation| {
        let said = client.ask("tools/call", params.clone()).await;
        result(&said)["taskId"].clone()
    };
    let until = async |client: &mut Conversation, id: &Value, good: &dyn Fn(&Value) -> bool| {
        patiently(async || {
            let said = client.ask("tasks/get", json!({"taskId": id})).await;
            Some(result(&said).clone()).filter(good)
        })
        .await
    };
    let asks = |count: usize| {
        move |task: &Value| task["inputRequests"].as_object().is_some_and(|asked| asked.len() == count)
    };
    let id = begin(&mut client).await;
    let task = until(&mut client, &id, &asks(2)).await;
    assert_eq!(task["status"], "input_required");
    let east = &task["inputRequests"]["approval-1:east"];
    assert_eq!(east["method"], "elicitation/create");
    assert_eq!((&east["params"]["mode"], &east["params"]["message"]), (&json!("form"), &json!("Ship east?")));

    let update = async |client: &mut Conversation, id: &Value, responses: Value| {
        let said = client.ask("tasks/update", json!({"taskId": id, "inputResponses": responses})).await;
        said.last().unwrap().clone()
    };
    // An answer that is nonsense decides nothing, and neither do those beside it.
    let yes = accept(&json!({"approved": true}));
    let long = accept(&json!({"approved": true, "comment": "x".repeat(4001)}));
    for nonsense in [json!({"action": "accept", "content": {"approved": "yes"}}), long] {
        let answers = json!({"approval-1:east": yes, "approval-2:west": nonsense});
        assert_eq!(update(&mut client, &id, answers).await["error"]["code"], -32602);
        let said = client.ask("tasks/get", json!({"taskId": id})).await;
        assert!(asks(2)(result(&said)), "{said:?}");
    }
    let some = json!({"approval-1:east": accept(&json!({"approved": true})), "approval-2:west": {"action": "cancel"}, "x": {}});
    assert_eq!(update(&mut client, &id, some).await["result"]["resultType"], "complete");
    until(&mut client, &id, &asks(1)).await;
    // Whoever cannot be asked is told in words.
    client.capabilities = json!({"extensions": tasks});
    let said = client.ask("tasks/get", json!({"taskId": id})).await;
    assert_eq!(result(&said)["status"], "working");
    assert!(result(&said)["statusMessage"].as_str().unwrap().contains("`approval-2:west`"), "{said:?}");
    client.capabilities = json!({"elicitation": {}, "extensions": tasks});
    let rest = json!({"approval-2:west": accept(&json!({"approved": true}))});
    update(&mut client, &id, rest).await;
    let task = until(&mut client, &id, &|task| task["status"] == "completed").await;
    assert_eq!(task["result"]["structuredContent"]["status"], "completed", "{task}");

    // To decline is to refuse; a task that waits can be cancelled.
    let id = begin(&mut client).await;
    until(&mut client, &id, &asks(2)).await;
    update(&mut client, &id, json!({"approval-2:west": {"action": "decline"}})).await;
    let task = until(&mut client, &id, &|task| task["status"] == "completed").await;
    assert_eq!(task["result"]["isError"], true);
    let id = begin(&mut client).await;
    until(&mut client, &id, &asks(2)).await;
    client.ask("tasks/cancel", json!({"taskId": id})).await;
    until(&mut client, &id, &|task| task["status"] == "cancelled").await;
}

#[tokio::test]
async fn who_comes_to_know_of_tasks_while_asked_goes_on_with_the_same_run() {
    let project = project();
    let mut client = Conversation::over_http(&project, MODERN);
    client.capabilities = json!({"elicitation": {}});
    let mut params = call("run_pipeline", &json!({"name": "ship", "args": {"what": "it"}, "execute": true}));
    let said = client.ask("tools/call", params.clone()).await;
    let asked = result(&said);
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let yes = accept(&json!({"approved": true}));
    params["inputResponses"] =
        asked["inputRequests"].as_object().unwrap().keys().map(|key| (key.clone(), yes.clone())).collect();
    params["requestState"] = asked["requestState"].clone();

    client.capabilities = json!({"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}});
    let said = client.ask("tools/call", params).await;
    let id = result(&said)["taskId"].clone();
    assert!(id.is_string(), "{said:?}");
    let task = patiently(async || {
        let said = client.ask("tasks/get", json!({"taskId": id})).await;
        Some(result(&said).clone()).filter(|task| task["status"] == "completed")
    })
    .await;
    assert_eq!(task["result"]["structuredContent"]["status"], "completed", "{task}");
    let said = client.ask("tools/call", call("list_tasks", &json!({}))).await;
    let tasks = result(&said)["structuredContent"]["tasks"].as_array().unwrap().len();
    assert_eq!(tasks, 1, "one call, one run: {said:?}");
}
