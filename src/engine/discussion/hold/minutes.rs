//! The minutes of discussions that were held: a line in `.crew/meetings/index.jsonl`, the text in `<id>.md`, all that
//! was recorded in `<id>.json`. They are written once, when a discussion has ended; nothing is written for a preview.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{record::Meeting, transcript};
use crate::{
    base::clock,
    defs::OutputFormat,
    engine::{Args, surroundings::Language},
    store::{Error as StoreError, document, log},
    tasks::{Failure, TaskId},
};

/// Where they are, from the root of the project.
const FOLDER: &str = ".crew/meetings";
/// How long to wait for others who write to the list.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// What is settled when a discussion begins.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Opened {
    pub(super) meeting_id: String,
    pub(super) started_at: String,
    /// The task it was opened by.
    #[serde(default)]
    task_id: Option<TaskId>,
}

/// A meeting in the list, with the fields that the predecessor wrote and reads, and no other.
#[derive(Debug, Serialize)]
struct Listed<'m> {
    meeting_id: &'m str,
    name: &'m str,
    topic: &'m str,
    participants: Vec<&'m str>,
    mode: &'m str,
    /// Research left out.
    rounds: usize,
    output_format: OutputFormat,
    started_at: &'m str,
    args: &'m Args,
}

/// What tells one line of the list from another.
#[derive(Deserialize)]
struct Known {
    meeting_id: String,
}

impl Opened {
    /// An id that no other meeting has: the second, and 48 bits by chance, which no file there goes by.
    pub(super) fn now(root: &Path, task_id: Option<&TaskId>) -> Self {
        let now = clock::now();
        let time = now.to_zoned(TimeZone::system()).strftime("%Y%m%d_%H%M%S").to_string();
        loop {
            let chance =
                getrandom::u64().unwrap_or_else(|_| u64::from(now.subsec_nanosecond().unsigned_abs()));
            let meeting_id = format!("{time}_{:012x}", chance & 0xffff_ffff_ffff);
            if !file(root, &meeting_id, "json").try_exists().unwrap_or(false) {
                return Self { meeting_id, started_at: local(now), task_id: task_id.cloned() };
            }
        }
    }
}

impl Opened {
    /// The same for `task_id`: a task that took over what another did has minutes of its own.
    pub(super) fn of(mut self, task_id: Option<&TaskId>) -> Self {
        if let Some(id) = task_id.filter(|id| self.task_id.as_ref() != Some(*id)) {
            let own: String = hex::encode(Sha256::digest(id.as_str())).chars().take(8).collect();
            self.meeting_id = format!("{}_{own}", self.meeting_id);
        }
        self
    }
}

/// A moment in local time, with its offset.
pub(super) fn local(moment: Timestamp) -> String {
    moment.to_zoned(TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string()
}

fn file(root: &Path, id: &str, ending: &str) -> PathBuf {
    root.join(FOLDER).join(format!("{id}.{ending}"))
}

/// Writes the minutes; doing it again changes nothing. The list comes last: what is in it is there.
pub(super) async fn write(root: &Path, meeting: &Meeting, language: Language) -> Result<(), Failure> {
    let failed = |error: StoreError| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Failure::new(format!("the minutes cannot be written: {error}{cause}"))
    };
    let record = serde_json::to_vec_pretty(meeting).map_err(|error| Failure::new(error.to_string()))?;
    let text = transcript::markdown(meeting, language);
    let (json, md) = (file(root, &meeting.meeting_id, "json"), file(root, &meeting.meeting_id, "md"));
    let listed = Listed::of(meeting);
    let index = root.join(FOLDER).join("index.jsonl");
    let claim = tokio::task::spawn_blocking(move || {
        document::replace(&json, &record)?;
        document::replace(&md, text.as_bytes())
    });
    claim.await.map_err(|error| Failure::new(error.to_string()))?.map_err(failed)?;
    list_it(&index, &listed).await.map_err(failed)
}

/// Adds a line to the list, unless it is there. Other processes may be about to do the same.
async fn list_it(index: &Path, listed: &Listed<'_>) -> Result<(), StoreError> {
    let watch = clock::Stopwatch::start();
    loop {
        let (path, id) = (index.to_owned(), listed.meeting_id.to_owned());
        let opened = tokio::task::spawn_blocking(move || {
            let mut known = false;
            let log = log::Log::open(&path, |line| {
                known |=
                    serde_json::from_slice::<Known>(line.bytes).is_ok_and(|other| other.meeting_id == id);
                Ok::<(), std::convert::Infallible>(())
            })?;
            Ok((log, known))
        });
        match opened.await {
            Ok(Ok((log, known))) => return if known { Ok(()) } else { log.append(listed).await },
            Ok(Err(StoreError::Owned { .. })) if watch.elapsed() < PATIENCE => {}
            Ok(Err(error)) => return Err(error),
            // The runtime ends.
            Err(_) => return Err(StoreError::Closed { path: index.to_owned() }),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl<'m> Listed<'m> {
    fn of(meeting: &'m Meeting) -> Self {
        Self {
            meeting_id: &meeting.meeting_id,
            name: &meeting.name,
            topic: &meeting.topic,
            participants: meeting.participants.iter().map(|who| who.employee.as_str()).collect(),
            mode: &meeting.mode,
            rounds: meeting.rounds.iter().filter(|round| round.round > 0).count(),
            output_format: meeting.output_format,
            started_at: &meeting.started_at,
            args: &meeting.args,
        }
    }
}
