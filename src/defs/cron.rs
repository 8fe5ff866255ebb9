//! What is started by the clock.

use indexmap::IndexMap;
use jiff::{civil::date, tz::TimeZone};

use super::{
    codes,
    delivery::{self, Delivery},
    diagnostic::{Diagnostic, Source, Span},
    reader::{self, Fields, Text, Unknown},
    report::Report,
    target::{self, Target},
    yaml::{Node, Value},
};

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
    /// Five fields, or a word such as `@daily`. It comes due at least once; [`cron_expression`] reads it.
    pub cron: String,
    /// Name of the time zone its fields are meant in.
    pub timezone: Option<String>,
    /// Whether it runs at all.
    pub enabled: bool,
    /// What is started.
    pub target: Target,
    /// Values for it.
    pub args: IndexMap<String, String>,
    /// Where results go.
    pub delivery: Vec<Delivery>,
}

/// Why a text is no cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronFault {
    /// It has more or fewer than five fields.
    #[error("a cron expression has 5 fields, this one {0}")]
    Fields(usize),
    /// It is a word that has no meaning here, such as `@reboot`.
    #[error("there is no such word; those there are: `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`")]
    Word,
    /// A field or the whole cannot be read.
    #[error("{0}")]
    Syntax(String),
    /// It can be read, but there is no such date.
    #[error("it never comes due")]
    Never,
}

/// Reads a cron expression of five fields (minute, hour, day of month, month, day of week) or a word such as
/// `@daily`.
pub fn cron_expression(text: &str) -> Result<croner::Cron, CronFault> {
    use croner::parser::{CronParser, Seconds, Year};

    const WORDS: [&str; 7] =
        ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

    let text = text.trim();
    if text.starts_with('@') && !WORDS.contains(&text.to_lowercase().as_str()) {
        return Err(CronFault::Word);
    }
    let fields = text.split_whitespace().count();
    if !text.starts_with('@') && fields != 5 {
        return Err(CronFault::Fields(fields));
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron = parser.parse(text).map_err(|error| CronFault::Syntax(plain(&error)))?;
    // Any moment does: what comes due at all does so within the 400 years after which the calendar repeats.
    let from = date(2024, 1, 1).at(0, 0, 0, 0).to_zoned(TimeZone::UTC).map_err(|_| CronFault::Never)?;
    cron.find_next_occurrence(&from, true).map_err(|_| CronFault::Never)?;
    Ok(cron)
}

/// What the parser says, in the tone of the other messages.
fn plain(error: &croner::errors::CronError) -> String {
    use croner::errors::CronError;

    let text = match error {
        CronError::IllegalCharacters(_) => return "a field is neither a number nor a name".to_owned(),
        CronError::InvalidPattern(text) | CronError::ComponentError(text) => text.clone(),
        other => other.to_string(),
    };
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
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
    let delivery = delivery::read(&mut fields, "delivery", delivery::Place::Run, report);
    fields.finish(Unknown::Warned, &[], report);
    let name = name?;
    let schedule = Schedule {
        name: name.value.trim().to_owned(),
        cron: cron?.value.trim().to_owned(),
        timezone,
        enabled,
        target: target?,
        args: args.into_iter().map(|(name, text)| (name, text.value)).collect(),
        delivery,
    };
    Some((schedule, name.span))
}

fn check_cron(cron: &Text, report: &mut Report<'_>) {
    let Err(fault) = cron_expression(&cron.value) else { return };
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
