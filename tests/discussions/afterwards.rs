//! The plan of action that a discussion ends with, and who carries it out.

use serde_json::{Value, json};

use super::{ALL, Call, call, execute, held, model, person, plain, project, speech};
use crate::support::{Project, Server};

/// A plan of action is asked for once more when it cannot be used, and becomes a pipeline whose texts stay values.
#[tokio::test]
async fn a_plan_of_action_becomes_a_pipeline() {
    let action = |id: &str, after: &[&str], who: &str| json!({"id": id, "description": format!("do {id} $topic {{prev}} ${{task_1}}"), "assignee_role": who, "depends_on": after});
    let fake = model(move |call| {
        let circle = json!({"actions": [action("A1", &["A2"], "executor"), action("A2", &["A1"], "nobody")]});
        let good = json!({
            "decisions": ["tea"], "review_criteria": ["hot"],
            "actions": [action("C", &["B", "A"], "reviewer"), action("B", &[], "bob"), action("A", &[], "executor")],
        });
        match (call.who.is_empty(), call.message.contains("cannot be used")) {
            (true, false) => speech("PUT TOGETHER", &circle),
            (true, true) => good.to_string(),
            _ => plain(call),
        }
    })
    .await;
    let project = project(
        "topic: tea\nrounds: 1\naction_output: true\nparticipants:\n  - {employee: ann, execution_role: executor}\n  - \
         {employee: bob}\n  - {employee: cai, execution_role: reviewer}\n",
    );
    for name in ["ann", "bob", "cai"] {
        person(&project, name, "args: [{name: task, required: true}]\n");
    }
    let meeting = execute(&project, &fake, &[]);
    let again = call(fake.bodies().last().unwrap()).message;
    assert!(again.contains("`A2` is for `nobody`"), "{again}");
    let who: Vec<_> = meeting["action_plan"]["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| &a["assignee_employee"])
        .collect();
    assert_eq!(who, ["cai", "bob", "ann"]);
    let id = meeting["meeting_id"].as_str().unwrap();
    let before = project.tree();
    project.run(["discuss", "plan-to-pipeline", id]).success();
    assert_eq!(project.tree(), before);
    let file = ".crew/pipelines/plan-d.yaml";
    std::fs::create_dir_all(project.path().join(".crew/pipelines")).unwrap();
    project.run(["discuss", "plan-to-pipeline", id, "-o", file]).success();
    project.run(["discuss", "plan-to-pipeline", id, "-o", file]).status(1);
    project.run(["check"]).success();
    let asked = fake.bodies().len();
    let run = project.run_in(&fake.env(), ["pipeline", "run", "plan-d", "--execute", "--json"]).success();
    let run: Value = serde_json::from_str(&run).unwrap();
    let steps: Vec<_> = run["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            let group = step.as_array().cloned().unwrap_or_else(|| vec![step.clone()]);
            group
                .iter()
                .map(|step| step["step_id"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
                .join("+")
        })
        .collect();
    assert_eq!(steps, ["A+B", "C", "review"]);
    assert_eq!(fake.bodies().len(), asked + 4);
    let first = run["steps"][0][0]["args"]["task"].as_str().unwrap();
    assert!(first.starts_with("do A $topic {prev} ${task_1}"), "{first}");
}

/// What the model says in a discussion that ends with one action for `ann`.
fn planning(call: &Call<'_>) -> String {
    let plan = json!({"decisions": ["tea"], "actions": [{"id": "A1", "description": "boil $topic", "assignee_employee": "ann"}]});
    match (call.who.as_str(), call.round) {
        ("", _) if call.message.contains("A1") && !call.message.contains("SPEECH-") => {
            format!("DONE {}", call.message.len())
        }
        ("", _) => speech("PUT TOGETHER", &plan),
        _ => plain(call),
    }
}

/// The pipeline that comes after `d`, with these arguments.
fn with_pipeline(args: &str) -> Project {
    let project =
        project(&format!("topic: tea\nrounds: 1\naction_output: true\npost_pipeline: after\n{ALL}"));
    person(&project, "ann", "args: [{name: task}]\n");
    project.write(
        ".crew/pipelines/after.yaml",
        &format!("args: {args}\nsteps:\n  - {{employee: ann, args: {{task: '$actions'}}}}\n"),
    );
    project
}

#[tokio::test]
async fn a_plan_of_action_is_carried_out_once() {
    let mut fake = held(planning).await;
    let project =
        with_pipeline("[{name: actions, required: true}, {name: topic}, {name: other, default: x}]");
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/discussion/d", &json!({})).await;
    fake.release(4);
    let begun = |task: &Value| task["steps"].as_array().unwrap().iter().any(|step| step["step"] == "post");
    server.until(&format!("/tasks/{id}"), begun).await;
    fake.asked().await;
    server.kill();
    let server = Server::start(&project, &[], &fake.env());
    fake.release(100);
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "completed", "{task}");
    let after = task["result"]["afterwards"]["task_id"].as_str().unwrap();
    let ran = server.ended(after).await;
    assert_eq!(ran["args"], json!({"actions": "- A1 (ann): boil $topic\n", "topic": "tea", "other": "x"}));
    assert_eq!((&ran["status"], server.tasks().await.len()), (&json!("completed"), 2), "{ran}");
    let meeting = task["result"]["meeting_id"].as_str().unwrap();
    assert!(project.read(&format!(".crew/meetings/{meeting}.md")).contains(after));
}

#[tokio::test]
async fn what_cannot_be_begun_afterwards_is_told() {
    let fake = model(planning).await;
    let project = with_pipeline("[{name: actions}, {name: colour, required: true}]");
    let ended = project.run_in(&fake.env(), ["discuss", "run", "d", "--execute", "--json"]).success();
    let meeting: Value = serde_json::from_str(&ended).unwrap();
    let fault = meeting["afterwards"]["fault"].as_str().unwrap();
    assert!(fault.contains("`colour`"), "{fault}");
    // In the shell it is run to its end.
    let project = with_pipeline("[{name: actions}]");
    let told = project.run_in(&fake.env(), ["discuss", "run", "d", "--execute"]).success();
    assert!(told.contains("PUT TOGETHER") && told.contains("1. ann"), "{told}");
}
