//! What may be said about an entry, and within which bounds.

use jiff::Timestamp;

use super::{Category, Classification, Entry, Error, Visibility, feedback::Rating};

/// Longest content, in characters.
pub const LONGEST_CONTENT: usize = 20_000;
/// Longest tag, keyword or domain, in characters.
const LONGEST_WORD: usize = 50;
/// Most tags, keywords, domains and the like, each.
const MOST_WORDS: usize = 20;
/// Longest name of a source and longest condition, in characters.
const LONGEST_LINE: usize = 500;
/// Most days an entry can be given; a hundred years.
const MOST_DAYS: i64 = 36_500;

/// An entry to be added.
#[derive(Debug, Clone)]
pub struct New {
    /// What kind of memory it is.
    pub category: Category,
    /// What is remembered.
    pub content: String,
    /// What it comes from.
    pub source_session: String,
    /// What else is to be said about it.
    pub traits: Traits,
}

/// Changes to an entry.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    /// Another kind.
    pub category: Option<Category>,
    /// Another wording of the same; what was wrong is corrected instead.
    pub content: Option<String>,
    /// What else is said about it.
    pub traits: Traits,
    /// Whether it was useful.
    pub rating: Option<Rating>,
}

/// What can be said about an entry; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Traits {
    /// From 0 to 1.
    pub confidence: Option<f64>,
    /// From 1 to 5.
    pub importance: Option<i64>,
    /// How many days it holds; 0 for ever.
    pub ttl_days: Option<i64>,
    /// For grouping and finding.
    pub tags: Option<Vec<String>>,
    /// Words it is found by.
    pub keywords: Option<Vec<String>>,
    /// How far it may be told.
    pub classification: Option<Classification>,
    /// For what is restricted: to whom.
    pub domain: Option<Vec<String>>,
    /// Whether only its owner may read it.
    pub visibility: Option<Visibility>,
    /// Whether other employees may be told of it.
    pub shared: Option<bool>,
    /// When it is worth remembering.
    pub trigger_condition: Option<String>,
    /// For whom it is worth remembering.
    pub applicability: Option<Vec<String>>,
}

impl New {
    /// An entry about which nothing else is said.
    pub fn of(category: Category, content: impl Into<String>) -> Self {
        Self { category, content: content.into(), source_session: String::new(), traits: Traits::default() }
    }

    /// The entry, for the memory of `employee`.
    ///
    /// # Errors
    /// [`Error::Unfit`] when something is out of bounds.
    pub(super) fn entry(&self, employee: &str, now: Timestamp) -> Result<Entry, Error> {
        let mut entry = Entry::new(employee, self.category, content(&self.content)?, now);
        entry.source_session = line("source_session", &self.source_session)?;
        self.traits.apply(&mut entry)?;
        Ok(entry)
    }
}

impl Patch {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.category.is_none()
            && self.content.is_none()
            && self.rating.is_none()
            && self.traits == Traits::default()
    }

    /// Changes `entry`.
    ///
    /// # Errors
    /// [`Error::Unfit`] when something is out of bounds.
    pub(super) fn apply(&self, entry: &mut Entry) -> Result<(), Error> {
        if let Some(text) = &self.content {
            content(text)?.clone_into(&mut entry.content);
        }
        entry.category = self.category.unwrap_or(entry.category);
        if let Some(rating) = &self.rating {
            rating.apply(entry);
        }
        self.traits.apply(entry)
    }
}

impl Traits {
    fn apply(&self, entry: &mut Entry) -> Result<(), Error> {
        if let Some(confidence) = self.confidence {
            if !(0.0..=1.0).contains(&confidence) {
                return Err(Error::Unfit(format!(
                    "`confidence` must be a number from 0 to 1, not {confidence}"
                )));
            }
            entry.confidence = confidence;
        }
        entry.importance = whole("importance", self.importance, 1, 5)?.unwrap_or(entry.importance);
        entry.ttl_days = whole("ttl_days", self.ttl_days, 0, MOST_DAYS)?.unwrap_or(entry.ttl_days);
        if let Some(given) = &self.tags {
            entry.tags = tags(given)?;
        }
        for (name, given, place) in [
            ("keywords", &self.keywords, &mut entry.keywords),
            ("domain", &self.domain, &mut entry.domain),
            ("applicability", &self.applicability, &mut entry.applicability),
        ] {
            if let Some(given) = given {
                *place = words(name, given)?;
            }
        }
        entry.classification = self.classification.unwrap_or(entry.classification);
        entry.visibility = self.visibility.unwrap_or(entry.visibility);
        // A pattern is there to be shared.
        entry.shared = self.shared.unwrap_or(entry.shared || entry.category == Category::Pattern);
        if let Some(condition) = &self.trigger_condition {
            entry.trigger_condition = line("trigger_condition", condition)?;
        }
        if entry.shared && entry.visibility == Visibility::Private {
            return Err(Error::Unfit("a private memory cannot be shared; make it `open` first".to_owned()));
        }
        Ok(())
    }
}

/// What is remembered, within its bounds.
pub(super) fn content(text: &str) -> Result<&str, Error> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 {
        return Err(Error::Unfit("`content` is empty; write what is to be remembered".to_owned()));
    }
    if length > LONGEST_CONTENT {
        return Err(Error::Unfit(format!(
            "`content` has {length} characters; at most {LONGEST_CONTENT} are kept, so write the gist of it"
        )));
    }
    Ok(text)
}

fn whole(name: &str, given: Option<i64>, least: i64, most: i64) -> Result<Option<i64>, Error> {
    match given {
        Some(number) if !(least..=most).contains(&number) => {
            Err(Error::Unfit(format!("`{name}` must be a whole number from {least} to {most}, not {number}")))
        }
        given => Ok(given),
    }
}

/// A text of one line.
pub(super) fn line(name: &str, text: &str) -> Result<String, Error> {
    let text = text.trim();
    if text.chars().count() > LONGEST_LINE || text.contains(char::is_control) {
        return Err(Error::Unfit(format!(
            "`{name}` must be one line of at most {LONGEST_LINE} characters, without control characters"
        )));
    }
    Ok(text.to_owned())
}

fn words(name: &str, given: &[String]) -> Result<Vec<String>, Error> {
    let mut words: Vec<String> = Vec::new();
    for word in given.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
        if word.chars().count() > LONGEST_WORD || word.contains(char::is_control) {
            return Err(Error::Unfit(format!(
                "each of `{name}` must have at most {LONGEST_WORD} characters, none of them a control character"
            )));
        }
        if !words.iter().any(|known| known == word) {
            words.push(word.to_owned());
        }
    }
    if words.len() > MOST_WORDS {
        return Err(Error::Unfit(format!("`{name}` has {}; at most {MOST_WORDS} are kept", words.len())));
    }
    Ok(words)
}

/// Tags in one form: lower-case, words joined by `-`, each once, in order.
pub(super) fn tags(given: &[String]) -> Result<Vec<String>, Error> {
    let mut tags: Vec<String> = words("tags", given)?.iter().map(|tag| one_tag(tag)).collect();
    if let Some(at) = tags.iter().position(String::is_empty) {
        let tag = given.get(at).map_or("", |tag| tag.trim());
        return Err(Error::Unfit(format!(
            "`{}` is no tag; a tag has letters, digits and `-`",
            tag.escape_debug()
        )));
    }
    tags.sort_unstable();
    tags.dedup();
    Ok(tags)
}

fn one_tag(tag: &str) -> String {
    let mapped = tag.to_lowercase().replace(['_', ' '], "-");
    let kept: String = mapped.chars().filter(|letter| letter.is_alphanumeric() || *letter == '-').collect();
    let parts: Vec<&str> = kept.split('-').filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock;

    #[track_caller]
    fn refused(traits: Traits, expected: &str) {
        let new = New { traits, ..New::of(Category::Finding, "x") };
        let error = new.entry("ann", clock::now()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        refused(Traits { confidence: Some(1.5), ..Traits::default() }, "from 0 to 1, not 1.5");
        refused(Traits { confidence: Some(f64::NAN), ..Traits::default() }, "not NaN");
        refused(Traits { importance: Some(0), ..Traits::default() }, "`importance` must be");
        refused(Traits { ttl_days: Some(-1), ..Traits::default() }, "`ttl_days` must be");
        let many = (0..21).map(|number| format!("t{number}")).collect();
        refused(Traits { tags: Some(many), ..Traits::default() }, "at most 20");
        refused(Traits { keywords: Some(vec!["长".repeat(51)]), ..Traits::default() }, "at most 50");
        refused(Traits { tags: Some(vec!["!!".to_owned()]), ..Traits::default() }, "`!!` is no tag");
        refused(Traits { trigger_condition: Some("a\nb".to_owned()), ..Traits::default() }, "one line");
        let both = Traits { shared: Some(true), visibility: Some(Visibility::Private), ..Traits::default() };
        refused(both, "cannot be shared");
        for text in ["", " \n"] {
            assert!(content(text).is_err());
        }
        assert!(content(&"长".repeat(LONGEST_CONTENT)).is_ok());
        assert!(content(&"长".repeat(LONGEST_CONTENT + 1)).is_err());
    }

    #[test]
    fn tags_have_one_form() {
        let given = ["Code Review", "code_review", "数据库", "a--b", "  "].map(str::to_owned);
        assert_eq!(tags(&given).unwrap(), ["a-b", "code-review", "数据库"]);
    }
}
