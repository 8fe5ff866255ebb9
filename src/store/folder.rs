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
    fs::create_dir_all(&folder).map_err(Error::file("create the folder", &folder))?;
    sync(&of(&folder))
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
