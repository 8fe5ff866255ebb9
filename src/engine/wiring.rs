//! How values reach the steps of a pipeline: from the run's arguments and from the outputs of earlier steps.

use std::{borrow::Cow, collections::HashMap, convert::Infallible};

use indexmap::IndexMap;
use serde_json::Value;

use crate::defs::{
    Pipeline, Step,
    template::{Place, Template, Wires},
};

/// What stands between the outputs of a group when they are handed on together.
const RULE: &str = "\n\n---\n\n";

/// What one step has given so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gave {
    /// It has not run: it comes later, was skipped, or is in a way that was not taken.
    Nothing,
    /// It failed.
    Failure,
    /// This.
    Text(String),
}

/// What the steps of a pipeline have given so far.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    /// By flat index.
    by_index: Vec<Gave>,
    index_of: HashMap<String, usize>,
    /// What ran last: a step, or the members of a group.
    last: Vec<usize>,
}

/// Why a place cannot be filled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwired {
    #[error("`${0}` is not among the arguments of this run")]
    Argument(String),
    #[error("`{{steps.{0}.output}}` names no step")]
    Step(String),
    #[error("it needs the output of a step that failed")]
    Failed,
    #[error("it needs the output of step `{0}` as JSON, which it is not")]
    NoJson(String),
    #[error("`{{steps.{id}.json.{path}}}` leads nowhere")]
    NoPath { id: String, path: String },
}

impl Outputs {
    pub(crate) fn of(pipeline: &Pipeline) -> Self {
        let mut outputs = Self::default();
        for (index, step) in pipeline.steps().enumerate() {
            outputs.by_index.push(Gave::Nothing);
            if let Some(id) = &step.id {
                outputs.index_of.entry(id.clone()).or_insert(index);
            }
        }
        outputs
    }

    /// Notes what a step or the members of a group gave, `first` being the flat index of the first of them.
    pub(crate) fn push(&mut self, first: usize, gave: impl IntoIterator<Item = Gave>) {
        let mut ran = Vec::new();
        for (index, gave) in (first..).zip(gave) {
            if gave != Gave::Nothing {
                ran.push(index);
            }
            if let Some(known) = self.by_index.get_mut(index) {
                *known = gave;
            }
        }
        // When all was skipped, what came before is still the last.
        if !ran.is_empty() {
            self.last = ran;
        }
    }

    /// What `{prev}` stands for: the outputs of what ran last, joined by a rule; empty at the start.
    fn prev(&self) -> Result<String, Unwired> {
        let last = self.last.iter().filter_map(|index| self.by_index.get(*index));
        let given: Vec<&str> = last
            .filter_map(|gave| match gave {
                Gave::Text(text) => Some(text.as_str()),
                Gave::Nothing | Gave::Failure => None,
            })
            .collect();
        if given.is_empty() && !self.last.is_empty() { Err(Unwired::Failed) } else { Ok(given.join(RULE)) }
    }

    /// What a step gave, by its id or else its place in the flat order, from 0; empty when it did not run.
    fn step(&self, id: &str) -> Result<&str, Unwired> {
        let index = self.index_of.get(id).copied().or_else(|| id.parse().ok());
        match index.and_then(|index: usize| self.by_index.get(index)) {
            None => Err(Unwired::Step(id.to_owned())),
            Some(Gave::Failure) => Err(Unwired::Failed),
            Some(Gave::Nothing) => Ok(""),
            Some(Gave::Text(text)) => Ok(text),
        }
    }

    fn json(&self, id: &str, path: &str) -> Result<String, Unwired> {
        let output = self.step(id)?;
        if output.is_empty() {
            return Ok(String::new());
        }
        let value = parse_json(output).ok_or_else(|| Unwired::NoJson(id.to_owned()))?;
        let found = path.split('.').try_fold(&value, |value, key| match value {
            Value::Array(items) => items.get(key.parse::<usize>().ok()?),
            other => other.get(key),
        });
        match found {
            None => Err(Unwired::NoPath { id: id.to_owned(), path: path.to_owned() }),
            Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Ok(other.to_string()),
        }
    }

    /// Fills `text` in one pass: outputs and arguments are never looked at again.
    pub(crate) fn fill(&self, text: &str, given: &IndexMap<String, String>) -> Result<String, Unwired> {
        Template::parse(text, &Wires { names: given }).fill(|place| {
            Ok(match place {
                Place::Named(name) => {
                    let value = given.get(name).ok_or_else(|| Unwired::Argument(name.to_owned()))?;
                    Cow::Borrowed(value.as_str())
                }
                Place::StepOutput(id) => Cow::Borrowed(self.step(id)?),
                Place::StepJson { id, path } => Cow::Owned(self.json(id, path)?),
                _ => Cow::Owned(self.prev()?),
            })
        })
    }

    /// Fills the arguments of `step`.
    pub(crate) fn wire(
        &self,
        step: &Step,
        given: &IndexMap<String, String>,
    ) -> Result<IndexMap<String, String>, Unwired> {
        step.args.iter().map(|(name, text)| Ok((name.clone(), self.fill(text, given)?))).collect()
    }
}

/// The JSON a model gave, also when it put it in a fence or said something around that.
fn parse_json(output: &str) -> Option<Value> {
    let fenced = || {
        let (_, rest) = output.split_once("```")?;
        let (_, rest) = rest.split_once('\n')?;
        serde_json::from_str(rest.split_once("```")?.0.trim()).ok()
    };
    serde_json::from_str(output.trim()).ok().or_else(fenced)
}

/// The arguments of `step` with the run's values filled in and references to outputs left as they are, for showing a
/// prompt before anything has run.
pub(crate) fn preview(step: &Step, given: &IndexMap<String, String>) -> IndexMap<String, String> {
    let grammar = Wires { names: given };
    let fill = |value: &String| {
        let filled = Template::parse(value, &grammar).fill(|place| {
            Ok::<_, Infallible>(match place {
                Place::Named(name) => given.get(name).cloned().unwrap_or_else(|| format!("${name}")),
                Place::StepOutput(id) => format!("{{steps.{id}.output}}"),
                Place::StepJson { id, path } => format!("{{steps.{id}.json.{path}}}"),
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
    use crate::defs::{Source, parse_pipeline};

    fn pipeline() -> Pipeline {
        let text = "steps:\n  - {id: one, employee: a}\n  - parallel:\n      - {id: two, employee: a}\n      - {id: three, employee: a}\n      - {id: four, employee: a}\n  - {id: data, employee: a}\n  - {id: late, employee: a}\n";
        parse_pipeline(&Source::new("p.yaml", text), "p").0.unwrap()
    }

    fn outputs() -> Outputs {
        let mut outputs = Outputs::of(&pipeline());
        let text = |text: &str| Gave::Text(text.to_owned());
        outputs.push(4, [text("好的：\n```json\n{\"a\": [{\"标题\": \"x\"}, 2], \"n\": null}\n```")]);
        outputs.push(0, [text("first {prev} $x")]);
        outputs.push(1, [text("A"), Gave::Failure, text("B")]);
        outputs
    }

    #[track_caller]
    fn check(arg: &str, expected: Result<&str, &str>) {
        let given =
            IndexMap::from([("x".to_owned(), "{prev}${x}".to_owned()), ("目标".to_owned(), "t".to_owned())]);
        let filled = outputs().fill(arg, &given);
        assert_eq!(filled.as_deref().map_err(ToString::to_string), expected.map_err(str::to_owned));
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
        check("{steps.nine.output}", Err("`{steps.nine.output}` names no step"));
    }

    #[test]
    fn parts_of_json_are_found_also_in_a_fence() {
        check("{steps.data.json.a.0.标题} {steps.data.json.a.1}{steps.data.json.n}", Ok("x 2"));
        check("{steps.data.json.a}", Ok(r#"[{"标题":"x"},2]"#));
        check("{steps.data.json.b}", Err("`{steps.data.json.b}` leads nowhere"));
        check("{steps.one.json.a}", Err("it needs the output of step `one` as JSON, which it is not"));
    }

    #[test]
    fn what_did_not_run_is_empty_and_leaves_prev_as_it_was() {
        check("<{steps.late.output}{steps.late.json.a}>", Ok("<>"));
        let mut outputs = outputs();
        outputs.push(5, [Gave::Nothing]);
        assert_eq!(outputs.fill("{prev}", &IndexMap::new()).unwrap(), "A\n\n---\n\nB");
    }
}
