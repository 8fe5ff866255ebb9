//! An employee at work: its prompt to its model, the answer back.

use std::{ops::ControlFlow, sync::Arc};

use futures_util::StreamExt as _;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Crew, Error, prompt::Given};
use crate::{
    base::clock::Stopwatch,
    defs::Employee,
    llm::{Event, Finish, Message, Reply, Request},
    tasks::{Failure, Steps, Task},
};

/// What starts the conversation; the prompt itself is the system's part of it.
const BEGIN: &str = "Begin the task described above.";

/// The option of a run of an employee that has it say its answer while it comes in.
pub const STREAM: &str = "stream";

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
    /// What it cost in US dollars; absent when the price of the model is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
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
        let request = self.request(employee, given, model).await?;
        conclude(employee, self.llm().complete(&request).await?, watch)
    }

    /// The same, told to `say` while it comes in, until that breaks off. The pieces together are the output.
    ///
    /// # Errors
    /// As [`Crew::answer`], even after a part was told; [`Error::Unheard`] when `say` broke off.
    pub async fn answer_aloud(
        &self,
        employee: &Employee,
        given: &Given,
        model: Option<&str>,
        mut say: impl FnMut(&str) -> ControlFlow<()> + Send,
    ) -> Result<Answer, Error> {
        let watch = Stopwatch::start();
        let request = self.request(employee, given, model).await?;
        let mut telling = self.llm().stream(&request);
        while let Some(event) = telling.next().await {
            match event? {
                Event::Text(text) if say(&text).is_break() => break,
                Event::Text(_) => {}
                Event::Done(reply) => return conclude(employee, *reply, watch),
            }
        }
        // A stream ends with the answer or an error.
        Err(Error::Unheard)
    }

    async fn request(
        &self,
        employee: &Employee,
        given: &Given,
        model: Option<&str>,
    ) -> Result<Request, Error> {
        let definitions = self.definitions().await;
        Ok(Request {
            model: self.model(&definitions, model, employee),
            system: self.render(employee, given).await?,
            messages: vec![Message::user(BEGIN)],
            tools: Vec::new(),
            max_tokens: employee.max_tokens,
            temperature: employee.temperature,
            fallback: self.fallback(&definitions, employee),
            account: employee.name.clone(),
        })
    }
}

fn conclude(employee: &Employee, reply: Reply, watch: Stopwatch) -> Result<Answer, Error> {
    if reply.finish == Finish::Refused {
        return Err(Error::Refused { model: reply.model });
    }
    Ok(Answer {
        employee: employee.name.clone(),
        output: reply.said.text,
        model: reply.model,
        input_tokens: reply.usage.input_tokens,
        output_tokens: reply.usage.output_tokens,
        cost_usd: reply.cost_usd,
        duration_ms: watch.elapsed_ms(),
    })
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
            let model = option(&task, "model");
            if task.options.get(STREAM) != Some(&Value::Bool(true)) {
                return Ok(crew.answer(&employee, &given, model).await?);
            }
            let output = crew.live().output(&task.task_id);
            let say = |text: &str| {
                output.say(text);
                ControlFlow::Continue(())
            };
            Ok(crew.answer_aloud(&employee, &given, model, say).await?)
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
