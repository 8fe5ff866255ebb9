//! Folders, and files only their owner may read.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
};

use super::Error;

/// The folder of `path`; the current one when it names none.
pub(super) fn of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes the folder of `path`, if need be, so that it survives a power loss.
pub(super) fn create_for(path: &Path) -> Result<(), Error> {
    let folder = of(path);
    if folder.is_dir() {
        return Ok(());
    }
    let new = missing(&folder);
    fs::create_dir_all(&folder).map_err(Error::file("create the folder", &folder))?;
    // The name of each of them is in the one above it.
    new.into_iter().try_for_each(|new| sync(&of(new)))
}

/// Those of `folder` and the folders above it that are not there, the deepest first.
fn missing(folder: &Path) -> Vec<&Path> {
    let named = folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty());
    named.take_while(|folder| !folder.is_dir()).collect()
}

/// Puts the names in `folder` on the disk: a created or renamed file is only safe after this.
pub(super) fn sync(folder: &Path) -> Result<(), Error> {
    if cfg!(unix) {
        File::open(folder)
            .and_then(|handle| handle.sync_all())
            .map_err(Error::file("sync the folder", folder))?;
    }
    Ok(())
}

/// Options that give a new file the mode 0600.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Takes an existing file away from everybody but its owner. Only warns: a file of somebody else still works.
pub(super) fn restrict(path: &Path, file: &File) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let open_to_others =
            file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o077 != 0);
        if open_to_others && let Err(error) = file.set_permissions(fs::Permissions::from_mode(0o600)) {
            tracing::warn!(path = %path.display(), %error, "others can read this file, and its mode cannot be changed");
        }
    }
    #[cfg(not(unix))]
    let _ = (path, file);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_folder_that_is_made_is_seen_to() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b/c");
        let expected = ["a/b/c", "a/b", "a"].map(|name| root.path().join(name));
        assert_eq!(missing(&folder), expected);
        create_for(&folder.join("log.jsonl")).unwrap();
        assert!(missing(&folder).is_empty());
        assert_eq!(missing(Path::new("none of this/is here")).len(), 2);
    }
}
