//! Small files that are replaced whole: a reader sees the old content or the new one, never a part.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{Error, folder};
use crate::base::clock;

/// What comes behind the name of a document in that of its coming content, before something unique.
const NEW: &str = ".new-";

/// The content of a document; `None` when there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}

/// Replaces a document, or creates it and its folder; mode 0600. On the disk once this returns.
///
/// Blocks for as long as the disk takes. When it fails, the old content is untouched.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let mut replacement = Replacement::begin(path)?;
    replacement.write_all(content).map_err(Error::file("write", path))?;
    replacement.commit()
}

/// As [`replace`], without waiting for the disk: whole or absent if the program dies, perhaps empty if the machine does.
/// For what tells of something that is kept elsewhere.
pub fn put_down(path: &Path, content: &[u8]) -> Result<(), Error> {
    let mut replacement = Replacement::begin(path)?;
    replacement.write_all(content).map_err(Error::file("write", path))?;
    replacement.swap()
}

/// Replaces a file that belongs to the people of the project, such as a definition: as [`replace`], but its mode is that
/// of the file before it, or what a new file usually has.
pub fn publish(path: &Path, content: &[u8]) -> Result<(), Error> {
    let mut replacement = Replacement::begin_shared(path)?;
    replacement.write_all(content).map_err(Error::file("write", path))?;
    replacement.commit()
}

/// Creates a file that belongs to the people of the project, as [`publish`] does, unless there is something of that name: of
/// many who try at once, one does. Tells whether it was created; what is there already stays as it is.
pub fn create(path: &Path, content: &[u8]) -> Result<bool, Error> {
    let mut new = Replacement::begin_shared(path)?;
    new.write_all(content).map_err(Error::file("write", path))?;
    new.commit_new()
}

/// Moves a document that nobody can read to `<name>.rejected-<time>` beside it, so that another can take its place, and tells
/// where it is now.
pub fn set_aside(path: &Path) -> Result<PathBuf, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".rejected-{}", clock::now().strftime("%Y%m%dT%H%M%S%.9fZ")));
    let aside = PathBuf::from(name);
    fs::rename(path, &aside).map_err(Error::file("set aside", path))?;
    folder::sync(&folder::of(path))?;
    Ok(aside)
}

/// The coming content of a document, written piece by piece beside the present one.
///
/// Dropped without [`Replacement::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct Replacement {
    /// What will be replaced, with links followed, so that a link stays one.
    target: PathBuf,
    temporary: PathBuf,
    out: io::BufWriter<File>,
    committed: bool,
}

impl Replacement {
    /// Opens a new file in the folder of `path`, which is created.
    pub fn begin(path: &Path) -> Result<Self, Error> {
        Self::open(path, folder::private())
    }

    /// The same for a file that is not only its owner's, see [`publish`].
    pub fn begin_shared(path: &Path) -> Result<Self, Error> {
        let new = Self::open(path, fs::OpenOptions::new())?;
        if let Ok(before) = fs::metadata(&new.target) {
            let file = new.out.get_ref();
            file.set_permissions(before.permissions())
                .map_err(Error::file("set the mode of", &new.temporary))?;
        }
        Ok(new)
    }

    fn open(path: &Path, mut options: fs::OpenOptions) -> Result<Self, Error> {
        folder::create_for(path)?;
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut name = temporary_prefix(&target);
        name.push(uuid::Uuid::now_v7().simple().to_string());
        let temporary = folder::of(&target).join(name);
        let file = options
            .write(true)
            .create_new(true)
            .open(&temporary)
            .map_err(Error::file("create", &temporary))?;
        Ok(Self { target, temporary, out: io::BufWriter::new(file), committed: false })
    }

    /// The same, to be written on after it is in place: a file whose every write lands at its end.
    pub(super) fn begin_log(path: &Path) -> Result<Self, Error> {
        let mut options = folder::private();
        options.read(true).append(true);
        Self::open(path, options)
    }

    /// Puts the new content in place of the old one, and gives the file to be written on, twice. Its name is on the disk
    /// only after [`folder::sync`] of its folder.
    pub(super) fn exchange(mut self) -> Result<(File, File), Error> {
        self.out.flush().map_err(Error::file("write", &self.temporary))?;
        let open = || self.out.get_ref().try_clone().map_err(Error::file("open", &self.temporary));
        let (file, other) = (open()?, open()?);
        file.sync_all().map_err(Error::file("sync", &self.temporary))?;
        fs::rename(&self.temporary, &self.target).map_err(Error::file("replace", &self.target))?;
        self.committed = true;
        Ok((file, other))
    }

    /// Puts the new content in place of the old one; both the bytes and the name are on the disk afterwards.
    pub fn commit(mut self) -> Result<(), Error> {
        self.out.flush().map_err(Error::file("write", &self.temporary))?;
        self.out.get_ref().sync_all().map_err(Error::file("sync", &self.temporary))?;
        self.swap()?;
        folder::sync(&folder::of(&self.target))
    }

    /// The same unless there is something: then that stays, and the answer is no.
    fn commit_new(mut self) -> Result<bool, Error> {
        self.out.flush().map_err(Error::file("write", &self.temporary))?;
        self.out.get_ref().sync_all().map_err(Error::file("sync", &self.temporary))?;
        let is_there = |error: &io::Error| error.kind() == io::ErrorKind::AlreadyExists;
        // A second name, unlike a new one, takes no other's place; the first one goes when this is dropped.
        match fs::hard_link(&self.temporary, &self.target) {
            Ok(()) => {}
            Err(error) if is_there(&error) => return Ok(false),
            // Some disks give a file one name only: there the place is taken first, and filled then.
            Err(_) => match fs::OpenOptions::new().write(true).create_new(true).open(&self.target) {
                Ok(_) => self.swap()?,
                Err(error) if is_there(&error) => return Ok(false),
                Err(error) => return Err(Error::file("create", &self.target)(error)),
            },
        }
        folder::sync(&folder::of(&self.target))?;
        Ok(true)
    }

    fn swap(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(Error::file("write", &self.temporary))?;
        fs::rename(&self.temporary, &self.target).map_err(Error::file("replace", &self.target))?;
        self.committed = true;
        Ok(())
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.committed {
            // Nobody refers to the file; if it cannot be removed, it is only litter.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Removes what a crash left of earlier replacements of `path`. Only for the one that owns `path`.
pub(super) fn sweep(path: &Path) {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let prefix = temporary_prefix(&target);
    let Ok(entries) = fs::read_dir(folder::of(&target)) else { return };
    for entry in entries.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a file of this name is the coming content of another, which is put in its place or swept away.
pub fn is_replacement(name: &str) -> bool {
    let unique = name.strip_prefix('.').and_then(|rest| rest.rsplit_once(NEW)).map(|(_, unique)| unique);
    unique.is_some_and(|unique| unique.len() == 32 && unique.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn temporary_prefix(target: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(NEW);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_creates() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/state.json");
        assert_eq!(read(&path).unwrap(), None);
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some(&b"two"[..]));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn of_many_who_create_a_file_one_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/employee.md");
        let one = |number: usize| create(&path, format!("{number}").as_bytes()).unwrap();
        let (one, start) = (&one, &std::sync::Barrier::new(8));
        let created: Vec<_> = std::thread::scope(|scope| {
            let all = (0..8).map(|number| {
                scope.spawn(move || {
                    start.wait();
                    one(number)
                })
            });
            let all: Vec<_> = all.collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let first = created.iter().position(|created| *created).unwrap();
        assert_eq!(created.iter().filter(|created| **created).count(), 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), first.to_string());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn coming_content_is_known_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let new = Replacement::begin(&folder.path().join("state.json")).unwrap();
        assert!(is_replacement(new.temporary.file_name().unwrap().to_str().unwrap()), "{new:?}");
        assert!(!is_replacement(".env.new-keys") && !is_replacement("state.json"));
    }

    #[test]
    fn an_abandoned_replacement_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        replace(&path, b"one").unwrap();
        let mut abandoned = Replacement::begin(&path).unwrap();
        abandoned.write_all(b"tw").unwrap();
        drop(abandoned);
        assert_eq!(read(&path).unwrap().as_deref(), Some(&b"one"[..]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_crash_left_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        replace(&path, b"one").unwrap();
        std::mem::forget(Replacement::begin(&path).unwrap());
        sweep(&path);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_shared_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (plain, path) = (folder.path().join("plain"), folder.path().join("employee.yaml"));
        fs::write(&plain, "").unwrap();
        publish(&path, b"one").unwrap();
        assert_eq!(mode(&path), mode(&plain));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        publish(&path, b"two").unwrap();
        assert_eq!((read(&path).unwrap().as_deref(), mode(&path)), (Some(&b"two"[..]), 0o664));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_and_a_link_stays_a_link() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let link = folder.path().join("link.json");
        replace(&path, b"one").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, b"two").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(read(&path).unwrap().as_deref(), Some(&b"two"[..]));
    }
}
