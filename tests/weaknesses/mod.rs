//! What the predecessor got wrong in reading and rendering, one test each; the numbers are those of the list that was
//! made of it (A2: employees and prompts, A3: pipelines, A4: discussions, A6: skills, B1: the server, B2: webhooks, B3:
//! schedules, B4: deliveries, C2: memory, C3: evaluation, C4: records, C5: the command line).

mod cli;
mod deliveries;
mod discussions;
mod employees;
mod evaluation;
mod memory;
mod pipelines;
mod prompts;
mod records;
mod relevance;
mod server;
mod skills;
mod triggers;

use serde_json::Value;

use crate::support::{Finished, Project};

/// A definition with these fields beside its name and description.
fn employee(name: &str, fields: &str, body: &str) -> String {
    format!("---\nname: {name}\ndescription: Works\nmodel: echo\n{fields}---\n\n{body}\n")
}

/// A project with this one employee, `worker`.
fn with_worker(fields: &str, body: &str) -> Project {
    let project = Project::empty();
    project.write(".crew/employees/worker.md", &employee("worker", fields, body));
    project
}

/// What is printed, as JSON.
#[track_caller]
fn json(finished: Finished) -> Value {
    serde_json::from_str(&finished.success()).unwrap()
}

/// The codes of all that `check` says.
fn codes(project: &Project) -> Vec<String> {
    let checked: Value = serde_json::from_str(&project.run(["check", "--json"]).stdout).unwrap();
    let found = checked["diagnostics"].as_array().unwrap();
    found.iter().map(|found| found["code"].as_str().unwrap().to_owned()).collect()
}
