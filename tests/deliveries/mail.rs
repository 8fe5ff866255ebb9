//! Results by mail: encrypted to somebody who has proved who they are, and readable there.

use mail_parser::{Message, MessageParser};
use serde_json::{Value, json};

use super::{HASTE, delivery, reporting};
use crate::support::{MailServer, Project, Server, Tls, patiently};

/// The environment of somebody who mails through `server`, whose certificate is put into `project`.
fn env(project: &Project, server: &MailServer, tls: Tls) -> Vec<(&'static str, String)> {
    let authority = project.write("authority.pem", &server.certificate);
    let way = match tls {
        Tls::Implicit => "implicit",
        Tls::Start | Tls::None => "starttls",
    };
    [
        ("SMTP_HOST", "127.0.0.1".to_owned()),
        ("SMTP_PORT", server.port.to_string()),
        ("SMTP_USER", "crew@example.com".to_owned()),
        ("SMTP_PASS", "mail-pass-9b1f".to_owned()),
        ("SMTP_FROM", "Crew <crew@example.com>".to_owned()),
        ("SMTP_TLS", way.to_owned()),
        ("SMTP_CA_FILE", authority.display().to_string()),
        (HASTE.0, HASTE.1.to_owned()),
    ]
    .into()
}

fn start(project: &Project, env: &[(&'static str, String)], more: &[(&str, &str)]) -> Server {
    let env: Vec<_> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Server::start(project, &[], &[env.as_slice(), more].concat())
}

fn parse(data: &[u8]) -> Message<'_> {
    MessageParser::default().parse(data).unwrap()
}

const BOTH: &str =
    "  - {type: email, to: 'Wang <wang@example.com>, ops@example.com', subject: '【日报】{name} {status}'}";

#[tokio::test]
async fn a_result_is_mailed_over_both_kinds_of_tls() {
    for tls in [Tls::Start, Tls::Implicit] {
        let mail = MailServer::start(tls).await;
        let project = reporting(BOTH);
        let server = start(&project, &env(&project, &mail, tls), &[]);
        let task =
            server.accepted("/run/pipeline/report", &json!({"args": {"text": "茶 & <b>cake</b>"}})).await;
        let sent = delivery(&server, &task, "delivered").await;
        assert_eq!((&sent["type"], &sent["attempts"]), (&json!("email"), &json!(1)), "{tls:?}");
        let [letter] = mail.letters().try_into().unwrap();
        assert!(letter.encrypted);
        assert_eq!(letter.login.as_deref(), Some("crew@example.com:mail-pass-9b1f"));
        assert_eq!(letter.from.split(' ').next(), Some("<crew@example.com>"));
        assert_eq!(letter.to, ["<wang@example.com>", "<ops@example.com>"]);
        let read = parse(&letter.data);
        let subject = read.subject().unwrap();
        assert!(
            subject.starts_with("【日报】report ") && subject.len() > "【日报】report ".len(),
            "{subject}"
        );
        let to: Vec<_> = read.to().unwrap().iter().map(|to| (to.name(), to.address().unwrap())).collect();
        assert_eq!(to, [(Some("Wang"), "wang@example.com"), (None, "ops@example.com")]);
        assert_eq!(read.message_id(), Some(format!("{}@example.com", sent["id"].as_str().unwrap()).as_str()));
        assert!(read.date().is_some());
        let text = read.body_text(0).unwrap();
        assert!(text.contains("茶 & <b>cake</b>") && text.contains(&task), "{text}");
        let html = read.body_html(0).unwrap();
        assert!(html.contains("茶 &amp; &lt;b&gt;cake&lt;/b&gt;"), "{html}");
        assert!(!server.log().contains("mail-pass-9b1f"));
    }
}

/// A server that cannot prove who it is hears neither a password nor a letter; that may be mended, so it is tried again.
#[tokio::test]
async fn nothing_is_told_to_a_server_that_is_not_trusted() {
    let stranger = MailServer::start(Tls::Start).await;
    for tls in [Tls::Start, Tls::Implicit, Tls::None] {
        let mail = MailServer::start(tls).await;
        let project = reporting(BOTH);
        let mut env = env(&project, &mail, tls);
        if tls != Tls::None {
            project.write("authority.pem", &stranger.certificate);
        }
        env.push(("CREW_DELIVERY__ATTEMPTS", "2".to_owned()));
        let server = start(&project, &env, &[]);
        let task = server.accepted("/run/pipeline/report", &json!({"args": {"text": "x"}})).await;
        let dead = delivery(&server, &task, "dead").await;
        let detail = dead["detail"].as_str().unwrap();
        match tls {
            Tls::None => assert!(detail.contains("STARTTLS"), "{detail}"),
            _ => {
                assert_eq!(dead["attempts"], 2, "{detail}");
                assert!(
                    detail.contains("given up after 2 attempts") && detail.contains("certificate"),
                    "{detail}"
                );
            }
        }
        assert!(mail.letters().is_empty());
        let said = mail.commands();
        assert!(
            said.iter().all(|said| said.starts_with("EHLO") || said == "STARTTLS" || said == "QUIT"),
            "{said:?}"
        );
        assert_eq!(server.ended(&task).await["status"], "completed");
    }
    // A file that holds no certificate is named.
    let project = reporting(BOTH);
    let env = env(&project, &stranger, Tls::Start);
    project.write("authority.pem", "nothing\n");
    let server = start(&project, &env, &[]);
    let task = server.accepted("/run/pipeline/report", &json!({"args": {"text": "x"}})).await;
    let dead = delivery(&server, &task, "dead").await;
    let detail = dead["detail"].as_str().unwrap();
    assert!(detail.contains("SMTP_CA_FILE") && detail.contains("authority.pem"), "{detail}");
}

#[tokio::test]
async fn what_a_server_refuses_for_good_is_given_up_and_what_it_puts_off_is_tried_again() {
    let mail = MailServer::refusing(Tls::Start, |_, command| {
        command.starts_with("RCPT TO:<ops@").then_some("550 5.1.1 nobody here is called ops")
    })
    .await;
    let project = reporting(BOTH);
    let server = start(&project, &env(&project, &mail, Tls::Start), &[]);
    let task = server.accepted("/run/pipeline/report", &json!({"args": {"text": "x"}})).await;
    let dead = delivery(&server, &task, "dead").await;
    assert_eq!(dead["attempts"], 1);
    assert!(dead["detail"].as_str().unwrap().contains("nobody here is called ops"), "{dead}");
    assert!(mail.letters().is_empty());

    let mail = MailServer::refusing(Tls::Start, |number, command| match number {
        0 => command.starts_with("RCPT").then_some("451 4.7.1 come back later"),
        1 => command.starts_with("DATA").then_some("421 busy"),
        _ => None,
    })
    .await;
    let project = reporting(BOTH);
    let server = start(&project, &env(&project, &mail, Tls::Start), &[]);
    let task = server.accepted("/run/pipeline/report", &json!({"args": {"text": "x"}})).await;
    assert_eq!(delivery(&server, &task, "delivered").await["attempts"], 3);
    assert_eq!(mail.letters().len(), 1);

    // A wrong password does not get better, and is not repeated to anybody.
    let mail = MailServer::refusing(Tls::Start, |_, command| {
        command.starts_with("AUTH").then_some("535 5.7.8 not you")
    })
    .await;
    let project = reporting(BOTH);
    let server = start(&project, &env(&project, &mail, Tls::Start), &[]);
    let task = server.accepted("/run/pipeline/report", &json!({"args": {"text": "x"}})).await;
    let dead = delivery(&server, &task, "dead").await;
    assert!(dead["detail"].as_str().unwrap().contains("not you"), "{dead}");
    assert!(!dead.to_string().contains("mail-pass") && !server.log().contains("mail-pass"));
}

/// What people and models write is a line of the subject or a part of the text, and never a header or a command.
#[tokio::test]
async fn nothing_from_outside_becomes_a_header_or_a_command() {
    let mail = MailServer::start(Tls::Start).await;
    let project = reporting(
        "  - {type: email, to: '${OPS}', subject: \"{name}\\r\\nBcc: spy@example.com\\r\\n\\r\\nHello\"}\n  - {type: email, to: '${BROKEN}'}",
    );
    let variables = [
        ("OPS", "ops@example.com; \"Evil, Bcc: <spy@example.com>\" <boss@example.com>"),
        ("BROKEN", "ops@example.com\r\nBcc: spy@example.com"),
    ];
    let server = start(&project, &env(&project, &mail, Tls::Start), &variables);
    let text = "first\r\n.\r\nMAIL FROM:<spy@example.com>\r\nRCPT TO:<spy@example.com>\r\nDATA\r\n.hidden\r\nSubject: other\r\n.\r\nlast";
    let task = server.accepted("/run/pipeline/report", &json!({"args": {"text": text}})).await;
    let over = |delivery: &Value| matches!(delivery["status"].as_str(), Some("dead" | "delivered"));
    let all = super::deliveries(&server, &task, |all| all.len() == 2 && all.iter().all(over)).await;
    assert_eq!(all[0]["status"], "delivered", "{all:?}");
    assert_eq!(all[1]["status"], "dead");
    assert!(all[1]["detail"].as_str().unwrap().contains("is no address of mail"), "{all:?}");
    let [letter] = mail.letters().try_into().unwrap();
    assert_eq!(letter.to, ["<ops@example.com>", "<boss@example.com>"]);
    let read = parse(&letter.data);
    assert!(read.bcc().is_none());
    assert_eq!(read.subject(), Some("report  Bcc: spy@example.com    Hello"));
    let told = read.body_text(0).unwrap().replace("\r\n", "\n");
    assert!(told.contains("first\n.\nMAIL FROM:<spy@example.com>"), "{told}");
    assert!(told.contains("\n.hidden\n") && told.contains("\nlast"), "{told}");
    let said = mail.commands();
    assert!(!said.iter().any(|said| said.contains("spy")), "{said:?}");
}

const CRON: &str = "
timezone: UTC
schedules:
  - name: 每日汇报
    cron: '* * * * * *'
    target_type: pipeline
    target_name: report
    args: {text: 今天的进展}
    delivery:
      - {type: email, to: ops@example.com, subject: '{name} {target}'}
";

/// By the clock of a server, and by hand; the predecessor's mail about a pipeline was empty (B4.1).
#[tokio::test]
async fn a_schedule_mails_what_its_pipeline_gave() {
    let mail = MailServer::start(Tls::Start).await;
    let project = reporting("  []");
    project.write(".crew/cron.yaml", CRON);
    let env = env(&project, &mail, Tls::Start);
    let server = start(&project, &env, &[]);
    patiently(async || (!mail.letters().is_empty()).then_some(())).await;
    assert_eq!(server.terminate(), Some(0));
    let before = mail.letters().len();
    let env: Vec<_> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let run = project.run_in(&env, ["cron", "run", "每日汇报"]);
    assert!(run.stderr.contains("email to ops@example.com"), "{}", run.stderr);
    run.success();
    let letters = mail.letters();
    assert_eq!(letters.len(), before + 1);
    for letter in letters {
        let read = parse(&letter.data);
        assert_eq!(read.subject(), Some("每日汇报 report"));
        let text = read.body_text(0).unwrap();
        assert!(text.contains("今天的进展"), "{text}");
    }
}
