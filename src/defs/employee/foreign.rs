//! What formats of other programs have in common: front matter that is written more freely than YAML allows.

use super::{
    super::{
        codes,
        diagnostic::Span,
        front_matter::Parts,
        reader::{self, Fields, Text},
        report::Report,
        yaml::{self, Kind, Node, Value},
    },
    header::{LONGEST_DESCRIPTION, is_name, one_line, slug},
};

/// Front matter with more fields than this was not written by a person.
const MOST_FIELDS: usize = 200;

/// Reads front matter. Other programs take `description: Use it when: …` as it is meant, though a colon makes it no
/// YAML; so when the whole cannot be read, each field is read for itself, and what is still no YAML is a text.
pub(super) fn block(parts: &Parts<'_>, report: &mut Report<'_>) -> Option<Node> {
    let fault = match yaml::parse(parts.yaml, parts.yaml_start) {
        Ok(node) => return Some(node),
        Err(fault) => fault,
    };
    let entries = if fault.is_limit { None } else { fields(parts.yaml, parts.yaml_start) };
    let Some(entries) = entries else {
        return reader::block(parts.yaml, parts.yaml_start, report);
    };
    let span = fault.at.unwrap_or(Span { start: parts.yaml_start, end: parts.yaml_start });
    let message = format!("this is not valid YAML: {}; it is read field by field", fault.message);
    report.warning(codes::YAML_SYNTAX, span, message).help("put a text that holds `: ` or `#` in quotes");
    let span = Span { start: parts.yaml_start, end: parts.yaml_start + parts.yaml.len() };
    Some(Node { span, value: Value::Map(entries) })
}

/// The fields of `text` one by one; `None` when it does not begin with one.
fn fields(text: &str, offset: usize) -> Option<Vec<(Node, Node)>> {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(key) = key(line) {
            starts.push((at, key));
        } else if starts.is_empty() && !line.trim().is_empty() && !line.starts_with('#') {
            return None;
        }
        at += line.len();
    }
    if starts.len() > MOST_FIELDS {
        return None;
    }
    let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([text.len()]);
    let entries: Vec<_> = starts
        .iter()
        .zip(ends)
        .filter_map(|((start, key), end)| {
            let block = text.get(*start..end)?;
            if let Ok(Node { value: Value::Map(mut entries), .. }) =
                yaml::parse_unaliased(block, offset + start)
                && entries.len() == 1
            {
                return entries.pop();
            }
            let name = Node {
                span: Span { start: offset + start, end: offset + start + key.len() },
                value: Value::Scalar { text: (*key).to_owned(), kind: Kind::Text },
            };
            let rest = block.get(key.len() + 1..)?;
            let from = start + key.len() + 1 + (rest.len() - rest.trim_start().len());
            let span = Span { start: offset + from, end: offset + from + rest.trim().len() };
            Some((name, Node { span, value: Value::Scalar { text: unquoted(rest), kind: Kind::Text } }))
        })
        .collect();
    (!entries.is_empty()).then_some(entries)
}

/// The key a line begins with.
fn key(line: &str) -> Option<&str> {
    let (key, rest) = line.split_once(':')?;
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    let is_key =
        !key.is_empty() && key.chars().all(fits) && (rest.trim().is_empty() || rest.starts_with(' '));
    is_key.then_some(key)
}

fn unquoted(text: &str) -> String {
    let text = text.trim();
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(text).replace("\\n", "\n").replace("\\\"", "\"")
}

/// What an employee is called after a name that was written for another program, which may allow more: the name, and
/// the name as it was written if that is another.
pub(super) fn name(written: &Text, report: &mut Report<'_>) -> Option<(String, String)> {
    let value = written.value.trim();
    if is_name(value) {
        return Some((value.to_owned(), String::new()));
    }
    let slug = slug(value);
    let shown = value.escape_debug();
    if slug.is_empty() {
        report
            .error(
                codes::INVALID_NAME,
                written.span,
                format!("`{shown}` holds no letter that a name can have"),
            )
            .help("use lower-case letters, digits and inner hyphens");
        return None;
    }
    // A `_` in the name of a file is common, and nobody minds finding it as `-`.
    if value.to_ascii_lowercase().replace(['_', '.'], "-") != slug {
        let message = format!("`{shown}` is no name for an employee; it is found as `{slug}`");
        report.warning(codes::INVALID_NAME, written.span, message);
    }
    Some((slug, value.to_owned()))
}

/// The description, which must be there, on one line.
pub(super) fn description(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = fields.required_text("description", report)?;
    let line = one_line(&text.value);
    let length = line.chars().count();
    if length > LONGEST_DESCRIPTION {
        let message = format!(
            "a description should have at most {LONGEST_DESCRIPTION} characters, this one has {length}"
        );
        report.warning(codes::TOO_LONG, text.span, message);
    }
    Some(line)
}

/// A list of texts, or one text with commas between.
pub(super) fn words(node: &Node) -> Option<Vec<String>> {
    match &node.value {
        Value::List(items) => items
            .iter()
            .map(|item| match &item.value {
                Value::Scalar { text, .. } => Some(text.trim().to_owned()),
                _ => None,
            })
            .collect(),
        Value::Scalar { text, .. } => Some(tokens(text, |letter| letter == ',')),
        _ => None,
    }
}

/// The first entry of a list that is no text.
pub(super) fn odd_entry(node: &Node) -> Option<&Node> {
    let Value::List(items) = &node.value else { return None };
    items.iter().find(|item| !matches!(item.value, Value::Scalar { .. }))
}

/// Names of tools: a list, or one text with commas or blanks between; what is in parentheses stays together.
pub(super) fn tools(node: &Node) -> Option<Vec<String>> {
    match &node.value {
        Value::Scalar { text, .. } => Some(tool_names(text)),
        _ => words(node),
    }
}

/// The same of a text.
pub(super) fn tool_names(text: &str) -> Vec<String> {
    tokens(text, |letter| letter == ',' || letter.is_whitespace())
}

fn tokens(text: &str, ends: impl Fn(char) -> bool) -> Vec<String> {
    let mut tokens = vec![String::new()];
    let mut depth = 0_usize;
    for letter in text.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && ends(letter) {
            tokens.push(String::new());
        } else if let Some(token) = tokens.last_mut() {
            token.push(letter);
        }
    }
    tokens.into_iter().map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()).collect()
}
