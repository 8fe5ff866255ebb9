//! Reads pipelines.

use indexmap::IndexMap;

use super::{
    super::{
        codes,
        diagnostic::{Diagnostic, Source, Span},
        reader::{self, Fields, Text, Unknown},
        report::Report,
        yaml::{Node, Value},
    },
    Item, Pipeline, Step,
    references::{self, Known},
};

/// Longest id of a step and longest name of a pipeline, in characters.
const LONGEST: usize = 128;

/// Where in its source the steps of a pipeline stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PipelineMarks {
    /// Each of [`Pipeline::steps`], in flat order.
    pub steps: Vec<StepMarks>,
}

/// Where the parts of a step stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepMarks {
    /// The value of `employee`.
    pub employee: Span,
    /// The value of each argument.
    pub args: IndexMap<String, Span>,
}

/// Reads a pipeline; `default_name` (the stem of its file) is its name when it gives none.
pub fn parse_pipeline(source: &Source, default_name: &str) -> (Option<Pipeline>, Vec<Diagnostic>) {
    let (found, diagnostics) = parse_pipeline_marked(source, default_name);
    (found.map(|(pipeline, _)| pipeline), diagnostics)
}

/// [`parse_pipeline`], also telling where the steps stand.
pub fn parse_pipeline_marked(
    source: &Source,
    default_name: &str,
) -> (Option<(Pipeline, PipelineMarks)>, Vec<Diagnostic>) {
    let mut report = Report::new(source);
    let found =
        reader::document(source, &mut report).and_then(|node| pipeline(&node, default_name, &mut report));
    let usable = !report.has_errors();
    (found.filter(|_| usable), report.finish())
}

fn pipeline(node: &Node, default_name: &str, report: &mut Report<'_>) -> Option<(Pipeline, PipelineMarks)> {
    let mut fields = Fields::of(node, "a pipeline", report)?;
    let name = fields.text("name", report);
    if let Some(name) = &name {
        check_name(name, report);
    }
    let description = fields.string("description", report);
    let fail_fast = fields.flag("fail_fast", report).unwrap_or(true);
    let mut steps = Steps::default();
    if let Some(list) = fields.require("steps", report) {
        match &list.value {
            Value::List(items) if items.is_empty() => {
                report.error(codes::EMPTY_STEPS, list.span, "a pipeline needs at least one step");
            }
            Value::List(items) => items.iter().for_each(|item| steps.item(item, report)),
            _ => {
                let message = format!("`steps` must be a list, not {}", list.describe());
                report.error(codes::WRONG_TYPE, list.span, message);
            }
        }
    }
    fields.finish(Unknown::Warned, &[], report);
    let name = name.map(|text| text.value.trim().to_owned()).filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| default_name.to_owned());
    let pipeline = Pipeline { name, description, fail_fast, items: steps.items };
    Some((pipeline, PipelineMarks { steps: steps.marks }))
}

fn check_name(name: &Text, report: &mut Report<'_>) {
    let value = name.value.trim();
    if value.chars().any(char::is_control) {
        report.error(codes::INVALID_NAME, name.span, "the name of a pipeline is one line of text");
    } else if value.chars().count() > LONGEST {
        let message = format!("the name of a pipeline has at most {LONGEST} characters");
        report.error(codes::TOO_LONG, name.span, message);
    }
}

/// The steps read so far.
#[derive(Default)]
struct Steps {
    items: Vec<Item>,
    marks: Vec<StepMarks>,
    /// Every id with the place it is given at.
    ids: IndexMap<String, Span>,
    /// What the steps to come may refer to.
    known: Known,
}

impl Steps {
    fn item(&mut self, node: &Node, report: &mut Report<'_>) {
        let Some(mut fields) = Fields::of(node, "a step", report) else { return };
        for kind in ["condition", "loop"] {
            if let Some(key) = fields.key(kind) {
                report
                    .error(codes::UNSUPPORTED_STEP, key, format!("`{kind}` is not supported"))
                    .help("this version runs steps with an `employee` and groups of them under `parallel`");
                return;
            }
        }
        if fields.key("parallel").is_some() {
            self.group(fields, report);
            return;
        }
        let step = self.step(&mut fields, report);
        fields.finish(Unknown::Warned, &[], report);
        // A step that cannot be read holds its place, so that the numbers of later ones are right.
        self.known.add(step.as_ref().and_then(|step| step.id.clone()));
        self.items.extend(step.map(Item::Step));
    }

    fn group(&mut self, mut fields: Fields<'_>, report: &mut Report<'_>) {
        let place = fields.key("parallel").unwrap_or(fields.place());
        for key in ["employee", "id", "args", "model"] {
            if let Some(span) = fields.key(key) {
                fields.get(key);
                report
                    .error(codes::MIXED_STEP, span, format!("`{key}` beside `parallel` would be ignored"))
                    .help(format!("move `{key}` into one of the steps under `parallel`"));
            }
        }
        let nodes = fields.list("parallel", report);
        if nodes.is_empty() {
            report.error(codes::EMPTY_STEPS, place, "a group under `parallel` needs at least one step");
        }
        fields.finish(Unknown::Warned, &[], report);
        let mut steps = Vec::new();
        let mut ids = Vec::new();
        for node in nodes {
            let Some(mut fields) = Fields::of(node, "a step", report) else {
                ids.push(None);
                continue;
            };
            let nested = ["parallel", "condition", "loop"].into_iter().find_map(|kind| fields.key(kind));
            if let Some(key) = nested {
                report
                    .error(codes::NESTED_PARALLEL, key, "a group cannot hold another group")
                    .help("put the inner steps after the group, or beside the others in it");
                ids.push(None);
                continue;
            }
            let step = self.step(&mut fields, report);
            fields.finish(Unknown::Warned, &[], report);
            ids.push(step.as_ref().and_then(|step| step.id.clone()));
            steps.extend(step);
        }
        // Only now: the members of a group do not see each other.
        for id in ids {
            self.known.add(id);
        }
        if !steps.is_empty() {
            self.items.push(Item::Parallel(steps));
        }
    }

    fn step(&mut self, fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<Step> {
        let employee = fields.required_text("employee", report);
        let id = fields.text("id", report).filter(|id| !id.value.trim().is_empty());
        let args = fields.text_map("args", report);
        let model = fields.optional("model", report);
        if let Some(id) = &id {
            self.check_id(id, report);
        }
        for text in args.values() {
            references::check(text, &self.known, report);
        }
        let employee = employee?;
        self.marks.push(StepMarks {
            employee: employee.span,
            args: args.iter().map(|(name, text)| (name.clone(), text.span)).collect(),
        });
        Some(Step {
            id: id.map(|id| id.value.trim().to_owned()),
            employee: employee.value.trim().to_owned(),
            args: args.into_iter().map(|(name, text)| (name, text.value)).collect(),
            model,
        })
    }

    fn check_id(&mut self, id: &Text, report: &mut Report<'_>) {
        let value = id.value.trim();
        if !references::is_id(value) || value.len() > LONGEST {
            report
                .error(
                    codes::INVALID_NAME,
                    id.span,
                    format!("`{}` is no id for a step", value.escape_debug()),
                )
                .help("use letters, digits, `-` and `_`, not digits alone");
            return;
        }
        if let Some(first) = self.ids.get(value) {
            report
                .error(codes::DUPLICATE_ID, id.span, format!("there are two steps `{value}`"))
                .label("again here")
                .also(*first, "first here");
            return;
        }
        self.ids.insert(value.to_owned(), id.span);
    }
}
