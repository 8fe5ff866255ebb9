//! Bytes to and from a provider; the only user of reqwest here.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use reqwest::{Url, redirect};

use super::telling::Teller;
use crate::{
    base::{Secret, clock, text::truncate},
    llm::{
        Error, Reply,
        provider::{Endpoint, Key, Provider, Wire},
        wire::{self, Answer, Decoder, HttpParts},
    },
};

/// Where calls of one provider go.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) provider: Arc<str>,
    pub(super) wire: Wire,
    /// The name the model has there.
    pub(super) model: String,
    pub(super) key: Option<Secret>,
    /// Where the key is set, for messages about it.
    pub(super) key_from: String,
    base_url: String,
    /// It is this machine, which no proxy stands between.
    local: bool,
}

impl Target {
    /// Checks the address and the key; `None` for the offline model, which is sent nowhere. `model` is for messages.
    pub(super) fn of(provider: &Provider, model: &str) -> Result<Option<Self>, Error> {
        let Some(endpoint) = &provider.endpoint else { return Ok(None) };
        let id = || Arc::clone(&provider.id);
        let (base_url, local) = address(endpoint).map_err(|reason| Error::Address {
            provider: id(),
            from: endpoint.base_url_from.clone(),
            reason,
        })?;
        let (key, key_from) = match &endpoint.key {
            Key::None => (None, String::new()),
            Key::Needed { from, secret: None } => {
                return Err(Error::MissingKey {
                    model: model.to_owned(),
                    provider: id(),
                    from: from.clone(),
                });
            }
            Key::Needed { from, secret: Some(secret) } => (Some(secret.clone()), from.clone()),
        };
        if key.as_ref().is_some_and(|key| !key.expose().bytes().all(|byte| matches!(byte, b' '..=b'~'))) {
            return Err(Error::InvalidKey { provider: id(), from: key_from });
        }
        let wire = provider.wire(endpoint, model);
        let model = provider.name_there(model).to_owned();
        Ok(Some(Self { provider: id(), wire, model, key, key_from, base_url, local }))
    }

    /// `error` without the key, should the provider have repeated it. A key of under 8 characters is a
    /// placeholder for a server that wants none, and likely to be part of ordinary words.
    fn redact(&self, mut error: Error) -> Error {
        if let Some(key) = self.key.as_ref().map(Secret::expose).filter(|key| key.len() >= 8)
            && let Error::Status { message: text, .. } | Error::Malformed { reason: text, .. } = &mut error
        {
            *text = text.replace(key, "***");
        }
        error
    }
}

/// The address to put paths behind, and whether it is this machine.
///
/// # Errors
/// What is wrong with it.
fn address(endpoint: &Endpoint) -> Result<(String, bool), String> {
    let address = endpoint.base_url.trim().trim_end_matches('/');
    let url = Url::parse(address).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it must begin with `https://` or `http://`".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user name or a password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it must end with its path".to_owned());
    }
    // With and without the version are both in use; the paths of these two bring it.
    let version = match endpoint.wire {
        Wire::Anthropic => "/v1",
        Wire::Gemini => "/v1beta",
        Wire::OpenAi | Wire::OpenAiResponses => "",
    };
    Ok((address.strip_suffix(version).unwrap_or(address).to_owned(), is_local(&url)))
}

fn is_local(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Most bytes that are read of why there is no answer.
const EXPLANATION: usize = 64 * 1024;
/// How long the end of a body is waited for after the end of the answer in it.
const END: Duration = Duration::from_millis(50);
/// How long nothing may come in before it is asked whether the other side is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How patient and how frugal the transport is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) first_byte: Duration,
    pub(super) idle: Duration,
    pub(super) max_answer_bytes: usize,
}

/// Connections, kept open between calls.
#[derive(Debug)]
pub(super) struct Transport {
    limits: Limits,
    remote: OnceLock<reqwest::Client>,
    local: OnceLock<reqwest::Client>,
}

impl Transport {
    /// Without connections yet.
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, remote: OnceLock::new(), local: OnceLock::new() }
    }

    /// Sends one request and reads the answer. The caller bounds the time.
    pub(super) async fn post(&self, target: &Target, parts: &HttpParts) -> Result<Reply, Error> {
        let response = self.send(target, parts).await?;
        self.whole(target, response).await
    }

    /// Sends one request and tells the answer while it comes in. The caller bounds the time in all; a provider that
    /// does not begin, or stops in the middle, is given up here.
    pub(super) async fn stream(
        &self,
        target: &Target,
        parts: &HttpParts,
        teller: &mut Teller,
    ) -> Result<Reply, Error> {
        let begun = async {
            let mut response = self.send(target, parts).await?;
            if !is_stream(&response) {
                return Ok((response, None));
            }
            let chunk = self.chunk(target, &mut response).await?;
            Ok((response, Some(chunk)))
        };
        let (mut response, first) =
            tokio::time::timeout(self.limits.first_byte, begun).await.map_err(|_| Error::Timeout {
                provider: Arc::clone(&target.provider),
                after: self.limits.first_byte,
            })??;
        let Some(mut chunk) = first else {
            // An error, or a server that does not stream.
            let reply = self.whole(target, response).await?;
            teller.tell(reply.said.text.clone()).await;
            return Ok(reply);
        };
        let fault = |fault| target.redact(wire::fault(&target.provider, fault));
        let mut decoder = Decoder::new(target.wire);
        let mut length = 0;
        while let Some(bytes) = chunk {
            length += bytes.len();
            self.check_length(target, length)?;
            let pushed = decoder.push(&bytes);
            teller.tell(decoder.take()).await;
            pushed.map_err(fault)?;
            if decoder.is_over() {
                // The connection can be used again only when the end of the body has been read, too.
                let _ = tokio::time::timeout(END, self.chunk(target, &mut response)).await;
                break;
            }
            let next = tokio::time::timeout(self.limits.idle, self.chunk(target, &mut response));
            chunk = next.await.map_err(|_| Error::Stalled {
                provider: Arc::clone(&target.provider),
                after: self.limits.idle,
            })??;
        }
        let (rest, reply) = decoder.finish().map_err(fault)?;
        teller.tell(rest).await;
        Ok(reply)
    }

    async fn send(&self, target: &Target, parts: &HttpParts) -> Result<reqwest::Response, Error> {
        let failed = |error| self.classify(target, error);
        let request = self
            .client(target.local)
            .map_err(failed)?
            .post(format!("{}{}", target.base_url, parts.path))
            .headers(parts.headers.clone())
            .body(parts.body.clone());
        let response = request.send().await.map_err(failed)?;
        // None was asked for, and what is not expected is not unpacked: a few bytes may become any number.
        let encoding = response.headers().get(http::header::CONTENT_ENCODING);
        match encoding.map(|encoding| String::from_utf8_lossy(encoding.as_bytes())) {
            Some(encoding) if response.status().is_success() && encoding.trim() != "identity" => {
                let reason =
                    format!("it is compressed (`{}`), which was not asked for", truncate(&encoding, 40));
                Err(Error::Malformed { provider: Arc::clone(&target.provider), reason })
            }
            _ => Ok(response),
        }
    }

    async fn chunk(&self, target: &Target, response: &mut reqwest::Response) -> Result<Option<Bytes>, Error> {
        response.chunk().await.map_err(|error| self.classify(target, error))
    }

    async fn whole(&self, target: &Target, mut response: reqwest::Response) -> Result<Reply, Error> {
        let mut body = Vec::new();
        let is_answer = response.status().is_success();
        while let Some(chunk) = self.chunk(target, &mut response).await? {
            if !is_answer && body.len() + chunk.len() > EXPLANATION {
                body.extend(chunk.iter().take(EXPLANATION.saturating_sub(body.len())));
                break;
            }
            self.check_length(target, body.len() + chunk.len())?;
            body.extend_from_slice(&chunk);
        }
        let answer = Answer {
            provider: &target.provider,
            status: response.status().as_u16(),
            headers: response.headers(),
            body: &body,
            received: clock::now(),
        };
        wire::decode(target.wire, &answer).map_err(|error| target.redact(error))
    }

    fn check_length(&self, target: &Target, length: usize) -> Result<(), Error> {
        let most = self.limits.max_answer_bytes;
        if length <= most {
            return Ok(());
        }
        let reason = format!("it is longer than {most} bytes");
        Err(Error::Malformed { provider: Arc::clone(&target.provider), reason })
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
            .connect_timeout(self.limits.connect)
            .tcp_keepalive(KEEP_ALIVE)
            // A redirect would carry prompts, and maybe the key, to a place nobody chose.
            .redirect(redirect::Policy::none());
        if local {
            builder = builder.no_proxy();
        }
        let client = builder.build()?;
        Ok(cell.get_or_init(|| client))
    }

    fn classify(&self, target: &Target, error: reqwest::Error) -> Error {
        let provider = Arc::clone(&target.provider);
        if error.is_timeout() {
            // The only time-out reqwest is told about; all others are kept here and by the caller.
            Error::Timeout { provider, after: self.limits.connect }
        } else {
            Error::Connection { provider, source: Box::new(error.without_url()) }
        }
    }
}

/// Whether a response is a success that comes in events. Some servers do not say what they send; those that ignore
/// the wish to stream send JSON, and say so.
fn is_stream(response: &reqwest::Response) -> bool {
    let kind = response.headers().get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let json =
        kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("application/json"));
    response.status().is_success() && !json
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::Providers;

    fn target(model: &str, base_url: Option<&str>, key: &str) -> Result<Target, Error> {
        let variable = |name: &str| match name {
            name if name.ends_with("_API_KEY") => Some(key.to_owned()),
            name if name.ends_with("_BASE_URL") => base_url.map(str::to_owned),
            _ => None,
        };
        let providers = Providers::new(Vec::new(), Provider::known(variable));
        Target::of(providers.of(model).unwrap(), model).map(Option::unwrap)
    }

    #[test]
    fn addresses_are_taken_with_or_without_slash_and_version() {
        let check = |model: &str, base_url: Option<&str>, expected: &str, local: bool| {
            let target = target(model, base_url, "k").unwrap();
            assert_eq!((target.base_url.as_str(), target.local), (expected, local));
        };
        check("claude-x", None, "https://api.anthropic.com", false);
        check("claude-x", Some("https://proxy.example/v1/"), "https://proxy.example", false);
        check("gemini-x", Some("https://proxy.example/v1beta/"), "https://proxy.example", false);
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
        let second = Duration::from_secs(1);
        let limits = Limits { connect: second, first_byte: second, idle: second, max_answer_bytes: 1 };
        let transport = Transport::new(limits);
        for local in [true, false] {
            let first: *const reqwest::Client = transport.client(local).unwrap();
            assert!(std::ptr::eq(first, transport.client(local).unwrap()));
        }
    }
}
