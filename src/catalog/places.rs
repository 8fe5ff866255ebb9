//! Where employees are looked for, and which place goes before which.

use std::{fmt, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where an employee may come from; a later one goes before an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The employees a person has in every project.
    User,
    /// Recipes of goose.
    Recipe,
    /// Agent Skills.
    Skill,
    /// Subagents.
    Agent,
    /// `.crew/employees`, which is part of the project.
    Project,
    /// `private/employees`, which is not.
    Private,
}

impl Layer {
    /// All, the lowest first.
    pub const ALL: [Self; 6] =
        [Self::User, Self::Recipe, Self::Skill, Self::Agent, Self::Project, Self::Private];

    /// The name it is shown and chosen by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Recipe => "recipe",
            Self::Skill => "skill",
            Self::Agent => "agent",
            Self::Project => "project",
            Self::Private => "private",
        }
    }

    /// Whether its files belong to another program.
    pub fn is_foreign(self) -> bool {
        matches!(self, Self::Recipe | Self::Skill | Self::Agent)
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the definitions of a place are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Markdown files and folders of crew.
    Crew,
    /// Folders with a `SKILL.md`.
    Skill,
    /// Markdown files, in folders within the folder too.
    Agent,
    /// YAML files.
    Recipe,
}

/// A folder with employees.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// From the root of the project; absolute for what a person has everywhere.
    pub(super) folder: PathBuf,
    pub(super) layer: Layer,
    pub(super) form: Form,
}

/// The folders of a project, the lowest first; this is the whole of the rule.
const OF_PROJECT: [(&str, Layer, Form); 7] = [
    (".goose/recipes", Layer::Recipe, Form::Recipe),
    (".agents/skills", Layer::Skill, Form::Skill),
    (".claude/skills", Layer::Skill, Form::Skill),
    (".agents/agents", Layer::Agent, Form::Agent),
    (".claude/agents", Layer::Agent, Form::Agent),
    (".crew/employees", Layer::Project, Form::Crew),
    ("private/employees", Layer::Private, Form::Crew),
];

/// All places, the lowest first. `user` is the folder of the employees a person has in every project.
pub(super) fn all(user: Option<&PathBuf>) -> Vec<Place> {
    let user = user.map(|folder| Place { folder: folder.clone(), layer: Layer::User, form: Form::Crew });
    let own = OF_PROJECT.map(|(folder, layer, form)| Place { folder: folder.into(), layer, form });
    user.into_iter().chain(own).collect()
}
