//! Five employees who work one after the other: a run that can be cut off in its midst.

use serde_json::json;

use super::{FakeModel, Server};

/// The pipeline `five`.
pub const FIVE: &str = "
name: five
description: Five steps
steps:
  - {id: one, employee: writer, args: {topic: 'one of $topic'}}
  - {id: two, employee: writer, args: {topic: 'two after {prev}'}}
  - {id: three, employee: checker, args: {text: 'three after {prev}'}}
  - {id: four, employee: writer, args: {topic: 'four after {steps.one.output}'}}
  - {id: five, employee: checker, args: {text: 'five after {prev}'}}
";

/// What they have worked on in the end, when the third was cut off and only that was done again.
pub const THREE_TWICE: [&str; 6] = [
    "one of tea",
    "two after [one]",
    "three after [two]",
    "three after [two]",
    "four after [one]",
    "five after [four]",
];

impl Server {
    /// Runs them as far as to where so many have answered and the next is at work; gives the task.
    pub async fn begin_five(&self, fake: &mut FakeModel, done: usize) -> String {
        let id = self.accepted("/run/pipeline/five", &json!({"args": {"topic": "tea"}})).await;
        for _ in 0..done {
            fake.asked().await;
            fake.release(1);
        }
        fake.asked().await;
        id
    }
}
