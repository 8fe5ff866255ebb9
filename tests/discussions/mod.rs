//! Discussions that are held: who hears what, what is counted, what is kept.

mod afterwards;
mod counted;
mod delivered;
mod goes_on;
mod rounds;
mod told;

use serde_json::{Value, json};

use crate::support::{FakeModel, Project};

/// `ann`, `bob` and `cai`, and the discussion `d`.
fn project(discussion: &str) -> Project {
    let project = Project::empty();
    for name in ["ann", "bob", "cai"] {
        person(&project, name, "");
    }
    project.write(".crew/discussions/d.yaml", discussion);
    project
}

fn person(project: &Project, name: &str, more: &str) {
    let text = format!(
        "---\nname: {name}\ndisplay_name: {name}\ndescription: Talks\nmodel: claude-test\n{more}---\n\nI am {name}.\n"
    );
    project.write(&format!(".crew/employees/{name}.md"), &text);
}

const ALL: &str = "participants: [{employee: ann}, {employee: bob}, {employee: cai}]\n";

/// One call of a model.
struct Call<'b> {
    /// Who is asked; empty for who puts it together.
    who: String,
    /// The round, from 1; 0 for research, and for who puts it together.
    round: usize,
    /// What is to be answered.
    message: String,
    body: &'b Value,
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        other => other.as_array().into_iter().flatten().filter_map(|block| block["text"].as_str()).collect(),
    }
}

fn call(body: &Value) -> Call<'_> {
    let system = text_of(&body["system"]);
    let between = |text: &str, before: &str, after: &str| -> String {
        let rest = text.split_once(before).map_or("", |(_, rest)| rest);
        rest.split_once(after).map_or("", |(found, _)| found).to_owned()
    };
    let who = [between(&system, "You are ", " ("), between(&system, "你是 ", "（")].concat();
    let messages = body["messages"].as_array().unwrap();
    // What is asked again follows the first message of the same conversation.
    let first = text_of(&messages[0]["content"]);
    let round = [between(&first, "**Round**: ", " of"), between(&first, "**轮次**：第 ", " /")].concat();
    Call {
        who,
        round: round.trim().parse().unwrap_or_default(),
        message: text_of(&messages.last().unwrap()["content"]),
        body,
    }
}

fn speech(text: &str, ballot: &Value) -> String {
    format!("{text}\n\n```json\n{ballot}\n```\n")
}

/// A model that says what `say` makes of a call.
async fn model(say: impl Fn(&Call<'_>) -> String + Send + Sync + 'static) -> FakeModel {
    let fake = held(say).await;
    fake.release(10_000);
    fake
}

/// The same, answering only what is released.
async fn held(say: impl Fn(&Call<'_>) -> String + Send + Sync + 'static) -> FakeModel {
    FakeModel::acting(move |body| json!([{"type": "text", "text": say(&call(body))}])).await
}

/// Says who speaks in which round, with an empty ballot.
fn plain(call: &Call<'_>) -> String {
    if call.who.is_empty() {
        return "PUT TOGETHER".to_owned();
    }
    speech(&format!("SPEECH-{}-{}", call.who, call.round), &json!({"position": call.who}))
}

fn execute(project: &Project, fake: &FakeModel, words: &[&str]) -> Value {
    let words = [&["discuss", "run", "d", "--execute", "--json"], words].concat();
    serde_json::from_str(&project.run_in(&fake.env(), words).success()).unwrap()
}

fn turns(meeting: &Value, round: usize) -> Vec<Value> {
    meeting["rounds"][round]["turns"].as_array().unwrap().clone()
}

/// The messages of the calls of `who` in `round`.
fn heard(fake: &FakeModel, who: &str, round: usize) -> Vec<String> {
    let bodies = fake.bodies();
    let calls = bodies.iter().map(call).filter(|call| call.who == who && call.round == round);
    calls.map(|call| call.message).collect()
}
