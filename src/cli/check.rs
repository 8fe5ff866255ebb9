//! `knowlyr-crew check`.

use serde_json::json;

use super::{
    args::{Form, Global},
    exit::{Error, Outcome},
    render,
    run::crew,
};
use crate::{app::Environment, defs::Severity};

pub(super) async fn check(global: &Global, env: &Environment) -> Result<Outcome, Error> {
    let office = crew(global, env);
    let definitions = office.crew.definitions().await;
    let count = |severity| definitions.findings.iter().filter(|f| f.diagnostic.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    match global.form() {
        Form::Json => {
            let findings: Vec<_> = definitions.findings.iter().map(|finding| &finding.diagnostic).collect();
            render::json(&json!({"errors": errors, "warnings": warnings, "diagnostics": findings}))?;
        }
        Form::Text => {
            render::findings(&definitions.findings);
            render::answer(&format!(
                "{} employees, {} pipelines, {} discussions: {errors} errors, {warnings} warnings",
                definitions.employees.len(),
                definitions.pipelines.len(),
                definitions.discussions.len()
            ))?;
        }
    }
    Ok(if errors == 0 { Outcome::Done } else { Outcome::Failed })
}
