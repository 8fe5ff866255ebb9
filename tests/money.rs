//! What work costs, and how much it may: on the real program, with a provider that says 11 tokens in, 7 out.

use serde_json::{Value, json};

use crate::support::{FakeModel, Project, Server};

/// Tokens of a call.
const CALL: u64 = 18;
/// What they cost on the model of the tests, in US dollars.
const COST: f64 = 0.000_138;

/// Three steps in a row that ask the same, and four side by side.
fn project(fail_fast: bool) -> Project {
    let project = Project::empty();
    project.write(
        ".crew/employees/poet.md",
        "---\nname: poet\ndescription: Writes\nmodel: claude-sonnet-4-5\nmax_tokens: 10\n---\n\nWrite a poem.\n",
    );
    let step = "  - {employee: poet}\n";
    project
        .write(".crew/pipelines/three.yaml", &format!("fail_fast: {fail_fast}\nsteps:\n{step}{step}{step}"));
    let member = "      - {employee: poet}\n";
    project.write(
        ".crew/pipelines/four.yaml",
        &format!("fail_fast: {fail_fast}\nsteps:\n  - parallel:\n{}", member.repeat(4)),
    );
    project
}

async fn poet() -> FakeModel {
    FakeModel::answering(|_| Ok("Roses".to_owned())).await
}

/// The upper estimate of a call, as a run within one token is told.
async fn estimate(server: &Server) -> u64 {
    let order = json!({"sync": true, "max_tokens": 1});
    let task = server.post("/run/pipeline/three", &order).await.json();
    assert_eq!((&task["status"], &task["code"]), (&json!("failed"), &json!("budget-reached")), "{task}");
    let error = task["error"].as_str().unwrap();
    assert!(error.contains("0 of 1 tokens are used"), "{error}");
    error.split("up to ").nth(1).unwrap().split(';').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_line_is_kept_to_the_token_and_a_resumed_run_repeats_nothing() {
    for fail_fast in [true, false] {
        let (fake, project) = (poet().await, project(fail_fast));
        let server = Server::start(&project, &[], &fake.env());
        let call = estimate(&server).await;
        assert_eq!(fake.bodies().len(), 0);
        for (limit, made) in [(call + CALL - 1, 1), (call + CALL, 2)] {
            let before = fake.bodies().len();
            let task =
                server.post("/run/pipeline/three", &json!({"sync": true, "max_tokens": limit})).await.json();
            assert_eq!(fake.bodies().len() - before, made, "{task}");
            assert_eq!((&task["code"], &task["spent"][0]["calls"]), (&json!("budget-reached"), &json!(made)));
            let id = task["task_id"].as_str().unwrap();
            let more = json!({"max_tokens": call + 2 * CALL});
            server.post(&format!("/tasks/{id}/resume"), &more).await;
            let task = ended(&server, id).await;
            assert_eq!(task["status"], "completed", "{task}");
            assert_eq!(fake.bodies().len() - before, 3, "no step is done twice");
            assert_eq!(
                (&task["spent"][0]["calls"], &task["result"]["total_cost_usd"]),
                (&json!(3), &json!(3.0 * COST))
            );
        }
    }
}

async fn ended(server: &Server, id: &str) -> Value {
    loop {
        let task = server.get(&format!("/tasks/{id}")).await.json();
        if ["completed", "failed"].contains(&task["status"].as_str().unwrap()) {
            return task;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn members_of_a_group_do_not_cross_the_line_together() {
    for fail_fast in [true, false] {
        let (fake, project) = (poet().await, project(fail_fast));
        let server = Server::start(&project, &[], &fake.env());
        let limit = estimate(&server).await + CALL;
        let task =
            server.post("/run/pipeline/four", &json!({"sync": true, "max_tokens": limit})).await.json();
        assert_eq!((&task["code"], fake.bodies().len()), (&json!("budget-reached"), 2), "{task}");
    }
}

#[tokio::test]
async fn a_crash_forgets_nothing_of_what_was_spent() {
    let project = project(true);
    let limit = {
        let fake = poet().await;
        estimate(&Server::start(&project, &[], &fake.env())).await + CALL
    };
    let mut fake = FakeModel::held(|_| Ok("Roses".to_owned())).await;
    let server = Server::start(&project, &[], &fake.env());
    let begun = server.post("/run/pipeline/three", &json!({"max_tokens": limit})).await.status(202);
    fake.asked().await;
    fake.release(1);
    fake.asked().await;
    server.kill();
    fake.release(10);
    let server = Server::start(&project, &[], &fake.env());
    let task = ended(&server, begun["task_id"].as_str().unwrap()).await;
    assert_eq!((&task["code"], &task["spent"][0]["calls"]), (&json!("budget-reached"), &json!(2)), "{task}");
    assert_eq!(task["steps"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_shell_ends_with_four_and_tells_how_to_go_on() {
    let (fake, project) = (poet().await, project(true));
    let told = project.run_in(&fake.env(), ["run", "poet", "-x", "--max-cost", "0.0001"]).status(4);
    assert!(told.contains("the budget is reached: 0 of 0.0001 USD are spent"), "{told}");
    let command = told.split("knowlyr-crew ").nth(1).unwrap().replace("USD", "1");
    let resumed = project.run_in(&fake.env(), command.split_whitespace()).success();
    assert_eq!((resumed.as_str(), fake.bodies().len()), ("Roses\n", 1));
    let aloud = project.run_in(&fake.env(), ["run", "poet", "-x", "--max-cost", "1"]).success();
    assert_eq!(aloud, "Roses\n");
    let told = project.run_in(&fake.env(), ["pipeline", "run", "three", "-x", "--max-tokens", "2"]).status(4);
    assert!(told.contains("--max-tokens N"), "{told}");
    let _ = project.run_in(&fake.env(), ["run", "poet", "-x", "--max-cost", "0"]).status(2);
}

#[tokio::test]
async fn a_model_without_a_price_is_not_called_for_money() {
    let (fake, project) = (poet().await, project(true));
    let told =
        project.run_in(&fake.env(), ["run", "poet", "-x", "--max-cost", "1", "--model", "claude-nine"]);
    let told = told.status(4);
    assert!(told.contains("the price of model `claude-nine` (employee `poet`) is not known"), "{told}");
    assert_eq!(fake.bodies().len(), 0);
}

#[tokio::test]
async fn limits_that_are_none_are_refused() {
    let (fake, project) = (poet().await, project(true));
    let server = Server::start(&project, &[], &fake.env());
    for body in [
        json!({"max_cost_usd": 0}),
        json!({"max_cost_usd": "1"}),
        json!({"max_tokens": 1.5}),
        json!({"max_tokens": -1}),
    ] {
        server.post("/run/employee/poet", &body).await.status(422);
    }
}

#[tokio::test]
async fn what_was_spent_is_told_the_same_everywhere() {
    let (fake, project) = (poet().await, project(true));
    let server = Server::start(&project, &[], &fake.env());
    server.post("/run/pipeline/three", &json!({"sync": true})).await.status(200);
    let run = server.post("/run/pipeline/four", &json!({"sync": true})).await.status(200);
    assert_eq!(run["result"]["steps"][0][0]["cost_usd"], json!(COST));
    let summary = server.get("/api/cost/summary?days=1").await.status(200);
    assert_eq!((&summary["total_cost_usd"], &summary["total_tasks"]), (&json!(0.000_966), &json!(2)));
    assert_eq!(
        summary["by_model"]["claude-sonnet-4-5"],
        json!({"cost_usd": 0.000_966, "tasks": 2, "calls": 7, "input_tokens": 77, "cached_input_tokens": 0, "output_tokens": 49})
    );
    server.get("/api/cost/summary?days=0").await.status(422);
    server.get("/api/cost/summary?dys=1").await.status(422);
    let told: Value =
        serde_json::from_str(&project.run_in(&fake.env(), ["cost", "--days", "1", "--json"]).success())
            .unwrap();
    assert_eq!(told, summary);
    let text = project.run_in(&fake.env(), ["cost", "--by", "trigger"]).success();
    assert!(text.contains("direct   0.000966  2") && text.contains("0.000966 USD in 2 tasks"), "{text}");
}

#[tokio::test]
async fn a_plan_tells_calls_and_costs_before_anything_is_done() {
    let (fake, project) = (poet().await, project(true));
    project.write(
        ".crew/pipelines/ways.yaml",
        "steps:\n  - {id: first, employee: poet, retry: 2}\n  - condition:\n      check: '{prev}'\n      contains: x\n      then: [{employee: poet}]\n  - loop:\n      max_iterations: 3\n      until: {check: '{prev}', contains: ok}\n      steps: [{employee: poet, model: llama-nine}]\n",
    );
    project.write(
        ".crew/config.yaml",
        "providers:\n  own: {base_url: 'http://127.0.0.1:9/v1', api_key: '${OWN_KEY}', models: [llama]}\n",
    );
    let plan = |name: &str| -> Value {
        let told = project.run_in(&fake.env(), ["plan", name, "--json"]).success();
        serde_json::from_str(&told).unwrap()
    };
    let ways = plan("ways");
    assert_eq!(ways["calls"], json!({"least": 2, "most": 6}), "{ways}");
    assert_eq!(ways["secrets"], json!({"ANTHROPIC_API_KEY": true, "OWN_KEY": false}));
    assert_eq!(ways["models"][1]["address"], "http://127.0.0.1:9/v1");
    assert_eq!(
        (&ways["cost"]["high_usd"], &ways["cost"]["unpriced_models"]),
        (&Value::Null, &json!(["llama-nine"]))
    );
    let estimate = plan("three");
    assert_eq!((&estimate["calls"], &estimate["cost"]["runs"]), (&json!({"least": 3, "most": 3}), &json!(0)));
    assert!(estimate["cost"]["high_usd"].as_f64() > Some(3.0 * COST), "{estimate}");
    assert_eq!(fake.bodies().len(), 0);
    let server = Server::start(&project, &[], &fake.env());
    server.post("/run/pipeline/three", &json!({"sync": true})).await.status(200);
    assert_eq!(plan("three")["cost"], json!({"low_usd": 0.000_414, "high_usd": 0.000_414, "runs": 3}));
    let text = project.run_in(&fake.env(), ["plan", "three"]).success();
    assert!(
        text.contains("secret ANTHROPIC_API_KEY: set")
            && text.contains("cost: 0.000414-0.000414 (3 runs) USD"),
        "{text}"
    );
    let _ = project.run_in(&fake.env(), ["plan", "nobody"]).status(1);
}

#[tokio::test]
async fn what_came_of_a_run_is_kept_once_without_prompts_and_values() {
    let (fake, project) = (poet().await, project(true));
    project.write(
        ".crew/sessions/20260101-101010-0a1b2c3d.jsonl",
        "{\"timestamp\":\"2026-01-01T10:10:10\",\"event\":\"start\",\"session_type\":\"employee\",\"subject\":\"诗人\",\"metadata\":{}}\nbroken\n",
    );
    project.write(".crew/memory/secret.jsonl", "{\"event\":\"start\"}\n");
    let server = Server::start(&project, &[], &fake.env());
    let order = json!({"sync": true, "args": {"secret": "hunter2"}});
    let task = server.post("/run/pipeline/three", &order).await.status(200);
    let id = task["task_id"].as_str().unwrap();
    let kept = project.read(&format!(".crew/sessions/{id}.jsonl"));
    assert!(!kept.contains("hunter2") && !kept.contains("Write a poem"), "{kept}");
    let json = |args: &[&str]| -> Value {
        serde_json::from_str(&project.run(args.iter().copied()).success()).unwrap()
    };
    let events = json(&["session", "show", id, "--json"]);
    let kinds: Vec<_> =
        events.as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["start", "message", "message", "message", "end"]);
    assert_eq!((&events[1]["content"], &events[4]["status"]), (&json!("Roses"), &json!("completed")));
    assert_eq!(events[4]["metadata"]["cost_usd"], json!(3.0 * COST), "{events}");
    let rows = json(&["session", "list", "--json"]);
    assert_eq!((&rows[0]["session_id"], &rows[1]["subject"]), (&json!(id), &json!("诗人")), "{rows}");
    assert_eq!(json(&["session", "list", "--type", "employee", "--json"]).as_array().unwrap().len(), 1);
    assert_eq!(json(&["session", "show", "20260101-101010-0a1b2c3d", "--json"]).as_array().unwrap().len(), 1);
    for id in ["../memory/secret", "nobody", ""] {
        let told = project.run(["session", "show", id]).status(1);
        assert!(told.contains("session"), "{told}");
    }
    let _ = project.run(["session", "list", "-n", "0"]).status(2);
}
