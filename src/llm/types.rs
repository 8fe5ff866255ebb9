//! What is asked of a model and what it answers, in no provider's dialect.

use serde::{Deserialize, Serialize};

/// Who speaks in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person or program that asks.
    User,
    /// The model.
    Assistant,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who said it.
    pub role: Role,
    /// What was said.
    pub text: String,
}

impl Message {
    /// A turn of the user.
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: Role::User, text: text.into() }
    }
}

/// A request to whichever provider serves `model`.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Model name; its prefix chooses the provider.
    pub model: String,
    /// Instructions above the conversation.
    pub system: String,
    /// The conversation, oldest first; the last turn is the user's.
    pub messages: Vec<Message>,
    /// Most tokens to answer with; a provider's default when absent.
    pub max_tokens: Option<u32>,
    /// 0 to 2, a provider's default when absent.
    pub temperature: Option<f32>,
    /// A model to ask once when `model` does not answer, with its own provider and key.
    pub fallback_model: Option<String>,
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
    /// All its text.
    pub text: String,
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
