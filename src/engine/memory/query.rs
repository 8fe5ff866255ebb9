//! Looking at memories.

use std::sync::Arc;

use serde::Serialize;

use super::{
    Category, Clearance, Entry, Error, Holder, Memory,
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

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The entries.
    pub entries: Vec<Arc<Entry>>,
    /// How many of those that would have been among them the reader may not be told.
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
        let mut found = Found::default();
        for path in Self::files(&self.folder, holder) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.look(&path, |view| {
                let fits = view.newest().filter(|entry| holder.is(&entry.employee));
                for entry in fits.filter(|entry| self.fits(entry, query)) {
                    if clearance.admits(entry, holder.name()) {
                        found.entries.push(Arc::clone(entry));
                    } else {
                        found.held_back += 1;
                    }
                }
                let (lines, count) = view.broken();
                found.broken.extend(lines.iter().map(|line| (name.clone(), line.clone())));
                found.broken_count += count;
            })?;
        }
        self.sort(&mut found.entries, query.order);
        found.entries.truncate(query.limit);
        Ok(found)
    }

    /// Whether an entry is among those that are asked for.
    pub(super) fn fits(&self, entry: &Entry, query: &Query) -> bool {
        let now = clock::now();
        (query.all || entry.holds(now))
            && query.category.is_none_or(|category| entry.is_of(category))
            && entry.importance >= query.min_importance
            && (query.tags.is_empty() || query.tags.iter().any(|tag| entry.tags.contains(tag)))
            && (query.min_confidence <= 0.0
                || entry.confidence_at(now, self.settings.half_life_days) >= query.min_confidence)
    }

    fn sort(&self, entries: &mut [Arc<Entry>], order: Order) {
        let (now, half_life) = (clock::now(), self.settings.half_life_days);
        // Stable: those that are equal stay as they were, the newest first.
        entries.sort_by_cached_key(|entry| std::cmp::Reverse(entry.created()));
        match order {
            Order::Newest => {}
            Order::Importance => entries.sort_by_key(|entry| std::cmp::Reverse(entry.importance)),
            Order::Confidence => {
                entries.sort_by(|a, b| {
                    b.confidence_at(now, half_life).total_cmp(&a.confidence_at(now, half_life))
                });
            }
        }
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
    ) -> Result<Vec<Arc<Entry>>, Error> {
        let (now, half_life) = (clock::now(), self.settings.half_life_days);
        let mut all = Vec::new();
        for stem in self.stems()? {
            self.look(&self.folder.join(stem + super::ENDING), |view| {
                let fits = view.newest().filter(|entry| {
                    let wanted = || entry.tags.iter().chain(&entry.applicability);
                    entry.shared
                        && entry.holds(now)
                        && !reader.is(&entry.employee)
                        && (tags.is_empty() || wanted().any(|word| tags.contains(word)))
                        && entry.confidence_at(now, half_life) >= LEAST_SHARED
                        && clearance.admits(entry, &entry.employee)
                });
                all.extend(fits.take(limit).cloned());
            })?;
        }
        self.sort(&mut all, Order::Newest);
        all.truncate(limit);
        Ok(all)
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
    for entry in view.newest() {
        let name = if entry.employee.is_empty() { stem } else { &entry.employee };
        first.get_or_insert(name);
        let which: fn(&mut Owner) -> &mut usize = if !entry.is_live() {
            |owner| &mut owner.superseded
        } else if entry.is_expired(now) {
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
