//! Anthropic's Messages, version 2023-06-01.
//!
//! Source: <https://docs.anthropic.com/en/api/messages>.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use super::{
    Form, HttpParts, headers, key_header, models, object,
    stream::{Fault, SoFar},
    to_json,
};
use crate::{
    base::Secret,
    llm::{Finish, Message, Request, Said, ToolCall, ToolResult, ToolSpec, Usage, Wire},
};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    system: &'a str,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(&'a str),
    Blocks(Vec<Value>),
}

impl<'a> From<&'a Message> for Turn<'a> {
    fn from(message: &'a Message) -> Self {
        match message {
            Message::User(text) => Self { role: "user", content: Content::Text(text) },
            Message::Assistant(said) if said.calls.is_empty() => {
                Self { role: "assistant", content: Content::Text(&said.text) }
            }
            Message::Assistant(said) => Self { role: "assistant", content: Content::Blocks(blocks(said)) },
            Message::Tools(results) => {
                Self { role: "user", content: Content::Blocks(results.iter().map(result).collect()) }
            }
        }
    }
}

/// A turn that calls tools, its thoughts first, as they were.
fn blocks(said: &Said) -> Vec<Value> {
    let thoughts = said.thoughts.as_ref().filter(|thoughts| thoughts.wire == Wire::Anthropic);
    let thoughts = thoughts.and_then(|thoughts| thoughts.parts.as_array()).into_iter().flatten().cloned();
    // A blank text is refused there.
    let text = (!said.text.trim().is_empty()).then(|| json!({"type": "text", "text": said.text}));
    let calls = said.calls.iter().map(|call| {
        json!({"type": "tool_use", "id": call.id, "name": call.name, "input": object(&call.arguments)})
    });
    thoughts.chain(text).chain(calls).collect()
}

fn result(result: &ToolResult) -> Value {
    let ToolResult { id, text, is_error, name: _ } = result;
    json!({"type": "tool_result", "tool_use_id": id, "content": text, "is_error": is_error})
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a RawValue,
}

impl<'a> From<&'a ToolSpec> for Tool<'a> {
    fn from(tool: &'a ToolSpec) -> Self {
        Self { name: &tool.name, description: &tool.description, input_schema: &tool.schema }
    }
}

#[derive(Deserialize)]
struct Answered {
    model: String,
    content: Vec<Value>,
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

/// One block of content. Those of kinds that are not named here are no part of an answer.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        #[serde(default)]
        text: String,
    },
    ToolUse {
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    Thinking,
    RedactedThinking,
    #[serde(other)]
    Other,
}

/// The headers of a request; `None` when `key` cannot stand in one.
pub(super) fn head(key: Option<&Secret>, form: Form) -> Option<HeaderMap> {
    let mut headers = headers(form);
    if let Some(key) = key {
        headers.insert(HeaderName::from_static("x-api-key"), key_header("", key)?);
    }
    headers.insert(HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"));
    Some(headers)
}

pub(super) fn encode(key: Option<&Secret>, request: &Request, form: Form) -> Option<HttpParts> {
    let headers = head(key, form)?;
    let model = request.model.model.as_str();
    let max_tokens = request.max_tokens.unwrap_or_else(|| models::claude_max_tokens(model));
    let thinking = models::claude_thinking(model, request.thinking, max_tokens);
    // Whoever thinks chooses its words by itself.
    let free = thinking.is_none() && models::takes_temperature(model);
    let body = Body {
        model,
        max_tokens,
        system: &request.system,
        messages: request.messages.iter().map(Turn::from).collect(),
        tools: request.tools.iter().map(Tool::from).collect(),
        temperature: request.temperature.filter(|_| free).map(|temperature| temperature.min(1.0)),
        thinking,
        stream: form == Form::Stream,
    };
    Some(HttpParts { path: "/v1/messages".to_owned(), headers, body: to_json(&body) })
}

/// Takes a whole answer: all text blocks, in order, and all calls of tools.
pub(super) fn whole(body: &[u8], so_far: &mut SoFar) -> Result<(), Fault> {
    let answered: Answered = serde_json::from_slice(body)?;
    for content in answered.content {
        match Block::deserialize(&content)? {
            Block::Text { text } => so_far.text.push_str(&text),
            Block::ToolUse { id, name, input } => {
                so_far.calls.push(ToolCall { id, name, arguments: input.to_string() })?;
            }
            Block::Thinking | Block::RedactedThinking => thoughts(so_far).push(content),
            Block::Other => {}
        }
    }
    so_far.model = answered.model;
    so_far.finish = Some(finish(answered.stop_reason));
    answered.usage.note(&mut so_far.usage);
    Ok(())
}

/// The blocks of thought so far.
fn thoughts(so_far: &mut SoFar) -> &mut Vec<Value> {
    let Value::Array(thoughts) = so_far.thoughts.get_or_insert_with(|| json!([])) else {
        unreachable!("thoughts of this dialect are kept as a list");
    };
    thoughts
}

/// One event of a streamed answer; kinds that are not named here say nothing that is needed.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Begun,
    },
    ContentBlockStart {
        #[serde(default)]
        index: u64,
        content_block: Value,
    },
    ContentBlockDelta {
        #[serde(default)]
        index: u64,
        delta: Delta,
    },
    MessageDelta {
        delta: Stop,
        #[serde(default)]
        usage: Tokens,
    },
    MessageStop,
    Error {
        error: Value,
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
#[serde(tag = "type", rename_all = "snake_case")]
enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: String },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Stop {
    stop_reason: Option<String>,
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
        Event::ContentBlockStart { index, content_block } => start(index, content_block, so_far)?,
        Event::ContentBlockDelta { index, delta } => go_on(index, delta, so_far)?,
        Event::MessageDelta { delta, usage } => {
            usage.note(&mut so_far.usage);
            if delta.stop_reason.is_some() {
                so_far.finish = Some(finish(delta.stop_reason));
            }
        }
        Event::MessageStop => so_far.over = true,
        Event::Error { error } => {
            let kind = error.get("type").and_then(Value::as_str).unwrap_or_default();
            return Err(Fault::told(status(kind), &error));
        }
        Event::Other => {}
    }
    Ok(())
}

fn start(index: u64, content: Value, so_far: &mut SoFar) -> Result<(), Fault> {
    match Block::deserialize(&content)? {
        Block::Text { text } => so_far.text.push_str(&text),
        // Its arguments follow in pieces.
        Block::ToolUse { id, name, .. } => {
            *so_far.calls.at(index)? = ToolCall { id, name, arguments: String::new() };
        }
        Block::Thinking | Block::RedactedThinking => thoughts(so_far).push(content),
        Block::Other => {}
    }
    Ok(())
}

fn go_on(index: u64, delta: Delta, so_far: &mut SoFar) -> Result<(), Fault> {
    match delta {
        Delta::Text { text } => so_far.text.push_str(&text),
        Delta::Input { partial_json } => so_far.calls.at(index)?.arguments.push_str(&partial_json),
        Delta::Thinking { thinking } => think(so_far, "thinking", &thinking),
        Delta::Signature { signature } => think(so_far, "signature", &signature),
        Delta::Other => {}
    }
    Ok(())
}

/// Adds to a field of the thought that is coming in; blocks come one after the other.
fn think(so_far: &mut SoFar, field: &str, more: &str) {
    if let Some(Value::Object(thought)) = thoughts(so_far).last_mut() {
        let known = thought.get(field).and_then(Value::as_str).unwrap_or_default();
        let whole = format!("{known}{more}");
        thought.insert(field.to_owned(), whole.into());
    }
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
        Some("tool_use") => Finish::ToolCalls,
        Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
        Some("refusal") => Finish::Refused,
        _ => Finish::Other(reason.unwrap_or_else(|| "unknown".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::llm::{Choice, Reply};

    const MESSAGE: &[u8] = include_bytes!("../../../tests/fixtures/llm/anthropic-message.json");
    const THINKING: &[u8] = include_bytes!("../../../tests/fixtures/llm/anthropic-thinking.json");

    fn decode(body: &[u8]) -> Result<Reply, String> {
        let mut so_far = SoFar::default();
        match whole(body, &mut so_far) {
            Ok(()) => so_far.reply(Wire::Anthropic),
            Err(Fault::Unreadable(reason) | Fault::Told { message: reason, .. }) => Err(reason),
        }
    }

    fn request() -> Request {
        Request {
            model: Choice::of("claude-sonnet-4-20250514"),
            system: "你是审查员".to_owned(),
            messages: vec![Message::user("go")],
            tools: Vec::new(),
            max_tokens: None,
            temperature: Some(0.7),
            thinking: None,
            fallback: None,
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
            r#"{"model":"claude-sonnet-4-20250514","max_tokens":16384,"system":"你是审查员","messages":[{"role":"user","content":"go"}],"temperature":0.7}"#
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
        assert_eq!(reply.said.text, "The change is sound. 没有发现问题。");
        assert_eq!(reply.model, "claude-sonnet-4-20250514");
        assert_eq!(reply.usage, Usage { input_tokens: 2095, cached_input_tokens: 0, output_tokens: 503 });
        assert_eq!(reply.finish, Finish::Stop);
    }

    #[test]
    fn thoughts_and_tools_are_no_text() {
        let reply = decode(THINKING).unwrap();
        assert_eq!(reply.said.text, "First part. Second part.");
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
            Finish::Other("tool_calls".to_owned())
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
