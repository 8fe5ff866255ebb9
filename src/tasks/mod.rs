//! Floor 2: durable work; knows no pipeline.
//!
//! A [`Task`] is accepted by the [`Engine`], kept in a journal before anybody is told so, and done by the [`Body`] of
//! its kind. What a body has finished is remembered step by step through [`Steps`], so that a crash repeats none of
//! it.

mod accept;
mod approval;
mod body;
mod budget;
mod engine;
mod error;
mod failure;
mod feed;
mod filter;
mod home;
mod index;
mod journal;
mod lanes;
mod ledger;
mod legacy;
mod model;
mod options;
mod recovery;
mod replay;
mod replica;
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
pub use budget::{Budget, Ceiling, Limit, Limits};
pub use engine::{Endings, Engine, Submitted};
pub use error::Error;
pub use failure::{Code, Failure};
pub use filter::Filter;
pub use lanes::{Lane, Lanes};
pub use ledger::{Estimate, Reached, Reservation, Spent, usd};
pub use model::{Kind, NewTask, NotATaskId, Origin, Resumption, Status, StepRecord, Task, TaskId, Trigger};
pub use options::{Options, Retry};
pub use recovery::{History, Place};
pub use replica::{Brought, Replicas, Sharing, export, import};
pub use retry::OwnRetry;
pub use steps::Steps;
pub use summary::Summary;
pub use table::Counts;
