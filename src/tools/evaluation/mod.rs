//! Tools about what employees decided, and what came of it.

mod judge;
mod look;
mod track;

pub(super) use judge::EvaluateDecision;
pub(super) use look::{GetCalibration, ListDecisions, ListOverdueDecisions};
pub(super) use track::TrackDecision;

use super::{Error, Office};
use crate::engine::{
    Crew,
    evaluation::{self, Filter},
};

/// Decisions of the employee `name`, which may be a trigger, or of somebody who is no employee but has some; of all, when no
/// name is given.
///
/// # Errors
/// [`Error::NotFound`] when there is neither.
pub async fn decisions_of(office: &Office, name: Option<&str>) -> Result<Filter, Error> {
    let Some(name) = name else { return Ok(Filter::default()) };
    let unknown = match office.crew.employee(name).await {
        Ok(employee) => return Ok(Filter { names: Crew::names_of(&employee), ..Filter::default() }),
        Err(unknown) => unknown,
    };
    let filter = Filter { names: vec![name.to_owned()], ..Filter::default() };
    let asked = filter.clone();
    let found = office.crew.decisions(move |evaluations| evaluations.list(&asked, 0)).await?;
    if found.total > 0 { Ok(filter) } else { Err(unknown.into()) }
}

impl From<evaluation::Error> for Error {
    fn from(error: evaluation::Error) -> Self {
        let message = error.to_string();
        match error {
            evaluation::Error::Unfit(_) => Self::Arguments(message),
            evaluation::Error::Unknown { id, near } => Self::NotFound {
                what: "decision",
                name: id,
                hint: Some(match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "`list_decisions` and `eval list` tell the ids".to_owned(),
                }),
            },
            evaluation::Error::NoMeeting { id } => Self::NotFound {
                what: "meeting",
                name: id,
                hint: Some("`discuss history` lists those that are kept here".to_owned()),
            },
            evaluation::Error::Conflict(_) => Self::Conflict(message),
            evaluation::Error::Store(ref cause) => {
                tracing::error!(
                    error = cause as &dyn std::error::Error,
                    "decisions cannot be read or written"
                );
                Self::Unavailable { message, retry_after: None }
            }
            _ => Self::Unavailable { message, retry_after: None },
        }
    }
}
