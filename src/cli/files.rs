//! Pipelines and discussions that are named by their files.

use std::path::{Path, PathBuf};

use super::exit::Error;
use crate::tools;

/// Whether `given` is a file rather than a name.
pub(super) fn is_file(given: &str) -> bool {
    let ending = Path::new(given).extension();
    ending.is_some_and(|ending| ending == "yaml" || ending == "yml")
}

/// The name of the `what` in the file `given`, among those of the project at `root`, each with its path from there.
///
/// # Errors
/// When it is none of them. A run has to find what it does again when it goes on after a stop, so that it does only what
/// belongs to the project.
pub(super) fn name_of<'d>(
    what: &str,
    given: &str,
    root: &Path,
    known: impl Iterator<Item = (&'d String, &'d String)>,
) -> Result<String, Error> {
    let places: Vec<PathBuf> =
        [PathBuf::from(given), root.join(given)].iter().filter_map(|path| path.canonicalize().ok()).collect();
    if places.is_empty() {
        return Err(tools::Error::Failed(format!("there is no file `{given}`")).into());
    }
    let is_there = |path: &str| root.join(path).canonicalize().is_ok_and(|path| places.contains(&path));
    let found = known.into_iter().find(|(_, path)| is_there(path));
    let elsewhere = || {
        format!(
            "`{given}` is none of the {what}s of this project: put it into `.crew/{what}s`, and see `check` for its faults"
        )
    };
    Ok(found.map(|(name, _)| name.clone()).ok_or_else(|| tools::Error::Failed(elsewhere()))?)
}
