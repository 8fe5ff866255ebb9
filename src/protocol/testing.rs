//! Asks a host without any transport.

use std::sync::Arc;

use serde_json::{Value, json, value::RawValue};

use super::{
    Context, Error, Host, Server, Session, Version, context::Outlet, envelope::Id, era, methods::Method,
};

struct Nowhere;

impl Outlet for Nowhere {
    fn send(&self, _: String) -> bool {
        false
    }
}

/// Who asks, and in which revision.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) version: Version,
    pub(crate) caller: &'static str,
    pub(crate) capabilities: Value,
}

impl Client {
    /// One of the modern era that declares `extension`.
    pub(crate) fn with(extension: &str) -> Self {
        let capabilities = json!({ "extensions": { extension: {} } });
        Self { version: Version::V2026_07_28, caller: "ann", capabilities }
    }

    /// One of the modern era that declares nothing.
    pub(crate) fn plain() -> Self {
        Self { version: Version::V2026_07_28, caller: "ann", capabilities: json!({}) }
    }

    /// One of an older revision that declares the same.
    pub(crate) fn of(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    fn context(&self, params: &RawValue) -> Context {
        let peek = era::Peek::of(Some(params));
        if self.version.describes_results() {
            let admitted = era::admit("", &peek, None, |_| None).unwrap();
            let id = Id::parse("1").unwrap();
            return Context::modern(id, &admitted, &peek, self.caller.into(), Arc::new(Nowhere));
        }
        let session = Arc::new(Session::new());
        let hello = json!({ "protocolVersion": self.version.as_str(), "capabilities": self.capabilities });
        session.negotiate(Some(&hello.to_string())).unwrap();
        Context::legacy(session, &peek, self.caller.into(), Arc::new(Nowhere))
    }

    /// The result of `method`.
    pub(crate) async fn ask(
        &self,
        host: Arc<dyn Host>,
        method: &str,
        mut params: Value,
    ) -> Result<Value, Error> {
        if self.version.describes_results() {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": self.version.as_str(),
                "io.modelcontextprotocol/clientCapabilities": self.capabilities,
            });
        }
        let params = RawValue::from_string(params.to_string()).unwrap();
        let context = self.context(&params);
        let server = Server::new(host);
        let method = Method::find(method).ok_or_else(|| Error::method_not_found(method))?;
        let answer = method.answer(&server, Some(params.get()), &context).await?;
        Ok(serde_json::from_str(answer.get()).unwrap())
    }
}
