//! `knowlyr-crew validate`.

use serde_json::json;

use super::{
    args::{Form, Global, ValidateArgs},
    exit::{Error, Outcome},
    render,
};
use crate::{
    catalog::{self, Valid},
    defs::Severity,
    tools,
};

pub(super) fn validate(global: &Global, args: &ValidateArgs) -> Result<Outcome, Error> {
    if !args.path.try_exists()? {
        return Err(tools::Error::Arguments(format!("there is no `{}`", args.path.display())).into());
    }
    let checked = catalog::validate(&args.path);
    let passed = checked.iter().filter(|checked| checked.found.is_some()).count();
    match global.form() {
        Form::Json => {
            let rows: Vec<_> = checked
                .iter()
                .map(|checked| {
                    let found: Vec<_> = checked.findings.iter().map(|finding| &finding.diagnostic).collect();
                    let (kind, name) = match &checked.found {
                        Some(Valid::Employee(employee)) => (Some("employee"), Some(&employee.name)),
                        Some(Valid::Other(kind)) => (Some(kind.name()), None),
                        None => (None, None),
                    };
                    json!({
                        "path": checked.path,
                        "valid": checked.found.is_some(),
                        "kind": kind,
                        "name": name,
                        "diagnostics": found,
                    })
                })
                .collect();
            render::json(&json!({"passed": passed, "total": checked.len(), "items": rows}))?;
        }
        Form::Text => {
            for checked in &checked {
                render::findings(&checked.findings);
                let errors =
                    checked.findings.iter().filter(|f| f.diagnostic.severity == Severity::Error).count();
                render::answer(&match &checked.found {
                    Some(Valid::Employee(employee)) => {
                        format!("✓ {} ({} v{})", checked.path, employee.title(), employee.version)
                    }
                    Some(Valid::Other(kind)) => format!("✓ {} ({})", checked.path, kind.name()),
                    None => format!("✗ {}: {errors} errors", checked.path),
                })?;
            }
            render::answer(&format!("{passed}/{}", checked.len()))?;
        }
    }
    Ok(if passed == checked.len() && passed > 0 { Outcome::Done } else { Outcome::Failed })
}
