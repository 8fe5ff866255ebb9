//! Several servers share the tasks of a project through a database. Needs one: `CREW_TEST_POSTGRES=postgres://…`.

mod cut;
mod order;
mod shared;
mod stage;

use serde_json::Value;

use crate::support::{FIVE, Project};

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

fn names(task: &Value) -> Vec<&str> {
    task["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect()
}
