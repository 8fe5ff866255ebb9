//! `knowlyr-crew pipeline show`.

use std::fmt::Write as _;

use crate::{
    cli::{
        args::{Form, Global},
        exit::{Error, Outcome},
        render,
    },
    defs::{Comparison, Item, Pipeline, Step, Test, Work},
    tools::Office,
};

pub(super) async fn show(global: &Global, office: &Office, name: &str) -> Result<Outcome, Error> {
    let pipeline = office.crew.pipeline(name).await?;
    match global.form() {
        Form::Json => render::json(&pipeline)?,
        Form::Text => render::answer(&text(&pipeline))?,
    }
    Ok(Outcome::Done)
}

fn text(pipeline: &Pipeline) -> String {
    let mut text = format!("{}\n", pipeline.name);
    if !pipeline.description.is_empty() {
        let _ = writeln!(text, "{}", pipeline.description);
    }
    for name in pipeline.required_args() {
        let _ = write!(text, "\nneeds ${name}");
    }
    for arg in pipeline.args.iter().filter(|arg| arg.default.is_some() || !arg.required) {
        let _ =
            write!(text, "\ntakes ${} (default `{}`)", arg.name, arg.default.as_deref().unwrap_or_default());
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    for (place, item) in pipeline.items.iter().enumerate() {
        show_item(item, &format!("{}", place + 1), &mut text);
    }
    text
}

fn show_item(item: &Item, number: &str, text: &mut String) {
    match item {
        Item::Work(work) => show_work(work, number, text),
        Item::Condition(condition) => {
            let _ = write!(text, "\n{}{number}. if {}", indent(number), asked(&condition.test));
            show_block(&condition.then, &format!("{number}.then"), text);
            show_block(&condition.otherwise, &format!("{number}.else"), text);
        }
        Item::Loop(again) => {
            let _ = write!(
                text,
                "\n{}{number}. at most {} times, until {}",
                indent(number),
                again.max_iterations,
                asked(&again.until)
            );
            show_block(&again.steps, number, text);
        }
    }
}

fn show_block(works: &[Work], number: &str, text: &mut String) {
    for (place, work) in works.iter().enumerate() {
        show_work(work, &format!("{number}.{}", place + 1), text);
    }
}

fn show_work(work: &Work, number: &str, text: &mut String) {
    match work {
        Work::Step(step) => {
            let _ = write!(text, "\n{}{number}. {}", indent(number), told(step));
        }
        Work::Parallel(steps) => {
            let _ = write!(text, "\n{}{number}. side by side", indent(number));
            for (place, step) in steps.iter().enumerate() {
                let number = format!("{number}.{}", place + 1);
                let _ = write!(text, "\n{}{number}. {}", indent(&number), told(step));
            }
        }
    }
}

fn indent(number: &str) -> String {
    "   ".repeat(number.split('.').filter(|part| part.bytes().all(|byte| byte.is_ascii_digit())).count() - 1)
}

fn told(step: &Step) -> String {
    let mut text = step.employee.clone();
    if let Some(id) = &step.id {
        let _ = write!(text, " id={id}");
    }
    if let Some(model) = &step.model {
        let _ = write!(text, " model={model}");
    }
    if step.attempts > 1 {
        let _ = write!(text, " attempts={}", step.attempts);
    }
    if let Some(seconds) = step.timeout_seconds {
        let _ = write!(text, " timeout={seconds}s");
    }
    if let Some(when) = &step.when {
        let _ = write!(text, " when {}", asked(when));
    }
    if let Some(approval) = &step.approval {
        text.push_str(" once approved");
        if !approval.question.is_empty() {
            let _ = write!(text, ": {:?}", approval.question);
        }
    }
    if !step.args.is_empty() {
        let one_line = |value: &str| value.split_whitespace().collect::<Vec<_>>().join(" ");
        let args: Vec<String> = step
            .args
            .iter()
            .map(|(name, value)| format!("{name}={}", crate::base::text::truncate(&one_line(value), 40)))
            .collect();
        let _ = write!(text, " ({})", args.join(", "));
    }
    text
}

fn asked(test: &Test) -> String {
    let (verb, with) = match &test.comparison {
        Comparison::Contains(part) => ("contains", part.as_str()),
        Comparison::Matches(pattern) => ("matches", pattern.as_str()),
        Comparison::Equals(whole) => ("equals", whole.as_str()),
    };
    format!("`{}` {verb} `{with}`", test.check)
}
