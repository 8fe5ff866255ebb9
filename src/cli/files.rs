//! Pipelines and discussions that are named by their files.

use std::path::{Path, PathBuf};

use super::{args::Global, exit::Error, run::crew};
use crate::{app::Environment, defs::TargetKind, tools};

/// Whether `given` is a file rather than a name.
fn is_file(given: &str) -> bool {
    let ending = Path::new(given).extension();
    ending.is_some_and(|ending| ending == "yaml" || ending == "yml")
}

/// The name of the pipeline or the discussion `given`, by that name or by its file.
///
/// # Errors
/// When the file is none of the project's. A run has to find what it does again when it goes on after a stop, so that it does
/// only what belongs to the project.
pub(super) async fn name_of(
    global: &Global,
    env: &Environment,
    what: TargetKind,
    given: &str,
) -> Result<String, Error> {
    if !is_file(given) {
        return Ok(given.to_owned());
    }
    let crew = crew(global, env).crew;
    let root = crew.root();
    let places: Vec<PathBuf> =
        [PathBuf::from(given), root.join(given)].iter().filter_map(|path| path.canonicalize().ok()).collect();
    if places.is_empty() {
        return Err(tools::Error::Failed(format!("there is no file `{given}`")).into());
    }
    let is_it = |path: &str| root.join(path).canonicalize().is_ok_and(|path| places.contains(&path));
    let definitions = crew.definitions().await;
    let found = match what {
        TargetKind::Employee => None,
        TargetKind::Pipeline => {
            definitions.pipelines.iter().find(|(_, entry)| is_it(&entry.path)).map(|(name, _)| name)
        }
        TargetKind::Discussion => {
            definitions.discussions.iter().find(|(_, entry)| is_it(&entry.path)).map(|(name, _)| name)
        }
    };
    let elsewhere = || {
        format!(
            "`{given}` is none of the {what}s of this project: put it into `.crew/{what}s`, and see `check` for its faults"
        )
    };
    Ok(found.cloned().ok_or_else(|| tools::Error::Failed(elsewhere()))?)
}
