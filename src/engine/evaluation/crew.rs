//! A crew and its decisions: evaluations that are remembered, and what prompts say of them.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Calibration, Decision, Error, Evaluations, Filter, Outcome, Remembered, calibrations, lesson,
    prompt as telling,
};
use crate::{
    defs::Employee,
    engine::{Crew, memory::Holder, prompt},
};

/// An evaluation that was put down, and what became of its memory.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Evaluated {
    /// The decision as it is now.
    #[serde(flatten)]
    pub decision: Decision,
    /// Whether that is new; the same evaluation once more changes nothing.
    pub is_new: bool,
    /// What the evaluation lacks to count towards the calibration: `actual_value` or `occurred`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lacks: Option<&'static str>,
    /// What became of the correction in the memory of the employee.
    pub memory: Remembered,
    /// Why it could not be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_error: Option<String>,
}

impl Crew {
    /// Works with the decisions of this crew, where it may wait for the disk.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn decisions<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Evaluations) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let evaluations = Arc::clone(self.evaluations());
        tokio::task::spawn_blocking(move || work(&evaluations)).await.unwrap_or(Err(Error::Interrupted))
    }

    /// Puts down what came of a decision, see [`Evaluations::evaluate`], and has its employee remember that. An evaluation is
    /// kept even when its memory cannot be; what became of that is told.
    ///
    /// # Errors
    /// As [`Evaluations::evaluate`].
    pub async fn evaluate_decision(&self, id: &str, outcome: Outcome) -> Result<Evaluated, Error> {
        let wanted = id.to_owned();
        let decision = self.decisions(move |evaluations| evaluations.get(&wanted)).await?;
        let (holder, has_memory) = match self.employee(&decision.employee).await {
            Ok(employee) => (Holder::of(&employee), self.has_memory(&employee)),
            Err(_) => (Holder::named(&decision.employee), self.memory().settings().enabled),
        };
        let (memory, id) = (Arc::clone(self.memory()), decision.id.clone());
        self.decisions(move |evaluations| {
            evaluations.evaluate(&id, &outcome, |decision, is_new| {
                let remembered = if has_memory {
                    lesson::remember(&memory, &holder, decision)
                } else {
                    Ok(Remembered::Off)
                };
                let (memory, memory_error) = match remembered {
                    Ok(memory) => (memory, None),
                    Err(error) => {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            decision = decision.id,
                            "an evaluation cannot be remembered"
                        );
                        (Remembered::Failed, Some(error.to_string()))
                    }
                };
                Evaluated {
                    decision: decision.clone(),
                    is_new,
                    lacks: decision.lacks(),
                    memory,
                    memory_error,
                }
            })
        })
        .await
    }

    /// The names that decisions of `employee` may be kept under: earlier versions took any.
    pub fn names_of(employee: &Employee) -> Vec<String> {
        let names = [&employee.name, &employee.character_name].into_iter().chain(&employee.triggers);
        names.filter(|name| !name.is_empty()).cloned().collect()
    }

    /// How well employees expect, by employee and kind of decision.
    ///
    /// # Errors
    /// When the decisions cannot be read.
    pub async fn calibrations(&self, filter: Filter) -> Result<Vec<Calibration>, Error> {
        let definitions = self.definitions().await;
        self.decisions(move |evaluations| {
            let decisions = evaluations.all(&filter)?;
            let name = |name: &str| {
                let known = definitions.employee(name).map(|entry| entry.employee.name.clone());
                known.unwrap_or_else(|| name.to_owned())
            };
            Ok(calibrations(decisions.iter().map(AsRef::as_ref), name))
        })
        .await
    }

    /// What the prompt of `employee` with this `body` says of its own experience: what it remembers, and how its decisions
    /// turned out.
    pub(in crate::engine) async fn experience(&self, employee: &Employee, body: &str) -> Option<String> {
        let remembered = self.remembered(employee, body).await;
        let calibrated = self.calibrated(employee).await;
        match (remembered, calibrated) {
            (Some(remembered), Some(calibrated)) => Some(format!("{remembered}\n{calibrated}")),
            (remembered, calibrated) => remembered.or(calibrated),
        }
    }

    /// How the decisions of `employee` turned out; nothing when there is nothing to say, or when it cannot be read: work goes
    /// on without.
    async fn calibrated(&self, employee: &Employee) -> Option<String> {
        if !self.has_memory(employee) {
            return None;
        }
        let (name, language) = (employee.name.clone(), prompt::language(employee));
        let filter = Filter { names: Self::names_of(employee), ..Filter::default() };
        let section = self.decisions(move |evaluations| {
            let decisions = evaluations.all(&filter)?;
            let counted = calibrations(decisions.iter().map(AsRef::as_ref), |_| name.clone());
            Ok(telling::section(&counted, language))
        });
        section.await.unwrap_or_else(|error| {
            tracing::warn!(employee = employee.name, %error, "a prompt goes without how decisions turned out");
            None
        })
    }
}
