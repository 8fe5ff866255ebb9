//! Takes one result to where it goes, once.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    feishu, github,
    mail::{self, Mail},
    message::Message,
    record::DeliveryId,
    slack, webhook,
    wish::Wish,
};
use crate::{
    base::Secret,
    defs::{Destination, EnvText},
    engine::{Variable, outbound::Outbound},
    tasks::Task,
};

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Delivered(String),
    /// It may go better later, and not before `after` if the receiver says so.
    Again {
        /// What happened.
        detail: String,
        /// How long the receiver asks to be left alone.
        after: Option<Duration>,
    },
    /// It will not go better.
    Never(String),
}

impl Outcome {
    /// Tried again when the program thinks best.
    pub(super) fn again(detail: impl Into<String>) -> Self {
        Self::Again { detail: detail.into(), after: None }
    }
}

/// What it takes to send something. Clones share everything.
#[derive(Clone)]
pub struct Courier {
    /// The way to everything on the web.
    pub outbound: Outbound,
    /// What `${NAME}` stands for.
    pub variable: Variable,
    /// How mail is sent, or why it is not.
    pub mail: Result<Mail, mail::Fault>,
    /// Where GitHub is, and who comments there.
    pub github: Github,
}

/// Where GitHub is, and who comments there.
#[derive(Debug, Clone)]
pub struct Github {
    /// `https://api.github.com`, or that of an own server.
    pub api_url: String,
    /// What it is asked with.
    pub token: Option<Secret>,
}

/// What is sent of which task to where, and under which name.
pub(super) struct Parcel<'p> {
    pub(super) id: &'p DeliveryId,
    /// Attempts before this one, of which nobody may know whether they arrived.
    pub(super) before: u32,
    pub(super) task: &'p Arc<Task>,
    pub(super) message: &'p Message,
}

impl Courier {
    /// Sends the result of `task` to `to`, as `wish` wants it.
    pub(super) async fn send(
        &self,
        id: &DeliveryId,
        before: u32,
        task: &Arc<Task>,
        wish: &Wish,
        to: &Destination,
    ) -> Outcome {
        let message = Message::of(task, wish);
        let parcel = Parcel { id, before, task, message: &message };
        let sent = match to {
            // Names lead to no names.
            Destination::Named(name) => Err(format!("there is no destination `{name}`")),
            Destination::Email { to, subject } => mail::send(self, &parcel, to, subject.as_ref()).await,
            Destination::Webhook { url, headers, secret } => {
                webhook::send(self, &parcel, url, headers, secret.as_ref()).await
            }
            Destination::Feishu { url, secret } => feishu::send(self, &parcel, url, secret.as_ref()).await,
            Destination::Slack { url } => slack::send(self, &parcel, url).await,
            Destination::GithubComment { repository, number } => {
                let place = github::Place::of(repository.as_deref(), number.as_deref(), wish, task);
                github::send(self, &parcel, place).await
            }
        };
        sent.unwrap_or_else(Outcome::Never)
    }

    /// Where a comment goes, for people.
    pub(super) fn comment_target(to: &Destination, wish: &Wish, task: &Task) -> String {
        let Destination::GithubComment { repository, number } = to else { return to.target() };
        match github::Place::of(repository.as_deref(), number.as_deref(), wish, task) {
            Ok(place) => place.to_string(),
            Err(_) => wish.target.clone(),
        }
    }

    /// `text` with its variables.
    ///
    /// # Errors
    /// What is to be said of one that is not set.
    pub(super) fn fill(&self, text: &EnvText) -> Result<String, String> {
        text.fill(|name| (self.variable)(name))
            .map_err(|name| format!("the variable {name} is not set for deliveries"))
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier")
            .field("mail", &self.mail)
            .field("github", &self.github)
            .finish_non_exhaustive()
    }
}
