//! Reads files of the project for employees, and nothing else.
//!
//! What begins with a dot stays closed (keys, version control, crew's own records), as does `private/`; no link is
//! followed, so nothing outside the project is read.

use std::{
    fs,
    io::{self, Read as _},
    path::{Component, Path, PathBuf},
};

/// Most bytes of a file that is read.
const MOST_BYTES: u64 = 1 << 20;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// It is not for employees.
    #[error("`{0}` is closed to employees")]
    Closed(String),
    /// It is somewhere else.
    #[error("`{0}` is not inside the project")]
    Outside(String),
    /// It may be somewhere else.
    #[error("`{0}` goes through a link, and links are not followed")]
    Link(String),
    /// There is none.
    #[error("there is no `{0}`")]
    Missing(String),
    /// It has no text that could be told.
    #[error("`{0}` {1}")]
    Unfit(String, &'static str),
    /// The disk refused.
    #[error("`{0}` cannot be read: {1}")]
    Io(String, io::Error),
}

impl Unread {
    fn of(name: &str, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing(name.to_owned()),
            _ => Self::Io(name.to_owned(), error),
        }
    }
}

/// The place of `path` below `root`.
///
/// # Errors
/// When it leads elsewhere, or to what is closed, or to nothing.
pub fn inside(root: &Path, path: &str) -> Result<PathBuf, Unread> {
    let mut place = root.to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => continue,
            Component::Normal(name) if is_open(&name.to_string_lossy()) => place.push(name),
            Component::Normal(_) => return Err(Unread::Closed(path.to_owned())),
            _ => return Err(Unread::Outside(path.to_owned())),
        }
        let about = fs::symlink_metadata(&place).map_err(|error| Unread::of(path, error))?;
        if about.is_symlink() {
            return Err(Unread::Link(path.to_owned()));
        }
    }
    Ok(place)
}

/// Whether a file or folder with this name is open to employees.
pub fn is_open(name: &str) -> bool {
    !name.starts_with('.') && name != "private"
}

/// The text of the file at `path`, of at most 1 MiB; `name` is what messages call it.
///
/// # Errors
/// When it is no such file.
pub fn read(path: &Path, name: &str) -> Result<String, Unread> {
    let unfit = |why| Unread::Unfit(name.to_owned(), why);
    // Looked at before it is opened: to open a pipe is to wait for somebody to write into it.
    let about = fs::symlink_metadata(path).map_err(|error| Unread::of(name, error))?;
    if !about.is_file() {
        return Err(unfit("is no file"));
    }
    if about.len() > MOST_BYTES {
        return Err(unfit("is longer than 1 MiB, and is not read"));
    }
    let file = fs::File::open(path).map_err(|error| Unread::of(name, error))?;
    let mut text = String::new();
    match file.take(MOST_BYTES).read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(unfit("is no text")),
        Err(error) => Err(Unread::of(name, error)),
    }
}
