//! Reads discussions.

use super::{
    super::{
        budget, codes,
        diagnostic::{Diagnostic, Source, Span},
        employee::{Format, Output},
        reader::{self, Fields, Text, Unknown},
        report::Report,
        template::{Asking, Template},
        yaml::{Node, Value},
    },
    Background, Discussion, ExecutionRole, Interaction, Mode, OutputFormat, Participant, ROUND_TEMPLATES,
    Role, Round, Rounds, rounds,
};
use crate::base::text::is_chinese;

/// Most rounds of a discussion.
pub(super) const MOST_ROUNDS: u32 = 20;
/// Rounds of one that does not say how many.
const ROUNDS: u32 = 3;

/// Where in its source the names in a discussion stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiscussionMarks {
    /// The employee of each participant.
    pub participants: Vec<Span>,
    /// Those each must contradict.
    pub must_challenge: Vec<Vec<Span>>,
    /// The value of `post_pipeline`.
    pub post_pipeline: Option<Span>,
}

/// Reads a discussion; `default_name` (the stem of its file) is its name when it gives none.
pub fn parse_discussion(source: &Source, default_name: &str) -> (Option<Discussion>, Vec<Diagnostic>) {
    let (found, diagnostics) = parse_discussion_marked(source, default_name);
    (found.map(|(discussion, _)| discussion), diagnostics)
}

/// [`parse_discussion`], also telling where the names stand.
pub fn parse_discussion_marked(
    source: &Source,
    default_name: &str,
) -> (Option<(Discussion, DiscussionMarks)>, Vec<Diagnostic>) {
    let mut report = Report::new(source);
    let found =
        reader::document(source, &mut report).and_then(|node| discussion(&node, default_name, &mut report));
    let usable = !report.has_errors();
    (found.filter(|_| usable), report.finish())
}

fn discussion(
    node: &Node,
    default_name: &str,
    report: &mut Report<'_>,
) -> Option<(Discussion, DiscussionMarks)> {
    let mut fields = Fields::of(node, "a discussion", report)?;
    open_names(node, report);
    let name = fields.text("name", report);
    if let Some(name) = &name {
        reader::check_name(name, "a discussion", report);
    }
    let description = fields.string("description", report);
    let topic = fields.required_text("topic", report).map(|text| text.value.trim().to_owned());
    let mut marks = DiscussionMarks::default();
    let participants = participants(&mut fields, &mut marks, report);
    let chinese = is_chinese(&format!("{description}{}", topic.as_deref().unwrap_or_default()));
    let (rounds, round_template) = read_rounds(&mut fields, chinese, report);
    let post_pipeline = fields.text("post_pipeline", report).filter(|text| !text.value.trim().is_empty());
    marks.post_pipeline = post_pipeline.as_ref().map(|text| text.span);
    let name = name.map(|text| text.value.trim().to_owned()).filter(|name| !name.is_empty());
    let discussion = Discussion {
        name: name.unwrap_or_else(|| default_name.to_owned()),
        description,
        topic: topic.unwrap_or_default(),
        goal: fields.string("goal", report),
        participants,
        rounds,
        round_template,
        mode: fields.choice("mode", "mode", &MODES, report).unwrap_or_default(),
        rules: rules(&mut fields, report),
        background_mode: fields
            .choice("background_mode", "background mode", &BACKGROUNDS, report)
            .unwrap_or_default(),
        output_format: fields.choice("output_format", "output format", &FORMATS, report).unwrap_or_default(),
        output: fields.get("output").and_then(|node| output(node, report)),
        tension_seeds: fields.strings("tension_seeds", report),
        action_output: fields.flag("action_output", report).unwrap_or_default(),
        post_pipeline: post_pipeline.map(|text| text.value.trim().to_owned()),
        budget: budget::read(&mut fields, report),
        is_ad_hoc: false,
    };
    check_meeting(&discussion, &fields, report);
    fields.finish(Unknown::Warned, &[], report);
    Some((discussion, marks))
}

/// Notes every `$name` that is none because nobody can tell where it ends, wherever in `node` it stands.
fn open_names(node: &Node, report: &mut Report<'_>) {
    match &node.value {
        Value::Scalar { text, .. } => {
            let text = Text { value: text.clone(), span: node.span };
            for open in Template::parse(&text.value, &Asking { names: &(), words: &[] }).open_names() {
                let place = reader::locate(&text, open, report);
                reader::open_name(open, place, "", report);
            }
        }
        Value::List(items) => items.iter().for_each(|item| open_names(item, report)),
        Value::Map(entries) => entries.iter().for_each(|(_, value)| open_names(value, report)),
        Value::Null => {}
    }
}

const MODES: [(&str, Mode); 4] = [
    ("auto", Mode::Auto),
    ("discussion", Mode::Discussion),
    ("meeting", Mode::Meeting),
    ("1v1", Mode::Meeting),
];
const BACKGROUNDS: [(&str, Background); 4] = [
    ("auto", Background::Auto),
    ("full", Background::Full),
    ("summary", Background::Summary),
    ("minimal", Background::Minimal),
];
const FORMATS: [(&str, OutputFormat); 3] = [
    ("decision", OutputFormat::Decision),
    ("transcript", OutputFormat::Transcript),
    ("summary", OutputFormat::Summary),
];
const ROLES: [(&str, Role); 3] =
    [("moderator", Role::Moderator), ("speaker", Role::Speaker), ("recorder", Role::Recorder)];
const EXECUTION_ROLES: [(&str, ExecutionRole); 4] = [
    ("executor", ExecutionRole::Executor),
    ("reviewer", ExecutionRole::Reviewer),
    ("monitor", ExecutionRole::Monitor),
    ("idle", ExecutionRole::Idle),
];
const FILE_FORMATS: [(&str, Format); 3] =
    [("markdown", Format::Markdown), ("json", Format::Json), ("text", Format::Text)];

/// What does not go with a conversation between two.
fn check_meeting(discussion: &Discussion, fields: &Fields<'_>, report: &mut Report<'_>) {
    let count = discussion.participants.len();
    if discussion.mode == Mode::Meeting && count > 1 {
        let place = fields.key("mode").unwrap_or(fields.place());
        let message = format!("a conversation between two has one participant, this one {count}");
        report
            .error(codes::TOO_MANY_PARTICIPANTS, place, message)
            .help("remove the others, or write `mode: discussion`");
    }
    if count == 1 && discussion.is_meeting() {
        for key in ["rounds", "round_template", "tension_seeds"] {
            if let Some(place) = fields.key(key) {
                let message = format!("`{key}` has no effect in a conversation between two");
                report
                    .warning(codes::IDLE_SETTING, place, message)
                    .help("write `mode: discussion` to have it");
            }
        }
    }
}

fn participants(
    fields: &mut Fields<'_>,
    marks: &mut DiscussionMarks,
    report: &mut Report<'_>,
) -> Vec<Participant> {
    let mut found: Vec<Participant> = Vec::new();
    let Some(node) = fields.require("participants", report) else { return found };
    if matches!(&node.value, Value::List(items) if items.is_empty()) {
        report.error(codes::NO_PARTICIPANTS, node.span, "a discussion needs at least one participant");
    }
    for node in fields.list("participants", report) {
        let Some((participant, place, challenged)) = participant(node, report) else { continue };
        if let Some(first) = found.iter().position(|other| other.employee == participant.employee) {
            let first = marks.participants.get(first).copied().unwrap_or_default();
            report
                .warning(
                    codes::REPEATED_PARTICIPANT,
                    place,
                    format!("`{}` takes part twice", participant.employee),
                )
                .label("again here")
                .also(first, "first here");
        }
        marks.participants.push(place);
        marks.must_challenge.push(challenged);
        found.push(participant);
    }
    found
}

fn participant(node: &Node, report: &mut Report<'_>) -> Option<(Participant, Span, Vec<Span>)> {
    let mut fields = Fields::of(node, "a participant", report)?;
    let employee = fields.required_text("employee", report);
    let challenged = fields.texts("must_challenge", report);
    let role = fields.choice("role", "role", &ROLES, report).unwrap_or_default();
    let execution_role = fields.choice("execution_role", "execution role", &EXECUTION_ROLES, report);
    let focus = fields.string("focus", report);
    let stance = fields.string("stance", report);
    let max_agree_ratio = fields.number("max_agree_ratio", 0.0..=1.0, report).unwrap_or(1.0);
    fields.finish(Unknown::Warned, &[], report);
    let employee = employee?;
    let name = employee.value.trim().to_owned();
    if let Some(own) = challenged.iter().find(|text| text.value == name) {
        report.warning(codes::IDLE_SETTING, own.span, format!("`{name}` cannot challenge itself"));
    }
    let participant = Participant {
        employee: name,
        role,
        focus,
        stance,
        must_challenge: challenged.iter().map(|text| text.value.clone()).collect(),
        max_agree_ratio,
        execution_role: execution_role.unwrap_or_default(),
    };
    Some((participant, employee.span, challenged.into_iter().map(|text| text.span).collect()))
}

/// The rounds, and the template they are from; a template goes before what `rounds` says.
fn read_rounds(fields: &mut Fields<'_>, chinese: bool, report: &mut Report<'_>) -> (Rounds, Option<String>) {
    let template = fields.text("round_template", report).filter(|text| !text.value.trim().is_empty());
    if let Some(text) = template {
        // Read all the same, so that its mistakes are told.
        own_rounds(fields, report);
        let name = text.value.trim();
        let found = rounds::of(name, chinese);
        if found.is_none() {
            report
                .error(
                    codes::INVALID_VALUE,
                    text.span,
                    format!("there is no round template `{}`", name.escape_debug()),
                )
                .suggest(name, ROUND_TEMPLATES);
        }
        return (Rounds::Listed(found.unwrap_or_default()), Some(name.to_owned()));
    }
    (own_rounds(fields, report), None)
}

fn own_rounds(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Rounds {
    let Some(node) = fields.get("rounds") else { return Rounds::Count(ROUNDS) };
    let Value::List(nodes) = &node.value else {
        return Rounds::Count(fields.whole("rounds", 1..=MOST_ROUNDS, report).unwrap_or(ROUNDS));
    };
    if nodes.is_empty() || nodes.len() > MOST_ROUNDS as usize {
        let message = format!("a discussion has 1 to {MOST_ROUNDS} rounds, not {}", nodes.len());
        report.error(codes::INVALID_VALUE, node.span, message);
    }
    Rounds::Listed(nodes.iter().filter_map(|node| round(node, report)).collect())
}

fn round(node: &Node, report: &mut Report<'_>) -> Option<Round> {
    let mut fields = Fields::of(node, "a round", report)?;
    let round = Round {
        name: fields.string("name", report),
        instruction: fields.string("instruction", report),
        interaction: fields
            .choice("interaction", "interaction", &Interaction::WORDS, report)
            .unwrap_or_default(),
        min_disagreements: fields.whole("min_disagreements", 0..=20, report).unwrap_or_default(),
        max_words_per_turn: fields.whole("max_words_per_turn", 0..=100_000, report).unwrap_or_default(),
        require_direct_reply: fields.flag("require_direct_reply", report).unwrap_or_default(),
    };
    fields.finish(Unknown::Warned, &[], report);
    Some(round)
}

/// An empty list is a wish for no rules; nothing at all for the usual ones.
fn rules(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<Vec<String>> {
    fields.get("rules")?;
    Some(fields.strings("rules", report))
}

fn output(node: &Node, report: &mut Report<'_>) -> Option<Output> {
    let mut fields = Fields::of(node, "`output`", report)?;
    let mut output = Output {
        format: fields.choice("format", "format", &FILE_FORMATS, report).unwrap_or_default(),
        filename: fields.string("filename", report),
        ..Output::default()
    };
    if let Some(dir) = fields.optional("dir", report) {
        output.dir = dir;
    }
    fields.finish(Unknown::Warned, &[], report);
    Some(output)
}
