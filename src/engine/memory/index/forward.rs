//! The words of one entry, packed: which they are, how much each weighs, and in which order they stand.

use std::collections::HashMap;

use super::{
    Document, Error, dates,
    words::{Role, Word, words},
};

/// How much more a word of a tag or keyword weighs than one of the text.
const NAMED: u8 = 2;
/// Longest order that is kept.
const LONGEST_ORDER: usize = 20_000;

/// A word as the database knows it: a hash, the same in every process and version.
pub(super) type Term = i64;

/// FNV-1a; two words with one hash are one word, which among a million words happens once in thirty million indexes.
pub(super) fn term(word: &str) -> Term {
    let hash = word.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}

/// The words of an entry.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Forward {
    /// Each word once with its weight, by hash.
    pub(super) terms: Vec<(Term, u8)>,
    /// The words that the text consists of, as places in `terms`.
    pub(super) order: Vec<u32>,
}

impl Forward {
    /// The words of a document, and how those are spelled that may be misspelled by somebody who asks.
    pub(super) fn of(document: &Document) -> (Self, Vec<String>) {
        let mut spelled = Vec::new();
        let mut weights: HashMap<Term, u8> = HashMap::new();
        let mut order = Vec::new();
        let mut take = |words: Vec<Word>, weight: u8| {
            for word in words {
                let term = term(&word.term);
                let sum = weights.entry(term).or_default();
                *sum = sum.saturating_add(weight);
                if word.role.is_in_order() && order.len() < LONGEST_ORDER {
                    order.push(term);
                }
                spelled.extend(word.spelled);
            }
        };
        take(words(&document.text), 1);
        for name in document.tags.iter().chain(&document.keywords) {
            take(words(name), NAMED);
        }
        let day = dates::of_moment(document.created_at);
        take(day.into_iter().map(|term| Word { term, spelled: None, role: Role::Date }).collect(), 1);
        let mut terms: Vec<(Term, u8)> = weights.into_iter().collect();
        terms.sort_unstable();
        let place = |term: Term| terms.binary_search_by_key(&term, |(term, _)| *term).unwrap_or(0);
        let order = order.into_iter().map(|term| u32::try_from(place(term)).unwrap_or(0)).collect();
        (Self { terms, order }, spelled)
    }

    /// How many words the text consists of, from 1.
    pub(super) fn length(&self) -> u16 {
        u16::try_from(self.order.len()).unwrap_or(u16::MAX).max(1)
    }

    /// How much a word weighs; 0 when it is not there.
    pub(super) fn weight(&self, term: Term) -> u8 {
        let place = self.terms.binary_search_by_key(&term, |(term, _)| *term).ok();
        place.and_then(|place| self.terms.get(place)).map_or(0, |(_, weight)| *weight)
    }

    /// The words that the text consists of, in their order.
    pub(super) fn in_order(&self) -> impl Iterator<Item = Term> {
        self.order.iter().filter_map(|place| self.terms.get(*place as usize)).map(|(term, _)| *term)
    }

    /// What two entries have in common of what both have, from 0 to 1.
    pub(super) fn likeness(&self, other: &Self) -> f64 {
        let (mut mine, mut others) = (self.terms.iter().peekable(), other.terms.iter().peekable());
        let mut common = 0_u32;
        while let (Some((a, _)), Some((b, _))) = (mine.peek(), others.peek()) {
            match a.cmp(b) {
                std::cmp::Ordering::Less => drop(mine.next()),
                std::cmp::Ordering::Greater => drop(others.next()),
                std::cmp::Ordering::Equal => {
                    common += 1;
                    mine.next();
                    others.next();
                }
            }
        }
        let all = u32::try_from(self.terms.len() + other.terms.len()).unwrap_or(u32::MAX) - common;
        f64::from(common) / f64::from(all.max(1))
    }

    /// As bytes.
    pub(super) fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.terms.len() * 9 + self.order.len() + 8);
        number(self.terms.len() as u64, &mut bytes);
        for (term, weight) in &self.terms {
            bytes.extend(term.to_le_bytes());
            bytes.push(*weight);
        }
        for place in &self.order {
            number(u64::from(*place), &mut bytes);
        }
        bytes
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`Error::Torn`] when these are none that [`Forward::pack`] made.
    pub(super) fn unpack(mut bytes: &[u8]) -> Result<Self, Error> {
        let count = usize::try_from(take(&mut bytes)?).map_err(|_| Error::Torn)?;
        let (packed, mut rest) =
            bytes.split_at_checked(count.checked_mul(9).ok_or(Error::Torn)?).ok_or(Error::Torn)?;
        let mut terms = Vec::with_capacity(count);
        for packed in packed.chunks_exact(9) {
            let (term, weight) = packed.split_first_chunk::<8>().ok_or(Error::Torn)?;
            terms.push((Term::from_le_bytes(*term), weight.first().copied().ok_or(Error::Torn)?));
        }
        let mut order = Vec::with_capacity(rest.len());
        while !rest.is_empty() {
            order.push(u32::try_from(take(&mut rest)?).map_err(|_| Error::Torn)?);
        }
        Ok(Self { terms, order })
    }
}

/// Writes a number in seven bits a byte, the low ones first.
pub(super) fn number(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or(0));
}

/// Reads a number that [`number`] wrote.
///
/// # Errors
/// [`Error::Torn`] when there is none.
#[inline]
pub(super) fn take(bytes: &mut &[u8]) -> Result<u64, Error> {
    // Nearly all are small.
    if let Some((byte, rest)) = bytes.split_first()
        && *byte < 0x80
    {
        *bytes = rest;
        return Ok(u64::from(*byte));
    }
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Error::Torn)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Error::Torn)
}
