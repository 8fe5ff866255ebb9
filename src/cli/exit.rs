//! How the program ends: one table from outcome to exit code.

use std::{io, process::ExitCode};

use crate::{cli::render, tools};

/// The run or check failed.
pub(super) const FAILED: u8 = 1;
/// The words of the command line do not fit.
pub(super) const USAGE: u8 = 2;
/// Waiting for approval.
const WAITING: u8 = 3;
/// The budget is reached.
const BUDGET: u8 = 4;
/// Ended from the keyboard.
const INTERRUPTED: u8 = 130;

/// How a command that was understood ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As asked.
    Done,
    /// It reports a failure, which it has already told.
    Failed,
    /// A task waits for a person's approval, which was told.
    Waiting,
    /// What a run may take is spent, which was told.
    Budget,
    /// Ended from the keyboard.
    Interrupted,
}

/// Why a command did not get through.
#[derive(Debug)]
pub(super) enum Error {
    /// A tool or the engine refused; its class decides the code.
    Tool(tools::Error),
    /// Anything else, told with all its causes.
    Other(anyhow::Error),
}

impl<E: Into<tools::Error>> From<E> for Error {
    fn from(error: E) -> Self {
        Self::Tool(error.into())
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Other(error.into())
    }
}

/// Prints an error, if any, and gives the code to end with.
pub(super) fn code(ended: Result<Outcome, Error>) -> ExitCode {
    ExitCode::from(match ended {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Failed) => FAILED,
        Ok(Outcome::Waiting) => WAITING,
        Ok(Outcome::Budget) => BUDGET,
        Ok(Outcome::Interrupted) => INTERRUPTED,
        // Whoever reads our output has seen enough.
        Err(Error::Other(error)) if is_broken_pipe(&error) => 0,
        Err(Error::Other(error)) => {
            render::error(&error.to_string(), error.chain().skip(1).map(ToString::to_string));
            FAILED
        }
        Err(Error::Tool(error)) => {
            render::error(&error.to_string(), std::iter::empty());
            if matches!(error, tools::Error::Arguments(_) | tools::Error::NeedInput(_)) {
                USAGE
            } else {
                FAILED
            }
        }
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}
