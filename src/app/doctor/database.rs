//! Whether the database can be used that servers share tasks in.

use std::path::Path;

use super::{Row, Verdict};
use crate::{
    app::{Environment, database, office::JOURNAL},
    base::Tracker,
    store::{self, postgres},
};

const PLACE: &str = database::URL;

pub(super) async fn row(root: &Path, env: &Environment) -> Row {
    let sharing = match database::sharing(env) {
        Ok(Some(sharing)) => sharing,
        Ok(None) => {
            return Row::new(
                "database",
                Verdict::Skip,
                PLACE,
                "tasks are kept in .crew/tasks.jsonl, by one server",
            );
        }
        Err(error) => {
            return Row::new("database", Verdict::Fail, PLACE, error.to_string()).fix("mend the variable");
        }
    };
    match postgres::inspect(&sharing.target, &Tracker::new()).await {
        Ok(about) if !about.may_write => {
            let found = format!("{}: this user may not write there", sharing.target);
            Row::new("database", Verdict::Fail, PLACE, found).fix(format!(
                "create schema {0} authorization …, or grant create on the database",
                sharing.target.schema()
            ))
        }
        Ok(about) => {
            let tables = match (about.is_prepared, about.writers.as_slice()) {
                (false, _) => "the first server makes the tables".to_owned(),
                (true, []) => "no server is running".to_owned(),
                (true, writers) => format!("shared by {}: {}", writers.len(), writers.join(", ")),
            };
            let found = format!("{}, PostgreSQL {}; {tables}", sharing.target, about.server);
            let aside = std::fs::metadata(root.join(JOURNAL)).is_ok_and(|file| file.len() > 0);
            if aside {
                let found = format!("{found}; nobody sees to the tasks in {JOURNAL}");
                return Row::new("database", Verdict::Warn, PLACE, found).fix("knowlyr-crew task import");
            }
            Row::new("database", Verdict::Pass, PLACE, found)
        }
        Err(error) => {
            let fix = match &error {
                store::Error::Newer { .. } => "update this program",
                _ => "mend the address, the password or the network; servers do not start without it",
            };
            Row::new("database", Verdict::Fail, PLACE, format!("{:#}", anyhow::Error::from(error))).fix(fix)
        }
    }
}
