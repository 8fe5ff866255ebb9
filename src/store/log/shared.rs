//! A log that many processes write, one after the other.
//!
//! Whoever reads holds a [`Place`]: as long as the log has only grown since, only what was added is read. Whoever writes
//! holds the lock, reads on to the end first, and then adds lines, or puts a changed log in place of the old one.

use std::{
    fs::{self, File, Metadata},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{Error, Line, Mark, document, folder, open};
use crate::store::OwnerLock;

/// How long a writer waits for the others.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many bytes before a place are compared, to notice a file that somebody else wrote anew where it lies.
const COMPARED: u64 = 96;
/// How many bytes are read at a time.
const PIECE: u64 = 1 << 22;

/// Whoever reads a log along.
pub trait Reader {
    /// What was read so far no longer counts: the log is read again from its beginning.
    fn anew(&mut self);
    /// The file that the next lines are in, for who wants to look at them again: see [`read_span`](super::read_span).
    fn opened(&mut self, _file: &Arc<File>) {}
    /// The next line that is not blank.
    fn line(&mut self, line: Line<'_>);
    /// The next lines that are not blank, for who reads many at once faster than one by one.
    fn lines(&mut self, lines: &[Line<'_>]) {
        for line in lines {
            self.line(*line);
        }
    }
}

/// How far a log was read.
#[derive(Debug, Default)]
pub struct Place {
    /// Held open, so that no other file can be given its number.
    file: Option<Arc<File>>,
    modified: Option<SystemTime>,
    /// The end of what was read.
    mark: Mark,
    /// The last bytes before it.
    before: Vec<u8>,
}

/// What becomes of a line when a log is written anew.
#[derive(Debug)]
pub enum Change {
    /// It stays, byte for byte.
    Keep,
    /// It is gone.
    Drop,
    /// This, without its `\n`, takes its place.
    Put(Vec<u8>),
}

/// The log of a path, locked for as long as this lives.
#[derive(Debug)]
pub struct Shared {
    path: PathBuf,
    _lock: OwnerLock,
}

impl Place {
    /// Reads on, without a lock: a last line that is still being written is left out. Returns whether anything is new.
    ///
    /// # Errors
    /// When the log cannot be read; one that does not exist is empty.
    pub fn read_on(&mut self, path: &Path, reader: &mut impl Reader) -> Result<bool, Error> {
        let seen = match fs::metadata(path) {
            Ok(seen) => seen,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let was_there = self.file.is_some();
                if was_there {
                    *self = Self::default();
                    reader.anew();
                }
                return Ok(was_there);
            }
            Err(error) => return Err(Error::file("inspect", path)(error)),
        };
        let modified = seen.modified().ok();
        if self.is_in(&seen) {
            if seen.len() == self.mark.at && modified == self.modified {
                return Ok(false);
            }
            if seen.len() > self.mark.at && self.follows().map_err(Error::file("read", path))? {
                let before = self.mark.at;
                self.modified = modified;
                self.take(path, reader)?;
                return Ok(self.mark.at > before);
            }
        }
        let file = Arc::new(File::open(path).map_err(Error::file("open", path))?);
        reader.anew();
        reader.opened(&file);
        *self = Self { file: Some(file), modified, ..Self::default() };
        self.take(path, reader)?;
        Ok(true)
    }

    /// How many lines were read, blank ones too.
    pub fn lines(&self) -> u64 {
        self.mark.lines
    }

    /// What tells the file that was read from one that takes its place; empty when there was none.
    #[cfg(unix)]
    pub fn identity(&self) -> String {
        use std::os::unix::fs::MetadataExt as _;
        let seen = self.file.as_ref().and_then(|file| file.metadata().ok());
        // A number is given again when a file is gone, though not within the same moment.
        let born = |seen: &Metadata| {
            let since = seen.created().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            Some(since.as_nanos())
        };
        seen.map_or_else(String::new, |seen| {
            format!("{:x}-{:x}-{:x}", seen.dev(), seen.ino(), born(&seen).unwrap_or_default())
        })
    }

    /// What tells the file that was read from one that takes its place; empty when there was none.
    #[cfg(not(unix))]
    pub fn identity(&self) -> String {
        let seen = self.file.as_ref().and_then(|file| file.metadata().ok());
        seen.and_then(|seen| seen.created().ok()).map_or_else(String::new, |born| format!("{born:?}"))
    }

    /// Whether what was read is the beginning of the file that was `seen`.
    #[cfg(unix)]
    fn is_in(&self, seen: &Metadata) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let own = self.file.as_ref().and_then(|file| file.metadata().ok());
        own.is_some_and(|own| (own.dev(), own.ino()) == (seen.dev(), seen.ino()))
    }

    /// Where files have no number that can be asked for, one that was born at another time is another.
    #[cfg(not(unix))]
    fn is_in(&self, seen: &Metadata) -> bool {
        let own = self.file.as_ref().and_then(|file| file.metadata().ok());
        own.is_some_and(|own| own.created().ok() == seen.created().ok())
    }

    /// Whether the bytes before this place are those that were read.
    fn follows(&mut self) -> io::Result<bool> {
        let Some(mut file) = self.file.as_deref() else { return Ok(false) };
        let mut before = vec![0; self.before.len()];
        file.seek(SeekFrom::Start(self.mark.at - self.before.len() as u64))?;
        file.read_exact(&mut before)?;
        Ok(before == self.before)
    }

    fn take(&mut self, path: &Path, reader: &mut impl Reader) -> Result<(), Error> {
        let Some(mut file) = self.file.as_deref() else { return Ok(()) };
        file.seek(SeekFrom::Start(self.mark.at)).map_err(Error::file("read", path))?;
        let mut bytes = Vec::new();
        loop {
            let before = bytes.len();
            let read = file.take(PIECE).read_to_end(&mut bytes).map_err(Error::file("read", path))?;
            let new = bytes.get(before..).unwrap_or_default();
            if let Some(last) = new.iter().rposition(|byte| *byte == b'\n') {
                let whole = before + last + 1;
                tell(bytes.get(..whole).unwrap_or_default(), &mut self.mark, reader);
                bytes.drain(..whole);
            }
            if (read as u64) < PIECE {
                break;
            }
        }
        let compared = self.mark.at.min(COMPARED);
        self.before.clear();
        file.seek(SeekFrom::Start(self.mark.at - compared))
            .and_then(|_| file.take(compared).read_to_end(&mut self.before))
            .map_err(Error::file("read", path))?;
        Ok(())
    }
}

/// Tells whole lines from `mark` on, which is behind them then.
fn tell(mut bytes: &[u8], mark: &mut Mark, reader: &mut impl Reader) {
    let mut lines = Vec::new();
    loop {
        let rest = bytes;
        // Bytes in memory can always be read.
        let length = bytes.skip_until(b'\n').unwrap_or(0);
        let Some(line) = rest.get(..length).and_then(|line| line.strip_suffix(b"\n")) else { break };
        let (number, at) = (mark.lines + 1, mark.at);
        *mark = Mark { at: at + length as u64, lines: number };
        if !line.trim_ascii().is_empty() {
            lines.push(Line { number, at, bytes: line });
        }
    }
    reader.lines(&lines);
}

impl Shared {
    /// Locks the log at `path`, which need not exist. Blocks until the others are done, for at most 20 s.
    ///
    /// # Errors
    /// [`Error::Owned`] when somebody still writes then.
    pub fn lock(path: &Path) -> Result<Self, Error> {
        Ok(Self { path: path.to_owned(), _lock: OwnerLock::wait(path, PATIENCE)? })
    }

    /// Reads to the end. A last line that was cut off while it was written is ended, so that what comes next begins a
    /// line of its own.
    ///
    /// # Errors
    /// When the log cannot be read, or not be mended.
    pub fn read_on(&self, place: &mut Place, reader: &mut impl Reader) -> Result<(), Error> {
        place.read_on(&self.path, reader)?;
        let length = place.file.as_ref().map_or(Ok(0), |file| file.metadata().map(|seen| seen.len()));
        if length.map_err(Error::file("inspect", &self.path))? > place.mark.at {
            self.append(b"\n")?;
            place.read_on(&self.path, reader)?;
        }
        Ok(())
    }

    /// Adds whole lines, each with its `\n`. They are on the disk once this returns, or nothing of them is kept.
    ///
    /// # Errors
    /// [`Error::Append`] when the disk refused.
    pub fn append(&self, lines: &[u8]) -> Result<(), Error> {
        let is_new = !self.path.try_exists().map_err(Error::file("inspect", &self.path))?;
        let mut file = open(&self.path)?;
        let length = file.metadata().map_err(Error::file("inspect", &self.path))?.len();
        if let Err(source) = file.write_all(lines).and_then(|()| file.sync_data()) {
            // If this fails too, a part of a line stays, which the next writer ends.
            let _ = file.set_len(length);
            return Err(Error::Append { path: self.path.clone(), source: Arc::new(source) });
        }
        if is_new { folder::sync(&folder::of(&self.path)) } else { Ok(()) }
    }

    /// Puts a log in place of this one that has its lines as `change` says, and then `more` lines, each with its `\n`.
    /// A crash leaves the old one or the new one.
    ///
    /// # Errors
    /// When the disk refused; the old one is untouched.
    pub fn rewrite(&self, mut change: impl FnMut(Line<'_>) -> Change, more: &[u8]) -> Result<(), Error> {
        document::sweep(&self.path);
        let mut new = document::Replacement::begin_shared(&self.path)?;
        let mut write = |bytes: &[u8]| new.write_all(bytes).map_err(Error::file("write", &self.path));
        let file = File::open(&self.path).map_err(Error::file("open", &self.path))?;
        let mut source = BufReader::with_capacity(1 << 16, file);
        let mut line = Vec::new();
        let mut at = 0;
        for number in 1.. {
            line.clear();
            let read = source.read_until(b'\n', &mut line).map_err(Error::file("read", &self.path))?;
            if read == 0 {
                break;
            }
            let bytes = line.strip_suffix(b"\n").unwrap_or(&line);
            let begins = at;
            at += read as u64;
            match change(Line { number, at: begins, bytes }) {
                Change::Keep => write(&line)?,
                Change::Drop => {}
                Change::Put(other) => {
                    write(&other)?;
                    write(b"\n")?;
                }
            }
        }
        write(more)?;
        new.commit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Read {
        lines: Vec<(u64, String)>,
        times: usize,
    }

    impl Reader for Read {
        fn anew(&mut self) {
            self.lines.clear();
            self.times += 1;
        }

        fn line(&mut self, line: Line<'_>) {
            self.lines.push((line.number, String::from_utf8(line.bytes.to_vec()).unwrap()));
        }
    }

    impl Read {
        fn texts(&self) -> Vec<&str> {
            self.lines.iter().map(|(_, text)| text.as_str()).collect()
        }
    }

    #[test]
    fn only_what_was_added_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/log.jsonl");
        let (mut place, mut read) = (Place::default(), Read::default());
        assert!(!place.read_on(&path, &mut read).unwrap());
        Shared::lock(&path).unwrap().append(b"1\n\n2\n").unwrap();
        assert!(place.read_on(&path, &mut read).unwrap());
        assert!(!place.read_on(&path, &mut read).unwrap());
        Shared::lock(&path).unwrap().append(b"3\n").unwrap();
        assert!(place.read_on(&path, &mut read).unwrap());
        let expected = [(1, "1"), (3, "2"), (4, "3")].map(|(number, text)| (number, text.to_owned()));
        assert_eq!((read.lines.as_slice(), read.times), (&expected[..], 1));
    }

    #[test]
    fn what_is_read_in_pieces_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let line = |number: u64| format!("{number} {}", "x".repeat(usize::try_from(number % 3000).unwrap()));
        let text: String = (1..=4000).map(|number| line(number) + "\n").collect();
        assert!(text.len() as u64 > PIECE);
        let long = "y".repeat(usize::try_from(PIECE).unwrap() + 1);
        fs::write(&path, format!("{text}{long}\ncut")).unwrap();
        let (mut place, mut read) = (Place::default(), Read::default());
        place.read_on(&path, &mut read).unwrap();
        assert_eq!(
            (read.lines.len(), place.lines(), place.mark.at),
            (4001, 4001, fs::metadata(&path).unwrap().len() - 3)
        );
        assert!(read.lines.iter().zip(1..4001).all(|(read, number)| *read == (number, line(number))));
        assert_eq!(read.lines.last().unwrap().1, long);
    }

    #[test]
    fn what_was_written_anew_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        fs::write(&path, "a\nb\nc\n").unwrap();
        let (mut place, mut read) = (Place::default(), Read::default());
        place.read_on(&path, &mut read).unwrap();
        let change = |line: Line<'_>| match line.bytes {
            b"a" => Change::Drop,
            b"b" => Change::Put(b"B".to_vec()),
            _ => Change::Keep,
        };
        Shared::lock(&path).unwrap().rewrite(change, b"d\n").unwrap();
        place.read_on(&path, &mut read).unwrap();
        assert_eq!((read.texts(), read.times), (vec!["B", "c", "d"], 2));
        // In place, longer than before, as a program that knows no better would.
        fs::write(&path, "BB\nc\nd\ne\n").unwrap();
        place.read_on(&path, &mut read).unwrap();
        assert_eq!((read.texts(), read.times), (vec!["BB", "c", "d", "e"], 3));
        fs::remove_file(&path).unwrap();
        assert!(place.read_on(&path, &mut read).unwrap());
        assert!(read.lines.is_empty());
    }

    #[test]
    fn a_line_that_was_cut_off_is_ended_by_the_next_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        fs::write(&path, "{}\n{\"id\":").unwrap();
        let (mut place, mut read) = (Place::default(), Read::default());
        place.read_on(&path, &mut read).unwrap();
        assert_eq!(read.texts(), ["{}"]);
        let shared = Shared::lock(&path).unwrap();
        shared.read_on(&mut place, &mut read).unwrap();
        shared.append(b"[]\n").unwrap();
        shared.read_on(&mut place, &mut read).unwrap();
        assert_eq!((read.texts(), read.times), (vec!["{}", "{\"id\":", "[]"], 1));
    }
}
