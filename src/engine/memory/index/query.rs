//! A question as the index sees it: which words it asks for, and how much each matters.

use std::collections::HashMap;

use super::{
    forward::{Term, term},
    words::{Role, words},
};

/// Most letters of a question that are looked at.
const MOST_LETTERS: usize = 20_000;
/// Most words of a question, before what is known of them is looked up.
const MOST_WORDS: usize = 512;

/// A word that is asked for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) term: Term,
    /// As it was spelled, when words like it may have been meant.
    pub(super) spelled: Option<String>,
    /// How much it matters by what it is: 1 for a plain word.
    pub(super) weight: f64,
    /// How often it is said.
    times: f64,
}

impl Asked {
    /// How much it matters as often as it is said: twice is not much more than once, or a long text would be about the words
    /// it cannot do without.
    pub(super) fn said(&self) -> f64 {
        self.weight * (1.0 + self.times.ln())
    }
}

/// A question.
#[derive(Debug, Default)]
pub(super) struct Question {
    pub(super) asked: Vec<Asked>,
    /// The words that stand side by side.
    pub(super) pairs: Vec<(Term, Term)>,
}

impl Question {
    pub(super) fn of(text: &str) -> Self {
        let text: String = text.chars().take(MOST_LETTERS).collect();
        let words = words(&text);
        let mut asked: Vec<Asked> = Vec::new();
        let mut places: HashMap<Term, usize> = HashMap::new();
        let mut order = Vec::new();
        for word in words {
            let term = term(&word.term);
            if word.role.is_in_order() {
                order.push(term);
            }
            let Some(weight) = weight(word.role, &word.term) else { continue };
            let place = places.get(&term).copied();
            match place.and_then(|place| asked.get_mut(place)) {
                // A pair that is a word too is not said once more.
                Some(there) if word.role.is_in_order() => {
                    (there.weight, there.times) = (there.weight.max(weight), there.times + 1.0);
                }
                Some(there) => there.weight = there.weight.max(weight),
                None => {
                    places.insert(term, asked.len());
                    asked.push(Asked { term, spelled: word.spelled, weight, times: 1.0 });
                }
            }
            if asked.len() == MOST_WORDS {
                break;
            }
        }
        let mut pairs: Vec<(Term, Term)> = order
            .windows(2)
            .filter_map(|pair| Some((*pair.first()?, *pair.last()?)))
            .filter(|(a, b)| a != b)
            .collect();
        pairs.truncate(MOST_WORDS);
        Self { asked, pairs }
    }
}

/// How much a word matters; `None` for one that is not asked for.
fn weight(role: Role, term: &str) -> Option<f64> {
    match role {
        // One character of Chinese means many things.
        Role::Plain if !term.is_ascii() && term.chars().nth(1).is_none() => Some(0.5),
        Role::Plain | Role::Whole => Some(1.0),
        // The whole of an identifier is asked for beside its parts.
        Role::Part | Role::Date => Some(0.6),
        Role::Pair => Some(0.35),
        // Every sentence would be found by one of its characters.
        Role::Single => None,
    }
}
