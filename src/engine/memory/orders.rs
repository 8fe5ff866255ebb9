//! The orders in which the cards of a file are looked through.
//!
//! Each is made when it is first asked for and kept up to date from then on, so that the first few in any order are found
//! without looking at the rest, however many there are.

use std::{cell::OnceCell, collections::BTreeSet};

use jiff::Timestamp;

use super::card::{Card, MOST_WEIGHT, sureness};

/// An order of cards, the first of which comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// When they were written; of the same moment by their place.
    Time,
    /// How important they were said to be.
    Importance,
    /// How sure they are.
    Confidence,
    /// What they are worth keeping; of those that hold alone.
    Worth,
    /// When they were written; of those alone that others may be told of.
    Shared,
    /// When they were written; of what came of runs alone.
    Outcomes,
}

/// How a card compares, and its number.
type Key = (i64, i64, usize);

/// The orders of the cards of a file.
#[derive(Debug, Default)]
pub(super) struct Orders {
    half_life_days: f64,
    made: [OnceCell<BTreeSet<Key>>; ALL.len()],
}

const ALL: [By; 6] = [By::Time, By::Importance, By::Confidence, By::Worth, By::Shared, By::Outcomes];

impl By {
    /// What a card is compared by; `None` for one that is not in this order.
    pub(super) fn key(self, card: &Card, half_life_days: f64) -> Option<(i64, i64)> {
        let created = card.created.as_microsecond();
        match self {
            Self::Time => Some((created, 0)),
            Self::Importance => Some((card.importance, created)),
            Self::Confidence => Some((in_order(card.sureness(half_life_days)), created)),
            Self::Worth => card.is_live().then(|| (card.weight(), in_order(card.sureness(half_life_days)))),
            Self::Shared => (card.shared && card.is_live()).then_some((created, 0)),
            Self::Outcomes => (card.is_live() && card.is_outcome()).then_some((created, 0)),
        }
    }

    fn place(self, card: &Card, half_life_days: f64, at: usize) -> Option<Key> {
        self.key(card, half_life_days).map(|(first, second)| (first, second, at))
    }
}

impl Orders {
    /// Orders in which confidences fade so fast.
    pub(super) fn new(half_life_days: f64) -> Self {
        Self { half_life_days, ..Self::default() }
    }

    /// The same, without any cards.
    pub(super) fn emptied(&self) -> Self {
        Self::new(self.half_life_days)
    }

    /// The numbers of `cards`, the first of this order first.
    pub(super) fn get(&self, by: By, cards: &[Card]) -> impl DoubleEndedIterator<Item = usize> + use<'_> {
        self.made(by, cards).into_iter().flatten().rev().map(|(.., at)| *at)
    }

    /// The numbers of those `cards` that are worth most, which are at least so sure at a moment: what has faded is stepped over, however
    /// much of it there is.
    pub(super) fn worth(
        &self,
        (least, at): (f64, Timestamp),
        cards: &[Card],
    ) -> impl Iterator<Item = usize> + use<'_> {
        let made = self.made(By::Worth, cards);
        let least = in_order(sureness(least, Some(at), self.half_life_days));
        (0..=MOST_WEIGHT).rev().flat_map(move |weight| {
            let sure = made.map(|made| made.range((weight, least, 0)..(weight + 1, i64::MIN, 0)));
            sure.into_iter().flatten().rev().map(|(.., at)| *at)
        })
    }

    fn made(&self, by: By, cards: &[Card]) -> Option<&BTreeSet<Key>> {
        let made = self.made.get(by as usize)?;
        Some(made.get_or_init(|| {
            let keys = cards.iter().enumerate();
            keys.filter_map(|(at, card)| by.place(card, self.half_life_days, at)).collect()
        }))
    }

    /// A card of this number takes the place of the one before, if there was one.
    pub(super) fn put(&mut self, at: usize, before: Option<&Card>, card: &Card) {
        for by in ALL {
            let Some(made) = self.made.get_mut(by as usize).and_then(OnceCell::get_mut) else { continue };
            let place = |card: &Card| by.place(card, self.half_life_days, at);
            let (gone, new) = (before.and_then(place), place(card));
            if gone == new {
                continue;
            }
            if let Some(gone) = gone {
                made.remove(&gone);
            }
            made.extend(new);
        }
    }
}

/// A whole number in the order of such numbers.
fn in_order(number: f64) -> i64 {
    let bits = number.to_bits().cast_signed();
    // Below zero the bits count backwards.
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::in_order;

    #[test]
    fn numbers_stay_in_their_order() {
        let numbers = [f64::NEG_INFINITY, -2.5, -1.0, -1e-9, 0.0, 1e-9, 0.5, 1.0, 1e9, f64::INFINITY];
        assert!(numbers.windows(2).all(|pair| in_order(pair[0]) < in_order(pair[1])));
    }
}
