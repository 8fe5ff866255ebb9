//! Whose memory is in which file.

use sha2::{Digest as _, Sha256};

use crate::defs::Employee;

/// Longest stem of a file, in bytes; with what comes behind it, every file system takes it.
const LONGEST: usize = 120;

/// Somebody with a memory: an employee, by all its names, or whoever else has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The name that new entries carry.
    name: String,
    /// Other names that its memory may have been kept under.
    others: Vec<String>,
    /// Whether all that is in its files is its memory, whosever name it carries.
    all: bool,
}

impl Holder {
    /// An employee. Earlier versions kept its memory under its name, that of its character, or a trigger.
    pub fn of(employee: &Employee) -> Self {
        let character = Some(&employee.character_name).filter(|name| !name.is_empty());
        let others = character.into_iter().chain(&employee.triggers);
        let others = others.filter(|other| **other != employee.name).cloned().collect();
        Self { name: employee.name.clone(), others, all: false }
    }

    /// Somebody who is no employee here.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), others: Vec::new(), all: false }
    }

    /// Whoever has the memory that is kept in the file of this stem.
    pub fn of_file(stem: &str) -> Self {
        Self { name: stem.to_owned(), others: Vec::new(), all: true }
    }

    /// The name that new entries carry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether an entry that carries `name` is of this memory. One that carries none is of the memory it is found in.
    pub(super) fn is(&self, name: &str) -> bool {
        self.all || name.is_empty() || self.name == name || self.others.iter().any(|other| other == name)
    }

    /// The stems of the files its memory may be in; new ones get the first.
    pub fn stems(&self) -> Vec<String> {
        let mut stems = vec![stem(&self.name)];
        for name in std::iter::once(&self.name).chain(&self.others) {
            for stem in [stem(name), replaced(name), name.clone()] {
                if is_plain(&stem) && !stems.contains(&stem) {
                    stems.push(stem);
                }
            }
        }
        stems
    }
}

/// The stem for a name. What does not fit the name of a file is replaced, and then a hash keeps apart what was different.
fn stem(name: &str) -> String {
    let mut stem = replaced(name);
    if stem == name && !stem.is_empty() && stem.len() <= LONGEST {
        return stem;
    }
    stem.truncate(stem.floor_char_boundary(LONGEST - 13));
    let hash = Sha256::digest(name.as_bytes());
    stem.push('-');
    stem.push_str(hex::encode(hash).get(..12).unwrap_or_default());
    stem
}

/// What earlier versions made of a name.
fn replaced(name: &str) -> String {
    let fits = |letter: char| {
        letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '\u{4e00}'..='\u{9fff}')
    };
    name.chars().map(|letter| if fits(letter) { letter } else { '_' }).collect()
}

/// Whether a stem names a file of the folder of memories itself.
fn is_plain(stem: &str) -> bool {
    let parts = stem.contains(['/', '\\', '\0']) || stem.starts_with('.');
    !stem.is_empty() && !parts && stem.len() <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_fits_is_the_stem() {
        for name in ["code-reviewer", "林锐", "snake_case-2", "审查员_a"] {
            assert_eq!(stem(name), name);
        }
    }

    #[test]
    fn what_was_different_stays_apart_and_inside() {
        let odd = [
            "a b",
            "a/b",
            "a_b",
            "../../escape",
            "",
            ".",
            "..",
            "a\0b",
            "pipeline:x",
            &"长".repeat(200),
            "こ",
        ];
        let mut stems: Vec<_> = odd.iter().map(|name| stem(name)).collect();
        for stem in &stems {
            assert!(is_plain(stem), "{stem}");
        }
        stems.sort();
        stems.dedup();
        assert_eq!(stems.len(), odd.len());
    }

    #[test]
    fn files_of_earlier_versions_are_looked_for() {
        let stems = Holder::named("pipeline:x").stems();
        assert_eq!(stems[1..], ["pipeline_x", "pipeline:x"]);
        assert!(Holder::named("../x").stems().iter().all(|stem| is_plain(stem)));
        let employee = Employee {
            name: "reviewer".to_owned(),
            character_name: "林 锐".to_owned(),
            triggers: vec!["审查".to_owned()],
            ..Employee::default()
        };
        let holder = Holder::of(&employee);
        let stems = holder.stems();
        assert_eq!(stems[0], "reviewer");
        for expected in ["林_锐", "林 锐", "审查"] {
            assert!(stems.iter().any(|stem| stem == expected), "{stems:?}");
        }
        assert!(holder.is("林 锐") && holder.is("") && !holder.is("林"));
    }
}
