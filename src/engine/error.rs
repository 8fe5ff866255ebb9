//! Why a crew cannot do what it is asked.

use crate::llm;

/// What stops a run before or while it works.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No employee goes by that name or trigger.
    #[error("no employee is called `{name}`")]
    UnknownEmployee {
        /// What was asked for.
        name: String,
        /// The nearest name there is.
        near: Option<String>,
    },
    /// No pipeline goes by that name.
    #[error("no pipeline is called `{name}`")]
    UnknownPipeline {
        /// What was asked for.
        name: String,
        /// The nearest name there is.
        near: Option<String>,
    },
    /// A value that is needed was not given.
    #[error("{of} needs {}", list(names))]
    MissingArguments {
        /// Who needs it: "employee `x`" or "pipeline `x`".
        of: String,
        /// The names of what is missing.
        names: Vec<String>,
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
    /// Whoever the answer was told to does not listen any more.
    #[error("nobody listens any more")]
    Unheard,
    /// A step took longer than it may.
    #[error("it took longer than the {seconds} s it may take")]
    TimedOut {
        /// How long it may take.
        seconds: u64,
    },
    /// No discussion goes by that name.
    #[error("no discussion is called `{name}`")]
    UnknownDiscussion {
        /// What was asked for.
        name: String,
        /// The nearest name there is.
        near: Option<String>,
    },
    /// A discussion cannot be held as it is asked for.
    #[error("{0}")]
    Discussion(String),
    /// The model did not answer, or cannot.
    #[error(transparent)]
    Model(#[from] llm::Error),
}

fn list(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("{} {}", if names.len() == 1 { "argument" } else { "arguments" }, quoted.join(", "))
}
