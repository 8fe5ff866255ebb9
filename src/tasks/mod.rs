//! Floor 2: durable work; knows no pipeline.
//!
//! A [`Task`] is accepted by the [`Engine`], kept in a journal before anybody is told so, and done by the [`Body`] of
//! its kind. What a body has finished is remembered step by step through [`Steps`], so that a crash repeats none of
//! it.

mod approval;
mod body;
mod engine;
mod error;
mod failure;
mod feed;
mod index;
mod journal;
mod lanes;
mod ledger;
mod legacy;
mod model;
mod recovery;
mod replay;
mod resume;
mod retry;
mod steps;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod upkeep;
mod worker;

pub use approval::{Decision, MAX_COMMENT, Waiting};
pub use body::Body;
pub use engine::{Endings, Engine, Filter, Options, Retry, Submitted};
pub use error::Error;
pub use failure::{Code, Failure};
pub use lanes::{Lane, Lanes};
pub use ledger::{Budget, Estimate, Reached, Reservation, Spent, usd};
pub use model::{Kind, NewTask, NotATaskId, Origin, Resumption, Status, StepRecord, Task, TaskId, Trigger};
pub use recovery::History;
pub use steps::Steps;
pub use summary::Summary;
pub use table::Counts;
