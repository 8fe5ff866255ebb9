//! Questions about text that several floors ask.

/// The candidate a person most likely meant by `word`, if one is close enough to suggest.
///
/// Closeness is Jaro-Winkler similarity of the lower-cased words, at least 0.75; a word of three letters or more that is
/// a part of a candidate is close to it too.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (closeness(&word, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

fn closeness(word: &str, candidate: &str) -> f64 {
    /// What a part counts, so that a misspelling that is nearer goes before it.
    const PART: f64 = 0.8;
    let similar = strsim::jaro_winkler(word, candidate);
    let is_part = word.chars().nth(2).is_some() && candidate.contains(word);
    if is_part { similar.max(PART) } else { similar }
}

/// The first `limit` characters of `text`, with `…` in place of what was cut.
pub fn truncate(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    text.chars().take(limit).chain(['…']).collect()
}

/// `text` on one line, with everything that cannot be seen, or that changes how the rest is seen, written as `\u{…}`: control
/// characters, breaks of lines, marks of direction, tags. So it can be shown to people and to models as what it is.
pub fn visible(text: &str) -> String {
    let hides = |letter: char| {
        letter.is_control()
            || matches!(u32::from(letter),
                0xAD | 0x61C | 0x200B | 0x200E..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0xFEFF | 0xFFF9..=0xFFFB
                | 0xE_0000..=0xE_0FFF)
    };
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            letter if hides(letter) => shown.extend(letter.escape_unicode()),
            letter => shown.push(letter),
        }
    }
    shown
}

/// `text` as a JSON string on one line that can stand in a fence of a prompt: it neither ends the fence nor hides what it says.
pub fn quoted(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    // Three of them in a row would be a fence to a reader who does not look where the line begins.
    visible(&quoted).replace("```", "\\u0060\\u0060\\u0060")
}

/// Whether `text` is written in Chinese: it is as soon as it holds a Han character.
pub fn is_chinese(text: &str) -> bool {
    let han = |c: char| matches!(u32::from(c), 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF);
    text.contains(han)
}

/// An error with what led to it, in one line; what says the same as before is said once.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_was_meant() {
        let names = ["code-reviewer", "test-engineer", "代码审查员"];
        assert_eq!(closest("code-reviwer", names), Some("code-reviewer"));
        assert_eq!(closest("代码审查", names), Some("代码审查员"));
        assert_eq!(closest("zzz", names), None);
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(visible("审查 👩‍💻 naïve"), "审查 👩‍💻 naïve");
        assert_eq!(
            visible("a\nb\0\u{1b}[2J\u{202e}\u{2028}\u{feff}"),
            "a\\nb\\u{0}\\u{1b}[2J\\u{202e}\\u{2028}\\u{feff}"
        );
    }

    #[test]
    fn cuts_between_characters() {
        assert_eq!(truncate("代码审查", 2), "代码…");
        assert_eq!(truncate("ab", 2), "ab");
    }
}
