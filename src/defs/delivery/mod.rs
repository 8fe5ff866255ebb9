//! Where results go.
//!
//! A place on the web is often a secret itself, as are the headers that go there: definitions name variables, and whatever
//! shows a delivery shows [`Destination::target`], in which what is secret is left out.

mod parse;
mod subject;
mod text;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use parse::is_repository;
pub(super) use parse::{Place, one, read};
pub use subject::{Subject, SubjectPlace};
pub use text::EnvText;

use super::diagnostic::Span;

/// One place the result of a run goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "Shown")]
#[schemars(with = "Shown")]
pub struct Delivery {
    /// Which of them, and how.
    pub to: Destination,
    /// Which endings are told; all when empty.
    pub only: Vec<Told>,
    /// Where it stands in its file.
    pub span: Span,
}

/// An ending that is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Told {
    /// It was done.
    Completed,
    /// It was not.
    Failed,
}

/// The way a result goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// One of the `destinations` of `.crew/config.yaml`, by its name.
    Named(String),
    /// Mail.
    Email {
        /// Who gets it: addresses, or variables that hold some; at least one.
        to: Vec<EnvText>,
        /// Its subject; crew has one of its own.
        subject: Option<Subject>,
    },
    /// JSON, posted.
    Webhook {
        /// Where to.
        url: EnvText,
        /// Headers that go along.
        headers: IndexMap<String, EnvText>,
        /// What it is signed with, in the way of Standard Webhooks.
        secret: Option<EnvText>,
    },
    /// A card from a robot in a group of Feishu.
    Feishu {
        /// The address of the robot.
        url: EnvText,
        /// What it is signed with.
        secret: Option<EnvText>,
    },
    /// A message through an incoming webhook of Slack, or of what speaks as Slack does.
    Slack {
        /// The address of the webhook.
        url: EnvText,
    },
    /// A comment on an issue or a pull request.
    GithubComment {
        /// `owner/name`, with places to fill; that of the event unless given.
        repository: Option<String>,
        /// The number, with places to fill; that of the event unless given.
        number: Option<String>,
    },
}

/// A delivery as it is shown.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
struct Shown {
    /// The way it goes: `email`, `webhook`, `feishu`, `slack`, `github-comment`, or `named`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Where to, without what is secret.
    target: String,
    /// Which endings are told; all when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    only: Vec<Told>,
}

impl From<Delivery> for Shown {
    fn from(delivery: Delivery) -> Self {
        Self { kind: delivery.to.kind(), target: delivery.to.target(), only: delivery.only }
    }
}

impl Destination {
    /// The words for all of them.
    pub const KINDS: [&str; 6] = ["webhook", "email", "feishu", "slack", "github-comment", "named"];

    /// The word for it in definitions; `named` for one that is settled elsewhere.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Named(_) => "named",
            Self::Email { .. } => "email",
            Self::Webhook { .. } => "webhook",
            Self::Feishu { .. } => "feishu",
            Self::Slack { .. } => "slack",
            Self::GithubComment { .. } => "github-comment",
        }
    }

    /// Where it goes, for people: nothing of it is secret.
    pub fn target(&self) -> String {
        match self {
            Self::Named(name) => name.clone(),
            Self::Email { to, .. } => to.iter().map(EnvText::written).collect::<Vec<_>>().join(", "),
            Self::Webhook { url, .. } | Self::Feishu { url, .. } | Self::Slack { url } => url.origin(),
            Self::GithubComment { repository, number } => {
                let part = |part: &Option<String>| part.clone().unwrap_or_default();
                format!("{}#{}", part(repository), part(number))
            }
        }
    }
}
