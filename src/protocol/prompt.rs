//! Prompts: messages that a person may start from.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Version, content::Content, info::Icon, shape::Shape};

/// A prompt, as it is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Prompt {
    /// What it is called by.
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What may be filled in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Argument>,
    /// Pictures of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub icons: Vec<Icon>,
}

/// Something to fill into a prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Argument {
    /// What it is called by.
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What to write there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it must be given.
    pub required: bool,
}

/// What was filled in, by name. Prompts take text only.
pub type Arguments = BTreeMap<String, String>;

/// A prompt with its arguments filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Filled {
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The conversation to start from.
    pub messages: Vec<Message>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: Content,
}

/// A side of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl Shape for Prompt {
    fn shape(&mut self, version: Version) {
        if !version.has_titles() {
            self.title = None;
            for argument in &mut self.arguments {
                argument.title = None;
            }
        }
        if !version.has_icons() {
            self.icons.clear();
        }
    }
}

impl Shape for Filled {
    fn shape(&mut self, version: Version) {
        for message in &mut self.messages {
            message.content.shape(version);
        }
    }
}
