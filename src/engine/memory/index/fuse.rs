//! What entries say and what they mean, in one ranking.
//!
//! Scores of words and cosines cannot be compared; places in a ranking can (reciprocal rank fusion): whoever is first in
//! both comes to 1, whoever is first in one to a half.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use rusqlite::{Connection, OptionalExtension as _};

use super::{
    Error, Facts, Meaning, Query, block,
    matrix::Matrix,
    partition::Partition,
    rank::{Found, Part, take_best, wanted},
    vectors,
};

/// How slowly places lose in worth: the second is worth `K / (K + 1)` of the first. With the 60 that is usual for lists of
/// thousands, what is known of an entry besides would count more than ten places.
const K: f64 = 10.0;

/// Puts the entries that fit by what they mean among those that fit by their words, which come the best first.
pub(super) fn with_meaning(
    connection: &Connection,
    matrix: &Matrix,
    partitions: &[Arc<Partition>],
    query: &Query<'_>,
    meaning: &Meaning,
    by_words: Vec<Found>,
    keep: &dyn Fn(&Facts) -> bool,
) -> Result<Vec<Found>, Error> {
    let employees: HashSet<i64> = partitions.iter().map(|partition| partition.key()).collect();
    let near = matrix.likeness(connection, meaning, &employees)?;
    let by_meaning = take_best(&near.cosines, wanted(query), &mut |row, _| {
        let Some(number) = near.numbers.get(row) else { return Ok(None) };
        let found = entry(connection, partitions, *number)?;
        Ok(found.filter(|found| keep(&found.facts)))
    })?;
    let mut fused: Vec<Found> = Vec::new();
    for (place, mut found) in by_words.into_iter().enumerate() {
        let (worth, before) = (worth(place), found.relevance());
        found.reasons.iter_mut().for_each(|reason| reason.score *= worth / before);
        fused.push(found);
    }
    let places: HashMap<String, usize> =
        fused.iter().enumerate().map(|(at, found)| (found.facts.id.clone(), at)).collect();
    for (place, mut found) in by_meaning.into_iter().enumerate() {
        let reason = Part { name: "meaning", score: worth(place) };
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

/// What a place in one of two rankings is worth, from 0.
fn worth(place: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a place in a short list")]
    let place = place as f64;
    K / (K + place) / 2.0
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
