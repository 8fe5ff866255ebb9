//! Several servers share the tasks of a project through a database. Needs one: `CREW_TEST_POSTGRES=postgres://…`.

mod cut;
mod order;
mod shared;
mod stage;

use serde_json::Value;

use crate::support::{Project, work};

/// Five employees, one after the other.
const FIVE: &str = "
steps:
  - {id: one, employee: writer, args: {topic: 'one of $topic'}}
  - {id: two, employee: writer, args: {topic: 'two after {prev}'}}
  - {id: three, employee: checker, args: {text: 'three after {prev}'}}
  - {id: four, employee: writer, args: {topic: 'four after {steps.one.output}'}}
  - {id: five, employee: checker, args: {text: 'five after {prev}'}}
";

const GATED: &str = "
steps:
  - {id: build, employee: writer, args: {topic: build}}
  - {id: ship, employee: writer, approval: 'Ship it?', args: {topic: 'ship {prev}'}}
";

/// A project as it lies on each machine.
fn project() -> Project {
    let project = Project::small("claude-test");
    project.write(".crew/pipelines/five.yaml", FIVE);
    project.write(".crew/pipelines/gated.yaml", GATED);
    project
}

/// Answers with the first word of what is to be worked on.
#[expect(clippy::unnecessary_wraps, reason = "the form of an answer")]
fn first_word(prompt: &str) -> Result<String, u16> {
    Ok(format!("[{}]", work(prompt).split(' ').next().unwrap()))
}

fn names(task: &Value) -> Vec<&str> {
    task["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect()
}
