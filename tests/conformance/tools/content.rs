//! Tools that answer with each kind of content, or with an error.

use crew::protocol::{
    Content, Error,
    resource::{Body, Contents},
    tool::{ToolOutcome, ToolResult},
};
use serde_json::{Value, json};

use super::{Fixture, PICTURE, fixture, fixture_with, said, shown};

/// A sound without a sample (WAV).
const SOUND: &str = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=";

pub(super) fn all() -> Vec<Fixture> {
    vec![
        fixture("test_simple_text", "Answers with text", json!({}), |_| {
            Box::pin(async { said("This is a simple text response for testing.") })
        }),
        fixture("test_image_content", "Answers with a picture", json!({}), |_| {
            Box::pin(async { shown(vec![picture()]) })
        }),
        fixture("test_audio_content", "Answers with sound", json!({}), |_| {
            Box::pin(async {
                shown(vec![Content::Audio { data: SOUND.to_owned(), mime_type: "audio/wav".to_owned() }])
            })
        }),
        fixture("test_embedded_resource", "Answers with a resource", json!({}), |_| {
            Box::pin(async {
                let text = "This is an embedded resource content.";
                shown(vec![resource("test://embedded-resource", "text/plain", text)])
            })
        }),
        fixture("test_multiple_content_types", "Answers with three kinds of content", json!({}), |_| {
            Box::pin(async {
                let text = json!({"test": "data", "value": 123}).to_string();
                let resource = resource("test://mixed-content-resource", "application/json", &text);
                shown(vec![Content::text("Multiple content types test:"), picture(), resource])
            })
        }),
        fixture("test_error_handling", "Fails, as a tool may", json!({}), |_| {
            Box::pin(async {
                let text = "This tool intentionally returns an error for testing";
                Ok(ToolOutcome::Complete(ToolResult::error(text)))
            })
        }),
        fixture("echo", "Answers with what it is given", json!({"text": {"type": "string"}}), |call| {
            Box::pin(async move { said(call.text("text")) })
        }),
        fixture(
            "test_custom_header",
            "Has an argument that is repeated in a header",
            custom_header(),
            |call| Box::pin(async move { said(call.text("value")) }),
        ),
        fixture("test_missing_capability", "Needs a client that samples", json!({}), |call| {
            Box::pin(async move {
                if call.context.client_declares(&["sampling"]) {
                    return said("The client samples.");
                }
                Err(Error::missing_capability(&json!({"sampling": {}})))
            })
        }),
        fixture_with("json_schema_2020_12_tool", "Has a schema of many keywords", schema(), |_| {
            Box::pin(async { said("The arguments were taken.") })
        }),
    ]
}

fn custom_header() -> Value {
    json!({"value": {"type": "string", "x-mcp-header": "Value"}})
}

/// Keywords that a server has to pass on as they are.
fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            },
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}

fn picture() -> Content {
    Content::Image { data: PICTURE.to_owned(), mime_type: "image/png".to_owned() }
}

fn resource(uri: &str, mime_type: &str, text: &str) -> Content {
    let body = Body::Text(text.to_owned());
    Content::Resource {
        resource: Contents { uri: uri.to_owned(), mime_type: Some(mime_type.to_owned()), body },
    }
}
