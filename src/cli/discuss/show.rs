//! `knowlyr-crew discuss show`.

use std::fmt::Write as _;

use crate::{
    cli::{
        args::{Form, Global},
        exit::{Error, Outcome},
        render,
    },
    defs::{Discussion, Participant, Role, Rounds},
    tools::Office,
};

pub(super) async fn show(global: &Global, office: &Office, name: &str) -> Result<Outcome, Error> {
    let discussion = office.crew.discussion(name).await?;
    match global.form() {
        Form::Json => render::json(&discussion)?,
        Form::Text => render::answer(&text(&discussion))?,
    }
    Ok(Outcome::Done)
}

fn text(discussion: &Discussion) -> String {
    let rows = [
        ("name", discussion.name.clone()),
        ("description", discussion.description.clone()),
        ("topic", discussion.topic.clone()),
        ("goal", discussion.goal.clone()),
        ("kind", if discussion.is_meeting() { "meeting" } else { "discussion" }.to_owned()),
        ("template", discussion.round_template.clone().unwrap_or_default()),
        (
            "needs",
            discussion.required_args().iter().map(|name| format!("${name}")).collect::<Vec<_>>().join(", "),
        ),
        ("afterwards", discussion.post_pipeline.clone().unwrap_or_default()),
    ];
    let mut text = String::new();
    for (label, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "{label:<12} {value}");
    }
    text.push('\n');
    for who in &discussion.participants {
        let _ = writeln!(text, "{}", told(who));
    }
    if !discussion.is_meeting() {
        text.push('\n');
        match &discussion.rounds {
            Rounds::Count(count) => {
                let _ = writeln!(text, "{count} rounds");
            }
            Rounds::Listed(rounds) => {
                for (place, round) in rounds.iter().enumerate() {
                    let _ = writeln!(text, "{}. {}", place + 1, round.name);
                }
            }
        }
    }
    text
}

fn told(who: &Participant) -> String {
    let role = match who.role {
        Role::Moderator => " (moderator)",
        Role::Speaker => "",
        Role::Recorder => " (recorder)",
    };
    let focus = if who.focus.is_empty() { String::new() } else { format!(": {}", who.focus) };
    format!("{}{role}{focus}", who.employee)
}
