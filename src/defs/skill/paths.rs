//! Paths that a skill names. What is closed is told where it is written; whoever reads a file looks once more.

use super::super::{
    codes,
    reader::{Fields, Text},
    report::Report,
};

/// A path of plain names, with `/` between them.
pub(super) fn relative(
    key: &'static str,
    fields: &mut Fields<'_>,
    report: &mut Report<'_>,
) -> Option<String> {
    let text = fields.required_text(key, report)?;
    checked(&text, key, report)
}

/// The same of a text that was read.
pub(super) fn checked(text: &Text, key: &str, report: &mut Report<'_>) -> Option<String> {
    let path = text.value.trim().trim_start_matches("./").to_owned();
    let parts = || path.split('/');
    let told = if path.contains(['\\', '\0']) || path.chars().any(char::is_control) {
        "is no path: write names with `/` between them"
    } else if path.starts_with('/') || parts().any(|part| part == "..") || path.contains(':') {
        "leads out of where it is read from"
    } else if parts().any(|part| part.is_empty() || part == ".") {
        "is no path of a file"
    } else if parts().any(|part| part.starts_with('.') || part == "private") {
        "is closed: names that begin with a dot, and `private`, are not read"
    } else {
        return Some(path);
    };
    report.error(codes::CLOSED_PATH, text.span, format!("`{key}` `{}` {told}", path.escape_debug()));
    None
}
