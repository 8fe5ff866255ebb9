//! Everything in the folder of an employee, also what is no definition: scripts, references, templates.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::Entry;

/// No folder of an employee holds more files; a limit that the skills extension of MCP names.
const MOST_FILES: usize = 512;
/// Nor more bytes; this too.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// No file lies in more folders than this below that of the employee. What is deeper is not looked at for changes
/// either.
pub(super) const DEEPEST: u32 = 4;

/// What is in the folder of an employee, by paths relative to it, with `/` between the parts.
///
/// Hidden files are left out, as are links to folders and links that lead out of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// With every link in it resolved.
    folder: PathBuf,
    /// All files, by path.
    pub files: Vec<String>,
    /// All folders, by path.
    pub folders: Vec<String>,
    bytes: u64,
}

/// Why a folder is not shown.
#[derive(Debug, thiserror::Error)]
pub enum Unshown {
    /// It holds too much.
    #[error("it holds more than {MOST_FILES} files or 16 MiB")]
    TooLarge,
    /// It cannot be read.
    #[error("it cannot be read")]
    Unreadable(#[from] io::Error),
}

impl Tree {
    /// Looks into the folder of an employee of the project in `root`; `None` when the employee is a single file, or comes
    /// from elsewhere: what lies outside the project is not the project's to show. Waits for the disk.
    ///
    /// # Errors
    /// When it holds too much or cannot be read.
    pub fn of(root: &Path, employee: &Entry) -> Result<Option<Self>, Unshown> {
        let folder = root.join(&employee.path).canonicalize()?;
        if !folder.is_dir() || !folder.starts_with(root.canonicalize()?) {
            return Ok(None);
        }
        let mut tree = Self { folder, files: Vec::new(), folders: Vec::new(), bytes: 0 };
        tree.walk(&tree.folder.clone(), "", DEEPEST)?;
        tree.files.sort_unstable();
        tree.folders.sort_unstable();
        Ok(Some(tree))
    }

    fn walk(&mut self, folder: &Path, prefix: &str, depth: u32) -> Result<(), Unshown> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            if name.starts_with('.') {
                continue;
            }
            let path = format!("{prefix}{name}");
            if entry.file_type()?.is_dir() {
                if depth > 0 {
                    self.walk(&entry.path(), &format!("{path}/"), depth - 1)?;
                    self.folders.push(path);
                }
            } else if let Ok(file) = self.locate(&entry.path()) {
                self.bytes = self.bytes.saturating_add(file.metadata()?.len());
                self.files.push(path);
            }
            if self.files.len() + self.folders.len() > MOST_FILES || self.bytes > MOST_BYTES {
                return Err(Unshown::TooLarge);
            }
        }
        Ok(())
    }

    /// The bytes of the file at `path`, one of [`Tree::files`]. Waits for the disk.
    ///
    /// # Errors
    /// When it cannot be read, or is no longer a file in this folder.
    pub fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let file = self.locate(&self.folder.join(path))?;
        let mut bytes = Vec::new();
        fs::File::open(file)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    /// Where a path leads, if that is a file in this folder. Looked at before it is opened: opening a pipe would wait
    /// for someone to write to it.
    fn locate(&self, path: &Path) -> io::Result<PathBuf> {
        let real = path.canonicalize()?;
        if real.starts_with(&self.folder) && real.is_file() {
            return Ok(real);
        }
        Err(io::ErrorKind::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        catalog::Layer,
        defs::{Source, parse_employee},
    };

    struct Sample(tempfile::TempDir);

    impl Sample {
        fn new(files: &[&str]) -> Self {
            let sample = Self(tempfile::tempdir().unwrap());
            for file in files {
                sample.write(file, file.as_bytes());
            }
            sample
        }

        fn write(&self, file: &str, bytes: &[u8]) {
            let path = self.0.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }

        fn tree(&self, path: &str) -> Result<Option<Tree>, Unshown> {
            let source = Source::new("bot.md", "---\nname: bot\ndescription: d\n---\nx\n");
            let employee = Arc::new(parse_employee(&source).0.unwrap());
            let entry = Entry { employee, layer: Layer::Project, path: path.to_owned() };
            Tree::of(self.0.path(), &entry)
        }
    }

    #[test]
    fn all_is_found_but_what_is_hidden() {
        let sample =
            Sample::new(&["bot/employee.yaml", "bot/a/b/c.md", "bot/.git/config", "bot.md", "x/y.md"]);
        fs::create_dir(sample.0.path().join("bot/empty")).unwrap();
        let tree = sample.tree("bot").unwrap().unwrap();
        assert_eq!(tree.files, ["a/b/c.md", "employee.yaml"]);
        assert_eq!(tree.folders, ["a", "a/b", "empty"]);
        assert_eq!(tree.read("a/b/c.md").unwrap(), b"bot/a/b/c.md");
        for outside in ["../x/y.md", "/etc/passwd", "a", "", "no"] {
            assert!(tree.read(outside).is_err(), "{outside}");
        }
        assert_eq!(sample.tree("bot.md").unwrap(), None);
        assert!(sample.tree("none").is_err());
        assert_eq!(sample.tree("..").unwrap(), None);
    }

    #[test]
    fn what_is_too_deep_is_not_looked_at() {
        let sample = Sample::new(&["bot/1/2/3/4/file", "bot/1/2/3/4/5/file"]);
        let tree = sample.tree("bot").unwrap().unwrap();
        assert_eq!(tree.files, ["1/2/3/4/file"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_nowhere_else() {
        let sample = Sample::new(&["bot/real.md", "bot/sub/x.md", "secret.md"]);
        let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, sample.0.path().join(at)).unwrap();
        link("real.md", "bot/inside.md");
        link("../secret.md", "bot/outside.md");
        link("/etc/passwd", "bot/passwd");
        link("nothing", "bot/broken");
        link("..", "bot/up");
        link("sub", "bot/again");
        let tree = sample.tree("bot").unwrap().unwrap();
        assert_eq!(tree.files, ["inside.md", "real.md", "sub/x.md"]);
        assert_eq!(tree.folders, ["sub"]);
        fs::remove_file(sample.0.path().join("bot/real.md")).unwrap();
        link("../secret.md", "bot/real.md");
        assert!(tree.read("real.md").is_err());
    }

    #[test]
    fn there_are_limits() {
        let sample = Sample::new(&[]);
        for number in 0..=MOST_FILES {
            sample.write(&format!("bot/{number}"), b"");
        }
        assert!(matches!(sample.tree("bot"), Err(Unshown::TooLarge)));
        let sample = Sample::new(&[]);
        let half = usize::try_from(MOST_BYTES / 2).unwrap();
        sample.write("bot/a", &vec![0; half]);
        sample.write("bot/b", &vec![0; half]);
        assert!(sample.tree("bot").is_ok());
        sample.write("bot/c", b"1");
        assert!(matches!(sample.tree("bot"), Err(Unshown::TooLarge)));
    }
}
