//! `knowlyr-crew check`.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use jiff::SignedDuration;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    args::{Form, Global},
    exit::{Error, Outcome},
    lint::found,
    render,
    run::crew,
};
use crate::{
    app::Environment,
    base::clock,
    catalog::Finding,
    defs::{Diagnostic, Severity},
    engine::records::{
        Records,
        log::{Counts, LogFilter},
    },
    store::document,
};

/// The words of `check`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(super) struct CheckArgs {
    /// Check only the definitions in this file or folder
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Check no definitions
    #[arg(long, conflicts_with = "paths")]
    no_lint: bool,
    /// Also count in the work logs how work went; a critical entry makes the check fail
    #[arg(long)]
    logs: bool,
    /// With --logs: those of the last how many days
    #[arg(long, default_value_t = 30, requires = "logs", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// Write a report to this file, as earlier versions wrote to .crew/quality-report.json
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// Work logs are not counted anyway
    #[arg(long, hide = true, conflicts_with = "logs")]
    no_logs: bool,
    /// Nothing is written anyway
    #[arg(long, hide = true, conflicts_with = "output_file")]
    no_file: bool,
}

/// What work logs tell of how work went.
#[derive(Debug, Default, Serialize)]
struct Logs {
    /// How many entries there are.
    entries: u64,
    /// How many of each severity.
    severity: Counts,
    /// The same by whoever did something.
    by_employee: BTreeMap<String, Counts>,
}

pub(super) async fn check(global: &Global, args: &CheckArgs, env: &Environment) -> Result<Outcome, Error> {
    let office = crew(global, env);
    let definitions = office.crew.definitions().await;
    let of_some;
    let findings: &[Finding] = match args.paths.as_slice() {
        _ if args.no_lint => &[],
        [] => &definitions.findings,
        paths => {
            of_some = found(office.crew.root(), &definitions, paths)?.findings;
            &of_some
        }
    };
    let count = |severity| findings.iter().filter(|f| f.diagnostic.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let diagnostics: Vec<_> = findings.iter().map(|finding| &finding.diagnostic).collect();
    let logs = args.logs.then(|| logs(office.crew.records(), args.days));
    if let Some(path) = &args.output_file {
        let report = report(&diagnostics, errors, logs.as_ref());
        let text = serde_json::to_string_pretty(&report).map_err(anyhow::Error::from)? + "\n";
        let told = || format!("`{}` cannot be written", path.display());
        document::publish(path, text.as_bytes()).with_context(told)?;
    }
    match global.form() {
        Form::Json => {
            let mut told = json!({"errors": errors, "warnings": warnings, "diagnostics": diagnostics});
            if let (Some(fields), Some(logs)) = (told.as_object_mut(), &logs) {
                fields.insert("logs".to_owned(), json!(logs));
            }
            render::json(&told)?;
        }
        Form::Text => {
            render::findings(findings);
            render::answer(&format!(
                "{} employees, {} pipelines, {} discussions: {errors} errors, {warnings} warnings",
                definitions.employees.len(),
                definitions.pipelines.len(),
                definitions.discussions.len()
            ))?;
            if let Some(Logs { entries, severity, .. }) = &logs {
                render::answer(&format!(
                    "work of the last {} days: {entries} entries, {} critical, {} warnings",
                    args.days, severity.critical, severity.warning
                ))?;
            }
        }
    }
    let went_wrong = logs.is_some_and(|logs| logs.severity.critical > 0);
    Ok(if errors == 0 && !went_wrong { Outcome::Done } else { Outcome::Failed })
}

fn logs(records: &Records, days: u32) -> Logs {
    let since = clock::now().saturating_sub(SignedDuration::from_hours(24 * i64::from(days))).ok();
    let filter = LogFilter { since, limit: usize::MAX, ..LogFilter::default() };
    let mut logs = Logs::default();
    for row in records.logs(&filter) {
        logs.entries += row.entries;
        for (name, counts) in row.by_employee {
            logs.severity.and(counts);
            logs.by_employee.entry(name).or_default().and(counts);
        }
    }
    logs
}

/// A report in the form of earlier versions.
fn report(findings: &[&Diagnostic], errors: usize, logs: Option<&Logs>) -> Value {
    let lint = if errors == 0 {
        json!({"status": "ok"})
    } else {
        let told = findings.iter().filter(|found| found.severity == Severity::Error).map(ToString::to_string);
        json!({"status": "failed", "errors": told.collect::<Vec<_>>()})
    };
    json!({"lint": lint, "logs": logs, "metadata": {"generated_at": clock::now()}})
}
