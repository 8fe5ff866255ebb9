//! A pipeline: employees at work one after another, side by side, on a condition, or again and again.

mod checks;
mod inputs;
mod parse;
mod pattern;
mod references;
mod step;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

pub use parse::{PipelineMarks, StepMarks, parse_pipeline, parse_pipeline_marked};
pub use pattern::Pattern;

use super::{
    budget::Budget,
    delivery::Delivery,
    employee::Arg,
    template::{Place, Template, Wires},
};

/// A plan of work.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Pipeline {
    /// Name it is run by.
    pub name: String,
    /// One line.
    pub description: String,
    /// The arguments it declares; it may use others too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Arg>,
    /// Whether the first failed step ends the run; true unless the file says otherwise.
    pub fail_fast: bool,
    /// How much a run may take.
    #[serde(skip_serializing_if = "Budget::is_empty")]
    pub budget: Budget,
    /// Where the result goes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deliver: Vec<Delivery>,
    /// At least one.
    pub items: Vec<Item>,
}

/// One place in the order of work.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// One of two ways.
    Condition(Condition),
    /// The same again and again.
    Loop(Loop),
    /// A step or a group.
    #[serde(untagged)]
    Work(Work),
}

/// What conditions and loops are made of: they do not hold each other.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// One employee.
    Step(Box<Step>),
    /// Several side by side; at least one.
    Parallel(Vec<Step>),
}

/// One of two ways, chosen by what came before.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Condition {
    /// What decides.
    pub test: Test,
    /// Done when the test holds; at least one.
    pub then: Vec<Work>,
    /// Done when it does not; nothing is, when this is empty.
    #[serde(rename = "else")]
    pub otherwise: Vec<Work>,
}

/// The same again and again: once at least, then until the test holds.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Loop {
    /// Done each time; at least one.
    pub steps: Vec<Work>,
    /// Looked at after each time; the loop ends when it holds.
    pub until: Test,
    /// How often at most, 1 to 50.
    pub max_iterations: u32,
}

/// A question about a text that has a yes or no for an answer.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Test {
    /// The text, with places to fill.
    pub check: String,
    /// What it is compared with.
    #[serde(flatten)]
    pub comparison: Comparison,
}

/// What a text is compared with, as it is written: nothing in it is filled.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// It is somewhere in the text.
    Contains(String),
    /// It is found in the text.
    Matches(Pattern),
    /// It is the text, white space around both left aside.
    Equals(String),
}

/// One employee at work.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Step {
    /// What its output is referred to by; unique in the pipeline. Letters, digits, `-` and `_`; not only digits.
    pub id: Option<String>,
    /// Name or trigger of the employee.
    pub employee: String,
    /// Values for the employee, with `$name`, `{prev}`, `{steps.<id>.output}` and `{steps.<id>.json.<path>}` places to
    /// fill.
    pub args: IndexMap<String, String>,
    /// Model for this step only.
    pub model: Option<String>,
    /// How often it is tried in all, 1 to 5.
    #[serde(skip_serializing_if = "is_one")]
    pub attempts: u32,
    /// How long each attempt may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// What a person is asked before it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// It is skipped unless this holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<Test>,
}

/// What a person is asked before a step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Approval {
    /// The question; may be empty.
    pub question: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it a reference")]
fn is_one(number: &u32) -> bool {
    *number == 1
}

impl Work {
    /// The steps in it, one or more.
    pub fn steps(&self) -> &[Step] {
        match self {
            Self::Step(step) => std::slice::from_ref(step),
            Self::Parallel(steps) => steps,
        }
    }
}

impl Item {
    /// The parts of it, as they are written: those of `then` before those of `else`.
    fn works(&self) -> (&[Work], &[Work]) {
        match self {
            Self::Work(work) => (std::slice::from_ref(work), &[]),
            Self::Condition(condition) => (&condition.then, &condition.otherwise),
            Self::Loop(again) => (&again.steps, &[]),
        }
    }

    /// The steps in it, one or more, as they are written.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        let (first, second) = self.works();
        first.iter().chain(second).flat_map(Work::steps)
    }

    fn tests(&self) -> impl Iterator<Item = &Test> {
        let own = match self {
            Self::Work(_) => None,
            Self::Condition(condition) => Some(&condition.test),
            Self::Loop(again) => Some(&again.until),
        };
        own.into_iter().chain(self.steps().filter_map(|step| step.when.as_ref()))
    }
}

impl Test {
    /// Whether it holds for `text`, which is [`Test::check`] filled.
    pub fn holds(&self, text: &str) -> bool {
        match &self.comparison {
            Comparison::Contains(part) => text.contains(part.as_str()),
            Comparison::Matches(pattern) => pattern.is_found_in(text),
            Comparison::Equals(whole) => text.trim() == whole.trim(),
        }
    }
}

impl Pipeline {
    /// All steps in flat order, as they are written and counted.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.items.iter().flat_map(Item::steps)
    }

    /// How many steps a run records, approvals among them, when that does not depend on how it goes.
    pub fn step_count(&self) -> Option<usize> {
        let plain = self.items.iter().all(|item| matches!(item, Item::Work(_)))
            && self.steps().all(|step| step.approval.is_none() || step.when.is_none());
        plain.then(|| self.steps().map(|step| if step.approval.is_some() { 2 } else { 1 }).sum())
    }

    /// The names of the values a run must be given, in the order they are declared or first used.
    pub fn required_args(&self) -> Vec<String> {
        let declared = |name: &str| self.args.iter().find(|arg| arg.name == name);
        let must = self.args.iter().filter(|arg| arg.required && arg.default.is_none());
        let mut names: Vec<String> = must.map(|arg| arg.name.clone()).collect();
        let declarations: Vec<&str> = self.args.iter().map(|arg| arg.name.as_str()).collect();
        let tests = self.items.iter().flat_map(Item::tests).map(|test| &test.check);
        for text in self.steps().flat_map(|step| step.args.values()).chain(tests) {
            for place in Template::parse(text, &Wires { names: &declarations }).places() {
                if let Place::Named(name) = place
                    && declared(name).is_none()
                    && !names.iter().any(|known| known == name)
                {
                    names.push(name.to_owned());
                }
            }
        }
        names
    }

    /// `given` with the defaults of what is declared and not given; what may be left out becomes empty.
    pub fn complete(&self, mut given: IndexMap<String, String>) -> IndexMap<String, String> {
        for arg in &self.args {
            if let Some(default) = arg.default.clone().or_else(|| (!arg.required).then(String::new)) {
                given.entry(arg.name.clone()).or_insert(default);
            }
        }
        given
    }
}
