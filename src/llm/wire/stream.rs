//! An answer that comes in pieces: bytes, cut anywhere, become text and at the end a reply.

use super::{Wire, anthropic, gemini, openai, sse::Events};
use crate::llm::{Finish, Reply, Usage};

/// Why a stream holds no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::llm) enum Fault {
    /// It cannot be read.
    Unreadable(String),
    /// The provider said in it that it failed.
    Told {
        /// The HTTP status that fits.
        status: u16,
        /// What it said.
        message: String,
    },
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// What the events so far amount to; each dialect fills it in.
#[derive(Debug, Default)]
pub(super) struct SoFar {
    /// The text of the answer.
    pub(super) text: String,
    /// What a refusal says in place of an answer.
    pub(super) refusal: String,
    /// The model that answers.
    pub(super) model: String,
    /// What it cost.
    pub(super) usage: Usage,
    /// Why it stopped, once that is known.
    pub(super) finish: Option<Finish>,
    /// Whether the provider has said that nothing more comes.
    pub(super) over: bool,
}

/// Reads one streamed answer.
#[derive(Debug)]
pub(in crate::llm) struct Decoder {
    wire: Wire,
    events: Events,
    so_far: SoFar,
    /// Bytes of the text that were handed out.
    taken: usize,
}

impl Decoder {
    /// A decoder of one answer in the dialect `wire`.
    pub(in crate::llm) fn new(wire: Wire) -> Self {
        Self { wire, events: Events::default(), so_far: SoFar::default(), taken: 0 }
    }

    /// Takes the next bytes. Text that was read before a fault can still be [taken](Self::take).
    pub(in crate::llm) fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let (wire, so_far) = (self.wire, &mut self.so_far);
        self.events.push(bytes, |data| event(wire, data, so_far))
    }

    /// The text that came in since this was last asked.
    pub(in crate::llm) fn take(&mut self) -> String {
        let text = self.so_far.text.get(self.taken..).unwrap_or_default().to_owned();
        self.taken = self.so_far.text.len();
        text
    }

    /// Whether the provider has said that nothing more comes.
    pub(in crate::llm) fn is_over(&self) -> bool {
        self.so_far.over
    }

    /// The stream has ended: the text that was not taken yet, and the whole reply.
    ///
    /// Anthropic and `OpenAI` mark the end. Not all who speak `OpenAI`'s dialect do, and Gemini does not; there an
    /// answer is whole when it says why it stopped.
    pub(in crate::llm) fn finish(mut self) -> Result<(String, Reply), Fault> {
        let events = std::mem::take(&mut self.events);
        let (wire, so_far) = (self.wire, &mut self.so_far);
        events.finish(|data| event(wire, data, so_far))?;
        let rest = self.take();
        let SoFar { mut text, refusal, model, usage, finish, over } = self.so_far;
        let finish = match finish {
            Some(finish) if over || wire != Wire::Anthropic => finish,
            None if over && wire == Wire::OpenAi => Finish::Other("unknown".to_owned()),
            _ => return Err(Fault::Unreadable("it ended before the answer did".to_owned())),
        };
        let finish = if refusal.is_empty() { finish } else { Finish::Refused };
        if text.trim().is_empty() && finish != Finish::Refused {
            return Err(Fault::Unreadable(format!("it holds no text (stopped for: {finish:?})")));
        }
        if text.is_empty() {
            text = refusal;
        }
        Ok((rest, Reply { text, model, usage, finish, cost_usd: None }))
    }
}

fn event(wire: Wire, data: &[u8], so_far: &mut SoFar) -> Result<(), Fault> {
    if so_far.over {
        return Ok(());
    }
    match wire {
        Wire::Anthropic => anthropic::event(data, so_far),
        Wire::OpenAi => openai::event(data, so_far),
        Wire::Gemini => gemini::event(data, so_far),
    }
}
