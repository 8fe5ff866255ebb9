//! A folder of records in the project, read within bounds: nothing that a link leads to elsewhere, nothing without end.

use std::{
    fs::{self, Metadata},
    io,
    io::{BufRead as _, Read as _, Seek as _, SeekFrom},
    path::{Component, Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::catalog::Identity;

/// Most files of a folder that are looked at.
const MOST_FILES: usize = 200_000;

/// A folder of the project.
#[derive(Debug)]
pub struct Folder {
    /// With every link in it resolved.
    path: PathBuf,
}

/// What a file looks like from outside. As long as that is the same, so is what was read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Seen {
    /// When it was last written to, in nanoseconds since 1970.
    pub modified: u64,
    /// Its bytes.
    pub length: u64,
}

impl From<(u64, u64)> for Seen {
    fn from((modified, length): (u64, u64)) -> Self {
        Self { modified, length }
    }
}

impl From<Seen> for (u64, u64) {
    fn from(seen: Seen) -> Self {
        (seen.modified, seen.length)
    }
}

impl Seen {
    fn of(metadata: &Metadata) -> Self {
        Self { modified: metadata.modified().map_or(0, nanoseconds), length: metadata.len() }
    }
}

fn nanoseconds(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The end of a file.
#[derive(Debug, Default)]
pub struct Tail {
    /// Whole lines; what is not UTF-8 is replaced.
    pub text: String,
    /// Whether there is more before it.
    pub is_cut: bool,
}

impl Folder {
    /// The folder `relative` of the project at `root`; `None` when there is none, or it lies elsewhere. Waits for the disk.
    pub fn open(root: &Path, relative: &str) -> Option<Self> {
        let root = root.canonicalize().ok()?;
        let path = root.join(relative).canonicalize().ok()?;
        (path.starts_with(&root) && path.is_dir()).then_some(Self { path })
    }

    /// The files whose names end in `ending`, without it, in order of their names. Hidden files are left out.
    pub fn stems(&self, ending: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.path) else { return Vec::new() };
        let names =
            entries.flatten().take(MOST_FILES).filter_map(|entry| entry.file_name().into_string().ok());
        let mut stems: Vec<String> = names
            .filter(|name| self.locate(name).is_ok())
            .filter_map(|name| name.strip_suffix(ending).map(str::to_owned))
            .collect();
        stems.sort_unstable();
        stems
    }

    /// The files whose names end in `ending`, without it, in no order, and what they look like. Hidden files are left out.
    pub fn files(&self, ending: &str) -> Vec<(String, Seen)> {
        let Ok(entries) = fs::read_dir(&self.path) else { return Vec::new() };
        let file = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let stem = name.strip_suffix(ending).filter(|_| !name.starts_with('.'))?.to_owned();
            let metadata = entry.metadata().ok()?;
            let seen = if metadata.is_symlink() { self.seen(&name)? } else { Seen::of(&metadata) };
            (metadata.is_file() || metadata.is_symlink()).then_some((stem, seen))
        };
        entries.flatten().filter_map(file).take(MOST_FILES).collect()
    }

    /// What the file `name` looks like; `None` when there is no such file in this very folder.
    pub fn seen(&self, name: &str) -> Option<Seen> {
        Some(Seen::of(&fs::metadata(self.locate(name).ok()?).ok()?))
    }

    /// When a file was last added to this folder, or taken away, or replaced, in nanoseconds since 1970.
    pub fn changed(&self) -> Option<u64> {
        fs::metadata(&self.path).and_then(|seen| seen.modified()).ok().map(nanoseconds)
    }

    /// Shows `each` whole line of the file `name`, without its `\n`, and none beyond `most` bytes.
    ///
    /// # Errors
    /// As [`Folder::tail`].
    pub fn lines(&self, name: &str, most: u64, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let file = fs::File::open(self.locate(name)?)?;
        let mut source = io::BufReader::with_capacity(1 << 16, file.take(most));
        let mut line = Vec::new();
        while source.read_until(b'\n', &mut line)? > 0 {
            each(line.strip_suffix(b"\n").unwrap_or(&line));
            line.clear();
        }
        Ok(())
    }

    /// Removes the file `name`; one that is not there is no matter.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match self.locate(name).and_then(fs::remove_file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// What the file `name` looks like from outside, of which it may be another one.
    pub fn identity(&self, name: &str) -> Identity {
        Identity::of(&self.path.join(name))
    }

    /// The last lines of the file `name`, of at most `most` bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is no such file in this very folder.
    pub fn tail(&self, name: &str, most: u64) -> io::Result<Tail> {
        let mut file = fs::File::open(self.locate(name)?)?;
        let length = file.metadata()?.len();
        let is_cut = length > most;
        if is_cut {
            file.seek(SeekFrom::Start(length - most))?;
        }
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let text = if is_cut { text.split_once('\n').map_or("", |(_, whole)| whole) } else { &text };
        Ok(Tail { text: text.to_owned(), is_cut })
    }

    /// The first line of the file `name`, of at most `most` bytes; what is not UTF-8 is replaced.
    ///
    /// # Errors
    /// As [`Folder::tail`].
    pub fn head(&self, name: &str, most: u64) -> io::Result<String> {
        let file = fs::File::open(self.locate(name)?)?;
        let mut line = Vec::new();
        io::BufReader::new(file.take(most)).read_until(b'\n', &mut line)?;
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Where the file `name` is. Looked at before it is opened: opening a pipe would wait for someone to write to it.
    fn locate(&self, name: &str) -> io::Result<PathBuf> {
        let mut parts = Path::new(name).components();
        let is_plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
        if is_plain && !name.starts_with('.') {
            let real = self.path.join(name).canonicalize()?;
            if real.parent() == Some(&self.path) && real.is_file() {
                return Ok(real);
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_this_folder_are_read() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("kept/sub.md")).unwrap();
        for name in ["kept/b.md", "kept/a.md", "kept/.c.md", "kept/d.txt", "secret.md"] {
            fs::write(path(name), "1\n22\n333\n").unwrap();
        }
        let folder = Folder::open(root.path(), "kept").unwrap();
        assert_eq!(folder.stems(".md"), ["a", "b"]);
        let mut files = folder.files(".md");
        files.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(
            files.iter().map(|(stem, seen)| (stem.as_str(), seen.length)).collect::<Vec<_>>(),
            [("a", 9), ("b", 9)]
        );
        assert_eq!(files.first().map(|(_, seen)| *seen), folder.seen("a.md"));
        let mut lines = Vec::new();
        folder.lines("a.md", 5, |line| lines.push(line.to_vec())).unwrap();
        assert_eq!(lines, [b"1".to_vec(), b"22".to_vec()]);
        for outside in ["../secret.md", "/etc/passwd", ".c.md", "sub.md", ".", "..", "", "none.md", "a.md/x"]
        {
            assert!(folder.tail(outside, 100).is_err(), "{outside}");
        }
        let tail = folder.tail("a.md", 100).unwrap();
        assert_eq!((tail.text.as_str(), tail.is_cut), ("1\n22\n333\n", false));
        assert_eq!(folder.head("a.md", 100).unwrap(), "1\n");
        assert!(folder.head("../secret.md", 100).is_err());
        let tail = folder.tail("a.md", 6).unwrap();
        assert_eq!((tail.text.as_str(), tail.is_cut), ("333\n", true));
        assert!(Folder::open(root.path(), "none").is_none());
        assert!(Folder::open(root.path(), "..").is_none());
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_nowhere_else() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("x.md"), "secret").unwrap();
        fs::create_dir(root.path().join("kept")).unwrap();
        symlink(elsewhere.path().join("x.md"), root.path().join("kept/x.md")).unwrap();
        symlink(elsewhere.path(), root.path().join("link")).unwrap();
        let folder = Folder::open(root.path(), "kept").unwrap();
        assert_eq!(folder.stems(".md"), [""; 0]);
        assert!(folder.files(".md").is_empty() && folder.seen("x.md").is_none());
        folder.remove("x.md").unwrap();
        assert!(elsewhere.path().join("x.md").is_file());
        assert!(folder.tail("x.md", 100).is_err());
        assert!(Folder::open(root.path(), "link").is_none());
    }
}
