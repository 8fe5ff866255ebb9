//! The minutes of a discussion go where its result is to go.

use serde_json::json;

use super::{ALL, Call, model, project, speech};
use crate::support::{MailServer, Receiver, Server, Tls};

/// Two agree, and one has another view.
fn say(body: &Call<'_>) -> String {
    match body.who.as_str() {
        "" => "Tea it is.".to_owned(),
        who @ "cai" => speech(
            &format!("{who} prefers coffee."),
            &json!({"position": "coffee", "agree": [], "object": [{"to": "ann", "why": "coffee keeps awake"}]}),
        ),
        who => speech(&format!("{who} is for tea."), &json!({"position": "tea"})),
    }
}

#[tokio::test]
async fn the_minutes_are_told_as_text_and_mailed() {
    let (fake, receiver, mail) =
        (model(say).await, Receiver::with_statuses(&[]).await, MailServer::start(Tls::Start).await);
    let project = project(&format!("topic: tea or coffee\nrounds: 1\n{ALL}"));
    project.write(
        ".crew/config.yaml",
        &format!(
            "outbound: {{allow: [127.0.0.1]}}\ndestinations:\n  hook: {{type: webhook, url: '{0}/hook'}}\n  chat: {{type: slack, url: '{0}/chat'}}\n  boss: {{type: email, to: boss@example.com}}\n",
            receiver.url
        ),
    );
    let authority = project.write("authority.pem", &mail.certificate).display().to_string();
    let port = mail.port.to_string();
    let smtp = [
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", &*port),
        ("SMTP_FROM", "crew@example.com"),
        ("SMTP_CA_FILE", &*authority),
    ];
    let server = Server::start(&project, &[], &[&fake.env()[..], &smtp].concat());
    let task = server.accepted("/run/discussion/d", &json!({"deliver": ["hook", "chat", "boss"]})).await;
    let all = |task: &serde_json::Value| {
        let deliveries = task["deliveries"].as_array().cloned().unwrap_or_default();
        deliveries.len() == 3 && deliveries.iter().all(|one| one["status"] == "delivered")
    };
    let ended = server.until(&format!("/tasks/{task}"), all).await;
    assert_eq!(ended["status"], "completed");
    let body = |path: &str| {
        let got = receiver.received();
        got.iter().find(|got| got.uri == path).unwrap().json()
    };
    let hook = body("/hook");
    assert_eq!((&hook["task_name"], &hook["status"]), (&json!("d"), &json!("completed")));
    assert_eq!(hook["result"]["synthesis"], "Tea it is.");
    let chat = body("/chat")["text"].as_str().unwrap().to_owned();
    for part in ["*d completed*", "Tea it is.", "Round 1: agreements"] {
        assert!(chat.contains(part), "{part}: {chat}");
    }
    let [letter] = mail.letters().try_into().unwrap();
    let read = mail_parser::MessageParser::default().parse(&letter.data).unwrap();
    let (text, html) = (read.body_text(0).unwrap(), read.body_html(0).unwrap());
    for part in ["Tea it is.", "Round 1: agreements"] {
        assert!(text.contains(part) && html.contains(part), "{part}: {text}");
    }
    assert!(text.contains(&task), "{text}");
    assert!(!text.contains("SPEECH") && !text.contains("prompt"), "what came out, not what was asked");
}
