//! `OpenAI`'s chat completions, as the others that speak it understand it.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat>.

use http::header;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Form, HttpParts, headers, key_header,
    stream::{Fault, SoFar},
    to_json,
};
use crate::{
    base::Secret,
    llm::{Finish, Reply, Request, Role, Usage},
};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: &'a str,
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
    message: Said,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
    refusal: Option<String>,
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
    let mut headers = headers(form);
    if let Some(key) = key {
        headers.insert(header::AUTHORIZATION, key_header("Bearer ", key)?);
    }
    let system = (!request.system.is_empty()).then_some(Turn { role: "system", content: &request.system });
    let turns = request.messages.iter().map(|message| Turn {
        role: match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        },
        content: &message.text,
    });
    let reasons = reasons(&request.model);
    let body = Body {
        model: &request.model,
        messages: system.into_iter().chain(turns).collect(),
        temperature: request.temperature.filter(|_| !reasons),
        max_tokens: request.max_tokens.filter(|_| !reasons),
        max_completion_tokens: request.max_tokens.filter(|_| reasons),
        stream: form == Form::Stream,
        // Without this a stream does not tell what it cost.
        stream_options: (form == Form::Stream).then_some(StreamOptions { include_usage: true }),
    };
    Some(HttpParts { path: "/chat/completions".to_owned(), headers, body: to_json(&body) })
}

/// Whether `model` is one of `OpenAI`'s reasoning models, which refuse `max_tokens` and any `temperature`.
fn reasons(model: &str) -> bool {
    let model = model.to_ascii_lowercase();
    let series = ["o1", "o3", "o4"]
        .iter()
        .any(|stem| model.strip_prefix(stem).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')));
    series || (model.starts_with("gpt-5") && !model.starts_with("gpt-5-chat"))
}

/// Takes the first choice. A refusal may be empty, any other answer may not.
pub(super) fn decode(body: &[u8]) -> Result<Reply, String> {
    let answered: Answered = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let choice = answered.choices.into_iter().next().ok_or("it holds no choices")?;
    let finish = match choice.message.refusal {
        Some(_) => Finish::Refused,
        None => finish(choice.finish_reason),
    };
    let content = choice.message.content.filter(|content| !content.is_empty());
    let text = content.or(choice.message.refusal).unwrap_or_default();
    if text.trim().is_empty() && finish != Finish::Refused {
        return Err(format!("it holds no text (stopped for: {finish:?})"));
    }
    let usage = answered.usage.unwrap_or_default().into();
    Ok(Reply { text, model: answered.model.unwrap_or_default(), usage, finish, cost_usd: None })
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
    delta: Option<Said>,
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
        if let Some(Said { content, refusal }) = part.delta {
            so_far.text.push_str(&content.unwrap_or_default());
            so_far.refusal.push_str(&refusal.unwrap_or_default());
        }
        if let Some(usage) = part.usage {
            so_far.usage = usage.into();
        }
        if part.finish_reason.as_ref().is_some_and(|reason| !reason.is_empty()) {
            so_far.finish = Some(finish(part.finish_reason));
        }
    }
    Ok(())
}

/// An error in the middle of an answer. Some servers give a status as its `code`.
fn told(error: &Value) -> Fault {
    let code = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let status = code.filter(|code| (400..600).contains(code)).unwrap_or(500);
    let message = error.get("message").unwrap_or(error);
    let message = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
    Fault::Told { status, message }
}

fn finish(reason: Option<String>) -> Finish {
    match reason.as_deref() {
        Some("stop") => Finish::Stop,
        Some("length") => Finish::Length,
        // `sensitive` is how Zhipu names it.
        Some("content_filter" | "sensitive") => Finish::Refused,
        _ => Finish::Other(reason.unwrap_or_else(|| "unknown".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::llm::Message;

    const COMPLETION: &[u8] = include_bytes!("../../../tests/fixtures/llm/openai-completion.json");
    const REFUSAL: &[u8] = include_bytes!("../../../tests/fixtures/llm/openai-refusal.json");
    const DEEPSEEK: &[u8] = include_bytes!("../../../tests/fixtures/llm/deepseek-reasoner.json");

    fn body(model: &str) -> Value {
        let request = Request {
            model: model.to_owned(),
            system: "be brief".to_owned(),
            messages: vec![Message::user("go"), Message { role: Role::Assistant, text: "ok".to_owned() }],
            max_tokens: Some(100),
            temperature: Some(0.5),
            fallback_model: None,
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
        assert_eq!(reply.text, "Hello! How can I help?");
        assert_eq!(reply.model, "gpt-4o-2024-08-06");
        assert_eq!(reply.usage, Usage { input_tokens: 19, cached_input_tokens: 0, output_tokens: 10 });
        assert_eq!(reply.finish, Finish::Stop);
    }

    #[test]
    fn a_refusal_is_said_and_marked() {
        let reply = decode(REFUSAL).unwrap();
        assert_eq!(reply.text, "I'm sorry, I can't help with that.");
        assert_eq!(reply.finish, Finish::Refused);
    }

    #[test]
    fn thoughts_beside_the_answer_are_left_out() {
        let reply = decode(DEEPSEEK).unwrap();
        assert_eq!(reply.text, "9.8 更大。");
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
