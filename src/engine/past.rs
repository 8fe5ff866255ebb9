//! What earlier work tells: of costs, and of what records are still needed. Most of it is in the summaries of tasks; a few
//! tasks have to be read, and the runs of commands have only left sessions.

use std::{collections::HashSet, sync::Arc};

use jiff::Timestamp;

use crate::{
    base::{blocking, clock},
    engine::{
        CostQuery, CostSummary,
        cost::{Ended, told},
        records::{Needed, Records},
    },
    tasks::{Engine, Error, Filter, History, Summary, Task},
};

/// How many of the newest tasks a forecast looks at.
const RECENT: usize = 200;

/// What work in a project has cost, as the tasks of `tasks` and the sessions among its `records` tell.
///
/// # Errors
/// When a task cannot be read.
pub async fn cost(tasks: &Engine, records: &Arc<Records>, query: &CostQuery) -> Result<CostSummary, Error> {
    let now = clock::now();
    let mut account = Account::of(tasks.list(&Filter::default()), query.since(now));
    for summary in std::mem::take(&mut account.untold) {
        match tasks.get(&summary.task_id).await {
            Ok(task) => account.add(&summary, &task),
            // It was forgotten just now.
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let (records, query) = (Arc::clone(records), query.clone());
    // There may be very many of them.
    blocking(move || account.close(&records, &query, now)).await.ok_or(Error::Stopping)
}

/// The same of a journal that another process may be working on. Blocks.
///
/// # Errors
/// When it cannot be read.
pub fn cost_of(history: &History, records: &Records, query: &CostQuery) -> Result<CostSummary, Error> {
    let now = clock::now();
    let mut account = Account::of(history.summaries(), query.since(now));
    for summary in std::mem::take(&mut account.untold) {
        if let Some(task) = history.task(&summary.task_id)? {
            account.add(&summary, &task);
        }
    }
    Ok(account.close(records, query, now))
}

/// The runs of a period.
struct Account {
    since: Timestamp,
    /// All tasks there are, by their ids.
    known: HashSet<String>,
    runs: Vec<Ended>,
    /// Tasks of earlier versions tell only in their results what they took.
    untold: Vec<Arc<Summary>>,
}

impl Account {
    fn of(tasks: Vec<Arc<Summary>>, since: Timestamp) -> Self {
        let mut account = Self { since, known: HashSet::new(), runs: Vec::new(), untold: Vec::new() };
        for task in tasks {
            account.known.insert(task.task_id.to_string());
            let Some(ended) = Ended::of(&task).filter(|ended| ended.at >= since) else { continue };
            if task.spent.is_empty() && task.has_result {
                account.untold.push(task);
            } else {
                account.runs.push(ended);
            }
        }
        account
    }

    fn add(&mut self, summary: &Summary, task: &Task) {
        self.runs.extend(Ended::of(summary).map(|ended| Ended { spent: told(task), ..ended }));
    }

    /// Adds what has only left a session, and counts.
    fn close(mut self, records: &Records, query: &CostQuery, now: Timestamp) -> CostSummary {
        self.runs.extend(records.sessions.unkept(&self.known, self.since));
        CostSummary::of(&self.runs, query, now)
    }
}

/// What the tasks of `tasks` need that are not over.
pub async fn needed(tasks: &Engine) -> Needed {
    let mut needed = Needed::default();
    for summary in tasks.unfinished() {
        if let Ok(task) = tasks.get(&summary.task_id).await {
            needed.add(&task);
        }
    }
    needed
}

/// The same of a journal that another process may be working on. Blocks.
///
/// # Errors
/// When it cannot be read.
pub fn needed_of(history: &History) -> Result<Needed, Error> {
    let mut needed = Needed::default();
    for summary in history.summaries().iter().filter(|task| Needed::wants(task)) {
        if let Some(task) = history.task(&summary.task_id)? {
            needed.add(&task);
        }
    }
    Ok(needed)
}

/// The newest tasks that have something to tell a forecast.
pub async fn recent(tasks: &Engine) -> Vec<Task> {
    let mut recent = Vec::new();
    for summary in tasks.page(None, RECENT, tells) {
        if let Ok(task) = tasks.get(&summary.task_id).await {
            recent.push(Task::clone(&task));
        }
    }
    recent
}

/// The same of a journal that another process may be working on. Blocks.
///
/// # Errors
/// When it cannot be read.
pub fn recent_of(history: &History) -> Result<Vec<Task>, Error> {
    let summaries = history.summaries();
    let newest = summaries.iter().filter(|task| tells(task)).take(RECENT);
    newest.filter_map(|task| history.task(&task.task_id).transpose()).collect()
}

fn tells(task: &Summary) -> bool {
    task.status.is_final() && task.has_result
}
