//! `OpenAI`'s responses.
//!
//! Nothing is kept by the provider (`store` is off): the whole conversation is sent each time, thoughts among it, which
//! come encrypted.
//!
//! Source: <https://platform.openai.com/docs/api-reference/responses>.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use super::{
    Form, HttpParts, bearer, models, openai,
    stream::{Fault, SoFar},
    to_json,
};
use crate::{
    base::Secret,
    llm::{Finish, Message, Request, ToolCall, ToolSpec, Usage, Wire},
};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    instructions: &'a str,
    input: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning>,
    store: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    include: &'static [&'static str],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

#[derive(Serialize)]
struct Reasoning {
    effort: &'static str,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    name: &'a str,
    description: &'a str,
    parameters: &'a RawValue,
    /// Strict schemas allow no optional arguments.
    strict: bool,
}

impl<'a> From<&'a ToolSpec> for Tool<'a> {
    fn from(tool: &'a ToolSpec) -> Self {
        let ToolSpec { name, description, schema } = tool;
        Self { r#type: "function", name, description, parameters: schema, strict: false }
    }
}

pub(super) fn encode(key: Option<&Secret>, request: &Request, form: Form) -> Option<HttpParts> {
    let headers = bearer(key, form)?;
    let model = request.model.model.as_str();
    let reasons = models::reasons(model);
    let body = Body {
        model,
        instructions: &request.system,
        input: request.messages.iter().flat_map(items).collect(),
        tools: request.tools.iter().map(Tool::from).collect(),
        temperature: request.temperature.filter(|_| models::takes_temperature(model)),
        max_output_tokens: request.max_tokens,
        reasoning: request
            .thinking
            .and_then(|wish| models::effort(model, wish))
            .map(|effort| Reasoning { effort }),
        store: false,
        include: if reasons { &["reasoning.encrypted_content"] } else { &[] },
        stream: form == Form::Stream,
    };
    Some(HttpParts { path: "/responses".to_owned(), headers, body: to_json(&body) })
}

/// The items of the conversation that `message` is.
fn items(message: &Message) -> Vec<Value> {
    match message {
        Message::User(text) => vec![json!({"role": "user", "content": text})],
        Message::Assistant(said) => {
            // Thoughts stand before what they led to, so a turn with thoughts goes back as it came.
            let thoughts = said.thoughts.as_ref().filter(|thoughts| thoughts.wire == Wire::OpenAiResponses);
            if let Some(items) = thoughts.and_then(|thoughts| thoughts.parts.as_array()) {
                return items.clone();
            }
            let text = (!said.text.is_empty()).then(|| json!({"role": "assistant", "content": said.text}));
            let calls = said.calls.iter().map(|call| {
                let ToolCall { id, name, arguments } = call;
                json!({"type": "function_call", "call_id": id, "name": name, "arguments": arguments})
            });
            text.into_iter().chain(calls).collect()
        }
        Message::Tools(results) => results
            .iter()
            .map(
                |result| json!({"type": "function_call_output", "call_id": result.id, "output": result.text}),
            )
            .collect(),
    }
}

#[derive(Deserialize)]
struct Answered {
    #[serde(default)]
    status: String,
    #[serde(default)]
    model: String,
    #[serde(default)]
    output: Vec<Value>,
    usage: Option<Tokens>,
    error: Option<Value>,
    incomplete_details: Option<Incomplete>,
}

#[derive(Deserialize)]
struct Incomplete {
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item {
    Message {
        #[serde(default)]
        content: Vec<Part>,
    },
    FunctionCall {
        call_id: String,
        name: String,
        #[serde(default)]
        arguments: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    OutputText {
        text: String,
    },
    Refusal {
        refusal: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    input_tokens_details: Option<InputTokens>,
}

#[derive(Deserialize)]
struct InputTokens {
    #[serde(default)]
    cached_tokens: u64,
}

pub(super) fn whole(body: &[u8], so_far: &mut SoFar) -> Result<(), Fault> {
    let mut answered: Answered = serde_json::from_slice(body)?;
    let output = std::mem::take(&mut answered.output);
    if output.is_empty() && answered.status.is_empty() {
        return Err(Fault::Unreadable("it holds no output".to_owned()));
    }
    for item in output {
        if let Item::Message { content } = Item::deserialize(&item)? {
            for part in content {
                match part {
                    Part::OutputText { text } => so_far.text.push_str(&text),
                    Part::Refusal { refusal } => so_far.refusal.push_str(&refusal),
                    Part::Other => {}
                }
            }
        }
        keep(item, so_far)?;
    }
    conclude(answered, so_far)
}

/// Keeps a whole item: a call for what it is, all of them for the turn they make.
fn keep(item: Value, so_far: &mut SoFar) -> Result<(), Fault> {
    if let Item::FunctionCall { call_id, name, arguments } = Item::deserialize(&item)? {
        so_far.calls.push(ToolCall { id: call_id, name, arguments })?;
    }
    if let Value::Array(items) = so_far.thoughts.get_or_insert_with(|| json!([])) {
        items.push(item);
    }
    Ok(())
}

/// Takes what is said of the answer as a whole.
fn conclude(answered: Answered, so_far: &mut SoFar) -> Result<(), Fault> {
    if let Some(error) = answered.error.filter(|error| !error.is_null()) {
        return Err(openai::told(&error));
    }
    so_far.model = answered.model;
    if let Some(tokens) = answered.usage {
        let cached = tokens.input_tokens_details.map_or(0, |details| details.cached_tokens);
        so_far.usage = Usage {
            input_tokens: tokens.input_tokens,
            cached_input_tokens: cached.min(tokens.input_tokens),
            output_tokens: tokens.output_tokens,
        };
    }
    let reason = answered.incomplete_details.and_then(|details| details.reason);
    so_far.finish = Some(match (answered.status.as_str(), reason.as_deref()) {
        ("completed", _) => Finish::Stop,
        ("incomplete", Some("max_output_tokens")) => Finish::Length,
        ("incomplete", Some("content_filter")) => Finish::Refused,
        (status, reason) => Finish::Other(reason.unwrap_or(status).to_owned()),
    });
    Ok(())
}

/// One event of a streamed answer; kinds that are not named here say nothing that is needed.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Event {
    #[serde(rename = "response.output_text.delta")]
    Text { delta: String },
    #[serde(rename = "response.refusal.delta")]
    Refusal { delta: String },
    #[serde(rename = "response.output_item.done")]
    ItemDone { item: Value },
    #[serde(rename = "response.completed", alias = "response.incomplete", alias = "response.failed")]
    Over { response: Answered },
    #[serde(rename = "error")]
    Error {
        #[serde(flatten)]
        error: Value,
    },
    #[serde(other)]
    Other,
}

/// Takes one event of a streamed answer.
///
/// Source: <https://platform.openai.com/docs/api-reference/responses-streaming>.
pub(super) fn event(data: &[u8], so_far: &mut SoFar) -> Result<(), Fault> {
    // Some gateways end it as the older dialect does.
    if data.trim_ascii() == b"[DONE]" {
        return Ok(());
    }
    match serde_json::from_slice::<Event>(data)? {
        Event::Text { delta } => so_far.text.push_str(&delta),
        Event::Refusal { delta } => so_far.refusal.push_str(&delta),
        // The arguments of a call come in pieces before, and whole here.
        Event::ItemDone { item } => keep(item, so_far)?,
        Event::Over { response } => {
            conclude(response, so_far)?;
            so_far.over = true;
        }
        Event::Error { error } => return Err(openai::told(error.get("error").unwrap_or(&error))),
        Event::Other => {}
    }
    Ok(())
}
