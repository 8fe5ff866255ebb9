//! Reads skills of employees.

use super::{
    super::{
        codes,
        diagnostic::{Diagnostic, Source, Span},
        reader::{self, Fields, Text, Unknown},
        report::Report,
        yaml::{Node, Value},
    },
    ChecklistSource, EmployeeSkill, KeywordMatch, MemoryLookup, SkillAction, SkillMetadata, SkillPriority,
    SkillTrigger, THRESHOLD, paths,
};

/// Most words and most examples of a trigger, each, and most points of a checklist.
const MOST_TEXTS: usize = 100;
/// Longest text among them, and longest name of anything else, in characters.
const LONGEST_TEXT: usize = 1000;
/// Longest description, in characters.
const LONGEST_DESCRIPTION: usize = 4000;
/// Most actions.
const MOST_ACTIONS: usize = 8;
/// Memories that are looked up when nobody says how many, and most of them.
const MEMORIES: u32 = 5;
const MOST_MEMORIES: u32 = 20;

const FOUND: [(&str, KeywordMatch); 2] = [("any", KeywordMatch::Any), ("all", KeywordMatch::All)];
const PRIORITIES: [(&str, SkillPriority); 4] = [
    ("low", SkillPriority::Low),
    ("medium", SkillPriority::Medium),
    ("high", SkillPriority::High),
    ("critical", SkillPriority::Critical),
];
const CATEGORIES: [(&str, &str); 5] = [
    ("decision", "decision"),
    ("estimate", "estimate"),
    ("finding", "finding"),
    ("correction", "correction"),
    ("pattern", "pattern"),
];

/// Where in its source the names in a skill stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SkillMarks {
    /// Whose skill it says it is.
    pub employee: Option<(String, Span)>,
    /// Its own name, when it gives one.
    pub name: Option<Span>,
}

/// Reads a skill of an employee; `default_name` (the stem of its file) is its name when it gives none.
pub fn parse_employee_skill(source: &Source, default_name: &str) -> (Option<EmployeeSkill>, Vec<Diagnostic>) {
    let (found, diagnostics) = parse_employee_skill_marked(source, default_name);
    (found.map(|(skill, _)| skill), diagnostics)
}

/// [`parse_employee_skill`], also telling where the names stand.
pub fn parse_employee_skill_marked(
    source: &Source,
    default_name: &str,
) -> (Option<(EmployeeSkill, SkillMarks)>, Vec<Diagnostic>) {
    let mut report = Report::new(source);
    let found =
        reader::document(source, &mut report).and_then(|node| skill(&node, default_name, &mut report));
    let usable = !report.has_errors();
    (found.filter(|_| usable), report.finish())
}

fn skill(node: &Node, default_name: &str, report: &mut Report<'_>) -> Option<(EmployeeSkill, SkillMarks)> {
    let mut fields = Fields::of(node, "an employee skill", report)?;
    let name = fields.text("name", report).filter(|text| !text.value.trim().is_empty());
    if let Some(name) = &name {
        reader::check_name(name, "a skill", report);
    }
    let description = fields.text("description", report);
    if let Some(text) = &description {
        check_length(text, "description", LONGEST_DESCRIPTION, report);
    }
    let description = description.map(|text| text.value.trim().to_owned()).unwrap_or_default();
    let employee = fields.text("employee", report).filter(|text| !text.value.trim().is_empty());
    let trigger = fields.require("trigger", report).and_then(|node| trigger(node, &description, report));
    let actions = actions(&mut fields, report);
    let metadata = match fields.get("metadata") {
        Some(node) => metadata(node, report)?,
        None => SkillMetadata::default(),
    };
    let marks = SkillMarks {
        employee: employee.map(|text| (text.value.trim().to_owned(), text.span)),
        name: name.as_ref().map(|text| text.span),
    };
    let skill = EmployeeSkill {
        skill_id: fields.string("skill_id", report),
        name: name.map_or_else(|| default_name.to_owned(), |text| text.value.trim().to_owned()),
        version: fields.optional("version", report).unwrap_or_else(|| "0.1.0".to_owned()),
        description,
        enabled: fields.flag("enabled", report).unwrap_or(true),
        trigger: trigger.unwrap_or(SkillTrigger::Always),
        actions,
        metadata,
    };
    fields.get("$schema");
    fields.finish(Unknown::Warned, &[], report);
    Some((skill, marks))
}

fn trigger(node: &Node, description: &str, report: &mut Report<'_>) -> Option<SkillTrigger> {
    #[derive(Clone, Copy)]
    enum Kind {
        Always,
        Keyword,
        Semantic,
    }
    const KINDS: [(&str, Kind); 3] =
        [("always", Kind::Always), ("keyword", Kind::Keyword), ("semantic", Kind::Semantic)];
    let mut fields = Fields::of(node, "a trigger", report)?;
    fields.require("type", report)?;
    let kind = fields.choice("type", "trigger", &KINDS, report);
    let keywords = keywords(&mut fields, report);
    let found = fields.choice("match", "way to match", &FOUND, report);
    let examples = bounded(&mut fields, "examples", report);
    let threshold = fields.number("threshold", 0.0..=1.0, report);
    let embedding_threshold = fields.number("embedding_threshold", 0.0..=1.0, report);
    let place = fields.place();
    fields.finish(Unknown::Warned, &[], report);
    Some(match kind? {
        Kind::Always => SkillTrigger::Always,
        Kind::Keyword => {
            if keywords.is_empty() {
                report
                    .error(codes::MISSING_FIELD, place, "a trigger of the type `keyword` needs `keywords`")
                    .help("write `keywords: [rate limit, 限流]`; one of them is enough, unless `match: all` is said");
            }
            SkillTrigger::Keyword { keywords, found: found.unwrap_or_default() }
        }
        Kind::Semantic => {
            if keywords.is_empty() && examples.is_empty() && description.is_empty() {
                report.error(codes::MISSING_FIELD, place, "there is nothing to compare a task with").help(
                    "give the skill a `description`, or the trigger `examples` of tasks it is meant for",
                );
            }
            SkillTrigger::Semantic {
                keywords,
                examples,
                threshold: threshold.unwrap_or(THRESHOLD),
                embedding_threshold,
            }
        }
    })
}

/// Words to look for, each of which has something to look for.
fn keywords(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for text in limited(fields, "keywords", report) {
        if !text.value.contains(char::is_alphanumeric) {
            let message = format!("`{}` holds no letter and no digit to look for", text.value.escape_debug());
            report.error(codes::INVALID_VALUE, text.span, message);
        } else if !kept.contains(&text.value) {
            kept.push(text.value);
        }
    }
    kept
}

fn actions(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Vec<SkillAction> {
    let nodes = fields.list("actions", report);
    if let Some(node) = nodes.get(MOST_ACTIONS) {
        let message = format!("a skill has at most {MOST_ACTIONS} actions, this one {}", nodes.len());
        report.error(codes::TOO_LONG, node.span, message).help("make two skills of it");
    }
    let actions: Vec<_> = nodes.iter().take(MOST_ACTIONS).filter_map(|node| action(node, report)).collect();
    if nodes.is_empty() {
        let place = fields.key("actions").unwrap_or(fields.place());
        report
            .warning(codes::IDLE_ACTION, place, "the skill has no `actions`, so nothing comes of it")
            .help("write `actions: [{type: load_checklist, params: {items: [...]}}]`");
    }
    actions
}

#[derive(Clone, Copy)]
enum Kind {
    Memory,
    Checklist,
    File,
    Wiki,
    Custom,
}

const KINDS: [(&str, Kind); 5] = [
    ("query_memory", Kind::Memory),
    ("load_checklist", Kind::Checklist),
    ("read_file", Kind::File),
    ("read_wiki", Kind::Wiki),
    ("custom", Kind::Custom),
];

fn action(node: &Node, report: &mut Report<'_>) -> Option<SkillAction> {
    let mut fields = Fields::of(node, "an action", report)?;
    fields.require("type", report)?;
    let kind = fields.choice("type", "action", &KINDS, report);
    let params = fields.get("params").cloned();
    let place = fields.place();
    let written = fields.key("type").unwrap_or(place);
    if let Some((key, stray)) = fields.entries().find(|(key, _)| !["type", "params"].contains(key))
        && params.is_none()
    {
        report
            .error(
                codes::UNKNOWN_FIELD,
                fields.key(key).unwrap_or(stray.span),
                format!("an action has no field `{key}`"),
            )
            .help(format!("write it under `params`: `params: {{{key}: …}}`"));
        return None;
    }
    fields.finish(Unknown::Warned, &[], report);
    let kind = kind?;
    if matches!(kind, Kind::Custom) {
        let message = "an action of the type `custom` does nothing: what it was meant to run is not said";
        report.warning(codes::IDLE_ACTION, written, message);
        return None;
    }
    // Where nothing is given, everything may be left out.
    let nothing = Node { value: Value::Map(Vec::new()), span: written };
    let params = params.unwrap_or(nothing);
    match kind {
        Kind::Memory => memory(&params, report).map(SkillAction::QueryMemory),
        Kind::Checklist => checklist(&params, report).map(SkillAction::LoadChecklist),
        Kind::File => {
            let mut fields = Fields::of(&params, "`params` of `read_file`", report)?;
            let path = paths::relative("path", &mut fields, report);
            fields.finish(Unknown::Warned, &[], report);
            Some(SkillAction::ReadFile { path: path? })
        }
        Kind::Wiki => wiki(&params, report),
        Kind::Custom => None,
    }
}

fn memory(node: &Node, report: &mut Report<'_>) -> Option<MemoryLookup> {
    let mut fields = Fields::of(node, "`params` of `query_memory`", report)?;
    let query = fields.text("query", report).filter(|text| !text.value.trim().is_empty());
    if let Some(text) = &query {
        check_length(text, "query", LONGEST_TEXT, report);
    }
    let lookup = MemoryLookup {
        query: query.map(|text| text.value.trim().to_owned()),
        category: fields.choice("category", "kind of memory", &CATEGORIES, report).map(str::to_owned),
        tags: fields.strings("tags", report),
        limit: fields.whole("limit", 1..=MOST_MEMORIES, report).unwrap_or(MEMORIES),
    };
    fields.finish(Unknown::Warned, &[], report);
    Some(lookup)
}

fn checklist(node: &Node, report: &mut Report<'_>) -> Option<ChecklistSource> {
    let mut fields = Fields::of(node, "`params` of `load_checklist`", report)?;
    let items = bounded(&mut fields, "items", report);
    let file = fields.text("file", report).filter(|text| !text.value.trim().is_empty());
    let section = fields.text("section", report).filter(|text| !text.value.trim().is_empty());
    if let Some(text) = &section {
        check_length(text, "section", LONGEST_TEXT, report);
    }
    let section = section.map(|text| text.value.trim().trim_start_matches('#').trim().to_owned());
    let place = fields.place();
    let both = fields.key("items").filter(|_| file.is_some() || section.is_some());
    fields.finish(Unknown::Warned, &[], report);
    if let Some(place) = both {
        report
            .error(
                codes::INVALID_VALUE,
                place,
                "a checklist has `items`, or is in a `file` or a `section`, not both",
            )
            .help("make two actions of it");
        return None;
    }
    match (file, section) {
        (Some(text), section) => {
            let file = paths::checked(&text, "file", report)?;
            if !file.to_lowercase().ends_with(".md") {
                let message = format!("`{}` is no Markdown file", file.escape_debug());
                report
                    .error(codes::INVALID_VALUE, text.span, message)
                    .help("put the list into a `.md` file in the folder of the skill");
                return None;
            }
            Some(ChecklistSource::File { file, section })
        }
        (None, Some(section)) => Some(ChecklistSource::Section(section)),
        (None, None) if !items.is_empty() => Some(ChecklistSource::Items(items)),
        (None, None) => {
            report
                .error(codes::MISSING_FIELD, place, "a checklist needs `items`, a `file` or a `section`")
                .help("write `params: {items: [first point, second point]}`");
            None
        }
    }
}

/// A document: `doc`, or the two names that earlier versions had for it.
fn wiki(node: &Node, report: &mut Report<'_>) -> Option<SkillAction> {
    let mut fields = Fields::of(node, "`params` of `read_wiki`", report)?;
    let (doc, slug) = (fields.text("doc", report), fields.text("doc_slug", report));
    let space = fields.text("space_slug", report);
    let place = fields.place();
    fields.finish(Unknown::Warned, &[], report);
    let Some(text) = doc.or(slug).filter(|text| !text.value.trim().is_empty()) else {
        report
            .error(codes::MISSING_FIELD, place, "a document of the wiki needs `doc`")
            .help("write `params: {doc: onboarding/deploy}` for `.crew/wiki/onboarding/deploy.md`");
        return None;
    };
    let doc = paths::checked(&text, "doc", report)?;
    let doc = doc.strip_suffix(".md").unwrap_or(&doc).to_owned();
    let doc = match space.filter(|text| !text.value.trim().is_empty()) {
        Some(space) => format!("{}/{doc}", paths::checked(&space, "space_slug", report)?),
        None => doc,
    };
    Some(SkillAction::ReadWiki { doc })
}

fn metadata(node: &Node, report: &mut Report<'_>) -> Option<SkillMetadata> {
    let mut fields = Fields::of(node, "`metadata` of a skill", report)?;
    let usual = SkillMetadata::default();
    let metadata = SkillMetadata {
        category: fields.optional("category", report).unwrap_or(usual.category),
        priority: fields.choice("priority", "priority", &PRIORITIES, report).unwrap_or_default(),
    };
    for moment in ["created_at", "updated_at"] {
        fields.get(moment);
    }
    fields.finish(Unknown::Warned, &[], report);
    Some(metadata)
}

impl Default for SkillMetadata {
    fn default() -> Self {
        Self { category: "general".to_owned(), priority: SkillPriority::default() }
    }
}

/// The texts of a list, as many as are looked at.
fn limited(fields: &mut Fields<'_>, key: &'static str, report: &mut Report<'_>) -> Vec<Text> {
    let mut texts = fields.texts(key, report);
    if let Some(first) = texts.get(MOST_TEXTS) {
        let message = format!("`{key}` has {} entries; at most {MOST_TEXTS} are looked at", texts.len());
        report.error(codes::TOO_LONG, first.span, message);
    }
    texts.truncate(MOST_TEXTS);
    for text in &texts {
        check_length(text, key, LONGEST_TEXT, report);
    }
    texts
}

fn bounded(fields: &mut Fields<'_>, key: &'static str, report: &mut Report<'_>) -> Vec<String> {
    limited(fields, key, report).into_iter().map(|text| text.value).collect()
}

fn check_length(text: &Text, key: &str, most: usize, report: &mut Report<'_>) {
    let length = text.value.chars().count();
    if length > most {
        let message = format!("`{key}` has at most {most} characters here, this one {length}");
        report.error(codes::TOO_LONG, text.span, message);
    }
}
