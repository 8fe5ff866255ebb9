//! Tools about discussions.

mod list;
mod run;

pub(super) use list::ListDiscussions;
pub(super) use run::RunDiscussion;
