//! What the files of a folder tell in brief: each is read once, and again only when it looks different.
//!
//! A folder that nobody added to or took from is not even looked through; that files in it were written to in place is
//! seen after a few seconds. What was read can be kept in a file of its own, `.crew/<folder>.index`, which only whoever
//! writes records keeps up, so that looking leaves nothing behind:
//!
//! ```json
//! {"format":1}
//! {"id":"…","seen":[1764115200000000000,812],"brief":{…}}
//! ```
//!
//! Of one id the last line counts, and only while the file looks like that. Whatever is missing or wrong there costs time
//! and nothing else.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, OpenOptions},
    io::{self, BufRead as _, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use super::folder::{Folder, Seen};
use crate::{
    base::clock::{self, Stopwatch},
    store::document,
};

/// For how long it is believed of a folder that nobody changed that nobody wrote to its files either.
const TRUST: Duration = Duration::from_secs(10);
/// A folder that was changed this shortly before it was looked at may be changed again without looking different.
const BLUR: u64 = 2_000_000_000;
/// Lines of the kept file that say nothing any more, beyond which it is written anew when they are more than the others.
const STALE: usize = 1000;
/// Longest line of the kept file.
const LONGEST: usize = 1 << 20;

/// What a file tells in brief.
pub(in crate::engine) trait Brief:
    Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Another number makes what was kept void: raise it when the same file would tell something else.
    const FORMAT: u32;

    /// Reads the file `name`; one that cannot be read tells nothing. Waits for the disk.
    fn read(folder: &Folder, name: &str) -> Self;

    /// When it began, as it is written there; the newest comes first.
    fn began(&self) -> &str;
}

/// A file, and what it tells.
#[derive(Debug)]
pub(in crate::engine) struct Entry<B> {
    /// Its name without the ending.
    pub(in crate::engine) id: String,
    /// What it looked like when it was read.
    pub(in crate::engine) seen: Seen,
    /// What it tells.
    pub(in crate::engine) brief: B,
}

/// All files at one moment, the newest first.
#[derive(Debug)]
pub(in crate::engine) struct Shelf<B> {
    pub(in crate::engine) entries: Vec<Arc<Entry<B>>>,
    digest: OnceLock<String>,
}

impl<B> Shelf<B> {
    fn of(entries: Vec<Arc<Entry<B>>>) -> Arc<Self> {
        Arc::new(Self { entries, digest: OnceLock::new() })
    }

    /// The same for the same files.
    pub(in crate::engine) fn digest(&self) -> &str {
        self.digest.get_or_init(|| {
            let mut digest = Sha256::new();
            for entry in &self.entries {
                let (modified, length) = entry.seen.into();
                digest.update(format!("{} {modified} {length}\n", entry.id));
            }
            hex::encode(digest.finalize())
        })
    }
}

/// The files of a folder in brief.
#[derive(Debug)]
pub(in crate::engine) struct Catalogue<B> {
    root: PathBuf,
    folder: &'static str,
    ending: &'static str,
    is_id: fn(&str) -> bool,
    kept: PathBuf,
    state: Mutex<State<B>>,
}

#[derive(Debug)]
struct State<B> {
    is_loaded: bool,
    looked: Option<Look>,
    known: HashMap<String, Arc<Entry<B>>>,
    shelf: Arc<Shelf<B>>,
    /// Those the kept file does not tell.
    fresh: HashSet<String>,
    /// Lines of the kept file.
    lines: usize,
}

/// When the folder was looked through.
#[derive(Debug)]
struct Look {
    changed: Option<u64>,
    at: u64,
    since: Stopwatch,
}

#[derive(Deserialize)]
struct Line<B> {
    id: String,
    seen: Seen,
    brief: B,
}

#[derive(Serialize)]
struct LineOf<'e, B> {
    id: &'e str,
    seen: Seen,
    brief: &'e B,
}

#[derive(Serialize, Deserialize)]
struct Format {
    format: u32,
}

impl<B: Brief> Catalogue<B> {
    /// The files of `folder`, of the project at `root`, whose names are an id (as `is_id` knows it) and `ending`.
    pub(in crate::engine) fn of(
        root: &Path,
        folder: &'static str,
        ending: &'static str,
        is_id: fn(&str) -> bool,
    ) -> Self {
        let state = State {
            is_loaded: false,
            looked: None,
            known: HashMap::new(),
            shelf: Shelf::of(Vec::new()),
            fresh: HashSet::new(),
            lines: 0,
        };
        let kept = root.join(format!("{folder}.index"));
        Self { root: root.to_owned(), folder, ending, is_id, kept, state: Mutex::new(state) }
    }

    /// The folder; `None` when there is none.
    pub(in crate::engine) fn folder(&self) -> Option<Folder> {
        Folder::open(&self.root, self.folder)
    }

    /// The name of the file of `id`; `None` when that cannot be one.
    pub(in crate::engine) fn name(&self, id: &str) -> Option<String> {
        (self.is_id)(id).then(|| format!("{id}{}", self.ending))
    }

    /// The files as they are now. Waits for the disk.
    pub(in crate::engine) fn look(&self) -> Arc<Shelf<B>> {
        let mut state = self.state.lock();
        self.update(&mut state);
        Arc::clone(&state.shelf)
    }

    fn update(&self, state: &mut State<B>) {
        let Some(folder) = self.folder() else {
            state.known.clear();
            state.fresh.clear();
            (state.looked, state.shelf) = (None, Shelf::of(Vec::new()));
            return;
        };
        let look =
            Look { changed: folder.changed(), at: nanoseconds(clock::now()), since: Stopwatch::start() };
        if state.looked.as_ref().is_some_and(|before| before.holds(&look)) {
            return;
        }
        if !state.is_loaded {
            self.load(state);
            state.is_loaded = true;
        }
        let mut before = std::mem::take(&mut state.known);
        let mut is_same = before.len() == state.shelf.entries.len();
        for (id, seen) in folder.files(self.ending) {
            let Some(name) = self.name(&id) else { continue };
            let entry = match before.remove(&id) {
                Some(entry) if entry.seen == seen => entry,
                _ => {
                    is_same = false;
                    state.fresh.insert(id.clone());
                    Arc::new(Entry { brief: B::read(&folder, &name), id: id.clone(), seen })
                }
            };
            state.known.insert(id, entry);
        }
        state.looked = Some(look);
        if is_same && before.is_empty() {
            return;
        }
        for gone in before.keys() {
            state.fresh.remove(gone);
        }
        let mut entries: Vec<_> = state.known.values().map(Arc::clone).collect();
        // Ids of both kinds count the time, but not in the same way.
        entries.sort_unstable_by(|a, b| (b.brief.began(), &b.id).cmp(&(a.brief.began(), &a.id)));
        state.shelf = Shelf::of(entries);
    }

    /// Takes what is kept for what is known; what is not there any more, or looks different, is found out by looking.
    fn load(&self, state: &mut State<B>) {
        let read = || {
            let mut source = io::BufReader::with_capacity(1 << 18, fs::File::open(&self.kept)?);
            let (mut line, mut lines) = (Vec::new(), 0);
            source.read_until(b'\n', &mut line)?;
            if !serde_json::from_slice::<Format>(&line).is_ok_and(|head| head.format == B::FORMAT) {
                return Ok((HashMap::new(), 0));
            }
            let mut known = HashMap::new();
            loop {
                line.clear();
                if source.read_until(b'\n', &mut line)? == 0 {
                    return Ok::<_, io::Error>((known, lines));
                }
                lines += 1;
                if let Ok(Line { id, seen, brief }) = serde_json::from_slice::<Line<B>>(&line) {
                    known.insert(id.clone(), Arc::new(Entry { id, seen, brief }));
                }
            }
        };
        match read() {
            Ok((known, lines)) => (state.known, state.lines) = (known, lines),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %self.kept.display(), %error, "an index of records is passed over");
            }
        }
    }

    /// Keeps what was read of the file of `id`, which was written just now, for those who look next. Waits for the disk.
    pub(in crate::engine) fn note(&self, id: &str) {
        // The first line makes the rest of the file: whoever had records before has them read once.
        if !self.kept.is_file() {
            return self.keep();
        }
        let read = || {
            let (folder, name) = (self.folder()?, self.name(id)?);
            let seen = folder.seen(&name)?;
            Some(Arc::new(Entry { id: id.to_owned(), seen, brief: B::read(&folder, &name) }))
        };
        let Some(entry) = read() else { return };
        let mut state = self.state.lock();
        if let Err(error) = self.append([&entry]) {
            self.complain(&error);
        }
        if state.is_loaded {
            state.lines += 1;
            state.looked = None;
            state.fresh.remove(id);
            state.known.insert(id.to_owned(), entry);
            // What is listed is made anew by the next look, which finds this one in the folder.
            state.shelf = Shelf::of(Vec::new());
        }
    }

    /// Looks at the files, and keeps what was read of them. Waits for the disk.
    pub(in crate::engine) fn keep(&self) {
        let mut state = self.state.lock();
        self.update(&mut state);
        let outdated = state.lines.saturating_sub(state.known.len() - state.fresh.len());
        let is_whole = self.kept.is_file() && state.lines > 0;
        if is_whole && state.fresh.is_empty() && outdated <= STALE.max(state.known.len()) {
            return;
        }
        let anew = !is_whole || outdated > STALE.max(state.known.len());
        let done = if anew {
            self.rewrite(&state.shelf.entries)
        } else {
            self.append(state.fresh.iter().filter_map(|id| state.known.get(id)))
        };
        match done {
            Ok(()) => {
                state.lines = if anew { state.known.len() } else { state.lines + state.fresh.len() };
                state.fresh.clear();
            }
            Err(error) => self.complain(&error),
        }
    }

    fn append<'e>(&self, entries: impl IntoIterator<Item = &'e Arc<Entry<B>>>) -> io::Result<()>
    where
        B: 'e,
    {
        let mut text = Vec::new();
        for entry in entries {
            line(&mut text, entry)?;
        }
        // One write, so that what others add at the same time stands before or behind it.
        OpenOptions::new().append(true).open(&self.kept)?.write_all(&text)
    }

    fn rewrite(&self, entries: &[Arc<Entry<B>>]) -> io::Result<()> {
        if entries.is_empty() && !self.kept.is_file() {
            return Ok(());
        }
        let mut text = serde_json::to_vec(&Format { format: B::FORMAT })?;
        text.push(b'\n');
        for entry in entries {
            line(&mut text, entry)?;
        }
        document::put_down(&self.kept, &text).map_err(io::Error::other)
    }

    fn complain(&self, error: &io::Error) {
        tracing::warn!(path = %self.kept.display(), %error, "an index of records could not be written; looking takes longer");
    }
}

fn line<B: Brief>(text: &mut Vec<u8>, entry: &Entry<B>) -> io::Result<()> {
    let line = serde_json::to_vec(&LineOf { id: &entry.id, seen: entry.seen, brief: &entry.brief })?;
    if line.len() < LONGEST {
        text.extend(line);
        text.push(b'\n');
    }
    Ok(())
}

impl Look {
    /// Whether what was found then is so still, as `now` makes one believe.
    fn holds(&self, now: &Self) -> bool {
        let settled = self.changed.is_some_and(|changed| self.at.saturating_sub(changed) > BLUR);
        settled && self.changed == now.changed && self.since.elapsed() < TRUST
    }
}

fn nanoseconds(moment: Timestamp) -> u64 {
    u64::try_from(moment.as_nanosecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    static READ: AtomicUsize = AtomicUsize::new(0);

    #[derive(Debug, Serialize, Deserialize)]
    struct First {
        line: String,
    }

    impl Brief for First {
        const FORMAT: u32 = 1;

        fn read(folder: &Folder, name: &str) -> Self {
            READ.fetch_add(1, Relaxed);
            Self { line: folder.head(name, 100).unwrap_or_default() }
        }

        fn began(&self) -> &str {
            &self.line
        }
    }

    fn catalogue(root: &Path) -> Catalogue<First> {
        Catalogue::of(root, "kept", ".txt", |id| !id.contains('.'))
    }

    fn lines(catalogue: &Catalogue<First>) -> Vec<String> {
        catalogue.look().entries.iter().map(|entry| entry.brief.line.clone()).collect()
    }

    /// How often a file was read meanwhile.
    fn reads(work: impl FnOnce()) -> usize {
        let before = READ.load(Relaxed);
        work();
        READ.load(Relaxed) - before
    }

    /// One test, as it counts what all of them read.
    #[test]
    fn a_file_is_read_once() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join("kept").join(name);
        let writer = catalogue(root.path());
        writer.keep();
        assert!(lines(&writer).is_empty() && !writer.kept.is_file(), "nothing is kept of nothing");
        fs::create_dir(root.path().join("kept")).unwrap();
        for name in ["a.txt", "b.txt", "c.d.txt", "e.md"] {
            fs::write(path(name), name).unwrap();
        }
        assert_eq!(reads(|| assert_eq!(lines(&writer), ["b.txt", "a.txt"])), 2);
        assert!(!writer.kept.is_file(), "looking leaves nothing behind");
        assert_eq!(reads(|| drop(writer.look())), 0);
        // Whoever writes keeps it up, and others read what is kept.
        writer.note("b");
        assert_eq!(reads(|| assert_eq!(lines(&catalogue(root.path())).len(), 2)), 0);
        fs::write(path("z.txt"), "zz").unwrap();
        assert_eq!(reads(|| writer.note("z")), 1);
        assert_eq!(reads(|| assert_eq!(lines(&catalogue(root.path())), ["zz", "b.txt", "a.txt"])), 0);
        assert_eq!(reads(|| assert_eq!(lines(&writer), ["zz", "b.txt", "a.txt"])), 0);
        let digest = writer.look().digest().to_owned();
        assert_eq!(catalogue(root.path()).look().digest(), digest);
        // What looks different is read again, what is gone is gone.
        fs::write(path("a.txt"), "longer").unwrap();
        fs::remove_file(path("b.txt")).unwrap();
        let other = catalogue(root.path());
        assert_eq!(reads(|| assert_eq!(lines(&other), ["zz", "longer"])), 1);
        assert_ne!(other.look().digest(), digest);
        // What is torn, or of another version, costs a reading.
        other.keep();
        let text = fs::read_to_string(&other.kept).unwrap();
        assert_eq!(reads(|| drop(catalogue(root.path()).look())), 0);
        fs::write(&other.kept, text.get(..text.len() - 5).unwrap()).unwrap();
        assert_eq!(reads(|| assert_eq!(lines(&catalogue(root.path())).len(), 2)), 1);
        fs::write(&other.kept, text.replace("\"format\":1", "\"format\":2")).unwrap();
        assert_eq!(reads(|| assert_eq!(lines(&catalogue(root.path())).len(), 2)), 2);
        let repairing = catalogue(root.path());
        repairing.keep();
        assert_eq!(reads(|| assert_eq!(lines(&catalogue(root.path())), ["zz", "longer"])), 0);
    }
}
