//! `OpenAI`'s chat completions, as the others that speak it understand it.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat>.

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{
    Form, HttpParts, bearer, models,
    stream::{Fault, SoFar},
    to_json,
};
use crate::{
    base::Secret,
    llm::{Cause, Finish, Message, Request, Said, ToolCall, ToolSpec, Usage, Wire},
};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(flatten)]
    thinking: serde_json::Map<String, Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize, Default)]
struct Turn<'a> {
    role: &'static str,
    content: &'a str,
    /// What `DeepSeek`, Moonshot and Zhipu want back with the results of tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Calling<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

impl<'a> Turn<'a> {
    fn of(role: &'static str, content: &'a str) -> Self {
        Self { role, content, ..Self::default() }
    }

    /// The turns that `message` is: each result of a tool is one of its own there.
    fn all(message: &'a Message) -> Vec<Self> {
        match message {
            Message::User(text) => vec![Self::of("user", text)],
            Message::Assistant(said) => vec![Self::said(said)],
            Message::Tools(results) => results
                .iter()
                .map(|result| Self { tool_call_id: Some(&result.id), ..Self::of("tool", &result.text) })
                .collect(),
        }
    }

    fn said(said: &'a Said) -> Self {
        let thoughts = said.thoughts.as_ref().filter(|thoughts| thoughts.wire == Wire::OpenAi);
        Self {
            reasoning_content: thoughts.and_then(|thoughts| thoughts.parts.as_str()),
            tool_calls: said.calls.iter().map(Calling::from).collect(),
            ..Self::of("assistant", &said.text)
        }
    }
}

/// A call of a tool that was made earlier.
#[derive(Serialize)]
struct Calling<'a> {
    id: &'a str,
    r#type: &'static str,
    function: Made<'a>,
}

#[derive(Serialize)]
struct Made<'a> {
    name: &'a str,
    arguments: &'a str,
}

impl<'a> From<&'a ToolCall> for Calling<'a> {
    fn from(call: &'a ToolCall) -> Self {
        let function = Made { name: &call.name, arguments: &call.arguments };
        Self { id: &call.id, r#type: "function", function }
    }
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a RawValue,
}

impl<'a> From<&'a ToolSpec> for Tool<'a> {
    fn from(tool: &'a ToolSpec) -> Self {
        let ToolSpec { name, description, schema } = tool;
        Self { r#type: "function", function: Function { name, description, parameters: schema } }
    }
}

#[derive(Deserialize)]
struct Answered {
    model: Option<String>,
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Choice {
    message: Spoken,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Spoken {
    content: Option<String>,
    refusal: Option<String>,
    reasoning_content: Option<String>,
    tool_calls: Option<Vec<Called>>,
}

/// A call of a tool, or a piece of one.
#[derive(Deserialize)]
struct Called {
    /// Not all servers count.
    index: Option<u64>,
    id: Option<String>,
    function: Option<CalledFunction>,
}

#[derive(Deserialize)]
struct CalledFunction {
    name: Option<String>,
    arguments: Option<Arguments>,
}

/// A JSON text; some servers write the object itself.
#[derive(Deserialize)]
#[serde(untagged)]
enum Arguments {
    Text(String),
    Object(serde_json::Map<String, Value>),
}

impl From<Arguments> for String {
    fn from(arguments: Arguments) -> Self {
        match arguments {
            Arguments::Text(text) => text,
            Arguments::Object(object) => Value::Object(object).to_string(),
        }
    }
}

#[derive(Deserialize, Default)]
struct Tokens {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    prompt_tokens_details: Option<PromptTokens>,
    /// How `DeepSeek` names what it had in its cache.
    prompt_cache_hit_tokens: Option<u64>,
    /// How Moonshot does.
    cached_tokens: Option<u64>,
}

#[derive(Deserialize, Default)]
struct PromptTokens {
    cached_tokens: Option<u64>,
}

impl From<Tokens> for Usage {
    fn from(tokens: Tokens) -> Self {
        let details = tokens.prompt_tokens_details.unwrap_or_default();
        let cached = details.cached_tokens.or(tokens.prompt_cache_hit_tokens).or(tokens.cached_tokens);
        Self {
            input_tokens: tokens.prompt_tokens,
            cached_input_tokens: cached.unwrap_or_default().min(tokens.prompt_tokens),
            output_tokens: tokens.completion_tokens,
        }
    }
}

pub(super) fn encode(key: Option<&Secret>, request: &Request, form: Form) -> Option<HttpParts> {
    let headers = bearer(key, form)?;
    let system = (!request.system.is_empty()).then(|| Turn::of("system", &request.system));
    let turns = request.messages.iter().flat_map(Turn::all);
    let model = request.model.model.as_str();
    let reasons = models::reasons(model);
    let body = Body {
        model,
        messages: system.into_iter().chain(turns).collect(),
        tools: request.tools.iter().map(Tool::from).collect(),
        temperature: request.temperature.filter(|_| models::takes_temperature(model)),
        max_tokens: request.max_tokens.filter(|_| !reasons),
        max_completion_tokens: request.max_tokens.filter(|_| reasons),
        thinking: models::thinking(model, request.thinking, form == Form::Whole),
        stream: form == Form::Stream,
        // Without this a stream does not tell what it cost.
        stream_options: (form == Form::Stream).then_some(StreamOptions { include_usage: true }),
    };
    Some(HttpParts { path: "/chat/completions".to_owned(), headers, body: to_json(&body) })
}

/// What calls are counted from that share a number with another.
const OTHERS: u64 = 1 << 32;

/// Takes the first choice.
pub(super) fn whole(body: &[u8], so_far: &mut SoFar) -> Result<(), Fault> {
    let answered: Answered = serde_json::from_slice(body)?;
    let none = || Fault::Unreadable("it holds no choices".to_owned());
    let choice = answered.choices.into_iter().next().ok_or_else(none)?;
    let mut message = choice.message;
    // Here each is a whole call, whatever it says of its place.
    for (number, called) in (0..).zip(message.tool_calls.iter_mut().flatten()) {
        called.index = Some(number);
    }
    message.note(so_far)?;
    so_far.finish = Some(finish(choice.finish_reason)?);
    so_far.model = answered.model.unwrap_or_default();
    so_far.usage = answered.usage.unwrap_or_default().into();
    Ok(())
}

impl Spoken {
    /// Adds this, all or a piece of an answer, to what was read so far.
    fn note(self, so_far: &mut SoFar) -> Result<(), Fault> {
        so_far.text.push_str(&self.content.unwrap_or_default());
        so_far.refusal.push_str(&self.refusal.unwrap_or_default());
        if let Some(thought) = self.reasoning_content {
            let known = so_far.thoughts.take();
            let known = known.as_ref().and_then(Value::as_str).unwrap_or_default();
            so_far.thoughts = Some(format!("{known}{thought}").into());
        }
        for called in self.tool_calls.unwrap_or_default() {
            let id = called.id.filter(|id| !id.is_empty());
            let last = so_far.calls.count() as u64;
            // Where nobody counts, an id begins a call and what has none goes on with the last.
            let index = called.index.unwrap_or(if id.is_some() { last } else { last.saturating_sub(1) });
            // Some count every call as the first.
            let is_other =
                so_far.calls.id_at(index).zip(id.as_deref()).is_some_and(|(known, id)| known != id);
            let call = so_far.calls.at(if is_other { OTHERS + last } else { index })?;
            if let Some(id) = id {
                call.id = id;
            }
            if let Some(CalledFunction { name, arguments }) = called.function {
                // Some repeat the name with every piece.
                if let Some(name) = name.filter(|name| *name != call.name) {
                    call.name.push_str(&name);
                }
                call.arguments.push_str(&arguments.map(String::from).unwrap_or_default());
            }
        }
        Ok(())
    }
}

/// One event of a streamed answer.
#[derive(Deserialize)]
struct Chunk {
    model: Option<String>,
    choices: Option<Vec<Part>>,
    usage: Option<Tokens>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    index: u64,
    delta: Option<Spoken>,
    finish_reason: Option<String>,
    /// Where Moonshot puts the tokens.
    usage: Option<Tokens>,
}

/// Takes one event of a streamed answer.
///
/// Source: <https://platform.openai.com/docs/api-reference/chat/streaming>.
pub(super) fn event(data: &[u8], so_far: &mut SoFar) -> Result<(), Fault> {
    if data.trim_ascii() == b"[DONE]" {
        so_far.over = true;
        return Ok(());
    }
    let chunk: Chunk = serde_json::from_slice(data)?;
    if let Some(error) = chunk.error {
        return Err(told(&error));
    }
    if let Some(model) = chunk.model.filter(|model| !model.is_empty()) {
        so_far.model = model;
    }
    if let Some(usage) = chunk.usage {
        so_far.usage = usage.into();
    }
    for part in chunk.choices.unwrap_or_default().into_iter().filter(|part| part.index == 0) {
        if let Some(delta) = part.delta {
            delta.note(so_far)?;
        }
        if let Some(usage) = part.usage {
            so_far.usage = usage.into();
        }
        if part.finish_reason.as_ref().is_some_and(|reason| !reason.is_empty()) {
            so_far.finish = Some(finish(part.finish_reason)?);
        }
    }
    Ok(())
}

/// An error in the middle of an answer. Some servers give a status as its `code`, others a word.
pub(super) fn told(error: &Value) -> Fault {
    let code = error.get("code");
    let status = code.and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let status = status.filter(|code| (400..600).contains(code)).unwrap_or_else(|| {
        let words = [code, error.get("type")].into_iter().flatten().filter_map(Value::as_str);
        // `1302` and `1305` are how Zhipu says that too much was asked of it.
        let is_slow =
            |word: &str| matches!(word, "rate_limit_exceeded" | "rate_limit_error" | "1302" | "1305");
        let is_wrong = |word: &str| matches!(word, "invalid_request_error" | "context_length_exceeded");
        let mut status = 500;
        for word in words {
            if is_slow(word) {
                return 429;
            }
            if is_wrong(word) {
                status = 400;
            }
        }
        status
    });
    Fault::told(status, error)
}

/// Why it stopped, unless the provider says so that it broke down: `DeepSeek` lacked machines, Zhipu its network.
fn finish(reason: Option<String>) -> Result<Finish, Fault> {
    Ok(match reason.as_deref() {
        Some(word @ ("insufficient_system_resource" | "network_error")) => {
            let message = format!("it stopped in the middle of the answer: {word}");
            return Err(Fault::Told { status: 503, cause: Cause::Other, message });
        }
        Some("stop") => Finish::Stop,
        Some("tool_calls" | "function_call") => Finish::ToolCalls,
        Some("length" | "model_context_window_exceeded" | "model_length") => Finish::Length,
        // `sensitive` is how Zhipu names it.
        Some("content_filter" | "sensitive") => Finish::Refused,
        _ => Finish::Other(reason.unwrap_or_else(|| "unknown".to_owned())),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::llm::{Choice, Message, Reply};

    const COMPLETION: &[u8] = include_bytes!("../../../tests/fixtures/llm/openai-completion.json");
    const REFUSAL: &[u8] = include_bytes!("../../../tests/fixtures/llm/openai-refusal.json");
    const DEEPSEEK: &[u8] = include_bytes!("../../../tests/fixtures/llm/deepseek-reasoner.json");

    fn decode(body: &[u8]) -> Result<Reply, String> {
        let mut so_far = SoFar::default();
        match whole(body, &mut so_far) {
            Ok(()) => so_far.reply(Wire::OpenAi),
            Err(Fault::Unreadable(reason) | Fault::Told { message: reason, .. }) => Err(reason),
        }
    }

    fn body(model: &str) -> Value {
        let request = Request {
            model: Choice::of(model),
            system: "be brief".to_owned(),
            messages: vec![Message::user("go"), Message::Assistant("ok".to_owned().into())],
            tools: Vec::new(),
            max_tokens: Some(100),
            temperature: Some(0.5),
            thinking: None,
            fallback: None,
            account: "a".to_owned(),
        };
        let parts = encode(Secret::new("sk-1").as_ref(), &request, Form::Whole).unwrap();
        assert_eq!(parts.path, "/chat/completions");
        assert_eq!(parts.headers["authorization"], "Bearer sk-1");
        assert!(!format!("{parts:?}").contains("sk-1"));
        serde_json::from_slice(&parts.body).unwrap()
    }

    #[test]
    fn a_request_is_a_chat_completion() {
        assert_eq!(
            body("gpt-4o"),
            json!({
                "model": "gpt-4o",
                "messages": [
                    {"role": "system", "content": "be brief"},
                    {"role": "user", "content": "go"},
                    {"role": "assistant", "content": "ok"},
                ],
                "temperature": 0.5,
                "max_tokens": 100,
            })
        );
    }

    #[test]
    fn reasoning_models_have_their_own_limit_and_no_temperature() {
        for model in ["o1", "o3-mini", "O4-mini", "gpt-5", "gpt-5-nano"] {
            let body = body(model);
            assert_eq!(body["max_completion_tokens"], 100, "{model}");
            assert!(body.get("max_tokens").is_none() && body.get("temperature").is_none(), "{model}");
        }
        for model in ["gpt-4o", "gpt-5-chat-latest", "deepseek-chat", "qwen3-max"] {
            let body = body(model);
            assert_eq!(body["max_tokens"], 100, "{model}");
            assert!(body.get("max_completion_tokens").is_none(), "{model}");
        }
    }

    #[test]
    fn a_plain_answer() {
        let reply = decode(COMPLETION).unwrap();
        assert_eq!(reply.said.text, "Hello! How can I help?");
        assert_eq!(reply.model, "gpt-4o-2024-08-06");
        assert_eq!(reply.usage, Usage { input_tokens: 19, cached_input_tokens: 0, output_tokens: 10 });
        assert_eq!(reply.finish, Finish::Stop);
    }

    #[test]
    fn a_refusal_is_said_and_marked() {
        let reply = decode(REFUSAL).unwrap();
        assert_eq!(reply.said.text, "I'm sorry, I can't help with that.");
        assert_eq!(reply.finish, Finish::Refused);
    }

    #[test]
    fn thoughts_beside_the_answer_are_left_out() {
        let reply = decode(DEEPSEEK).unwrap();
        assert_eq!(reply.said.text, "9.8 更大。");
        assert_eq!(reply.finish, Finish::Length);
    }

    #[test]
    fn emptiness_is_an_answer_only_when_refused() {
        let body = |content: Value, reason: &str| {
            let choice = json!({"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": reason});
            json!({"choices": [choice]}).to_string()
        };
        assert!(decode(body(Value::Null, "stop").as_bytes()).unwrap_err().contains("no text"));
        assert!(decode(body(json!(" "), "length").as_bytes()).is_err());
        assert_eq!(decode(body(json!(""), "content_filter").as_bytes()).unwrap().finish, Finish::Refused);
        let odd = decode(body(json!("x"), "tool_calls").as_bytes()).unwrap();
        assert_eq!(odd.finish, Finish::Other("tool_calls".to_owned()));
        assert_eq!(odd.usage, Usage::default());
        assert_eq!(decode(br#"{"choices":[]}"#).unwrap_err(), "it holds no choices");
        assert_eq!(decode(br#"{"error":{"message":"x"}}"#).unwrap_err(), "it holds no choices");
        for body in ["", "[]", "null", r#"{"choices":[{}]}"#, r#"{"choices":[{"message":{"content":[1]}}]}"#]
        {
            assert!(decode(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_cut_answer_is_never_read() {
        for fixture in [COMPLETION, REFUSAL, DEEPSEEK] {
            let whole = fixture.trim_ascii_end();
            for length in 0..whole.len() {
                assert!(decode(&whole[..length]).is_err(), "cut at byte {length}");
            }
        }
    }
}
