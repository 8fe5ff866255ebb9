//! Bytes to and from a provider; the only user of reqwest here.

use std::{net::IpAddr, sync::OnceLock, time::Duration};

use reqwest::{Url, redirect};

use crate::{
    base::{Secret, clock},
    llm::{
        Error, Reply,
        provider::{Http, Wire},
        wire::{self, Answer, HttpParts},
    },
};

/// Where calls of one provider go.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) provider: &'static str,
    pub(super) http: &'static Http,
    pub(super) key: Secret,
    base_url: String,
    /// It is this machine, which no proxy stands between.
    local: bool,
}

impl Target {
    /// Checks the address and the key.
    pub(super) fn new(
        provider: &'static str,
        http: &'static Http,
        key: Secret,
        base_url: Option<&str>,
    ) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Address { provider, variable: http.base_url_variable, reason };
        let address = base_url.unwrap_or(http.base_url).trim().trim_end_matches('/');
        let url = Url::parse(address).map_err(|error| refuse(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("it must begin with `https://` or `http://`".to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it holds a user name or a password".to_owned()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it must end with its path".to_owned()));
        }
        if !key.expose().bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(Error::InvalidKey { provider, variable: http.key_variable });
        }
        // Both `https://host` and `https://host/v1` are in use for Anthropic; its path brings the version.
        let base = match http.wire {
            Wire::Anthropic => address.strip_suffix("/v1").unwrap_or(address),
            Wire::OpenAi => address,
        };
        Ok(Self { provider, http, key, base_url: base.to_owned(), local: is_local(&url) })
    }

    /// `error` without the key, should the provider have repeated it. A key of under 8 characters is a
    /// placeholder for a server that wants none, and likely to be part of ordinary words.
    fn redact(&self, mut error: Error) -> Error {
        let key = self.key.expose();
        if let Error::Status { message: text, .. } | Error::Malformed { reason: text, .. } = &mut error
            && key.len() >= 8
        {
            *text = text.replace(key, "***");
        }
        error
    }
}

fn is_local(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Connections, kept open between calls.
#[derive(Debug)]
pub(super) struct Transport {
    connect_timeout: Duration,
    max_answer_bytes: usize,
    remote: OnceLock<reqwest::Client>,
    local: OnceLock<reqwest::Client>,
}

impl Transport {
    /// Without connections yet.
    pub(super) fn new(connect_timeout: Duration, max_answer_bytes: usize) -> Self {
        Self { connect_timeout, max_answer_bytes, remote: OnceLock::new(), local: OnceLock::new() }
    }

    /// Sends one request and reads the answer. The caller bounds the time.
    pub(super) async fn post(&self, target: &Target, parts: &HttpParts) -> Result<Reply, Error> {
        let provider = target.provider;
        let failed = |error| self.classify(provider, error);
        let request = self
            .client(target.local)
            .map_err(failed)?
            .post(format!("{}{}", target.base_url, parts.path))
            .headers(parts.headers.clone())
            .body(parts.body.clone());
        let mut response = request.send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.max_answer_bytes {
                let reason = format!("it is longer than {} bytes", self.max_answer_bytes);
                return Err(Error::Malformed { provider, reason });
            }
            body.extend_from_slice(&chunk);
        }
        let answer = Answer {
            provider,
            status: response.status().as_u16(),
            headers: response.headers(),
            body: &body,
            received: clock::now(),
        };
        wire::decode(target.http.wire, &answer).map_err(|error| target.redact(error))
    }

    /// Built when first needed: reading the system's certificates takes longer than the rest of a start.
    fn client(&self, local: bool) -> Result<&reqwest::Client, reqwest::Error> {
        let cell = if local { &self.local } else { &self.remote };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        // An error means that someone has installed one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("knowlyr-crew/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.connect_timeout)
            // A redirect would carry prompts, and maybe the key, to a place nobody chose.
            .redirect(redirect::Policy::none());
        if local {
            builder = builder.no_proxy();
        }
        let client = builder.build()?;
        Ok(cell.get_or_init(|| client))
    }

    fn classify(&self, provider: &'static str, error: reqwest::Error) -> Error {
        if error.is_timeout() {
            // The only time-out reqwest is told about; the total is the caller's.
            Error::Timeout { provider, after: self.connect_timeout }
        } else {
            Error::Connection { provider, source: Box::new(error.without_url()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::Provider;

    fn target(model: &str, base_url: Option<&str>, key: &str) -> Result<Target, Error> {
        let provider = Provider::of(model).unwrap();
        Target::new(provider.id, provider.http().unwrap(), Secret::new(key).unwrap(), base_url)
    }

    #[test]
    fn addresses_are_taken_with_or_without_slash_and_version() {
        let check = |model: &str, base_url: Option<&str>, expected: &str, local: bool| {
            let target = target(model, base_url, "k").unwrap();
            assert_eq!((target.base_url.as_str(), target.local), (expected, local));
        };
        check("claude-x", None, "https://api.anthropic.com", false);
        check("claude-x", Some("https://proxy.example/v1/"), "https://proxy.example", false);
        check("gpt-4o", Some(" http://127.0.0.1:8080/v1/ "), "http://127.0.0.1:8080/v1", true);
        check("gpt-4o", Some("http://[::1]:1"), "http://[::1]:1", true);
        check("gpt-4o", Some("http://localhost:1"), "http://localhost:1", true);
        check("gpt-4o", Some("http://localhost.example"), "http://localhost.example", false);
    }

    #[test]
    fn unusable_addresses_and_keys_are_named_by_their_variable() {
        for address in ["", "api.example.com", "ftp://x", "https://u:p@x", "https://x/?a=1", "https://x/#a"] {
            let error = target("gpt-4o", Some(address), "k").unwrap_err();
            assert!(error.to_string().contains("OPENAI_BASE_URL"), "`{address}`: {error}");
            assert_eq!(error.class(), "address");
        }
        let error = target("gpt-4o", None, "密钥-1").unwrap_err();
        assert_eq!(error.to_string(), "the key of openai in OPENAI_API_KEY holds characters no key has");
    }

    #[test]
    fn clients_are_built_once_for_each_side() {
        let transport = Transport::new(Duration::from_secs(1), 1);
        for local in [true, false] {
            let first: *const reqwest::Client = transport.client(local).unwrap();
            assert!(std::ptr::eq(first, transport.client(local).unwrap()));
        }
    }
}
