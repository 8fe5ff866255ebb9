//! An employee at work: its prompt to its model, the answer back.

use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Crew, Error, prompt::Given};
use crate::{
    base::clock::Stopwatch,
    defs::Employee,
    llm::{Finish, Message, Request},
    tasks::{Failure, Steps, Task},
};

/// What starts the conversation; the prompt itself is the system's part of it.
const BEGIN: &str = "Begin the task described above.";

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
    /// Tokens written.
    pub output_tokens: u64,
    /// How long it took.
    pub duration_ms: u64,
}

impl Crew {
    /// Puts `employee` to work once.
    ///
    /// # Errors
    /// Missing values, or no usable answer from the model.
    pub async fn answer(
        &self,
        employee: &Employee,
        given: &Given,
        model: Option<&str>,
    ) -> Result<Answer, Error> {
        let watch = Stopwatch::start();
        let request = Request {
            model: self.model(&*self.definitions().await, model, employee).to_owned(),
            system: self.render(employee, given).await?,
            messages: vec![Message::user(BEGIN)],
            max_tokens: employee.max_tokens,
            temperature: employee.temperature,
            account: employee.name.clone(),
        };
        let reply = self.llm().complete(&request).await?;
        if reply.finish == Finish::Refused {
            return Err(Error::Refused { model: reply.model });
        }
        Ok(Answer {
            employee: employee.name.clone(),
            output: reply.text,
            model: reply.model,
            input_tokens: reply.usage.input_tokens,
            output_tokens: reply.usage.output_tokens,
            duration_ms: watch.elapsed_ms(),
        })
    }
}

/// The body of an `employee.run` task.
///
/// # Errors
/// Whatever keeps the employee from answering.
pub(crate) async fn employee(crew: Arc<Crew>, task: Arc<Task>, steps: Steps) -> Result<Value, Failure> {
    let answer: Answer = steps
        .run("answer", || async {
            let employee = crew.employee(&task.target_name).await?;
            let given = Given::named(task.args.clone());
            Ok(crew.answer(&employee, &given, option(&task, "model")).await?)
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
        // The chain is told in one line: it becomes the `error` of a task.
        let mut message = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::new(message)
    }
}

/// Values of a run by name.
pub type Args = IndexMap<String, String>;
