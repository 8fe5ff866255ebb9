//! Google's `generateContent` and `streamGenerateContent`, version v1beta.
//!
//! Source: <https://ai.google.dev/api/generate-content>.

use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use super::{
    Form, HttpParts, headers, key_header, models, object,
    stream::{Fault, SoFar},
    to_json,
};
use crate::{
    base::Secret,
    llm::{Finish, Message, Request, Said, ToolCall, ToolSpec, Usage, Wire},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content>,
    contents: Vec<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<[Tools<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_config: Option<Generation>,
}

#[derive(Serialize)]
struct Content {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    parts: Vec<Value>,
}

impl From<&Message> for Content {
    fn from(message: &Message) -> Self {
        match message {
            Message::User(text) => Self { role: Some("user"), parts: vec![json!({"text": text})] },
            Message::Assistant(said) => Self { role: Some("model"), parts: parts(said) },
            Message::Tools(results) => {
                let parts = results.iter().map(|result| {
                    let key = if result.is_error { "error" } else { "result" };
                    json!({"functionResponse": {"name": result.name, "response": {key: result.text}}})
                });
                Self { role: Some("user"), parts: parts.collect() }
            }
        }
    }
}

/// A turn of the model. The signature of each call goes back with it: newer models refuse a turn without.
///
/// Source: <https://ai.google.dev/gemini-api/docs/thought-signatures>.
fn parts(said: &Said) -> Vec<Value> {
    let text = (!said.text.is_empty() || said.calls.is_empty()).then(|| json!({"text": said.text}));
    let signatures = said.thoughts.as_ref().filter(|thoughts| thoughts.wire == Wire::Gemini);
    let calls = said.calls.iter().enumerate().map(|(number, call)| {
        let made = json!({"name": call.name, "args": object(&call.arguments)});
        match signatures.and_then(|signatures| signatures.parts.get(number)) {
            None | Some(Value::Null) => json!({"functionCall": made}),
            Some(signature) => json!({"functionCall": made, "thoughtSignature": signature}),
        }
    });
    text.into_iter().chain(calls).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tools<'a> {
    function_declarations: Vec<Declaration<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    name: &'a str,
    description: &'a str,
    parameters_json_schema: &'a RawValue,
}

impl<'a> From<&'a ToolSpec> for Declaration<'a> {
    fn from(tool: &'a ToolSpec) -> Self {
        let ToolSpec { name, description, schema } = tool;
        Self { name, description, parameters_json_schema: schema }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Generation {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<Value>,
}

/// A whole answer, or one event of a streamed one: they have the same form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    #[serde(default)]
    candidates: Vec<Candidate>,
    prompt_feedback: Option<Feedback>,
    usage_metadata: Option<Tokens>,
    model_version: Option<String>,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    #[serde(default)]
    index: u64,
    content: Option<Spoken>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Spoken {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    /// It is thought, not answer.
    #[serde(default)]
    thought: bool,
    function_call: Option<Called>,
    thought_signature: Option<String>,
}

#[derive(Deserialize)]
struct Called {
    id: Option<String>,
    name: String,
    #[serde(default)]
    args: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    #[serde(default)]
    prompt_token_count: u64,
    #[serde(default)]
    candidates_token_count: u64,
    /// Charged as output, but not among the candidates.
    #[serde(default)]
    thoughts_token_count: u64,
    #[serde(default)]
    cached_content_token_count: u64,
}

/// The headers of a request; `None` when `key` cannot stand in one.
pub(super) fn head(key: Option<&Secret>, form: Form) -> Option<HeaderMap> {
    let mut headers = headers(form);
    if let Some(key) = key {
        headers.insert(HeaderName::from_static("x-goog-api-key"), key_header("", key)?);
    }
    Some(headers)
}

pub(super) fn encode(key: Option<&Secret>, request: &Request, form: Form) -> Option<HttpParts> {
    let headers = head(key, form)?;
    let model = request.model.model.as_str();
    let generation = Generation {
        temperature: request.temperature,
        max_output_tokens: request.max_tokens,
        thinking_config: request.thinking.and_then(|wish| models::gemini_thinking(model, wish)),
    };
    let any = generation.temperature.is_some()
        || generation.max_output_tokens.is_some()
        || generation.thinking_config.is_some();
    let body = Body {
        system_instruction: (!request.system.is_empty())
            .then(|| Content { role: None, parts: vec![json!({"text": request.system})] }),
        contents: request.messages.iter().map(Content::from).collect(),
        tools: (!request.tools.is_empty()).then(|| {
            [Tools { function_declarations: request.tools.iter().map(Declaration::from).collect() }]
        }),
        generation_config: any.then_some(generation),
    };
    // The name becomes part of a path and must not lead out of it.
    let model: String = form_urlencoded::byte_serialize(model.as_bytes()).collect();
    let call = match form {
        Form::Whole => "generateContent",
        Form::Stream => "streamGenerateContent?alt=sse",
    };
    Some(HttpParts { path: format!("/v1beta/models/{model}:{call}"), headers, body: to_json(&body) })
}

/// Takes the first candidate.
pub(super) fn whole(body: &[u8], so_far: &mut SoFar) -> Result<(), Fault> {
    take(serde_json::from_slice(body)?, so_far)?;
    match so_far.finish {
        Some(_) => Ok(()),
        None => Err(Fault::Unreadable("it holds no candidates".to_owned())),
    }
}

/// Takes one event of a streamed answer. Nothing marks the last one.
pub(super) fn event(data: &[u8], so_far: &mut SoFar) -> Result<(), Fault> {
    take(serde_json::from_slice(data)?, so_far)
}

fn take(answered: Answered, so_far: &mut SoFar) -> Result<(), Fault> {
    if let Some(error) = answered.error {
        let code = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
        let status = code.filter(|code| (400..600).contains(code)).unwrap_or(500);
        return Err(Fault::told(status, &error));
    }
    so_far.model = answered.model_version.unwrap_or_else(|| std::mem::take(&mut so_far.model));
    if let Some(tokens) = answered.usage_metadata {
        so_far.usage = Usage {
            input_tokens: tokens.prompt_token_count,
            cached_input_tokens: tokens.cached_content_token_count.min(tokens.prompt_token_count),
            output_tokens: tokens.candidates_token_count.saturating_add(tokens.thoughts_token_count),
        };
    }
    if answered.prompt_feedback.is_some_and(|feedback| feedback.block_reason.is_some()) {
        so_far.finish = Some(Finish::Refused);
    }
    let Some(candidate) = answered.candidates.into_iter().find(|candidate| candidate.index == 0) else {
        return Ok(());
    };
    let parts = candidate.content.map(|said| said.parts).unwrap_or_default();
    for part in parts {
        if let Some(Called { id, name, args }) = part.function_call {
            let arguments = Value::Object(args).to_string();
            so_far.calls.push(ToolCall { id: id.unwrap_or_default(), name, arguments })?;
            sign(so_far, part.thought_signature);
        } else if !part.thought {
            so_far.text.push_str(&part.text.unwrap_or_default());
        }
    }
    if let Some(reason) = candidate.finish_reason {
        so_far.finish = Some(finish(reason));
    }
    Ok(())
}

/// Keeps the signature of the call that was read last, in the place of that call.
fn sign(so_far: &mut SoFar, signature: Option<String>) {
    if let Value::Array(signatures) = so_far.thoughts.get_or_insert_with(|| json!([])) {
        signatures.push(signature.into());
    }
}

fn finish(reason: String) -> Finish {
    match reason.as_str() {
        "STOP" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "IMAGE_SAFETY" => {
            Finish::Refused
        }
        _ => Finish::Other(reason),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::llm::{Choice, Message, Reply};

    const CONTENT: &[u8] = include_bytes!("../../../tests/fixtures/llm/gemini-content.json");
    const BLOCKED: &[u8] = include_bytes!("../../../tests/fixtures/llm/gemini-blocked.json");

    fn decode(body: &[u8]) -> Result<Reply, String> {
        let mut so_far = SoFar::default();
        match whole(body, &mut so_far) {
            Ok(()) => so_far.reply(Wire::Gemini),
            Err(Fault::Unreadable(reason) | Fault::Told { message: reason, .. }) => Err(reason),
        }
    }

    fn parts(model: &str, form: Form) -> HttpParts {
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
        encode(Secret::new("g-1").as_ref(), &request, form).unwrap()
    }

    #[test]
    fn a_request_names_its_model_in_the_path_and_its_key_in_a_header() {
        let parts_of_whole = parts("gemini-2.0-flash", Form::Whole);
        assert_eq!(parts_of_whole.path, "/v1beta/models/gemini-2.0-flash:generateContent");
        assert_eq!(parts_of_whole.headers["x-goog-api-key"], "g-1");
        assert!(!format!("{parts_of_whole:?}").contains("g-1"));
        let body: Value = serde_json::from_slice(&parts_of_whole.body).unwrap();
        assert_eq!(
            body,
            json!({
                "systemInstruction": {"parts": [{"text": "be brief"}]},
                "contents": [
                    {"role": "user", "parts": [{"text": "go"}]},
                    {"role": "model", "parts": [{"text": "ok"}]},
                ],
                "generationConfig": {"temperature": 0.5, "maxOutputTokens": 100},
            })
        );
        let stream = parts("gemini-2.0-flash", Form::Stream);
        assert_eq!(stream.path, "/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse");
        let odd = parts("gemini-/../../x?key=1#", Form::Whole);
        assert_eq!(odd.path, "/v1beta/models/gemini-%2F..%2F..%2Fx%3Fkey%3D1%23:generateContent");
    }

    #[test]
    fn a_plain_answer() {
        let reply = decode(CONTENT).unwrap();
        assert_eq!(reply.said.text, "A change like this is fine. 没有问题。");
        assert_eq!(reply.model, "gemini-2.5-flash");
        assert_eq!(reply.usage, Usage { input_tokens: 11, cached_input_tokens: 4, output_tokens: 9 + 21 });
        assert_eq!(reply.finish, Finish::Stop);
    }

    #[test]
    fn a_blocked_prompt_or_answer_is_a_refusal() {
        let reply = decode(BLOCKED).unwrap();
        assert_eq!((reply.said.text.as_str(), reply.finish), ("", Finish::Refused));
        for reason in ["SAFETY", "RECITATION", "PROHIBITED_CONTENT"] {
            let body = json!({"candidates": [{"finishReason": reason, "index": 0}]}).to_string();
            assert_eq!(decode(body.as_bytes()).unwrap().finish, Finish::Refused);
        }
    }

    #[test]
    fn emptiness_and_other_documents_are_no_answers() {
        let body = |reason: &str, text: &str| {
            let content = json!({"parts": [{"text": text}], "role": "model"});
            json!({"candidates": [{"content": content, "finishReason": reason}]}).to_string()
        };
        assert!(decode(body("STOP", " ").as_bytes()).unwrap_err().contains("no text"));
        assert_eq!(decode(body("MAX_TOKENS", "x").as_bytes()).unwrap().finish, Finish::Length);
        let odd = decode(body("LANGUAGE", "x").as_bytes()).unwrap();
        assert_eq!(odd.finish, Finish::Other("LANGUAGE".to_owned()));
        for body in
            ["", "[]", "null", "{}", r#"{"candidates":[{}]}"#, r#"{"candidates":[{"content":"text"}]}"#]
        {
            assert!(decode(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_cut_answer_is_never_read() {
        for fixture in [CONTENT, BLOCKED] {
            let whole = fixture.trim_ascii_end();
            for length in 0..whole.len() {
                assert!(decode(&whole[..length]).is_err(), "cut at byte {length}");
            }
        }
    }
}
