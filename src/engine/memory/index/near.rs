//! Words that are spelled like one that nobody wrote.

use rusqlite::{Connection, params};

use super::Error;

/// Most words that one may have meant.
const MOST: usize = 6;
/// Shortest word that is taken for a misspelled one, in letters.
const SHORTEST: usize = 4;

/// What somebody who wrote `word` may have meant, and how sure that is, from 0 to 1: words it is the beginning of, and
/// words that a letter or two away.
pub(super) fn words(connection: &Connection, word: &str) -> Result<Vec<(String, f64)>, Error> {
    let length = word.chars().count();
    let Some(first) = word.chars().next().filter(|_| length >= SHORTEST) else { return Ok(Vec::new()) };
    let after = char::from_u32(u32::from(first) + 1).map_or_else(String::new, String::from);
    let mut rows = connection.prepare_cached("select word from spelling where word >= ? and word < ?")?;
    let mut rows = rows.query(params![String::from(first), after])?;
    let mut found: Vec<(String, f64)> = Vec::new();
    while let Some(row) = rows.next()? {
        let other = row.get_ref(0)?.as_str().map_err(|_| Error::Torn)?;
        if let Some(closeness) = closeness(word, length, other) {
            found.push((other.to_owned(), closeness));
        }
    }
    found.sort_by(|(a, x), (b, y)| y.total_cmp(x).then_with(|| a.cmp(b)));
    found.truncate(MOST);
    Ok(found)
}

fn closeness(word: &str, length: usize, other: &str) -> Option<f64> {
    let others = other.chars().count();
    if other.starts_with(word) && others <= length * 3 {
        return Some(0.8);
    }
    let allowed = if length >= 8 { 2 } else { 1 };
    if others.abs_diff(length) > allowed || word.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match strsim::osa_distance(word, other) {
        0 => Some(1.0),
        1 => Some(0.7),
        2 if allowed == 2 => Some(0.4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::closeness;

    #[test]
    fn a_letter_or_two_are_forgiven() {
        let near = |word: &str, other| closeness(word, word.chars().count(), other);
        assert_eq!(near("pipline", "pipeline"), Some(0.7));
        assert_eq!(near("kuberentes", "kubernetes"), Some(0.7));
        assert_eq!(near("config", "configuration"), Some(0.8));
        assert_eq!(near("cache", "catch"), None);
        assert_eq!(near("port8080", "port8081"), None, "numbers are not misspelled");
    }
}
