//! Questions about text that several floors ask.

/// The candidate a person most likely meant by `word`, if one is close enough to suggest.
///
/// Closeness is Jaro-Winkler similarity of the lower-cased words, at least 0.75.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// The first `limit` characters of `text`, with `…` in place of what was cut.
pub fn truncate(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    text.chars().take(limit).chain(['…']).collect()
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
    fn cuts_between_characters() {
        assert_eq!(truncate("代码审查", 2), "代码…");
        assert_eq!(truncate("ab", 2), "ab");
    }
}
