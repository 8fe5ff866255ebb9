//! A tool of a server as it is offered to a model.

use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest as _, Sha256};

use crate::llm::ToolSpec;

/// What the name of such a tool begins with.
pub(in crate::tools::bench) const PREFIX: &str = "mcp__";
/// Longest name that every provider takes.
const MOST_NAME: usize = 64;
/// Most characters of a description.
const MOST_DESCRIPTION: usize = 1024;
/// Most bytes of the schema of arguments.
const MOST_SCHEMA: usize = 16 << 10;

/// A tool of a server.
#[derive(Debug, Clone)]
pub(in crate::tools::bench) struct Offer {
    /// The name it is offered under.
    pub(in crate::tools::bench) name: String,
    /// The name it has on its server.
    pub(super) own: String,
    /// Whether its server says that what it changes may be lost for good.
    pub(in crate::tools::bench) is_destructive: bool,
    description: String,
    schema: std::sync::Arc<RawValue>,
}

impl Offer {
    /// The tool of `server` as it may be offered; `None` for one that no model could use.
    pub(super) fn of(server: &str, tool: &rmcp::model::Tool) -> Option<Self> {
        let schema =
            to_raw_value(&*tool.input_schema).ok().filter(|schema| schema.get().len() <= MOST_SCHEMA)?;
        let said = tool.description.as_deref().unwrap_or_default();
        let plain: String = said.chars().filter(|letter| !letter.is_control() || *letter == '\n').collect();
        Some(Self {
            name: fitted(server, &tool.name),
            own: tool.name.clone().into_owned(),
            is_destructive: tool.annotations.as_ref().is_some_and(is_destructive),
            description: crate::base::text::truncate(&plain, MOST_DESCRIPTION),
            schema: schema.into(),
        })
    }

    /// The same under another name, as the one it has is taken.
    pub(super) fn renamed(self, server: &str) -> Self {
        let name = marked(&self.name, server, &self.own);
        Self { name, ..self }
    }

    pub(in crate::tools::bench) fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: self.name.clone(),
            description: self.description.clone(),
            schema: self.schema.clone(),
        }
    }
}

/// Only what is said counts: by the protocol a server that says nothing would have it that all it offers is destructive.
fn is_destructive(hints: &rmcp::model::ToolAnnotations) -> bool {
    // Of a tool that changes nothing the other hint means nothing.
    hints.destructive_hint == Some(true) && hints.read_only_hint != Some(true)
}

/// `mcp__server__tool`, of letters that providers take and no longer than they take. A name that had to be changed carries
/// a mark, so that two that differ stay two.
fn fitted(server: &str, tool: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    let letters: String = tool.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect();
    let name = format!("{PREFIX}{server}__{letters}");
    if letters == tool && !tool.is_empty() && name.len() <= MOST_NAME {
        name
    } else {
        marked(&name, server, tool)
    }
}

fn marked(name: &str, server: &str, tool: &str) -> String {
    let mark = hex::encode(Sha256::digest(format!("{server}\n{tool}")));
    let mark = mark.get(..8).unwrap_or_default();
    let begin: String = name.chars().take(MOST_NAME - 9).collect();
    format!("{begin}_{mark}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_every_provider_takes_and_stay_apart() {
        assert_eq!(fitted("git-hub", "get_issue"), "mcp__git-hub__get_issue");
        let long = "x".repeat(200);
        for odd in ["a b", "a/b", "名", "", "a\nb", &long, &format!("{long}y")] {
            let name = fitted("s", odd);
            assert!(name.starts_with("mcp__s__") && name.len() <= 64, "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)), "{name}");
        }
        assert_ne!(fitted("s", "a b"), fitted("s", "a/b"));
        assert_ne!(fitted("s", "a b"), fitted("s", "a_b"));
        assert_ne!(fitted("s", &long), fitted("s", &format!("{long}y")));
    }
}
