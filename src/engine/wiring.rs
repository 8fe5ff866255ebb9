//! How values reach the steps of a pipeline: from the run's arguments and from the outputs of earlier steps.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::template::{Grammar, Place, Template, identifier_len, longest_name};
use crate::defs::{Pipeline, Step};

/// What stands between the outputs of a group when they are handed on together.
const RULE: &str = "\n\n---\n\n";

/// The places of a step's arguments.
struct Wires<'a> {
    given: Option<&'a IndexMap<String, String>>,
}

impl Grammar for Wires<'_> {
    fn name_len(&self, rest: &str) -> Option<usize> {
        let given = self.given.and_then(|given| longest_name(rest, given.keys().map(String::as_str)));
        given.or_else(|| identifier_len(rest))
    }
    fn braced(&self, name: &str) -> bool {
        !name.is_empty()
    }
    fn positionals(&self) -> Option<usize> {
        None
    }
    fn word(&self, word: &str) -> bool {
        word == "prev"
    }
    fn step_outputs(&self) -> bool {
        true
    }
}

/// The names of the values a run of `pipeline` must be given, in the order they are first used.
pub fn inputs(pipeline: &Pipeline) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for value in pipeline.steps().flat_map(|step| step.args.values()) {
        for place in Template::parse(value, &Wires { given: None }).places() {
            if let Place::Named(name) = place
                && !names.iter().any(|known| known == name)
            {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// What the steps have given so far.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    /// By flat index; `None` for a step that failed.
    by_index: Vec<Option<String>>,
    index_of: HashMap<String, usize>,
    /// Where the item before the next one begins.
    prev_from: usize,
}

/// Why a place in a step's arguments cannot be filled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwired {
    #[error("`${0}` is not among the arguments of this run")]
    Argument(String),
    #[error("`{{steps.{0}.output}}` names no earlier step")]
    Step(String),
    #[error("it needs the output of a step that failed")]
    Failed,
}

impl Outputs {
    /// Notes the outputs of one item, in the order of its steps.
    pub(crate) fn push<'s>(&mut self, outputs: impl IntoIterator<Item = (&'s Step, Option<String>)>) {
        self.prev_from = self.by_index.len();
        for (step, output) in outputs {
            if let Some(id) = &step.id {
                self.index_of.insert(id.clone(), self.by_index.len());
            }
            self.by_index.push(output);
        }
    }

    /// What `{prev}` stands for: the outputs of the item before, joined by a rule; empty at the start.
    fn prev(&self) -> Result<String, Unwired> {
        let outputs = self.by_index.get(self.prev_from..).unwrap_or_default();
        let given: Vec<&str> = outputs.iter().flatten().map(String::as_str).collect();
        if given.is_empty() && !outputs.is_empty() { Err(Unwired::Failed) } else { Ok(given.join(RULE)) }
    }

    /// What `{steps.<id>.output}` stands for: a step's id, else its place in the flat order, from 0.
    fn step(&self, id: &str) -> Result<String, Unwired> {
        let index = self.index_of.get(id).copied().or_else(|| id.parse().ok());
        let output = index.and_then(|index: usize| self.by_index.get(index));
        output.ok_or_else(|| Unwired::Step(id.to_owned()))?.clone().ok_or(Unwired::Failed)
    }

    /// Fills the arguments of `step`, each in one pass: outputs are never looked at again.
    pub(crate) fn wire(
        &self,
        step: &Step,
        given: &IndexMap<String, String>,
    ) -> Result<IndexMap<String, String>, Unwired> {
        let grammar = Wires { given: Some(given) };
        let fill = |value: &String| {
            Template::parse(value, &grammar).fill(|place| match place {
                Place::Named(name) => {
                    given.get(name).cloned().ok_or_else(|| Unwired::Argument(name.to_owned()))
                }
                Place::StepOutput(id) => self.step(id),
                _ => self.prev(),
            })
        };
        step.args.iter().map(|(name, value)| Ok((name.clone(), fill(value)?))).collect()
    }
}

/// The arguments of `step` with the run's values filled in and references to outputs left as they are, for showing a
/// prompt before anything has run.
pub(crate) fn preview(step: &Step, given: &IndexMap<String, String>) -> IndexMap<String, String> {
    let grammar = Wires { given: Some(given) };
    let fill = |value: &String| {
        let filled = Template::parse(value, &grammar).fill(|place| {
            Ok::<_, std::convert::Infallible>(match place {
                Place::Named(name) => given.get(name).cloned().unwrap_or_else(|| format!("${name}")),
                Place::StepOutput(id) => format!("{{steps.{id}.output}}"),
                _ => "{prev}".to_owned(),
            })
        });
        match filled {
            Ok(text) => text,
            Err(never) => match never {},
        }
    };
    step.args.iter().map(|(name, value)| (name.clone(), fill(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(id: &str, arg: &str) -> Step {
        Step {
            id: Some(id.to_owned()),
            employee: "worker".to_owned(),
            args: IndexMap::from([("a".to_owned(), arg.to_owned())]),
            model: None,
        }
    }

    #[track_caller]
    fn check(arg: &str, expected: Result<&str, &str>) {
        let mut outputs = Outputs::default();
        outputs.push([(&step("one", ""), Some("first {prev} $x".to_owned()))]);
        outputs.push([
            (&step("two", ""), Some("A".to_owned())),
            (&step("three", ""), None),
            (&step("four", ""), Some("B".to_owned())),
        ]);
        let given =
            IndexMap::from([("x".to_owned(), "{prev}${x}".to_owned()), ("目标".to_owned(), "t".to_owned())]);
        let wired = outputs.wire(&step("five", arg), &given).map(|args| args["a"].clone());
        assert_eq!(wired.as_deref().map_err(ToString::to_string), expected.map_err(str::to_owned));
    }

    #[test]
    fn values_are_not_looked_at_again() {
        check("$x", Ok("{prev}${x}"));
        check("{steps.one.output}", Ok("first {prev} $x"));
        check("src/$x.rs ${目标}$目标文", Ok("src/{prev}${x}.rs tt文"));
    }

    #[test]
    fn prev_is_all_that_the_item_before_gave() {
        check("<{prev}>", Ok("<A\n\n---\n\nB>"));
        check("{steps.2.output}", Err("it needs the output of a step that failed"));
        check("{steps.3.output}{steps.two.output}", Ok("BA"));
    }

    #[test]
    fn what_is_not_there_is_said() {
        check("$y", Err("`$y` is not among the arguments of this run"));
        check("$$y", Ok("$y"));
        check("{steps.nine.output}", Err("`{steps.nine.output}` names no earlier step"));
    }
}
