//! Text as the index sees it: words, their parts, and what else they may be looked for by.
//!
//! English is cut to its stems, Chinese to the words of a dictionary and, since dictionaries do not know every name, to
//! pairs of characters. Identifiers are found whole and in parts, however they are written: `snake_case`, `camelCase`,
//! `v1.2`, `src/auth.py`.

use std::sync::LazyLock;

use jieba_rs::Jieba;
use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::{dates, stop::is_stop};

/// Most characters of a text that are looked at; the rest is not found.
const MOST_LETTERS: usize = 100_000;
/// Longest word, in characters; what is longer is no word.
const LONGEST: usize = 64;

/// Most characters without a space that are cut into words at once.
const LONGEST_RUN: usize = 256;

static STEMMER: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::English));
/// The dictionary; loaded when the first Chinese text comes along.
static DICTIONARY: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// As it is looked for.
    pub(super) term: String,
    /// As it was written, when a word like it may be meant: lower case, before its ending was cut.
    pub(super) spelled: Option<String>,
    pub(super) role: Role,
}

/// How a word belongs to its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// It is one of the words that the text consists of.
    Plain,
    /// It is a part of an identifier, which is a word itself.
    Part,
    /// An identifier, beside its parts.
    Whole,
    /// Two characters that stand side by side, or a word within a word.
    Pair,
    /// One character.
    Single,
    /// A day or a month.
    Date,
}

impl Role {
    /// Whether it is one of those that follow each other in the text, and of which the text is as long as it is.
    pub(super) fn is_in_order(self) -> bool {
        matches!(self, Self::Plain | Self::Part)
    }
}

/// The words of `text`, in their order; those that say nothing are left out unless there are no others.
pub(super) fn words(text: &str) -> Vec<Word> {
    let text: String = if text.is_ascii() {
        text.chars().take(MOST_LETTERS).collect()
    } else {
        text.nfkc().take(MOST_LETTERS).collect()
    };
    let mut words = cut(&text, Stops::Without);
    if words.is_empty() {
        words = cut(&text, Stops::With);
    }
    let dates = dates::of_text(&text.to_lowercase());
    words.extend(dates.into_iter().map(|term| Word { term, spelled: None, role: Role::Date }));
    words
}

/// Whether `text` has words, and none of them says anything.
pub(super) fn are_only_stops(text: &str) -> bool {
    let text: String = text.nfkc().take(MOST_LETTERS).collect();
    cut(&text, Stops::Without).is_empty() && !cut(&text, Stops::With).is_empty()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stops {
    With,
    Without,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Of scripts that write no spaces between words.
    Wide,
    Letter,
    /// What holds an identifier together.
    Joint,
    Space,
}

fn kind(letter: char) -> Kind {
    match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' => Kind::Letter,
        _ if is_wide(letter) => Kind::Wide,
        _ if letter.is_alphanumeric() || is_combining_mark(letter) => Kind::Letter,
        '_' | '-' | '.' | '/' | '\\' | ':' | '@' | '\'' | '’' | '+' | '#' => Kind::Joint,
        _ => Kind::Space,
    }
}

fn is_han(letter: char) -> bool {
    matches!(u32::from(letter), 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF)
}

/// Whether a script writes no spaces between words.
pub(in crate::engine) fn is_wide(letter: char) -> bool {
    is_han(letter) || matches!(u32::from(letter), 0x0E00..=0x0E7F | 0x3040..=0x30FF | 0xAC00..=0xD7AF)
}

fn cut(text: &str, stops: Stops) -> Vec<Word> {
    let letters: Vec<char> = text.chars().collect();
    let mut words = Vec::new();
    let mut rest = letters.as_slice();
    while let Some(first) = rest.first() {
        let length = match kind(*first) {
            Kind::Wide => {
                let length = rest.iter().take_while(|letter| is_wide(**letter)).count();
                wide(rest.get(..length).unwrap_or(rest), stops, &mut words);
                length
            }
            Kind::Letter => {
                let length = chunk(rest);
                identifier(rest.get(..length).unwrap_or(rest), stops, &mut words);
                length
            }
            Kind::Joint | Kind::Space => 1,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    words
}

/// How many letters belong together: joints count between letters, and `++` or `#` at the end of a short name.
fn chunk(letters: &[char]) -> usize {
    let mut length = 0;
    while let Some(letter) = letters.get(length) {
        let next = letters.get(length + 1).map(|next| kind(*next));
        match kind(*letter) {
            Kind::Letter => length += 1,
            Kind::Joint if next == Some(Kind::Letter) => length += 1,
            _ => break,
        }
    }
    let ending: String = letters.iter().skip(length).take(3).collect();
    match ending.as_str() {
        _ if length > 2 => length,
        _ if ending.starts_with("++") => length + 2,
        _ if ending.starts_with('#') => length + 1,
        _ => length,
    }
}

/// The words of an identifier, a number or a plain word.
fn identifier(letters: &[char], stops: Stops, words: &mut Vec<Word>) {
    if letters.ends_with(&['+']) || letters.ends_with(&['#']) {
        let term: String = letters.iter().collect::<String>().to_lowercase();
        words.push(Word { term, spelled: None, role: Role::Plain });
        return;
    }
    // What an apostrophe cuts off is no part of a name.
    let names = letters.split(|letter| matches!(letter, '\'' | '’' | '/' | '\\'));
    let mut pieces = Vec::new();
    for name in names {
        let cut = name.split(|letter| kind(*letter) == Kind::Joint).flat_map(humps);
        let before = pieces.len();
        pieces.extend(cut.map(|piece| (piece, Role::Part)));
        match pieces.get_mut(before..) {
            Some([(_, role)]) => *role = Role::Plain,
            _ => push_whole(
                &name.iter().filter(|letter| !matches!(letter, '-' | '_')).collect::<String>(),
                words,
            ),
        }
    }
    if pieces.len() > 1 && letters.iter().any(|letter| matches!(letter, '/' | '\\')) {
        push_whole(&letters.iter().collect::<String>(), words);
    }
    let is_one = pieces.len() == 1;
    for (piece, role) in pieces {
        // Single letters and digits of a longer name say too little.
        if is_one || piece.chars().nth(1).is_some() {
            push_word(&piece, role, stops, words);
        }
    }
}

fn push_whole(whole: &str, words: &mut Vec<Word>) {
    let term = bare(&whole.to_lowercase());
    if term.chars().count() <= LONGEST {
        words.push(Word { term, spelled: None, role: Role::Whole });
    }
}

fn push_word(piece: &str, role: Role, stops: Stops, words: &mut Vec<Word>) {
    let spelled = bare(&piece.to_lowercase());
    if spelled.is_empty()
        || spelled.chars().count() > LONGEST
        || (stops == Stops::Without && is_stop(&spelled))
    {
        return;
    }
    let is_english = spelled.bytes().all(|byte| byte.is_ascii_lowercase());
    let term = if is_english { STEMMER.stem(&spelled).into_owned() } else { spelled.clone() };
    words.push(Word { term, spelled: Some(spelled), role });
}

/// Without accents, so that `café` and `cafe` are one.
fn bare(word: &str) -> String {
    if word.is_ascii() {
        word.to_owned()
    } else {
        word.nfd().filter(|letter| !is_combining_mark(*letter)).nfc().collect()
    }
}

/// `camelCase` and `HTTP2Server` in their pieces.
fn humps(letters: &[char]) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| letters.get(before));
        let next = letters.get(at + 1);
        let begins = before.is_some_and(|before| {
            let hump = letter.is_uppercase()
                && (before.is_lowercase()
                    || next.is_some_and(|next| before.is_uppercase() && next.is_lowercase()));
            hump || before.is_numeric() != letter.is_numeric()
        });
        if begins {
            pieces.push(String::new());
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(*letter);
        }
    }
    pieces
}

/// The words of a run of Chinese or of another script without spaces.
fn wide(letters: &[char], stops: Stops, words: &mut Vec<Word>) {
    let push = |words: &mut Vec<Word>, term: String, role| words.push(Word { term, spelled: None, role });
    let runs = letters.chunk_by(|a, b| is_han(*a) == is_han(*b));
    for run in runs.flat_map(|run| run.chunks(LONGEST_RUN)) {
        let text: String = run.iter().collect();
        let mut known = std::collections::HashSet::new();
        if run.first().is_some_and(|letter| is_han(*letter)) && run.len() > 1 {
            let tokens = DICTIONARY.cut_for_search(&text, true);
            for token in &tokens {
                let inner = tokens.iter().any(|other| {
                    (other.start, other.end) != (token.start, token.end)
                        && other.start <= token.start
                        && token.end <= other.end
                });
                known.insert((token.start, token.end));
                if stops == Stops::Without && is_stop(token.word) {
                    continue;
                }
                let role = if inner { Role::Pair } else { Role::Plain };
                push(words, token.word.to_owned(), role);
            }
        } else if run.len() <= 8 {
            known.insert((0, run.len()));
            push(words, text.clone(), Role::Plain);
        }
        for (at, pair) in run.windows(2).enumerate() {
            if !known.contains(&(at, at + 2)) {
                push(words, pair.iter().collect(), Role::Pair);
            }
        }
        for (at, letter) in run.iter().enumerate().filter(|(_, letter)| is_han(**letter)) {
            if !known.contains(&(at, at + 1)) {
                push(words, letter.to_string(), Role::Single);
            }
        }
    }
}
