//! The one place that decides which generation of the protocol a request belongs to, and admits it.
//!
//! A request of the modern era names its version in `params._meta`. Everything else is of the older era, unless
//! its HTTP header names a version that the older era does not have: then it is a modern request built by halves,
//! and the modern rules say what is missing.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    Error, Version,
    context::Level,
    envelope::{Id, object, present, text_of},
    headers::{self, Header, Headers, Mirror},
    named::Named,
    version::Era,
};

/// The parts of the parameters that matter before the method is known.
#[derive(Debug, Default, Deserialize)]
pub struct Peek<'a> {
    #[serde(borrow, default, rename = "_meta", deserialize_with = "present")]
    meta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    uri: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "taskId")]
    task_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "inputResponses", deserialize_with = "present")]
    input_responses: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "requestState", deserialize_with = "present")]
    request_state: Option<&'a RawValue>,
    #[serde(skip)]
    claims: Claims<'a>,
}

#[derive(Debug, Default, Deserialize)]
struct Claims<'a> {
    #[serde(
        borrow,
        default,
        rename = "io.modelcontextprotocol/protocolVersion",
        deserialize_with = "present"
    )]
    version: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/logLevel")]
    log_level: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "progressToken")]
    progress_token: Option<&'a RawValue>,
}

impl<'a> Peek<'a> {
    /// Looks into `params`; what is not an object shows nothing, the method itself will complain.
    pub fn of(params: Option<&'a RawValue>) -> Self {
        let Some(params) = params else { return Self::default() };
        let mut peek: Self = object(params.get()).unwrap_or_default();
        peek.claims = peek.meta.and_then(|meta| object(meta.get()).ok()).unwrap_or_default();
        peek
    }

    pub(super) fn name(&self) -> Option<Cow<'a, str>> {
        self.name.and_then(text_of)
    }

    /// The whole of a request for something by its name.
    pub(super) fn named(&self) -> Option<Named<'a>> {
        Some(Named {
            name: self.name()?,
            arguments: self.arguments,
            input_responses: self.input_responses,
            request_state: self.request_state,
        })
    }

    pub(super) fn uri(&self) -> Option<Cow<'a, str>> {
        self.uri.and_then(text_of)
    }

    pub(super) fn task_id(&self) -> Option<Cow<'a, str>> {
        self.task_id.and_then(text_of)
    }

    pub(super) fn arguments(&self) -> Option<Value> {
        self.arguments.and_then(|raw| serde_json::from_str(raw.get()).ok())
    }

    /// The token that progress is to be reported under, as it was written: a string or a number.
    pub fn progress_token(&self) -> Option<&'a str> {
        let token = self.claims.progress_token?.get();
        (Id::parse(token).is_some() || token.parse::<f64>().is_ok()).then_some(token)
    }
}

/// The generation that a request belongs to; `header` is what it says under `MCP-Protocol-Version`.
pub fn of(header: Header<'_>, peek: &Peek<'_>) -> Era {
    let foreign = match header {
        Header::Value(version) => Version::parse(version).is_none_or(|version| version.era() == Era::Modern),
        Header::Absent | Header::Unclear => false,
    };
    if peek.claims.version.is_some() || foreign { Era::Modern } else { Era::Legacy }
}

/// What a modern request says about its sender, once it was admitted.
#[derive(Debug)]
pub struct Admitted<'a> {
    /// The revision it speaks.
    pub version: Version,
    /// What the client can do, an object.
    pub capabilities: &'a RawValue,
    /// Least level of the log messages it wants; `None` for no messages.
    pub log_level: Option<Level>,
}

/// Lets a modern request in, or says what is wrong with it. `headers` are missing where there are none, as on stdio;
/// `mirrors` finds the headers that a tool wants to see.
///
/// # Errors
/// In this order: `-32602` for an incomplete `_meta`, `-32020` for headers that say otherwise, `-32022` for a version
/// not served, `-32020` for the headers of arguments.
pub fn admit<'a>(
    method: &str,
    peek: &Peek<'a>,
    headers: Option<&dyn Headers>,
    mirrors: impl FnOnce(&str) -> Option<std::sync::Arc<[Mirror]>>,
) -> Result<Admitted<'a>, Error> {
    let claims = &peek.claims;
    let version = claims.version.ok_or_else(|| lacks("protocolVersion"))?;
    let version = text_of(version).ok_or_else(|| {
        Error::invalid_params("`io.modelcontextprotocol/protocolVersion` in `params._meta` must be a string")
    })?;
    let capabilities = claims
        .capabilities
        .filter(|capabilities| capabilities.get().starts_with('{'))
        .ok_or_else(|| lacks("clientCapabilities"))?;
    if let Some(headers) = headers {
        headers::check_routing(headers, &version, method, peek)?;
    }
    let served = Version::parse(&version).filter(|version| version.era() == Era::Modern);
    let served = served.ok_or_else(|| Error::unsupported_version(&version))?;
    if let (Some(headers), "tools/call", Some(tool)) = (headers, method, peek.name())
        && let Some(mirrors) = mirrors(&tool)
    {
        headers::check_mirrors(&mirrors, headers, peek)?;
    }
    let log_level = claims.log_level.map(Level::from_json).transpose()?;
    Ok(Admitted { version: served, capabilities, log_level })
}

fn lacks(member: &str) -> Error {
    Error::invalid_params(format!("`params._meta` has to have `io.modelcontextprotocol/{member}`"))
}

#[cfg(test)]
mod tests;
