//! A crew and its memories: what prompts are told, and what runs leave.

use serde_json::Value;

use super::{
    Crew,
    memory::{self, Clearance, Holder, Memory, Outcome, prompt::Reader},
    prompt, skills,
};
use crate::{
    base::clock::Stopwatch,
    defs::{Classification, Employee},
    tasks::{Status, Task},
};

impl Crew {
    /// Works with the memories of this crew, where it may wait for the disk.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn remember<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Memory) -> Result<T, memory::Error> + Send + 'static,
    ) -> Result<T, memory::Error> {
        let memory = std::sync::Arc::clone(self.memory());
        let done = tokio::task::spawn_blocking(move || work(&memory)).await;
        if self.memory().is_unsettled() {
            self.unsettled.notify_one();
        }
        if let Some(embedding) = &self.embedding {
            embedding.wake();
        }
        done.unwrap_or(Err(memory::Error::Interrupted))
    }

    /// Whether the prompts of `employee` hold memories, and its runs may leave any.
    pub(super) fn has_memory(&self, employee: &Employee) -> bool {
        let own = employee.memory.as_ref().and_then(|memory| memory.enabled);
        own.unwrap_or(self.memory().settings().enabled) && !self.is_still()
    }

    /// What the prompt of `employee` with this `body` says of its memory; nothing when there is nothing to say, or when it
    /// cannot be read: work goes on without.
    pub(super) async fn remembered(&self, employee: &Employee, body: &str) -> Option<String> {
        if !self.has_memory(employee) {
            return None;
        }
        let own = employee.memory.clone().unwrap_or_default();
        let tokens = own.prompt_tokens.unwrap_or(self.memory().settings().prompt_tokens);
        let clearance = Clearance::of(employee, own.clearance.unwrap_or_default());
        let (holder, language) = (Holder::of(employee), prompt::language(employee));
        let interests: Vec<String> =
            employee.tags.iter().chain(&employee.domains).map(|word| word.trim().to_lowercase()).collect();
        let watch = Stopwatch::start();
        let section = self.recall(body, move |memory, about| {
            memory.section(&Reader {
                holder: &holder,
                clearance: &clearance,
                interests: &interests,
                about,
                language,
                tokens,
            })
        });
        let section = section.await.unwrap_or_else(|error| {
            tracing::warn!(employee = employee.name, %error, "a prompt goes without memories");
            None
        });
        tracing::debug!(
            employee = employee.name,
            bytes = section.as_ref().map_or(0, String::len),
            latency_ms = watch.elapsed_ms(),
            "looked at what an employee remembers"
        );
        section
    }

    /// Remembers what came of a task, of each employee that remembers its runs. A run is not worse because that cannot be
    /// kept.
    pub(super) async fn remember_task(&self, task: &Task) {
        let Some(result) = task.result.as_ref().filter(|_| task.status == Status::Completed) else { return };
        for (name, output) in outputs(result) {
            if let Ok(employee) = self.employee(name).await {
                self.remember_run(&employee, output, task.task_id.as_str()).await;
            }
        }
    }

    /// Remembers what `employee` answered, if it remembers its runs. `source` is the task, if there is one.
    async fn remember_run(&self, employee: &Employee, output: &str, source: &str) {
        let wanted = employee.auto_memory || self.memory().settings().outcomes;
        if !wanted || !self.has_memory(employee) {
            return;
        }
        // An answer that repeats its prompt would be told in the next, and so on.
        let repeats = memory::prompt::is_in(output) || skills::is_in(output);
        if repeats || output.contains(&prompt::opening(employee)) {
            return;
        }
        // What an answer holds may be what its prompt was told in confidence.
        let told = employee.memory.as_ref().and_then(|memory| memory.clearance).unwrap_or_default();
        let classification = told.max(Classification::Internal);
        let (holder, domain) = (Holder::of(employee), employee.domains.clone());
        let (output, source) = (output.to_owned(), source.to_owned());
        let kept = self.remember(move |memory| {
            let outcome = Outcome { output: &output, source: &source, classification, domain: &domain };
            memory.remember_outcome(&holder, &outcome)
        });
        if let Err(error) = kept.await {
            tracing::warn!(employee = employee.name, %error, "what came of a run is not remembered");
        }
    }
}

/// What employees answered, wherever the result of a task holds that.
fn outputs(result: &Value) -> Vec<(&str, &str)> {
    match result {
        Value::Array(items) => items.iter().flat_map(outputs).collect(),
        Value::Object(fields) => match (fields.get("employee"), fields.get("output")) {
            (Some(Value::String(employee)), Some(Value::String(output))) => {
                let failed = fields.get("error").is_some_and(|error| *error == Value::Bool(true));
                if failed { Vec::new() } else { vec![(employee, output)] }
            }
            _ => fields.get("steps").map(outputs).unwrap_or_default(),
        },
        _ => Vec::new(),
    }
}
