//! Pipelines at work: ways taken, loops gone round, and a run that goes on where it was cut off.

use serde_json::{Value, json};

use crate::support::{FakeModel, Project, Server};

const MODEL: &str = "claude-test";

fn project(pipeline: &str) -> Project {
    let project = Project::small(MODEL);
    project.write(".crew/pipelines/p.yaml", pipeline);
    project
}

/// Runs the pipeline `p` to its end in a process of its own.
fn run(project: &Project, model: &FakeModel, words: &[&str]) -> (Option<i32>, Value) {
    let mut all = vec!["pipeline", "run", "p", "-x", "--json"];
    all.extend_from_slice(words);
    let output = project.command(all).envs(model.env()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let value = serde_json::from_str(&text).unwrap_or_else(|_| json!({"stdout": text, "stderr": stderr}));
    (output.status.code(), value)
}

/// Each step that ran: its number, why it ran, what it gave.
fn told(run: &Value) -> Vec<String> {
    fn one(step: &Value) -> String {
        let branch = step["branch"].as_str().map(|branch| format!(" {branch}")).unwrap_or_default();
        let skipped = if step["skipped"] == json!(true) { " skipped" } else { "" };
        format!("{}{branch}{skipped}: {}", step["step_index"], step["output"].as_str().unwrap())
    }
    let steps = run["steps"].as_array().unwrap_or_else(|| panic!("{run}"));
    steps
        .iter()
        .flat_map(|item| item.as_array().cloned().unwrap_or_else(|| vec![item.clone()]))
        .map(|step| one(&step))
        .collect()
}

/// Answers with what the employee was given to work on.
fn given(prompt: &str) -> String {
    let (_, rest) = prompt.split_once("Work on ").unwrap();
    rest.trim().trim_end_matches('.').to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_takes_one_way_and_hands_on_what_it_gave() {
    let project = project(
        "
args: [{name: mode, default: quick}]
steps:
  - {id: first, employee: writer, args: {topic: $mode}}
  - condition:
      check: '{prev}'
      equals: deep
      then:
        - parallel:
            - {id: a, employee: writer, args: {topic: 'a of {prev}'}}
            - {id: b, employee: writer, args: {topic: 'b of {prev}'}}
      else:
        - {id: c, employee: writer, args: {topic: 'c of {prev}'}}
  - {employee: checker, args: {text: '<{prev}|{steps.c.output}>'}}
  - condition:
      check: '{prev}'
      contains: nowhere
      then:
        - {employee: writer, args: {topic: never}}
  - {employee: checker, args: {text: 'last {prev}'}}
",
    );
    let model = FakeModel::answering(|prompt| Ok(given(prompt))).await;
    let (code, quick) = run(&project, &model, &[]);
    assert_eq!(code, Some(0), "{quick}");
    assert_eq!(
        told(&quick),
        ["0: quick", "3 else: c of quick", "4: <c of quick|c of quick>", "6: last <c of quick|c of quick>"]
    );
    let (_, deep) = run(&project, &model, &["--arg", "mode=deep"]);
    let joined = "<a of deep\n\n---\n\nb of deep|>";
    assert_eq!(
        told(&deep),
        [
            "0: deep",
            "1 then: a of deep",
            "2 then: b of deep",
            &format!("4: {joined}"),
            &format!("6: last {joined}"),
        ]
    );
    assert!(deep["steps"][1].is_array() && quick["steps"][1].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_goes_round_until_its_test_holds() {
    let project = project(
        "
steps:
  - loop:
      max_iterations: 9
      steps:
        - {id: w, employee: writer, args: {topic: '{prev}+'}}
        - {id: skip, employee: writer, when: {check: '{prev}', equals: '++'}, args: {topic: 'only once'}}
        - {id: c, employee: checker, args: {text: '{prev}'}}
      until: {check: '{steps.c.output}', matches: '^.{5,}$'}
  - {employee: checker, args: {text: '{prev} {steps.w.output}'}}
",
    );
    let model = FakeModel::answering(|prompt| Ok(given(prompt))).await;
    let (code, run) = run(&project, &model, &[]);
    assert_eq!(code, Some(0), "{run}");
    assert_eq!(
        told(&run),
        [
            "0 loop-0: +",
            "1 loop-0 skipped: ",
            "2 loop-0: +",
            "0 loop-1: ++",
            "1 loop-1: only once",
            "2 loop-1: only once",
            "3: only once ++",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_tried_as_often_as_it_says() {
    let project = project(
        "
steps:
  - {employee: writer, retry: 2, args: {topic: x}}
",
    );
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let model = FakeModel::answering(move |_| {
        if tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            Err(400)
        } else {
            Ok("done".to_owned())
        }
    })
    .await;
    let (code, run) = run(&project, &model, &[]);
    assert_eq!((code, told(&run)), (Some(0), vec!["0: done".to_owned()]));
    assert_eq!(model.prompts().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_takes_too_long_fails() {
    let project = project("steps:\n  - {employee: writer, timeout_seconds: 1, args: {topic: x}}\n");
    let model = FakeModel::held(|_| Ok(String::new())).await;
    let (code, run) = run(&project, &model, &[]);
    assert_eq!(code, Some(1));
    assert_eq!(run["steps"][0]["error_message"], "it took longer than the 1 s it may take");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_decided_ends_the_run() {
    let project = project(
        "
fail_fast: false
steps:
  - {id: a, employee: writer, args: {topic: x}}
  - condition: {check: '{steps.a.json.ok}', equals: 'true', then: [{employee: writer, args: {topic: y}}]}
",
    );
    let model = FakeModel::answering(|_| Ok("no JSON".to_owned())).await;
    let output = project.command(["pipeline", "run", "p", "-x"]).envs(model.env()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("the condition `{steps.a.json.ok}` cannot be decided"), "{stderr}");
}

const LONG_WAY: &str = "
steps:
  - {id: first, employee: writer, args: {topic: go}}
  - condition:
      check: '{prev}'
      equals: go
      then:
        - {id: one, employee: writer, args: {topic: one}}
        - {id: two, employee: writer, args: {topic: 'two after {prev}'}}
      else:
        - {employee: writer, args: {topic: wrong}}
  - loop:
      max_iterations: 3
      steps:
        - {id: w, employee: writer, args: {topic: 'w {prev}'}}
        - parallel:
            - {id: l, employee: checker, args: {text: l}}
            - {id: r, employee: checker, args: {text: r}}
      until: {check: '{steps.w.output}', contains: 'w l'}
  - {employee: checker, args: {text: 'end {prev}'}}
";

/// Starts the long way, lets `answered` calls through, kills the server while the next ones hang, starts it again and
/// gives the finished task and all prompts.
async fn cut_off_after(answered: usize) -> (Value, Vec<String>) {
    let project = project(LONG_WAY);
    let mut model = FakeModel::held(|prompt| Ok(given(prompt))).await;
    let url = model.url.clone();
    let env = [("ANTHROPIC_API_KEY", "test-key"), ("ANTHROPIC_BASE_URL", url.as_str())];
    let server = Server::start(&project, &[], &env);
    let id =
        server.post("/run/pipeline/p", &json!({})).await.status(202)["task_id"].as_str().unwrap().to_owned();
    for _ in 0..answered {
        model.asked().await;
        model.release(1);
    }
    model.asked().await;
    // Whatever was answered must be on the disk before the lights go out.
    loop {
        let task = server.get(&format!("/tasks/{id}")).await.status(200);
        let done = task["steps"].as_array().map_or(0, Vec::len);
        if done >= answered {
            break;
        }
        tokio::task::yield_now().await;
    }
    server.kill();
    model.release(100);
    let server = Server::start(&project, &[], &env);
    (server.ended(&id).await, model.prompts())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_cut_off_goes_on_at_the_very_step() {
    let whole = [
        "0: go",
        "1 then: one",
        "2 then: two after one",
        "4 loop-0: w two after one",
        "5 loop-0: l",
        "6 loop-0: r",
        "4 loop-1: w l\n\n---\n\nr",
        "5 loop-1: l",
        "6 loop-1: r",
        "7: end l\n\n---\n\nr",
    ];
    // In the condition, at its end, in a group of the loop, in its second round.
    for answered in [2, 3, 5, 6, 7] {
        let (task, prompts) = cut_off_after(answered).await;
        assert_eq!(task["status"], "completed", "{task}");
        assert_eq!(told(&task["result"]), whole, "cut off after {answered}");
        // What was asked when the lights went out is asked again, the rest only once.
        let again = prompts.len() - whole.len();
        assert!((1..=2).contains(&again), "{again} after {answered}: {prompts:#?}");
    }
}

/// Goes on in spite of a failed step, now and when it is resumed.
#[tokio::test(flavor = "multi_thread")]
async fn a_flag_has_the_other_steps_done_when_one_fails() {
    const THREE: &str = "
steps:
  - {id: one, employee: writer, args: {topic: one}}
  - {id: bad, employee: writer, args: {topic: bad}}
  - {id: last, employee: checker, args: {text: 'last {steps.one.output}'}}
";
    let project = project(THREE);
    let fails = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let bad = std::sync::Arc::clone(&fails);
    let model = FakeModel::answering(move |prompt| match given(prompt) {
        topic if topic == "bad" && bad.load(std::sync::atomic::Ordering::SeqCst) => Err(400),
        topic => Ok(topic),
    })
    .await;
    let (code, ran) = run(&project, &model, &[]);
    assert_eq!((code, told(&ran)), (Some(1), vec!["0: one".to_owned(), "1: ".to_owned()]));
    let (code, ran) = run(&project, &model, &["--no-fail-fast"]);
    assert_eq!(
        (code, told(&ran)),
        (Some(0), vec!["0: one".to_owned(), "1: ".to_owned(), "2: last one".to_owned()])
    );

    // A budget has it kept, so that it can go on.
    let (code, _) = run(&project, &model, &["--max-tokens", "1000000"]);
    assert_eq!(code, Some(1));
    let rows = project.run(["pipeline", "checkpoint", "list", "--json"]).success();
    let rows: Value = serde_json::from_str(&rows).unwrap();
    let id = rows[0]["task_id"].as_str().unwrap();
    let resume = |words: &[&str]| {
        let words = [&["pipeline", "checkpoint", "resume", id, "--json"], words].concat();
        let finished = project.run_in(&model.env(), words);
        (finished.code, serde_json::from_str::<Value>(&finished.stdout).unwrap())
    };
    let asked = model.prompts().len();
    let (code, ran) = resume(&["--retry-failed"]);
    assert_eq!((code, told(&ran).len(), model.prompts().len() - asked), (Some(1), 2, 1), "{ran}");
    let (code, ran) = resume(&["--retry-failed", "--no-fail-fast"]);
    assert_eq!((code, told(&ran).len(), model.prompts().len() - asked), (Some(0), 3, 3), "{ran}");
    fails.store(false, std::sync::atomic::Ordering::SeqCst);
    let rows = project.run(["pipeline", "checkpoint", "list"]).success();
    assert!(!rows.contains(id), "{rows}");
}
