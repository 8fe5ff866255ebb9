//! The names that OpenTelemetry has for what the program's own spans tell.
//!
//! Within the program and in its log, spans and fields have short names. What leaves it is named by the semantic
//! conventions for HTTP, MCP and generative AI, so that dashboards made for those can read it:
//! <https://opentelemetry.io/docs/specs/semconv/gen-ai/>. Prompts and answers are not told.

use std::{fmt::Write as _, time::Duration};

use opentelemetry::{
    Key, KeyValue, Value,
    trace::{SpanId, SpanKind, Status},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};

/// An exporter that gets spans under the names of the conventions.
#[derive(Debug)]
pub(super) struct ByConvention<E>(pub(super) E);

impl<E: SpanExporter> SpanExporter for ByConvention<E> {
    fn export(&self, mut batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        for span in &mut batch {
            rename(span);
        }
        self.0.export(batch)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// How one kind of span is told.
struct Convention {
    /// Its name in the program.
    span: &'static str,
    /// What its name begins with, unless the name is made of fields alone.
    verb: &'static str,
    /// The fields whose values complete the name.
    named_by: &'static [&'static str],
    /// Which end of a conversation it is.
    kind: SpanKind,
    /// Attributes that all of them have.
    fixed: &'static [(&'static str, &'static str)],
    /// Fields, and what they are called.
    fields: &'static [(&'static str, &'static str)],
}

/// Fields that say what a span says by itself.
const LEFT_OUT: [&str; 2] = ["trace_id", "latency_ms"];
/// The field that tells of a caller's span.
const PARENT: &str = "parent_id";
/// The field that tells why something failed, in one word of a closed set.
const FAILED: &str = "error";

const CONVENTIONS: &[Convention] = &[
    Convention {
        span: "http.request",
        verb: "",
        named_by: &["method", "route"],
        kind: SpanKind::Server,
        fixed: &[],
        fields: &[
            ("method", "http.request.method"),
            ("route", "http.route"),
            ("status", "http.response.status_code"),
            ("client", "client.address"),
            ("caller", "enduser.id"),
        ],
    },
    Convention {
        span: "rpc.call",
        verb: "",
        named_by: &["method"],
        kind: SpanKind::Server,
        fixed: &[],
        fields: &[("method", "mcp.method.name")],
    },
    Convention {
        span: "task.run",
        verb: "task",
        named_by: &["kind"],
        kind: SpanKind::Consumer,
        fixed: &[],
        fields: &[("task.id", "crew.task.id"), ("kind", "crew.task.kind"), ("attempt", "crew.task.attempt")],
    },
    Convention {
        span: "task.step",
        verb: "step",
        named_by: &[],
        kind: SpanKind::Internal,
        fixed: &[],
        fields: &[("step", "crew.step.name")],
    },
    Convention {
        span: "employee.work",
        verb: "invoke_agent",
        named_by: &["employee"],
        kind: SpanKind::Internal,
        fixed: &[("gen_ai.operation.name", "invoke_agent")],
        fields: &[("employee", "gen_ai.agent.name")],
    },
    Convention {
        span: "tool.use",
        verb: "execute_tool",
        named_by: &["tool"],
        kind: SpanKind::Internal,
        fixed: &[("gen_ai.operation.name", "execute_tool")],
        fields: &[("tool", "gen_ai.tool.name"), ("call", "gen_ai.tool.call.id")],
    },
    Convention {
        span: "llm.call",
        verb: "chat",
        named_by: &["model"],
        kind: SpanKind::Client,
        fixed: &[("gen_ai.operation.name", "chat")],
        fields: &[
            ("model", "gen_ai.request.model"),
            ("provider", "gen_ai.provider.name"),
            ("tokens.in", "gen_ai.usage.input_tokens"),
            ("tokens.out", "gen_ai.usage.output_tokens"),
            ("cost_usd", "crew.cost.usd"),
            ("attempts", "crew.llm.attempts"),
            ("first_token_ms", "crew.llm.first_token_ms"),
        ],
    },
];

/// Providers that the conventions know by another name.
const PROVIDERS: [(&str, &str); 1] = [("gemini", "gcp.gemini")];

fn rename(span: &mut SpanData) {
    let Some(convention) = CONVENTIONS.iter().find(|convention| convention.span == span.name) else { return };
    let mut name = convention.verb.to_owned();
    for field in convention.named_by {
        if let Some(found) = span.attributes.iter().find(|found| found.key.as_str() == *field) {
            let gap = if name.is_empty() { "" } else { " " };
            let _ = write!(name, "{gap}{}", found.value.as_str());
        }
    }
    span.name = name.into();
    span.span_kind = convention.kind.clone();
    let attributes = std::mem::take(&mut span.attributes);
    for KeyValue { key, value, .. } in attributes {
        match key.as_str() {
            left_out if LEFT_OUT.contains(&left_out) => {}
            PARENT => adopt(span, &value),
            FAILED => {
                span.status = Status::error(value.to_string());
                span.attributes.push(KeyValue::new("error.type", value));
            }
            "status" if matches!(value, Value::I64(500..)) => {
                span.status = Status::error("");
                span.attributes.push(KeyValue::new("http.response.status_code", value));
            }
            known => {
                let name = convention.fields.iter().find(|(field, _)| *field == known);
                let key = name.map_or(key.clone(), |(_, name)| Key::from_static_str(name));
                span.attributes.push(KeyValue::new(key, value));
            }
        }
    }
    span.attributes.extend(convention.fixed.iter().map(|(key, value)| KeyValue::new(*key, *value)));
    for attribute in &mut span.attributes {
        if attribute.key.as_str() == "gen_ai.provider.name"
            && let Some((_, known)) = PROVIDERS.iter().find(|(own, _)| *own == attribute.value.as_str())
        {
            attribute.value = Value::from(*known);
        }
    }
}

/// Puts a span that nobody here began another for below that of whoever called.
fn adopt(span: &mut SpanData, parent: &Value) {
    if span.parent_span_id == SpanId::INVALID
        && let Ok(parent) = SpanId::from_hex(&parent.as_str())
    {
        span.parent_span_id = parent;
        span.parent_span_is_remote = true;
    }
}
