//! YAML as a tree that remembers where everything stands.
//!
//! Typed reading stops at the first value that does not fit. A tree can be read to its end, so that a person learns
//! of all mistakes at once, each with its place.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_yaml::{
    Location, NonFiniteFloatPolicy, Options, Spanned,
    options::{AliasLimits, DuplicateKeyPolicy},
};

use super::diagnostic::Span;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) value: Value,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A scalar. `text` is what is written in the file, so `1.10` is not `1.1` and `yes` is not `true`.
    Scalar { text: String, kind: Kind },
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file; a key written twice is here twice.
    Map(Vec<(Node, Node)>),
}

/// What a scalar means to YAML 1.1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Text,
    Bool(bool),
    Number,
}

impl Node {
    /// What it is, in words that fit after "not".
    pub(super) fn describe(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Scalar { kind: Kind::Text, .. } => "a text",
            Value::Scalar { kind: Kind::Bool(_), .. } => "a yes-or-no value",
            Value::Scalar { kind: Kind::Number, .. } => "a number",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// What is in it, if it is a list.
    pub(super) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The keys that are texts and their values, if it is a map.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Self)> {
        let pairs = match &self.value {
            Value::Map(pairs) => pairs.as_slice(),
            _ => &[],
        };
        pairs.iter().filter_map(|(key, value)| match &key.value {
            Value::Scalar { text, .. } => Some((text.as_str(), value)),
            _ => None,
        })
    }

    /// The value under `key`, if it is a map that has one.
    pub(super) fn entry(&self, key: &str) -> Option<&Self> {
        self.entries().find(|(known, _)| *known == key).map(|(_, value)| value)
    }
}

/// Why a text is no YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    /// It may be YAML, but more than is read.
    pub(super) is_limit: bool,
    /// Where reading stopped, if that is known.
    pub(super) at: Option<Span>,
}

/// Most bytes of YAML, in a file of its own or before a Markdown text.
const LONGEST: usize = 256 * 1024;

/// Reads one document out of `text`, which starts `offset` bytes into its source. No document at all is `Null`.
pub(super) fn parse(text: &str, offset: usize) -> Result<Node, Fault> {
    read(text, offset, options())
}

/// The same without aliases: an alias is a fault, so many small texts cannot unfold to much.
pub(super) fn parse_unaliased(text: &str, offset: usize) -> Result<Node, Fault> {
    let mut options = options();
    if let Some(budget) = &mut options.budget {
        budget.max_aliases = 0;
    }
    read(text, offset, options)
}

fn read(text: &str, offset: usize, options: Options) -> Result<Node, Fault> {
    if text.len() > LONGEST {
        let message = format!("it is longer than {} KiB", LONGEST / 1024);
        return Err(Fault { message, is_limit: true, at: None });
    }
    let raw = match serde_yaml::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => raw,
        Err(error) => match error.without_snippet() {
            serde_yaml::Error::Eof { .. } if is_blank(text) => return Ok(nothing(offset)),
            error => return Err(fault(error, text, offset)),
        },
    };
    Ok(Tree { text, offset }.node(raw))
}

/// Limits that a hand-written definition does not come near, while a bomb of aliases is refused at once.
fn options() -> Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_events: 50_000,
            max_nodes: 20_000,
            max_depth: 48,
            flow_nesting_limit: 48,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_recorded_anchor_events: 20_000,
            max_documents: 2,
            max_merge_keys: 200,
        },
        alias_limits: alias_limits(),
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        emit_comments: false,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        ignore_binary_tag_for_string: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

fn alias_limits() -> AliasLimits {
    serde_yaml::alias_limits! {
        max_total_replayed_events: 20_000,
        max_replay_stack_depth: 16,
    }
}

/// Whether there is nothing but comments and document markers.
fn is_blank(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#') || line == "---")
}

fn nothing(offset: usize) -> Node {
    Node { span: Span { start: offset, end: offset }, value: Value::Null }
}

fn fault(error: &serde_yaml::Error, text: &str, offset: usize) -> Fault {
    let message = match error {
        serde_yaml::Error::UnknownAnchor { .. } => {
            "an alias `*…` without its anchor `&…` before it".to_owned()
        }
        serde_yaml::Error::MultipleDocuments { .. } => "a second document begins here".to_owned(),
        error => one_line(&error.render_with_formatter(&serde_yaml::UserMessageFormatter)),
    };
    let at = error.location().map(|location| {
        let start = if location.span().byte_offset().is_some() {
            bytes(location, 0).start.min(text.len())
        } else {
            byte_of(text, location.line(), location.column())
        };
        let width = text.get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        Span { start: offset + start, end: offset + start + width }
    });
    Fault { is_limit: message == TOO_MUCH, message, at }
}

/// Where a line and a column, both from 1 and in characters, are in bytes.
fn byte_of(text: &str, line: u64, column: u64) -> usize {
    let line = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let column = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
    let mut start = 0;
    for piece in text.split_inclusive('\n').take(line) {
        start += piece.len();
    }
    let rest = text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
    start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
}

const TOO_MUCH: &str = "it is too large, too deep, or its aliases unfold to too much";

/// The first line, without the words on where it was found: the place is given as a label.
fn one_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    if line.starts_with("YAML document too large") {
        return TOO_MUCH.to_owned();
    }
    let line = line.split(" at line ").next().unwrap_or(line);
    line.trim().trim_end_matches(['.', ':']).to_owned()
}

fn bytes(location: Location, offset: usize) -> Span {
    let span = location.span();
    let number = |value: Option<u64>| value.and_then(|value| usize::try_from(value).ok()).unwrap_or_default();
    let start = offset + number(span.byte_offset());
    Span { start, end: start + number(span.byte_len()) }
}

/// A tree as serde builds it; places come from [`Spanned`].
enum Raw {
    Null,
    Text(String),
    Bool(bool),
    Number(f64),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "the text of the file is kept; this is a fallback for it")]
    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "the text of the file is kept; this is a fallback for it")]
    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

/// Turns what serde built into nodes.
struct Tree<'a> {
    text: &'a str,
    offset: usize,
}

impl Tree<'_> {
    fn node(&self, raw: Spanned<Raw>) -> Node {
        let mut span = self.fit(bytes(raw.referenced, self.offset));
        // Behind an alias stands what was written elsewhere.
        let written = self.written(self.fit(bytes(raw.defined, self.offset)));
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Text(text) => Value::Scalar { text, kind: Kind::Text },
            Raw::Bool(value) => {
                let text = written.map_or_else(|| value.to_string(), str::to_owned);
                Value::Scalar { text, kind: Kind::Bool(value) }
            }
            Raw::Number(value) => {
                let text = written.map_or_else(|| value.to_string(), str::to_owned);
                Value::Scalar { text, kind: Kind::Number }
            }
            Raw::List(items) => {
                let items: Vec<Node> = items.into_iter().map(|item| self.node(item)).collect();
                span.end = items.iter().map(|item| item.span.end).fold(span.end, usize::max);
                Value::List(items)
            }
            Raw::Map(entries) => {
                let entries: Vec<(Node, Node)> =
                    entries.into_iter().map(|(key, value)| (self.node(key), self.node(value))).collect();
                span.end = entries.iter().map(|(_, value)| value.span.end).fold(span.end, usize::max);
                Value::Map(entries)
            }
        };
        Node { span, value }
    }

    /// The text in the file, of a scalar that is not quoted.
    fn written(&self, span: Span) -> Option<&str> {
        let text = self.text.get(span.start - self.offset..span.end - self.offset)?.trim();
        (!text.is_empty() && !text.starts_with(['"', '\'', '!', '&', '|', '>'])).then_some(text)
    }

    /// The span, kept inside the text and off the white space around it.
    fn fit(&self, span: Span) -> Span {
        let limit = self.offset + self.text.len();
        let start = span.start.clamp(self.offset, limit);
        let end = span.end.clamp(start, limit);
        let kept =
            self.text.get(start - self.offset..end - self.offset).map_or(0, |text| text.trim_end().len());
        Span { start, end: start + kept }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn at(node: &Node, text: &'static str) -> &'static str {
        text.get(node.span.start..node.span.end).unwrap()
    }

    fn show(node: &Node, text: &'static str) -> String {
        let at = at(node, text);
        match &node.value {
            Value::Null => "null".to_owned(),
            Value::Scalar { text, kind } => format!("{text:?} {kind:?} <{at}>"),
            Value::List(items) => items.iter().map(|item| show(item, text)).collect::<Vec<_>>().join("; "),
            Value::Map(entries) => entries
                .iter()
                .map(|(key, value)| format!("{} = {}", show(key, text), show(value, text)))
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }

    #[test]
    fn keeps_what_is_written_and_where() {
        let text = "版本: 1.10\r\nb: yes\nc: 017 # c\nd: 2024-01-02\ne: 12:30:00\nf: 'it''s'\ng: |\n  两\n  行\nh: [x, 0x1F, ~]\ni: 1_000\nj: .nan\nk: 1e400\nl: !!int 5\nm: !!str 7\nn: &a off\no: *a\n";
        let node = parse(text, 0).unwrap();
        insta::assert_snapshot!(show(&node, text), @r#"
        "版本" Text <版本> = "1.10" Number <1.10>
        "b" Text <b> = "yes" Bool(true) <yes>
        "c" Text <c> = "017" Text <017>
        "d" Text <d> = "2024-01-02" Text <2024-01-02>
        "e" Text <e> = "12:30:00" Text <12:30:00>
        "f" Text <f> = "it's" Text <'it''s'>
        "g" Text <g> = "两\n行\n" Text <两
          行>
        "h" Text <h> = "x" Text <x>; "0x1F" Number <0x1F>; null
        "i" Text <i> = "1_000" Text <1_000>
        "j" Text <j> = ".nan" Number <.nan>
        "k" Text <k> = "1e400" Number <1e400>
        "l" Text <l> = "5" Number <5>
        "m" Text <m> = "7" Text <7>
        "n" Bool(false) <n> = "off" Bool(false) <off>
        "o" Text <o> = "off" Bool(false) <*a>
        "#);
    }

    #[test]
    fn places_count_from_the_source() {
        let text = "---\na: b\n";
        let node = parse(text.strip_prefix("---\n").unwrap(), 4).unwrap();
        let Value::Map(entries) = node.value else { panic!("a map") };
        assert_eq!(at(&entries[0].1, text), "b");
    }

    #[test]
    fn nothing_is_null() {
        for text in ["", "\n", "# note\n", "---\n"] {
            assert_eq!(parse(text, 0).unwrap().value, Value::Null, "{text:?}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let faults: Vec<_> =
            ["a: [", "键: b: c", "a:\n\t- x\n\tb: c", "a: *x", "a: 1\n---\nb: 2\n", "a: \"x"]
                .iter()
                .map(|text| {
                    let fault = parse(text, 0).unwrap_err();
                    format!("{text:?}: {} {:?}", fault.message, fault.at.map(|at| (at.start, at.end)))
                })
                .collect();
        insta::assert_snapshot!(faults.join("\n"), @r#"
        "a: [": unclosed bracket '[' Some((3, 4))
        "键: b: c": mapping values are not allowed in this context Some((6, 7))
        "a:\n\t- x\n\tb: c": tabs disallowed within this context (block indentation) Some((4, 5))
        "a: *x": an alias `*…` without its anchor `&…` before it Some((3, 4))
        "a: 1\n---\nb: 2\n": a second document begins here Some((9, 10))
        "a: \"x": unclosed quote Some((3, 4))
        "#);
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            writeln!(bomb, "a{level}: &a{level} [{before}]").unwrap();
        }
        assert!(parse(&bomb, 0).unwrap_err().is_limit);
        parse(&"[".repeat(10_000), 0).unwrap_err();
        parse(&"- ".repeat(10_000), 0).unwrap_err();
        parse(&"? ".repeat(10_000), 0).unwrap_err();
        parse(&"x: 1\n".repeat(15_000), 0).unwrap_err();
        parse(&format!("x: {}", "y".repeat(LONGEST)), 0).unwrap_err();
        parse_unaliased("a: &a 1\nb: *a", 0).unwrap_err();
    }
}
