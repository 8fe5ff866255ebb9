//! B4: deliveries. What `tests/deliveries` shows is only named here: B4.1 and B4.2 (empty mail about pipelines, certificates
//! that nobody looked at) in `mail`, B4.6 and B4.8 (addresses of this machine, failures told as successes) in `http`, B4.7
//! (nothing was sent again, kept or signed) in `outbox` and `http`.

use serde_json::{Value, json};

use super::{codes, with_worker};
use crate::support::{MailServer, Project, Receiver, Server, Tls};

fn project(deliver: &str) -> Project {
    let project = with_worker("args: [{name: text, default: hello}]\n", "<$text>");
    project.write(".crew/config.yaml", "outbound: {allow: [127.0.0.1]}\n");
    project.write(
        ".crew/pipelines/p.yaml",
        &format!("deliver:\n{deliver}\nsteps:\n  - {{employee: worker, args: {{text: hello}}}}\n"),
    );
    project
}

/// The deliveries of one run, once all of `good` holds.
async fn sent(server: &Server, good: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let task = server.accepted("/run/pipeline/p", &json!({})).await;
    let of = |task: &Value| task["deliveries"].as_array().cloned().unwrap_or_default();
    of(&server.until(&format!("/tasks/{task}"), |task| good(&of(task))).await)
}

/// B4.3: a server of mail that says nothing held a thread for ever; it keeps nobody else waiting, nor the end of the program.
#[tokio::test]
async fn b4_03_a_silent_server_of_mail_holds_nothing_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let hook = Receiver::with_statuses(&[]).await;
    let lines =
        format!("  - {{type: email, to: a@example.com}}\n  - {{type: webhook, url: '{}/x'}}", hook.url);
    let project = project(&lines);
    let env = [("SMTP_HOST", "127.0.0.1"), ("SMTP_PORT", &*port), ("SMTP_FROM", "crew@example.com")];
    let server = Server::start(&project, &[], &env);
    let status = |one: &Value, status: &str| one["status"] == status;
    sent(&server, |all| all.len() == 2 && status(&all[0], "sending") && status(&all[1], "delivered")).await;
    server.kill();
}

/// B4.4: a place in a subject that there is not broke the delivery, and one with a dot read the program itself.
#[tokio::test]
async fn b4_04_a_subject_is_text_with_a_few_places() {
    let mail = MailServer::start(Tls::Start).await;
    let project = project(
        "  - {type: email, to: a@example.com, subject: '{name} {nope} {name.__class__} {{x}} {date'}",
    );
    assert!(!codes(&project).is_empty(), "it is told before anything is sent");
    let authority = project.write("ca.pem", &mail.certificate);
    let (port, authority) = (mail.port.to_string(), authority.display().to_string());
    let env = [
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", &*port),
        ("SMTP_FROM", "crew@example.com"),
        ("SMTP_CA_FILE", &*authority),
    ];
    let server = Server::start(&project, &[], &env);
    sent(&server, |all| all.len() == 1 && all[0]["status"] == "delivered").await;
    let [letter] = mail.letters().try_into().unwrap();
    let read = mail_parser::MessageParser::default().parse(&letter.data).unwrap();
    assert_eq!(read.subject(), Some("p {nope} {name.__class__} {x} {date"));
}

/// B4.5: what the settings say that means nothing is told in plain words, with what to write.
#[tokio::test]
async fn b4_05_settings_that_mean_nothing_are_named() {
    for (env, expected) in [
        (
            vec![("SMTP_HOST", "127.0.0.1"), ("SMTP_PORT", "abc")],
            "SMTP_PORT is `abc`; a port is a number from 1 to 65535, usually 587 or 465",
        ),
        (vec![], "SMTP_HOST is not set, so no mail is sent"),
    ] {
        let project = project("  - {type: email, to: a@example.com}");
        let server = Server::start(&project, &[], &env);
        let dead = sent(&server, |all| all.len() == 1 && all[0]["status"] == "dead").await;
        assert_eq!((&dead[0]["detail"], &dead[0]["attempts"]), (&json!(expected), &json!(1)));
    }
}
