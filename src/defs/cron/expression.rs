//! Cron expressions, in the dialect that files of the predecessor are written in.
//!
//! Minute, hour, day of month, month, day of week; a sixth field holds seconds and a seventh the year, both at the end.
//! Names of months and days, lists, ranges (`FRI-MON` too), steps, `?`; days 0 and 7 are Sunday; `L` is the last day of the month,
//! `15W` the weekday nearest to the 15th, `5#2` the second Friday, `5#L` and `L5` the last one. Where day of month and day
//! of week both say something, either is enough.

use croner::{
    Cron,
    errors::CronError,
    parser::{CronParser, Seconds, Year},
};
use jiff::{civil::date, tz::TimeZone};

/// The words that stand for an expression.
const WORDS: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// Why a text is no cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronFault {
    /// It has too few or too many fields.
    #[error("a cron expression has 5 fields (6 with seconds, 7 with a year), this one {0}")]
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

/// Reads a cron expression or a word such as `@daily`; what is read comes due at least once.
///
/// # Errors
/// [`CronFault`], among them that it never comes due (`0 9 31 2 *`).
pub fn cron_expression(text: &str) -> Result<Cron, CronFault> {
    let text = text.trim();
    if text.starts_with('@') && !WORDS.contains(&text.to_lowercase().as_str()) {
        return Err(CronFault::Word);
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    let pattern = if text.starts_with('@') { text.to_owned() } else { rearranged(&fields)? };
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Optional).build();
    let cron = parser.parse(&pattern).map_err(|error| CronFault::Syntax(plain(&error)))?;
    // Any moment does: what comes due at all does so within the 400 years after which the calendar repeats.
    let from = date(2024, 1, 1).at(0, 0, 0, 0).to_zoned(TimeZone::UTC).map_err(|_| CronFault::Never)?;
    cron.find_next_occurrence(&from, true).map_err(|_| CronFault::Never)?;
    Ok(cron)
}

/// Whether `text` tells seconds, which people who know other dialects look for in front.
pub(super) fn tells_seconds(text: &str) -> bool {
    !text.trim_start().starts_with('@') && text.split_whitespace().nth(5).is_some()
}

/// The fields in the order and the words of the library: seconds first.
fn rearranged(fields: &[&str]) -> Result<String, CronFault> {
    let [minute, hour, day, month, weekday, rest @ ..] = fields else {
        return Err(CronFault::Fields(fields.len()));
    };
    let (second, year) = match rest {
        [] => ("0", None),
        [second] => (*second, None),
        [second, year] => (*second, Some(*year)),
        _ => return Err(CronFault::Fields(fields.len())),
    };
    let month = list(month, |part| turned(part, &MONTHS, 1));
    let weekday = list(weekday, |part| last_weekday(part).or_else(|| turned(part, &DAYS, 0)));
    let (minute, hour, second) = (around(minute, 0, 59), around(hour, 0, 23), around(second, 0, 59));
    let mut all = vec![second, minute, hour, around(day, 1, 31), month, weekday];
    all.extend(year.map(str::to_owned));
    Ok(all.join(" "))
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Each entry of a list as `change` says, or as it is.
fn list(field: &str, change: impl Fn(&str) -> Option<String>) -> String {
    let parts: Vec<String> =
        field.split(',').map(|part| change(part).unwrap_or_else(|| part.to_owned())).collect();
    parts.join(",")
}

/// `L5`, the last Friday, as `5#L`.
fn last_weekday(part: &str) -> Option<String> {
    let day = part.strip_prefix(['L', 'l']).filter(|day| !day.is_empty())?;
    Some(format!("{day}#L"))
}

/// A range that goes round the end (`22-4`) as two that do not, and steps from a number on (`5/20`) as steps of a range.
fn around(field: &str, first: u32, last: u32) -> String {
    list(field, |part| {
        if let Some(steps) = from_a_number_on(part, last) {
            return Some(steps);
        }
        let (from, to) = part.split_once('-')?;
        let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
        (from > to).then(|| format!("{from}-{last},{first}-{to}"))
    })
}

fn from_a_number_on(part: &str, last: u32) -> Option<String> {
    let (from, step) = part.split_once('/')?;
    from.parse::<u32>().is_ok().then(|| format!("{from}-{last}/{step}"))
}

/// The same of a range that may be told in names. Sunday at the end of a range of days is no round.
fn turned(part: &str, names: &[&str], first: u32) -> Option<String> {
    let last = first + u32::try_from(names.len()).ok()? - 1;
    if let Some(steps) = from_a_number_on(part, last) {
        return Some(steps);
    }
    let (from, to) = part.split_once('-')?;
    let number = |text: &str| {
        let by_name = names.iter().zip(first..).find(|(name, _)| name.eq_ignore_ascii_case(text));
        by_name.map(|(_, number)| number).or_else(|| text.parse().ok())
    };
    let (from, to) = (number(from)?, number(to)?);
    if from <= to {
        return None;
    }
    if first == 0 && to == 0 {
        return Some(format!("{from}-7"));
    }
    Some(format!("{from}-{last},{first}-{to}"))
}

/// What the parser says, in the tone of the other messages.
fn plain(error: &CronError) -> String {
    let text = match error {
        CronError::IllegalCharacters(_) => return "a field is neither a number nor a name".to_owned(),
        CronError::InvalidPattern(text) | CronError::ComponentError(text) => text.clone(),
        other => other.to_string(),
    };
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, Zoned};

    use super::*;

    /// The moments after `from`, as wall clocks in `zone` show them.
    fn after(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let cron = cron_expression(expression).unwrap_or_else(|fault| panic!("{expression}: {fault}"));
        let from: Timestamp = from.parse().unwrap();
        let mut at: Zoned = from.to_zoned(TimeZone::get(zone).unwrap());
        let next = |at: &mut Zoned| {
            *at = cron.find_next_occurrence(at, false).unwrap();
            at.strftime("%m-%d %a %H:%M:%S %:z").to_string()
        };
        std::iter::repeat_with(|| next(&mut at)).take(count).collect()
    }

    #[track_caller]
    fn check(expression: &str, expected: &[&str]) {
        // A Sunday.
        let found = after(expression, "UTC", "2026-11-01T00:00:00Z", expected.len());
        let found: Vec<_> = found.iter().map(|at| at.trim_end_matches(" +00:00")).collect();
        assert_eq!(found, expected, "{expression}");
    }

    #[test]
    fn every_form_of_the_dialect_is_read() {
        check("30 9 * * *", &["11-01 Sun 09:30:00", "11-02 Mon 09:30:00"]);
        check("0 9 * * MON-FRI", &["11-02 Mon 09:00:00", "11-03 Tue 09:00:00"]);
        check("0 9 * * 0", &["11-01 Sun 09:00:00", "11-08 Sun 09:00:00"]);
        check("0 9 * * 7", &["11-01 Sun 09:00:00", "11-08 Sun 09:00:00"]);
        check("0 0 1 JAN ?", &["01-01 Fri 00:00:00"]);
        check("0/20 * * * *", &["11-01 Sun 00:20:00", "11-01 Sun 00:40:00", "11-01 Sun 01:00:00"]);
        check("*/20 1,3 * * *", &["11-01 Sun 01:00:00", "11-01 Sun 01:20:00", "11-01 Sun 01:40:00"]);
        check("0 0 L * *", &["11-30 Mon 00:00:00", "12-31 Thu 00:00:00"]);
        check("0 0 * * 5#2", &["11-13 Fri 00:00:00", "12-11 Fri 00:00:00"]);
        check("0 0 * * L5", &["11-27 Fri 00:00:00", "12-25 Fri 00:00:00"]);
        check("0 0 15W * *", &["11-16 Mon 00:00:00", "12-15 Tue 00:00:00"]);
        check("@weekly", &["11-08 Sun 00:00:00"]);
        check("@Daily", &["11-02 Mon 00:00:00"]);
        check("0 22-1 * * *", &["11-01 Sun 01:00:00", "11-01 Sun 22:00:00", "11-01 Sun 23:00:00"]);
        check("0 0 * * FRI-MON", &["11-02 Mon 00:00:00", "11-06 Fri 00:00:00", "11-07 Sat 00:00:00"]);
        check("0 0 * * SAT-SUN", &["11-07 Sat 00:00:00", "11-08 Sun 00:00:00", "11-14 Sat 00:00:00"]);
        check("0 0 1 NOV-JAN *", &["12-01 Tue 00:00:00", "01-01 Fri 00:00:00", "11-01 Mon 00:00:00"]);
        // Day of month or day of week.
        check("0 0 13 * FRI", &["11-06 Fri 00:00:00", "11-13 Fri 00:00:00", "11-20 Fri 00:00:00"]);
        check("0 0 3 * TUE", &["11-03 Tue 00:00:00", "11-10 Tue 00:00:00"]);
        // Seconds come sixth, the year seventh.
        check("* * * * * */30", &["11-01 Sun 00:00:30", "11-01 Sun 00:01:00"]);
        check("5 9 * * * 10", &["11-01 Sun 09:05:10", "11-02 Mon 09:05:10"]);
        check("0 0 1 1 * 0 2028", &["01-01 Sat 00:00:00"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = [
            "",
            "* * * *",
            "* * * * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "@reboot",
            "@every 5m",
            "H * * * *",
            "R * * * *",
            "0 9 31 2 *",
            "0 0 30 2 ?",
            "0 0 1 1 * 0 1999",
            "* * 0 * *",
            "a b c d e",
        ];
        for text in refused {
            assert!(cron_expression(text).is_err(), "`{text}` was read");
        }
        assert_eq!(cron_expression("0 9 31 2 *").unwrap_err(), CronFault::Never);
    }

    /// Clocks go from 02:00 to 03:00 on 2026-03-29 in Berlin and on 2026-03-08 in New York.
    #[test]
    fn a_time_that_does_not_exist_is_made_up_for_when_the_clocks_have_moved() {
        let berlin = |expression| after(expression, "Europe/Berlin", "2026-03-28T12:00:00Z", 3);
        assert_eq!(
            berlin("30 2 * * *"),
            ["03-29 Sun 03:00:00 +02:00", "03-30 Mon 02:30:00 +02:00", "03-31 Tue 02:30:00 +02:00"]
        );
        let night = after("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:29:00Z", 3);
        assert_eq!(
            night,
            ["03-29 Sun 01:30:00 +01:00", "03-29 Sun 03:00:00 +02:00", "03-29 Sun 03:30:00 +02:00"]
        );
        let york = after("15 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2);
        assert_eq!(york, ["03-08 Sun 03:00:00 -04:00", "03-09 Mon 02:15:00 -04:00"]);
    }

    /// Clocks go back from 03:00 to 02:00 on 2026-10-25 in Berlin, from 02:00 to 01:00 on 2026-11-01 in New York.
    #[test]
    fn a_time_that_exists_twice_is_one_moment_but_an_interval_goes_on() {
        let berlin = after("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
        assert_eq!(berlin, ["10-25 Sun 02:30:00 +02:00", "10-26 Mon 02:30:00 +01:00"]);
        let night = after("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 4);
        assert_eq!(
            night,
            [
                "10-25 Sun 02:30:00 +02:00",
                "10-25 Sun 02:00:00 +01:00",
                "10-25 Sun 02:30:00 +01:00",
                "10-25 Sun 03:00:00 +01:00"
            ]
        );
        let york = after("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2);
        assert_eq!(york, ["11-01 Sun 01:30:00 -04:00", "11-02 Mon 01:30:00 -05:00"]);
    }

    #[test]
    fn where_clocks_never_move_a_day_has_24_hours() {
        let shanghai = after("0 9 * * *", "Asia/Shanghai", "2026-03-28T12:00:00Z", 2);
        assert_eq!(shanghai, ["03-29 Sun 09:00:00 +08:00", "03-30 Mon 09:00:00 +08:00"]);
    }
}
