//! What is known about one request while it is served, and the way back to the client before the answer.

use std::{
    fmt,
    sync::{Arc, LazyLock, atomic::AtomicBool, atomic::Ordering},
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use tokio_util::sync::CancellationToken;

use super::{
    Error, Version,
    envelope::Id,
    era::{Admitted, Peek},
    input::{Answers, Question},
    named::{Kept, Named},
    session::Session,
};

/// Where the notifications of a request go. It must not block; when it is full it drops what it is given, for
/// notifications may be lost but memory may not grow.
pub trait Outlet: Send + Sync + 'static {
    /// Takes one whole JSON-RPC message; tells whether it did.
    fn send(&self, message: String) -> bool;

    /// Drops the connection that leads to the client, if the client can come back for the rest by another one.
    fn hang_up(&self) {}
}

/// How serious a log message is, from [`Level::Debug`] upwards. The names are those of RFC 5424.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "RFC 5424 says what they mean")]
pub enum Level {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

impl Level {
    /// Reads a level from JSON.
    ///
    /// # Errors
    /// `-32602` for an unknown one.
    pub(super) fn from_json(raw: &RawValue) -> Result<Self, Error> {
        serde_json::from_str(raw.get()).map_err(|_| {
            Error::invalid_params(
                "unknown log level; use debug, info, notice, warning, error, critical, alert or emergency",
            )
        })
    }
}

/// The context of one request. Clones are the same context.
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
    answers: Option<Arc<Answers>>,
}

struct Inner {
    id: Box<str>,
    version: Version,
    caller: Arc<str>,
    sender: Sender,
    progress_token: Option<Box<str>>,
    named: Option<Kept>,
    outlet: Arc<dyn Outlet>,
    cancel: CancellationToken,
    over: AtomicBool,
    reported: Mutex<Option<f64>>,
}

/// Where it stands what the client can do and wants to hear.
enum Sender {
    /// In the request.
    Modern { capabilities: Box<RawValue>, log_level: Option<Level> },
    /// In the session.
    Legacy(Arc<Session>),
}

impl Context {
    /// The context of the request `id`, which was admitted to the modern era. `caller` is who asks, for instance `stdio` or
    /// the name that a token stands for.
    pub fn modern(
        id: Id<'_>,
        admitted: &Admitted<'_>,
        peek: &Peek<'_>,
        caller: Arc<str>,
        outlet: Arc<dyn Outlet>,
    ) -> Self {
        let capabilities = admitted.capabilities.to_owned();
        let sender = Sender::Modern { capabilities, log_level: admitted.log_level };
        Self::new(id.token().into(), admitted.version, caller, sender, peek, outlet)
    }

    /// The context of a request of the older era.
    pub fn legacy(session: Arc<Session>, peek: &Peek<'_>, caller: Arc<str>, outlet: Arc<dyn Outlet>) -> Self {
        let version = session.version().unwrap_or(Version::ASSUMED);
        // Only streams need the id, and they are of the modern era.
        Self::new(Box::default(), version, caller, Sender::Legacy(session), peek, outlet)
    }

    fn new(
        id: Box<str>,
        version: Version,
        caller: Arc<str>,
        sender: Sender,
        peek: &Peek<'_>,
        outlet: Arc<dyn Outlet>,
    ) -> Self {
        let inner = Inner {
            id,
            version,
            caller,
            sender,
            progress_token: peek.progress_token().map(Into::into),
            named: peek.named().map(Named::keep),
            outlet,
            cancel: CancellationToken::new(),
            over: AtomicBool::new(false),
            reported: Mutex::new(None),
        };
        Self { inner: Arc::new(inner), answers: None }
    }

    /// The same request, run again with what the client answered.
    pub(super) fn with_answers(&self, answers: Answers) -> Self {
        Self { inner: Arc::clone(&self.inner), answers: Some(Arc::new(answers)) }
    }

    /// The parameters of a request for something by its name, if they could be read.
    pub(super) fn named(&self) -> Option<&Kept> {
        self.inner.named.as_ref()
    }

    /// Who asks.
    pub fn caller(&self) -> &Arc<str> {
        &self.inner.caller
    }

    /// Fires when nobody waits for the answer any more.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.inner.cancel
    }

    /// What the client answered to the questions that this request led to; nothing, when it is run for the first time.
    pub fn answers(&self) -> &Answers {
        static NONE: LazyLock<Answers> = LazyLock::new(Answers::default);
        self.answers.as_deref().unwrap_or(&NONE)
    }

    /// Whether the client declared the capability at `path`, for instance `["elicitation", "form"]`.
    pub fn client_declares(&self, path: &[&str]) -> bool {
        let capabilities = self.capabilities();
        path.iter().try_fold(&capabilities, |value, key| value.get(key)).is_some()
    }

    /// Whether a person at the client can be asked to fill in a form; see [`Question::Form`].
    pub fn takes_forms(&self) -> bool {
        Question::form_is_open_to(&self.capabilities(), self.version())
    }

    /// Lets go of the connection while the work goes on, so that a long call need not hold one open. The client comes
    /// back for the answer. Where a revision or a transport has no such thing, nothing happens.
    ///
    /// Source: MCP 2025-11-25, "Streamable HTTP", on a server that closes the connection before the response.
    pub fn close_stream(&self) {
        if self.version().has_polling() {
            self.inner.outlet.hang_up();
        }
    }

    /// What the client declared it can do; `null` when that cannot be read.
    pub(super) fn capabilities(&self) -> Value {
        let declared = match &self.inner.sender {
            Sender::Modern { capabilities, .. } => serde_json::from_str::<Value>(capabilities.get()).ok(),
            Sender::Legacy(session) => {
                session.capabilities().and_then(|declared| serde_json::from_str(declared.get()).ok())
            }
        };
        declared.unwrap_or_default()
    }

    /// Reports how far the work has come, if the client asked for that. What does not exceed the last report is
    /// dropped, as the protocol wants progress to grow.
    pub fn progress(&self, done: f64, total: Option<f64>, message: &str) {
        let Some(token) = self.inner.progress_token.as_deref() else { return };
        if !done.is_finite() || self.inner.over.load(Ordering::Acquire) {
            return;
        }
        {
            let mut reported = self.inner.reported.lock();
            if reported.is_some_and(|before| done <= before) {
                return;
            }
            *reported = Some(done);
        }
        let version = self.version();
        let params = Progress {
            token: serde_json::from_str(token).unwrap_or_default(),
            done: number(done),
            total: total.filter(|total| total.is_finite()).map(number),
            message: Some(message).filter(|message| !message.is_empty() && version.has_completions()),
        };
        self.notify("notifications/progress", &params);
    }

    /// Sends a log message, if the client asked for that level.
    pub fn log(&self, level: Level, logger: &str, data: &Value) {
        let least = match &self.inner.sender {
            Sender::Modern { log_level, .. } => *log_level,
            Sender::Legacy(session) => Some(session.log_level()),
        };
        if least.is_some_and(|least| level >= least) {
            self.notify("notifications/message", &json!({ "level": level, "logger": logger, "data": data }));
        }
    }

    /// The revision to answer in.
    pub(crate) fn version(&self) -> Version {
        self.inner.version
    }

    /// The session, in the older era.
    pub(crate) fn session(&self) -> Option<&Arc<Session>> {
        match &self.inner.sender {
            Sender::Modern { .. } => None,
            Sender::Legacy(session) => Some(session),
        }
    }

    /// The id of the request as it was written, in the modern era.
    pub(super) fn id(&self) -> &str {
        &self.inner.id
    }

    /// Where its notifications go.
    pub(super) fn outlet(&self) -> &Arc<dyn Outlet> {
        &self.inner.outlet
    }

    /// Nothing may follow the answer; what is reported from now on is dropped.
    pub(crate) fn close(&self) {
        self.inner.over.store(true, Ordering::Release);
    }

    pub(super) fn notify(&self, method: &str, params: &impl Serialize) {
        if self.inner.over.load(Ordering::Acquire) {
            return;
        }
        let message = Notification { jsonrpc: "2.0", method, params };
        let message = serde_json::to_string(&message).expect("a notification holds nothing that JSON cannot");
        self.send(message);
    }

    /// Sends one whole message to the client; tells whether it is on its way.
    pub(super) fn send(&self, message: String) -> bool {
        self.inner.outlet.send(message)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("version", &self.inner.version)
            .field("caller", &self.inner.caller)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Notification<'a, P> {
    jsonrpc: &'static str,
    method: &'a str,
    params: &'a P,
}

#[derive(Serialize)]
struct Progress<'a> {
    #[serde(rename = "progressToken")]
    token: Box<RawValue>,
    #[serde(rename = "progress")]
    done: serde_json::Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

/// Whole numbers without a fraction: `50`, not `50.0`.
fn number(value: f64) -> serde_json::Number {
    #[expect(clippy::cast_possible_truncation, reason = "only taken when nothing is lost")]
    let whole = value as i64;
    #[expect(clippy::cast_precision_loss, reason = "compared to find out")]
    if (whole as f64 - value).abs() < f64::EPSILON && whole.abs() < 1 << 53 {
        return whole.into();
    }
    serde_json::Number::from_f64(value).unwrap_or_else(|| 0.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Sent(Mutex<Vec<String>>);

    impl Outlet for Sent {
        fn send(&self, message: String) -> bool {
            self.0.lock().push(message);
            true
        }
    }

    /// A context of the modern era when `meta` claims it, else of a session that settled on `version`.
    fn context(version: Version, meta: &str) -> (Context, Arc<Sent>) {
        let sent = Arc::new(Sent::default());
        let outlet = Arc::clone(&sent) as Arc<dyn Outlet>;
        let claim = version.describes_results().then_some(
            r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{}}},"#,
        );
        let params = format!(r#"{{"_meta":{{{}{meta}}}}}"#, claim.unwrap_or_default());
        let params = RawValue::from_string(params).unwrap();
        let peek = Peek::of(Some(&params));
        if version.describes_results() {
            let admitted = crate::protocol::era::admit("ping", &peek, None, |_| None).unwrap();
            return (Context::modern(Id::parse("1").unwrap(), &admitted, &peek, "test".into(), outlet), sent);
        }
        let session = Arc::new(Session::new());
        session.negotiate(Some(&format!(r#"{{"protocolVersion":"{version}"}}"#))).unwrap();
        (Context::legacy(session, &peek, "test".into(), outlet), sent)
    }

    #[test]
    fn progress_grows_and_keeps_its_token() {
        let (context, sent) = context(Version::V2026_07_28, r#""progressToken":7"#);
        context.progress(1.0, Some(2.0), "half");
        context.progress(1.0, None, "again");
        context.progress(1.5, None, "");
        context.close();
        context.progress(2.0, None, "late");
        let expected = [
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1,"total":2,"message":"half"}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1.5}}"#,
        ];
        assert_eq!(*sent.0.lock(), expected);
    }

    #[test]
    fn progress_nobody_asked_for_is_not_sent() {
        let (context, sent) = context(Version::V2026_07_28, r#""x":1"#);
        context.progress(1.0, None, "x");
        assert!(sent.0.lock().is_empty());
    }

    #[test]
    fn the_first_revision_has_no_progress_message() {
        let (context, sent) = context(Version::V2024_11_05, r#""progressToken":"t""#);
        context.progress(1.0, None, "x");
        assert!(!sent.0.lock()[0].contains("message"), "{:?}", sent.0.lock());
    }

    #[test]
    fn log_messages_need_a_wish() {
        let (quiet, sent) = context(Version::V2026_07_28, r#""x":1"#);
        quiet.log(Level::Emergency, "crew", &json!("x"));
        assert!(sent.0.lock().is_empty());
        let (context, sent) =
            context(Version::V2026_07_28, r#""io.modelcontextprotocol/logLevel":"warning""#);
        context.log(Level::Info, "crew", &json!("x"));
        context.log(Level::Error, "crew", &json!("x"));
        assert_eq!(sent.0.lock().len(), 1);
    }

    #[test]
    fn capabilities_are_looked_up_by_path() {
        let (context, _) = context(Version::V2026_07_28, r#""x":1"#);
        assert!(context.client_declares(&["elicitation", "form"]));
        assert!(!context.client_declares(&["sampling"]));
    }
}
