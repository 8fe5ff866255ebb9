//! Checks the places in arguments and tests that stand for the output of another step.
//!
//! A step is seen by what certainly comes after it. What may have been left out (the other way of a condition, a step
//! with `when`, a later step of a loop the first time round) can be referred to, with a warning: it is empty then.

use std::collections::HashMap;

use super::super::{
    codes,
    employee::Arg,
    reader::{self, Text, locate},
    report::Report,
    template::{Place, Template, Wires},
};

/// Where in the order of work something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope {
    /// Place of the item.
    pub(super) item: usize,
    /// Which part of the item.
    pub(super) branch: Branch,
    /// Place in that part; the members of a group share one.
    pub(super) place: usize,
}

/// A part of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Branch {
    /// The item itself: a step, a group, or what a condition asks.
    Main,
    Then,
    Else,
    Loop,
}

/// A step as others see it.
#[derive(Debug)]
struct Seen {
    id: Option<String>,
    scope: Scope,
    /// It has a `when`.
    may_be_skipped: bool,
}

/// All steps, and all texts that may refer to them.
#[derive(Debug, Default)]
pub(super) struct Board {
    steps: Vec<Seen>,
    texts: Vec<(Text, Scope)>,
}

enum Sight {
    Certain,
    /// With the reason why not.
    Uncertain(&'static str),
    Never,
}

impl Board {
    /// One more step, in the order they are written. One that cannot be read holds its place too.
    pub(super) fn step(&mut self, id: Option<String>, scope: Scope, may_be_skipped: bool) {
        self.steps.push(Seen { id, scope, may_be_skipped });
    }

    /// One more text with places in it.
    pub(super) fn text(&mut self, text: Text, scope: Scope) {
        self.texts.push((text, scope));
    }

    /// Notes every reference to what cannot be there or may not be, and every `$name` that `args` do not declare, if
    /// they declare any.
    pub(super) fn check(&self, args: &[Arg], report: &mut Report<'_>) {
        let mut by_id: HashMap<&str, usize> = HashMap::new();
        for (number, step) in self.steps.iter().enumerate() {
            if let Some(id) = &step.id {
                by_id.entry(id).or_insert(number);
            }
        }
        let declared: Vec<&str> = args.iter().map(|arg| arg.name.as_str()).collect();
        for (text, scope) in &self.texts {
            let template = Template::parse(&text.value, &Wires { names: &declared });
            for (place, written) in template.written_places() {
                match place {
                    Place::StepOutput(id) | Place::StepJson { id, .. } => {
                        let number = by_id.get(id).copied().or_else(|| id.parse().ok());
                        self.reference(id, number, *scope, text, written, report);
                    }
                    Place::Named(name) if !declared.is_empty() && !declared.contains(&name) => {
                        let place = locate(text, written, report);
                        let message = format!("`{written}` is not among the arguments of this pipeline");
                        report
                            .warning(codes::UNDECLARED_ARG, place, message)
                            .suggest(name, declared.iter().copied());
                    }
                    _ => {}
                }
            }
            for open in template.open_names() {
                let place = locate(text, open, report);
                reader::open_name(open, place, "or declare it under `args`", report);
            }
            for near in template.near_misses() {
                let place = locate(text, near, report);
                report
                    .warning(
                        codes::MALFORMED_REFERENCE,
                        place,
                        format!("`{near}` is no reference and stays as it is"),
                    )
                    .help(
                        "the output of a step is `{steps.<id>.output}`, a part of it `{steps.<id>.json.<path>}`, \
                         that of the step before `{prev}`",
                    );
            }
        }
    }

    fn reference(
        &self,
        id: &str,
        number: Option<usize>,
        from: Scope,
        text: &Text,
        written: &str,
        report: &mut Report<'_>,
    ) {
        let sight =
            number.and_then(|number| self.steps.get(number)).map_or(Sight::Never, |step| sight(step, from));
        match sight {
            Sight::Certain => {}
            Sight::Uncertain(why) => {
                let place = locate(text, written, report);
                report.warning(codes::UNCERTAIN_REFERENCE, place, format!("`{written}` may be empty: {why}"));
            }
            Sight::Never => self.unknown(id, from, text, written, report),
        }
    }

    fn unknown(&self, id: &str, from: Scope, text: &Text, written: &str, report: &mut Report<'_>) {
        let place = locate(text, written, report);
        let is_full = report.is_full();
        let message = format!("`{written}` refers to a step that does not come before this one");
        let draft = report.error(codes::UNKNOWN_REFERENCE, place, message);
        if is_full {
            return;
        }
        let seen: Vec<(usize, &Seen)> = self
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| !matches!(sight(step, from), Sight::Never))
            .collect();
        let ids: Vec<&str> = seen.iter().filter_map(|(_, step)| step.id.as_deref()).collect();
        if seen.is_empty() {
            draft.help("nothing comes before it");
        } else if id.parse::<usize>().is_ok() {
            let last = seen.last().map_or(0, |(number, _)| *number);
            draft.help(format!("steps are counted from 0 as they are written; those before are 0 to {last}"));
        } else if ids.is_empty() {
            draft.help("no step before this one has an `id`");
        } else {
            draft.suggest(id, ids.iter().copied());
        }
    }
}

/// Whether what stands at `from` sees the output of `step`.
fn sight(step: &Seen, from: Scope) -> Sight {
    const SKIPPED: &str = "the step has a `when` and may be skipped";
    const OTHER_WAY: &str = "the step is in one way of a condition, which may not be taken";
    const FIRST_TIME: &str = "the step comes later in the loop, so there is nothing the first time";

    let of = step.scope;
    let unless_skipped = || if step.may_be_skipped { Sight::Uncertain(SKIPPED) } else { Sight::Certain };
    if of.item != from.item {
        return match of.branch {
            _ if of.item > from.item => Sight::Never,
            Branch::Then | Branch::Else => Sight::Uncertain(OTHER_WAY),
            Branch::Main | Branch::Loop => unless_skipped(),
        };
    }
    match of.branch {
        Branch::Main => Sight::Never,
        _ if of.branch != from.branch => Sight::Never,
        _ if of.place < from.place => unless_skipped(),
        Branch::Loop => Sight::Uncertain(FIRST_TIME),
        Branch::Then | Branch::Else => Sight::Never,
    }
}
