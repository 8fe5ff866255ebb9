//! The rounds that go by a name.

use super::{Interaction, Round};

/// The names of all templates.
pub const ROUND_TEMPLATES: [&str; 5] =
    ["standard", "brainstorm-to-decision", "adversarial", "deep-adversarial", "discuss-then-execute"];

/// The rounds of a template; their names and instructions are in Chinese when `chinese` is.
#[expect(clippy::too_many_lines, reason = "it is a table")]
pub(super) fn of(template: &str, chinese: bool) -> Option<Vec<Round>> {
    use Interaction::{
        Brainstorm, Challenge, CrossExamine, Free, Response, RoundRobin, SteelmanThenAttack, Vote,
    };

    let round = |english: (&str, &str), mandarin: (&str, &str), interaction| {
        let (name, instruction) = if chinese { mandarin } else { english };
        Round { name: name.to_owned(), instruction: instruction.to_owned(), interaction, ..Round::default() }
    };
    Some(match template {
        "standard" => vec![
            round(("Opening", "State your view of the topic."), ("开场", "各自表明对议题的看法。"), Free),
            round(
                ("Deep dive", "Go into the points that matter most."),
                ("深入", "围绕最重要的分歧深入讨论。"),
                Free,
            ),
            round(("Resolution", "Reach a conclusion."), ("收敛", "形成结论。"), Free),
        ],
        "brainstorm-to-decision" => vec![
            round(("Diverge", "Collect ideas."), ("发散", "尽可能多地提出想法。"), Brainstorm),
            round(
                ("Screening", "Rate the ideas and keep the best."),
                ("筛选", "评价各个想法，保留最好的几个。"),
                RoundRobin,
            ),
            round(("Vote", "Choose."), ("投票", "投票选出方案。"), Vote),
        ],
        "adversarial" => vec![
            round(("Positions", "State your position."), ("立论", "各自陈述立场。"), RoundRobin),
            round(
                ("Challenge", "Contradict the positions of others."),
                ("质疑", "对他人的立场提出质疑。"),
                Challenge,
            ),
            round(("Defence", "Answer what was said against you."), ("答辩", "逐条回应质疑。"), Response),
            round(
                ("Consensus", "Say what is agreed and what is not."),
                ("共识", "明确共识与仍存的分歧。"),
                Free,
            ),
        ],
        "deep-adversarial" => vec![
            Round {
                max_words_per_turn: 300,
                ..round(
                    ("Positions", "State your position and what it rests on."),
                    ("立论", "陈述立场及其依据。"),
                    RoundRobin,
                )
            },
            Round {
                require_direct_reply: true,
                min_disagreements: 2,
                ..round(
                    ("Cross-examination", "Question one of the others."),
                    ("交叉质询", "选择一位同事进行质询。"),
                    CrossExamine,
                )
            },
            Round {
                require_direct_reply: true,
                ..round(
                    ("Steelman, then attack", "Make another's point stronger, then find its weakness."),
                    ("先强化再攻击", "先把对方观点补到最强，再指出其弱点。"),
                    SteelmanThenAttack,
                )
            },
            Round {
                max_words_per_turn: 400,
                ..round(
                    ("Convergence", "Say where you have moved, and why."),
                    ("收敛", "说明立场的变化及原因。"),
                    Free,
                )
            },
            round(("Resolution", "Decide."), ("决议", "投票形成决议。"), Vote),
        ],
        "discuss-then-execute" => vec![
            Round {
                max_words_per_turn: 200,
                ..round(
                    ("Problem", "Say what the problem is."),
                    ("定义问题", "说清楚要解决的问题。"),
                    RoundRobin,
                )
            },
            round(("Proposals", "Propose solutions."), ("提出方案", "提出可行方案。"), Brainstorm),
            Round {
                require_direct_reply: true,
                min_disagreements: 1,
                ..round(
                    ("Confrontation", "Contradict the proposals."),
                    ("交锋", "对方案提出质疑。"),
                    Challenge,
                )
            },
            round(("Selection", "Choose a proposal."), ("选定", "投票选定方案。"), Vote),
            round(
                ("Breakdown", "Break the proposal into tasks and say who does each."),
                ("拆解任务", "把方案拆成任务并明确负责人。"),
                RoundRobin,
            ),
        ],
        _ => return None,
    })
}
