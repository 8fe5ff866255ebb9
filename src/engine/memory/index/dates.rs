//! Days and months that a text names, so that “in May 2023” finds what was written on 2023-05-08.

use std::sync::LazyLock;

use jiff::{Timestamp, tz::TimeZone};
use regex::{Captures, Regex};

/// Most dates of a text that are looked at.
const MOST: usize = 32;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Ways to write a date; each names what it captures.
static PATTERNS: LazyLock<[Regex; 4]> = LazyLock::new(|| {
    const MONTH: &str = "(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|\
                         sep(?:t|tember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)";
    let compile = |pattern: &str| Regex::new(pattern).expect("it is written here and a test uses it");
    [
        compile(r"\b(?P<year>(?:19|20)\d\d)[-/.](?P<month>\d{1,2})(?:[-/.](?P<day>\d{1,2}))?\b"),
        compile(
            r"(?:(?P<year>(?:19|20)\d\d)\s*年)?\s*(?P<month>\d{1,2})\s*月(?:\s*(?P<day>\d{1,2})\s*[日号])?",
        ),
        compile(&format!(
            r"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {MONTH}\b(?:,? (?P<year>(?:19|20)\d\d))?\b"
        )),
        compile(&format!(
            r"\b{MONTH}\b(?: (?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b)?(?:,? (?P<year>(?:19|20)\d\d))?\b"
        )),
    ]
});

/// A date, as far as it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    year: Option<u16>,
    month: u8,
    day: Option<u8>,
}

/// The words that stand for the dates in `text`, which is in lower case: the day, its month, and both without the year.
pub(super) fn of_text(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for pattern in PATTERNS.iter() {
        for found in pattern.captures_iter(text).take(MOST).filter_map(|found| read(&found)) {
            found.say(&mut words);
        }
    }
    words
}

/// The words that stand for the day of a moment, in UTC.
pub(super) fn of_moment(moment: Timestamp) -> Vec<String> {
    let day = moment.to_zoned(TimeZone::UTC).date();
    let mut words = Vec::new();
    let month = u8::try_from(day.month()).unwrap_or(1);
    Said { year: u16::try_from(day.year()).ok(), month, day: u8::try_from(day.day()).ok() }.say(&mut words);
    words
}

fn read(found: &Captures<'_>) -> Option<Said> {
    let number = |name: &str| found.name(name).and_then(|part| part.as_str().parse::<u16>().ok());
    let small =
        |number: u16, most: u8| u8::try_from(number).ok().filter(|number| (1..=most).contains(number));
    let month = match found.name("name") {
        Some(name) => MONTHS
            .iter()
            .position(|month| name.as_str().starts_with(month))
            .and_then(|at| u8::try_from(at + 1).ok()),
        None => number("month").and_then(|month| small(month, 12)),
    }?;
    let said = Said { year: number("year"), month, day: number("day").and_then(|day| small(day, 31)) };
    // A bare “may” or “march” is rather a word than a month.
    (said.year.is_some() || said.day.is_some() || found.name("month").is_some()).then_some(said)
}

impl Said {
    fn say(self, words: &mut Vec<String>) {
        let Self { year, month, day } = self;
        if let Some(day) = day {
            words.push(format!("@{month:02}-{day:02}"));
        }
        if let Some(year) = year {
            words.push(format!("@{year}-{month:02}"));
            if let Some(day) = day {
                words.push(format!("@{year}-{month:02}-{day:02}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut words = of_text(text);
        words.sort();
        words.dedup();
        assert_eq!(words, expected, "{text}");
    }

    #[test]
    fn dates_are_read_in_the_ways_people_write_them() {
        check("on 2023-05-08", &["@05-08", "@2023-05", "@2023-05-08"]);
        check("1:56 pm on 8 may, 2023", &["@05-08", "@2023-05", "@2023-05-08"]);
        check("may 8th, 2023", &["@05-08", "@2023-05", "@2023-05-08"]);
        check("in may 2023", &["@2023-05"]);
        check("2023年5月8日", &["@05-08", "@2023-05", "@2023-05-08"]);
        check("5月8号", &["@05-08"]);
        check("on december 24", &["@12-24"]);
        check("it may be 2023-13-40 or march", &[]);
        check("market 5, mayor 2020", &[]);
    }

    #[test]
    fn a_moment_has_the_words_of_its_day() {
        let moment = "2023-05-08T23:59:59Z".parse().unwrap();
        assert_eq!(of_moment(moment), ["@05-08", "@2023-05", "@2023-05-08"]);
    }
}
