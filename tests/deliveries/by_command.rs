//! What commands send, when its receiver is away.

use serde_json::{Value, json};

use super::{HASTE, delivery, project};
use crate::support::{Project, Receiver, Server};

const LATER: (&str, &str) = ("CREW_DELIVERY__RETRY_SECONDS", "0.5");

fn listed(project: &Project) -> Value {
    let text = project.run(["deliveries", "list", "--json"]).success();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn a_schedule_that_is_run_by_hand_keeps_what_it_could_not_send() {
    let mut receiver = Receiver::with_statuses(&[503]).await;
    let project = project(&receiver, "  []");
    project.write(
        ".crew/cron.yaml",
        &format!(
            "timezone: UTC\nschedules:\n- {{name: daily, cron: '@daily', target_type: employee, target_name: worker, args: {{text: tea}}, delivery: [{{type: webhook, url: '{}/in'}}]}}\n",
            receiver.url
        ),
    );
    let run = project.run_in(&[LATER], ["cron", "run", "daily"]);
    assert!(run.stderr.contains("pending, tried once"), "{}", run.stderr);
    run.success();
    let list = listed(&project);
    assert_eq!(
        (&list["deliveries"][0]["status"], list["deliveries"].as_array().unwrap().len()),
        (&json!("pending"), 1)
    );
    let id = list["deliveries"][0]["task_id"].as_str().unwrap().to_owned();
    receiver.arrival().await;

    let server = Server::start(&project, &[], &[HASTE]);
    receiver.arrival().await;
    delivery(&server, &id, "delivered").await;
    let status = server.get("/cron/status").await.status(200);
    assert_eq!(status["schedules"][0]["last_status"], "completed", "{status}");
    // Beside the server it is done too, and nothing that was lost is called a success.
    let beside = project.run_in(&[HASTE], ["cron", "run", "daily"]);
    assert!(beside.stderr.contains("a server watches the clock"), "{}", beside.stderr);
    beside.success();
}

#[tokio::test]
async fn beside_a_server_what_was_not_delivered_is_no_success() {
    let receiver = Receiver::acting(|_, _| (503, Vec::new(), String::new())).await;
    let project = project(&receiver, "  - {type: webhook, url: 'URL/in'}");
    let _server = Server::start(&project, &[], &[HASTE]);
    let run = project.run_in(&[LATER], ["pipeline", "run", "report", "--arg", "text=tea", "-x"]);
    assert!(run.stderr.contains("what was not delivered is not kept"), "{}", run.stderr);
    assert!(run.status(1).contains("not kept"));
}
