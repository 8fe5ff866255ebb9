//! The minutes of a discussion as text. What was said stands in quotes, so that no heading or fence in it is taken for
//! one of the minutes; what came out of it is the last part.

use std::fmt::Write as _;

use super::{
    measures::{Dissent, Measures, Outcome, Tally},
    quota::per_cent,
    record::{HeldRound, Meeting, Turn},
    said,
};
use crate::{base::text::truncate, engine::surroundings::Language};

/// The whole text.
pub(super) fn markdown(meeting: &Meeting, language: Language) -> String {
    let pick = |english, chinese| language.pick(english, chinese);
    let colon = pick(": ", "：");
    let mut text = format!("# {}\n\n", cell(&meeting.name));
    let people: Vec<&str> = meeting.participants.iter().map(|who| who.employee.as_str()).collect();
    let rows = [
        (pick("Topic", "议题"), one_line(&meeting.topic)),
        (pick("Goal", "目标"), one_line(&meeting.goal)),
        (pick("Participants", "参与者"), people.join(", ")),
        (pick("Began", "开始"), meeting.started_at.clone()),
        (pick("Ended", "结束"), meeting.ended_at.clone()),
        (pick("Put together by", "整理"), meeting.synthesis_by.clone()),
    ];
    for (label, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "- **{label}**{colon}{value}");
    }
    let _ = write!(text, "\n## {}\n\n{}\n", pick("Counted", "统计"), counted(&meeting.measures, language));
    for round in &meeting.rounds {
        text.push_str(&of_round(round, language));
    }
    let _ = write!(text, "\n## {}\n\n{}\n", pick("Result", "结果"), meeting.synthesis);
    text
}

fn of_round(round: &HeldRound, language: Language) -> String {
    let number = round.round;
    let name = one_line(&round.name);
    let mut text = match language {
        _ if number == 0 => format!("\n## {name}\n"),
        Language::Chinese => format!("\n## 第 {number} 轮：{name}\n"),
        Language::English => format!("\n## Round {number}: {name}\n"),
    };
    if !round.options.is_empty() {
        let _ = write!(text, "\n{}\n", quoted(&said::options(&round.options)));
    }
    for turn in round.all_turns() {
        text.push_str(&of_turn(turn, language));
    }
    text
}

fn of_turn(turn: &Turn, language: Language) -> String {
    let pick = |english, chinese| language.pick(english, chinese);
    let mut text = format!("\n### {}\n\n", turn.employee);
    if let Some(error) = &turn.error {
        let _ = writeln!(text, "{}: {}", pick("Could not speak", "未能发言"), one_line(error));
        return text;
    }
    let _ = writeln!(text, "{}", quoted(&turn.text));
    let mut notes = Vec::new();
    if let Some(fault) = &turn.ballot_fault {
        notes.push(format!("{}: {}", pick("No ballot", "没有可用的表态"), one_line(fault)));
    }
    if turn.earlier.is_some() {
        notes.push(pick("Asked again once.", "曾被要求重新发言一次。").to_owned());
    }
    for quota in turn.quotas.iter().filter(|quota| !quota.met) {
        let rule = serde_json::to_value(quota.rule).unwrap_or_default();
        let rule = rule.as_str().unwrap_or_default().to_owned();
        notes.push(format!("{}: {rule} ({} / {})", pick("Not met", "未达到"), quota.had, quota.wanted));
    }
    if !notes.is_empty() {
        let lines: Vec<String> = notes.iter().map(|note| format!("- {note}")).collect();
        let _ = write!(text, "\n{}\n", lines.join("\n"));
    }
    text
}

/// What was counted, as tables.
pub(super) fn counted(measures: &Measures, language: Language) -> String {
    let pick = |english, chinese| language.pick(english, chinese);
    let mut text = format!(
        "| {} | {} | {} | {} | {} |\n|---|---|---|---|---|\n",
        pick("round", "轮次"),
        pick("participant", "参与者"),
        pick("agreed", "同意"),
        pick("objected", "反对"),
        pick("agreement", "同意比例")
    );
    for round in &measures.rounds {
        for member in &round.members {
            let share = member.agree_ratio.map_or_else(|| "–".to_owned(), per_cent);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {share} |",
                round.round, member.employee, member.agreements, member.objections
            );
        }
    }
    for tally in &measures.votes {
        text.push_str(&of_vote(tally, language));
    }
    if !measures.minority.is_empty() {
        let _ = write!(text, "\n{}\n\n", pick("Of another opinion:", "少数意见："));
        for Dissent { employee, about, against, why } in &measures.minority {
            let whom = against.as_deref().map(|whom| format!(" ({whom})")).unwrap_or_default();
            let _ = writeln!(text, "- {employee}: {}{whom}: {}", one_line(about), one_line(why));
        }
    }
    text.trim_end().to_owned()
}

fn of_vote(tally: &Tally, language: Language) -> String {
    let pick = |english, chinese| language.pick(english, chinese);
    let mut text = format!(
        "\n| {} | {} | {} | {} | {} |\n|---|---|---|---|---|\n",
        pick("option", "选项"),
        pick("for", "赞成"),
        pick("against", "反对"),
        pick("abstained", "弃权"),
        pick("outcome", "结果")
    );
    for option in &tally.options {
        let outcome = match option.outcome {
            Outcome::Carried => pick("carried", "通过"),
            Outcome::Rejected => pick("rejected", "否决"),
            Outcome::Tied => pick("tied", "平票"),
            Outcome::Open => pick("open", "未决"),
        };
        let _ = writeln!(
            text,
            "| {} {} | {} | {} | {} | {outcome} |",
            option.id,
            cell(&option.text),
            option.r#for.len(),
            option.against.len(),
            option.abstain.len()
        );
    }
    text
}

/// A text as part of a line.
fn one_line(text: &str) -> String {
    truncate(&text.split_whitespace().collect::<Vec<_>>().join(" "), 500)
}

/// A text as a cell of a table.
fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

/// Every line of it as a quotation.
fn quoted(text: &str) -> String {
    text.lines().map(|line| format!("> {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
