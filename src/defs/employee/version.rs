//! The version of an employee, and whether it is due to be raised.

use sha2::{Digest as _, Sha256};

use super::{
    super::{
        diagnostic::Source,
        front_matter, reader,
        report::Report,
        yaml::{Node, Value},
    },
    Employee, stored,
};

/// Which number of a version is raised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Bump {
    /// The first.
    Major,
    /// The second.
    Minor,
    /// The third.
    #[default]
    Patch,
}

/// A file with a raised version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bumped {
    /// The version before.
    pub from: String,
    /// The version now.
    pub to: String,
    /// The text of the file.
    pub text: String,
}

/// A hash of everything an employee is, but its version. `parts` are the texts of its instructions, each with the name
/// of its file: to move a sentence from one file to another is a change. 16 digits.
pub fn content_hash<'p>(employee: &Employee, parts: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    let mut fields = stored::telling(employee);
    for name in ["version", "_content_hash", "body", "adaptors"] {
        fields.shift_remove(name);
    }
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    };
    add(&serde_json::Value::Object(fields).to_string());
    for (name, text) in parts {
        add(name);
        add(text);
    }
    let mut digits = hex::encode(hash.finalize());
    digits.truncate(16);
    digits
}

/// Raises the version in the text of an employee's file (Markdown with front matter, or `employee.yaml`) and records
/// `hash`; every other byte stays. `None` when the text is no definition or its version has no number to raise.
pub fn bump(source: &Source, current: &str, by: Bump, hash: &str) -> Option<Bumped> {
    let to = raised(current, by)?;
    let mut report = Report::new(source);
    let is_yaml = source.name.ends_with(".yaml");
    let node = if is_yaml {
        reader::document(source, &mut report)
    } else {
        let parts = front_matter::split(&mut report)?;
        reader::block(parts.yaml, parts.yaml_start, &mut report)
    }?;
    let Value::Map(entries) = &node.value else { return None };
    let mut text = source.text.to_string();
    let mut edits = Vec::new();
    for (key, value) in [("_content_hash", hash), ("version", to.as_str())] {
        edits.push(edit(entries, &text, key, value)?);
    }
    // From the end, so that the places before stay right.
    edits.sort_by_key(|(start, _, _)| std::cmp::Reverse(*start));
    for (start, end, new) in edits {
        text.get(start..end)?;
        text.replace_range(start..end, &new);
    }
    Some(Bumped { from: current.to_owned(), to, text })
}

/// What to put where so that `key` has this value: in place of the value that is there, or in a line of its own before
/// the first field.
fn edit(entries: &[(Node, Node)], text: &str, key: &str, value: &str) -> Option<(usize, usize, String)> {
    let quoted = format!("\"{value}\"");
    let is_key = |node: &Node| matches!(&node.value, Value::Scalar { text, .. } if text == key);
    if let Some((name, node)) = entries.iter().find(|(name, _)| is_key(name)) {
        if node.value == Value::Null || node.span.start == node.span.end {
            let colon = text.get(name.span.end..)?.find(':')? + name.span.end + 1;
            return Some((colon, colon, format!(" {quoted}")));
        }
        return Some((node.span.start, node.span.end, quoted));
    }
    let first = entries.first()?.0.span.start;
    let line = text.get(..first)?.rfind('\n').map_or(0, |end| end + 1);
    // A byte order mark stays the first thing in the file.
    let line = if line == 0 && text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { line };
    let indent = text.get(line..first)?;
    if !indent.trim().is_empty() {
        // `{name: …}` on one line, or something else before the first field.
        return Some((first, first, format!("{key}: {quoted}, ")));
    }
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    Some((line, line, format!("{indent}{key}: {quoted}{end}")))
}

/// `1.0` → `1.0.1`, `2.3.4` → `2.3.5`; what follows the third number goes, as it belonged to the old version.
fn raised(version: &str, by: Bump) -> Option<String> {
    let numbers = version.split(['-', '+']).next()?.trim_start_matches('v');
    let mut parts: Vec<u64> = numbers.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    parts.resize(3, 0);
    let [major, minor, patch] = parts.as_slice() else { return None };
    let is_pre_release = version.contains('-');
    Some(match by {
        Bump::Major => format!("{}.0.0", major.checked_add(1)?),
        Bump::Minor => format!("{major}.{}.0", minor.checked_add(1)?),
        Bump::Patch if is_pre_release => format!("{major}.{minor}.{patch}"),
        Bump::Patch => format!("{major}.{minor}.{}", patch.checked_add(1)?),
    })
}
