//! Where an answer goes that need not be printed.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{exit::Error, render};
use crate::store::document::Replacement;

/// Where an answer goes: stdout, unless a file is named.
#[derive(Debug, Default)]
pub(super) struct Output(Option<File>);

/// A file that gets what would have been printed, whole or not at all.
#[derive(Debug)]
struct File {
    path: PathBuf,
    new: Replacement,
}

impl Output {
    /// Begins the file before any work is done, so that a place that cannot be written costs nothing.
    pub(super) fn begin(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else { return Ok(Self(None)) };
        let told = || format!("`{}` cannot be written", path.display());
        let new = Replacement::begin_shared(path).with_context(told)?;
        Ok(Self(Some(File { path: path.to_owned(), new })))
    }

    /// Whether a file is named.
    pub(super) fn is_file(&self) -> bool {
        self.0.is_some()
    }

    /// Hands it the answer; a file that was written is told.
    pub(super) fn give(self, text: &str) -> Result<(), Error> {
        let Some(File { path, mut new }) = self.0 else { return Ok(render::answer(text)?) };
        new.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            new.write_all(b"\n")?;
        }
        new.commit().with_context(|| format!("`{}` cannot be written", path.display()))?;
        render::note(&format!("written {}", path.display()));
        Ok(())
    }

    /// The same with a JSON document.
    pub(super) fn give_json(self, document: &impl serde::Serialize) -> Result<(), Error> {
        self.give(&serde_json::to_string_pretty(document).map_err(anyhow::Error::from)?)
    }
}
