//! The shape of a pipeline.

#![expect(dead_code, reason = "these types are never made, only their schemas")]

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde_json::{Value, json};

use super::{
    delivery::Delivery,
    employee::{Arg, Somebody},
    piece::{Budget, Flag, FullText, Line, Text, Whole},
};

/// A plan of work: employees one after another, side by side, on a condition, or again and again.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Pipeline {
    /// Name it is run by; that of the file, unless given.
    name: Option<Line>,
    /// One line.
    description: Option<Text>,
    /// What it is given, written as `$name`; it may use others too.
    args: Option<Vec<Arg>>,
    /// Whether the first failed step ends the run; true unless given.
    fail_fast: Option<Flag>,
    /// How much a run may take.
    budget: Option<Budget>,
    /// Where the result goes.
    deliver: Option<Vec<Delivery>>,
    /// What is done, in order.
    #[schemars(length(min = 1))]
    steps: Vec<Item>,
}

/// A step, a group, a condition or a loop.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Item {
    Step(Step),
    Group(Group),
    Condition(ConditionItem),
    Loop(LoopItem),
}

/// A step or a group.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Work {
    Step(Step),
    Group(Group),
}

/// One employee at work.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Step {
    /// Name or trigger of the employee.
    employee: Somebody,
    /// What its output is referred to by, as in `{steps.<id>.output}`; unique in the pipeline.
    id: Option<Text>,
    /// Values for the employee, with `$name`, `{prev}`, `{steps.<id>.output}` and `{steps.<id>.json.<path>}` filled in.
    args: Option<IndexMap<String, Option<Text>>>,
    /// Model for this step only.
    model: Option<Text>,
    /// How often it is tried in all, 1 to 5.
    retry: Option<Retry>,
    /// How long each attempt may take, at most a day.
    timeout_seconds: Option<Whole<1, 86_400>>,
    /// `true`, or what a person is asked before it runs.
    approval: Option<Text>,
    /// It is skipped unless this holds.
    when: Option<Test>,
}

/// How often a step is tried in all.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Retry {
    Times(Whole<1, 5>),
    Map(Attempts),
}

/// How often a step is tried in all.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Attempts {
    /// 1 to 5.
    attempts: Whole<1, 5>,
}

/// Steps side by side.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Group {
    /// All of them are done at the same time.
    #[schemars(length(min = 1))]
    parallel: Vec<Step>,
}

/// One of two ways.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ConditionItem {
    /// What decides, and what is done.
    condition: Condition,
}

/// What decides, and what is done.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = one_comparison()))]
struct Condition {
    /// The text that is looked at, with places filled in.
    check: FullText,
    /// It is somewhere in the text.
    contains: Option<Text>,
    /// A regular expression that is found in the text.
    matches: Option<Text>,
    /// It is the text, white space around both left aside.
    equals: Option<Text>,
    /// Done when it holds.
    #[schemars(length(min = 1))]
    then: Vec<Work>,
    /// Done when it does not; nothing is, unless given.
    #[schemars(rename = "else", length(min = 1))]
    otherwise: Option<Vec<Work>>,
}

/// The same again and again.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct LoopItem {
    /// What is done, and when it ends.
    #[schemars(rename = "loop")]
    again: Loop,
}

/// What is done, and when it ends.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Loop {
    /// Done each time.
    #[schemars(length(min = 1))]
    steps: Vec<Work>,
    /// Looked at after each time; the loop ends when it holds.
    until: Test,
    /// How often at most, 1 to 50; 5, unless given.
    max_iterations: Option<Whole<1, 50>>,
}

/// A question about a text that has a yes or no for an answer.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = one_comparison()))]
struct Test {
    /// The text that is looked at, with places filled in.
    check: FullText,
    /// It is somewhere in the text.
    contains: Option<Text>,
    /// A regular expression that is found in the text.
    matches: Option<Text>,
    /// It is the text, white space around both left aside.
    equals: Option<Text>,
}

fn one_comparison() -> Value {
    json!([{"required": ["contains"]}, {"required": ["matches"]}, {"required": ["equals"]}])
}
