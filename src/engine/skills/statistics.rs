//! How often skills were used: one line each time in `.crew/audit/skill_triggers.jsonl`.
//!
//! A line says nothing of the task and nothing of what was brought. Its first fields are those of earlier versions, whose
//! lines in `.crew/skills/triggers/` count as well.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Used;
use crate::{
    base::clock,
    catalog::SKILLS,
    engine::memory::moment,
    store::{
        Trail,
        log::{Line, Place, Reader},
    },
    tasks::TaskId,
};

/// The folder of the file, relative to the root of a project.
const FOLDER: &str = ".crew/audit";
/// How its name begins, and those of its like beside it.
const STEM: &str = "skill_triggers";
/// Where earlier versions kept the same, below [`SKILLS`].
const HISTORY: &str = "triggers";
/// Most files that are read.
const MOST_FILES: usize = 1000;
/// Largest file that is read, in bytes; none that is written here becomes so large.
const LARGEST: u64 = 64 << 20;

/// One use of a skill.
#[derive(Debug, Serialize)]
struct Record<'r> {
    trigger_id: String,
    skill_id: &'r str,
    employee: &'r str,
    match_score: f64,
    triggered_at: Timestamp,
    execution_status: &'static str,
    execution_time_ms: u64,
    actions_executed: Vec<&'static str>,
    /// Since earlier versions, which knew it by its id alone.
    skill: &'r str,
    trigger: &'static str,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<&'r TaskId>,
}

/// What is read of a line.
#[derive(Debug, Deserialize)]
struct Known {
    #[serde(default)]
    skill_id: String,
    employee: String,
    #[serde(default)]
    skill: String,
    #[serde(default)]
    triggered_at: String,
    #[serde(default)]
    execution_status: String,
    #[serde(default)]
    bytes: u64,
}

/// How often a skill was used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SkillCount {
    /// Whose skill it is.
    pub employee: String,
    /// Its name; its id where earlier versions kept no name.
    pub skill: String,
    /// How often it was part of what went to a model.
    pub triggered: u64,
    /// How often one of its actions could not be done.
    pub failed: u64,
    /// How many bytes it brought in all.
    pub bytes: u64,
    /// When it was used last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub last_triggered_at: Option<Timestamp>,
}

/// The uses of the skills of a project.
#[derive(Debug)]
pub struct Skills {
    root: PathBuf,
    trail: Trail,
    /// What was read so far, by file.
    read: Mutex<HashMap<PathBuf, (Place, Counts)>>,
}

/// The counts of one file, by employee and skill.
#[derive(Debug, Default)]
struct Counts(HashMap<(String, String), SkillCount>);

impl Skills {
    /// The uses in the project at `root`. Reads nothing yet.
    pub fn open(root: &Path) -> Self {
        Self { root: root.to_owned(), trail: Trail::new(STEM), read: Mutex::default() }
    }

    /// Notes a use.
    pub(super) async fn note(&self, employee: &str, used: &Used, task: Option<&TaskId>) {
        let record = Record {
            trigger_id: format!("trig_{}", uuid::Uuid::now_v7().simple()),
            skill_id: &used.skill.skill_id,
            employee,
            match_score: used.score,
            triggered_at: clock::now(),
            execution_status: if used.failed > 0 { "failure" } else { "success" },
            execution_time_ms: used.took_ms,
            actions_executed: used.skill.actions.iter().map(crate::defs::SkillAction::kind).collect(),
            skill: &used.skill.name,
            trigger: used.skill.trigger.kind(),
            bytes: used.bytes,
            task_id: task,
        };
        self.trail.note(&self.root.join(FOLDER), &record).await;
    }

    /// How often each skill was used, as far back as is kept; the names are those of the lines. Waits for the disk.
    ///
    /// What was read before is not read again, and a line that cannot be read counts nothing.
    pub fn counts(&self) -> Vec<SkillCount> {
        let mut read = self.read.lock();
        let files = self.files();
        read.retain(|path, _| files.contains(path));
        let mut all = Counts::default();
        for path in files {
            let (place, counts) = read.entry(path.clone()).or_default();
            if let Err(error) = place.read_on(&path, counts) {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "uses of skills are left out of the count"
                );
            }
            for count in counts.0.values() {
                all.add(count);
            }
        }
        all.0.into_values().collect()
    }

    /// The files there are, also those that were put aside.
    fn files(&self) -> Vec<PathBuf> {
        let list = |folder: PathBuf| {
            let listed = fs::read_dir(folder).into_iter().flatten().flatten();
            listed.take(MOST_FILES).map(|entry| entry.path())
        };
        let is_log = |path: &Path| path.extension().is_some_and(|extension| extension == "jsonl");
        let own = list(self.root.join(FOLDER)).filter(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.starts_with(STEM) && (is_log(path) || name.ends_with(".jsonl.1"))
        });
        let earlier = list(self.root.join(SKILLS).join(HISTORY)).filter(|path| is_log(path));
        let is_fit = |path: &PathBuf| {
            fs::symlink_metadata(path).is_ok_and(|seen| seen.is_file() && seen.len() <= LARGEST)
        };
        own.chain(earlier).filter(is_fit).collect()
    }
}

impl Counts {
    fn add(&mut self, other: &SkillCount) {
        let key = (other.employee.clone(), other.skill.clone());
        let count = self.0.entry(key).or_insert_with(|| SkillCount {
            employee: other.employee.clone(),
            skill: other.skill.clone(),
            ..SkillCount::default()
        });
        count.join(other);
    }
}

impl SkillCount {
    /// Adds what was counted elsewhere.
    pub(super) fn join(&mut self, other: &Self) {
        self.triggered += other.triggered;
        self.failed += other.failed;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.last_triggered_at = self.last_triggered_at.max(other.last_triggered_at);
    }
}

impl Reader for Counts {
    fn anew(&mut self) {
        self.0.clear();
    }

    fn line(&mut self, line: Line<'_>) {
        let Ok(known) = line.parse::<Known>() else { return };
        let skill = if known.skill.is_empty() { known.skill_id } else { known.skill };
        if skill.is_empty() {
            return;
        }
        self.add(&SkillCount {
            employee: known.employee,
            skill,
            triggered: 1,
            failed: u64::from(known.execution_status == "failure"),
            bytes: known.bytes,
            last_triggered_at: moment(&known.triggered_at),
        });
    }
}
