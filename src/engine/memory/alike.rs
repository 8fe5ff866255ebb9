//! How alike two texts are.

use std::collections::HashSet;

/// Texts this alike say the same, unless the difference is one that matters.
const SAME: f64 = 0.8;
/// Texts this alike are about the same.
const RELATED: f64 = 0.4;
/// Words that turn what is said into its opposite.
const OPPOSITE: [&str; 9] = ["no", "not", "never", "none", "without", "cannot", "don", "doesn", "isn"];
/// The same as characters within words.
const OPPOSITE_WIDE: [char; 8] = ['不', '没', '無', '无', '未', '勿', '别', '非'];
/// Letters of a text that are looked at.
const LOOKED_AT: usize = 4000;

/// The words of a text: those of letters and digits as they are, and of Chinese and its like each pair of characters.
pub(super) fn words(text: &str) -> HashSet<String> {
    let mut words = HashSet::new();
    let (mut word, mut before) = (String::new(), None);
    let mut end = |word: &mut String| {
        if !word.is_empty() {
            words.insert(std::mem::take(word));
        }
    };
    let mut pairs = Vec::new();
    for letter in text.chars().take(LOOKED_AT) {
        if is_wide(letter) {
            end(&mut word);
            pairs.push(before.map_or_else(|| letter.to_string(), |before| [before, letter].iter().collect()));
            before = Some(letter);
        } else {
            before = None;
            if letter.is_alphanumeric() {
                word.extend(letter.to_lowercase());
            } else {
                end(&mut word);
            }
        }
    }
    end(&mut word);
    words.extend(pairs);
    words
}

/// Whether a script writes words without spaces between them.
fn is_wide(letter: char) -> bool {
    matches!(u32::from(letter), 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF)
}

/// Whether two texts say the same. A number or a `not` more is no small difference.
pub(super) fn says_the_same(a: &HashSet<String>, b: &HashSet<String>) -> bool {
    let matters = |word: &String| {
        word.contains(|letter: char| letter.is_numeric() || OPPOSITE_WIDE.contains(&letter))
            || OPPOSITE.contains(&word.as_str())
    };
    likeness(a, b) >= SAME && !a.symmetric_difference(b).any(matters)
}

/// Whether two texts are about the same.
pub(super) fn are_related(a: &HashSet<String>, b: &HashSet<String>) -> bool {
    likeness(a, b) >= RELATED
}

/// How much two sets of words have in common, from 0 to 1.
fn likeness(a: &HashSet<String>, b: &HashSet<String>) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let common = a.intersection(b).count();
    #[expect(clippy::cast_precision_loss, reason = "a count of words")]
    let share = common as f64 / (a.len() + b.len() - common) as f64;
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(a: &str, b: &str, same: bool, related: bool) {
        let (a, b) = (words(a), words(b));
        assert_eq!((says_the_same(&a, &b), are_related(&a, &b)), (same, related), "{}", likeness(&a, &b));
    }

    #[test]
    fn what_says_the_same_is_alike() {
        check("API 重构需要 3 天", "api 重构需要 3 天。", true, true);
        check("auth.py leaks the token in its log", "auth.py leaks the token in the log", true, true);
        check("数据库连接池的上限是 50", "数据库连接池的上限是 80", false, true);
        check("we do use the cache of the api", "we do not use the cache of the api", false, true);
        check("接口的返回值可以为空，调用方需要检查", "接口的返回值不可以为空，调用方需要检查", false, true);
        check("数据库连接池", "前端样式表太长", false, false);
        check("", "x", false, false);
    }
}
