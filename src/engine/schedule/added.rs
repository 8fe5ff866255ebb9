//! Schedules that are added while a server runs, in a file of their own: what people write in `cron.yaml`, comments and all,
//! stays theirs.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    base::{blocking, text::closest},
    defs::{self, Budget, Misfire, Overlap, Schedule, Severity, Source, TargetKind},
    engine::{Args, Crew, Error, delivery::Wish},
    store::{self, OwnerLock, document},
    tasks::{OwnRetry, Trigger},
};

/// The file, in the form of `cron.yaml`.
const FILE: &str = ".crew/schedules.json";
/// How long a change waits for those before it, which take no longer than the disk does.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many there may be.
const MOST: usize = 100;
/// How many characters a name may have.
const LONGEST_NAME: usize = 64;
/// How many bytes one may take in the file.
const LARGEST: usize = 16 * 1024;

/// A schedule to be added.
#[derive(Debug, Clone, Serialize)]
pub struct NewSchedule {
    /// A name that no other has.
    pub name: String,
    /// Five fields or a word such as `@daily`.
    pub cron: String,
    /// What it starts.
    pub target_type: TargetKind,
    /// The name of that.
    pub target_name: String,
    /// Values for that.
    #[serde(skip_serializing_if = "Args::is_empty")]
    pub args: Args,
    /// The time zone of its fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Model to use in place of every other choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What becomes of moments that nobody saw to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misfire: Option<Misfire>,
    /// What becomes of a moment that comes while the run before goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    /// Each run begins up to this much later, by chance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_seconds: Option<u32>,
    /// How long a run may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// How often a run is tried that fails with something that may pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<OwnRetry>,
    /// How much a run may take.
    #[serde(skip_serializing_if = "Budget::is_empty")]
    pub budget: Budget,
    /// Where results go: destinations of `.crew/config.yaml`, by their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub delivery: Vec<String>,
}

/// Why the schedules are left as they are.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleRefusal {
    /// It cannot be a schedule.
    #[error("{0}")]
    Unfit(String),
    /// There is one of this name.
    #[error("there is a schedule `{0}` already")]
    Exists(String),
    /// A person wrote it.
    #[error("the schedule `{0}` is written in `.crew/cron.yaml`; it is removed there")]
    Written(String),
    /// There is none of this name.
    #[error("there is no schedule `{name}`{}", near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Unknown {
        /// The name.
        name: String,
        /// One that was added and has nearly this name.
        near: Option<String>,
    },
    /// The file is not as it was written.
    #[error("`{FILE}` cannot be used; `knowlyr-crew check` tells why")]
    Unusable,
    /// What it starts cannot be started.
    #[error(transparent)]
    Target(#[from] Error),
    /// The file cannot be read or written.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Crew {
    /// Adds a schedule, which counts at once and from then on.
    ///
    /// # Errors
    /// [`ScheduleRefusal`]; nothing has changed then.
    pub async fn add_schedule(&self, new: &NewSchedule) -> Result<(), ScheduleRefusal> {
        let schedule = checked(new)?;
        Wish::named(&new.delivery, &*self.definitions().await)
            .map_err(|error| ScheduleRefusal::Unfit(error.to_string()))?;
        // It exists, has what it needs, and a model that can be called.
        self.plan_scheduled(&schedule, Trigger::CRON, None).await?;
        if self.known(&new.name).await.is_some() {
            return Err(ScheduleRefusal::Exists(new.name.clone()));
        }
        let entry = entry(new);
        self.change(move |schedules| {
            if position(schedules, &schedule.name).is_some() {
                return Err(ScheduleRefusal::Exists(schedule.name));
            }
            if schedules.len() >= MOST {
                return Err(ScheduleRefusal::Unfit(format!(
                    "there are {MOST} added schedules, which is the most"
                )));
            }
            schedules.push(entry);
            Ok(())
        })
        .await
    }

    /// Removes a schedule that was added.
    ///
    /// # Errors
    /// [`ScheduleRefusal`]; nothing has changed then.
    pub async fn remove_schedule(&self, name: &str) -> Result<(), ScheduleRefusal> {
        if self.known(name).await == Some(false) {
            return Err(ScheduleRefusal::Written(name.to_owned()));
        }
        let name = name.to_owned();
        self.change(move |schedules| {
            let Some(place) = position(schedules, &name) else {
                let names = schedules.iter().filter_map(|one| one["name"].as_str());
                let near = closest(&name, names).map(str::to_owned);
                return Err(ScheduleRefusal::Unknown { name, near });
            };
            schedules.remove(place);
            Ok(())
        })
        .await
    }

    /// Whether the schedule `name` was added; `None` when there is none.
    async fn known(&self, name: &str) -> Option<bool> {
        let definitions = self.definitions().await;
        let mut all = definitions.cron.iter().flat_map(|cron| &cron.schedules);
        all.find(|schedule| schedule.name == name).map(|schedule| schedule.added)
    }

    /// Changes the file, one at a time, and has it read again.
    async fn change(
        &self,
        change: impl FnOnce(&mut Vec<Value>) -> Result<(), ScheduleRefusal> + Send + 'static,
    ) -> Result<(), ScheduleRefusal> {
        let path = self.root().join(FILE);
        let ending = store::Error::Closed { path: path.clone() };
        let changing = blocking(move || -> Result<(), ScheduleRefusal> {
            let _lock = OwnerLock::wait(&path, PATIENCE)?;
            let bytes = document::read(&path)?.unwrap_or_else(|| b"{\"schedules\": []}".to_vec());
            let mut file: Value = serde_json::from_slice(&bytes).map_err(|_| ScheduleRefusal::Unusable)?;
            let schedules = file.get_mut("schedules").and_then(Value::as_array_mut);
            change(schedules.ok_or(ScheduleRefusal::Unusable)?)?;
            let text = serde_json::to_vec_pretty(&file).expect("JSON is plain data");
            Ok(document::replace(&path, &text)?)
        });
        changing.await.ok_or(ending)??;
        self.catalog().refresh().await;
        Ok(())
    }
}

fn entry(new: &NewSchedule) -> Value {
    serde_json::to_value(new).expect("a schedule is plain data")
}

fn position(schedules: &[Value], name: &str) -> Option<usize> {
    schedules.iter().position(|schedule| schedule["name"] == name)
}

/// The schedule as its file would be read.
fn checked(new: &NewSchedule) -> Result<Schedule, ScheduleRefusal> {
    let unfit = |message: &str| Err(ScheduleRefusal::Unfit(message.to_owned()));
    if new.name.trim() != new.name
        || new.name.chars().count() > LONGEST_NAME
        || new.name.chars().any(char::is_control)
    {
        return unfit("a name has at most 64 characters, none of them a line break, and no blanks around it");
    }
    if new.cron.split_whitespace().count() > 5 {
        return unfit("a schedule that is added has 5 fields: it comes due once a minute at most");
    }
    let text = json!({"schedules": [new]}).to_string();
    if text.len() > LARGEST {
        return unfit("a schedule that is added takes at most 16 KiB");
    }
    let (config, found) = defs::parse_cron(&Source::new(FILE, text));
    let errors = found.iter().filter(|found| found.severity == Severity::Error);
    let told: Vec<_> = errors
        .map(|found| {
            format!(
                "{}{}",
                found.message,
                found.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default()
            )
        })
        .collect();
    config
        .and_then(|mut config| config.schedules.pop())
        .ok_or_else(|| ScheduleRefusal::Unfit(told.join("\n")))
}
