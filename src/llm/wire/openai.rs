//! `OpenAI`'s chat completions, as the others that speak it understand it.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat>.

use http::header;
use serde::{Deserialize, Serialize};

use super::{HttpParts, json_headers, key_header, to_json};
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
}

pub(super) fn encode(key: &Secret, request: &Request) -> Option<HttpParts> {
    let mut headers = json_headers();
    headers.insert(header::AUTHORIZATION, key_header("Bearer ", key)?);
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
    };
    Some(HttpParts { path: "/chat/completions", headers, body: to_json(&body) })
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
    let tokens = answered.usage.unwrap_or_default();
    let usage = Usage { input_tokens: tokens.prompt_tokens, output_tokens: tokens.completion_tokens };
    Ok(Reply { text, model: answered.model.unwrap_or_default(), usage, finish })
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
    use serde_json::{Value, json};

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
            account: "a".to_owned(),
        };
        let parts = encode(&Secret::new("sk-1").unwrap(), &request).unwrap();
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
        assert_eq!(reply.usage, Usage { input_tokens: 19, output_tokens: 10 });
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
