//! Bytes to and from a provider; the only user of reqwest here.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use reqwest::{Url, redirect};

use super::telling::Teller;
use crate::{
    base::{Secret, clock, text::truncate},
    llm::{
        Error, Reply,
        provider::{Key, Provider, Wire},
        wire::{self, Answer, Decoder, HttpParts},
    },
};

/// Which model is asked, where, and in which dialect.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) place: Place,
    pub(super) wire: Wire,
    /// The name the model has there.
    pub(super) model: String,
}

/// Where calls go.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) provider: Arc<str>,
    pub(super) key: Option<Secret>,
    /// Where the key is set, for messages about it.
    pub(super) key_from: String,
    base_url: String,
    /// It is this machine, which no proxy stands between.
    local: bool,
}

/// A place as it is set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'g> {
    pub(super) provider: &'g Arc<str>,
    pub(super) base_url: &'g str,
    /// Where the address is set, for messages about it.
    pub(super) base_url_from: &'g str,
    pub(super) key: &'g Key,
    /// What the paths of the dialect bring themselves, and the address may end with all the same.
    pub(super) versions: &'g [&'g str],
}

impl Target {
    /// Checks the address and the key; `None` for the offline model, which is sent nowhere. `model` is for messages.
    pub(super) fn of(provider: &Provider, model: &str) -> Result<Option<Self>, Error> {
        let Some(endpoint) = &provider.endpoint else { return Ok(None) };
        // With and without the version are both in use.
        let versions: &[&str] = match endpoint.wire {
            Wire::Anthropic => &["/v1"],
            Wire::Gemini => &["/v1beta"],
            Wire::OpenAi | Wire::OpenAiResponses => &[],
        };
        let given = Given {
            provider: &provider.id,
            base_url: &endpoint.base_url,
            base_url_from: &endpoint.base_url_from,
            key: &endpoint.key,
            versions,
        };
        let place = Place::of(&given, model)?;
        let wire = provider.wire(endpoint, model);
        Ok(Some(Self { place, wire, model: provider.name_there(model).to_owned() }))
    }
}

impl Place {
    /// Checks an address and a key. `model` is for messages.
    pub(super) fn of(given: &Given<'_>, model: &str) -> Result<Self, Error> {
        let provider = || Arc::clone(given.provider);
        let (base_url, local) = address(given.base_url, given.versions).map_err(|reason| Error::Address {
            provider: provider(),
            from: given.base_url_from.to_owned(),
            reason,
        })?;
        let (key, key_from) = match given.key {
            Key::None => (None, String::new()),
            Key::Needed { from, secret: None } => {
                return Err(Error::MissingKey {
                    model: model.to_owned(),
                    provider: provider(),
                    from: from.clone(),
                });
            }
            Key::Needed { from, secret: Some(secret) } => (Some(secret.clone()), from.clone()),
        };
        if key.as_ref().is_some_and(|key| !key.expose().bytes().all(|byte| matches!(byte, b' '..=b'~'))) {
            return Err(Error::InvalidKey { provider: provider(), from: key_from });
        }
        Ok(Self { provider: provider(), key, key_from, base_url, local })
    }

    /// Whether it is this machine.
    pub(super) fn is_local(&self) -> bool {
        self.local
    }

    /// That the key cannot stand in a header.
    pub(super) fn invalid_key(&self) -> Error {
        Error::InvalidKey { provider: Arc::clone(&self.provider), from: self.key_from.clone() }
    }

    /// `error` without the key, should the provider have repeated it. A key of under 8 characters is a
    /// placeholder for a server that wants none, and likely to be part of ordinary words.
    pub(super) fn redact(&self, mut error: Error) -> Error {
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
fn address(base_url: &str, versions: &[&str]) -> Result<(String, bool), String> {
    let address = base_url.trim().trim_end_matches('/');
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
    let bare = versions.iter().find_map(|version| address.strip_suffix(version)).unwrap_or(address);
    Ok((bare.to_owned(), is_local(&url)))
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

/// An answer that has come in whole.
#[derive(Debug)]
pub(super) struct Whole {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    received: Timestamp,
}

impl Whole {
    /// The same for the dialects.
    pub(super) fn answer<'a>(&'a self, place: &'a Place) -> Answer<'a> {
        let Self { status, headers, body, received } = self;
        Answer { provider: &place.provider, status: *status, headers, body, received: *received }
    }

    /// What the model of `target` said.
    pub(super) fn reply(&self, target: &Target) -> Result<Reply, Error> {
        let place = &target.place;
        wire::decode(target.wire, &self.answer(place)).map_err(|error| place.redact(error))
    }
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

    /// Asks for what costs nothing, and gives the status of the answer, which is not read. The caller bounds the time.
    pub(super) async fn greet(&self, place: &Place, parts: &HttpParts) -> Result<u16, Error> {
        let failed = |error| self.classify(place, error);
        let client = self.client(place.local).map_err(failed)?;
        let request = client.get(format!("{}{}", place.base_url, parts.path)).headers(parts.headers.clone());
        Ok(request.send().await.map_err(failed)?.status().as_u16())
    }

    /// Sends one request and reads the whole answer. The caller bounds the time.
    pub(super) async fn post(&self, place: &Place, parts: &HttpParts) -> Result<Whole, Error> {
        let response = self.send(place, parts).await?;
        self.whole(place, response).await
    }

    /// Sends one request and tells the answer while it comes in. The caller bounds the time in all; a provider that
    /// does not begin, or stops in the middle, is given up here.
    pub(super) async fn stream(
        &self,
        target: &Target,
        parts: &HttpParts,
        teller: &mut Teller,
    ) -> Result<Reply, Error> {
        let place = &target.place;
        let begun = async {
            let mut response = self.send(place, parts).await?;
            if !is_stream(&response) {
                return Ok((response, None));
            }
            let chunk = self.chunk(place, &mut response).await?;
            Ok((response, Some(chunk)))
        };
        let (mut response, first) =
            tokio::time::timeout(self.limits.first_byte, begun).await.map_err(|_| Error::Timeout {
                provider: Arc::clone(&place.provider),
                after: self.limits.first_byte,
            })??;
        let Some(mut chunk) = first else {
            // An error, or a server that does not stream.
            let reply = self.whole(place, response).await?.reply(target)?;
            teller.tell(reply.said.text.clone()).await;
            return Ok(reply);
        };
        let fault = |fault| place.redact(wire::fault(&place.provider, fault));
        let mut decoder = Decoder::new(target.wire);
        let mut length = 0;
        while let Some(bytes) = chunk {
            length += bytes.len();
            self.check_length(place, length)?;
            let pushed = decoder.push(&bytes);
            teller.tell(decoder.take()).await;
            pushed.map_err(fault)?;
            if decoder.is_over() {
                // The connection can be used again only when the end of the body has been read, too.
                let _ = tokio::time::timeout(END, self.chunk(place, &mut response)).await;
                break;
            }
            let next = tokio::time::timeout(self.limits.idle, self.chunk(place, &mut response));
            chunk = next.await.map_err(|_| Error::Stalled {
                provider: Arc::clone(&place.provider),
                after: self.limits.idle,
            })??;
        }
        let (rest, reply) = decoder.finish().map_err(fault)?;
        teller.tell(rest).await;
        Ok(reply)
    }

    async fn send(&self, place: &Place, parts: &HttpParts) -> Result<reqwest::Response, Error> {
        let failed = |error| self.classify(place, error);
        let request = self
            .client(place.local)
            .map_err(failed)?
            .post(format!("{}{}", place.base_url, parts.path))
            .headers(parts.headers.clone())
            .body(parts.body.clone());
        let response = request.send().await.map_err(failed)?;
        // None was asked for, and what is not expected is not unpacked: a few bytes may become any number.
        let encoding = response.headers().get(http::header::CONTENT_ENCODING);
        match encoding.map(|encoding| String::from_utf8_lossy(encoding.as_bytes())) {
            Some(encoding) if response.status().is_success() && encoding.trim() != "identity" => {
                let reason =
                    format!("it is compressed (`{}`), which was not asked for", truncate(&encoding, 40));
                Err(Error::Malformed { provider: Arc::clone(&place.provider), reason })
            }
            _ => Ok(response),
        }
    }

    async fn chunk(&self, place: &Place, response: &mut reqwest::Response) -> Result<Option<Bytes>, Error> {
        response.chunk().await.map_err(|error| self.classify(place, error))
    }

    async fn whole(&self, place: &Place, mut response: reqwest::Response) -> Result<Whole, Error> {
        let mut body = Vec::new();
        let is_answer = response.status().is_success();
        while let Some(chunk) = self.chunk(place, &mut response).await? {
            if !is_answer && body.len() + chunk.len() > EXPLANATION {
                body.extend(chunk.iter().take(EXPLANATION.saturating_sub(body.len())));
                break;
            }
            self.check_length(place, body.len() + chunk.len())?;
            body.extend_from_slice(&chunk);
        }
        let status = response.status().as_u16();
        Ok(Whole { status, headers: response.headers().clone(), body, received: clock::now() })
    }

    fn check_length(&self, place: &Place, length: usize) -> Result<(), Error> {
        let most = self.limits.max_answer_bytes;
        if length <= most {
            return Ok(());
        }
        let reason = format!("it is longer than {most} bytes");
        Err(Error::Malformed { provider: Arc::clone(&place.provider), reason })
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

    fn classify(&self, place: &Place, error: reqwest::Error) -> Error {
        let provider = Arc::clone(&place.provider);
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
            assert_eq!((target.place.base_url.as_str(), target.place.local), (expected, local));
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
