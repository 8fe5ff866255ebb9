//! Finding memories by what they say.

use std::sync::Arc;

use super::{Clearance, Entry, Error, Holder, Memory, Query, similar};

/// An entry that was found, and how well it fits; that counts within one search only.
#[derive(Debug, Clone, PartialEq)]
pub struct Searched {
    /// The higher, the better.
    pub score: f64,
    /// The entry.
    pub entry: Arc<Entry>,
}

impl Memory {
    /// What `holder`, or anybody, remembers about `text`, the best first. The text is words, and nothing in it has a meaning
    /// of its own.
    ///
    /// # Errors
    /// [`Error::Unfit`] for a text without words, [`Error::Store`] when memories cannot be read.
    pub fn search(
        &self,
        holder: Option<&Holder>,
        text: &str,
        query: &Query,
        clearance: &Clearance,
    ) -> Result<Vec<Searched>, Error> {
        let wanted = similar::words(text);
        if wanted.is_empty() {
            return Err(Error::Unfit("`query` holds no word to look for".to_owned()));
        }
        let mut found = Vec::new();
        let mut look = |view: &super::View, stem: &str| {
            let own = view.newest().filter(|entry| holder.is_none_or(|holder| holder.is(&entry.employee)));
            for entry in own.filter(|entry| self.fits(entry, query)) {
                let owner = holder
                    .map_or(if entry.employee.is_empty() { stem } else { &entry.employee }, Holder::name);
                if !clearance.admits(entry, owner) {
                    continue;
                }
                let mut words = similar::words(&entry.content);
                for word in entry.tags.iter().chain(&entry.keywords) {
                    words.extend(similar::words(word));
                }
                let common = wanted.intersection(&words).count();
                if common > 0 {
                    #[expect(clippy::cast_precision_loss, reason = "counts of words")]
                    let score = common as f64 / wanted.len() as f64;
                    found.push(Searched { score, entry: Arc::clone(entry) });
                }
            }
        };
        match holder {
            Some(holder) => {
                for path in Self::files(&self.folder, holder) {
                    self.look(&path, |view| look(view, holder.name()))?;
                }
            }
            None => {
                for stem in self.stems()? {
                    self.look(&self.folder.join(format!("{stem}{}", super::ENDING)), |view| {
                        look(view, &stem)
                    })?;
                }
            }
        }
        found.sort_by(|a, b| {
            b.score.total_cmp(&a.score).then_with(|| b.entry.created().cmp(&a.entry.created()))
        });
        found.truncate(query.limit);
        Ok(found)
    }
}
