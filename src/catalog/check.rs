//! Checks definitions against each other.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::{
    codes,
    employees::Candidate,
    load::Draft,
    snapshot::{Conflict, ConflictKind, Finding, Snapshot},
};
use crate::{
    base::text::closest,
    defs::{Diagnostic, Severity, Source, Step, StepMarks, Target, TargetKind},
};

/// Every other name an employee is found by. The higher layer goes before the lower, in a layer the later before the
/// earlier, and a name before any trigger.
pub(super) fn aliases(
    employees: &IndexMap<String, Candidate>,
    findings: &mut Vec<Finding>,
    conflicts: &mut Vec<Conflict>,
) -> HashMap<String, String> {
    let mut ordered: Vec<&Candidate> = employees.values().collect();
    ordered.sort_by(|a, b| b.rank.cmp(&a.rank).then_with(|| b.source.name.cmp(&a.source.name)));
    let mut winners: HashMap<&str, &Candidate> =
        employees.iter().map(|(name, candidate)| (name.as_str(), candidate)).collect();
    for candidate in &ordered {
        for (position, trigger) in candidate.entry.employee.triggers.iter().enumerate() {
            let winner = *winners.entry(trigger).or_insert(candidate);
            if winner.entry.employee.name == candidate.entry.employee.name {
                continue;
            }
            conflicts.push(Conflict {
                kind: ConflictKind::Trigger,
                name: trigger.clone(),
                winner: winner.entry.origin(),
                loser: candidate.entry.origin(),
            });
            let message =
                format!("the trigger `{trigger}` leads to the employee `{}`", winner.entry.employee.name);
            let span = candidate.marks.triggers.get(position).copied();
            let found =
                Diagnostic::new(codes::SHADOWED_TRIGGER, Severity::Warning, &candidate.source, span, message);
            findings.push(Finding { diagnostic: found, source: candidate.source.clone() });
        }
    }
    for candidate in &ordered {
        let character = candidate.entry.employee.character_name.as_str();
        if !character.is_empty() {
            winners.entry(character).or_insert(candidate);
        }
    }
    winners
        .into_iter()
        .filter(|(name, _)| !employees.contains_key(*name))
        .map(|(name, candidate)| (name.to_owned(), candidate.entry.employee.name.clone()))
        .collect()
}

/// Checks that there is an employee for each step, and that it is given what it needs.
pub(super) fn pipeline(draft: &Draft, snapshot: &Snapshot) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (step, marks) in draft.entry.pipeline.steps().zip(&draft.marks.steps) {
        check_step(step, marks, &draft.source, snapshot, &mut found);
    }
    found
}

fn check_step(
    step: &Step,
    marks: &StepMarks,
    source: &Source,
    snapshot: &Snapshot,
    found: &mut Vec<Diagnostic>,
) {
    let error = |code, span, message| Diagnostic::new(code, Severity::Error, source, Some(span), message);
    let Some(entry) = snapshot.employee(&step.employee) else {
        let message = format!("there is no employee `{}`", step.employee);
        let diagnostic = error(codes::UNKNOWN_EMPLOYEE, marks.employee, message);
        found.push(with_suggestion(diagnostic, snapshot.closest_employee(&step.employee)));
        return;
    };
    let employee = &entry.employee;
    for arg in &employee.args {
        if arg.required && arg.default.is_none() && !step.args.contains_key(&arg.name) {
            let message = format!("`{}` needs the argument `{}`", employee.name, arg.name);
            let help =
                format!("add `{}: …` under `args`; `${0}` hands on what the pipeline is given", arg.name);
            found.push(error(codes::MISSING_ARG, marks.employee, message).with_help(help));
        }
    }
    for name in step.args.keys() {
        if employee.args.iter().any(|arg| arg.name == *name) {
            continue;
        }
        let span = marks.args.get(name).copied();
        let message = format!("`{}` takes no argument `{name}`", employee.name);
        let diagnostic = Diagnostic::new(codes::UNKNOWN_ARG, Severity::Warning, source, span, message);
        let near = closest(name, employee.args.iter().map(|arg| arg.name.as_str()));
        found.push(with_suggestion(diagnostic, near));
    }
}

/// Checks that what a webhook or a schedule starts is there.
pub(super) fn targets<'t>(
    targets: impl Iterator<Item = &'t Target>,
    source: &Source,
    snapshot: &Snapshot,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for target in targets {
        let (known, near) = match target.kind {
            TargetKind::Employee => {
                (snapshot.employee(&target.name).is_some(), snapshot.closest_employee(&target.name))
            }
            TargetKind::Pipeline => {
                (snapshot.pipeline(&target.name).is_some(), snapshot.closest_pipeline(&target.name))
            }
        };
        if known {
            continue;
        }
        let message = format!("there is no usable {} `{}`", target.kind, target.name);
        let diagnostic =
            Diagnostic::new(codes::UNKNOWN_TARGET, Severity::Error, source, Some(target.span), message);
        found.push(with_suggestion(diagnostic, near));
    }
    found
}

fn with_suggestion(diagnostic: Diagnostic, near: Option<&str>) -> Diagnostic {
    match near {
        Some(near) => diagnostic.with_help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}
