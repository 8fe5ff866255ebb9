//! What files say a run may take: the lowest limit counts, whoever asks. The provider says 11 tokens in, 7 out.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{FakeModel, Project, Server, github_signature};

/// Tokens of a call.
const CALL: u64 = 18;

/// A poet, two of them in a row, and a discussion between two.
fn project() -> Project {
    let project = Project::empty();
    for name in ["poet", "critic"] {
        project.write(
            &format!(".crew/employees/{name}.md"),
            &format!("---\nname: {name}\ndescription: Writes\nmodel: claude-sonnet-4-5\nmax_tokens: 10\n---\n\nWrite.\n"),
        );
    }
    two(&project, "");
    project
}

/// The pipeline `two`, with these lines.
fn two(project: &Project, lines: &str) {
    project.write(
        ".crew/pipelines/two.yaml",
        &format!("{lines}\nsteps:\n  - {{employee: poet}}\n  - {{employee: poet}}\n"),
    );
}

async fn model() -> FakeModel {
    FakeModel::answering(|_| Ok("Roses".to_owned())).await
}

/// What is told on stderr of a run whose budget is reached.
fn told(project: &Project, fake: &FakeModel, words: &[&str]) -> String {
    let finished = project.run_in(&fake.env(), words.iter().copied());
    assert!(!finished.stdout.contains("is reached"), "it is told once: {}", finished.stdout);
    finished.status(4)
}

/// The upper estimate of a call, in tokens.
fn estimate(project: &Project, fake: &FakeModel) -> u64 {
    let told = told(project, fake, &["run", "poet", "-x", "--max-tokens", "1"]);
    told.split("up to ").nth(1).unwrap().split(';').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn of_all_budgets_the_lowest_counts_and_a_flag_can_only_lower_it() {
    let (fake, project) = (model().await, project());
    let call = estimate(&project, &fake);
    let one = call + CALL - 1;
    two(&project, &format!("budget: {{max_tokens: {one}}}"));
    // The project allows more than the pipeline, and so does the flag.
    project.write(".crew/config.yaml", "budget: {max_tokens: 900000, max_cost: 5}\n");
    for words in
        [&["pipeline", "run", "two", "-x"][..], &["pipeline", "run", "two", "-x", "--max-tokens", "800000"]]
    {
        let before = fake.bodies().len();
        let text = told(&project, &fake, words);
        assert!(
            text.contains(&format!("the budget of pipeline `two` is reached: 18 of {one} tokens are used")),
            "{text}"
        );
        assert!(text.contains("raise the `budget` of pipeline `two`"), "{text}");
        assert_eq!(fake.bodies().len() - before, 1, "{text}");
    }
    let lower = told(&project, &fake, &["pipeline", "run", "two", "-x", "--max-tokens", "1"]);
    assert!(
        lower.contains("the budget is reached: 0 of 1 tokens") && lower.contains("--max-tokens N"),
        "{lower}"
    );
    // The project allows less than the pipeline.
    project.write(".crew/config.yaml", "budget: {max_cost: 0.000001}\n");
    let text = told(&project, &fake, &["pipeline", "run", "two", "-x"]);
    assert!(text.contains("the budget of the project is reached: 0 of 0.000001 USD are spent"), "{text}");
    let text = told(&project, &fake, &["run", "poet", "-x"]);
    assert!(text.contains("the budget of the project is reached"), "{text}");
    assert!(text.contains("raise the `budget` of the project, then start it again"), "{text}");
    assert_eq!(text.matches("is reached").count(), 1, "{text}");
}

#[tokio::test]
async fn a_discussion_keeps_to_its_budget_and_so_does_one_made_up_within_that_of_the_project() {
    let (fake, project) = (model().await, project());
    project.write(
        ".crew/discussions/talk.yaml",
        "topic: tea\nbudget: {max_tokens: 1}\nparticipants: [{employee: poet}, {employee: critic}]\nrounds: 1\n",
    );
    let finished = project.run_in(&fake.env(), ["discuss", "run", "talk", "--execute"]);
    assert!(!finished.stdout.contains("is reached"), "{}", finished.stdout);
    let text = finished.status(4);
    assert_eq!(
        text.matches("the budget of discussion `talk` is reached: 0 of 1 tokens").count(),
        1,
        "{text}"
    );
    project.write(".crew/config.yaml", "budget: {max_tokens: 2}\n");
    let text = told(&project, &fake, &["discuss", "adhoc", "-e", "poet,critic", "-t", "tea", "--execute"]);
    assert!(text.contains("the budget of the project is reached: 0 of 2 tokens"), "{text}");
    assert_eq!(fake.bodies().len(), 0);
}

#[tokio::test]
async fn what_a_file_allows_is_read_again_when_a_task_goes_on() {
    let (fake, project) = (model().await, project());
    let call = estimate(&project, &fake);
    two(&project, &format!("budget: {{max_tokens: {}}}", call + CALL - 1));
    let server = Server::start(&project, &[], &fake.env());
    let reply = server.post("/run/pipeline/two", &json!({"sync": true, "max_tokens": 700_000})).await;
    let task = reply.status(402);
    assert_eq!((&task["code"], &task["spent"][0]["calls"]), (&json!("budget-reached"), &json!(1)), "{task}");
    let id = task["task_id"].as_str().unwrap();
    // A caller cannot grant more than the file does.
    server.post(&format!("/tasks/{id}/resume"), &json!({"max_tokens": 800_000})).await.status(202);
    let task = server.ended(id).await;
    assert_eq!(task["code"], "budget-reached", "{task}");
    server.kill();
    // With more to spend it is the same pipeline.
    two(&project, "budget: {max_tokens: 600000}");
    let server = Server::start(&project, &[], &fake.env());
    server.post(&format!("/tasks/{id}/resume"), &json!({})).await.status(202);
    let task = server.ended(id).await;
    assert_eq!((&task["status"], fake.bodies().len()), (&json!("completed"), 2), "{task}");
}

#[tokio::test]
async fn a_typing_mistake_in_the_settings_does_not_lift_the_budget() {
    let (fake, project) = (model().await, project());
    project.write(".crew/config.yaml", "budget: {max_tokens: 1}\n");
    let server = Server::start(&project, &[], &fake.env());
    server.post("/run/pipeline/two", &json!({"sync": true})).await.status(402);
    project.write(".crew/config.yaml", "budgt: {max_tokens: 1}\n");
    loop {
        let ready = server.get("/readyz").await.json();
        if ready.to_string().contains("budgt") {
            break;
        }
        tokio::task::yield_now().await;
    }
    server.post("/run/pipeline/two", &json!({"sync": true})).await.status(402);
    assert_eq!(fake.bodies().len(), 0);
}

#[tokio::test]
async fn a_route_and_a_schedule_have_budgets_too() {
    let (fake, project) = (model().await, project());
    project.write(
        ".crew/webhook.yaml",
        "github_secret: 0123456789abcdef\nroutes: [{event: push, target: {type: pipeline, name: two, budget: {max_tokens: 3}}}]\n",
    );
    project.write(
        ".crew/cron.yaml",
        "schedules: [{name: often, cron: '* * * * * *', target_type: employee, target_name: poet, budget: {max_cost: 0.000001}}]\n",
    );
    let server = Server::start(&project, &[], &fake.env());
    let push = json!({"ref": "refs/heads/main"}).to_string();
    let delivery = server
        .request(Method::POST, "/webhook/github")
        .header("content-type", "application/json")
        .header("x-github-event", "push")
        .header("x-github-delivery", "1")
        .header("x-hub-signature-256", github_signature("0123456789abcdef", push.as_bytes()));
    let ack = server.send(delivery.body(push)).await.status(202);
    let task = server.ended(ack["task_id"].as_str().unwrap()).await;
    assert_eq!(
        (&task["code"], &task["options"]["max_tokens"]),
        (&json!("budget-reached"), &json!(3)),
        "{task}"
    );
    let order = json!({"target_name": "two", "sync": true, "max_tokens": 4});
    let task = server.post("/webhook", &order).await.status(402);
    assert_eq!(task["options"]["max_tokens"], 4, "{task}");
    let task = loop {
        let tasks = server.get("/tasks?trigger=cron&status=failed").await.status(200);
        if let Some(task) = tasks["tasks"].as_array().unwrap().first() {
            break task.clone();
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(task["code"], "budget-reached", "{task}");
    assert_eq!(fake.bodies().len(), 0);
}

#[tokio::test]
async fn a_budget_that_is_none_is_told_with_its_place() {
    let project = project();
    for (lines, message) in [
        ("budget: 5", "a budget must be a map of fields, not a number"),
        ("budget: {}", "a budget needs `max_cost` or `max_tokens`"),
        ("budget: {max_cost: 0}", "`max_cost` must be a number from 0.000001 to 1000000, not `0`"),
        ("budget: {max_tokens: 1.5}", "`max_tokens` must be a whole number from 1 to 4294967295, not `1.5`"),
        ("budget: {max_cost_usd: 1}", "a budget has no field `max_cost_usd`"),
    ] {
        two(&project, lines);
        let finished = project.run(["lint", ".crew/pipelines/two.yaml"]);
        assert_eq!(finished.code, Some(1), "{lines}");
        let text = finished.stdout + &finished.stderr;
        assert!(text.contains(message) && text.contains("two.yaml:1:"), "{lines}: {text}");
    }
}

/// Employees who hand work on: `boss` delegates to `poet`, `chair` has `poet` and `critic` discuss.
fn handing_on(project: &Project) {
    for (name, tool) in [("boss", "delegate"), ("chair", "organize_meeting")] {
        project.write(
            &format!(".crew/employees/{name}.md"),
            &format!(
                "---\nname: {name}\ndescription: Hands on\nmodel: claude-sonnet-4-5\nmax_tokens: 10\ntools: [{tool}]\n---\n\nHand it on.\n"
            ),
        );
    }
    // Whoever is handed the work may say more than those who hand it on.
    for name in ["poet", "critic"] {
        project.write(
            &format!(".crew/employees/{name}.md"),
            &format!("---\nname: {name}\ndescription: Writes\nmodel: claude-sonnet-4-5\nmax_tokens: 5000\n---\n\nWrite.\n"),
        );
    }
    project.write(
        ".crew/pipelines/hand.yaml",
        "fail_fast: false\nsteps:\n  - {employee: boss}\n  - {employee: poet}\n",
    );
    project.write(
        ".crew/pipelines/meet.yaml",
        "fail_fast: false\nsteps:\n  - {employee: chair}\n  - {employee: poet}\n",
    );
}

#[tokio::test]
async fn a_budget_reached_by_those_who_were_handed_the_work_stops_the_whole() {
    let project = project();
    handing_on(&project);
    for (pipeline, tool, input) in [
        ("hand", "delegate", json!({"employee": "poet", "task": "a poem"})),
        ("meet", "organize_meeting", json!({"employees": ["poet", "critic"], "topic": "tea", "rounds": 1})),
    ] {
        let named = tool.to_owned();
        let fake = FakeModel::acting(move |body| {
            let offered = body["tools"].as_array().is_some_and(|tools| !tools.is_empty());
            let turns = body["messages"].as_array().unwrap().len();
            if offered && turns == 1 {
                return json!([{"type": "tool_use", "id": "t1", "name": named, "input": input}]);
            }
            json!([{"type": "text", "text": "Roses"}])
        })
        .await;
        fake.release(100);
        let server = Server::start(&project, &[], &fake.env());
        // So much that the first call is made, and none of those to whom it hands on.
        let first = json!({"sync": true, "max_tokens": 1});
        let task = server.post(&format!("/run/pipeline/{pipeline}"), &first).await.status(402);
        let error = task["error"].as_str().unwrap();
        let call: u64 = error.split("up to ").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
        let limit = json!({"sync": true, "max_tokens": call + CALL});
        let task = server.post(&format!("/run/pipeline/{pipeline}"), &limit).await;
        let task = task.status(402);
        assert_eq!(task["spent"][0]["calls"], json!(1), "{task}");
        assert_eq!(fake.bodies().len(), 1, "neither the others nor the next step nor the boss go on: {task}");
        let id = task["task_id"].as_str().unwrap();
        server.post(&format!("/tasks/{id}/resume"), &json!({"max_tokens": 1_000_000})).await.status(202);
        let task = server.ended(id).await;
        assert_eq!(task["status"], "completed", "{task}");
        let asked =
            fake.bodies().iter().filter(|body| body["messages"].as_array().unwrap().len() == 1).count();
        assert!(asked > 2, "{task}");
    }
}

#[tokio::test]
async fn every_run_of_a_command_is_counted_and_leaves_a_session() {
    let (fake, project) = (model().await, project());
    let cost = || -> Value { serde_json::from_str(&project.run(["cost", "--json"]).success()).unwrap() };
    assert_eq!(project.run_in(&fake.env(), ["run", "poet", "-x"]).success(), "Roses\n");
    let server = Server::start(&project, &[], &fake.env());
    // While a server keeps the tasks, too.
    project.run_in(&fake.env(), ["pipeline", "run", "two", "-x"]).success();
    server.post("/run/employee/poet", &json!({"sync": true})).await.status(200);
    let told = cost();
    assert_eq!((&told["total_tasks"], &told["by_trigger"]["cli"]["calls"]), (&json!(3), &json!(3)), "{told}");
    assert_eq!(server.get("/api/cost/summary").await.status(200), told);
    let rows: Value = serde_json::from_str(&project.run(["session", "list", "--json"]).success()).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 3, "{rows}");
}

#[tokio::test]
async fn a_cancelled_run_leaves_a_session_with_what_it_had_done() {
    let project = project();
    let mut fake = FakeModel::held(|_| Ok("Roses".to_owned())).await;
    let url = fake.url.clone();
    let env = [("ANTHROPIC_API_KEY", "test-key"), ("ANTHROPIC_BASE_URL", url.as_str())];
    let server = Server::start(&project, &[], &env);
    let id = server.accepted("/run/pipeline/two", &json!({})).await;
    fake.asked().await;
    fake.release(1);
    fake.asked().await;
    let task = server.post(&format!("/tasks/{id}/cancel"), &json!({})).await.status(202);
    assert_eq!(task["status"], "cancelled");
    let events: Vec<Value> = project
        .read(&format!(".crew/sessions/{id}.jsonl"))
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["start", "message", "end"], "{events:#?}");
    assert_eq!((&events[1]["content"], &events[2]["status"]), (&json!("Roses"), &json!("cancelled")));
    assert_eq!(events[2]["metadata"]["calls"], 1);
}

#[tokio::test]
async fn a_discussion_is_planned_as_others_are() {
    let (fake, project) = (model().await, project());
    project.write(
        ".crew/discussions/talk.yaml",
        "topic: $what\naction_output: true\nparticipants: [{employee: poet}, {employee: critic}]\nrounds: [{name: one}, {name: two, interaction: cross-examine}]\n",
    );
    let told = project.run_in(&fake.env(), ["plan", "talk", "--json"]).success();
    let plan: Value = serde_json::from_str(&told).unwrap();
    let steps: Vec<_> =
        plan["steps"].as_array().unwrap().iter().map(|step| step["step_id"].as_str().unwrap()).collect();
    let all = ["1:poet", "1:critic", "2:poet", "2:poet:answers", "2:critic", "2:critic:answers", "synthesis"];
    assert_eq!(steps, all);
    assert_eq!(
        (&plan["target_type"], &plan["calls"]),
        (&json!("discussion"), &json!({"least": 5, "most": 20}))
    );
    assert!(plan["cost"]["high_usd"].as_f64() > plan["cost"]["low_usd"].as_f64(), "{plan}");
    assert_eq!(fake.bodies().len(), 0);
    let server = Server::start(&project, &[], &fake.env());
    let same = server.get("/api/plan/discussion/talk?what=tea").await.status(200);
    assert_eq!(same["steps"].as_array().unwrap().len(), all.len());
    assert_eq!(
        server.get("/api/plan/pipeline/two").await.status(200)["calls"],
        json!({"least": 2, "most": 2})
    );
    assert_eq!(server.get("/api/plan/employee/poet").await.status(200)["target_type"], "employee");
    let near = server.get("/api/plan/discussion/tolk").await.problem(404, "not-found");
    assert!(near.contains("did you mean `talk`?"), "{near}");
    server.get("/api/plan/pipeline/talk").await.problem(404, "not-found");
    server.get("/api/plan/nothing/talk").await.problem(404, "not-found");
    // Once it was held often enough, it is known what that takes.
    for _ in 0..3 {
        server
            .post("/run/discussion/talk", &json!({"sync": true, "args": {"what": "tea"}}))
            .await
            .status(200);
    }
    let known = server.get("/api/plan/discussion/talk").await.status(200);
    assert_eq!(known["cost"]["runs"], 3, "{known}");
}
