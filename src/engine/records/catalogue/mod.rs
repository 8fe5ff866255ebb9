//! What the files of a folder tell in brief: each is read once, and again only when it looks different.
//!
//! A folder that nobody added to or took from is not even looked through; that files in it were written to in place is
//! seen after a few seconds. What was read is held only while somebody looks from time to time, and can be kept in a file
//! of its own, see [`kept`].

mod kept;

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use self::kept::Kept;
use super::folder::{Folder, Seen};
use crate::{
    base::clock::{self, Stopwatch},
    engine::parts::{self, THREADS},
};

/// For how long it is believed of a folder that nobody changed that nobody wrote to its files either.
const TRUST: Duration = Duration::from_secs(10);
/// A folder that was changed this shortly before it was looked at may be changed again without looking different.
const BLUR: u64 = 2_000_000_000;
/// Files that several threads read.
const MANY: usize = 64;
/// How long who writes waits for who looks.
const BRIEFLY: Duration = Duration::from_millis(20);

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

impl<B: Brief> Shelf<B> {
    fn of(mut entries: Vec<Arc<Entry<B>>>) -> Arc<Self> {
        // Ids of both kinds count the time, but not in the same way. Two sorted runs are merged by a stable sort.
        entries.sort_by(|a, b| (b.brief.began(), &b.id).cmp(&(a.brief.began(), &a.id)));
        Arc::new(Self { entries, digest: OnceLock::new() })
    }
}

impl<B> Shelf<B> {
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
    kept: Kept,
    held: Mutex<Option<Held<B>>>,
    /// Whether something was written that could not be noted while somebody looked.
    missed: AtomicBool,
}

/// What was read, for who looks again.
#[derive(Debug)]
struct Held<B> {
    shelf: Arc<Shelf<B>>,
    /// What this process wrote since.
    noted: Vec<Arc<Entry<B>>>,
    /// When the folder was looked through.
    look: Look,
    /// When the folder had changed last after what this process wrote since then.
    wrote: Option<u64>,
    /// When somebody last asked.
    asked: Stopwatch,
}

/// A look at a folder.
#[derive(Debug, Clone, Copy)]
struct Look {
    changed: Option<u64>,
    at: u64,
    since: Stopwatch,
}

impl<B: Brief> Catalogue<B> {
    /// The files of `folder`, of the project at `root`, whose names are an id (as `is_id` knows it) and `ending`.
    pub(in crate::engine) fn of(
        root: &Path,
        folder: &'static str,
        ending: &'static str,
        is_id: fn(&str) -> bool,
    ) -> Self {
        let kept = Kept::at(root.join(format!("{folder}.index")));
        let (held, missed) = (Mutex::new(None), AtomicBool::new(false));
        Self { root: root.to_owned(), folder, ending, is_id, kept, held, missed }
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
        let mut held = self.held.lock();
        let Some(folder) = self.folder() else {
            *held = None;
            return Shelf::of(Vec::new());
        };
        let (missed, look) = (self.missed.swap(false, Ordering::Relaxed), Look::at(&folder));
        let before = match held.as_mut() {
            Some(held) if !missed && held.holds(&look) => {
                held.asked = look.since;
                return held.shelf();
            }
            Some(held) => Some(held.shelf()),
            None => None,
        };
        let found = self.look_through(&folder, before);
        *held =
            Some(Held { shelf: Arc::clone(&found), noted: Vec::new(), look, wrote: None, asked: look.since });
        found
    }

    /// The files that are there, of which those that look as they did `before` (or else as it is kept) are not read.
    fn look_through(&self, folder: &Folder, before: Option<Arc<Shelf<B>>>) -> Arc<Shelf<B>> {
        let kept = if before.is_none() { self.kept.load() } else { Vec::new() };
        let known = before.as_ref().map_or(&kept, |shelf| &shelf.entries);
        // Of one id the last counts.
        let known: HashMap<&str, &Arc<Entry<B>>> =
            known.iter().map(|entry| (entry.id.as_str(), entry)).collect();
        let (mut entries, mut new) = (Vec::new(), Vec::new());
        for (id, seen) in self.files(folder) {
            match known.get(id.as_str()) {
                Some(entry) if entry.seen == seen => entries.push(Arc::clone(entry)),
                _ => new.push((id, seen)),
            }
        }
        let is_same = new.is_empty();
        entries.extend(self.read_all(folder, new).into_iter().map(Arc::new));
        match before {
            Some(before) if is_same && before.entries.len() == entries.len() => before,
            _ => Shelf::of(entries),
        }
    }

    /// The files that are there, and what they look like.
    fn files(&self, folder: &Folder) -> impl Iterator<Item = (String, Seen)> {
        folder.files(self.ending).into_iter().filter(|(id, _)| (self.is_id)(id))
    }

    fn read_all(&self, folder: &Folder, files: Vec<(String, Seen)>) -> Vec<Entry<B>> {
        let read = |(id, _): &(String, Seen), (): &mut ()| B::read(folder, &format!("{id}{}", self.ending));
        let briefs = parts::each(&files, MANY, &mut [(); THREADS], read);
        files.into_iter().zip(briefs).map(|((id, seen), brief)| Entry { id, seen, brief }).collect()
    }

    /// The file of `id` was written just now, and tells `brief`: that is kept for those who look next. Waits for the disk.
    pub(in crate::engine) fn note(&self, id: &str, brief: B) {
        let read = || {
            let (folder, name) = (self.folder()?, self.name(id)?);
            let seen = folder.seen(&name)?;
            Some((folder.changed(), Arc::new(Entry { id: id.to_owned(), seen, brief })))
        };
        let Some((changed, entry)) = read() else { return };
        match self.held.try_lock_for(BRIEFLY).as_deref_mut() {
            Some(Some(held)) => {
                held.wrote = changed;
                held.noted.push(Arc::clone(&entry));
            }
            Some(None) => {}
            None => self.missed.store(true, Ordering::Relaxed),
        }
        // Who keeps all of them at the moment, or will within the hour, finds this one too.
        let Some(keeping) = self.kept.try_begin() else { return };
        if self.kept.is_there() {
            keeping.add([&*entry]);
        } else if let Some(folder) = self.folder() {
            // The first line makes the rest of the file: whoever had records before has them read once.
            keeping.bring_up(self.files(&folder), |new| self.read_all(&folder, new));
        }
    }

    /// Keeps what files tell that is not kept yet, and holds nothing of it. Waits for the disk.
    pub(in crate::engine) fn keep(&self) {
        let Some(folder) = self.folder() else { return };
        self.kept.begin().bring_up(self.files(&folder), |new| self.read_all(&folder, new));
    }

    /// Lets go of what was read, if nobody has asked for it for `idle`; who asks next reads what is kept.
    pub(in crate::engine) fn rest(&self, idle: Duration) {
        // Somebody is asking while it is locked.
        if let Some(mut held) = self.held.try_lock()
            && held.as_ref().is_some_and(|held| held.asked.elapsed() >= idle)
        {
            *held = None;
        }
    }
}

impl<B: Brief> Held<B> {
    /// Whether what was found is so still, as `now` makes one believe.
    fn holds(&self, now: &Look) -> bool {
        let is_untouched = match self.wrote {
            Some(wrote) => now.changed == Some(wrote),
            None => self.look.is_settled() && self.look.changed == now.changed,
        };
        is_untouched && self.look.since.elapsed() < TRUST
    }

    /// All files, those among them that this process wrote since the folder was looked through.
    fn shelf(&mut self) -> Arc<Shelf<B>> {
        if !self.noted.is_empty() {
            // Of one id the last counts.
            let mut ids = HashSet::new();
            let mut noted = std::mem::take(&mut self.noted);
            noted.reverse();
            noted.retain(|entry| ids.insert(entry.id.clone()));
            let others = self.shelf.entries.iter().filter(|entry| !ids.contains(&entry.id));
            let entries = others.map(Arc::clone).chain(noted).collect();
            self.shelf = Shelf::of(entries);
        }
        Arc::clone(&self.shelf)
    }
}

impl Look {
    fn at(folder: &Folder) -> Self {
        Self { changed: folder.changed(), at: nanoseconds(clock::now()), since: Stopwatch::start() }
    }

    /// Whether the folder was left alone for long enough before this look.
    fn is_settled(&self) -> bool {
        self.changed.is_some_and(|changed| self.at.saturating_sub(changed) > BLUR)
    }
}

fn nanoseconds(moment: Timestamp) -> u64 {
    u64::try_from(moment.as_nanosecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, fs};

    use serde::Deserialize;

    use super::*;

    thread_local! {
        /// How many files this test has read.
        static READ: Cell<usize> = const { Cell::new(0) };
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct First {
        line: String,
    }

    impl Brief for First {
        const FORMAT: u32 = 1;

        fn read(folder: &Folder, name: &str) -> Self {
            READ.set(READ.get() + 1);
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
        let before = READ.get();
        work();
        READ.get() - before
    }

    #[test]
    fn a_file_is_read_once() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join("kept").join(name);
        let writer = catalogue(root.path());
        writer.keep();
        assert!(lines(&writer).is_empty() && !writer.kept.is_there(), "nothing is kept of nothing");
        fs::create_dir(root.path().join("kept")).unwrap();
        for name in ["a.txt", "b.txt", "c.d.txt", "e.md"] {
            fs::write(path(name), name).unwrap();
        }
        assert_eq!(reads(|| assert_eq!(lines(&writer), ["b.txt", "a.txt"])), 2);
        assert!(!writer.kept.is_there(), "looking leaves nothing behind");
        assert_eq!(reads(|| drop(writer.look())), 0);
        // Whoever writes keeps it up, and others read what is kept. What it wrote need not be read for that.
        writer.note("b", First { line: "b.txt".to_owned() });
        assert_eq!(reads(|| assert_eq!(lines(&catalogue(root.path())).len(), 2)), 0);
        let before = writer.look();
        fs::write(path("z.txt"), "zz").unwrap();
        assert_eq!(reads(|| writer.note("z", First { line: "zz".to_owned() })), 0);
        assert_eq!(reads(|| assert_eq!(lines(&catalogue(root.path())), ["zz", "b.txt", "a.txt"])), 0);
        assert_eq!(reads(|| assert_eq!(lines(&writer), ["zz", "b.txt", "a.txt"])), 0);
        let digest = writer.look().digest().to_owned();
        assert_eq!(catalogue(root.path()).look().digest(), digest);
        assert_ne!(before.digest(), digest);
        // What looks different is read again, what is gone is gone.
        fs::write(path("a.txt"), "longer").unwrap();
        fs::remove_file(path("b.txt")).unwrap();
        let other = catalogue(root.path());
        assert_eq!(reads(|| assert_eq!(lines(&other), ["zz", "longer"])), 1);
        assert_ne!(other.look().digest(), digest);
        assert_eq!(reads(|| assert_eq!(lines(&writer), ["zz", "longer"])), 1);
        // Nobody has asked for as long: it is read again from what is kept.
        writer.rest(Duration::from_hours(1));
        assert_eq!(reads(|| drop(writer.look())), 0);
        other.keep();
        writer.rest(Duration::ZERO);
        assert!(writer.held.lock().is_none());
        assert_eq!(reads(|| assert_eq!(lines(&writer), ["zz", "longer"])), 0);
        // What is torn, or of another version, costs a reading.
        let kept = root.path().join("kept.index");
        let text = fs::read_to_string(&kept).unwrap();
        assert_eq!(reads(|| drop(catalogue(root.path()).look())), 0);
        fs::write(&kept, text.get(..text.len() - 5).unwrap()).unwrap();
        assert_eq!(reads(|| assert_eq!(lines(&catalogue(root.path())).len(), 2)), 1);
        fs::write(&kept, text.replace("\"format\":1", "\"format\":2")).unwrap();
        assert_eq!(reads(|| assert_eq!(lines(&catalogue(root.path())).len(), 2)), 2);
        catalogue(root.path()).keep();
        assert_eq!(reads(|| assert_eq!(lines(&catalogue(root.path())), ["zz", "longer"])), 0);
        // Lines that say nothing any more are few.
        let (head, told) = text.split_once('\n').unwrap();
        fs::write(&kept, format!("{head}\n{}", told.repeat(1000))).unwrap();
        assert_eq!(reads(|| catalogue(root.path()).keep()), 0);
        assert_eq!(fs::read_to_string(&kept).unwrap().lines().count(), 3);
        assert_eq!(reads(|| assert_eq!(lines(&catalogue(root.path())), ["zz", "longer"])), 0);
    }

    #[test]
    fn who_looks_sees_what_all_write() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join("kept").join(name);
        fs::create_dir(root.path().join("kept")).unwrap();
        let catalogue = catalogue(root.path());
        let write = |id: &str, text: &str| {
            fs::write(path(&format!("{id}.txt")), text).unwrap();
            catalogue.note(id, First { line: text.to_owned() });
        };
        write("a", "1");
        assert_eq!(lines(&catalogue), ["1"]);
        // Twice, and together with what somebody else wrote and took away.
        write("b", "2");
        write("b", "3");
        assert_eq!(lines(&catalogue), ["3", "1"]);
        fs::write(path("c.txt"), "4").unwrap();
        fs::remove_file(path("a.txt")).unwrap();
        assert_eq!(lines(&catalogue), ["4", "3"]);
        // Where it could not be noted as somebody was looking.
        write("d", "5");
        fs::write(path("e.txt"), "6").unwrap();
        catalogue.missed.store(true, Ordering::Relaxed);
        write("f", "7");
        assert_eq!(lines(&catalogue), ["7", "6", "5", "4", "3"]);
    }
}
