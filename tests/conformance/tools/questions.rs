//! Tools that ask the client one thing and tell what it said.

use crew::protocol::input::{Inquiry, Question, Reply};
use serde_json::{Value, json};

use super::{Call, Fixture, Outcome, asked, fixture, form, said, sampling};

/// The key of the one question.
const KEY: &str = "question";

pub(super) fn all() -> Vec<Fixture> {
    vec![
        fixture(
            "test_sampling",
            "Asks the model of the client",
            json!({"prompt": {"type": "string"}}),
            |call| {
                Box::pin(async move {
                    let Some(reply) = call.context.answers().get(KEY) else {
                        return asked(Inquiry::new().ask(KEY, sampling(call.text("prompt"), 100)));
                    };
                    said(format!("LLM response: {}", reply.text().unwrap_or("none")))
                })
            },
        ),
        fixture("test_elicitation", "Asks the person", json!({"message": {"type": "string"}}), |call| {
            Box::pin(async move {
                let fields = [("username", "string"), ("email", "string")];
                once(&call, "User response", || form(call.text("message"), &fields))
            })
        }),
        fixture("test_elicitation_sep1034_defaults", "Asks with values to begin with", json!({}), |call| {
            Box::pin(async move { once(&call, "Elicitation completed", || with_schema(defaults())) })
        }),
        fixture("test_elicitation_sep1330_enums", "Asks for choices", json!({}), |call| {
            Box::pin(async move { once(&call, "Elicitation completed", || with_schema(choices())) })
        }),
        fixture("test_streaming_elicitation", "Says something, then asks", json!({}), |call| {
            Box::pin(async move {
                call.context.progress(0.0, Some(1.0), "");
                once(&call, "Elicitation completed", || form("Go on?", &[("ok", "boolean")]))
            })
        }),
    ]
}

/// Asks, or tells the answer.
fn once(call: &Call<'_>, head: &str, question: impl FnOnce() -> Question) -> Outcome {
    let Some(reply) = call.context.answers().get(KEY) else {
        return asked(Inquiry::new().ask(KEY, question()));
    };
    match reply {
        Reply::Result(result) => {
            let action = result.get("action").and_then(Value::as_str).unwrap_or("none");
            said(format!(
                "{head}: action={action}, content={}",
                result.get("content").unwrap_or(&Value::Null)
            ))
        }
        Reply::Error { message, .. } => said(format!("{head}: {message}")),
    }
}

fn with_schema(properties: Value) -> Question {
    let schema = json!({"type": "object", "properties": properties, "required": []});
    Question::Form { message: "Please fill this in".to_owned(), schema }
}

fn defaults() -> Value {
    json!({
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": true},
    })
}

/// The five forms that a choice may have.
fn choices() -> Value {
    let titled = [("value1", "First"), ("value2", "Second"), ("value3", "Third")];
    let titled = titled.map(|(value, title)| json!({"const": value, "title": title}));
    let plain = json!(["option1", "option2", "option3"]);
    json!({
        "untitledSingle": {"type": "string", "enum": plain},
        "titledSingle": {"type": "string", "oneOf": titled},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled}},
    })
}
