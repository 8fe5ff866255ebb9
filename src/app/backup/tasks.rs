//! The tasks of a project whose servers share them in a database, as the lines of a file.

use std::{
    fs::{self, OpenOptions},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};

use crate::{
    app::{Environment, journal},
    base::Tracker,
    store::{self, postgres},
    tasks::{self, Place},
};

/// A file of lines that is gone when this is.
#[derive(Debug)]
pub struct Exported(PathBuf);

impl Exported {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Exported {
    fn drop(&mut self) {
        // What is left of it is passed over by backups.
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes sure that no server of the project at `root` shares its tasks: no file of it says so. A database that does not
/// answer keeps nobody from restoring; the answer is why it does not.
///
/// # Errors
/// When there is one.
pub async fn unserved(root: &Path, env: &Environment) -> anyhow::Result<Option<String>> {
    let Place::Shared(target) = journal(root, env)? else { return Ok(None) };
    let writers = match postgres::inspect(&target, &Tracker::new()).await {
        Ok(about) => about.writers,
        Err(error) => return Ok(Some(error.to_string())),
    };
    ensure!(
        writers.is_empty(),
        "servers share the tasks of this project ({}); end them first",
        writers.join(", ")
    );
    Ok(None)
}

/// Writes the tasks of the project at `root` down; `None` when they are in a file already.
///
/// # Errors
/// When the database cannot be read, or the file not be written.
pub async fn export(root: &Path, env: &Environment) -> anyhow::Result<Option<Exported>> {
    let Place::Shared(target) = journal(root, env)? else { return Ok(None) };
    let folder = root.join(".crew");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    // Named as what is passed over when a crash leaves it.
    let path = folder.join(format!(".tasks.new-{}.jsonl", uuid::Uuid::now_v7().simple()));
    let exported = Exported(path.clone());
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).with_context(|| format!("cannot create `{}`", path.display()))?;
    let mut out = BufWriter::new(file);
    let refused = |source| store::Error::File { action: "write", path: path.clone(), source };
    let each = |line: &str| writeln!(out, "{line}").map_err(refused);
    tasks::export(&target, each).await.context("the tasks of this project cannot be read")?;
    out.flush().with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(Some(exported))
}
