//! A folder of records in the project, read within bounds: nothing that a link leads to elsewhere, nothing without end.

use std::{
    fs, io,
    io::{BufRead as _, Read as _, Seek as _, SeekFrom},
    path::{Component, Path, PathBuf},
};

use crate::catalog::Identity;

/// Most files of a folder that are looked at.
const MOST_FILES: usize = 50_000;

/// A folder of the project.
#[derive(Debug)]
pub struct Folder {
    /// With every link in it resolved.
    path: PathBuf,
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

    /// What the file `name` looks like from outside.
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
        assert!(folder.tail("x.md", 100).is_err());
        assert!(Folder::open(root.path(), "link").is_none());
    }
}
