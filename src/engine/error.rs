//! Why a crew cannot do what it is asked.

use crate::{
    llm,
    tasks::{Failure, Reached, TaskId},
};

/// What stops a run before or while it works.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No employee goes by that name or trigger.
    #[error("no employee is called `{name}`")]
    UnknownEmployee {
        /// What was asked for.
        name: String,
        /// Where to look instead: its file, if that has errors, else the nearest name there is.
        hint: Option<String>,
    },
    /// No pipeline goes by that name.
    #[error("no pipeline is called `{name}`")]
    UnknownPipeline {
        /// What was asked for.
        name: String,
        /// Where to look instead: its file, if that has errors, else the nearest name there is.
        hint: Option<String>,
    },
    /// A value that is needed was not given.
    #[error("{of} needs {}", list(missing))]
    MissingArguments {
        /// Who needs it: "employee `x`" or "pipeline `x`".
        of: String,
        /// What is missing.
        missing: Vec<Missing>,
    },
    /// A step of a pipeline does not give its employee all that it needs, so whoever runs the pipeline cannot either.
    #[error("step {index} of pipeline `{pipeline}`: {needs}; add it to the `args` of the step")]
    StepArguments {
        /// The pipeline.
        pipeline: String,
        /// Which step, as they are written, from 0.
        index: usize,
        /// Who needs what.
        needs: String,
    },
    /// More positional values than there are arguments.
    #[error("employee `{employee}` takes {takes} positional values, {given} given")]
    TooManyPositionals {
        /// Who.
        employee: String,
        /// How many it takes.
        takes: usize,
        /// How many there are.
        given: usize,
    },
    /// The provider withheld the answer.
    #[error("model `{model}` refused to answer")]
    Refused {
        /// The model that refused.
        model: String,
    },
    /// All that the model said was thoughts, or calls of tools written down as text.
    #[error(
        "model `{model}` said what it thinks and gave no answer{}",
        if *cut { ": it came to the limit of tokens, raise `max_tokens`" } else { "" }
    )]
    Thoughts {
        /// The model.
        model: String,
        /// Whether it came to the limit of tokens.
        cut: bool,
    },
    /// Whoever the answer was told to does not listen any more.
    #[error("nobody listens any more")]
    Unheard,
    /// A step took longer than it may.
    #[error("it took longer than the {seconds} s it may take")]
    TimedOut {
        /// How long it may take.
        seconds: u64,
    },
    /// What a task works on is no longer what it was when the task began.
    #[error(
        "{what} `{name}` was changed since task `{task}` began; say `force` to go on with it as it is now"
    )]
    DefinitionChanged {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
        /// The task.
        task: TaskId,
    },
    /// An ended task never came to a step of that name.
    #[error("`{step}` names no one step of task `{task}`; {}", there_is(known))]
    UnknownStep {
        /// The task.
        task: TaskId,
        /// What was asked for.
        step: String,
        /// The steps it came to, in order.
        known: Vec<String>,
    },
    /// No discussion goes by that name.
    #[error("no discussion is called `{name}`")]
    UnknownDiscussion {
        /// What was asked for.
        name: String,
        /// Where to look instead: its file, if that has errors, else the nearest name there is.
        hint: Option<String>,
    },
    /// A discussion cannot be held as it is asked for.
    #[error("{0}")]
    Discussion(String),
    /// The answer does not have the shape it has to have, although the model was asked once more.
    #[error("the answer of employee `{employee}` does not fit its `output.schema`: {fault}")]
    Shape {
        /// Who.
        employee: String,
        /// What is wrong with it.
        fault: String,
    },
    /// The `output.schema` of an employee is no JSON Schema.
    #[error("`output.schema` of employee `{employee}` is no JSON Schema: {fault}")]
    NoSchema {
        /// Who.
        employee: String,
        /// What is wrong with it.
        fault: String,
    },
    /// An employee calls one tool after the other and never answers.
    #[error("employee `{employee}` called {calls} tools and gave no answer")]
    EndlessTools {
        /// Who.
        employee: String,
        /// How many it called.
        calls: usize,
    },
    /// No session goes by that id.
    #[error("there is no session `{id}`; `session list` tells which there are")]
    UnknownSession {
        /// What was asked for.
        id: String,
    },
    /// No work log goes by that id.
    #[error("there is no work log `{id}`; `log list` tells which there are")]
    UnknownLog {
        /// What was asked for.
        id: String,
    },
    /// A call of a model could have taken more than the run may.
    #[error(transparent)]
    Budget(#[from] Reached),
    /// What was done could not be recorded, or was stopped.
    #[error(transparent)]
    Step(#[from] Failure),
    /// The model did not answer, or cannot.
    #[error(transparent)]
    Model(#[from] llm::Error),
}

/// An argument that was not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its name.
    pub name: String,
    /// What it is; may be empty.
    pub description: String,
}

impl Missing {
    /// One that nothing more is known of.
    pub(crate) fn named(name: String) -> Self {
        Self { name, description: String::new() }
    }
}

impl Error {
    /// The same, found at step `index` of `pipeline`.
    pub(crate) fn at_step(self, pipeline: &str, index: usize) -> Self {
        match self {
            Self::MissingArguments { .. } => {
                Self::StepArguments { pipeline: pipeline.to_owned(), index, needs: self.to_string() }
            }
            other => other,
        }
    }
}

fn there_is(known: &[String]) -> String {
    if known.is_empty() {
        return "it came to none".to_owned();
    }
    let quoted: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
    format!("it came to {}", quoted.join(", "))
}

fn list(missing: &[Missing]) -> String {
    let quoted: Vec<_> = missing.iter().map(|missing| format!("`{}`", missing.name)).collect();
    format!("{} {}", if missing.len() == 1 { "argument" } else { "arguments" }, quoted.join(", "))
}
