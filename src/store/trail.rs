//! What is noted beside the work: lines that never stop it, in files of bounded size.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use tokio::{sync::Mutex, task::JoinHandle};

use super::{Error, Log, log::Claim};
use crate::base::{Tracker, blocking, joined};

/// How many bytes a file may have; what is more is put aside as `.1`, in place of what was.
const MOST_BYTES: u64 = 10 << 20;
/// How many processes may write at the same time.
const MOST_FILES: u32 = 8;

/// The file of one process, opened when the first line is noted.
///
/// One process owns a file, so another that works in the project at the same time writes to `<stem>-2.jsonl`, and so on.
/// Work does not fail because it cannot be noted: the log of the program says so instead. Clones share the file.
///
/// Whoever notes something may be gone at any moment, as a request is whose client hangs up. Neither the file nor the line may
/// go with it, so that each line is written by a task of its own, which holds both.
#[derive(Debug, Clone)]
pub struct Trail {
    stem: &'static str,
    most: u64,
    book: Arc<Mutex<Book>>,
    tracker: Tracker,
}

#[derive(Debug, Default)]
enum Book {
    #[default]
    Unopened,
    Open {
        log: Log,
        bytes: u64,
    },
    /// It cannot be had, which was said once.
    Lost,
}

impl Trail {
    /// The file `<stem>.jsonl` of a folder that is named with each line.
    pub fn new(stem: &'static str) -> Self {
        Self { stem, most: MOST_BYTES, book: Arc::default(), tracker: Tracker::new() }
    }

    /// Adds `entry` as a line to the file in `folder`, which is always the same, and waits until that is done.
    pub async fn note(&self, folder: &Path, entry: &(impl Serialize + Sync)) {
        joined(self.put(folder, entry).await);
    }

    /// The same without waiting: the line is written whether anybody waits for what this gives or not. Must be called
    /// where there is a runtime.
    pub fn put(&self, folder: &Path, entry: &impl Serialize) -> JoinHandle<()> {
        let (trail, folder, line) = (self.clone(), folder.to_owned(), serde_json::to_vec(entry));
        self.tracker.spawn(async move {
            if let Ok(line) = line {
                trail.write(folder, line).await;
            }
        })
    }

    async fn write(&self, folder: PathBuf, line: Vec<u8>) {
        let mut book = self.book.lock().await;
        let is_full = matches!(*book, Book::Open { bytes, .. } if bytes >= self.most);
        if is_full || matches!(*book, Book::Unopened) {
            let (old, stem, most) = (std::mem::take(&mut *book), self.stem, self.most);
            let opening = blocking(move || {
                // Its lock must be free.
                drop(old);
                open(&folder, stem, most)
            });
            *book = match opening.await {
                Some(Ok((log, bytes))) => Book::Open { log, bytes },
                Some(Err(error)) => {
                    tracing::warn!(
                        file = self.stem,
                        error = &error as &dyn std::error::Error,
                        "nothing more is noted there by this process: the file cannot be had"
                    );
                    Book::Lost
                }
                // The program ends.
                None => return,
            };
        }
        let Book::Open { log, bytes } = &mut *book else { return };
        *bytes += line.len() as u64 + 1;
        if let Err(error) = log.append_line(line).await {
            tracing::warn!(
                file = self.stem,
                error = &error as &dyn std::error::Error,
                "a line could not be noted"
            );
        }
    }
}

/// The first file that nobody else writes, with room for more, and how many bytes it has.
fn open(folder: &Path, stem: &str, most: u64) -> Result<(Log, u64), Error> {
    let mut number = 1;
    loop {
        let path = match number {
            1 => folder.join(format!("{stem}.jsonl")),
            number => folder.join(format!("{stem}-{number}.jsonl")),
        };
        let claim = match Claim::take(&path) {
            Err(Error::Owned { .. }) if number < MOST_FILES => {
                number += 1;
                continue;
            }
            claim => claim?,
        };
        if claim.size()? >= most {
            claim.put_aside()?;
        }
        let bytes = claim.size()?;
        return Ok((claim.start()?, bytes));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn lines(folder: &Path, file: &str) -> Vec<String> {
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[tokio::test]
    async fn another_that_writes_at_the_same_time_has_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (Trail::new("calls"), Trail::new("calls"));
        first.note(folder.path(), &"a").await;
        second.note(folder.path(), &"b").await;
        first.clone().note(folder.path(), &"c").await;
        assert_eq!(lines(folder.path(), "calls.jsonl"), ["a", "c"]);
        assert_eq!(lines(folder.path(), "calls-2.jsonl"), ["b"]);
    }

    /// The client of a request hangs up, and its future is dropped where it waits for the file.
    #[tokio::test]
    async fn whoever_notes_something_may_go_at_any_moment() {
        let folder = tempfile::tempdir().unwrap();
        let trail = Trail::new("calls");
        for entry in ["a", "b"] {
            let mut noting = Box::pin(trail.note(folder.path(), &entry));
            assert!(futures_util::poll!(&mut noting).is_pending());
        }
        trail.note(folder.path(), &"c").await;
        assert_eq!(lines(folder.path(), "calls.jsonl"), ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn a_file_does_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let trail = Trail { most: 100, ..Trail::new("calls") };
        for number in 0..20 {
            trail.note(folder.path(), &format!("{number:02}{}", "x".repeat(30))).await;
        }
        let (old, new) = (lines(folder.path(), "calls.jsonl.1"), lines(folder.path(), "calls.jsonl"));
        assert!(new.last().unwrap().starts_with("19"));
        assert!((1..=4).contains(&old.len()) && (1..=4).contains(&new.len()), "{old:?} {new:?}");
    }

    #[tokio::test]
    async fn what_cannot_be_noted_stops_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a file where the folder should be");
        fs::write(&file, "x").unwrap();
        let trail = Trail::new("calls");
        trail.note(&file, &"a").await;
        trail.note(&file, &"b").await;
    }
}
