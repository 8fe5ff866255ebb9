//! What participants are told to do: the usual rules, what each interaction asks for, the limits of a round.

use crate::{
    defs::{Interaction, Role, Round, Rounds},
    engine::surroundings::Language,
};

use super::Stage;

/// The rules of the discussion, numbered; empty when it has none.
pub(super) fn rules(stage: &Stage) -> String {
    let own = stage.discussion.rules.clone();
    let rules = own.unwrap_or_else(|| usual_rules(stage));
    let lines: Vec<String> =
        rules.iter().enumerate().map(|(place, rule)| format!("{}. {rule}", place + 1)).collect();
    lines.join("\n")
}

/// Six rules, four between two; those about a moderator or a recorder only where there is one.
fn usual_rules(stage: &Stage) -> Vec<String> {
    let pick =
        |english: &'static str, chinese: &'static str| stage.language.pick(english, chinese).to_owned();
    if stage.discussion.is_meeting() {
        return vec![
            pick(
                "Speak as the person described above, from their experience.",
                "以上述角色的身份和经验发言。",
            ),
            pick("Ask back when the question is not clear.", "问题不清楚时先追问。"),
            pick("Say plainly where you disagree, and why.", "不同意时直接说明并给出理由。"),
            pick("Keep facts and guesses apart.", "区分事实与推测。"),
        ];
    }
    let has = |role: Role| stage.cast.iter().any(|member| member.part.role == role);
    let mut rules = vec![
        pick(
            "Each participant speaks as themselves, from their own field.",
            "每位参与者以自己的身份和专业视角发言。",
        ),
        pick("Views need reasons; facts and guesses are kept apart.", "观点需有依据，区分事实与推测。"),
        pick(
            "Answer what others say by name; do not talk past each other.",
            "点名回应他人的观点，不要各说各话。",
        ),
        pick("Disagreement is welcome; politeness is no argument.", "鼓励不同意见，不要为了客气而附和。"),
    ];
    if has(Role::Moderator) {
        rules.push(pick(
            "The moderator keeps to the topic and sums up each round.",
            "主持人把控议题，并在每轮结束时小结。",
        ));
    }
    if has(Role::Recorder) {
        rules.push(pick("The recorder writes down decisions and open points.", "记录员记录结论与待定事项。"));
    }
    rules
}

/// What an interaction asks for, with the tag a speech begins with; `None` when they act as they like.
pub(super) fn interaction(interaction: Interaction, language: Language) -> Option<&'static str> {
    let pick = |english, chinese| Some(language.pick(english, chinese));
    match interaction {
        Interaction::Free => None,
        Interaction::RoundRobin => pick(
            "Each speaks once, in the order of the participants. Begin with `[name, turn]`.",
            "按参与者顺序依次发言，每人一次。发言以 `[姓名·发言]` 开头。",
        ),
        Interaction::Challenge => pick(
            "Each raises at least one challenge with reasons against what another said. Begin with `[name challenges name]`.",
            "每人至少对他人观点提出一个有理有据的质疑。发言以 `[姓名·质疑→姓名]` 开头。",
        ),
        Interaction::Response => pick(
            "Each answers every challenge against them: accepted, accepted in part, or refuted, with reasons. Begin with `[name answers name]`.",
            "逐条回应收到的质疑：接受、部分接受或反驳，并说明理由。发言以 `[姓名·回应→姓名]` 开头。",
        ),
        Interaction::Brainstorm => pick(
            "Each brings at least two ideas; nobody judges yet. Begin with `[name, idea]`.",
            "每人至少提出两个想法，暂不评判。发言以 `[姓名·想法]` 开头。",
        ),
        Interaction::Vote => pick(
            "Each votes on every option: for, against or abstaining, with a reason. Begin with `[name, vote]`.",
            "对每个选项投票：赞成、反对或弃权，并说明理由。发言以 `[姓名·投票]` 开头。",
        ),
        Interaction::Debate => pick(
            "Two sides argue with facts and answer each other's. Begin with `[side, name]`.",
            "分正反两方，以事实论证并回应对方。发言以 `[正方/反方·姓名]` 开头。",
        ),
        Interaction::CrossExamine => pick(
            "Each puts three concrete questions to one other participant, who answers them one by one. Begin with `[name asks name]`.",
            "每人向一位同事提出三个具体问题，对方逐一回答。发言以 `[姓名·质询→姓名]` 开头。",
        ),
        Interaction::SteelmanThenAttack => pick(
            "Each first makes another's point as strong as it can be, then shows its weakness. Begin with `[name, steelman then attack, name]`.",
            "先把对方观点补到最强，再指出其弱点。发言以 `[姓名·强化后攻击→姓名]` 开头。",
        ),
    }
}

/// The limits a round sets, a line each.
pub(super) fn limits(round: &Round, language: Language) -> Vec<String> {
    let mut lines = Vec::new();
    if round.max_words_per_turn > 0 {
        lines.push(match language {
            Language::Chinese => format!("每次发言不超过 {} 字。", round.max_words_per_turn),
            Language::English => format!("Speak for at most {} words.", round.max_words_per_turn),
        });
    }
    if round.require_direct_reply {
        let line = language
            .pick("Answer at least one other participant by name.", "必须点名直接回应至少一位参与者。");
        lines.push(line.to_owned());
    }
    if round.min_disagreements > 0 {
        lines.push(match language {
            Language::Chinese => format!("至少提出 {} 处不同意见。", round.min_disagreements),
            Language::English => match round.min_disagreements {
                1 => "Disagree at least once.".to_owned(),
                count => format!("Disagree at least {count} times."),
            },
        });
    }
    lines
}

/// The rounds as they are held. A number of rounds is an opening, deep dives and a resolution; in a plan everybody is
/// heard once in the opening.
pub(super) fn rounds(stage: &Stage, planned: bool) -> Vec<Round> {
    let language = stage.language;
    match &stage.discussion.rounds {
        Rounds::Listed(rounds) => {
            let named = |(place, round): (usize, &Round)| {
                let mut round = round.clone();
                if round.name.is_empty() {
                    round.name = match language {
                        Language::Chinese => format!("第 {} 轮", place + 1),
                        Language::English => format!("Round {}", place + 1),
                    };
                }
                round
            };
            rounds.iter().enumerate().map(named).collect()
        }
        Rounds::Count(count) => {
            (1..=*count).map(|number| usual_round(number, *count, planned, language)).collect()
        }
    }
}

fn usual_round(number: u32, count: u32, planned: bool, language: Language) -> Round {
    let (name, instruction, interaction) = if number == 1 {
        let opening = if planned { Interaction::RoundRobin } else { Interaction::Free };
        (
            language.pick("Opening", "开场"),
            language.pick("State your view of the topic.", "各自表明对议题的看法。"),
            opening,
        )
    } else if number == count {
        let what =
            language.pick("Reach a conclusion and say what stays open.", "形成结论，并明确仍未解决的问题。");
        (language.pick("Resolution", "收敛"), what, Interaction::Free)
    } else {
        let what = language
            .pick("Go into what matters most and what is disputed.", "围绕最重要、分歧最大的问题深入讨论。");
        (language.pick("Deep dive", "深入"), what, Interaction::Free)
    };
    Round { name: name.to_owned(), instruction: instruction.to_owned(), interaction, ..Round::default() }
}
