//! What came of deliveries is counted.

use serde_json::json;

use super::{HASTE, delivery, project};
use crate::support::{Receiver, Server};

#[tokio::test]
async fn attempts_are_counted_by_what_came_of_them() {
    // Taken at once; put off and taken; refused for good.
    let receiver = Receiver::with_statuses(&[200, 503, 200, 404]).await;
    let project = project(&receiver, "  - {type: webhook, url: 'URL/hook'}");
    let server = Server::start(&project, &[], &[HASTE]);
    let none = server.get("/metrics").await.status(200);
    assert_eq!(none["deliveries"], json!({"sent": 0, "retry": 0, "dead": 0}));
    for status in ["delivered", "delivered", "dead"] {
        let task = server.accepted("/run/pipeline/report", &json!({"args": {"text": "x"}})).await;
        delivery(&server, &task, status).await;
    }
    let counted = json!({"sent": 2, "retry": 1, "dead": 1});
    let all = server.until("/metrics", |all| all["deliveries"] == counted).await;
    assert_eq!(all["calls"]["total"], 3, "{all}");
    let text = server.get("/metrics/prometheus").await.text;
    for line in [
        "crew_deliveries_total{type=\"webhook\",outcome=\"sent\"} 2",
        "crew_deliveries_total{type=\"webhook\",outcome=\"retry\"} 1",
        "crew_deliveries_total{type=\"webhook\",outcome=\"dead\"} 1",
        "crew_outbox{status=\"delivered\"} 2",
        "crew_outbox{status=\"dead\"} 1",
        "crew_outbox{status=\"pending\"} 0",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}:\n{text}");
    }
}
