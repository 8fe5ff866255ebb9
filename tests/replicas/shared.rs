//! What two servers do together.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{names, project, stage::database};
use crate::support::{FakeModel, Receiver, Server, THREE_TWICE, first_word, github_signature, patiently};

#[tokio::test]
async fn idle_servers_take_what_busy_ones_have_no_hands_for() {
    let Some(database) = database() else { return };
    let mut fake = FakeModel::held(first_word).await;
    let (one, other) = (project(), project());
    one.write(".crew/config.yaml", "tasks: {workers: 2}\n");
    other.write(".crew/config.yaml", "tasks: {workers: 2}\n");
    let a = database.server(&one, &fake.env());
    let b = database.server(&other, &fake.env());
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(a.accepted("/run/employee/writer", &json!({"args": {"topic": format!("n{number}")}})).await);
    }
    // Two on each: the others wait.
    for _ in 0..4 {
        fake.asked().await;
    }
    let running = a.until("/tasks?status=running", |all| all["tasks"].as_array().unwrap().len() == 4).await;
    assert_eq!(running["tasks"].as_array().unwrap().len(), 4);
    fake.release(100);
    for id in &ids {
        let (here, there) = (a.ended(id).await, b.ended(id).await);
        assert_eq!(here["status"], "completed", "{here}");
        assert_eq!(here, there, "all servers tell the same");
    }
    assert_eq!(fake.works().len(), 6);
    let begun = |id: &String| {
        let lines = database.lines(id);
        let mut started = lines.into_iter().filter(|(_, line)| line["event"] == "started");
        let (writer, _) = started.next().unwrap();
        assert!(started.next().is_none(), "each was begun once");
        writer
    };
    let who: HashSet<String> = ids.iter().map(begun).collect();
    assert_eq!(who.len(), 2, "both have worked");
    assert_eq!((a.tasks().await.len(), b.tasks().await), (6, a.tasks().await));
}

#[tokio::test]
async fn what_a_dead_server_had_is_finished_by_another() {
    let Some(database) = database() else { return };
    let mut fake = FakeModel::held(first_word).await;
    let (one, other) = (project(), project());
    let a = database.server(&one, &fake.env());
    let b = database.server(&other, &fake.env());
    let id = a.begin_five(&mut fake, 2).await;
    b.until(&format!("/tasks/{id}"), |task| names(task).len() == 2).await;
    a.kill();
    fake.asked().await;
    fake.release(100);
    let task = b.ended(&id).await;
    assert_eq!((&task["status"], &task["attempts"]), (&json!("completed"), &json!(2)), "{task}");
    assert_eq!(fake.works(), THREE_TWICE);
    // Whoever comes later is told the same.
    let c = database.server(&one, &fake.env());
    assert_eq!(c.get(&format!("/tasks/{id}")).await.status(200), task);
}

#[tokio::test]
async fn a_key_is_accepted_once_by_all() {
    let Some(database) = database() else { return };
    let fake = FakeModel::answering(first_word).await;
    let (one, other) = (project(), project());
    let (a, b) = (database.server(&one, &fake.env()), database.server(&other, &fake.env()));
    let ask = async |server: &Server, number: usize| {
        let body = json!({"args": {"topic": "tea"}});
        let request = server.request(Method::POST, "/run/employee/writer").json(&body);
        let reply = server.send(request.header("idempotency-key", format!("key-{number}"))).await;
        reply.json()["task_id"].as_str().unwrap().to_owned()
    };
    for number in 0..10 {
        let (here, there) = tokio::join!(ask(&a, number), ask(&b, number));
        assert_eq!(here, there);
    }
    assert_eq!(a.tasks().await.len(), 10);
    // Whoever was told of a task by one may ask another at once.
    for _ in 0..20 {
        let id = a.accepted("/run/employee/writer", &json!({"args": {"topic": "tea"}})).await;
        b.get(&format!("/tasks/{id}")).await.status(200);
    }
    assert_eq!(b.get("/tasks/unknown").await.status, 404);
}

#[tokio::test]
async fn what_one_asks_another_decides_once() {
    let Some(database) = database() else { return };
    let fake = FakeModel::answering(first_word).await;
    let (one, other) = (project(), project());
    let (a, b) = (database.server(&one, &fake.env()), database.server(&other, &fake.env()));
    let id = a.accepted("/run/pipeline/gated", &json!({})).await;
    let path = format!("/tasks/{id}");
    b.until(&path, |task| task["status"] == "awaiting_approval").await;
    a.until(&path, |task| task["status"] == "awaiting_approval").await;
    let decide = |server: &Server| {
        let request = server.request(Method::POST, &format!("{path}/approve"));
        request.json(&json!({"approved": true}))
    };
    // Whoever follows it hears of it, wherever it is done.
    let followed = format!("{path}/events");
    let (here, there, told) = tokio::join!(a.send(decide(&a)), b.send(decide(&b)), b.get(&followed));
    assert!(told.text.contains("1:ship") && told.text.contains("completed"), "{}", told.text);
    let statuses = HashSet::from([here.status.as_u16(), there.status.as_u16()]);
    assert_eq!(statuses, HashSet::from([200, 409]), "{here:?} {there:?}");
    let task = a.ended(&id).await;
    assert_eq!((&task["status"], &b.ended(&id).await), (&json!("completed"), &task));
    assert_eq!(fake.works().len(), 2);
}

#[tokio::test]
async fn what_runs_elsewhere_can_be_stopped_from_here() {
    let Some(database) = database() else { return };
    let mut fake = FakeModel::held(first_word).await;
    let (one, other) = (project(), project());
    let a = database.server(&one, &fake.env());
    let id = a.begin_five(&mut fake, 0).await;
    let b = database.server(&other, &fake.env());
    let cancelled = b.post(&format!("/tasks/{id}/cancel"), &json!({})).await;
    assert!(cancelled.status.is_success(), "{cancelled:?}");
    fake.given_up().await;
    let task = a.ended(&id).await;
    assert_eq!((&task["status"], b.ended(&id).await), (&json!("cancelled"), task.clone()));
    let ended: Vec<_> =
        database.lines(&id).into_iter().filter(|(_, line)| line["event"] == "finished").collect();
    assert_eq!(ended.len(), 1);
    // And it goes on where it is told to.
    fake.release(100);
    b.post(&format!("/tasks/{id}/resume"), &json!({})).await;
    let task = b.ended(&id).await;
    assert_eq!((&task["status"], &task["resumed"]), (&json!("completed"), &json!(1)), "{task}");
    patiently(async || (a.ended(&id).await == task).then_some(())).await;
}

#[tokio::test]
async fn a_delivery_of_github_repeated_elsewhere_starts_nothing_twice() {
    let Some(database) = database() else { return };
    let fake = FakeModel::answering(first_word).await;
    let routes = "github_secret: ${HOOK_SECRET}\nroutes:\n  - event: push\n    target: {type: employee, name: writer, args: {topic: x}}\n";
    let (one, other) = (project(), project());
    one.write(".crew/webhook.yaml", routes);
    other.write(".crew/webhook.yaml", routes);
    let env: Vec<_> = fake.env().into_iter().chain([("HOOK_SECRET", "a-secret-of-tests")]).collect();
    let (a, b) = (database.server(&one, &env), database.server(&other, &env));
    let body = br#"{"ref":"refs/heads/main"}"#;
    let deliver = async |server: &Server| {
        let request = server
            .request(Method::POST, "/webhook/github")
            .header("content-type", "application/json")
            .header("x-github-event", "push")
            .header("x-github-delivery", "72d3162e")
            .header("x-hub-signature-256", github_signature("a-secret-of-tests", body))
            .body(body.to_vec());
        server.send(request).await.json()
    };
    let first = deliver(&a).await;
    let again = deliver(&b).await;
    assert_eq!(
        (&again["task_id"], &again["duplicate"]),
        (&first["task_id"], &json!(true)),
        "{first} {again}"
    );
    a.ended(first["task_id"].as_str().unwrap()).await;
    a.kill();
    assert_eq!(deliver(&b).await["task_id"], first["task_id"]);
    assert_eq!((b.tasks().await.len(), fake.works().len()), (1, 1));
}

#[tokio::test]
async fn a_schedule_that_is_due_starts_once() {
    let Some(database) = database() else { return };
    let fake = FakeModel::answering(first_word).await;
    let cron = "schedules: [{name: often, cron: '* * * * * *', target_type: employee, target_name: writer, args: {topic: tea}}]\n";
    let (one, other) = (project(), project());
    one.write(".crew/cron.yaml", cron);
    other.write(".crew/cron.yaml", cron);
    let (a, b) = (database.server(&one, &fake.env()), database.server(&other, &fake.env()));
    let path = "/tasks?trigger=cron&status=completed";
    let told = b.until(path, |all| all["tasks"].as_array().unwrap().len() >= 4).await;
    let mut keys = Vec::new();
    for task in told["tasks"].as_array().unwrap() {
        let task = a.get(&format!("/tasks/{}", task["task_id"].as_str().unwrap())).await.status(200);
        keys.push(task["idempotency_key"].as_str().unwrap().to_owned());
    }
    let distinct: HashSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len(), "{keys:?}");
}

#[tokio::test]
async fn the_result_that_a_dead_server_owed_is_delivered_by_another() {
    let Some(database) = database() else { return };
    let fake = FakeModel::answering(first_word).await;
    let mut receiver = Receiver::held().await;
    let config = "outbound: {allow: [127.0.0.1]}\n";
    let pipeline = format!(
        "steps:\n  - {{id: one, employee: writer, args: {{topic: tea}}}}\ndeliver:\n  - {{type: webhook, url: '{}/hook'}}\n",
        receiver.url
    );
    let (one, other) = (project(), project());
    for project in [&one, &other] {
        project.write(".crew/config.yaml", config);
        project.write(".crew/pipelines/told.yaml", &pipeline);
    }
    let (a, b) = (database.server(&one, &fake.env()), database.server(&other, &fake.env()));
    let id = a.accepted("/run/pipeline/told", &json!({})).await;
    receiver.arrival().await;
    a.kill();
    receiver.arrival().await;
    receiver.release(100);
    let path = format!("/deliveries?task_id={id}");
    b.until(&path, |all| all["deliveries"][0]["status"] == "delivered").await;
    let ids: HashSet<String> =
        receiver.received().iter().map(|got| got.header("webhook-id").to_owned()).collect();
    assert_eq!((ids.len(), receiver.received().len()), (1, 2), "the same delivery, by its id");
    // Everybody knows by then that nothing is owed.
    patiently(async || {
        let settled = database.lines(&id).iter().any(|(_, line)| line["event"] == "settled");
        settled.then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_servers_of_one_folder_share_it() {
    let Some(database) = database() else { return };
    let fake = FakeModel::answering(first_word).await;
    let receiver = Receiver::with_statuses(&[]).await;
    let project = project();
    let hook = format!("{{type: webhook, url: '{}/x'}}", receiver.url);
    project.write(
        ".crew/config.yaml",
        &format!("outbound: {{allow: [127.0.0.1]}}\ndestinations: {{hook: {hook}}}\n"),
    );
    let (a, b) = (database.server(&project, &fake.env()), database.server(&project, &fake.env()));
    let order = json!({"args": {"topic": "tea"}, "deliver": ["hook"]});
    let id = a.accepted("/run/employee/writer", &order).await;
    let other = b.accepted("/run/employee/writer", &order).await;
    for id in [&id, &other] {
        let (mut here, mut there) = (a.ended(id).await, b.ended(id).await);
        assert_eq!(here["status"], "completed", "{here}");
        // Deliveries are told by who makes them.
        for told in [&mut here, &mut there] {
            told.as_object_mut().unwrap().remove("deliveries");
        }
        assert_eq!(here, there);
    }
    assert!(!project.path().join(".crew/tasks.jsonl").try_exists().unwrap(), "no file is kept beside");
    // Whoever of them writes the log of deliveries, results go out from both.
    for (server, id) in [(&a, &id), (&b, &other)] {
        let path = format!("/deliveries?task_id={id}");
        server.until(&path, |all| all["deliveries"][0]["status"] == "delivered").await;
    }
}

#[tokio::test]
async fn commands_work_beside_servers_and_without() {
    let Some(database) = database() else { return };
    let fake = FakeModel::answering(first_word).await;
    let (one, mine) = (project(), project());
    let env = [&database.env()[..], &fake.env()].concat();
    let json = |words: &[&str]| -> Value {
        serde_json::from_str(&mine.run_in(&env, [words, &["--json"]].concat()).success()).unwrap()
    };
    assert_eq!(json(&["task", "list"]), json!([]), "nothing is made by a look");
    let a = database.server(&one, &fake.env());
    let id = a.accepted("/run/pipeline/five", &json!({"args": {"topic": "tea"}})).await;
    let gated = a.accepted("/run/pipeline/gated", &json!({})).await;
    let task = a.ended(&id).await;
    a.until(&format!("/tasks/{gated}"), |task| task["status"] == "awaiting_approval").await;
    assert_eq!(json(&["task", "list"]).as_array().unwrap().len(), 2);
    let shown = json(&["task", "show", &id]);
    assert_eq!((&shown["result"], &shown["steps"]), (&task["result"], &task["steps"]));
    mine.run_in(&env, ["task", "approve", &gated]).success();
    assert_eq!(a.ended(&gated).await["status"], "completed");
    let again = mine.run_in(&env, ["task", "replay", &id]).success();
    assert!(again.contains("[five]"), "{again}");
    a.kill();
    // Nobody else is there: the command does the work itself.
    mine.run_in(&env, ["task", "replay", &id]).success();
    assert_eq!(json(&["task", "list", "--status", "completed"]).as_array().unwrap().len(), 4);
    let cost = json(&["cost"]);
    assert_eq!(cost["total_tasks"], 4, "{cost}");
}

#[tokio::test]
async fn what_ended_is_forgotten_by_all() {
    let Some(database) = database() else { return };
    let fake = FakeModel::answering(first_word).await;
    let (one, other) = (project(), project());
    for project in [&one, &other] {
        project.write(".crew/config.yaml", "tasks: {retain_count: 3}\n");
    }
    let (a, b) = (database.server(&one, &fake.env()), database.server(&other, &fake.env()));
    let mut ids = Vec::new();
    for number in 0..8 {
        let server = if number % 2 == 0 { &a } else { &b };
        let id = server.accepted("/run/employee/writer", &json!({"args": {"topic": "tea"}})).await;
        server.ended(&id).await;
        ids.push(id);
    }
    let rest = ids.split_off(5);
    patiently(async || {
        let counts = database.ask("select count(distinct subject)::text from {s}.lines");
        let left: usize = counts[0][0].parse().unwrap();
        (left <= 4 && a.tasks().await.len() == 3 && b.tasks().await.len() == 3).then_some(())
    })
    .await;
    for id in &rest {
        let task = b.get(&format!("/tasks/{id}")).await.status(200);
        assert_eq!(
            (&task["status"], &a.get(&format!("/tasks/{id}")).await.json()),
            (&json!("completed"), &task)
        );
    }
    assert_eq!(a.get(&format!("/tasks/{}", ids[0])).await.status, 404);
}

#[tokio::test]
async fn tasks_come_into_the_database_and_out_of_it() {
    let Some(database) = database() else { return };
    let mut fake = FakeModel::held(first_word).await;
    let project = project();
    // First on files: one that ended, one that waits for a person, one that is cut off.
    let server = Server::start(&project, &[], &fake.env());
    let gated = server.accepted("/run/pipeline/gated", &json!({})).await;
    fake.asked().await;
    fake.release(1);
    server.until(&format!("/tasks/{gated}"), |task| task["status"] == "awaiting_approval").await;
    let ended = server.accepted("/run/employee/writer", &json!({"args": {"topic": "tea"}})).await;
    fake.asked().await;
    fake.release(1);
    let before = server.ended(&ended).await;
    let cut = server.accepted("/run/pipeline/five", &json!({"args": {"topic": "tea"}})).await;
    fake.asked().await;
    fake.release(1);
    fake.asked().await;
    server.until(&format!("/tasks/{cut}"), |task| names(task).len() == 1).await;
    let env = [&database.env()[..], &fake.env()].concat();
    let refused = project.run_in(&env, ["task", "import"]).status(1);
    assert!(refused.contains("belong to process"), "{refused}");
    server.kill();

    let said = project.run_in(&env, ["task", "import"]).success();
    assert!(said.starts_with("3 tasks") && said.contains("0 were there"), "{said}");
    let again = project.run_in(&env, ["task", "import", ".crew/tasks.jsonl.imported"]).success();
    assert!(again.starts_with("0 tasks") && again.contains("3 were there"), "{again}");
    fake.release(100);
    let server = database.server(&project, &fake.env());
    assert_eq!(server.get(&format!("/tasks/{ended}")).await.status(200), before);
    assert_eq!(server.ended(&cut).await["status"], "completed");
    server.post(&format!("/tasks/{gated}/approve"), &json!({"approved": true})).await.status(200);
    assert_eq!(server.ended(&gated).await["status"], "completed");
    let works = fake.works();
    assert_eq!(works.iter().filter(|work| work.starts_with("one")).count(), 1, "{works:?}");

    // What a backup holds is a journal as any other.
    project.run_in(&env, ["backup", "-o", "all.tar.gz"]).success();
    let all: Value = server.tasks().await.into();
    let told = project.run_in(&env, ["restore", "all.tar.gz", "--force"]).status(1);
    assert!(told.contains("servers share the tasks of this project"), "{told}");
    server.kill();
    let other = crate::support::Project::empty();
    let archive = project.path().join("all.tar.gz");
    other.run(["restore", archive.to_str().unwrap()]).success();
    let server = Server::start(&other, &[], &fake.env());
    assert_eq!(Value::from(server.tasks().await), all);
}

#[tokio::test]
async fn runs_of_one_lane_go_on_one_after_the_other_in_all_servers() {
    let Some(database) = database() else { return };
    let fake = FakeModel::answering(first_word).await;
    let (one, other) = (project(), project());
    one.write(".crew/config.yaml", "tasks: {lanes: 1}\n");
    other.write(".crew/config.yaml", "tasks: {lanes: 1}\n");
    let (a, b) = (database.server(&one, &fake.env()), database.server(&other, &fake.env()));
    let mut ids = Vec::new();
    for number in 0..6 {
        let server = if number % 2 == 0 { &a } else { &b };
        ids.push(server.accepted("/run/employee/writer", &json!({"args": {"topic": "tea"}})).await);
    }
    for id in &ids {
        assert_eq!(a.ended(id).await["status"], "completed");
    }
    let rows = database.ask(
        "select line::json->>'event' from {s}.lines where line::json->>'event' in ('started', 'finished') order by n",
    );
    let order: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(order, ["started", "finished"].repeat(6));
}
