//! How well entries fit a question.
//!
//! Every score is a sum of parts that can be shown: the words of the question in the entry, words of it that stand side
//! by side, words that the best entries have in common, what the entries around it say, and small shares of what is known
//! about the entry besides. The last never lift an entry over one that fits clearly better.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Arc,
};

use rusqlite::Connection;
use serde::Serialize;

use super::{
    Error, Facts, Hit, Meaning, Query, Wanted,
    forward::{Forward, Term},
    fuse,
    matrix::Matrix,
    near,
    partition::{self, Partition, Ready, Weighed, narrow, ordered},
    query::Question,
    take::{Among, Take},
    vectors::Vector,
};

/// Words of a question that are looked for; of a longer one those that are said most and found least.
const WORDS: usize = 32;
/// Words nobody has remembered that count in how much of a question an entry has; a long text has any number of them.
const STRANGE: f64 = 8.0;
/// Occurrences of words that are looked at; words that are nearly everywhere are left out beyond it.
const OCCURRENCES: i64 = 300_000;
/// How much of a score depends on how many of the words are there.
const COVERAGE: f64 = 0.3;
/// What two words side by side count, of what they count alone.
const SIDE_BY_SIDE: f64 = 0.3;
/// Entries that are looked through for words side by side.
const LOOKED_THROUGH: usize = 128;
/// The best entries, which lend words to the question; how many words; and what those count beside the words asked.
const LENDERS: usize = 5;
const LENT: usize = 10;
const LENT_SHARE: f64 = 0.43;
/// The score from which the best entry is trusted to be about what was asked.
const TRUSTED: f64 = 0.25;
/// What a neighbour adds, how much less with each further step, and how far.
const NEIGHBOUR: f64 = 0.6;
const FADING: f64 = 0.5;
const REACH: usize = 4;
/// The length of an entry that gets half of what its neighbours add; a longer one says more itself.
const HALF_HEARD: f64 = 20.0;
/// From this coherence on neighbours add all they can.
const COHERENT: f64 = 0.09;
/// Entries this alike say the same; only the better one counts among the first.
const SAME: f64 = 0.9;
/// The same for what they mean.
const SAME_MEANING: f32 = 0.97;
/// The first entries, which no other one repeats.
const COMPARED: usize = 64;
/// What a word that is spelled otherwise counts.
const RESPELLED: f64 = 0.6;

/// What is known of an entry besides, as shares of how well it fits: how new it is, each degree of its importance, how
/// sure it is, and of how much use it was.
const AGE: f64 = 0.06;
const IMPORTANCE: f64 = 0.02;
const CONFIDENCE: f64 = 0.08;
const USEFULNESS: f64 = 0.08;
/// The most that all of these add.
const BESIDES: f64 = AGE * 0.5 + IMPORTANCE * 2.0 + USEFULNESS * 0.5;
/// More than all that rounding adds to a score.
const ROUNDED: f64 = 1e-4;

/// The most that a word can come to, of what it weighs.
const MOST: f64 = partition::MOST as f64;

/// A reason for a score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// `words`, `side by side`, `related words`, `neighbours`, `meaning`, `age`, `importance`, `confidence` or `usefulness`.
    pub name: &'static str,
    /// What it adds; below 0 when it takes away.
    pub score: f64,
}

/// A question, once it is known how much its words say.
struct Weighing {
    words: Vec<Weighed>,
    pairs: HashMap<(Term, Term), f64>,
    /// The sum of what all words weigh.
    all: f64,
    /// The sum of how often they are asked for.
    asked: f64,
    entries: f64,
    average: f64,
}

/// The scores of the entries of one employee.
struct Scores {
    own: Vec<f32>,
    beside: HashMap<usize, f64>,
    lent: Vec<f32>,
    total: Vec<f32>,
    brakes: Vec<f32>,
}

/// An entry that fits.
pub(super) struct Found {
    pub(super) facts: Facts,
    pub(super) forward: Forward,
    /// Why it fits.
    pub(super) reasons: Vec<Part>,
    /// What it says as a vector, where that is known.
    pub(super) vector: Option<Vector>,
}

pub(super) fn search(
    connection: &mut Connection,
    (ready, matrix): (&Ready, &Matrix),
    query: &Query<'_>,
    meaning: Option<&Meaning>,
    wanted: &Wanted<'_>,
) -> Result<Vec<Hit>, Error> {
    // One moment of the index, whatever others write meanwhile.
    let connection = connection.transaction()?;
    let partitions = ready.get(&connection, query.employees)?;
    let among = Among::of(wanted);
    let mut found = by_words(&connection, &partitions, query, &among)?;
    if let Some(meaning) = meaning {
        found = fuse::with_meaning(&connection, matrix, &partitions, query, meaning, found, &among)?;
    }
    let mut scored: Vec<(Hit, Found)> = found.into_iter().map(|found| (hit(&found, query), found)).collect();
    scored.sort_by(|(a, _), (b, _)| b.score.total_cmp(&a.score));
    Ok(without_repetition(scored, query.limit))
}

/// The entries that fit by their words, the best first.
fn by_words(
    connection: &Connection,
    partitions: &[Arc<Partition>],
    query: &Query<'_>,
    among: &Among<'_>,
) -> Result<Vec<Found>, Error> {
    let Some(weighing) = weigh(connection, partitions, query.text)? else { return Ok(Vec::new()) };
    let mut scores = Vec::new();
    for partition in partitions {
        scores.push(own(connection, partition, &weighing)?);
    }
    lend(connection, partitions, &weighing, &mut scores)?;
    for (partition, scores) in partitions.iter().zip(&mut scores) {
        scores.total = with_neighbours(partition, &scores.total);
    }
    choose(connection, partitions, &scores, query, among)
}

/// Finds out how much each word of a question says. `None` when there is nothing to look for, or nowhere to look.
fn weigh(
    connection: &Connection,
    partitions: &[Arc<Partition>],
    text: &str,
) -> Result<Option<Weighing>, Error> {
    let question = Question::of(text);
    #[expect(clippy::cast_precision_loss, reason = "counts of entries and words")]
    let (entries, length) = partitions
        .iter()
        .fold((0.0, 0.0), |(entries, length), one| (entries + one.live as f64, length + one.length as f64));
    if question.asked.is_empty() || entries < 1.0 {
        return Ok(None);
    }
    let mut known: Vec<(Weighed, i64)> = Vec::new();
    let mut unknown = Vec::new();
    let (mut all, mut strange, mut asked) = (0.0, 0.0, 0.0);
    for word in &question.asked {
        let count = entries_with(connection, partitions, word.term)?;
        asked += word.said();
        if count == 0 {
            strange += word.weight;
            unknown.push(word);
        } else {
            let weight = word.said() * rarity(count, entries);
            all += weight;
            known.push((Weighed { term: word.term, weight }, count));
        }
    }
    all += f64::min(strange, STRANGE) * rarity(0, entries);
    for word in unknown.into_iter().take(WORDS) {
        let Some(spelled) = &word.spelled else { continue };
        for (other, closeness) in near::words(connection, spelled)? {
            for meant in Question::of(&other).asked.iter().take(1) {
                let count = entries_with(connection, partitions, meant.term)?;
                if count > 0 && !known.iter().any(|(known, _)| known.term == meant.term) {
                    let weight = word.weight * closeness * RESPELLED * rarity(count, entries);
                    known.push((Weighed { term: meant.term, weight }, count));
                }
            }
        }
    }
    if known.len() > WORDS {
        known.sort_by(|(a, _), (b, _)| b.weight.total_cmp(&a.weight));
        known.truncate(WORDS);
        all = known.iter().map(|(word, _)| word.weight).sum();
    }
    let rarities: HashMap<Term, f64> =
        known.iter().map(|(word, count)| (word.term, rarity(*count, entries))).collect();
    let pairs = question.pairs.iter().filter_map(|(a, b)| {
        // Two words that have nothing to do with each other meet as often as both are rare.
        let weight = (rarities.get(a)? + rarities.get(b)?).min((1.0 + entries).ln());
        Some((ordered(*a, *b), weight * SIDE_BY_SIDE))
    });
    let pairs = pairs.collect();
    let words = affordable(known);
    Ok(Some(Weighing { words, pairs, all, asked, entries, average: (length / entries).max(1.0) }))
}

/// The words that are looked for, the rarest first; without those that are nearly everywhere when there are too many.
fn affordable(mut known: Vec<(Weighed, i64)>) -> Vec<Weighed> {
    known.sort_by_key(|(_, count)| *count);
    let mut left = OCCURRENCES;
    let mut words = Vec::new();
    for (word, count) in known {
        left -= count;
        if words.len() > 2 && left < 0 {
            break;
        }
        words.push(word);
    }
    words
}

fn entries_with(connection: &Connection, partitions: &[Arc<Partition>], term: Term) -> Result<i64, Error> {
    partitions.iter().try_fold(0, |sum, partition| Ok(sum + partition.entries_with(connection, term)?))
}

/// How much it says that a word is there.
#[expect(clippy::cast_precision_loss, reason = "a count of entries")]
fn rarity(count: i64, entries: f64) -> f64 {
    let count = (count as f64).min(entries);
    (1.0 + (entries - count + 0.5) / (count + 0.5)).ln()
}

/// What the words of the question say about each entry.
fn own(connection: &Connection, partition: &Partition, weighing: &Weighing) -> Result<Scores, Error> {
    let brakes = partition.brakes(weighing.average);
    let scale = narrow(1.0 / (weighing.all * MOST));
    let (floor, slope) = (narrow(1.0 - COVERAGE), narrow(COVERAGE / weighing.all));
    let sums = partition.sum(connection, &weighing.words, &brakes)?;
    let score: Vec<f32> = sums.iter().map(|sum| sum.score * scale * (floor + slope * sum.covered)).collect();
    let mut beside = HashMap::new();
    let mut total = score.clone();
    if !weighing.pairs.is_empty() {
        for (number, _) in best(&score, LOOKED_THROUGH) {
            let Some(forward) = partition.words(connection, number)? else { continue };
            let bonus =
                Partition::side_by_side(&forward, &weighing.pairs, weighing.average) / (weighing.all * MOST);
            if bonus > 0.0 {
                beside.insert(number, bonus);
                if let Some(total) = total.get_mut(number) {
                    *total += narrow(bonus);
                }
            }
        }
    }
    Ok(Scores { own: score, beside, lent: Vec::new(), total, brakes })
}

/// Lets the best entries lend their words to the question, and adds up what those say.
fn lend(
    connection: &Connection,
    partitions: &[Arc<Partition>],
    weighing: &Weighing,
    scores: &mut [Scores],
) -> Result<(), Error> {
    let mut lenders: Vec<(usize, usize, f64)> = Vec::new();
    for (which, (partition, scores)) in partitions.iter().zip(scores.iter()).enumerate() {
        let heard = with_neighbours(partition, &scores.total);
        lenders.extend(
            best(&heard, LENDERS).into_iter().map(|(number, score)| (which, number, f64::from(score))),
        );
    }
    lenders.sort_by(|(.., a), (.., b)| b.total_cmp(a));
    lenders.truncate(LENDERS);
    let together: f64 = lenders.iter().map(|(.., score)| score).sum();
    // Entries that hardly fit have nothing to lend.
    let trust = lenders.first().map_or(0.0, |(.., score)| (score / TRUSTED).min(1.0));
    let mut weights: HashMap<Term, f64> = HashMap::new();
    for (which, number, score) in &lenders {
        let Some(partition) = partitions.get(*which) else { continue };
        let Some(forward) = partition.words(connection, *number)? else { continue };
        let share = score / together / f64::from(forward.length());
        for term in forward.in_order() {
            *weights.entry(term).or_default() += share;
        }
    }
    let mut lent = Vec::new();
    for (term, weight) in weights {
        let rarity = rarity(entries_with(connection, partitions, term)?, weighing.entries);
        lent.push((Weighed { term, weight: weight * rarity }, rarity));
    }
    lent.sort_by(|(a, _), (b, _)| b.weight.total_cmp(&a.weight).then_with(|| a.term.cmp(&b.term)));
    lent.truncate(LENT);
    let sum: f64 = lent.iter().map(|(word, _)| word.weight).sum();
    let words: Vec<Weighed> = lent
        .iter()
        .map(|(word, rarity)| Weighed { term: word.term, weight: word.weight / sum * rarity })
        .collect();
    // As much as that share of the words that were asked for.
    let scale = narrow(trust * LENT_SHARE * weighing.asked / (weighing.all * MOST));
    for (partition, scores) in partitions.iter().zip(scores) {
        let sums = partition.sum(connection, &words, &scores.brakes)?;
        scores.lent = sums.iter().map(|sum| sum.score * scale).collect();
        scores.total.iter_mut().zip(&scores.lent).for_each(|(total, lent)| *total += *lent);
    }
    Ok(())
}

/// Scores with what the entries around each one add.
fn with_neighbours(partition: &Partition, scores: &[f32]) -> Vec<f32> {
    let share = NEIGHBOUR * (partition.coherence / COHERENT).clamp(0.0, 1.0);
    let mut heard = scores.to_vec();
    if share <= 0.0 {
        return heard;
    }
    // One step away, two steps away and so on, on either side.
    let mut step = share;
    let mut added = vec![0.0_f32; scores.len()];
    for distance in 1..=REACH.min(scores.len().saturating_sub(1)) {
        let weight = narrow(step);
        let later = scores.get(distance..).unwrap_or_default();
        added.iter_mut().zip(later).for_each(|(sum, score)| *sum += weight * score);
        let places = added.get_mut(distance..).unwrap_or_default();
        places.iter_mut().zip(scores).for_each(|(sum, score)| *sum += weight * score);
        step *= FADING;
    }
    for ((heard, added), length) in heard.iter_mut().zip(&added).zip(&partition.lengths) {
        if *length > 0 {
            *heard += added * narrow(HALF_HEARD / (HALF_HEARD + f64::from(*length)));
        }
    }
    heard
}

/// The best `count` entries that fit at all, the best first; of equals the newest.
pub(super) fn best(scores: &[f32], count: usize) -> Vec<(usize, f32)> {
    // The bits of a positive number are in the order of the numbers.
    let mut kept: BinaryHeap<Reverse<(u32, usize)>> = BinaryHeap::with_capacity(count.min(scores.len()) + 1);
    let mut least = 0.0;
    for (number, score) in scores.iter().enumerate().rev() {
        if *score > least {
            kept.push(Reverse((score.to_bits(), number)));
            if kept.len() > count {
                kept.pop();
                least = kept.peek().map_or(f32::INFINITY, |Reverse((least, _))| f32::from_bits(*least));
            }
        }
    }
    kept.into_sorted_vec().into_iter().map(|Reverse((bits, number))| (number, f32::from_bits(bits))).collect()
}

/// The best entries that may be told.
fn choose(
    connection: &Connection,
    partitions: &[Arc<Partition>],
    scores: &[Scores],
    query: &Query<'_>,
    among: &Among<'_>,
) -> Result<Vec<Found>, Error> {
    let take = Take { most: wanted(query), floor: floor(query.least), among };
    let mut found: Vec<Found> = Vec::new();
    for (partition, scores) in partitions.iter().zip(scores) {
        let of_partition = take.best(&scores.total, &partition.names, &mut |number| {
            let Some((facts, forward)) = partition.entry(connection, number)? else { return Ok(None) };
            let found = Found { facts, forward, reasons: scores.reasons(number), vector: None };
            Ok(Some(found).filter(|found| among.keeps(&found.facts)))
        });
        found.extend(of_partition?);
    }
    found.retain(|found| hit(found, query).score >= query.least);
    found.sort_by(|a, b| b.relevance().total_cmp(&a.relevance()));
    Ok(found)
}

/// What an entry has to fit at least for its score to come to `least`, whatever else is known of it.
fn floor(least: f64) -> f32 {
    narrow(((least - ROUNDED) / (1.0 + BESIDES)).max(0.0))
}

/// How many entries are looked at: what is known besides can move an entry a little, so that it is some more than asked for.
pub(super) fn wanted(query: &Query<'_>) -> usize {
    query.limit.saturating_mul(2).saturating_add(16)
}

impl Scores {
    /// Why an entry fits by its words.
    fn reasons(&self, number: usize) -> Vec<Part> {
        let of = |scores: &[f32]| f64::from(scores.get(number).copied().unwrap_or(0.0));
        let beside = self.beside.get(&number).copied().unwrap_or(0.0);
        let neighbours = of(&self.total) - of(&self.own) - beside - of(&self.lent);
        let reasons = [
            ("words", of(&self.own)),
            ("side by side", beside),
            ("related words", of(&self.lent)),
            ("neighbours", neighbours),
        ];
        reasons.into_iter().map(|(name, score)| Part { name, score }).collect()
    }
}

impl Found {
    /// How well it fits, whatever else is known of it.
    pub(super) fn relevance(&self) -> f64 {
        self.reasons.iter().map(|reason| reason.score).sum()
    }
}

/// What an entry that fits comes to with what is known of it besides.
fn hit(found: &Found, query: &Query<'_>) -> Hit {
    let (facts, base) = (&found.facts, found.relevance());
    let age = facts.created_at.duration_until(query.now).as_secs_f64() / 86_400.0;
    let fresh =
        if query.half_life_days > 0.0 { 0.5_f64.powf(age.max(0.0) / query.half_life_days) } else { 0.5 };
    #[expect(clippy::cast_precision_loss, reason = "from 1 to 5")]
    let importance = (facts.importance.clamp(1, 5) - 3) as f64;
    let besides = [
        ("age", base * AGE * (fresh - 0.5)),
        ("importance", base * IMPORTANCE * importance),
        ("confidence", base * CONFIDENCE * (facts.confidence.clamp(0.0, 1.0) - 1.0)),
        ("usefulness", base * USEFULNESS * (facts.usefulness.clamp(0.0, 1.0) - 0.5)),
    ];
    let besides = besides.map(|(name, score)| Part { name, score });
    let mut parts: Vec<Part> = found.reasons.iter().cloned().chain(besides).collect();
    // What is left of a sum of rounded numbers is no reason.
    parts.retain(|part| part.score.abs() > 1e-6);
    parts.sort_by(|a, b| b.score.total_cmp(&a.score));
    let score = parts.iter().map(|part| part.score).sum();
    Hit { id: facts.id.clone(), employee: facts.employee.clone(), score, parts }
}

/// The first of the found; those that repeat a better one come last.
fn without_repetition(found: Vec<(Hit, Found)>, limit: usize) -> Vec<Hit> {
    let mut chosen: Vec<(Hit, Found)> = Vec::new();
    let mut repeated = Vec::new();
    for (hit, found) in found {
        if chosen.len() >= limit {
            break;
        }
        if chosen.iter().take(COMPARED).any(|(_, other)| other.says_the_same(&found)) {
            repeated.push(hit);
        } else {
            chosen.push((hit, found));
        }
    }
    let mut hits: Vec<Hit> = chosen.into_iter().map(|(hit, _)| hit).chain(repeated).take(limit).collect();
    // Those that fill up the rest are no better for having been put off.
    hits.sort_by(|a, b| b.score.total_cmp(&a.score));
    hits
}

impl Found {
    fn says_the_same(&self, other: &Self) -> bool {
        let means_the_same = || match (&self.vector, &other.vector) {
            (Some(a), Some(b)) => a.cosine(b) >= SAME_MEANING,
            _ => false,
        };
        self.forward.likeness(&other.forward) >= SAME || means_the_same()
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is not even looked at would not have been told.
        #[test]
        fn nothing_below_the_floor_comes_to_the_least(
            (base, least) in (0.0_f64..0.5, 0.0_f64..0.5),
            (days, half_life_days) in (-10_i64..2000, 0.0_f64..400.0),
            importance in -1_i64..8,
            (confidence, usefulness) in (-0.1_f64..1.1, -0.1_f64..1.1),
        ) {
            let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
            let created_at = now - SignedDuration::from_hours(24 * days);
            let facts = Facts { created_at, importance, confidence, usefulness, ..Facts::default() };
            let reasons = vec![Part { name: "words", score: base }];
            let found = Found { facts, forward: Forward::default(), reasons, vector: None };
            let query = Query { text: "x", employees: &[], limit: 10, least, now, half_life_days };
            if narrow(base) < floor(least) {
                let score = hit(&found, &query).score;
                prop_assert!(score < least, "{score} of {base}");
            }
        }
    }
}
