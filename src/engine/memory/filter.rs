//! Who may be told what: the one place that decides it, for queries, shared memories, prompts and exports alike.

use super::{Classification, Visibility, card::Card};
use crate::defs::Employee;

/// What a reader may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clearance {
    /// The most closed class of entries.
    pub level: Classification,
    /// What the reader knows about; needed for what is restricted.
    pub domains: Domains,
    /// Whose private entries.
    pub private: Private,
}

/// What a reader knows about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Domains {
    /// Everything.
    All,
    /// These alone.
    These(Vec<String>),
}

/// Whose private entries a reader is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Private {
    /// Nobody's.
    Nobody,
    /// Its own.
    Own(String),
    /// Everybody's.
    Everybody,
}

impl Clearance {
    /// What everybody in the project may be told.
    pub fn open() -> Self {
        Self {
            level: Classification::Internal,
            domains: Domains::These(Vec::new()),
            private: Private::Nobody,
        }
    }

    /// What whoever runs the project may be told, up to `level`.
    pub fn up_to(level: Classification, private: Private) -> Self {
        Self { level, domains: Domains::All, private }
    }

    /// What the prompt of an employee may hold, at most `level`.
    pub fn of(employee: &Employee, level: Classification) -> Self {
        let domains = employee.domains.iter().map(|domain| domain.trim().to_lowercase()).collect();
        Self { level, domains: Domains::These(domains), private: Private::Own(employee.name.clone()) }
    }

    /// Whether an entry from the memory of `owner` may be told.
    pub(super) fn admits(&self, card: &Card, owner: &str) -> bool {
        let is_open = match (card.visibility, &self.private) {
            (Visibility::Open, _) | (Visibility::Private, Private::Everybody) => true,
            (Visibility::Private, Private::Own(name)) => name == owner,
            (Visibility::Private, Private::Nobody) => false,
        };
        // What is restricted to nothing in particular is for those who know about everything.
        let knows = card.classification != Classification::Restricted
            || match &self.domains {
                Domains::All => true,
                Domains::These(known) => {
                    card.domain.iter().any(|domain| known.contains(&domain.trim().to_lowercase()))
                }
            };
        is_open && card.classification <= self.level && knows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::clock,
        engine::memory::{Category, Entry, card::Words},
        store::log::Line,
    };

    fn entry(classification: Classification, domain: &[&str], visibility: Visibility) -> Card {
        let domain = domain.iter().map(|domain| (*domain).to_owned()).collect();
        let entry = Entry {
            visibility,
            classification,
            domain,
            ..Entry::new("ann", Category::Finding, "x", clock::now())
        };
        let line = serde_json::to_vec(&entry).unwrap();
        Card::read(Line { number: 1, at: 0, bytes: &line }, &mut Words::default()).unwrap().0
    }

    #[test]
    fn the_table() {
        use Classification::{Confidential, Internal, Public, Restricted};
        let ann =
            Employee { name: "ann".to_owned(), domains: vec!["Pay ".to_owned()], ..Employee::default() };
        let readers = [
            Clearance::open(),
            Clearance::of(&ann, Internal),
            Clearance::of(&ann, Restricted),
            Clearance::up_to(Restricted, Private::Nobody),
            Clearance::up_to(Confidential, Private::Everybody),
        ];
        let rows = [
            (entry(Public, &[], Visibility::Open), [true, true, true, true, true]),
            (entry(Internal, &[], Visibility::Open), [true, true, true, true, true]),
            (entry(Internal, &[], Visibility::Private), [false, true, true, false, true]),
            (entry(Restricted, &["pay"], Visibility::Open), [false, false, true, true, true]),
            (entry(Restricted, &["law"], Visibility::Open), [false, false, false, true, true]),
            (entry(Restricted, &[], Visibility::Open), [false, false, false, true, true]),
            (entry(Confidential, &["pay"], Visibility::Open), [false, false, false, false, true]),
        ];
        for (entry, expected) in rows {
            let told = readers.each_ref().map(|reader| reader.admits(&entry, "ann"));
            assert_eq!(told, expected, "{entry:?}");
        }
        let private = entry(Internal, &[], Visibility::Private);
        assert!(!Clearance::of(&ann, Internal).admits(&private, "bob"), "of somebody else");
    }
}
