//! Runs of schedules that somebody began by hand, put down where those of the clock are.

use super::{
    kept::{Book, Last},
    rows, status,
};
use crate::{
    base::{blocking, clock},
    engine::Crew,
    store,
    tasks::{Status, Summary},
};

impl Crew {
    /// Notes that `task` is the last run of the schedule `name`. Only for whoever keeps the tasks of the project, alone: a
    /// server has the state in its hands.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub async fn note_run(&self, name: &str, task: &Summary) -> Result<(), store::Error> {
        let definitions = self.definitions().await;
        let Some(config) = definitions.cron.clone() else { return Ok(()) };
        let last = Last {
            due: task.created_at,
            task_id: Some(task.task_id.clone()),
            status: Some(task.status).filter(|status: &Status| status.is_final()),
            error: task.error.clone(),
            duration_ms: status::duration_ms(task),
        };
        let (root, name) = (self.root().to_owned(), name.to_owned());
        let noting = blocking(move || {
            let mut book = Book::take_up(&root)?;
            let Some(row) = rows(&config, book.clone(), clock::now()).swap_remove(&name) else {
                return Ok(());
            };
            let mut kept = row.kept;
            kept.last = Some(last);
            book.schedules.insert(name, kept);
            book.write(&root)
        });
        // None when the program ends.
        noting.await.unwrap_or(Ok(()))
    }
}
