//! Spans, as a collector of OpenTelemetry gets them.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use prost::Message as _;
use reqwest::Method;
use serde_json::json;

use crate::support::{FakeModel, Project, Receiver, Server};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Has `writer` work once over HTTP, in the trace of the caller, and ends the server.
async fn write_once(env: &[(&str, &str)], status: u16) -> String {
    let project = Project::small("claude-test");
    let server = Server::start(&project, &[], env);
    let request = server
        .request(Method::POST, "/run/employee/writer")
        .header("traceparent", format!("00-{TRACE}-{PARENT}-01"))
        .json(&json!({"args": {"topic": "tides of the moon"}, "sync": true}));
    server.send(request).await.status(status);
    let log = server.log();
    assert_eq!(server.terminate(), Some(0));
    log
}

fn spans(collector: &Receiver) -> Vec<Span> {
    let mut found = Vec::new();
    for received in collector.received() {
        assert_eq!((received.method.as_str(), received.uri.as_str()), ("POST", "/v1/traces"));
        assert!(!received.text.contains("tides"), "prompts and answers are not told");
        let request = ExportTraceServiceRequest::decode(received.body).unwrap();
        for resource in request.resource_spans {
            let about = resource.resource.unwrap();
            let about = told(&about.attributes);
            assert_eq!(about["service.name"], "knowlyr-crew");
            assert_eq!(about["service.version"], env!("CARGO_PKG_VERSION"));
            found.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    found
}

fn told(attributes: &[KeyValue]) -> BTreeMap<&str, String> {
    let text = |attribute: &KeyValue| match attribute.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text.clone()),
        any_value::Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    };
    attributes.iter().filter_map(|attribute| Some((attribute.key.as_str(), text(attribute)?))).collect()
}

#[track_caller]
fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no `{name}`: {names:?}"))
}

#[tokio::test]
async fn a_run_is_told_in_the_trace_of_its_caller() {
    let model = FakeModel::answering(|_| Ok("the tides rise".to_owned())).await;
    let collector = Receiver::with_statuses(&[]).await;
    let [key, url] = model.env();
    write_once(&[key, url, ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)], 200).await;

    let spans = spans(&collector);
    assert!(spans.iter().all(|span| hex::encode(&span.trace_id) == TRACE), "{spans:#?}");
    let request = named(&spans, "POST /run/employee/{name}");
    assert_eq!((request.kind(), hex::encode(&request.parent_span_id)), (SpanKind::Server, PARENT.to_owned()));
    let about = told(&request.attributes);
    assert_eq!(about["http.route"], "/run/employee/{name}");
    assert_eq!(about["http.response.status_code"], "200");

    let (task, agent) = (named(&spans, "task employee.run"), named(&spans, "invoke_agent writer"));
    let call = named(&spans, "chat claude-test");
    assert_eq!(task.kind(), SpanKind::Consumer);
    let mut above = agent;
    while let Some(next) = spans.iter().find(|span| span.span_id == above.parent_span_id) {
        above = next;
    }
    assert_eq!(above.span_id, task.span_id, "the employee worked within the task: {spans:#?}");
    assert_eq!((call.kind(), &call.parent_span_id), (SpanKind::Client, &agent.span_id));
    let about = told(&call.attributes);
    for (name, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "anthropic"),
        ("gen_ai.request.model", "claude-test"),
    ] {
        assert_eq!(about[name], value, "{about:?}");
    }
    assert!(about["gen_ai.usage.input_tokens"].parse::<u64>().unwrap() > 0, "{about:?}");
    assert_eq!(told(&agent.attributes)["gen_ai.agent.name"], "writer");
}

#[tokio::test]
async fn what_fails_is_told_by_its_kind() {
    let model = FakeModel::answering(|_| Err(400)).await;
    let collector = Receiver::with_statuses(&[]).await;
    let [key, url] = model.env();
    write_once(&[key, url, ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)], 502).await;
    let spans = spans(&collector);
    let call = named(&spans, "chat claude-test");
    assert_eq!(call.status.as_ref().unwrap().code(), StatusCode::Error);
    assert!(!told(&call.attributes)["error.type"].is_empty());
}

#[tokio::test]
async fn a_collector_that_does_not_answer_is_in_nobodys_way() {
    let model = FakeModel::answering(|_| Ok("done".to_owned())).await;
    let [key, url] = model.env();
    // Nothing listens on the port that nobody can have.
    let nowhere = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    write_once(&[key, url, nowhere], 200).await;
    // An address that is none is told, and is no reason not to serve.
    let log = write_once(&[key, url, ("OTEL_EXPORTER_OTLP_ENDPOINT", "not an address")], 200).await;
    assert!(log.contains("spans cannot be sent"), "{log}");
}
