//! Slips of the pen by which a text is no YAML, or other YAML than was meant: what a parser says of them seldom helps.

use super::{diagnostic::Span, report::Draft, yaml::Fault};

/// What to write in place of a colon as it is in Chinese texts.
pub(super) const WIDE_COLON: &str = "after a key write `: `, not the full-width `：`";
/// What separates Chinese words, and is a letter like any other to YAML.
pub(super) const WIDE_COMMAS: [char; 2] = ['，', '、'];
/// What to write in place of one.
pub(super) const WIDE_COMMA: &str = "between items write `, `, not the full-width `，` or `、`";

/// Says what likely went wrong in `text`, which starts `offset` bytes into its source and is no YAML because of `fault`.
pub(super) fn explain(draft: Draft<'_>, fault: &Fault, text: &str, offset: usize) {
    let at = fault.at.and_then(|span| text.split_at_checked(span.start.saturating_sub(offset)));
    let (before, behind) = at.unwrap_or_default();
    // A bracket that is still open swallows the keys below it, and the fault is only seen at the colon of one.
    if fault.message.contains("placement of ':'")
        && let Some(open) = open_bracket(before)
    {
        let start = offset + open;
        draft.also(Span { start, end: start + 1 }, "this is not closed");
    } else if behind.starts_with(WIDE_COMMAS) {
        draft.help(WIDE_COMMA);
    } else if has_wide_colon(text) {
        draft.help(WIDE_COLON);
    } else if fault.message.starts_with("mapping values") {
        draft.help("a text that holds `: ` goes in quotes");
    } else if fault.message.starts_with("tabs") {
        draft.help("indent with spaces");
    }
}

/// Whether a line looks like `key：value`, which YAML does not take for a key and a value.
pub(super) fn has_wide_colon(text: &str) -> bool {
    text.lines().any(|line| {
        let key = line.trim_start().split('：').next().unwrap_or_default();
        line.contains('：')
            && !key.is_empty()
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    })
}

/// Where the last list or map in brackets begins that `text` does not close. What is in quotes does not count.
fn open_bracket(text: &str) -> Option<usize> {
    let (mut open, mut quote, mut begins) = (Vec::new(), None, true);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(mark), _) if letter == mark => quote = None,
            (None, '"' | '\'') if begins => quote = Some(letter),
            (None, '[' | '{') if begins => open.push(at),
            (None, ']' | '}') => {
                open.pop();
            }
            _ => {}
        }
        // A value begins behind one of these, or behind space that follows it.
        begins = matches!(letter, ':' | '-' | '[' | '{' | ',' | '\n') || (begins && letter == ' ');
    }
    open.pop()
}
