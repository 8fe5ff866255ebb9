//! What an employee answers, and the task that has it answer.

use std::{ops::ControlFlow, sync::Arc};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Crew, Error, Job, prompt::Given};
use crate::{
    base::text::chain,
    tasks::{Code, Failure, Steps, Task},
};

/// The option of a run of an employee that has it say its answer while it comes in.
pub const STREAM: &str = "stream";

/// The option of a run of a pipeline that says whether its first failed step ends it, in place of what the pipeline says.
pub const FAIL_FAST: &str = "fail_fast";

/// The option of a run of an employee that says how many have handed the work on.
pub const DEPTH: &str = "depth";

/// The option of a run of an employee that holds what is said to it to begin with.
const MESSAGE: &str = "message";

/// The option of a run of an employee that has it told its instructions alone.
const BARE: &str = "raw";

/// How a run of an employee begins, where that is not as usual.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Beginning {
    /// What is said to it to begin with.
    pub message: Option<String>,
    /// Whether it is told its instructions alone, without who it is and what it remembers.
    pub raw: bool,
}

impl Beginning {
    /// Whether it is as usual.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Puts it down among the options of a run.
    pub fn put(&self, options: &mut Map<String, Value>) {
        options.extend(self.message.clone().map(|message| (MESSAGE.to_owned(), message.into())));
        options.extend(self.raw.then(|| (BARE.to_owned(), true.into())));
    }
}

/// The answer of one employee.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// Who answered.
    pub employee: String,
    /// What was said.
    pub output: String,
    /// The model that said it, as its provider names it.
    pub model: String,
    /// Tokens read.
    pub input_tokens: u64,
    /// Those among them that the provider had in its cache.
    #[serde(default, skip_serializing_if = "is_none_read")]
    pub cached_input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// What it cost in US dollars; absent when the price of the model is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// How many tools were called on the way.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tool_calls: usize,
    /// How long it took.
    pub duration_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
pub(super) fn is_none_read(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The body of an `employee.run` task. With the option [`STREAM`], what it says can be read along in [`Crew::live`].
///
/// # Errors
/// Whatever keeps the employee from answering.
pub(crate) async fn employee(crew: Arc<Crew>, task: Arc<Task>, steps: Steps) -> Result<Value, Failure> {
    let answer: Answer = steps
        .run("answer", || async {
            let employee = crew.employee(&task.target_name).await?;
            let given = Given::named(task.args.clone());
            let job = Job::new(&employee, &given).on(option(&task, "model")).recorded(&steps, "answer");
            let depth = task.options.get(DEPTH).and_then(Value::as_u64).unwrap_or_default();
            let depth = u8::try_from(depth).unwrap_or(u8::MAX);
            let (message, bare) =
                (option(&task, MESSAGE), task.options.get(BARE) == Some(&Value::Bool(true)));
            let identified = if bare { None } else { crew.identified(&task, &employee).await };
            let job = Job { depth, identified: identified.as_deref(), task: message, bare, ..job };
            if task.options.get(STREAM) != Some(&Value::Bool(true)) {
                return Ok(crew.answer(&job).await?);
            }
            let output = crew.live().output(&task.task_id);
            let say = |text: &str| {
                output.say(text);
                ControlFlow::Continue(())
            };
            Ok(crew.answer_aloud(&job, say).await?)
        })
        .await?;
    serde_json::to_value(answer).map_err(|error| Failure::new(error.to_string()))
}

/// A setting of the run that is a text.
pub(crate) fn option<'t>(task: &'t Task, name: &str) -> Option<&'t str> {
    task.options.get(name).and_then(Value::as_str)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (code, transient) = match &error {
            Error::Step(failure) => return failure.clone(),
            Error::TimedOut { .. } => (Some(Code::MODEL), true),
            Error::Model(error) => (Some(Code::MODEL), error.is_transient()),
            Error::Refused { .. } => (Some(Code::MODEL), false),
            Error::Budget(_) => (Some(Code::BUDGET_REACHED), false),
            Error::DefinitionChanged { .. } => (Some(Code::DEFINITION_CHANGED), false),
            _ => (None, false),
        };
        // The chain is told in one line: it becomes the `error` of a task.
        Self { code, transient, ..Self::new(chain(&error)) }
    }
}

/// Values of a run by name.
pub type Args = IndexMap<String, String>;
