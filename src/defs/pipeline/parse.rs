//! Reads pipelines.

use indexmap::IndexMap;

use super::{
    super::{
        budget, codes, delivery,
        diagnostic::{Diagnostic, Source, Span},
        reader::{self, Fields, Unknown},
        report::Report,
        yaml::{Node, Value},
    },
    Condition, Item, Loop, Pipeline, Work, checks, inputs,
    references::{Board, Branch, Scope},
};

/// Longest id of a step.
pub(super) const LONGEST: usize = 128;
/// Most rounds of a loop.
const MOST_ITERATIONS: u32 = 50;
/// Rounds of a loop that does not say how many.
const ITERATIONS: u32 = 5;
/// The keys that make an item something else than a step.
const KINDS: [&str; 3] = ["parallel", "condition", "loop"];
/// The keys of a step.
const OF_A_STEP: [&str; 8] =
    ["employee", "id", "args", "model", "retry", "timeout_seconds", "approval", "when"];

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
        reader::check_name(name, "a pipeline", report);
    }
    let description = fields.string("description", report);
    let args = inputs::read(&mut fields, report);
    let fail_fast = fields.flag("fail_fast", report).unwrap_or(true);
    let budget = budget::read(&mut fields, report);
    let deliver = delivery::read(&mut fields, "deliver", delivery::Place::Run, report);
    let mut draft = Draft::default();
    let mut items = Vec::new();
    if let Some(list) = fields.require("steps", report) {
        match &list.value {
            Value::List(nodes) if nodes.is_empty() => {
                report.error(codes::EMPTY_STEPS, list.span, "a pipeline needs at least one step");
            }
            Value::List(nodes) => {
                let read = |(place, node)| draft.item(node, place, report);
                items = nodes.iter().enumerate().filter_map(read).collect();
            }
            _ => {
                let message = format!("`steps` must be a list, not {}", list.describe());
                report.error(codes::WRONG_TYPE, list.span, message);
            }
        }
    }
    draft.board.check(&args, report);
    fields.finish(Unknown::Warned, &[], report);
    let name = name.map(|text| text.value.trim().to_owned()).filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| default_name.to_owned());
    let pipeline = Pipeline { name, description, args, fail_fast, budget, deliver, items };
    Some((pipeline, PipelineMarks { steps: draft.marks }))
}

/// What has been read so far.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) marks: Vec<StepMarks>,
    /// Every id with the place it is given at.
    pub(super) ids: IndexMap<String, Span>,
    /// Who may refer to whom.
    pub(super) board: Board,
}

impl Draft {
    fn item(&mut self, node: &Node, item: usize, report: &mut Report<'_>) -> Option<Item> {
        let mut fields = Fields::of(node, "a step", report)?;
        if fields.key("condition").is_some() {
            self.condition(fields, item, report).map(Item::Condition)
        } else if fields.key("loop").is_some() {
            self.again(fields, item, report).map(Item::Loop)
        } else {
            let scope = Scope { item, branch: Branch::Main, place: 0 };
            // Asked for only so that a misspelt one is recognised.
            for kind in KINDS {
                fields.get(kind);
            }
            self.work(fields, scope, report).map(Item::Work)
        }
    }

    fn condition(
        &mut self,
        mut fields: Fields<'_>,
        item: usize,
        report: &mut Report<'_>,
    ) -> Option<Condition> {
        let node = alone(&mut fields, "condition", report);
        fields.finish(Unknown::Warned, &[], report);
        let mut inner = Fields::of(node?, "a condition", report)?;
        let test = checks::test_in(&mut inner, "a condition", report);
        if let Some(test) = &test {
            self.board.text(test.check.clone(), Scope { item, branch: Branch::Main, place: 0 });
        }
        let then = match inner.require("then", report) {
            Some(_) => self.block(&mut inner, "then", item, Branch::Then, report),
            None => Vec::new(),
        };
        let otherwise = self.block(&mut inner, "else", item, Branch::Else, report);
        inner.finish(Unknown::Warned, &[], report);
        Some(Condition { test: test?.test, then, otherwise })
    }

    fn again(&mut self, mut fields: Fields<'_>, item: usize, report: &mut Report<'_>) -> Option<Loop> {
        let node = alone(&mut fields, "loop", report);
        fields.finish(Unknown::Warned, &[], report);
        let mut inner = Fields::of(node?, "a loop", report)?;
        let steps = match inner.require("steps", report) {
            Some(_) => self.block(&mut inner, "steps", item, Branch::Loop, report),
            None => Vec::new(),
        };
        let until = inner.require("until", report).and_then(|node| checks::test(node, "an `until`", report));
        if let Some(until) = &until {
            self.board.text(until.check.clone(), Scope { item, branch: Branch::Loop, place: usize::MAX });
        }
        let max_iterations = inner.whole("max_iterations", 1..=MOST_ITERATIONS, report).unwrap_or(ITERATIONS);
        inner.finish(Unknown::Warned, &[], report);
        Some(Loop { steps, until: until?.test, max_iterations })
    }

    /// The steps and groups of one part of a condition or a loop.
    fn block(
        &mut self,
        fields: &mut Fields<'_>,
        key: &'static str,
        item: usize,
        branch: Branch,
        report: &mut Report<'_>,
    ) -> Vec<Work> {
        let is_empty = |node: &Node| matches!(&node.value, Value::List(nodes) if nodes.is_empty());
        if let Some(node) = fields.get(key).filter(|node| is_empty(node)) {
            report.error(codes::EMPTY_STEPS, node.span, format!("`{key}` needs at least one step"));
        }
        let nodes = fields.list(key, report);
        let mut works = Vec::new();
        for (place, node) in nodes.iter().enumerate() {
            let Some(fields) = Fields::of(node, "a step", report) else { continue };
            let nested = ["condition", "loop"].into_iter().find_map(|kind| fields.key(kind));
            if let Some(key) = nested {
                report.error(codes::NESTED_BLOCK, key, "conditions and loops do not hold each other").help(
                    "they hold steps, and groups under `parallel`; a step may have a `when` of its own",
                );
                continue;
            }
            works.extend(self.work(fields, Scope { item, branch, place }, report));
        }
        works
    }

    fn work(&mut self, mut fields: Fields<'_>, scope: Scope, report: &mut Report<'_>) -> Option<Work> {
        if fields.key("parallel").is_none() {
            return self.step(fields, scope, report).map(|step| Work::Step(Box::new(step)));
        }
        let place = fields.key("parallel").unwrap_or(fields.place());
        alone(&mut fields, "parallel", report);
        let nodes = fields.list("parallel", report);
        if nodes.is_empty() {
            report.error(codes::EMPTY_STEPS, place, "a group under `parallel` needs at least one step");
        }
        fields.finish(Unknown::Warned, &[], report);
        let mut steps = Vec::new();
        for node in nodes {
            let Some(fields) = Fields::of(node, "a step", report) else {
                self.board.step(None, scope, false);
                continue;
            };
            if let Some(key) = KINDS.into_iter().find_map(|kind| fields.key(kind)) {
                report
                    .error(codes::NESTED_PARALLEL, key, "a group holds steps only")
                    .help("put the inner steps after the group, or beside the others in it");
                self.board.step(None, scope, false);
                continue;
            }
            steps.extend(self.step(fields, scope, report));
        }
        (!steps.is_empty()).then_some(Work::Parallel(steps))
    }
}

/// The value of `kind`, beside which nothing else may be said.
fn alone<'n>(fields: &mut Fields<'n>, kind: &'static str, report: &mut Report<'_>) -> Option<&'n Node> {
    for key in OF_A_STEP.into_iter().chain(KINDS).filter(|key| *key != kind) {
        if let Some(span) = fields.key(key) {
            fields.get(key);
            report.error(codes::MIXED_STEP, span, format!("`{key}` beside `{kind}` would be ignored")).help(
                format!("move `{key}` into one of the steps of the `{kind}`, or to an item of its own"),
            );
        }
    }
    fields.require(kind, report)
}
