//! Words that are spelled like one that nobody wrote.

use rusqlite::{Connection, params};

use super::Error;

/// Most words that one may have meant.
const MOST: usize = 8;
/// Most words that one may be the beginning of.
const MOST_BEGUN: i64 = 8;
/// How sure it is that somebody who wrote the beginning of a word meant it.
const BEGINNING: f64 = 0.8;
/// Shortest word that is taken for a misspelled one, in letters.
const SHORTEST: usize = 4;

/// What somebody who wrote `word` may have meant, and how sure that is, from 0 to 1: words it is the beginning of, and
/// words that a letter or two away.
pub(super) fn words(connection: &Connection, word: &str) -> Result<Vec<(String, f64)>, Error> {
    let length = word.chars().count();
    if length < SHORTEST || word.bytes().any(|byte| byte.is_ascii_digit()) {
        return Ok(Vec::new());
    }
    let mut found: Vec<(String, f64)> = Vec::new();
    let mut rows =
        connection.prepare_cached("select word from spelling where word >= ? and word < ? limit ?")?;
    let mut rows = rows.query(params![word, after(word), MOST_BEGUN])?;
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, BEGINNING));
    }
    let first: String = word.chars().take(1).collect();
    let allowed = allowed(length);
    let [shortest, longest] =
        [length - allowed, length + allowed].map(|letters| i64::try_from(letters).unwrap_or(0));
    let mut rows = connection.prepare_cached(
        "select word from spelling where word >= ? and word < ? and length(word) between ? and ?",
    )?;
    let mut rows = rows.query(params![first, after(&first), shortest, longest])?;
    while let Some(row) = rows.next()? {
        let other = row.get_ref(0)?.as_str().map_err(|_| Error::Torn)?;
        if let Some(closeness) = closeness(word, other).filter(|_| !other.starts_with(word)) {
            found.push((other.to_owned(), closeness));
        }
    }
    found.sort_by(|(a, x), (b, y)| y.total_cmp(x).then_with(|| a.cmp(b)));
    found.truncate(MOST);
    Ok(found)
}

/// What comes after everything that begins with `word`.
fn after(word: &str) -> String {
    format!("{word}{}", char::MAX)
}

/// Letters that may be wrong in a word of that many.
fn allowed(length: usize) -> usize {
    if length >= 8 { 2 } else { 1 }
}

fn closeness(word: &str, other: &str) -> Option<f64> {
    match strsim::osa_distance(word, other) {
        1 => Some(0.7),
        2 if allowed(word.chars().count()) == 2 => Some(0.4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::closeness;

    #[test]
    fn a_letter_or_two_are_forgiven() {
        assert_eq!(closeness("pipline", "pipeline"), Some(0.7));
        assert_eq!(closeness("kuberentes", "kubernetes"), Some(0.7));
        assert_eq!(closeness("cache", "catch"), None);
    }
}
