//! Tools about pipelines.

mod list;
mod run;

pub(super) use list::ListPipelines;
pub(super) use run::RunPipeline;
