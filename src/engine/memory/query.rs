//! Looking at memories.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Card, Category, Clearance, Entry, Error, Holder, Memory,
    orders::By,
    view::{Broken, View},
};
use crate::base::clock;

/// Least confidence, as it is now, of what others are told.
const LEAST_SHARED: f64 = 0.3;

/// Which entries to look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Of this kind alone.
    pub category: Option<Category>,
    /// With one of these tags.
    pub tags: Vec<String>,
    /// Of at least this importance.
    pub min_importance: i64,
    /// Of at least this confidence, as it is now.
    pub min_confidence: f64,
    /// Also those that no longer hold.
    pub all: bool,
    /// In which order.
    pub order: Order,
    /// At most this many.
    pub limit: usize,
}

/// In which order entries come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    Newest,
    /// The most important first.
    Importance,
    /// The surest first, as it is now.
    Confidence,
}

impl From<Order> for By {
    fn from(order: Order) -> Self {
        match order {
            Order::Newest => Self::Time,
            Order::Importance => Self::Importance,
            Order::Confidence => Self::Confidence,
        }
    }
}

impl Default for Query {
    fn default() -> Self {
        Self {
            category: None,
            tags: Vec::new(),
            min_importance: 0,
            min_confidence: 0.0,
            all: false,
            order: Order::Newest,
            limit: 20,
        }
    }
}

/// Which cards of an order are wanted.
pub(super) struct First<'f> {
    /// The order.
    pub(super) by: By,
    /// At most so many.
    pub(super) limit: usize,
    /// Those that fit.
    pub(super) fits: &'f dyn Fn(&Card) -> bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The entries.
    pub entries: Vec<Entry>,
    /// How many the reader may not be told of those that would have been among them.
    pub held_back: usize,
    /// The first lines that are no entries, and in which files.
    pub broken: Vec<(String, Broken)>,
    /// How many lines are no entries.
    pub broken_count: usize,
}

/// Somebody with a memory, in brief.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// The name that its entries carry.
    pub employee: String,
    /// How many of its entries hold.
    pub entries: usize,
    /// How many were corrected.
    pub superseded: usize,
    /// How many are over.
    pub expired: usize,
    /// How many lines of its file are no entries.
    pub broken_lines: usize,
}

impl Memory {
    /// What `holder` remembers, as far as the reader may be told.
    ///
    /// # Errors
    /// [`Error::Store`] when it cannot be read.
    pub fn query(&self, holder: &Holder, query: &Query, clearance: &Clearance) -> Result<Found, Error> {
        self.query_in(&self.folder, holder, query, clearance)
    }

    /// The same of the files below `folder`.
    pub(super) fn query_in(
        &self,
        folder: &Path,
        holder: &Holder,
        query: &Query,
        clearance: &Clearance,
    ) -> Result<Found, Error> {
        let now = clock::now();
        let by = By::from(query.order);
        let first = First { by, limit: query.limit, fits: &|card| self.fits(card, query, now) };
        self.first(folder, holder, clearance, &first, |view| Box::new(view.by(by)))
    }

    /// The first of `holder` that fit, of `cards` that are in order. No more are looked at than it takes.
    pub(super) fn first(
        &self,
        folder: &Path,
        holder: &Holder,
        clearance: &Clearance,
        First { by, limit, fits }: &First<'_>,
        cards: impl for<'v> Fn(&'v View) -> Box<dyn Iterator<Item = &'v Card> + 'v>,
    ) -> Result<Found, Error> {
        let limit = *limit;
        let mut found = Found::default();
        let mut entries = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        for path in Self::files(folder, holder) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.look(&path, |view| {
                let mut left = limit;
                for card in cards(view).filter(|card| holder.is(&card.employee) && fits(card)) {
                    if !clearance.admits(card, holder.name()) {
                        found.held_back += 1;
                        continue;
                    }
                    entries.push((by.key(card, self.settings.half_life_days), view.entry(card)?));
                    left -= 1;
                    if left == 0 {
                        break;
                    }
                }
                let (lines, count) = view.broken();
                found.broken.extend(lines.iter().map(|line| (name.clone(), line.clone())));
                found.broken_count += count;
                Ok(())
            })?;
        }
        // Those of one file are in order; of several, they are put together.
        entries.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
        found.entries = entries.into_iter().take(limit).map(|(_, entry)| entry).collect();
        Ok(found)
    }

    /// Whether an entry is among those that are asked for.
    pub(super) fn fits(&self, card: &Card, query: &Query, now: Timestamp) -> bool {
        (query.all || card.holds(now))
            && query.category.is_none_or(|category| card.is_of(category))
            && card.importance >= query.min_importance
            && (query.tags.is_empty()
                || card.tags.iter().any(|tag| query.tags.iter().any(|one| **one == **tag)))
            && (query.min_confidence <= 0.0
                || card.confidence_at(now, self.settings.half_life_days) >= query.min_confidence)
    }

    /// What others share with `reader`: with one of these tags, or for one of these; all when there are none. The newest
    /// first.
    ///
    /// # Errors
    /// [`Error::Store`] when it cannot be read.
    pub fn shared(
        &self,
        reader: &Holder,
        tags: &[String],
        limit: usize,
        clearance: &Clearance,
    ) -> Result<Vec<Entry>, Error> {
        let (now, half_life) = (clock::now(), self.settings.half_life_days);
        let fits = |card: &&Card| {
            let mut topics = card.tags.iter().chain(&card.applicability);
            card.holds(now)
                && !reader.is(&card.employee)
                && (tags.is_empty() || topics.any(|word| tags.iter().any(|tag| **tag == **word)))
                && card.confidence_at(now, half_life) >= LEAST_SHARED
                && clearance.admits(card, &card.employee)
        };
        let mut all = Vec::new();
        for stem in self.stems()? {
            self.look(&self.folder.join(stem + super::ENDING), |view| {
                for card in view.by(By::Shared).filter(fits).take(limit) {
                    all.push((card.created, view.entry(card)?));
                }
                Ok(())
            })?;
        }
        all.sort_by_key(|(created, _)| std::cmp::Reverse(*created));
        Ok(all.into_iter().take(limit).map(|(_, entry)| entry).collect())
    }

    /// Everybody with a memory, by name.
    ///
    /// # Errors
    /// [`Error::Store`] when it cannot be read.
    pub fn owners(&self) -> Result<Vec<Owner>, Error> {
        let mut owners: std::collections::BTreeMap<String, Owner> = std::collections::BTreeMap::new();
        for stem in self.stems()? {
            self.look(&self.folder.join(format!("{stem}{}", super::ENDING)), |view| {
                count(&stem, view, &mut owners);
                Ok(())
            })?;
        }
        Ok(owners.into_values().collect())
    }
}

fn count(stem: &str, view: &View, owners: &mut std::collections::BTreeMap<String, Owner>) {
    let now = clock::now();
    let mut owner = |name: &str, change: fn(&mut Owner) -> &mut usize, by: usize| {
        let owner = owners.entry(name.to_owned()).or_insert_with(|| Owner {
            employee: name.to_owned(),
            entries: 0,
            superseded: 0,
            expired: 0,
            broken_lines: 0,
        });
        *change(owner) += by;
    };
    let mut first = None;
    for card in view.by(By::Time) {
        let name = if card.employee.is_empty() { stem } else { &card.employee };
        first.get_or_insert(name);
        let which: fn(&mut Owner) -> &mut usize = if !card.is_live() {
            |owner| &mut owner.superseded
        } else if card.is_expired(now) {
            |owner| &mut owner.expired
        } else {
            |owner| &mut owner.entries
        };
        owner(name, which, 1);
    }
    if view.broken().1 > 0 {
        owner(first.unwrap_or(stem), |owner| &mut owner.broken_lines, view.broken().1);
    }
}
