//! One thing that an employee remembers, as a line of its file.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::defs::Classification;

/// What an employee remembers.
///
/// The first eight fields are those of the first files there were, in their order; the others are written only where they
/// say something. Fields nobody here knows are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// Whose memory it is.
    #[serde(default, deserialize_with = "or_default")]
    pub employee: String,
    /// When it was written; UTC, unless an offset is there.
    #[serde(default, deserialize_with = "or_default")]
    pub created_at: String,
    /// What kind of memory it is.
    pub category: Category,
    /// What is remembered.
    pub content: String,
    /// What it comes from: a session or a task.
    #[serde(default, deserialize_with = "or_default")]
    pub source_session: String,
    /// From 0 to 1, when it was written.
    #[serde(default = "certain", deserialize_with = "or_certain")]
    pub confidence: f64,
    /// The id of the entry that took its place; empty while it holds.
    #[serde(default, deserialize_with = "or_default")]
    pub superseded_by: String,
    /// How many days it holds; 0 for ever.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub ttl_days: i64,
    /// From 1 to 5.
    #[serde(default = "usual", deserialize_with = "or_usual", skip_serializing_if = "is_usual")]
    pub importance: i64,
    /// When it was last of use.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub last_accessed: String,
    /// For grouping and finding.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub tags: Vec<String>,
    /// Whether other employees may be told of it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub shared: bool,
    /// Whether only its owner may read it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub visibility: Visibility,
    /// How far it may be told.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub classification: Classification,
    /// For what is restricted: whoever knows about one of these may read it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub domain: Vec<String>,
    /// When it is worth remembering.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub trigger_condition: String,
    /// For whom it is worth remembering.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub applicability: Vec<String>,
    /// Who found it, when that was somebody else.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub origin_employee: String,
    /// How often it was found to be so again.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub verified_count: i64,
    /// How useful it was when it was told, from 0 to 1; 0.5 when nobody has said.
    #[serde(default = "unrated", deserialize_with = "or_unrated", skip_serializing_if = "is_unrated")]
    pub q_value: f64,
    /// How often somebody said whether it was useful.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub recall_count: i64,
    /// What the last of those who said so came from: sessions or tasks, each of which is heard once.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub rated_from: Vec<String>,
    /// Words it is found by.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub keywords: Vec<String>,
    /// Ids of entries about the same.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub linked_memories: Vec<String>,
    /// The id of the entry it corrects.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub supersedes: String,
    /// What others wrote beside that.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A kind of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// What was decided.
    Decision,
    /// What something takes.
    Estimate,
    /// What was found out.
    Finding,
    /// What was wrong.
    Correction,
    /// What holds again and again.
    Pattern,
}

/// Whether only the owner may read an entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Others may, too.
    #[default]
    Open,
    /// Only the owner.
    Private,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Decision, Self::Estimate, Self::Finding, Self::Correction, Self::Pattern];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Estimate => "estimate",
            Self::Finding => "finding",
            Self::Correction => "correction",
            Self::Pattern => "pattern",
        }
    }
}

impl Entry {
    /// A plain entry.
    pub fn new(employee: &str, category: Category, content: &str, now: Timestamp) -> Self {
        Self {
            id: new_id(now),
            employee: employee.to_owned(),
            created_at: written(now),
            category,
            content: content.to_owned(),
            source_session: String::new(),
            confidence: certain(),
            superseded_by: String::new(),
            ttl_days: 0,
            importance: usual(),
            last_accessed: String::new(),
            tags: Vec::new(),
            shared: false,
            visibility: Visibility::default(),
            classification: Classification::default(),
            domain: Vec::new(),
            trigger_condition: String::new(),
            applicability: Vec::new(),
            origin_employee: String::new(),
            verified_count: 0,
            q_value: unrated(),
            recall_count: 0,
            rated_from: Vec::new(),
            keywords: Vec::new(),
            linked_memories: Vec::new(),
            supersedes: String::new(),
            extra: Map::new(),
        }
    }

    /// Whether no other entry took its place.
    pub fn is_live(&self) -> bool {
        self.superseded_by.is_empty()
    }

    /// When it was written; the beginning of time when that cannot be read.
    pub fn created(&self) -> Timestamp {
        moment(&self.created_at).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Whether its days are over.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        moment(&self.created_at).and_then(|created| end(created, self.ttl_days)).is_some_and(|end| now > end)
    }

    /// Its line, with the `\n`.
    ///
    /// # Errors
    /// When it cannot be JSON.
    pub(super) fn line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

/// An id that sorts by time: 12 hex digits of milliseconds, 8 by chance.
pub(super) fn new_id(now: Timestamp) -> String {
    let chance = uuid::Uuid::now_v7().as_u128() & 0xffff_ffff;
    format!("{:012x}{chance:08x}", now.as_millisecond().max(0))
}

/// A moment as it is written in files: UTC with an offset, which every reader of ISO 8601 takes.
pub(in crate::engine) fn written(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

/// A moment as it is read; one without an offset is taken for UTC.
pub(in crate::engine) fn moment(text: &str) -> Option<Timestamp> {
    let civil = || Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    text.parse().ok().or_else(civil)
}

/// After when what was written then no longer holds; `None` when it holds for ever.
pub(super) fn end(created: Timestamp, ttl_days: i64) -> Option<Timestamp> {
    let seconds = ttl_days.checked_mul(86_400).filter(|seconds| *seconds > 0)?;
    created.checked_add(SignedDuration::from_secs(seconds)).ok()
}

pub(super) fn certain() -> f64 {
    1.0
}

/// What is known of the use of an entry of which nobody has said anything.
pub(super) fn unrated() -> f64 {
    0.5
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_unrated(value: &f64) -> bool {
    value.to_bits() == unrated().to_bits()
}

pub(super) fn usual() -> i64 {
    3
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_usual(importance: &i64) -> bool {
    *importance == usual()
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// `null` says as much as nothing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn or_certain<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_else(certain))
}

fn or_unrated<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_else(unrated))
}

fn or_usual<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_else(usual))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_plain_entry_is_a_line_of_the_first_files() {
        let mut entry =
            Entry::new("reviewer", Category::Finding, "a\u{2028}\n\"b\"", at("2026-11-25T10:00:00Z"));
        entry.id = "0123456789ab".to_owned();
        let line = String::from_utf8(entry.line().unwrap()).unwrap();
        assert_eq!(
            line,
            "{\"id\":\"0123456789ab\",\"employee\":\"reviewer\",\"created_at\":\"2026-11-25T10:00:00.000000+00:00\",\
             \"category\":\"finding\",\"content\":\"a\u{2028}\\n\\\"b\\\"\",\"source_session\":\"\",\"confidence\":1.0,\
             \"superseded_by\":\"\"}\n"
        );
    }

    #[test]
    fn what_others_wrote_is_kept_as_it_is() {
        let line = r#"{"id":"1","employee":"a","created_at":"2026-01-01T00:00:00","category":"pattern","content":"x","source_session":"","confidence":0.5,"superseded_by":"","importance":5,"tags":["b"],"q_value":0.7,"tenant":{"id":null}}"#;
        let entry: Entry = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&entry).unwrap(), line);
        let sparse = r#"{"id":"1","category":"finding","content":"x","tags":null,"confidence":null,"visibility":null}"#;
        let entry: Entry = serde_json::from_str(sparse).unwrap();
        assert_eq!((entry.confidence, entry.importance, entry.visibility), (1.0, 3, Visibility::Open));
        let unknown = r#"{"id":"1","category":"finding","content":"x","classification":"secret"}"#;
        assert!(serde_json::from_str::<Entry>(unknown).is_err(), "what is not understood is not shown");
    }

    #[test]
    fn days_run_out() {
        let mut entry = Entry::new("a", Category::Finding, "x", at("2026-01-01T00:00:00Z"));
        let later = at("2026-06-30T00:00:01Z");
        assert!(!entry.is_expired(later), "it holds for ever");
        for (days, over) in [(181, false), (180, true), (i64::MAX, false), (-1, false)] {
            entry.ttl_days = days;
            assert_eq!(entry.is_expired(later), over, "{days}");
        }
        // Without an offset: UTC, wherever this runs.
        entry.created_at = "2026-01-01T00:00:00.5".to_owned();
        assert_eq!(entry.created(), at("2026-01-01T00:00:00.5Z"));
    }

    #[test]
    fn ids_sort_by_time() {
        let (early, late) = (new_id(at("2026-01-01T00:00:00Z")), new_id(at("2026-01-01T00:00:00.001Z")));
        assert!(early < late && early.len() == 20, "{early} {late}");
    }
}
