//! What participants and whoever puts it together are told while a discussion is held.
//!
//! Who somebody is stands in the system's part of the conversation and stays the same from round to round; what the
//! round asks for and what others said is the message to answer.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{
    super::{Stage, cast::Member, formats, plan, prompt::bullets, words},
    measures::Measures,
    quota::Quota,
    record::{Choice, HeldRound},
    said, transcript,
};
use crate::{
    defs::{Interaction, Round},
    engine::surroundings::Language,
};

/// A round as it is about to be held.
pub(super) struct Setting<'s> {
    pub(super) stage: &'s Stage,
    pub(super) round: &'s Round,
    /// From 1.
    pub(super) number: usize,
    /// How many there are.
    pub(super) count: usize,
    /// What is voted on.
    pub(super) options: &'s [Choice],
    /// Whether there is a vote in a later round.
    pub(super) votes_later: bool,
}

impl Setting<'_> {
    /// Nobody has spoken yet.
    pub(super) fn is_first(&self) -> bool {
        self.number == 1
    }
}

/// Who a participant is, and by what rules it speaks.
pub(super) fn standing(stage: &Stage, member: &Member) -> String {
    let language = stage.language;
    let pick = |english, chinese| language.pick(english, chinese);
    let mut text = stage.header();
    let _ = write!(text, "\n---\n\n{}", plan::identity(stage, member));
    if !member.background.is_empty() {
        let tag = pick("background", "专业背景");
        let _ = writeln!(text, "\n<{tag}>\n{}\n</{tag}>", member.background);
    }
    let others: Vec<String> = stage
        .cast
        .iter()
        .filter(|other| other.name != member.name)
        .map(|other| {
            format!("`{}` {}{}{}", other.name, other.heading(language), pick(": ", "："), other.brief())
        })
        .collect();
    if !others.is_empty() {
        let _ = write!(text, "\n## {}\n\n{}\n", pick("The others", "其他参与者"), bullets(&others));
    }
    let rules = words::rules(stage);
    if !rules.is_empty() {
        let _ = write!(text, "\n## {}\n\n{rules}\n", pick("Rules", "讨论规则"));
    }
    text
}

/// What `member` is asked in a round, after what was said in `before`.
pub(super) fn turn(setting: &Setting<'_>, member: &Member, place: usize, before: &[HeldRound]) -> String {
    let (stage, language) = (setting.stage, setting.stage.language);
    let pick = |english, chinese| language.pick(english, chinese);
    let (number, count) = (setting.number, setting.count);
    let mut text = match language {
        Language::Chinese => format!("**轮次**：第 {number} / {count} 轮\n"),
        Language::English => format!("**Round**: {number} of {count}\n"),
    };
    text.push_str(&plan::this_round(stage, setting.round, number - 1));
    if setting.round.interaction == Interaction::Debate && member.part.stance.is_empty() {
        let side = if place.is_multiple_of(2) {
            pick("You are on the side for it.", "你是正方。")
        } else {
            pick("You are on the side against it.", "你是反方。")
        };
        let _ = writeln!(text, "{side}");
    }
    if !setting.options.is_empty() {
        let heading = pick("What is voted on", "表决选项");
        let _ = write!(text, "\n## {heading}\n\n{}\n", said::fenced(&said::options(setting.options)));
    }
    text.push_str(&said_before(setting, member, before));
    text.push_str(&plan::asked_for(setting.round, number - 1, language));
    text.push_str(&ballot(setting, member));
    text
}

/// What was said before `member`'s turn. Nobody knows anything of the others in the first round but what they found
/// out themselves.
fn said_before(setting: &Setting<'_>, member: &Member, before: &[HeldRound]) -> String {
    let language = setting.stage.language;
    let pick = |english, chinese| language.pick(english, chinese);
    let heading = pick("Said so far", "之前的讨论");
    let caution = said::caution(language);
    if setting.is_first() {
        let mut text = String::new();
        let own = before.iter().flat_map(|round| &round.turns).find(|turn| turn.employee == member.name);
        if let Some(found) = own.filter(|turn| turn.error.is_none()) {
            let found = said::turn(found, false, language);
            let _ = write!(text, "\n## {}\n\n{found}", pick("What research found", "调研结果"));
        }
        let first = pick(
            "This is the first round. All speak at once; nothing has been said yet.",
            "这是第一轮，所有人同时独立发言，尚无之前的讨论。",
        );
        let _ = write!(text, "\n## {heading}\n\n{first}\n");
        return text;
    }
    let told = said::told(before, said::TOLD_CHARS, language);
    let mut text = format!("\n## {heading}\n\n{caution}\n\n{told}");
    let put = before.last().map(|round| said::put_to(&member.name, round)).unwrap_or_default();
    if !put.is_empty() {
        let heading = pick("Put to you", "针对你的质疑与提问");
        let _ = write!(text, "\n## {heading}\n\n{}\n", said::fenced(&put));
    }
    text
}

/// What those are asked who were questioned in this round.
pub(super) fn answers(setting: &Setting<'_>, member: &Member, round: &HeldRound) -> String {
    let language = setting.stage.language;
    let pick = |english, chinese| language.pick(english, chinese);
    format!(
        "## {}\n\n{}\n\n{}\n\n{}\n{}",
        pick("Questions to you", "针对你的提问"),
        said::caution(language),
        said::fenced(&said::put_to(&member.name, round)),
        pick("Answer each of them, one by one, naming who asked.", "逐条回答以上问题，并点名提问者。"),
        ballot(setting, member),
    )
}

/// The form of the ballot, as far as the round asks for it.
fn ballot(setting: &Setting<'_>, member: &Member) -> String {
    let language = setting.stage.language;
    let pick = |english, chinese| language.pick(english, chinese);
    let others: Vec<String> = setting
        .stage
        .cast
        .iter()
        .filter(|other| other.name != member.name)
        .map(|other| format!("`{}`", other.name))
        .collect();
    let interaction = setting.round.interaction;
    let knows_others = !setting.is_first() && !others.is_empty();
    let mut form = Map::new();
    let mut field = |name: &str, value: Value| {
        form.insert(name.to_owned(), value);
    };
    field("position", json!(pick("where you stand, in a sentence", "一句话立场")));
    if !setting.is_first() {
        field("changed", json!(false));
    }
    field("claims", json!(["…"]));
    field("evidence", json!(["…"]));
    if interaction == Interaction::Brainstorm || (setting.votes_later && interaction != Interaction::Vote) {
        field("proposals", json!(["…"]));
    }
    if knows_others && interaction != Interaction::Brainstorm {
        field("agree", json!([{"with": "…", "on": "…"}]));
        field("object", json!([{"with": "…", "on": "…", "why": "…"}]));
        field("answers", json!([{"to": "…", "verdict": "accepted | partly | refuted", "why": "…"}]));
    }
    if knows_others && interaction == Interaction::CrossExamine {
        field("questions", json!([{"to": "…", "question": "…"}]));
    }
    if !setting.options.is_empty() {
        field("votes", json!([{"option": "O1", "choice": "for | against | abstain", "why": "…"}]));
    }
    let form = serde_json::to_string_pretty(&form).unwrap_or_default();
    let mut text = format!("\n## {}\n\n", pick("Ballot", "表态"));
    let _ = write!(
        text,
        "{}\n\n```json\n{form}\n```\n",
        pick(
            "End your answer with one block of JSON in this form; it is counted, so it must say what your answer says. \
             Leave lists empty where there is nothing.",
            "在发言末尾以如下格式附上一段 JSON，它会被统计，须与发言一致；没有内容的列表留空。"
        )
    );
    if knows_others {
        let names = others.join(", ");
        let _ = match language {
            Language::Chinese => writeln!(text, "\n`with` 和 `to` 只能填写：{names}。"),
            Language::English => writeln!(text, "\n`with` and `to` are one of: {names}."),
        };
    }
    text
}

/// Asks for the ballot once more.
pub(super) fn ballot_again(fault: &str, language: Language) -> String {
    match language {
        Language::Chinese => format!("你的表态无法使用：{fault}。请只重新给出这一段 JSON。"),
        Language::English => {
            format!("Your ballot cannot be used: {fault}. Answer with the block of JSON alone, put right.")
        }
    }
}

/// Asks for the plan of action once more.
pub(super) fn plan_again(fault: &str, language: Language) -> String {
    match language {
        Language::Chinese => format!("行动计划无法使用：{fault}。请只重新给出这一段 JSON。"),
        Language::English => {
            format!(
                "The plan of action cannot be used: {fault}. Answer with the block of JSON alone, put right."
            )
        }
    }
}

/// Asks for the turn once more, for what was not met.
pub(super) fn turn_again(unmet: &[&Quota], language: Language) -> String {
    let lines: Vec<String> = unmet
        .iter()
        .map(|quota| {
            let rule = serde_json::to_value(quota.rule).unwrap_or_default();
            let rule = rule.as_str().unwrap_or_default().to_owned();
            match language {
                Language::Chinese => format!("`{rule}`：要求 {}，实际 {}", quota.wanted, quota.had),
                Language::English => format!("`{rule}`: wanted {}, counted {}", quota.wanted, quota.had),
            }
        })
        .collect();
    match language {
        Language::Chinese => format!(
            "你的发言没有达到本轮的要求：\n\n{}\n\n请完整重新发言，并附上表态。只提出你真正认为成立的意见；若确实做不到，说明原因。",
            bullets(&lines)
        ),
        Language::English => format!(
            "Your answer does not meet what this round asks for:\n\n{}\n\nSpeak again, in full and with a ballot. Say \
             only what you hold to be true; where you cannot meet it, say why.",
            bullets(&lines)
        ),
    }
}

/// What puts it all together: who is asked to, and what of.
pub(super) fn synthesis(stage: &Stage, rounds: &[HeldRound], measures: &Measures) -> (String, String) {
    let language = stage.language;
    let pick = |english, chinese| language.pick(english, chinese);
    let names: Vec<String> =
        stage.cast.iter().map(|member| format!("`{}` {}", member.name, member.heading(language))).collect();
    let mut system = stage.header();
    let _ = write!(system, "\n---\n\n## {}\n\n{}\n", pick("Participants", "参与者"), bullets(&names));
    let task = pick(
        "You put the discussion together from what was said, and add nothing. You are no participant now: weigh all \
         alike. Say who disagreed and why, also where few did; take the figures that were counted as they are.",
        "你负责根据发言综合整理讨论结果，不添加未出现的内容。此时你不是参与者，须平等对待各方意见；少数意见也要写明是谁、理由为何；统计数字照实引用。",
    );
    let _ = write!(system, "\n## {}\n\n{task}\n", pick("Your task", "你的任务"));
    let mut text = format!(
        "## {}\n\n{}\n\n{}",
        pick("All that was said", "全部讨论内容"),
        said::caution(language),
        said::told(rounds, said::SYNTHESIS_CHARS, language)
    );
    let counted = transcript::counted(measures, language);
    let _ = write!(text, "\n## {}\n\n{}\n", pick("What was counted", "统计"), said::fenced(&counted));
    let _ = write!(text, "\n---\n\n{}\n", formats::held(stage));
    (system, text)
}
