//! Spans over OTLP, to the collector that the usual variables of OpenTelemetry name.

use std::time::Duration;

use opentelemetry::trace::{SpanId, TraceId as OtelTraceId, TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::{
    Resource,
    trace::{IdGenerator, RandomIdGenerator, SdkTracerProvider},
};
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use super::{super::Environment, conventions::ByConvention};
use crate::base::TraceId;

/// Where spans go. Headers, time limits, sampling and the like are read from their variables by the exporter itself, see
/// <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// What the last spans may take to be sent.
const LAST: Duration = Duration::from_secs(5);

/// Spans on their way to a collector. They wait in a queue of bounded length, and those that find it full are dropped.
#[derive(Debug)]
pub(super) struct Spans(SdkTracerProvider);

impl Spans {
    /// Begins to send, if a collector is named.
    pub(super) fn wanted(env: &Environment) -> Option<Result<Self, ExporterBuildError>> {
        let is_off = env.get("OTEL_SDK_DISABLED").is_some_and(|off| off.eq_ignore_ascii_case("true"))
            || env.get("OTEL_TRACES_EXPORTER").is_some_and(|name| name == "none");
        (!is_off && ENDPOINTS.iter().any(|name| env.get(name).is_some())).then(|| Self::start(env))
    }

    fn start(env: &Environment) -> Result<Self, ExporterBuildError> {
        // Whoever comes second finds the first one's, which is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let exporter = SpanExporter::builder().with_http().build()?;
        let mut resource = Resource::builder();
        if env.get("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("knowlyr-crew");
        }
        let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(ByConvention(exporter))
            .with_id_generator(Ids::default())
            .with_resource(resource.with_attribute(version).build())
            .build();
        Ok(Self(provider))
    }

    /// What turns the spans of the program into those that are sent. What the log leaves out is no matter.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        let tracer = self.0.tracer("crew");
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_error_events_to_exceptions(false);
        layer.with_filter(Targets::new().with_target("crew", LevelFilter::INFO))
    }

    /// Sends what was not sent yet.
    pub(super) fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// Ids of traces are those that callers and logs know already.
#[derive(Debug, Default)]
struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> OtelTraceId {
        OtelTraceId::from_bytes(TraceId::current().to_bytes())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}
