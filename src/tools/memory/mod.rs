//! Tools about what employees remember.

mod add;
mod change;
mod look;
mod rate;

use schemars::JsonSchema;
use serde::Serialize;

pub(super) use add::AddMemory;
pub(super) use change::{CorrectMemory, DeleteMemory};
pub(super) use look::{QueryMemory, SearchMemory};
pub(super) use rate::RateMemory;

use super::{Annotations, Ctx, Error, Office};
use crate::{
    defs::Scope,
    engine::memory::{self, Classification, Clearance, Entry, Holder, Private},
};

/// Adds to what is remembered; nothing is lost.
const ADDS: Annotations = Annotations {
    read_only_hint: false,
    destructive_hint: false,
    idempotent_hint: true,
    open_world_hint: false,
};

/// An entry that was found.
#[derive(Debug, Serialize, JsonSchema)]
struct Told {
    #[serde(flatten)]
    entry: Entry,
}

/// Whose memory is meant by the name of an employee, which may be a trigger.
///
/// # Errors
/// [`Error::NotFound`] when there is no such employee.
async fn holder(office: &Office, name: &str) -> Result<Holder, Error> {
    Ok(Holder::of(&*office.crew.employee(name).await?))
}

/// The same for who wants to change it: an employee at work changes its own memory alone.
///
/// # Errors
/// [`Error::Denied`] when it is that of another.
async fn own(office: &Office, ctx: &Ctx, name: &str) -> Result<Holder, Error> {
    let holder = holder(office, name).await?;
    match ctx.caller().employee() {
        Some(at_work) if at_work != holder.name() => Err(Error::Denied(format!(
            "`{at_work}` may change its own memory alone, not that of `{}`",
            holder.name()
        ))),
        _ => Ok(holder),
    }
}

/// What a caller may be told: what is open to the project, and more only to whoever runs it and asks for it.
///
/// # Errors
/// [`Error::Denied`] when more is asked for by somebody else.
fn clearance(ctx: &Ctx, level: Classification, private: bool) -> Result<Clearance, Error> {
    if level > Classification::Internal || private {
        ctx.caller().require(Scope::Admin)?;
        if ctx.caller().employee().is_some() {
            return Err(Error::Denied("an employee at work is told what is open to the project".to_owned()));
        }
        return Ok(Clearance::up_to(level, if private { Private::Everybody } else { Private::Nobody }));
    }
    Ok(Clearance { level, ..Clearance::open() })
}

impl From<memory::Error> for Error {
    fn from(error: memory::Error) -> Self {
        let message = error.to_string();
        match error {
            memory::Error::Unfit(_) => Self::Arguments(message),
            memory::Error::Unknown { what, id, near, employee } => Self::NotFound {
                what,
                name: id,
                hint: Some(match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("`memory show {employee}` lists them"),
                }),
            },
            memory::Error::NoDraft { id } => Self::NotFound {
                what: "draft",
                name: id,
                hint: Some("`memory drafts` lists those that wait".to_owned()),
            },
            memory::Error::Conflict(_) => Self::Conflict(message),
            memory::Error::Store(ref cause) => {
                tracing::error!(error = cause as &dyn std::error::Error, "memory cannot be read or written");
                Self::Unavailable { message, retry_after: None }
            }
            _ => Self::Unavailable { message, retry_after: None },
        }
    }
}
