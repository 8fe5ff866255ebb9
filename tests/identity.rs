//! Agents of the identity service, as runs are told of them.

use serde_json::{Value, json};

use crate::support::{FakeModel, Project, Receiver, Server};

const TOKEN: &str = "id-s3cret-token";

/// A service that knows agent 3050, and of 7 no more than a name.
async fn service() -> Receiver {
    let known = json!({"agent_id": 3050, "configured": true, "nickname": "Lin Rui", "title": "Reviewer",
        "domains": ["api", "limits"], "memory": "Quotas are per client.", "api_key": "not-for-prompts"});
    let named = json!({"configured": false, "nickname": "Bo", "title": "not told"});
    Receiver::acting(move |_, asked| {
        let (status, body) = match asked.uri.as_str() {
            "/api/agents" => (200, json!([]).to_string()),
            "/api/agents/3050/config" => (200, known.to_string()),
            "/api/agents/7/config" => (200, named.to_string()),
            "/api/agents/500/config" => (503, String::new()),
            _ => (404, String::new()),
        };
        (status, Vec::new(), body)
    })
    .await
}

fn order(agent: impl Into<Value>) -> Value {
    json!({"args": {"topic": "tea"}, "agent_id": agent.into(), "sync": true})
}

#[tokio::test]
async fn a_run_is_told_who_its_agent_is_and_goes_on_where_nobody_can_tell() {
    let (model, service) = (FakeModel::answering(|_| Ok("done".to_owned())).await, service().await);
    let project = Project::small("claude-test");
    let env = [&model.env()[..], &[("KNOWLYR_ID_URL", &service.url), ("KNOWLYR_ID_TOKEN", TOKEN)]].concat();
    let server = Server::start(&project, &[], &env);
    let run = async |agent: Value| server.post("/run/employee/writer", &order(agent)).await.status(200);
    run(json!(3050)).await;
    let prompt = model.prompts().pop().unwrap();
    for told in [
        "## Who you are",
        "Name: Lin Rui",
        "Title: Reviewer",
        "Fields: api, limits",
        "| Quotas are per client.",
    ] {
        assert!(prompt.contains(told), "`{told}` is not in {prompt}");
    }
    assert!(!prompt.contains("not-for-prompts"), "{prompt}");
    let asked = service.received().pop().unwrap();
    assert_eq!((asked.method.as_str(), asked.header("authorization")), ("GET", &*format!("Bearer {TOKEN}")));
    run(json!("7")).await;
    let prompt = model.prompts().pop().unwrap();
    assert!(prompt.contains("Name: Bo") && !prompt.contains("not told"), "{prompt}");

    // One that nobody knows counts for nothing, however often.
    for _ in 0..5 {
        run(json!(1)).await;
        assert!(!model.prompts().pop().unwrap().contains("Who you are"));
    }
    run(json!(3050)).await;
    assert!(model.prompts().pop().unwrap().contains("Lin Rui"));
    // A service that fails is left alone after a while.
    let before = service.received().len();
    for _ in 0..5 {
        run(json!(500)).await;
    }
    assert_eq!(service.received().len(), before + 3);
    let log = server.log();
    assert!(log.contains("it answered 503") && !log.contains(TOKEN), "{log}");
    // Deliveries may name an agent, too; pipelines and who names none are asked for by nobody.
    let hook =
        json!({"target_type": "employee", "target_name": "writer", "args": {"topic": "x"}, "agent_id": 3050});
    let id = server.accepted("/webhook", &hook).await;
    assert_eq!(server.ended(&id).await["options"]["agent_id"], 3050);
    server.post("/run/employee/writer", &json!({"args": {"topic": "x"}, "sync": true})).await.status(200);
    assert_eq!(service.received().len(), before + 3);
}

#[tokio::test]
async fn doctor_asks_the_identity_service_and_tells_what_is_wrong() {
    let service = service().await;
    let project = Project::small("echo");
    let row = |env: &[(&str, &str)], words: &[&str]| {
        let told = project.run_in(env, [&["doctor", "--json"], words].concat()).stdout;
        let report: Value = serde_json::from_str(&told).unwrap();
        assert!(!told.contains(TOKEN), "{told}");
        let rows = report["rows"].as_array().unwrap();
        rows.iter().find(|row| row["id"] == "identity").unwrap().clone()
    };
    let env = [("AGENT_API_TOKEN", TOKEN), ("KNOWLYR_ID_URL", service.url.as_str())];
    assert_eq!(row(&env[1..], &[])["verdict"], "SKIP");
    assert_eq!(row(&env, &[])["verdict"], "SKIP");
    assert!(service.received().is_empty());
    let online = row(&env, &["--online", "--url", "http://127.0.0.1:1"]);
    assert_eq!(online["verdict"], "PASS", "{online}");
    assert_eq!(service.received().len(), 1);
    let both = [&env[..], &[("KNOWLYR_ID_TOKEN", "another")]].concat();
    assert_eq!(row(&both, &[])["verdict"], "FAIL");
    let refused = project.run_in(&both, ["serve", "--port", "0"]).status(1);
    assert!(refused.contains("keep one") && !refused.contains(TOKEN), "{refused}");
}
