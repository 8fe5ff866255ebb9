//! `eval list`, `show`, `prompt`, `overdue` and `calibration`.

use super::{
    Asked,
    args::{CalibrationArgs, ListArgs, OverdueArgs},
};
use crate::{
    base::{
        clock,
        text::{truncate, visible},
    },
    cli::{
        args::Form,
        exit::{Error, Outcome},
        render,
    },
    engine::evaluation::{self, Because, Calibration, Decision, ENOUGH, Filter, Verdict},
};

/// Most characters of a text in a table.
const SHOWN: usize = 60;

pub(super) async fn list(asked: &Asked<'_>, args: &ListArgs) -> Result<Outcome, Error> {
    let theirs = asked.whose(args.employee.as_deref()).await?;
    let filter = Filter { status: args.status, category: args.category, ..theirs };
    let limit = args.limit;
    let listed = asked.crew().decisions(move |evaluations| evaluations.list(&filter, limit)).await?;
    for broken in &listed.broken {
        let reason = visible(&broken.reason);
        render::note(&format!("line {} of `{}` is no decision: {reason}", broken.line, evaluation::FILE));
    }
    if listed.broken_count > listed.broken.len() {
        render::note(&format!(
            "{} lines in all are no decisions; they stay as they are",
            listed.broken_count
        ));
    }
    match asked.global.form() {
        Form::Json => render::json(&listed.decisions)?,
        Form::Text if listed.decisions.is_empty() => render::note("There are no such decisions."),
        Form::Text => {
            let rows = listed.decisions.iter().map(|decision| {
                let [id, employee, category, content] = cells(decision);
                let expected = short(&decision.expectation());
                let actual = short(&decision.outcome.actual_outcome);
                [id, employee, category, decision.status.as_str().to_owned(), content, expected, actual]
            });
            let heads = ["ID", "EMPLOYEE", "KIND", "STATUS", "DECISION", "EXPECTED", "ACTUAL"];
            render::answer(&render::table(heads, rows))?;
            if listed.total > listed.decisions.len() {
                render::note(&format!("{} of {}; -n shows more", listed.decisions.len(), listed.total));
            }
        }
    }
    Ok(Outcome::Done)
}

pub(super) async fn show(asked: &Asked<'_>, id: &str) -> Result<Outcome, Error> {
    let id = id.to_owned();
    let decision = asked.crew().decisions(move |evaluations| evaluations.get(&id)).await?;
    // One document, whole, is JSON either way.
    render::json(&decision)?;
    Ok(Outcome::Done)
}

pub(super) async fn prompt(asked: &Asked<'_>, id: &str) -> Result<Outcome, Error> {
    let id = id.to_owned();
    let prompt = asked.crew().decisions(move |evaluations| evaluations.question(&id)).await?;
    match asked.global.form() {
        Form::Json => render::json(&serde_json::json!({ "prompt": prompt }))?,
        Form::Text => render::answer(&prompt)?,
    }
    Ok(Outcome::Done)
}

pub(super) async fn overdue(asked: &Asked<'_>, args: &OverdueArgs) -> Result<Outcome, Error> {
    let now = args.as_of.as_deref().map_or_else(|| Ok(clock::now()), evaluation::as_of)?;
    let filter = asked.whose(args.employee.as_deref()).await?;
    let age = args.age;
    let overdue = asked.crew().decisions(move |evaluations| evaluations.overdue(&filter, now, age)).await?;
    match asked.global.form() {
        Form::Json => render::json(&overdue)?,
        Form::Text if overdue.is_empty() => render::note("No decision is overdue."),
        Form::Text => {
            let rows = overdue.iter().map(|one| {
                let [id, employee, category, content] = cells(&one.decision);
                let because = match one.because {
                    Because::Deadline => visible(&one.decision.deadline),
                    Because::Age => "none".to_owned(),
                };
                [id, employee, category, because, one.days_overdue.to_string(), content]
            });
            let heads = ["ID", "EMPLOYEE", "KIND", "DEADLINE", "DAYS OVER", "DECISION"];
            render::answer(&render::table(heads, rows))?;
        }
    }
    Ok(Outcome::Done)
}

pub(super) async fn calibration(asked: &Asked<'_>, args: &CalibrationArgs) -> Result<Outcome, Error> {
    let theirs = asked.whose(args.employee.as_deref()).await?;
    let counted = asked.crew().calibrations(Filter { category: args.category, ..theirs }).await?;
    match asked.global.form() {
        Form::Json => render::json(&counted)?,
        Form::Text if counted.is_empty() => render::note("There are no such decisions."),
        Form::Text => {
            let rows = counted.iter().flat_map(rows);
            let heads = ["EMPLOYEE", "KIND", "WHAT", "CASES", "SAYS"];
            render::answer(&render::table(heads, rows))?;
        }
    }
    Ok(Outcome::Done)
}

/// A row for each that can be counted, or one that says that nothing can.
fn rows(one: &Calibration) -> Vec<[String; 5]> {
    let row = |what: String, cases: usize, says: String| {
        [visible(&one.employee), one.category.as_str().to_owned(), what, cases.to_string(), says]
    };
    let numbers = one.numbers.iter().map(|bias| {
        let says = bias.factor.map(|factor| {
            let spread = bias.spread.unwrap_or(1.0);
            format!("actual is {factor:.2} times the estimate, spread {spread:.2}")
        });
        row(visible(&bias.unit), bias.cases, said(bias.verdict, says))
    });
    let ranges = one.ranges.iter().map(|ranges| {
        let says = ranges.held.zip(ranges.meant).map(|(held, meant)| {
            format!("{:.0}% held what came about, {:.0}% should have", held * 100.0, meant * 100.0)
        });
        row("ranges".to_owned(), ranges.cases, said(ranges.verdict, says))
    });
    let chances = one.probabilities.iter().map(|brier| {
        let says = brier.score.zip(brier.said.zip(brier.came_about)).map(|(score, (said, came))| {
            format!("Brier score {score:.2}: {:.0}% said, {:.0}% came about", said * 100.0, came * 100.0)
        });
        row("probabilities".to_owned(), brier.cases, said(brier.verdict, says))
    });
    let mut rows: Vec<_> = numbers.chain(ranges).chain(chances).collect();
    if rows.is_empty() {
        let says =
            format!("nothing to count: {} evaluated without numbers, {} pending", one.uncounted, one.pending);
        rows.push(row(String::new(), 0, says));
    }
    rows
}

fn said(verdict: Verdict, numbers: Option<String>) -> String {
    let verdict = match verdict {
        Verdict::TooFew => return format!("too few cases: {ENOUGH} are needed"),
        Verdict::Fits => "no clear deviation",
        Verdict::TooLow => "too low",
        Verdict::TooHigh => "too high",
        Verdict::TooNarrow => "too narrow",
        Verdict::TooWide => "too wide",
    };
    format!("{verdict}; {}", numbers.unwrap_or_default())
}

fn cells(decision: &Decision) -> [String; 4] {
    let [id, employee] = [&decision.id, &decision.employee].map(|text| visible(text));
    [id, employee, decision.category.as_str().to_owned(), short(&decision.content)]
}

fn short(text: &str) -> String {
    truncate(&visible(text), SHOWN)
}
