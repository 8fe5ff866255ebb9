//! What a process keeps of an entry: all that it is chosen by, and where its line is.
//!
//! Entries themselves stay in their files and are read when they are told, so that a hundred thousand of them take little
//! memory and a file is read once, without making anything of most of it.

use std::{
    borrow::Cow,
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use jiff::Timestamp;
use serde::Deserialize;

use super::{Category, Classification, Entry, Visibility, entry, outcome};
use crate::store::log::{Line, Span};

/// The most that [`Card::weight`] gives.
pub(super) const MOST_WEIGHT: i64 = 20;

/// An entry, but for what it says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Card {
    /// Its id.
    pub(super) id: Arc<str>,
    /// Whose memory it is; empty when its line does not say.
    pub(super) employee: Arc<str>,
    /// When it was written; the beginning of time when that cannot be read.
    pub(super) created: Timestamp,
    /// After when it no longer holds.
    expires: Option<Timestamp>,
    category: Category,
    /// What took its place.
    pub(super) superseded_by: Option<Arc<str>>,
    confidence: f64,
    pub(super) importance: i64,
    verified_count: i64,
    pub(super) tags: Box<[Arc<str>]>,
    pub(super) applicability: Box<[Arc<str>]>,
    pub(super) domain: Box<[Arc<str>]>,
    pub(super) shared: bool,
    pub(super) visibility: Visibility,
    pub(super) classification: Classification,
    /// What it corrects.
    pub(super) supersedes: Option<Arc<str>>,
    /// The number of its line.
    pub(super) line: u64,
    /// Where that is.
    pub(super) span: Span,
}

/// Words that are on many cards, each once.
#[derive(Debug, Default)]
pub(super) struct Words(HashSet<Arc<str>>);

impl Words {
    fn one(&mut self, word: &str) -> Arc<str> {
        if let Some(known) = self.0.get(word) {
            return Arc::clone(known);
        }
        let word: Arc<str> = word.into();
        self.0.insert(Arc::clone(&word));
        word
    }

    fn all(&mut self, words: Option<&Vec<Text<'_>>>) -> Box<[Arc<str>]> {
        words.into_iter().flatten().map(|word| self.one(&word.0)).collect()
    }
}

/// A text, in the line it was read from where that can be.
#[derive(Debug, Default, Deserialize)]
struct Text<'l>(#[serde(borrow)] Cow<'l, str>);

/// The line of an entry: what [`Entry`] takes, of the same kinds.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "a line that has something of another kind there is no entry")]
struct Written<'l> {
    #[serde(borrow)]
    id: Text<'l>,
    #[serde(borrow)]
    employee: Option<Text<'l>>,
    #[serde(borrow)]
    created_at: Option<Text<'l>>,
    category: Category,
    #[serde(borrow)]
    content: Text<'l>,
    #[serde(borrow)]
    source_session: Option<Text<'l>>,
    confidence: Option<f64>,
    #[serde(borrow)]
    superseded_by: Option<Text<'l>>,
    ttl_days: Option<i64>,
    importance: Option<i64>,
    #[serde(borrow)]
    last_accessed: Option<Text<'l>>,
    #[serde(borrow)]
    tags: Option<Vec<Text<'l>>>,
    shared: Option<bool>,
    visibility: Option<Visibility>,
    classification: Option<Classification>,
    #[serde(borrow)]
    domain: Option<Vec<Text<'l>>>,
    #[serde(borrow)]
    trigger_condition: Option<Text<'l>>,
    #[serde(borrow)]
    applicability: Option<Vec<Text<'l>>>,
    #[serde(borrow)]
    origin_employee: Option<Text<'l>>,
    verified_count: Option<i64>,
    q_value: Option<f64>,
    recall_count: Option<i64>,
    #[serde(borrow)]
    rated_from: Option<Vec<Text<'l>>>,
    #[serde(borrow)]
    keywords: Option<Vec<Text<'l>>>,
    #[serde(borrow)]
    linked_memories: Option<Vec<Text<'l>>>,
    #[serde(borrow)]
    supersedes: Option<Text<'l>>,
}

impl Card {
    /// Reads a line. Also gives what [`sense`] gives of the entry.
    ///
    /// # Errors
    /// When the line is no entry.
    pub(super) fn read(line: Line<'_>, words: &mut Words) -> Result<(Self, u64), serde_json::Error> {
        let written: Written<'_> = line.parse()?;
        let created = said(written.created_at).and_then(|text| entry::moment(&text));
        let domain = words.all(written.domain.as_ref());
        let (visibility, classification) =
            (written.visibility.unwrap_or_default(), written.classification.unwrap_or_default());
        let sense = sense(
            written.category,
            classification,
            visibility,
            &written.content.0,
            domain.iter().map(|word| &**word),
        );
        let card = Self {
            id: (&*written.id.0).into(),
            employee: words.one(written.employee.as_ref().map_or("", |name| &name.0)),
            created: created.unwrap_or(Timestamp::UNIX_EPOCH),
            expires: created.and_then(|created| entry::end(created, written.ttl_days.unwrap_or(0))),
            category: written.category,
            superseded_by: said(written.superseded_by).map(|id| (&*id).into()),
            confidence: written.confidence.unwrap_or_else(entry::certain),
            importance: written.importance.unwrap_or_else(entry::usual),
            verified_count: written.verified_count.unwrap_or(0),
            tags: words.all(written.tags.as_ref()),
            applicability: words.all(written.applicability.as_ref()),
            domain,
            shared: written.shared.unwrap_or(false),
            visibility,
            classification,
            supersedes: said(written.supersedes).map(|id| (&*id).into()),
            line: line.number,
            span: Span { at: line.at, length: line.bytes.len() as u64 },
        };
        Ok((card, sense))
    }

    /// Another entry took its place.
    pub(super) fn give_way(&mut self, to: &Arc<str>) {
        (self.superseded_by, self.confidence) = (Some(Arc::clone(to)), 0.0);
    }

    /// Whether no other entry took its place.
    pub(super) fn is_live(&self) -> bool {
        self.superseded_by.is_none()
    }

    /// Whether its days are over.
    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|end| now > end)
    }

    /// Whether it is to be told now, to those who may read it.
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        self.is_live() && !self.is_expired(now)
    }

    /// Whether it belongs to `category`; what corrects something is a correction too, whatever it is about.
    pub(super) fn is_of(&self, category: Category) -> bool {
        self.category == category || category == Category::Correction && self.supersedes.is_some()
    }

    /// Whether it is what came of a run.
    pub(super) fn is_outcome(&self) -> bool {
        self.tags.iter().any(|tag| **tag == *outcome::TAG)
    }

    /// Its confidence now: half of it is left after `half_life_days`, and all of it for ever when that is 0 or less.
    pub(super) fn confidence_at(&self, now: Timestamp, half_life_days: f64) -> f64 {
        let age = if self.is_dated() { days(self.created, now) } else { 0.0 };
        if half_life_days <= 0.0 || age <= 0.0 {
            return self.confidence;
        }
        self.confidence * (-age / half_life_days).exp2()
    }

    /// How sure it is, see [`sureness`].
    pub(super) fn sureness(&self, half_life_days: f64) -> f64 {
        sureness(self.confidence, self.is_dated().then_some(self.created), half_life_days)
    }

    /// What an entry is worth keeping, before it counts how sure it is: what was said to be important and was found to be
    /// so again stays, however old it is.
    pub(super) fn weight(&self) -> i64 {
        self.importance.clamp(0, 5) * 2 + self.verified_count.clamp(0, MOST_WEIGHT - 10)
    }

    fn is_dated(&self) -> bool {
        self.created > Timestamp::UNIX_EPOCH
    }
}

/// A number for a confidence that something had at a moment. These are in the order of confidences at any moment: all fade
/// alike, so that of two the same is always surer. What nobody dated does not fade.
pub(super) fn sureness(confidence: f64, at: Option<Timestamp>, half_life_days: f64) -> f64 {
    if half_life_days <= 0.0 {
        return confidence;
    }
    let fades_from = at.map_or(1e9, |at| days(Timestamp::UNIX_EPOCH, at));
    confidence.max(0.0).log2() + fades_from / half_life_days
}

/// A text that says something.
fn said(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    text.map(|Text(text)| text).filter(|text| !text.is_empty())
}

fn days(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() / 86_400.0
}

/// A number that two entries have in common when they say the same to the same readers; hardly any others do.
fn sense<'w>(
    category: Category,
    classification: Classification,
    visibility: Visibility,
    content: &str,
    domain: impl Iterator<Item = &'w str>,
) -> u64 {
    let mut hasher = DefaultHasher::new();
    (category, classification, visibility, content.trim()).hash(&mut hasher);
    domain.for_each(|word| word.hash(&mut hasher));
    hasher.finish()
}

/// The same of an entry.
pub(super) fn sense_of(entry: &Entry) -> u64 {
    let domain = entry.domain.iter().map(String::as_str);
    sense(entry.category, entry.classification, entry.visibility, &entry.content, domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(text: &str) -> Result<(Card, u64), serde_json::Error> {
        Card::read(Line { number: 1, at: 0, bytes: text.as_bytes() }, &mut Words::default())
    }

    /// What is a card is an entry, and the other way round; both say the same.
    #[track_caller]
    fn check(text: &str) {
        let (read, entry) = (card(text), serde_json::from_str::<Entry>(text));
        assert_eq!(read.is_ok(), entry.is_ok(), "{text}: {read:?} {entry:?}");
        let (Ok((card, sense)), Ok(entry)) = (read, entry) else { return };
        assert_eq!((&*card.id, &*card.employee, sense), (&*entry.id, &*entry.employee, sense_of(&entry)));
        assert_eq!((card.created, card.is_live()), (entry.created(), entry.is_live()), "{text}");
        for moment in ["2025-12-31T00:00:00Z", "2026-01-31T00:00:00Z", "2027-01-01T00:00:00Z"] {
            let now = moment.parse().unwrap();
            assert_eq!(card.is_expired(now), entry.is_expired(now), "{text}");
        }
        assert_eq!(card.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), entry.tags);
        assert_eq!((card.importance, card.confidence), (entry.importance, entry.confidence), "{text}");
        assert_eq!(
            (card.category, card.supersedes.is_some()),
            (entry.category, !entry.supersedes.is_empty()),
            "{text}"
        );
    }

    #[test]
    fn a_card_is_what_its_entry_is() {
        let rest = r#""category":"finding","content":" a\n\"长\" ""#;
        for more in [
            "",
            r#","employee":"ann","created_at":"2026-01-01T00:00:00","source_session":"","confidence":0.5,"superseded_by":"x""#,
            r#","created_at":"2026-01-01T08:00:00+08:00","ttl_days":30,"importance":5,"tags":["a","b\n"]"#,
            r#","tags":null,"confidence":null,"visibility":null,"domain":null,"importance":null,"supersedes":null"#,
            r#","visibility":"private","classification":"restricted","domain":["pay"],"supersedes":"y"}"#,
            r#","created_at":"yesterday","ttl_days":1"#,
            r#","extra":{"a":[1]},"q_value":0.7"#,
            r#","classification":"secret""#,
            r#","tags":"a""#,
            r#","keywords":[1]"#,
            r#","linked_memories":{}"#,
            r#","importance":1.5"#,
            r#","last_accessed":3"#,
            r#","ttl_days":99999999999999999"#,
        ] {
            check(&format!(r#"{{"id":"1",{rest}{more}}}"#));
        }
        for text in
            [r#"{"id":null,"category":"finding","content":"x"}"#, "[]", "{", r#"{"id":"1"}"#, "\u{feff}{}"]
        {
            check(text);
        }
    }

    #[test]
    fn confidence_halves() {
        let (card, _) =
            card(r#"{"id":"1","created_at":"2026-01-01T00:00:00","category":"finding","content":"x"}"#)
                .unwrap();
        let later: Timestamp = "2026-06-30T00:00:00Z".parse().unwrap();
        assert!((card.confidence_at(later, 90.0) - 0.25).abs() < 1e-9);
        assert!((card.confidence_at(later, 0.0) - 1.0).abs() < 1e-9);
        let earlier = "2025-01-01T00:00:00Z".parse().unwrap();
        assert!((card.confidence_at(earlier, 90.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn of_two_the_same_is_always_surer() {
        let of = |created: &str, confidence: f64| {
            let text = format!(
                r#"{{"id":"1","created_at":"{created}","category":"finding","content":"x","confidence":{confidence}}}"#
            );
            card(&text).unwrap().0
        };
        let cards = [
            of("2026-01-01T00:00:00Z", 1.0),
            of("2026-03-01T00:00:00Z", 0.7),
            of("2026-03-02T00:00:00Z", 0.2),
            of("2025-01-01T00:00:00Z", 1.0),
            of("2026-03-03T00:00:00Z", 0.0),
            of("", 0.9),
        ];
        for moment in ["2026-03-03T00:00:00Z", "2026-12-01T00:00:00Z"] {
            let now = moment.parse().unwrap();
            for (a, b) in cards.iter().flat_map(|a| cards.iter().map(move |b| (a, b))) {
                let fading = a.confidence_at(now, 90.0).total_cmp(&b.confidence_at(now, 90.0));
                assert_eq!(a.sureness(90.0).total_cmp(&b.sureness(90.0)), fading, "{a:?} {b:?}");
                let lasting = a.confidence_at(now, 0.0).total_cmp(&b.confidence_at(now, 0.0));
                assert_eq!(a.sureness(0.0).total_cmp(&b.sureness(0.0)), lasting);
            }
        }
    }
}
