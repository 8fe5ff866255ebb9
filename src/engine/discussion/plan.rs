//! A discussion as a plan: rounds of prompts that somebody runs in order, those of one round at the same time.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Stage, cast::Member, formats, prompt::bullets, words};
use crate::{
    defs::{Interaction, Role, Round},
    engine::surroundings::Language,
};

/// A discussion to be held round by round.
///
/// Prompts hold places for whoever runs them: `{research_findings}`, `{previous_rounds}` and, in the synthesis,
/// `{all_rounds}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DiscussionPlan {
    /// Name of the discussion.
    pub discussion_name: String,
    /// What it is about.
    pub topic: String,
    /// What is to come out of it.
    pub goal: String,
    /// In order; round 0, when there is one, is research before the discussion begins.
    pub rounds: Vec<PlannedRound>,
    /// What puts it all together once every round is over.
    pub synthesis_prompt: String,
}

/// One round of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedRound {
    /// From 1; 0 for research.
    pub round_number: usize,
    /// What it is called.
    pub name: String,
    /// What is to be done in it.
    pub instruction: String,
    /// How the participants act on each other.
    pub interaction: Interaction,
    /// One for each who takes part in it; they may be run at the same time.
    pub participant_prompts: Vec<ParticipantPrompt>,
}

/// The prompt of one participant in one round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ParticipantPrompt {
    /// Name of the employee.
    pub employee_name: String,
    /// What people call the person; may be empty.
    pub character_name: String,
    /// `moderator`, `speaker` or `recorder`.
    pub role: String,
    /// What to ask.
    pub prompt: String,
}

/// Renders the plan.
pub(super) fn render(stage: &Stage) -> DiscussionPlan {
    let rounds = words::rounds(stage, true);
    let mut planned: Vec<PlannedRound> = research(stage).into_iter().collect();
    for (place, round) in rounds.iter().enumerate() {
        let prompts =
            stage.cast.iter().map(|member| told(member, turn(stage, member, round, place, rounds.len())));
        planned.push(PlannedRound {
            round_number: place + 1,
            name: round.name.clone(),
            instruction: round.instruction.clone(),
            interaction: round.interaction,
            participant_prompts: prompts.collect(),
        });
    }
    DiscussionPlan {
        discussion_name: stage.discussion.name.clone(),
        topic: stage.discussion.topic.clone(),
        goal: stage.discussion.goal.clone(),
        rounds: planned,
        synthesis_prompt: synthesis(stage),
    }
}

fn told(member: &Member, prompt: String) -> ParticipantPrompt {
    let role = match member.part.role {
        Role::Moderator => "moderator",
        Role::Speaker => "speaker",
        Role::Recorder => "recorder",
    };
    ParticipantPrompt {
        employee_name: member.name.clone(),
        character_name: member.character.clone(),
        role: role.to_owned(),
        prompt,
    }
}

/// Round 0, for those who have tools or say how they prepare; nobody else is asked, as each prompt is a call.
fn research(stage: &Stage) -> Option<PlannedRound> {
    let language = stage.language;
    let members: Vec<&Member> = stage.cast.iter().filter(|member| member.can_research()).collect();
    if members.is_empty() {
        return None;
    }
    let instruction = instruction(language);
    Some(PlannedRound {
        round_number: 0,
        name: language.pick("Research", "调研").to_owned(),
        instruction: instruction.to_owned(),
        interaction: Interaction::Free,
        participant_prompts: members
            .into_iter()
            .map(|member| told(member, research_prompt(stage, member, instruction)))
            .collect(),
    })
}

fn instruction(language: Language) -> &'static str {
    language.pick("Collect real data before the discussion begins.", "在讨论开始前收集真实数据，不得编造。")
}

/// What is asked of `member` before the discussion begins.
pub(super) fn research_message(stage: &Stage, member: &Member) -> String {
    research_prompt(stage, member, instruction(stage.language))
}

fn research_prompt(stage: &Stage, member: &Member, instruction: &str) -> String {
    let pick = |english, chinese| stage.language.pick(english, chinese);
    let colon = pick(": ", "：");
    let mut text = stage.header();
    let _ = write!(text, "\n---\n\n{}", identity(stage, member));
    let rows =
        [(pick("Tools", "可用工具"), &member.tools), (pick("Read first", "预读上下文"), &member.context)];
    for (label, values) in rows.iter().filter(|(_, values)| !values.is_empty()) {
        let _ = writeln!(text, "**{label}**{colon}{}", values.join(", "));
    }
    let own = if member.research.is_empty() {
        pick(
            "Use your tools to find what bears on the topic: numbers, code, logs, documents.",
            "使用你的工具查找与议题有关的数据、代码、日志和文档。",
        )
    } else {
        member.research.as_str()
    };
    let _ = write!(
        text,
        "\n## {}\n\n{instruction}\n\n{own}\n\n{}\n\n```json\n{{\"findings\": [{{\"id\": \"F1\", \"content\": \"…\", \"source\": \"…\"}}]}}\n```\n",
        pick("Research", "调研任务"),
        pick(
            "Invent nothing; where nothing was found, say so. Answer with:",
            "不得编造；没有找到就如实说明。按以下格式输出："
        ),
    );
    text
}

/// Who is asked.
pub(super) fn identity(stage: &Stage, member: &Member) -> String {
    let language = stage.language;
    let mut text = format!("## {}\n\n", language.pick("You", "你的身份"));
    let _ = match language {
        Language::Chinese => writeln!(text, "你是 {}。", member.heading(language)),
        Language::English => writeln!(text, "You are {}.", member.heading(language)),
    };
    if !member.description.is_empty() {
        let _ = writeln!(text, "{}", member.description);
    }
    text.push_str(&member.settings(language));
    for told in [&member.memory, &member.brought.section].into_iter().flatten() {
        let _ = write!(text, "\n{told}");
    }
    text
}

/// The prompt of one participant in round `place`, counted from 0.
fn turn(stage: &Stage, member: &Member, round: &Round, place: usize, count: usize) -> String {
    let language = stage.language;
    let pick = |english, chinese| language.pick(english, chinese);
    let mut text = stage.header();
    let _ = match language {
        Language::Chinese => writeln!(text, "**轮次**：第 {} / {count} 轮", place + 1),
        Language::English => writeln!(text, "**Round**: {} of {count}", place + 1),
    };
    let _ = write!(text, "\n---\n\n{}", identity(stage, member));
    if !member.background.is_empty() {
        let tag = pick("background", "专业背景");
        let _ = writeln!(text, "\n<{tag}>\n{}\n</{tag}>", member.background);
    }
    let others: Vec<String> = stage
        .cast
        .iter()
        .filter(|other| !std::ptr::eq(*other, member))
        .map(|other| format!("{}{}{}", other.heading(language), pick(": ", "："), other.brief()))
        .collect();
    if !others.is_empty() {
        let _ = write!(text, "\n## {}\n\n{}\n", pick("The others", "其他参与者"), bullets(&others));
    }
    let rules = words::rules(stage);
    if !rules.is_empty() {
        let _ = write!(text, "\n## {}\n\n{rules}\n", pick("Rules", "讨论规则"));
    }
    text.push_str(&this_round(stage, round, place));
    text.push_str(&said_before(member, place, language));
    text.push_str(&asked_for(round, place, language));
    text
}

pub(super) fn this_round(stage: &Stage, round: &Round, place: usize) -> String {
    let language = stage.language;
    let mut text = format!(
        "\n## {}{}{}\n\n",
        language.pick("This round", "本轮要求"),
        language.pick(": ", "："),
        round.name
    );
    let lines =
        [round.instruction.as_str(), words::interaction(round.interaction, language).unwrap_or_default()];
    for line in lines.iter().filter(|line| !line.is_empty()) {
        let _ = writeln!(text, "{line}");
    }
    for line in words::limits(round, language) {
        let _ = writeln!(text, "{line}");
    }
    if place == 0 && !stage.discussion.tension_seeds.is_empty() {
        let label = language.pick("Start from these contradictions:", "从以下矛盾点切入：");
        let _ = write!(text, "\n{label}\n\n{}\n", bullets(&stage.discussion.tension_seeds));
    }
    text
}

fn said_before(member: &Member, place: usize, language: Language) -> String {
    if place > 0 {
        return format!("\n## {}\n\n{{previous_rounds}}\n", language.pick("Said so far", "之前的讨论"));
    }
    let mut text = String::new();
    if member.can_research() {
        let _ = write!(
            text,
            "\n## {}\n\n{{research_findings}}\n",
            language.pick("What research found", "调研结果")
        );
    }
    let first =
        language.pick("This is the first round; nothing has been said yet.", "这是第一轮，尚无之前的讨论。");
    let _ = write!(text, "\n## {}\n\n{first}\n", language.pick("Said so far", "之前的讨论"));
    text
}

pub(super) fn asked_for(round: &Round, place: usize, language: Language) -> String {
    let pick = |english, chinese| language.pick(english, chinese);
    let mut lines =
        vec![pick("Speak as yourself, not for others.", "只以自己的身份发言，不要代替他人。").to_owned()];
    if place > 0 {
        lines.push(pick("Answer what others have said, quoting it.", "引用并回应他人的发言。").to_owned());
        lines.push(
            pick(
                "Do not repeat what you said; say where you have changed your mind.",
                "不要重复自己说过的内容；立场有变化时说明原因。",
            )
            .to_owned(),
        );
    }
    match round.interaction {
        Interaction::Challenge => lines.push(
            pick("Name whom you challenge, and on which point.", "写明质疑的对象和具体观点。").to_owned(),
        ),
        Interaction::Response => lines.push(
            pick("Go through the challenges against you one by one.", "逐条回应针对你的质疑。").to_owned(),
        ),
        _ => {}
    }
    format!("\n## {}\n\n{}\n", pick("Your answer", "输出要求"), bullets(&lines))
}

fn synthesis(stage: &Stage) -> String {
    let language = stage.language;
    let pick = |english, chinese| language.pick(english, chinese);
    let names: Vec<String> = stage.cast.iter().map(|member| member.heading(language)).collect();
    let mut text = stage.header();
    let _ = write!(text, "\n---\n\n## {}\n\n{}\n", pick("Participants", "参与者"), bullets(&names));
    let _ = write!(text, "\n## {}\n\n{{all_rounds}}\n", pick("All that was said", "全部讨论内容"));
    let task = pick(
        "Put the discussion together from what was said above, and add nothing.",
        "根据以上内容综合整理讨论结果，不要添加未出现的内容。",
    );
    let _ = write!(text, "\n---\n\n{task}\n\n{}\n", formats::result(stage));
    text
}
