//! Anthropic's Messages, version 2023-06-01.
//!
//! Source: <https://docs.anthropic.com/en/api/messages>.

use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::{
    Form, HttpParts, headers, key_header,
    stream::{Fault, SoFar},
    to_json,
};
use crate::{
    base::Secret,
    llm::{Finish, Message, Reply, Request, Usage},
};

/// The limit is a required field there, so absence here needs a number.
const DEFAULT_MAX_TOKENS: u32 = 4096;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    system: &'a str,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: crate::llm::Role,
    content: &'a str,
}

impl<'a> From<&'a Message> for Turn<'a> {
    fn from(message: &'a Message) -> Self {
        Self { role: message.role, content: &message.text }
    }
}

#[derive(Deserialize)]
struct Answered {
    model: String,
    content: Vec<Block>,
    stop_reason: Option<String>,
    usage: Tokens,
}

/// What is not given is as it was before, as an event may name only what has changed.
#[derive(Deserialize, Default)]
struct Tokens {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

impl Tokens {
    /// Tokens written to a cache or read from it are not part of `input_tokens` there.
    fn note(&self, usage: &mut Usage) {
        if let Some(input) = self.input_tokens {
            let read = self.cache_read_input_tokens.unwrap_or_default();
            let written = self.cache_creation_input_tokens.unwrap_or_default();
            usage.input_tokens = input.saturating_add(read).saturating_add(written);
            usage.cached_input_tokens = read;
        }
        if let Some(output) = self.output_tokens {
            usage.output_tokens = output;
        }
    }
}

/// One block of content; only those of kind `text` are an answer, others are thought or tool use.
#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

pub(super) fn encode(key: Option<&Secret>, request: &Request, form: Form) -> Option<HttpParts> {
    let mut headers = headers(form);
    if let Some(key) = key {
        headers.insert(HeaderName::from_static("x-api-key"), key_header("", key)?);
    }
    headers.insert(HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"));
    let body = Body {
        model: &request.model,
        max_tokens: request.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
        system: &request.system,
        messages: request.messages.iter().map(Turn::from).collect(),
        temperature: request.temperature,
        stream: form == Form::Stream,
    };
    Some(HttpParts { path: "/v1/messages".to_owned(), headers, body: to_json(&body) })
}

/// Joins all text blocks in order. A refusal may be empty, any other answer may not.
pub(super) fn decode(body: &[u8]) -> Result<Reply, String> {
    let answered: Answered = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let texts = answered.content.into_iter().filter(|block| block.kind == "text");
    let text: String = texts.filter_map(|block| block.text).collect();
    let finish = finish(answered.stop_reason);
    if text.trim().is_empty() && finish != Finish::Refused {
        return Err(format!("it holds no text (stopped for: {finish:?})"));
    }
    let mut usage = Usage::default();
    answered.usage.note(&mut usage);
    Ok(Reply { text, model: answered.model, usage, finish, cost_usd: None })
}

/// One event of a streamed answer; kinds that are not named here say nothing that is needed.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Begun,
    },
    ContentBlockStart {
        content_block: Block,
    },
    ContentBlockDelta {
        delta: Delta,
    },
    MessageDelta {
        delta: Stop,
        #[serde(default)]
        usage: Tokens,
    },
    MessageStop,
    Error {
        error: Failed,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Begun {
    #[serde(default)]
    model: String,
    #[serde(default)]
    usage: Tokens,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Stop {
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Failed {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    message: String,
}

/// Takes one event of a streamed answer.
///
/// Source: <https://docs.anthropic.com/en/docs/build-with-claude/streaming>.
pub(super) fn event(data: &[u8], so_far: &mut SoFar) -> Result<(), Fault> {
    match serde_json::from_slice::<Event>(data)? {
        Event::MessageStart { message } => {
            so_far.model = message.model;
            message.usage.note(&mut so_far.usage);
        }
        Event::ContentBlockStart { content_block: Block { kind, text } } if kind == "text" => {
            so_far.text.push_str(&text.unwrap_or_default());
        }
        Event::ContentBlockDelta { delta: Delta { kind, text } } if kind == "text_delta" => {
            so_far.text.push_str(&text.unwrap_or_default());
        }
        Event::MessageDelta { delta, usage } => {
            usage.note(&mut so_far.usage);
            if delta.stop_reason.is_some() {
                so_far.finish = Some(finish(delta.stop_reason));
            }
        }
        Event::MessageStop => so_far.over = true,
        Event::Error { error } => {
            return Err(Fault::Told { status: status(&error.kind), message: error.message });
        }
        Event::ContentBlockStart { .. } | Event::ContentBlockDelta { .. } | Event::Other => {}
    }
    Ok(())
}

/// The HTTP status that an error of this type is answered with when it is known before the answer begins.
///
/// Source: <https://docs.anthropic.com/en/api/errors>.
fn status(kind: &str) -> u16 {
    match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => 500,
    }
}

fn finish(reason: Option<String>) -> Finish {
    match reason.as_deref() {
        Some("end_turn" | "stop_sequence") => Finish::Stop,
        Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
        Some("refusal") => Finish::Refused,
        _ => Finish::Other(reason.unwrap_or_else(|| "unknown".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MESSAGE: &[u8] = include_bytes!("../../../tests/fixtures/llm/anthropic-message.json");
    const THINKING: &[u8] = include_bytes!("../../../tests/fixtures/llm/anthropic-thinking.json");

    fn request() -> Request {
        Request {
            model: "claude-sonnet-4-20250514".to_owned(),
            system: "你是审查员".to_owned(),
            messages: vec![Message::user("go")],
            max_tokens: None,
            temperature: Some(0.7),
            fallback_model: None,
            account: "code-reviewer".to_owned(),
        }
    }

    #[test]
    fn a_request_is_a_messages_call() {
        let key = Secret::new("sk-ant-1").unwrap();
        let parts = encode(Some(&key), &request(), Form::Whole).unwrap();
        assert_eq!(parts.path, "/v1/messages");
        assert_eq!(parts.headers["x-api-key"], "sk-ant-1");
        assert_eq!(parts.headers["anthropic-version"], "2023-06-01");
        assert!(!format!("{parts:?}").contains("sk-ant-1"));
        let body = String::from_utf8(parts.body).unwrap();
        assert_eq!(
            body,
            r#"{"model":"claude-sonnet-4-20250514","max_tokens":4096,"system":"你是审查员","messages":[{"role":"user","content":"go"}],"temperature":0.7}"#
        );
    }

    #[test]
    fn empty_instructions_and_a_limit() {
        let bare = Request { system: String::new(), temperature: None, max_tokens: Some(10), ..request() };
        let parts = encode(Secret::new("k").as_ref(), &bare, Form::Whole).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&parts.body).unwrap();
        assert_eq!(
            body,
            json!({"model": "claude-sonnet-4-20250514", "max_tokens": 10, "messages": [{"role": "user", "content": "go"}]})
        );
        assert!(encode(Secret::new("a\nb").as_ref(), &bare, Form::Whole).is_none());
        let streamed = encode(None, &bare, Form::Stream).unwrap();
        assert_eq!(streamed.headers["accept"], "text/event-stream");
        assert!(!streamed.headers.contains_key("x-api-key"));
        let body: serde_json::Value = serde_json::from_slice(&streamed.body).unwrap();
        assert_eq!(body["stream"], true);
    }

    #[test]
    fn a_plain_answer() {
        let reply = decode(MESSAGE).unwrap();
        assert_eq!(reply.text, "The change is sound. 没有发现问题。");
        assert_eq!(reply.model, "claude-sonnet-4-20250514");
        assert_eq!(reply.usage, Usage { input_tokens: 2095, cached_input_tokens: 0, output_tokens: 503 });
        assert_eq!(reply.finish, Finish::Stop);
    }

    #[test]
    fn thoughts_and_tools_are_no_text() {
        let reply = decode(THINKING).unwrap();
        assert_eq!(reply.text, "First part. Second part.");
        assert_eq!(reply.finish, Finish::Length);
    }

    #[test]
    fn emptiness_is_an_answer_only_when_refused() {
        let body = |content: serde_json::Value, reason: &str| {
            let usage = json!({"input_tokens": 1, "output_tokens": 0});
            json!({"model": "m", "content": content, "stop_reason": reason, "usage": usage}).to_string()
        };
        let blank = json!([{"type": "text", "text": " \n"}]);
        assert!(decode(body(json!([]), "end_turn").as_bytes()).unwrap_err().contains("no text"));
        assert!(decode(body(blank, "max_tokens").as_bytes()).is_err());
        assert_eq!(decode(body(json!([]), "refusal").as_bytes()).unwrap().finish, Finish::Refused);
        let tool = json!([{"type": "text", "text": "x"}]);
        assert_eq!(
            decode(body(tool, "tool_use").as_bytes()).unwrap().finish,
            Finish::Other("tool_use".to_owned())
        );
        for body in ["", "[]", "null", "{}", r#"{"model":"m","content":"text"}"#] {
            assert!(decode(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_cut_answer_is_never_read() {
        for fixture in [MESSAGE, THINKING] {
            let whole = fixture.trim_ascii_end();
            for length in 0..whole.len() {
                assert!(decode(&whole[..length]).is_err(), "cut at byte {length}");
            }
        }
    }
}
