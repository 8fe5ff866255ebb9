//! A log in PostgreSQL that processes on many machines write, one after the other.
//!
//! Whoever adds lines holds the one row of `about` until they are committed: lines are numbered without gaps, in the order
//! in which they are committed, and who reads up to a number has read all before it. In the same turn a writer reads what
//! others added first, so that what it adds is decided upon with all of it in sight.
//!
//! A [`Target`] says where; a [`SharedLog`] writes; a [`Readers`] hears of news, reads, and keeps the lease of a writer.
//! Neither connects again by itself: a connection that fails is dropped, and another is made.

mod link;
mod log;
mod readers;
mod schema;
mod target;
mod tls;

use std::{future::Future, io, time::Duration};

pub use self::{
    log::{Addition, Brief, Line, SharedLog, Turn},
    readers::{Peer, Readers, Snapshot},
    schema::{About, inspect},
    target::{Target, TargetError},
};
use tokio_postgres::error::SqlState;

use super::Error;

/// What one request to the database may take; a connection that has not answered by then is dropped.
const PATIENCE: Duration = Duration::from_secs(10);

/// The answer of the database to what was done for `action`, in time.
async fn in_time<T>(
    target: &Target,
    action: &'static str,
    asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(Error::database(action, target)),
        Err(_) => Err(Error::slow(action, target)),
    }
}

impl Error {
    /// For `map_err`: `action` on the database failed.
    fn database(action: &'static str, target: &Target) -> impl FnOnce(tokio_postgres::Error) -> Self {
        let place = target.to_string();
        move |error| {
            // Waiting does not make a wrong password right, nor a certificate.
            let is_of_tls = |cause: &(dyn std::error::Error + 'static)| {
                let cause = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
                cause.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
            };
            let is_distrusted = std::error::Error::source(&error).is_some_and(is_of_tls);
            let is_refused = error.code().is_some_and(|code| {
                let lasting = [
                    SqlState::INVALID_PASSWORD,
                    SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                    SqlState::INVALID_CATALOG_NAME,
                    SqlState::INSUFFICIENT_PRIVILEGE,
                ];
                lasting.contains(code)
            });
            // The driver says first that it was an error of the database, which is known by now.
            let source = match error.into_source() {
                Some(source) => source,
                None => "the connection was lost".into(),
            };
            Self::Database { action, place, lasts: is_refused || is_distrusted, source }
        }
    }

    /// It has not answered in time.
    fn slow(action: &'static str, target: &Target) -> Self {
        let source = format!("no answer within {} s", PATIENCE.as_secs()).into();
        Self::Database { action, place: target.to_string(), lasts: false, source }
    }
}
