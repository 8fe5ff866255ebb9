//! Reads files of a project, and only those: nothing a link leads to outside, nothing huge, nothing that is no text.

use std::{
    fs::{self, Metadata},
    io,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use super::{codes, snapshot::Finding};
use crate::defs::{Diagnostic, Severity, Source};

/// No definition is larger.
const LARGEST: u64 = 1024 * 1024;
/// No folder of definitions holds more.
const MOST: usize = 20_000;

/// Reads files below one root and keeps what is to be said about them.
#[derive(Debug)]
pub(super) struct Files {
    /// With every link in it resolved.
    root: PathBuf,
    pub(super) findings: Vec<Finding>,
}

/// A folder whose entries may be read.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// What a link in it must not lead out of.
    within: PathBuf,
}

/// One entry of a folder.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its name in the folder.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) is_folder: bool,
    /// Whether it leads somewhere else, which is to be looked at before it is followed.
    is_link: bool,
}

/// A file of a definition that is a folder.
#[derive(Debug)]
pub(super) struct Part {
    /// From the folder, with `/`.
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// What a file looks like from outside. A file whose text was changed or replaced looks different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    path: PathBuf,
    len: u64,
    modified: Option<SystemTime>,
    /// A file that was replaced is another file.
    inode: u64,
}

impl Identity {
    /// Looks at a file; one that is not there has an identity too.
    pub fn of(path: &Path) -> Self {
        match fs::metadata(path) {
            Ok(seen) => Self::seen(path.to_owned(), &seen),
            Err(_) => Self { path: path.to_owned(), len: 0, modified: None, inode: 0 },
        }
    }

    /// The same of a file that was looked at.
    pub(super) fn seen(path: PathBuf, seen: &Metadata) -> Self {
        // The time of a folder says nothing that its entries do not.
        let (len, modified) = if seen.is_dir() { (0, None) } else { (seen.len(), seen.modified().ok()) };
        Self { path, len, modified, inode: inode(seen) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(unix)]
fn inode(seen: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(seen)
}

#[cfg(not(unix))]
fn inode(_seen: &Metadata) -> u64 {
    0
}

impl Entry {
    /// The name without the last extension.
    pub(super) fn stem(&self) -> &str {
        self.name.rsplit_once('.').map_or(&self.name, |(stem, _)| stem)
    }

    /// Whether it is a file whose name ends in one of `extensions`.
    pub(super) fn is_file(&self, extensions: &[&str]) -> bool {
        let extension = self.name.rsplit_once('.').map(|(_, extension)| extension);
        !self.is_folder && extension.is_some_and(|extension| extensions.contains(&extension))
    }
}

impl Files {
    pub(super) fn new(root: &Path) -> Self {
        // A root that is not there has no files; every look at it says so.
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        Self { root, findings: Vec::new() }
    }

    /// The same root with nothing to say yet, for another thread.
    pub(super) fn beside(&self) -> Self {
        Self { root: self.root.clone(), findings: Vec::new() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// How people know a path: from the root, with `/`.
    pub(super) fn name(&self, path: &Path) -> String {
        let path = path.strip_prefix(&self.root).unwrap_or(path);
        let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        parts.join("/")
    }

    /// A folder of the project, `None` when there is none.
    pub(super) fn folder(&mut self, relative: impl AsRef<Path>) -> Option<Folder> {
        let root = self.root.clone();
        self.folder_in(&root.join(relative), &root)
    }

    /// A folder inside another.
    pub(super) fn folder_in(&mut self, path: &Path, within: &Path) -> Option<Folder> {
        let path = self.resolve(path, within)?;
        path.is_dir().then(|| Folder { within: path.clone(), path })
    }

    /// The same folder, with links to anywhere in the project: other programs share files that way.
    pub(super) fn widened(&self, folder: Folder) -> Folder {
        Folder { within: self.root.clone(), ..folder }
    }

    /// The entries of a folder that are not hidden, by name.
    pub(super) fn entries(&mut self, folder: &Folder) -> Vec<Entry> {
        let listed = match fs::read_dir(&folder.path) {
            Ok(listed) => listed,
            Err(error) => {
                self.unreadable(&folder.path, &error);
                return Vec::new();
            }
        };
        let mut entries = Vec::new();
        for entry in listed {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.unreadable(&folder.path, &error);
                    break;
                }
            };
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                self.note(&entry.path(), codes::NOT_UTF8, "the name of this file is not UTF-8");
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            if entries.len() == MOST {
                let message = format!("only the first {MOST} entries of this folder are looked at");
                self.note(&folder.path, codes::TOO_MANY_FILES, message);
                break;
            }
            let path = entry.path();
            // The folder is known to be inside, so only a link can lead out of it.
            let kind = entry.file_type().ok().filter(|kind| !kind.is_symlink());
            let is_folder = match kind {
                Some(kind) => kind.is_dir(),
                None => match self.resolve(&path, &folder.within) {
                    Some(real) => real.is_dir(),
                    None => continue,
                },
            };
            entries.push(Entry { name, path, is_folder, is_link: kind.is_none() });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// The text of a file directly in the root or below it, `None` when there is none.
    pub(super) fn read(&mut self, relative: &str) -> Option<Source> {
        let root = self.root.clone();
        self.read_in(&root.join(relative), &root)
    }

    /// The files of a definition that is a folder: those in it, and with `deep` the Markdown in the folders in it.
    pub(super) fn parts(&mut self, entry: &Entry, within: &Path, deep: bool) -> Vec<Part> {
        let Some(folder) = self.folder_in(&entry.path, within) else { return Vec::new() };
        let mut parts = Vec::new();
        for entry in self.entries(&folder) {
            if !entry.is_folder {
                parts.push(Part { name: entry.name, path: entry.path });
            } else if deep && matches!(entry.name.as_str(), "workflows" | "adaptors") {
                let Some(inner) = self.folder_in(&entry.path, folder.path()) else { continue };
                let files = self.entries(&inner).into_iter().filter(|file| file.is_file(&["md"]));
                parts.extend(
                    files.map(|file| Part { name: format!("{}/{}", entry.name, file.name), path: file.path }),
                );
            }
        }
        parts
    }

    /// The text of an entry, which must be inside `within`.
    pub(super) fn read_entry(&mut self, entry: &Entry, within: &Path) -> Option<Source> {
        if entry.is_link {
            self.read_in(&entry.path, within)
        } else {
            self.read_real(&entry.path, &entry.path)
        }
    }

    /// The text of a file, which must be inside `within`.
    pub(super) fn read_in(&mut self, path: &Path, within: &Path) -> Option<Source> {
        let real = self.resolve(path, within)?;
        self.read_real(path, &real)
    }

    fn read_real(&mut self, path: &Path, real: &Path) -> Option<Source> {
        match read_text(real) {
            Ok(text) => Some(Source::new(self.name(path), text)),
            Err(Refusal::Io(error)) if error.kind() == io::ErrorKind::NotFound => None,
            Err(Refusal::Io(error)) => {
                self.unreadable(path, &error);
                None
            }
            Err(Refusal::NoFile) => {
                self.note(path, codes::UNREADABLE_FILE, "this is no file");
                None
            }
            Err(Refusal::TooLarge) => {
                self.note(path, codes::FILE_TOO_LARGE, "this file is larger than 1 MiB");
                None
            }
            Err(Refusal::NoText(line)) => {
                let message = format!("this file is not UTF-8 from line {line} on");
                self.note(path, codes::NOT_UTF8, message);
                None
            }
        }
    }

    /// The text of a small file of the root, silently `None` when anything is in the way.
    pub(super) fn peek(&self, relative: &str) -> Option<Arc<str>> {
        let path = self.root.join(relative).canonicalize().ok()?;
        if !path.starts_with(&self.root) {
            return None;
        }
        read_text(&path).ok()
    }

    /// Where a path leads, if that is inside `within`.
    fn resolve(&mut self, path: &Path, within: &Path) -> Option<PathBuf> {
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(error) => {
                // What is not there is no mistake, but a link to it is.
                let is_link = path.symlink_metadata().is_ok();
                if is_link || error.kind() != io::ErrorKind::NotFound {
                    self.unreadable(path, &error);
                }
                return None;
            }
        };
        if real.starts_with(within) {
            return Some(real);
        }
        let message = format!("this is a link out of {}, and is not followed", self.folder_name(within));
        self.note(path, codes::OUTSIDE_PROJECT, message);
        None
    }

    fn folder_name(&self, folder: &Path) -> String {
        let name = self.name(folder);
        if name.is_empty() { "the project".to_owned() } else { format!("`{name}`") }
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        self.note(path, codes::UNREADABLE_FILE, format!("this cannot be read: {error}"));
    }

    /// An error about a file as a whole.
    fn note(&mut self, path: &Path, code: &'static str, message: impl Into<String>) {
        let source = Source::new(self.name(path), "");
        let diagnostic = Diagnostic::new(code, Severity::Error, &source, None, message);
        self.findings.push(Finding { diagnostic, source });
    }
}

impl Folder {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn within(&self) -> &Path {
        &self.within
    }
}

/// Why a file is not read.
enum Refusal {
    Io(io::Error),
    NoFile,
    TooLarge,
    /// Up to this line it is text.
    NoText(usize),
}

fn read_text(path: &Path) -> Result<Arc<str>, Refusal> {
    // Looked at before it is opened: opening a pipe would wait for someone to write to it.
    let seen = path.metadata().map_err(Refusal::Io)?;
    if !seen.is_file() {
        return Err(Refusal::NoFile);
    }
    if seen.len() > LARGEST {
        return Err(Refusal::TooLarge);
    }
    let file = fs::File::open(path).map_err(Refusal::Io)?;
    // One more byte than it has, so that its end is seen without asking for more room.
    let room = usize::try_from(seen.len()).unwrap_or_default() + 1;
    let mut bytes = Vec::with_capacity(room);
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(Refusal::Io)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Refusal::TooLarge);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let lines = error.as_bytes().iter().take(valid).filter(|byte| **byte == b'\n').count();
            Err(Refusal::NoText(lines + 1))
        }
    }
}
