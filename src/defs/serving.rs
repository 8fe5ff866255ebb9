//! How much a server takes of whom, as the project has it.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    reader::{Fields, Unknown},
    report::Report,
    yaml::Node,
};

/// How much a server takes of whom. What is not given, the environment or nobody says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(default)]
pub struct OwnServing {
    /// Requests of one address in a minute; 0 for any number.
    pub rate_limit_per_minute: Option<u32>,
    /// Deliveries of one address in a minute; 0 for any number.
    pub webhook_rate_limit_per_minute: Option<u32>,
    /// Most bytes of a body.
    pub max_body_bytes: Option<u32>,
    /// What a request may take.
    pub request_timeout_seconds: Option<u32>,
    /// Requests that are answered at the same time.
    pub max_requests: Option<u32>,
    /// Connections that are open at the same time.
    pub max_connections: Option<u32>,
    /// What a client may take to send the head of a request.
    pub header_timeout_seconds: Option<u32>,
    /// Proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<String>,
    /// Origins whose pages may call.
    pub cors_origins: Vec<String>,
}

impl OwnServing {
    /// Requests or deliveries of one address in a minute.
    pub const PER_MINUTE: RangeInclusive<u32> = 0..=1_000_000;
    /// Bytes of a body.
    pub const BODY_BYTES: RangeInclusive<u32> = 1_024..=1 << 30;
    /// Seconds of a request.
    pub const REQUEST_SECONDS: RangeInclusive<u32> = 1..=86_400;
    /// Requests at the same time.
    pub const REQUESTS: RangeInclusive<u32> = 1..=100_000;
    /// Connections at the same time.
    pub const CONNECTIONS: RangeInclusive<u32> = 1..=1_000_000;
    /// Seconds of the head of a request.
    pub const HEADER_SECONDS: RangeInclusive<u32> = 1..=3_600;
}

pub(super) fn serving(node: &Node, report: &mut Report<'_>) -> Option<OwnServing> {
    let mut fields = Fields::of(node, "`serve`", report)?;
    let serving = OwnServing {
        rate_limit_per_minute: fields.whole("rate_limit_per_minute", OwnServing::PER_MINUTE, report),
        webhook_rate_limit_per_minute: fields.whole(
            "webhook_rate_limit_per_minute",
            OwnServing::PER_MINUTE,
            report,
        ),
        max_body_bytes: fields.whole("max_body_bytes", OwnServing::BODY_BYTES, report),
        request_timeout_seconds: fields.whole("request_timeout_seconds", OwnServing::REQUEST_SECONDS, report),
        max_requests: fields.whole("max_requests", OwnServing::REQUESTS, report),
        max_connections: fields.whole("max_connections", OwnServing::CONNECTIONS, report),
        header_timeout_seconds: fields.whole("header_timeout_seconds", OwnServing::HEADER_SECONDS, report),
        trusted_proxies: fields.strings("trusted_proxies", report),
        cors_origins: fields.strings("cors_origins", report),
    };
    fields.finish(Unknown::Refused, &[], report);
    Some(serving)
}
