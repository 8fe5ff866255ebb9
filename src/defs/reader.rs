//! Reads typed fields out of a tree, notes what does not fit, and goes on.

use indexmap::{IndexMap, map::Entry};
use serde_json::{Map, Number, Value as Plain};

use super::{
    codes,
    diagnostic::{Source, Span},
    report::Report,
    slip,
    yaml::{self, Kind, Node, Value},
};

/// A text and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) value: String,
    pub(super) span: Span,
}

/// What a key without meaning is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// Likely a mistake.
    Warned,
    /// Too dangerous to pass over.
    Refused,
}

/// Reads a whole source as one YAML document, `None` when that cannot be.
pub(super) fn document(source: &Source, report: &mut Report<'_>) -> Option<Node> {
    // A byte order mark is no part of the text.
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
    block(text, source.text.len() - text.len(), report)
}

/// Reads a part of a source, which starts at `offset`, as one YAML document.
pub(super) fn block(text: &str, offset: usize, report: &mut Report<'_>) -> Option<Node> {
    match yaml::parse(text, offset) {
        Ok(node) => Some(node),
        Err(fault) => {
            let message = format!("this is not valid YAML: {}", fault.message);
            let draft = match fault.at {
                Some(span) => report.error(codes::YAML_SYNTAX, span, message),
                None => report.error_in_file(codes::YAML_SYNTAX, message),
            };
            slip::explain(draft, &fault, text, offset);
            None
        }
    }
}

/// The fields of one map. `what` says what the map describes, with its article: "a step".
pub(super) struct Fields<'n> {
    what: &'static str,
    place: Span,
    entries: IndexMap<&'n str, (Span, &'n Node)>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The fields of `node`, `None` when it is no map.
    pub(super) fn of(node: &'n Node, what: &'static str, report: &mut Report<'_>) -> Option<Self> {
        let Value::Map(pairs) = &node.value else {
            let message = match node.value {
                Value::Null => format!("{what} must be a map of fields, but there is nothing"),
                _ => format!("{what} must be a map of fields, not {}", node.describe()),
            };
            let draft = report.error(codes::WRONG_TYPE, node.span, message);
            if let Value::Scalar { text, .. } = &node.value
                && slip::has_wide_colon(text)
            {
                draft.help(slip::WIDE_COLON);
            }
            return None;
        };
        let place = pairs.first().map_or(node.span, |(key, _)| key.span);
        let mut entries = IndexMap::new();
        for (key, value) in pairs {
            let Value::Scalar { text, .. } = &key.value else {
                report.error(
                    codes::INVALID_KEY,
                    key.span,
                    format!("a key must be a text, not {}", key.describe()),
                );
                continue;
            };
            match entries.entry(text.as_str()) {
                Entry::Vacant(vacant) => {
                    vacant.insert((key.span, value));
                }
                Entry::Occupied(first) => {
                    let (first, _) = *first.get();
                    report
                        .error(codes::DUPLICATE_KEY, key.span, format!("`{text}` is written twice"))
                        .label("again here")
                        .also(first, "first here");
                }
            }
        }
        Some(Self { what, place, entries, known: Vec::new() })
    }

    /// Every key with its value, `null` among them.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'n str, &'n Node)> {
        self.entries.iter().map(|(key, (_, node))| (*key, *node))
    }

    /// A place to point at when something is not there.
    pub(super) fn place(&self) -> Span {
        self.place
    }

    /// The place of a key.
    pub(super) fn key(&self, key: &str) -> Option<Span> {
        self.entries.get(key).map(|(span, _)| *span)
    }

    /// A value; `null` counts as absent.
    pub(super) fn get(&mut self, key: &'static str) -> Option<&'n Node> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let (_, node) = self.entries.get(key)?;
        (node.value != Value::Null).then_some(*node)
    }

    /// A value, as [`Fields::get`], without counting the key among those that are known.
    pub(super) fn peek(&self, key: &str) -> Option<&'n Node> {
        let (_, node) = self.entries.get(key)?;
        (node.value != Value::Null).then_some(*node)
    }

    /// A value that must be there.
    pub(super) fn require(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() {
            let place = self.key(key).unwrap_or(self.place);
            report.error(codes::MISSING_FIELD, place, format!("{} needs `{key}`", self.what));
        }
        found
    }

    /// A text; numbers, dates and `yes` are taken as they are written.
    pub(super) fn text(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<Text> {
        text(self.get(key)?, key, report)
    }

    /// A text that must be there and hold more than white space.
    pub(super) fn required_text(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<Text> {
        let text = text(self.require(key, report)?, key, report)?;
        if text.value.trim().is_empty() {
            report.error(codes::MISSING_FIELD, text.span, format!("`{key}` is empty"));
            return None;
        }
        Some(text)
    }

    /// A text, trimmed, or nothing.
    pub(super) fn string(&mut self, key: &'static str, report: &mut Report<'_>) -> String {
        self.optional(key, report).unwrap_or_default()
    }

    /// A text, trimmed, when there is more to it than white space.
    pub(super) fn optional(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<String> {
        let value = self.text(key, report)?.value.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    /// A yes-or-no value.
    pub(super) fn flag(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<bool> {
        let node = self.get(key)?;
        if let Value::Scalar { text, kind } = &node.value {
            let meant = match (kind, text.to_lowercase().as_str()) {
                (Kind::Bool(value), _) => Some(*value),
                (Kind::Text, "true" | "yes" | "on") => Some(true),
                (Kind::Text, "false" | "no" | "off") => Some(false),
                _ => None,
            };
            if meant.is_some() {
                return meant;
            }
        }
        report.error(
            codes::WRONG_TYPE,
            node.span,
            format!("`{key}` must be `true` or `false`, not {}", node.describe()),
        );
        None
    }

    /// A whole number within `range`.
    pub(super) fn whole(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<u32>,
        report: &mut Report<'_>,
    ) -> Option<u32> {
        let node = self.get(key)?;
        let number = match &node.value {
            Value::Scalar { text, .. } => text.trim().parse::<u32>().ok(),
            _ => None,
        };
        if number.is_none_or(|number| !range.contains(&number)) {
            let (first, last) = (range.start(), range.end());
            let message = match &node.value {
                Value::Scalar { text, .. } => {
                    let text = text.trim().escape_debug();
                    format!("`{key}` must be a whole number from {first} to {last}, not `{text}`")
                }
                _ => {
                    format!("`{key}` must be a whole number from {first} to {last}, not {}", node.describe())
                }
            };
            report.error(codes::INVALID_VALUE, node.span, message);
            return None;
        }
        number
    }

    /// A number within `range`.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<f64>,
        report: &mut Report<'_>,
    ) -> Option<f64> {
        let text = self.text(key, report)?;
        let number = text.value.trim().parse::<f64>().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let message = format!(
                "`{key}` must be a number from {} to {}, not `{}`",
                range.start(),
                range.end(),
                text.value.trim().escape_debug()
            );
            report.error(codes::INVALID_VALUE, text.span, message);
        }
        number
    }

    /// One of `words`, by its place in the list.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        what: &str,
        words: &[(&'static str, T)],
        report: &mut Report<'_>,
    ) -> Option<T> {
        let text = self.text(key, report)?;
        let word = text.value.trim();
        let found = words.iter().find(|(known, _)| *known == word).map(|(_, meant)| *meant);
        if found.is_none() {
            let message = format!("there is no {what} `{}`", word.escape_debug());
            report
                .error(codes::INVALID_VALUE, text.span, message)
                .suggest(word, words.iter().map(|(word, _)| *word));
        }
        found
    }

    /// A list, empty when absent.
    pub(super) fn list(&mut self, key: &'static str, report: &mut Report<'_>) -> &'n [Node] {
        let Some(node) = self.get(key) else { return &[] };
        if let Value::List(items) = &node.value {
            return items;
        }
        let draft = report.error(
            codes::WRONG_TYPE,
            node.span,
            format!("`{key}` must be a list, not {}", node.describe()),
        );
        if let Value::Scalar { text, .. } = &node.value
            && text.chars().count() <= 40
            && !text.contains(['\n', ',', ':', '['])
        {
            draft.help(format!("write `{key}: [{}]`", text.trim()));
        }
        &[]
    }

    /// A list of texts, empty ones left out.
    pub(super) fn texts(&mut self, key: &'static str, report: &mut Report<'_>) -> Vec<Text> {
        let items = self.list(key, report);
        items
            .iter()
            .filter_map(|item| text_in(item, key, report))
            .filter(|text| !text.value.is_empty())
            .collect()
    }

    /// The same without their places.
    pub(super) fn strings(&mut self, key: &'static str, report: &mut Report<'_>) -> Vec<String> {
        self.texts(key, report).into_iter().map(|text| text.value).collect()
    }

    /// A map of texts; `null` stands for the empty text.
    pub(super) fn text_map(&mut self, key: &'static str, report: &mut Report<'_>) -> IndexMap<String, Text> {
        let Some(node) = self.get(key) else { return IndexMap::new() };
        if !matches!(node.value, Value::Map(_)) {
            let message = format!("`{key}` must be a map of names and values, not {}", node.describe());
            report.error(codes::WRONG_TYPE, node.span, message);
            return IndexMap::new();
        }
        let Some(fields) = Fields::of(node, "`args`", report) else { return IndexMap::new() };
        let mut texts = IndexMap::new();
        for (name, (_, value)) in fields.entries {
            let text = match &value.value {
                Value::Null => Some(Text { value: String::new(), span: value.span }),
                _ => text(value, name, report),
            };
            if let Some(text) = text {
                texts.insert(name.to_owned(), text);
            }
        }
        texts
    }

    /// Every field that nobody has asked for so far, as plain values.
    pub(super) fn rest(&self) -> Map<String, Plain> {
        let unasked = self.entries.iter().filter(|(key, _)| !self.known.contains(key));
        unasked.map(|(key, (_, node))| ((*key).to_owned(), plain(node))).collect()
    }

    /// Notes every key that nobody asked for and that looks like one of `names`, as it is likely misspelt.
    pub(super) fn finish_leniently(self, names: &[&'static str], report: &mut Report<'_>) {
        // A person writes fewer fields, and comparing words takes time.
        for (key, (span, _)) in self.entries.iter().take(200) {
            if self.known.contains(key) || names.contains(key) || key.len() > 64 {
                continue;
            }
            let known = self.known.iter().chain(names).copied();
            if known.clone().any(|name| strsim::osa_distance(name, key) == 1) {
                report
                    .warning(codes::UNKNOWN_FIELD, *span, format!("{} has no field `{key}`", self.what))
                    .suggest(key, known);
            }
        }
    }

    /// Notes every key that nobody asked for, save those in `silent`.
    pub(super) fn finish(self, unknown: Unknown, silent: &[&str], report: &mut Report<'_>) {
        #[cfg(test)]
        asked::note(self.what, &self.known);
        for (key, (span, _)) in &self.entries {
            if self.known.contains(key) || silent.contains(key) {
                continue;
            }
            let message = format!("{} has no field `{key}`", self.what);
            let draft = match unknown {
                Unknown::Warned => report.warning(codes::UNKNOWN_FIELD, *span, message),
                Unknown::Refused => report.error(codes::UNKNOWN_FIELD, *span, message),
            };
            draft.suggest(key, self.known.iter().copied());
        }
    }
}

/// A scalar as text.
pub(super) fn text(node: &Node, name: &str, report: &mut Report<'_>) -> Option<Text> {
    if let Value::Scalar { text, .. } = &node.value {
        return Some(Text { value: text.clone(), span: node.span });
    }
    report.error(codes::WRONG_TYPE, node.span, format!("`{name}` must be a text, not {}", node.describe()));
    None
}

/// A scalar in a list, as trimmed text.
fn text_in(node: &Node, list: &str, report: &mut Report<'_>) -> Option<Text> {
    match &node.value {
        Value::Scalar { text, .. } => Some(Text { value: text.trim().to_owned(), span: node.span }),
        Value::Null => None,
        _ => {
            let message = format!("an entry of `{list}` must be a text, not {}", node.describe());
            report.error(codes::WRONG_TYPE, node.span, message);
            None
        }
    }
}

/// A value without its place. A number that a computer would write otherwise (`1.10`) becomes a text.
pub(super) fn plain(node: &Node) -> Plain {
    match &node.value {
        Value::Null => Plain::Null,
        Value::Scalar { kind: Kind::Bool(value), .. } => Plain::Bool(*value),
        Value::Scalar { text, kind: Kind::Number } => {
            number(text).map_or_else(|| text.clone().into(), Plain::Number)
        }
        Value::Scalar { text, .. } => Plain::String(text.clone()),
        Value::List(items) => items.iter().map(plain).collect(),
        Value::Map(entries) => {
            let name = |key: &Node| match &key.value {
                Value::Scalar { text, .. } => text.clone(),
                _ => plain(key).to_string(),
            };
            Plain::Object(entries.iter().map(|(key, value)| (name(key), plain(value))).collect())
        }
    }
}

fn number(text: &str) -> Option<Number> {
    let whole = text.parse::<i64>().ok().map(Number::from);
    let number = whole.or_else(|| text.parse().ok().and_then(Number::from_f64))?;
    (number.to_string() == text).then_some(number)
}

/// Longest name that people give to what is no employee, in characters.
const LONGEST_NAME: usize = 128;

/// Checks the name of something, which stands in lists and in messages: one line, and not too long. `what` says what it
/// names, with its article.
pub(super) fn check_name(name: &Text, what: &str, report: &mut Report<'_>) {
    let value = name.value.trim();
    if value.chars().any(char::is_control) {
        report.error(codes::INVALID_NAME, name.span, format!("the name of {what} is one line of text"));
    } else if value.chars().count() > LONGEST_NAME {
        let message = format!("the name of {what} has at most {LONGEST_NAME} characters");
        report.error(codes::TOO_LONG, name.span, message);
    }
}

/// The place of `written` in the source, or that of the whole text when it cannot be told.
pub(super) fn locate(text: &Text, written: &str, report: &Report<'_>) -> Span {
    if report.is_full() {
        return text.span;
    }
    let source = report.source().text.get(text.span.start..text.span.end).unwrap_or_default();
    match source.find(written) {
        Some(at) => Span { start: text.span.start + at, end: text.span.start + at + written.len() },
        None => text.span,
    }
}

/// Notes a `$name` of which nobody can tell where it ends.
pub(super) fn open_name(written: &str, place: Span, more: &str, report: &mut Report<'_>) {
    let name = written.trim_start_matches('$');
    let message = format!("`{written}` may stay as it is: where its name ends cannot be told");
    let help = format!("put the name in braces, as in `${{{name}}}`");
    let help = if more.is_empty() { help } else { format!("{help}, {more}") };
    report.warning(codes::UNKNOWN_PLACEHOLDER, place, message).help(help);
}

/// Which keys were asked for while something was read, so that tests can compare them with a schema.
#[cfg(test)]
pub(super) mod asked {
    use std::{
        cell::RefCell,
        collections::{BTreeMap, BTreeSet},
    };

    /// Keys by what they describe.
    pub(in crate::defs) type Asked = BTreeMap<&'static str, BTreeSet<&'static str>>;

    thread_local! {
        static ASKED: RefCell<Asked> = const { RefCell::new(BTreeMap::new()) };
    }

    pub(super) fn note(what: &'static str, keys: &[&'static str]) {
        ASKED.with_borrow_mut(|asked| asked.entry(what).or_default().extend(keys));
    }

    /// What was asked for in this thread since this was called last.
    pub(in crate::defs) fn take() -> Asked {
        ASKED.take()
    }
}
