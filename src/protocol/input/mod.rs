//! What a request needs from the client before it can be answered, and what the client says to that.
//!
//! A handler asks by returning an [`Inquiry`] instead of a result, and is run again from its beginning with
//! [`Context::answers`](super::Context::answers). That is all it has to know: a peer of 2026-07-28 sends its request
//! again with the answers, and one of the older era is asked by requests of the server while its own is still open.
//!
//! Source: MCP 2026-07-28, "Multi Round-Trip Requests"; before that, "Elicitation", "Sampling" and "Roots" of the
//! client.

mod answers;
mod bridge;
mod question;
mod rounds;
mod seal;

pub use answers::{Answers, Reply};
pub use question::Question;
pub(super) use rounds::{Request, Rounds};
pub(super) use seal::Seal;

use serde_json::Value;

/// Questions to the client, each under a key that its answer comes back under, and what the handler wants to remember
/// until then.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inquiry {
    pub(super) questions: Vec<(String, Question)>,
    pub(super) state: Option<Value>,
}

impl Inquiry {
    /// Asks nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks `question` as well; a key stands for one question.
    #[must_use]
    pub fn ask(mut self, key: impl Into<String>, question: Question) -> Self {
        let key = key.into();
        self.questions.retain(|(other, _)| *other != key);
        self.questions.push((key, question));
        self
    }

    /// Remembers `state`, which [`Answers::state`] hands back. The client carries it, sealed against change but not
    /// against being read: it is no place for secrets.
    #[must_use]
    pub fn remember(mut self, state: Value) -> Self {
        self.state = Some(state);
        self
    }
}

/// How a request ended that may need something from the client first.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome<T> {
    /// With a result.
    Complete(T),
    /// With questions; the handler is run again with the answers.
    NeedInput(Inquiry),
}

impl<T> From<T> for Outcome<T> {
    fn from(result: T) -> Self {
        Self::Complete(result)
    }
}
