//! Tools about schedules.

mod add;
mod list;
mod remove;

pub(super) use add::AddSchedule;
pub(super) use list::ListSchedules;
pub(super) use remove::RemoveSchedule;

use std::time::Duration;

use super::Error;
use crate::engine::ScheduleRefusal;

impl From<ScheduleRefusal> for Error {
    fn from(refusal: ScheduleRefusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            ScheduleRefusal::Unfit(_) => Self::Arguments(message),
            ScheduleRefusal::Exists(_) | ScheduleRefusal::Written(_) | ScheduleRefusal::Unusable => {
                Self::Conflict(message)
            }
            ScheduleRefusal::Unknown { name, near } => Self::NotFound {
                what: "schedule",
                name,
                hint: near.map(|near| format!("did you mean `{near}`?")),
            },
            ScheduleRefusal::Target(error) => error.into(),
            ScheduleRefusal::Store(cause) => {
                // Paths and file errors are the operator's; the caller learns that nothing was changed.
                tracing::error!(
                    error = &cause as &dyn std::error::Error,
                    "the added schedules could not be changed"
                );
                let message = "added schedules cannot be changed now; nothing was".to_owned();
                Self::Unavailable { message, retry_after: Some(Duration::from_secs(1)) }
            }
        }
    }
}
