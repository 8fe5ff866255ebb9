//! Results get to where they are to go: once, after crashes, and with nothing on disk that is secret.

mod again;
mod alerts;
mod asked;
mod by_command;
mod http;
mod kept;
mod mail;
mod measured;
mod outbox;

use serde_json::Value;

use crate::support::{Project, Receiver, Server};

/// Short pauses, so that a test sees what otherwise takes minutes.
const HASTE: (&str, &str) = ("CREW_DELIVERY__RETRY_SECONDS", "0.01");

/// A project whose employee `worker` repeats `text`, and whose pipeline `report` has it do so and delivers the result.
fn project(receiver: &Receiver, deliver: &str) -> Project {
    reporting(&deliver.replace("URL", &receiver.url))
}

/// The same for results that go elsewhere.
fn reporting(deliver: &str) -> Project {
    let project = Project::empty();
    project.write(
        ".crew/employees/worker.md",
        "---\nname: worker\ndescription: Repeats\nmodel: echo\nargs: [{name: text, default: nothing}]\n---\n\nSay: $text\n",
    );
    project.write(".crew/config.yaml", "outbound: {allow: [127.0.0.1]}\n");
    project.write(
        ".crew/pipelines/report.yaml",
        &format!(
            "name: report\ndescription: Reports\nfail_fast: false\ndeliver:\n{deliver}\nsteps:\n  - {{id: one, employee: worker, args: {{text: '$text'}}}}\n"
        ),
    );
    project
}

/// The deliveries of a task, once `good` likes them.
async fn deliveries(server: &Server, task: &str, good: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let of = |task: &Value| task["deliveries"].as_array().cloned().unwrap_or_default();
    of(&server.until(&format!("/tasks/{task}"), |task| good(&of(task))).await)
}

/// The one delivery of a task, once it has come to this status.
async fn delivery(server: &Server, task: &str, status: &str) -> Value {
    let there = |deliveries: &[Value]| deliveries.len() == 1 && deliveries[0]["status"] == status;
    deliveries(server, task, there).await.remove(0)
}

/// Whether a text is in any file of the project but those that define it.
fn is_on_disk(project: &Project, text: &str) -> bool {
    let kept = project.tree().into_iter().filter(|(path, _)| {
        path.extension().is_none_or(|extension| extension != "yaml" && extension != "md")
    });
    kept.filter_map(|(_, content)| content)
        .any(|content| content.windows(text.len()).any(|window| window == text.as_bytes()))
}
