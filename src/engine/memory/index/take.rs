//! The best of the entries that fit and are wanted.
//!
//! Usually most that fit are wanted, and are looked at one by one until there are enough. Where many of the best are not,
//! be it that they have faded or that the reader may not be told of them, it is asked which ones are wanted at all: of a
//! hundred thousand that fit in vain none is looked at.

use std::{
    cell::OnceCell,
    collections::{BinaryHeap, HashSet},
};

use super::{Error, Facts, Wanted, forward::Term, rank::best};

/// Entries that are looked at before that is asked.
const LOOKED_AT: usize = 256;

/// Which entries are wanted.
pub(super) struct Among<'w> {
    wanted: &'w Wanted<'w>,
    all: OnceCell<Option<HashSet<Term>>>,
}

impl<'w> Among<'w> {
    pub(super) fn of(wanted: &'w Wanted<'w>) -> Self {
        Self { wanted, all: OnceCell::new() }
    }

    pub(super) fn keeps(&self, facts: &Facts) -> bool {
        (self.wanted.keep)(facts)
    }

    /// All that are wanted, where that can be said.
    fn all(&self) -> Option<&HashSet<Term>> {
        self.all.get_or_init(|| self.wanted.all.map(|all| all())).as_ref()
    }
}

/// How many entries are taken.
pub(super) struct Take<'t> {
    /// At most so many.
    pub(super) most: usize,
    /// None whose score is less.
    pub(super) floor: f32,
    pub(super) among: &'t Among<'t>,
}

impl Take<'_> {
    /// What `look` makes of the entries of these scores and names, the best first, until it has made enough.
    pub(super) fn best<T>(
        &self,
        scores: &[f32],
        names: &[Term],
        look: &mut dyn FnMut(usize) -> Result<Option<T>, Error>,
    ) -> Result<Vec<T>, Error> {
        let (mut taken, mut seen) = (Vec::new(), 0);
        let mut batch = self.most.saturating_mul(2);
        let (last, all) = loop {
            let mut last = None;
            for (number, score) in best(scores, batch).into_iter().skip(seen) {
                if score < self.floor {
                    return Ok(taken);
                }
                seen += 1;
                last = Some((score.to_bits(), number));
                taken.extend(look(number)?);
                if taken.len() >= self.most {
                    return Ok(taken);
                }
            }
            match (last, self.among.all.get()) {
                _ if seen < batch => return Ok(taken),
                (Some(last), known) if seen >= LOOKED_AT || known.is_some() => {
                    if let Some(all) = self.among.all() {
                        break (last, all);
                    }
                }
                _ => {}
            }
            batch = batch.saturating_mul(4);
        };
        let rest = scores.iter().zip(names).enumerate().filter_map(|(number, (score, name))| {
            let place = (score.to_bits(), number);
            (*score > 0.0 && *score >= self.floor && place < last && all.contains(name)).then_some(place)
        });
        // In the order of `best`: the bits of positive numbers are in the order of the numbers.
        let mut rest: BinaryHeap<(u32, usize)> = rest.collect();
        while let Some((_, number)) = rest.pop() {
            taken.extend(look(number)?);
            if taken.len() >= self.most {
                break;
            }
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Goes through all that fit, one by one.
    fn plainly(scores: &[f32], is_wanted: &[bool], most: usize, floor: f32) -> Vec<usize> {
        let mut order: Vec<usize> = (0..scores.len()).filter(|number| scores[*number] > 0.0).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(b.cmp(a)));
        let wanted = order.into_iter().filter(|number| is_wanted[*number]).take(most);
        wanted.filter(|number| scores[*number] >= floor).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

        #[test]
        fn the_best_are_those_of_going_through_all(
            // Scores of which many are alike, and wanted ones that are many, few or none.
            entries in vec((0_u8..40, 0_u8..100), 0..3000),
            share in prop_oneof![Just(0_u8), Just(1), Just(50), Just(100)],
            most in 1_usize..120,
            floor in 0_u8..40,
            can_say in any::<bool>(),
        ) {
            let scores: Vec<f32> = entries.iter().map(|(score, _)| f32::from(*score) / 10.0).collect();
            let is_wanted: Vec<bool> = entries.iter().map(|(_, chance)| *chance < share).collect();
            let floor = f32::from(floor) / 10.0;
            // Another entry may go by the same name.
            let names: Vec<Term> = (0..entries.len()).map(|number| Term::try_from(number / 2).unwrap()).collect();
            let all = || names.iter().zip(&is_wanted).filter(|(_, wanted)| **wanted).map(|(name, _)| *name).collect();
            let wanted = Wanted { keep: &|_| true, all: can_say.then_some(&all) };
            let among = Among::of(&wanted);
            let take = Take { most, floor, among: &among };
            let mut looked = 0;
            let taken = take.best(&scores, &names, &mut |number| {
                looked += 1;
                Ok(is_wanted[number].then_some(number))
            });
            prop_assert_eq!(taken.unwrap(), plainly(&scores, &is_wanted, most, floor));
            if can_say && share == 0 {
                prop_assert!(looked < 4 * LOOKED_AT, "{}", looked);
            }
        }
    }
}
