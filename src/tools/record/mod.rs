//! Tools about what came of runs and discussions, as it was written down.

mod log;
mod meetings;
mod sessions;

pub(super) use log::{GetWorkLog, names as names_of};
pub(super) use meetings::{GetMeetingDetail, ListMeetingHistory};
pub(super) use sessions::{GetSession, ListSessions};

use super::Error;

/// Most records one call lists.
const LIMIT: usize = 200;

/// How many are listed unless told.
fn some() -> usize {
    20
}

/// # Errors
/// [`Error::Arguments`] when so many are not listed at once.
fn within(limit: usize) -> Result<usize, Error> {
    if (1..=LIMIT).contains(&limit) {
        return Ok(limit);
    }
    Err(Error::Arguments(format!("`limit` is 1 to {LIMIT}, not {limit}")))
}

/// Reads where it may wait for the disk.
///
/// # Errors
/// [`Error::Failed`] when it broke.
async fn aside<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(read).await.map_err(|error| Error::Failed(error.to_string()))
}
