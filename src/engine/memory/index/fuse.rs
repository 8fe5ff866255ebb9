//! What entries say and what they mean, in one ranking.
//!
//! Scores of words and cosines cannot be compared; places in a ranking can (reciprocal rank fusion): whoever is first in
//! both comes to 1.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use rusqlite::{Connection, OptionalExtension as _};

use super::{
    Error, Meaning, Query, block,
    matrix::Matrix,
    partition::Partition,
    rank::{Found, Part, wanted},
    take::{Among, Take},
    vectors,
};

/// How slowly places lose in worth: the second is worth `K / (K + 1)` of the first. With the 60 that is usual for lists of
/// thousands, what is known of an entry besides would count more than ten places.
const K: f64 = 10.0;
/// What the first place is worth by words and by meaning. Words, with all that the index knows of them, find more of what a
/// memory holds than small embedders do; with the same worth for both, what meaning brings displaces better finds.
const BY_WORDS: f64 = 2.0 / 3.0;
const BY_MEANING: f64 = 1.0 / 3.0;

/// Puts the entries that fit by what they mean among those that fit by their words, which come the best first.
pub(super) fn with_meaning(
    connection: &Connection,
    matrix: &Matrix,
    partitions: &[Arc<Partition>],
    query: &Query<'_>,
    meaning: &Meaning,
    by_words: Vec<Found>,
    among: &Among<'_>,
) -> Result<Vec<Found>, Error> {
    let employees: HashSet<i64> = partitions.iter().map(|partition| partition.key()).collect();
    let near = matrix.likeness(connection, meaning, &employees)?;
    let take = Take { most: wanted(query), floor: 0.0, among };
    let by_meaning = take.best(&near.cosines, &near.names, &mut |row| {
        let Some(number) = near.numbers.get(row) else { return Ok(None) };
        let found = entry(connection, partitions, *number)?;
        Ok(found.filter(|found| among.keeps(&found.facts)))
    })?;
    let mut fused: Vec<Found> = Vec::new();
    for (place, mut found) in by_words.into_iter().enumerate() {
        let (worth, before) = (BY_WORDS * worth(place), found.relevance());
        found.reasons.iter_mut().for_each(|reason| reason.score *= worth / before);
        fused.push(found);
    }
    let places: HashMap<String, usize> =
        fused.iter().enumerate().map(|(at, found)| (found.facts.id.clone(), at)).collect();
    for (place, mut found) in by_meaning.into_iter().enumerate() {
        let reason = Part { name: "meaning", score: BY_MEANING * worth(place) };
        match places.get(&found.facts.id).and_then(|at| fused.get_mut(*at)) {
            Some(known) => known.reasons.push(reason),
            None => {
                found.reasons.push(reason);
                fused.push(found);
            }
        }
    }
    for found in &mut fused {
        found.vector = vectors::of_entry(connection, &found.facts.id)?;
    }
    Ok(fused)
}

/// What a place in a ranking is worth, counted from 0, as a part of what the first is.
fn worth(place: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a place in a short list")]
    let place = place as f64;
    K / (K + place)
}

/// The entry of a vector, unless it is gone or says something else by now.
fn entry(
    connection: &Connection,
    partitions: &[Arc<Partition>],
    number: i64,
) -> Result<Option<Found>, Error> {
    let mut row = connection.prepare_cached(
        "select entry.place from vector join entry on entry.id = vector.id and entry.source = vector.source
         where vector.number = ?",
    )?;
    let place: Option<i64> = row.query_row([number], |row| row.get(0)).optional()?;
    let Some((employee, number)) = place.map(block::at) else { return Ok(None) };
    let Some(partition) = partitions.iter().find(|partition| partition.key() == employee) else {
        return Ok(None);
    };
    let number = usize::try_from(number).map_err(|_| Error::Torn)?;
    let found = partition.entry(connection, number)?;
    Ok(found.map(|(facts, forward)| Found { facts, forward, reasons: Vec::new(), vector: None }))
}
