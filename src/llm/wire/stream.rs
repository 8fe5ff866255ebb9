//! An answer that comes in pieces: bytes, cut anywhere, become text and at the end a reply.

use serde_json::Value;

use super::{Wire, anthropic, failure, gemini, openai, responses, sse::Events};
use crate::llm::{Cause, Finish, Reply, Said, Thoughts, ToolCall, Usage};

/// Why a stream holds no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::llm) enum Fault {
    /// It cannot be read.
    Unreadable(String),
    /// The provider said in it that it failed.
    Told {
        /// The HTTP status that fits.
        status: u16,
        /// What that is about.
        cause: Cause,
        /// What it said.
        message: String,
    },
}

impl Fault {
    /// A failure of which the provider says `error`; `status` is the HTTP status that fits.
    pub(super) fn told(status: u16, error: &Value) -> Self {
        let message = error.get("message").unwrap_or(error);
        let message = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
        Self::Told { status, cause: failure::cause(status, error, &message), message }
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// What was read so far, whole or in events; each dialect fills it in.
#[derive(Debug, Default)]
pub(super) struct SoFar {
    /// The text of the answer.
    pub(super) text: String,
    /// The tools it wants called.
    pub(super) calls: Calls,
    /// What it thought, where the provider wants that back.
    pub(super) thoughts: Option<Value>,
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

impl SoFar {
    /// The reply that all this is. A refusal may be empty, any other answer may not.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn reply(self, wire: Wire) -> Result<Reply, String> {
        let Self { mut text, calls, thoughts, refusal, model, usage, finish, over: _ } = self;
        let calls = calls.all();
        let finish = match finish {
            _ if !refusal.is_empty() => Finish::Refused,
            // Some servers say that they have stopped when they wait for a tool.
            Some(Finish::Stop) if !calls.is_empty() => Finish::ToolCalls,
            Some(Finish::ToolCalls) if calls.is_empty() => Finish::Other("tool_calls".to_owned()),
            Some(finish) => finish,
            None => Finish::Other("unknown".to_owned()),
        };
        if text.trim().is_empty() && calls.is_empty() && finish != Finish::Refused {
            return Err(format!("it holds no text (stopped for: {finish:?})"));
        }
        if text.is_empty() {
            text = refusal;
        }
        let thoughts = thoughts.filter(|_| !calls.is_empty()).map(|parts| Thoughts { wire, parts });
        Ok(Reply { said: Said { text, calls, thoughts }, model, usage, finish, cost_usd: None })
    }
}

/// Most calls of tools in one turn; what asks for more is no answer but a fault.
const MOST_CALLS: usize = 128;

/// The calls of a turn, each under the number its provider counts it by.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<(u64, ToolCall)>);

impl Calls {
    /// The call number `index`, begun now if it is new.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn at(&mut self, index: u64) -> Result<&mut ToolCall, Fault> {
        let place = match self.0.iter().position(|(known, _)| *known == index) {
            Some(place) => place,
            None if self.0.len() == MOST_CALLS => {
                return Err(Fault::Unreadable(format!("it calls more than {MOST_CALLS} tools at once")));
            }
            None => {
                let (id, name, arguments) = (String::new(), String::new(), String::new());
                self.0.push((index, ToolCall { id, name, arguments }));
                self.0.len() - 1
            }
        };
        let (_, call) = self.0.get_mut(place).expect("the place was found or made");
        Ok(call)
    }

    /// Adds a whole call.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn push(&mut self, call: ToolCall) -> Result<(), Fault> {
        *self.at(self.0.len() as u64)? = call;
        Ok(())
    }

    /// The id of the call number `index`, once it has one.
    pub(super) fn id_at(&self, index: u64) -> Option<&str> {
        let (_, call) = self.0.iter().find(|(known, _)| *known == index)?;
        Some(call.id.as_str()).filter(|id| !id.is_empty())
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// All of them. One without arguments has none to give; one without an id gets one.
    fn all(self) -> Vec<ToolCall> {
        let complete = |(number, (_, mut call)): (usize, (u64, ToolCall))| {
            if call.arguments.trim().is_empty() {
                "{}".clone_into(&mut call.arguments);
            }
            if call.id.is_empty() {
                call.id = format!("call-{number}");
            }
            call
        };
        self.0.into_iter().enumerate().map(complete).collect()
    }
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
    /// Anthropic and `OpenAI` mark the end. Not all who speak `OpenAI`'s older dialect do, and Gemini does not; there an
    /// answer is whole when it says why it stopped.
    pub(in crate::llm) fn finish(mut self) -> Result<(String, Reply), Fault> {
        let events = std::mem::take(&mut self.events);
        let (wire, so_far) = (self.wire, &mut self.so_far);
        events.finish(|data| event(wire, data, so_far))?;
        let rest = self.take();
        let so_far = self.so_far;
        let whole = match wire {
            Wire::Anthropic | Wire::OpenAiResponses => so_far.over && so_far.finish.is_some(),
            Wire::OpenAi => so_far.over || so_far.finish.is_some(),
            Wire::Gemini => so_far.finish.is_some(),
        };
        if !whole {
            return Err(Fault::Unreadable("it ended before the answer did".to_owned()));
        }
        let reply = so_far.reply(wire).map_err(Fault::Unreadable)?;
        Ok((rest, reply))
    }
}

fn event(wire: Wire, data: &[u8], so_far: &mut SoFar) -> Result<(), Fault> {
    if so_far.over {
        return Ok(());
    }
    match wire {
        Wire::Anthropic => anthropic::event(data, so_far),
        Wire::OpenAi => openai::event(data, so_far),
        Wire::OpenAiResponses => responses::event(data, so_far),
        Wire::Gemini => gemini::event(data, so_far),
    }
}
