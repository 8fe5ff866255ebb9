//! How an engine is set up.

use std::{path::PathBuf, time::Duration};

use super::{Lanes, Sharing};

/// How an engine is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The file that remembers tasks, usually `.crew/tasks.jsonl`; `None` keeps them in memory alone.
    pub journal: Option<PathBuf>,
    /// The database in which replicas share tasks, in place of a file.
    pub sharing: Option<Sharing>,
    /// How many tasks are worked on at the same time; a worker is there only while it has something to do. With 0, tasks
    /// are accepted and wait.
    pub workers: usize,
    /// How many tasks may wait; beyond that [`submit`](super::Engine::submit) refuses.
    pub queue: usize,
    /// How many finished tasks are remembered, the newest.
    pub retain: usize,
    /// For how long finished tasks are remembered; for ever, when it is not said.
    pub retain_for: Option<Duration>,
    /// The option of tasks whose end somebody has to see to: those that have it are remembered after it until
    /// [`release`](super::Engine::release).
    pub owed: Option<&'static str>,
    /// How many of these are, beyond `retain`; the oldest of more are remembered as others are.
    pub retain_owed: usize,
    /// How many tasks may ask somebody to decide, parked or still at work; one that comes to ask beyond that fails. With 0,
    /// nobody will be there to decide.
    pub parked: usize,
    /// Whether what an earlier process left unfinished is done now, and what other replicas have no hands for; else that
    /// waits for an engine that does it.
    pub resume: bool,
    /// How often a task is tried that fails with something that may pass.
    pub retry: Retry,
    /// How many runs of one thing go on at the same time; as many as there are, when it is not said.
    pub lanes: Option<Lanes>,
}

/// How often a task is tried that fails with something that may pass, and how long it waits in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often in all; with 1 it is not tried again.
    pub attempts: u32,
    /// How long it waits before it is tried for the second time. The wait doubles each time; where in its second half it ends is
    /// left to chance, so that tasks that failed together do not come back together.
    pub backoff: Duration,
    /// The longest it waits.
    pub most: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 1, backoff: Duration::from_secs(30), most: Duration::from_hours(1) }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            journal: None,
            sharing: None,
            workers: 128,
            queue: 1000,
            retain: 5000,
            retain_for: None,
            owed: None,
            retain_owed: 20_000,
            parked: 1000,
            resume: true,
            retry: Retry::default(),
            lanes: None,
        }
    }
}
