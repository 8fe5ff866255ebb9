//! The one prompt by which a single reader plays a discussion.

use std::fmt::Write as _;

use super::{Stage, cast::Member, formats, words};
use crate::{defs::Background, engine::surroundings::Language};

/// Renders it.
pub(super) fn render(stage: &Stage) -> String {
    let pick = |english, chinese| stage.language.pick(english, chinese);
    let mut text = stage.header();
    let _ = write!(text, "\n---\n\n## {}\n", pick("Participants", "参与者"));
    let background =
        if stage.discussion.is_meeting() { Background::Full } else { stage.discussion.background() };
    for member in &stage.cast {
        text.push('\n');
        text.push_str(&introduced(member, background, stage.language));
    }
    let rules = words::rules(stage);
    if !rules.is_empty() {
        let _ = write!(text, "\n---\n\n## {}\n\n{rules}\n", pick("Rules", "讨论规则"));
    }
    if !stage.discussion.is_meeting() {
        text.push_str(&rounds(stage));
    }
    let _ = write!(text, "\n---\n\n{}\n", formats::result(stage));
    text
}

/// Who a participant is, what it stands for, and as much of its instructions as is asked for.
fn introduced(member: &Member, background: Background, language: Language) -> String {
    let mut text = format!("### {}\n\n", member.heading(language));
    if !member.description.is_empty() {
        let _ = writeln!(text, "{}", member.description);
    }
    text.push_str(&member.settings(language));
    text.push_str(&member.tags(language));
    let told = match background {
        Background::Full | Background::Auto => member.background.as_str(),
        // The description stands above already.
        Background::Summary if member.brief() == member.description => "",
        Background::Summary => member.brief(),
        Background::Minimal => "",
    };
    if !told.is_empty() {
        let tag = language.pick("background", "专业背景");
        let _ = writeln!(text, "\n<{tag}>\n{told}\n</{tag}>");
    }
    text
}

fn rounds(stage: &Stage) -> String {
    let language = stage.language;
    let mut text = String::new();
    let _ = write!(text, "\n---\n\n## {}\n", language.pick("Rounds", "讨论流程"));
    if !stage.discussion.tension_seeds.is_empty() {
        let label = language.pick("Start from these contradictions:", "从以下矛盾点切入：");
        let _ = write!(text, "\n{label}\n\n{}\n", bullets(&stage.discussion.tension_seeds));
    }
    for (place, round) in words::rounds(stage, false).iter().enumerate() {
        let number = place + 1;
        let _ = match language {
            Language::Chinese => write!(text, "\n### 第 {number} 轮：{}\n\n", round.name),
            Language::English => write!(text, "\n### Round {number}: {}\n\n", round.name),
        };
        let lines =
            [round.instruction.as_str(), words::interaction(round.interaction, language).unwrap_or_default()];
        for line in lines.iter().filter(|line| !line.is_empty()) {
            let _ = writeln!(text, "{line}");
        }
        for line in words::limits(round, language) {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

/// A list, an entry a line.
pub(super) fn bullets(entries: &[String]) -> String {
    entries.iter().map(|entry| format!("- {entry}")).collect::<Vec<_>>().join("\n")
}
