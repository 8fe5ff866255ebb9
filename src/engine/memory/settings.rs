//! How memories are kept in a project.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Error, FOLDER};
use crate::{defs::OwnMemory, store::document};

/// The file in which `memory config` keeps what it sets.
const FILE: &str = "config.json";
/// A longer file is none of ours.
const MOST_BYTES: usize = 1 << 16;

/// How memories are kept, and how much of them prompts hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// Whether prompts hold memories, and runs leave any.
    pub enabled: bool,
    /// Most tokens that memories take of a prompt; 0 for none.
    pub prompt_tokens: u32,
    /// Most entries in a prompt.
    pub prompt_entries: u32,
    /// Whether what came of a run is remembered, for employees that settle nothing themselves.
    pub outcomes: bool,
    /// Most outcomes of runs that each employee remembers.
    pub max_outcomes: u32,
    /// How many days entries hold that say nothing about it; 0 for ever.
    pub ttl_days: u32,
    /// Most entries that hold of each employee; what is worth least goes to the archive. 0 for no limit.
    pub max_entries: u32,
    /// After how many days half of a confidence is left; 0 for never.
    pub half_life_days: f64,
    /// Whether what employees want to remember themselves waits for somebody to approve of it.
    pub review: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            prompt_tokens: 800,
            prompt_entries: 10,
            outcomes: false,
            max_outcomes: 20,
            ttl_days: 0,
            max_entries: 0,
            half_life_days: 90.0,
            review: false,
        }
    }
}

/// What `memory config` sets; the names are those of earlier versions. What else is in the file stays there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_ttl_days: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_entries_per_employee: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confidence_half_life_days: Option<f64>,
    #[serde(flatten)]
    others: serde_json::Map<String, serde_json::Value>,
}

impl Settings {
    /// The settings of the project at `root`: what `own`, its `.crew/config.yaml`, says, else what `memory config` has set.
    /// A file of that which cannot be read counts as not there.
    pub fn read(root: &Path, own: &OwnMemory) -> Self {
        let kept = kept(root).unwrap_or_else(|error| {
            tracing::warn!(%error, "the settings of memories are passed over");
            Kept::default()
        });
        let usual = Self::default();
        Self {
            enabled: own.enabled.unwrap_or(usual.enabled),
            prompt_tokens: own.prompt_tokens.unwrap_or(usual.prompt_tokens),
            prompt_entries: own.prompt_entries.unwrap_or(usual.prompt_entries),
            outcomes: own.outcomes.unwrap_or(usual.outcomes),
            max_outcomes: own.max_outcomes.unwrap_or(usual.max_outcomes),
            ttl_days: own.ttl_days.or(kept.default_ttl_days).unwrap_or(usual.ttl_days),
            max_entries: own.max_entries.or(kept.max_entries_per_employee).unwrap_or(usual.max_entries),
            half_life_days: own
                .half_life_days
                .or(kept.confidence_half_life_days)
                .unwrap_or(usual.half_life_days),
            review: own.review.unwrap_or(usual.review),
        }
    }

    /// Keeps what is given for the project at `root`.
    ///
    /// # Errors
    /// [`Error::Unfit`] for a number without meaning or a file that cannot be read, [`Error::Store`] when the disk refuses.
    pub fn keep(
        root: &Path,
        ttl_days: Option<u32>,
        max_entries: Option<u32>,
        half_life_days: Option<f64>,
    ) -> Result<(), Error> {
        if let Some(days) = half_life_days.filter(|days| !(0.0..=36_500.0).contains(days)) {
            return Err(Error::Unfit(format!(
                "`half_life_days` must be a number from 0 to 36500, not {days}"
            )));
        }
        let mut kept = kept(root)?;
        kept.default_ttl_days = ttl_days.or(kept.default_ttl_days);
        kept.max_entries_per_employee = max_entries.or(kept.max_entries_per_employee);
        kept.confidence_half_life_days = half_life_days.or(kept.confidence_half_life_days);
        Ok(document::replace(&root.join(FOLDER).join(FILE), &serde_json::to_vec_pretty(&kept)?)?)
    }
}

fn kept(root: &Path) -> Result<Kept, Error> {
    let path = root.join(FOLDER).join(FILE);
    let Some(bytes) = document::read(&path)?.filter(|bytes| bytes.len() <= MOST_BYTES) else {
        return Ok(Kept::default());
    };
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::Unfit(format!("`{FOLDER}/{FILE}` cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_goes_before_what_was_set() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join(FOLDER).join(FILE);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, r#"{"default_ttl_days":7,"max_entries_per_employee":50,"auto_index":true}"#)
            .unwrap();
        Settings::keep(root.path(), None, Some(60), Some(30.0)).unwrap();
        let own = OwnMemory { ttl_days: Some(3), ..OwnMemory::default() };
        let settings = Settings::read(root.path(), &own);
        assert_eq!((settings.ttl_days, settings.max_entries, settings.half_life_days), (3, 60, 30.0));
        assert!(std::fs::read_to_string(&file).unwrap().contains("auto_index"), "what others wrote stays");
        Settings::keep(root.path(), None, None, Some(-1.0)).unwrap_err();
        std::fs::write(&file, "{").unwrap();
        assert_eq!(Settings::read(root.path(), &OwnMemory::default()), Settings::default());
    }
}
