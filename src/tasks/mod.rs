//! Floor 2: durable work; knows no pipeline.
//!
//! A [`Task`] is accepted by the [`Engine`], kept in a journal before anybody is told so, and done by the [`Body`] of
//! its kind. What a body has finished is remembered step by step through [`Steps`], so that a crash repeats none of
//! it.

mod approval;
mod body;
mod budget;
mod engine;
mod error;
mod failure;
mod feed;
mod journal;
mod ledger;
mod legacy;
mod model;
mod recovery;
mod replay;
mod resume;
mod steps;
mod table;
#[cfg(test)]
mod tests;
mod worker;

pub use approval::{Decision, MAX_COMMENT, Waiting};
pub use body::Body;
pub use budget::{Budget, Ceiling, Limit, Limits};
pub use engine::{Endings, Engine, Filter, Options, Submitted};
pub use error::Error;
pub use failure::{Code, Failure};
pub use ledger::{Estimate, Reached, Reservation, Spent, usd};
pub use model::{Kind, NewTask, NotATaskId, Origin, Resumption, Status, StepRecord, Task, TaskId, Trigger};
pub use recovery::history;
pub use steps::Steps;
pub use table::Counts;
