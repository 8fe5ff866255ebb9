//! `knowlyr-crew lint`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::{
    args::{Form, Global},
    exit::{Error, Outcome},
    render,
    run::crew,
};
use crate::{
    app::Environment,
    catalog::{self, Linted, Snapshot},
    defs::Severity,
};

/// What is looked at when no path is given, as far as it is there.
const USUAL: [&str; 3] = [".crew/pipelines", ".crew/discussions", ".crew/config.yaml"];

pub(super) async fn lint(global: &Global, paths: &[PathBuf], env: &Environment) -> Result<Outcome, Error> {
    let office = crew(global, env);
    let definitions = office.crew.definitions().await;
    let root = office.crew.root();
    let usual = || USUAL.iter().map(|path| root.join(path)).filter(|path| path.try_exists().unwrap_or(false));
    let paths: Vec<PathBuf> = if paths.is_empty() { usual().collect() } else { paths.to_vec() };
    if paths.is_empty() {
        let message =
            format!("there is nothing to look at: neither `{}` nor `{}` is there", USUAL[0], USUAL[1]);
        return Err(anyhow::anyhow!(message).into());
    }
    let Linted { files, findings } = found(root, &definitions, &paths)?;
    let count = |severity| findings.iter().filter(|found| found.diagnostic.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    match global.form() {
        Form::Json => {
            let found: Vec<_> = findings.iter().map(|finding| &finding.diagnostic).collect();
            render::json(
                &json!({"files": files, "errors": errors, "warnings": warnings, "diagnostics": found}),
            )?;
        }
        Form::Text => {
            render::findings(&findings);
            render::answer(&format!("{files} files: {errors} errors, {warnings} warnings"))?;
        }
    }
    Ok(if errors == 0 { Outcome::Done } else { Outcome::Failed })
}

/// What is to be said of the definitions at `paths`, each of which has to hold some.
pub(super) fn found(root: &Path, definitions: &Snapshot, paths: &[PathBuf]) -> Result<Linted, Error> {
    let mut all = Linted::default();
    for path in paths {
        let linted = catalog::lint(root, definitions, path)
            .with_context(|| format!("`{}` cannot be looked at", path.display()))?;
        if linted.files == 0 {
            let message = format!(
                "`{}` holds none of these definitions: no file ends in .yaml or .yml; `validate` checks folders of employees",
                path.display()
            );
            return Err(anyhow::anyhow!(message).into());
        }
        all.files += linted.files;
        all.findings.extend(linted.findings);
    }
    Ok(all)
}
