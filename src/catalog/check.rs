//! Checks definitions against each other.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::{
    codes,
    discussions::DiscussionDraft,
    employees::Candidate,
    load::Draft,
    snapshot::{Conflict, ConflictKind, Finding, Snapshot},
};
use crate::{
    base::text::closest,
    defs::{
        Arg, Delivery, Destination, Diagnostic, Organization, Severity, Source, Step, StepMarks, Target,
        TargetKind,
    },
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
    let mut found = deliveries(draft.entry.pipeline.deliver.iter(), &draft.source, snapshot);
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

/// Checks that everybody is there who takes part, once, and the pipeline that is to follow.
pub(super) fn discussion(draft: &DiscussionDraft, snapshot: &Snapshot) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let source = &draft.source;
    let discussion = &draft.entry.discussion;
    let mut present: HashMap<&str, &str> = HashMap::new();
    for (who, span) in discussion.participants.iter().zip(&draft.marks.participants) {
        let Some(entry) = snapshot.employee(&who.employee) else {
            let message = format!("there is no employee `{}`", who.employee);
            let diagnostic =
                Diagnostic::new(codes::UNKNOWN_EMPLOYEE, Severity::Error, source, Some(*span), message);
            found.push(with_suggestion(diagnostic, snapshot.closest_employee(&who.employee)));
            continue;
        };
        let name = entry.employee.name.as_str();
        // The same name twice is told where the file is read.
        if let Some(first) = present.insert(name, &who.employee)
            && first != who.employee
        {
            let message = format!("`{}` and `{first}` are both the employee `{name}`", who.employee);
            found.push(Diagnostic::new(
                codes::ODD_PARTICIPANT,
                Severity::Warning,
                source,
                Some(*span),
                message,
            ));
        }
    }
    let challenges =
        discussion.participants.iter().map(|who| &who.must_challenge).zip(&draft.marks.must_challenge);
    for (other, span) in challenges.flat_map(|(names, spans)| names.iter().zip(spans)) {
        let name = snapshot.employee(other).map(|entry| entry.employee.name.as_str());
        if name.is_none_or(|name| !present.contains_key(name)) {
            let message = format!("`{other}` is to be challenged, but takes no part");
            let diagnostic =
                Diagnostic::new(codes::ODD_PARTICIPANT, Severity::Warning, source, Some(*span), message);
            found.push(with_suggestion(diagnostic, closest(other, present.keys().copied())));
        }
    }
    if let Some(name) = &discussion.post_pipeline
        && snapshot.pipeline(name).is_none()
    {
        let message = format!("there is no usable pipeline `{name}`");
        let diagnostic = Diagnostic::new(
            codes::UNKNOWN_PIPELINE,
            Severity::Warning,
            source,
            draft.marks.post_pipeline,
            message,
        );
        found.push(with_suggestion(diagnostic, snapshot.closest_pipeline(name)));
    }
    found
}

/// Checks that everybody the organization names is there.
pub(super) fn organization(
    organization: &Organization,
    source: &Source,
    snapshot: &Snapshot,
) -> Vec<Diagnostic> {
    organization
        .employees()
        .filter(|who| snapshot.employee(&who.name).is_none())
        .map(|who| {
            let message = format!("there is no employee `{}`", who.name);
            let diagnostic =
                Diagnostic::new(codes::UNKNOWN_EMPLOYEE, Severity::Warning, source, Some(who.span), message);
            with_suggestion(diagnostic, snapshot.closest_employee(&who.name))
        })
        .collect()
}

/// Checks that what a webhook or a schedule starts is there, and is given what it needs.
pub(super) fn targets<'t>(
    targets: impl Iterator<Item = (&'t Target, Vec<&'t str>)>,
    source: &Source,
    snapshot: &Snapshot,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (target, given) in targets {
        let note =
            |code, severity, message| Diagnostic::new(code, severity, source, Some(target.span), message);
        let Some((needed, taken)) = arguments(target, snapshot) else {
            let near = snapshot.closest(target.kind, &target.name);
            let message = format!("there is no usable {} `{}`", target.kind, target.name);
            found.push(with_suggestion(note(codes::UNKNOWN_TARGET, Severity::Error, message), near));
            continue;
        };
        for name in needed.iter().filter(|name| !given.contains(&name.as_str())) {
            let message = format!("the {} `{}` needs the argument `{name}`", target.kind, target.name);
            let help = format!("add `{name}: …` under `args`");
            found.push(note(codes::MISSING_ARG, Severity::Error, message).with_help(help));
        }
        for name in given.iter().filter(|name| !taken.iter().any(|taken| taken == *name)) {
            let message = format!("the {} `{}` takes no argument `{name}`", target.kind, target.name);
            let near = closest(name, taken.iter().map(String::as_str));
            found.push(with_suggestion(note(codes::UNKNOWN_ARG, Severity::Warning, message), near));
        }
    }
    found
}

/// Checks that what results are to be sent to by a name is there. What cannot be sent leaves the run as it is.
pub(super) fn deliveries<'d>(
    deliveries: impl Iterator<Item = &'d Delivery>,
    source: &Source,
    snapshot: &Snapshot,
) -> Vec<Diagnostic> {
    let missing = |delivery: &'d Delivery| match &delivery.to {
        Destination::Named(name) if !snapshot.destinations.contains_key(name) => Some((name, delivery.span)),
        _ => None,
    };
    let tell = |(name, span): (&String, _)| {
        let message = format!("`.crew/config.yaml` has no usable destination `{name}`");
        let diagnostic =
            Diagnostic::new(codes::UNKNOWN_DESTINATION, Severity::Warning, source, Some(span), message);
        with_suggestion(diagnostic, closest(name, snapshot.destinations.keys().map(String::as_str)))
    };
    deliveries.filter_map(missing).map(tell).collect()
}

/// What `target` cannot do without, and all that it takes; `None` when it is not there.
fn arguments(target: &Target, snapshot: &Snapshot) -> Option<(Vec<String>, Vec<String>)> {
    let names = |args: &[Arg]| args.iter().map(|arg| arg.name.clone()).collect::<Vec<_>>();
    match target.kind {
        TargetKind::Employee => {
            let args = &snapshot.employee(&target.name)?.employee.args;
            let needed = args.iter().filter(|arg| arg.required && arg.default.is_none());
            Some((needed.map(|arg| arg.name.clone()).collect(), names(args)))
        }
        TargetKind::Pipeline => {
            let pipeline = &snapshot.pipeline(&target.name)?.pipeline;
            let needed: Vec<String> = pipeline.required_args().into_iter().collect();
            Some((needed.clone(), names(&pipeline.args).into_iter().chain(needed).collect()))
        }
        TargetKind::Discussion => {
            let discussion = &snapshot.discussion(&target.name)?.discussion;
            let needed: Vec<String> = discussion.required_args().into_iter().collect();
            // The instructions of those who take part are filled in as well.
            let theirs = discussion.participants.iter().filter_map(|who| snapshot.employee(&who.employee));
            let theirs = theirs.flat_map(|entry| names(&entry.employee.args));
            Some((needed.clone(), needed.into_iter().chain(theirs).collect()))
        }
    }
}

fn with_suggestion(diagnostic: Diagnostic, near: Option<&str>) -> Diagnostic {
    match near {
        Some(near) => diagnostic.with_help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}
