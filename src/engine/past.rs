//! What earlier tasks tell of costs. Most of it is in their summaries; a few have to be read.

use std::collections::HashMap;

use crate::{
    base::clock,
    engine::{CostQuery, CostSummary, cost::told},
    tasks::{Engine, Error, Filter, History, Summary, Task, TaskId},
};

/// How many of the newest tasks a forecast looks at.
const RECENT: usize = 200;

/// What work has cost, as the tasks of `tasks` tell.
///
/// # Errors
/// When one cannot be read.
pub async fn cost(tasks: &Engine, query: &CostQuery) -> Result<CostSummary, Error> {
    let (all, now) = (tasks.list(&Filter::default()), clock::now());
    let mut results = HashMap::new();
    for summary in all.iter().filter(|task| query.wants(task, now) && is_untold(task)) {
        match tasks.get(&summary.task_id).await {
            Ok(task) => drop(results.insert(summary.task_id.clone(), told(&task))),
            // It was forgotten just now.
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let counting = {
        let query = query.clone();
        move || CostSummary::of(all.iter().map(AsRef::as_ref), &results, &query, now)
    };
    // There may be very many of them.
    Ok(tokio::task::spawn_blocking(counting)
        .await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())))
}

/// The same of a journal that another process may be working on. Blocks.
///
/// # Errors
/// When it cannot be read.
pub fn cost_of(history: &History, query: &CostQuery) -> Result<CostSummary, Error> {
    let (all, now) = (history.summaries(), clock::now());
    let mut results = HashMap::<TaskId, _>::new();
    for summary in all.iter().filter(|task| query.wants(task, now) && is_untold(task)) {
        if let Some(task) = history.task(&summary.task_id)? {
            results.insert(summary.task_id.clone(), told(&task));
        }
    }
    Ok(CostSummary::of(all.iter().map(AsRef::as_ref), &results, query, now))
}

/// Tasks of earlier versions tell only in their results what they took.
fn is_untold(task: &Summary) -> bool {
    task.spent.is_empty() && task.has_result
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
