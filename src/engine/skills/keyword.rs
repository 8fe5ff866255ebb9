//! Whether a word is in a text.

use unicode_normalization::UnicodeNormalization as _;

use super::gist::is_wide;

/// `text` in the form in which words are looked for: one width, one case, one space between words.
pub(super) fn folded(text: &str) -> String {
    let text: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// Whether `keyword` is in `text`, both folded. Where the keyword begins or ends in a letter or digit of a script that puts
/// spaces between words, the word must begin or end there too: `api` is in `the API的`, and not in `rapid`.
pub(super) fn is_in(keyword: &str, text: &str) -> bool {
    let joins =
        |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() && !is_wide(letter));
    text.match_indices(keyword).any(|(at, found)| {
        let (before, rest) = text.split_at(at);
        let after = rest.strip_prefix(found).unwrap_or_default();
        let begins = joins(found.chars().next()) && joins(before.chars().next_back());
        let ends = joins(found.chars().next_back()) && joins(after.chars().next());
        !begins && !ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(keyword: &str, text: &str, expected: bool) {
        assert_eq!(is_in(&folded(keyword), &folded(text)), expected, "`{keyword}` in `{text}`");
    }

    #[test]
    fn latin_words_are_whole_and_chinese_ones_are_parts() {
        check("api", "Look at the API.", true);
        check("api", "a rapid look", false);
        check("api", "apis", false);
        check("API", "检查api的返回值", true);
        check("限流", "给接口加上限流策略", true);
        check("限流 api", "限流 API", true);
        check("rate limit", "The  Rate\nLimit is 5", true);
        check("rate limit", "rate limits", false);
        check("ＡＰＩ", "the api", true);
        check("C++", "in C++17", true);
        check("c", "in c++", true);
        check("v1", "my_v1_key", true);
        check("STRASSE", "straße", false);
        check("éclair", "un ÉCLAIR", true);
        check("x", "", false);
    }
}
