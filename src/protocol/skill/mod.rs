//! Skills: folders of instructions that a client may load, each with a `SKILL.md`.
//!
//! Their files are resources like any other. This adds what resources do not tell: which of them make up a skill, what
//! its front matter says, and the digests that an approval of the skill is bound to.
//!
//! Source: the MCP extension `io.modelcontextprotocol/skills` (SEP-2640).

pub(super) mod methods;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::{Context, Error, Version, resource::Resource, shape::Shape};

/// The name of the extension.
pub const EXTENSION: &str = "io.modelcontextprotocol/skills";

/// The media type of a folder.
pub const FOLDER: &str = "inode/directory";

/// A skill, as it is listed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Skill {
    /// Where its `SKILL.md` is; the segment before that is its name.
    pub uri: String,
    /// The front matter of `SKILL.md`, all of it; has at least `name` and `description`.
    pub frontmatter: Map<String, Value>,
    /// What it is made of.
    pub resources: Files,
}

/// What a skill is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Files {
    /// All its files, `SKILL.md` among them, each once.
    All(Vec<File>),
    /// Made when it is read, so that no digests can be given.
    Dynamic,
}

/// A file of a skill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    /// Where it is.
    pub uri: String,
    /// `sha256:` and 64 lower-case hexadecimal digits, of its bytes.
    pub digest: String,
    /// In bytes.
    pub size: u64,
}

/// Who keeps skills. Their files are read through [`Host::read_resource`](super::Host::read_resource).
pub trait SkillHost: Send + Sync {
    /// The skills, in a stable order; may leave some out, and should be the same slice as long as nothing changed.
    fn list<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Arc<[Skill]>, Error>>;

    /// The skill whose `SKILL.md` is at `uri`, listed or not; an unknown one is [`Error::skill_not_found`].
    fn get<'a>(&'a self, uri: &'a str, context: &'a Context) -> BoxFuture<'a, Result<Skill, Error>> {
        Box::pin(async move {
            let skills = self.list(context).await?;
            let skill = skills.iter().find(|skill| skill.uri == uri);
            skill.cloned().ok_or_else(|| Error::skill_not_found(uri))
        })
    }

    /// Who lists the folders of the skills; without one, that is not offered.
    fn folders(&self) -> Option<&dyn Folders> {
        None
    }
}

/// Lists folders.
pub trait Folders: Send + Sync {
    /// What is directly in the folder at `uri`, which has no slash at its end, in a stable order; folders have the type
    /// [`FOLDER`]. What is no folder is [`Error::not_a_folder`].
    fn read<'a>(
        &'a self,
        uri: &'a str,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Arc<[Resource]>, Error>>;
}

impl Error {
    /// There is no skill at `uri`.
    pub fn skill_not_found(uri: &str) -> Self {
        Self::invalid_params("no such skill; `skills/list` tells what there is")
            .with_data(json!({ "uri": uri }))
    }

    /// There is no folder at `uri`.
    pub fn not_a_folder(uri: &str) -> Self {
        Self::invalid_params("no such directory; `resources/list` tells what there is")
            .with_data(json!({ "uri": uri }))
    }
}

impl Shape for Skill {
    fn shape(&mut self, _: Version) {}
}

impl Serialize for Files {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All(files) => files.serialize(serializer),
            Self::Dynamic => serializer.serialize_str("dynamic"),
        }
    }
}
