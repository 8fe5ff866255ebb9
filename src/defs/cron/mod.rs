//! What is started by the clock.

mod expression;

use std::time::Duration;

use indexmap::IndexMap;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use expression::{CronFault, cron_expression};

use super::{
    budget::{self, Budget},
    codes,
    delivery::{self, Delivery},
    diagnostic::{Diagnostic, Source, Span},
    reader::{self, Fields, Text, Unknown},
    report::Report,
    retry::{self, Retry},
    target::{self, Target},
    yaml::{Node, Value},
};
use crate::base::Priority;

/// `cron.yaml`.
#[derive(Debug, Clone, PartialEq)]
pub struct CronConfig {
    /// Name of the time zone of all schedules that give none.
    pub timezone: Option<String>,
    /// Each with a name of its own.
    pub schedules: Vec<Schedule>,
}

/// When what is started.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Unique in the file.
    pub name: String,
    /// Five to seven fields, or a word such as `@daily`. It comes due at least once; [`cron_expression`] reads it.
    pub cron: String,
    /// Name of the time zone its fields are meant in.
    pub timezone: Option<String>,
    /// Whether it runs at all.
    pub enabled: bool,
    /// Whether it was added while a server ran; such schedules have a file of their own.
    pub added: bool,
    /// What is started.
    pub target: Target,
    /// Values for it.
    pub args: IndexMap<String, String>,
    /// Model to use in place of every other choice.
    pub model: Option<String>,
    /// What becomes of moments that went by while nobody watched.
    pub misfire: Misfire,
    /// What becomes of a moment that comes while the run before it goes on.
    pub overlap: Overlap,
    /// Each run begins up to this much later, by chance.
    pub jitter: Duration,
    /// How long a run may take.
    pub timeout: Option<Duration>,
    /// How soon a run is begun.
    pub priority: Priority,
    /// How often a run is tried that fails with something that may pass.
    pub retry: Option<Retry>,
    /// How much a run may take.
    pub budget: Budget,
    /// Where results go.
    pub delivery: Vec<Delivery>,
}

impl Schedule {
    /// What it starts, and the names of the values it gives.
    pub fn starts(&self) -> (&Target, Vec<&str>) {
        (&self.target, self.args.keys().map(String::as_str).collect())
    }
}

/// What becomes of moments that went by while nobody watched the clock, or that the clock jumped over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Misfire {
    /// They are counted, and that is all.
    #[default]
    Skip,
    /// One run makes up for all of them.
    Once,
    /// Each is made up for, one after the other; the newest ten, if there are more.
    All,
}

/// What becomes of a moment that comes while the run before it goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// It is counted as missed.
    #[default]
    Skip,
    /// Its run begins when the one before has ended; at most ten wait.
    Queue,
    /// Its run begins all the same.
    Allow,
}

/// Reads `cron.yaml`.
pub fn parse_cron(source: &Source) -> (Option<CronConfig>, Vec<Diagnostic>) {
    let mut report = Report::new(source);
    let config = reader::document(source, &mut report).and_then(|node| config(&node, &mut report));
    let usable = !report.has_errors();
    (config.filter(|_| usable), report.finish())
}

fn config(node: &Node, report: &mut Report<'_>) -> Option<CronConfig> {
    if node.value == Value::Null {
        return Some(CronConfig { timezone: None, schedules: Vec::new() });
    }
    let mut fields = Fields::of(node, "`cron.yaml`", report)?;
    let timezone = timezone(&mut fields, report);
    let mut schedules: Vec<Schedule> = Vec::new();
    let mut names: IndexMap<String, Span> = IndexMap::new();
    for node in fields.list("schedules", report) {
        let Some((schedule, place)) = schedule(node, report) else { continue };
        if let Some(first) = names.get(&schedule.name) {
            report
                .error(
                    codes::DUPLICATE_SCHEDULE,
                    place,
                    format!("there are two schedules `{}`", schedule.name),
                )
                .label("again here")
                .also(*first, "first here");
            continue;
        }
        names.insert(schedule.name.clone(), place);
        schedules.push(schedule);
    }
    fields.finish(Unknown::Warned, &[], report);
    Some(CronConfig { timezone, schedules })
}

const MISFIRES: [(&str, Misfire); 3] =
    [("skip", Misfire::Skip), ("once", Misfire::Once), ("all", Misfire::All)];
const OVERLAPS: [(&str, Overlap); 3] =
    [("skip", Overlap::Skip), ("queue", Overlap::Queue), ("allow", Overlap::Allow)];

fn schedule(node: &Node, report: &mut Report<'_>) -> Option<(Schedule, Span)> {
    let mut fields = Fields::of(node, "a schedule", report)?;
    let name = fields.required_text("name", report);
    let cron = fields.required_text("cron", report);
    if let Some(cron) = &cron {
        check_cron(cron, report);
    }
    let target = target::read(&mut fields, "target_type", "target_name", report);
    let args = fields.text_map("args", report);
    let timezone = timezone(&mut fields, report);
    let enabled = fields.flag("enabled", report).unwrap_or(true);
    let model = fields.optional("model", report);
    let misfire = fields.choice("misfire", "way to make up for missed runs", &MISFIRES, report);
    let overlap = fields.choice("overlap", "way to overlap", &OVERLAPS, report);
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let jitter = fields.whole("jitter_seconds", 0..=3600, report).map(seconds);
    let timeout = fields.whole("timeout_seconds", 1..=86_400, report).map(seconds);
    let priority = target::priority(&mut fields, report);
    let retry = retry::read(&mut fields, report);
    let budget = budget::read(&mut fields, report);
    let delivery = delivery::read(&mut fields, "delivery", delivery::Place::Run, report);
    fields.finish(Unknown::Warned, &[], report);
    let name = name?;
    let schedule = Schedule {
        name: name.value.trim().to_owned(),
        cron: cron?.value.trim().to_owned(),
        timezone,
        enabled,
        added: false,
        model,
        misfire: misfire.unwrap_or_default(),
        overlap: overlap.unwrap_or_default(),
        jitter: jitter.unwrap_or_default(),
        timeout,
        priority,
        target: target?,
        args: args.into_iter().map(|(name, text)| (name, text.value)).collect(),
        retry,
        budget,
        delivery,
    };
    Some((schedule, name.span))
}

fn check_cron(cron: &Text, report: &mut Report<'_>) {
    let Err(fault) = cron_expression(&cron.value) else {
        if expression::tells_seconds(&cron.value) {
            let message = format!("the sixth field of `{}` is taken for seconds", cron.value.trim());
            let help =
                "the first is minutes, here as everywhere; leave the sixth away unless you mean seconds";
            report.warning(codes::ODD_CRON, cron.span, message).help(help);
        }
        return;
    };
    let message = format!("`{}` is no usable cron expression: {fault}", cron.value.trim().escape_debug());
    let draft = report.error(codes::INVALID_CRON, cron.span, message);
    match fault {
        CronFault::Word => draft,
        CronFault::Never => draft.help("choose a day that the month has"),
        _ => draft.help("the fields are minute, hour, day of month, month, day of week: `0 9 * * MON-FRI`"),
    };
}

fn timezone(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = fields.text("timezone", report).filter(|text| !text.value.trim().is_empty())?;
    let name = text.value.trim();
    if TimeZone::get(name).is_err() {
        report
            .error(
                codes::UNKNOWN_TIMEZONE,
                text.span,
                format!("there is no time zone `{}`", name.escape_debug()),
            )
            .suggest(name, ["UTC", "Asia/Shanghai", "Asia/Tokyo", "Europe/Berlin", "America/New_York"]);
    }
    Some(name.to_owned())
}
