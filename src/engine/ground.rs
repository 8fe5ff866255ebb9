//! Where crew may write files of definitions, and where not.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use crate::{defs::Diagnostic, store};

/// Why a file of a definition was not written.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The name could not be part of a path, or not find anything.
    #[error("`{0}` is no name for an employee: use lower-case letters, digits and inner hyphens")]
    Name(String),
    /// What is written must be inside the project, and no link is followed to get there.
    #[error("`{0}` is a link, and links are not followed when files are written")]
    Link(String),
    /// The path leads out of the project.
    #[error("`{0}` leads out of the project")]
    Outside(String),
    /// There is something already.
    #[error("`{0}` is there already")]
    Exists(String),
    /// The file is not one that crew wrote.
    #[error("`{0}` was not written by crew, and is left as it is")]
    Theirs(String),
    /// The file was edited after crew wrote it.
    #[error("`{0}` was edited since crew wrote it; --force writes it again")]
    Edited(String),
    /// The employee is not written in a file of crew's own that can be changed.
    #[error("{0}")]
    Unfit(String),
    /// The text is no definition that can be used.
    #[error("the definition has errors:\n{}", lines(.0))]
    Invalid(Vec<Diagnostic>),
    /// The disk refused.
    #[error("`{path}` cannot be read")]
    Unreadable {
        /// The path.
        path: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A definition stays where it is.
    #[error("`{path}` cannot be removed")]
    Unremovable {
        /// The path.
        path: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The disk refused.
    #[error(transparent)]
    Store(#[from] store::Error),
}

fn lines(diagnostics: &[Diagnostic]) -> String {
    let shown = diagnostics.iter().map(|found| match &found.help {
        Some(help) => format!("{found} ({help})"),
        None => found.to_string(),
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// The path of `relative` below `root`. No part of it may be a link, so that nothing outside is ever written.
pub(super) fn below(root: &Path, relative: &Path) -> Result<PathBuf, Refusal> {
    let mut path = root.to_owned();
    for part in relative.components() {
        let Component::Normal(name) = part else {
            return Err(Refusal::Outside(relative.display().to_string()));
        };
        path.push(name);
        match fs::symlink_metadata(&path) {
            Ok(seen) if seen.is_symlink() => return Err(Refusal::Link(path.display().to_string())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(Refusal::Unreadable { path: path.display().to_string(), cause }),
        }
    }
    Ok(path)
}

/// The text of a file; `None` when there is none. One that is no UTF-8 was written by somebody else.
pub(super) fn text(path: &Path) -> Result<Option<String>, Refusal> {
    let bytes = store::document::read(path)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}
