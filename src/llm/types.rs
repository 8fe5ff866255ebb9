//! What is asked of a model and what it answers, in no provider's dialect.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::provider::{Key, Wire};

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", content = "said", rename_all = "lowercase")]
pub enum Message {
    /// Of the person or program that asks.
    User(String),
    /// Of the model.
    Assistant(Said),
    /// Of the tools that the turn before called: one result for each call, in the same order.
    Tools(Vec<ToolResult>),
}

impl Message {
    /// A turn of the user.
    pub fn user(text: impl Into<String>) -> Self {
        Self::User(text.into())
    }
}

/// What a model said in one turn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// All its text.
    pub text: String,
    /// The tools it wants called; none when it is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ToolCall>,
    /// What it thought, when its provider wants that back with the results of tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thoughts: Option<Thoughts>,
}

impl From<String> for Said {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

/// What a model thought, as its provider wrote it. It means nothing in another dialect, where it is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thoughts {
    pub(super) wire: Wire,
    pub(super) parts: Value,
}

/// A tool that a model may call.
#[derive(Debug, Clone)]
pub struct ToolSpec {
    /// 1 to 64 letters, digits, `_` and `-`, which every provider takes.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// The JSON Schema of its arguments, an object.
    pub schema: Arc<RawValue>,
}

impl PartialEq for ToolSpec {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.description, self.schema.get())
            == (&other.name, &other.description, other.schema.get())
    }
}

/// A call of a tool that a model wants made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// What its result is told under; unique within its turn.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments as the model wrote them: a JSON object, unless the model has made a mistake.
    pub arguments: String,
}

/// What a tool gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    /// Of which call.
    pub id: String,
    /// The tool.
    pub name: String,
    /// What it gave, or what went wrong.
    pub text: String,
    /// Whether it went wrong.
    pub is_error: bool,
}

/// A model, and where it is served when that is not where models of its name are.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Its name; its prefix chooses the provider.
    pub model: String,
    /// The address of a server that speaks as `OpenAI` does, in place of a provider.
    pub base_url: Option<String>,
    /// The key, in place of that of the provider. A server at an address of its own is never sent that one.
    pub key: Option<Key>,
    /// Where this is settled, for messages about it: `employee "reviewer"`.
    pub from: String,
}

impl Choice {
    /// The model of this name where it usually is.
    pub fn of(model: impl Into<String>) -> Self {
        Self { model: model.into(), base_url: None, key: None, from: String::new() }
    }

    /// Whether both are the same model at the same place.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.model, &self.base_url) == (&other.model, &other.base_url)
    }
}

/// A request to a model.
#[derive(Debug, Clone)]
pub struct Request {
    /// The model that is asked.
    pub model: Choice,
    /// Instructions above the conversation.
    pub system: String,
    /// The conversation, oldest first; the last turn is the user's or that of the tools.
    pub messages: Vec<Message>,
    /// The tools the model may call.
    pub tools: Vec<ToolSpec>,
    /// Most tokens to answer with; a provider's default when absent.
    pub max_tokens: Option<u32>,
    /// 0 to 2, a provider's default when absent.
    pub temperature: Option<f32>,
    /// Whether it is to think before it answers, where that can be chosen; the model's own way when absent.
    pub thinking: Option<bool>,
    /// A model to ask once when `model` does not answer, with its own provider and key.
    pub fallback: Option<Choice>,
    /// Whom the call is charged to in the accounts: a name from a small closed set.
    pub account: String,
}

/// Tokens of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Read by the model.
    pub input_tokens: u64,
    /// Those among them that the provider had read before and charges less for.
    #[serde(default)]
    pub cached_input_tokens: u64,
    /// Written by the model.
    pub output_tokens: u64,
}

/// Why a model stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// It had said all.
    Stop,
    /// It waits for the tools it called.
    ToolCalls,
    /// It reached the token limit; the text is cut.
    Length,
    /// The provider withheld the answer.
    Refused,
    /// Something a provider has named since.
    Other(String),
}

/// A model's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// What it said.
    pub said: Said,
    /// The model that answered, as the provider names it.
    pub model: String,
    /// The tokens it took.
    pub usage: Usage,
    /// Why it ended.
    pub finish: Finish,
    /// What it cost in US dollars; absent when the price of the model is not known.
    pub cost_usd: Option<f64>,
}

/// A piece of an answer that is told while it comes in.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// More of its text.
    Text(String),
    /// It is complete; nothing comes after this.
    Done(Box<Reply>),
}
