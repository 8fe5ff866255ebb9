//! Floor 2: durable work; knows no pipeline.

mod model;

pub use model::{Failure, Kind, NewTask, Status, StepRecord, Task, TaskId, Trigger};
