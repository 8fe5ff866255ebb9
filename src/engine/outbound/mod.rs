//! Requests to places on the web that a model, a page or a definition named: they go where everyone can go, and nowhere
//! else unless the operator allows it.
//!
//! The addresses of a host are asked for once, all of them are checked, and the connection is made to one of those that
//! were checked, so that a name cannot lead elsewhere a moment later. Every redirect is checked in the same way. No proxy
//! of the system is used: it would ask for the addresses itself, and nobody could say where a request went. What comes
//! back is read as far as it may be long, unpacked too, and in the time it may take.

mod body;
mod error;
mod gate;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{Url, redirect};
use tokio::sync::Semaphore;

pub use self::error::Error;
use self::gate::Gate;
pub(crate) use self::gate::{Resolver, System};
use crate::base::reach::Allowed;

/// What a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next request.
const KEPT: Duration = Duration::from_secs(30);
/// How many requests are made at the same time; others wait, in the time they have.
const AT_ONCE: usize = 32;
/// Longest address.
const LONGEST: usize = 8192;

/// What may be asked for, and how much of it is wanted.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST` and so on.
    pub method: Method,
    /// An absolute address, `http` or `https`, without a user name or a password.
    pub url: String,
    /// What goes along. A redirect to another origin takes none of it but `accept` and `accept-language`.
    pub headers: HeaderMap,
    /// What is sent.
    pub body: Bytes,
    /// How many redirects are followed; of `GET` and `HEAD` only. With none, a redirect is the answer.
    pub redirects: usize,
    /// What it may take in all, redirects and the answer among it.
    pub time: Duration,
    /// Most bytes of the answer that are read, unpacked.
    pub most_bytes: usize,
}

impl Request {
    /// Asks for what is at `url`: five redirects, 30 seconds, 2 MiB.
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            redirects: 5,
            time: Duration::from_secs(30),
            most_bytes: 2 << 20,
        }
    }

    /// Sends `body` to `url`: no redirects, 30 seconds, 64 KiB of an answer.
    pub fn post(url: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, body: body.into(), redirects: 0, most_bytes: 64 << 10, ..Self::get(url) }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// What came back, whatever its status.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// What came along.
    pub headers: HeaderMap,
    /// Where it came from in the end.
    pub url: String,
    /// The body, unpacked.
    pub body: Bytes,
    /// Whether the body is longer than that.
    pub truncated: bool,
}

/// The way out. Clones share connections.
#[derive(Clone)]
pub struct Outbound {
    shared: Arc<Shared>,
}

struct Shared {
    gate: Arc<Gate>,
    /// Built when first needed: reading the system's certificates takes longer than the rest of a start.
    client: OnceLock<reqwest::Client>,
    at_once: Semaphore,
}

impl Outbound {
    /// A way to everywhere everyone can go, and to what is in `allow`.
    pub fn new(allow: Vec<Allowed>) -> Self {
        Self::through(allow, Arc::new(System))
    }

    /// The same with somebody else to ask for addresses.
    pub(crate) fn through(allow: Vec<Allowed>, resolver: Arc<dyn Resolver>) -> Self {
        let gate = Arc::new(Gate::new(allow, resolver));
        let shared = Shared { gate, client: OnceLock::new(), at_once: Semaphore::new(AT_ONCE) };
        Self { shared: Arc::new(shared) }
    }

    /// Makes a request and reads the answer.
    ///
    /// # Errors
    /// When the address, or one it redirects to, must not be gone to; when nobody answers in time. An answer of any status
    /// is none.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let url = address(&request.url)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let time = request.time;
        let late = |_| Error::Timeout { host, seconds: time.as_secs() };
        tokio::time::timeout(time, self.follow(url, request)).await.map_err(late)?
    }

    async fn follow(&self, mut url: Url, mut request: Request) -> Result<Response, Error> {
        // It is never closed; if it were, the bound would be gone and nothing else.
        let _permit = self.shared.at_once.acquire().await.ok();
        let follows = matches!(request.method, Method::GET | Method::HEAD);
        let most = if follows { request.redirects } else { 0 };
        for redirects in 0.. {
            let response = self.once(&url, &request).await?;
            let Some(next) = elsewhere(&url, &response).filter(|_| most > 0) else {
                return body::read(response, &url, request.most_bytes).await;
            };
            if redirects == most {
                return Err(Error::Redirects { most });
            }
            let next = address(&next?)?;
            if next.origin() != url.origin() {
                let kept = [header::ACCEPT, header::ACCEPT_LANGUAGE];
                request.headers = kept
                    .into_iter()
                    .filter_map(|name| Some((name.clone(), request.headers.get(name)?.clone())))
                    .collect();
            }
            url = next;
        }
        Err(Error::Redirects { most })
    }

    async fn once(&self, url: &Url, request: &Request) -> Result<reqwest::Response, Error> {
        self.shared.gate.check(url)?;
        let failed = |error| error::classify(url, error);
        let client = self.client().map_err(failed)?;
        let sent = client
            .request(request.method.clone(), url.clone())
            .header(header::ACCEPT_ENCODING, "gzip")
            .headers(request.headers.clone())
            .body(request.body.clone())
            .send();
        sent.await.map_err(failed)
    }

    fn client(&self) -> Result<&reqwest::Client, reqwest::Error> {
        if let Some(client) = self.shared.client.get() {
            return Ok(client);
        }
        // An error means that someone has installed one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("knowlyr-crew/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .pool_idle_timeout(KEPT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::clone(&self.shared.gate))
            .build()?;
        Ok(self.shared.client.get_or_init(|| client))
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("gate", &self.shared.gate).finish_non_exhaustive()
    }
}

/// An address that may be looked at further. Its fragment is nobody's business but the reader's.
fn address(text: &str) -> Result<Url, Error> {
    let wrong = |reason: String| Error::Address { reason };
    if text.len() > LONGEST {
        return Err(wrong(format!("it is longer than {LONGEST} bytes")));
    }
    let mut url = Url::parse(text.trim()).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("it must begin with `https://` or `http://`".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds a user name or a password".to_owned()));
    }
    url.set_fragment(None);
    Ok(url)
}

/// Where a redirect leads.
fn elsewhere(from: &Url, response: &reqwest::Response) -> Option<Result<String, Error>> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?;
    let wrong = |reason: String| Error::Address { reason };
    let text = std::str::from_utf8(location.as_bytes());
    let text = text.map_err(|_| wrong("a redirect leads to what is no text".to_owned()));
    Some(text.and_then(|text| from.join(text).map(String::from).map_err(|error| wrong(error.to_string()))))
}
