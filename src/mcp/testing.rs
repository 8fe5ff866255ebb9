//! A second host, so that the tests of the transports need nothing of crew.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::{Value, json, value::RawValue};
use tokio::sync::Notify;

use crate::protocol::{
    Asked, Completer, Context, Error, Host, Implementation, Info, Outcome, Subject,
    prompt::{Argument, Arguments, Filled, Message, Prompt, Role},
    resource::{Body, Contents, Resource, Template},
    tool::{Tool, ToolOutcome, ToolResult},
};

/// Tools that do on command what tests want to see.
pub(super) struct Puppet {
    tools: Arc<[Tool]>,
    /// Lets one call of `wait` go on.
    pub(super) go: Notify,
    /// Is notified when a call of `wait` has begun.
    pub(super) begun: Notify,
    /// Is notified when a call of `wait` was given up.
    pub(super) dropped: Arc<Notify>,
    /// The context of the last call.
    pub(super) seen: Mutex<Option<Context>>,
}

impl Puppet {
    pub(super) fn new() -> Arc<Self> {
        let tools = ["echo", "fail", "wait", "steps", "panic"].into_iter().map(tool).collect();
        Arc::new(Self {
            tools,
            go: Notify::new(),
            begun: Notify::new(),
            dropped: Arc::new(Notify::new()),
            seen: Mutex::new(None),
        })
    }
}

fn tool(name: &str) -> Tool {
    Tool {
        name: name.to_owned(),
        title: Some(name.to_uppercase()),
        description: format!("does {name}"),
        input_schema: Arc::new(json!({"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"}}})),
        output_schema: None,
        annotations: None,
        icons: vec![],
    }
}

/// Notifies when it is dropped before it was disarmed.
struct Alarm(Option<Arc<Notify>>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(notify) = &self.0 {
            notify.notify_one();
        }
    }
}

impl Host for Puppet {
    fn info(&self) -> Info {
        Info {
            implementation: Implementation {
                name: "puppet".into(),
                title: Some("Puppet".into()),
                version: "1".into(),
                ..Implementation::default()
            },
            instructions: Some("pull the strings".into()),
        }
    }

    fn tools(&self) -> Arc<[Tool]> {
        Arc::clone(&self.tools)
    }

    fn call_tool<'a>(
        &'a self,
        name: &'a str,
        arguments: &'a RawValue,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<ToolOutcome, Error>> {
        *self.seen.lock() = Some(context.clone());
        Box::pin(async move {
            let result = match name {
                "echo" => {
                    ToolResult { content: vec![], structured: Some(arguments.to_owned()), is_error: false }
                }
                "fail" => ToolResult::error("it broke"),
                "wait" => {
                    let mut alarm = Alarm(Some(Arc::clone(&self.dropped)));
                    self.begun.notify_one();
                    self.go.notified().await;
                    alarm.0 = None;
                    ToolResult::text("waited")
                }
                "steps" => {
                    context.progress(1.0, Some(2.0), "one");
                    tokio::task::yield_now().await;
                    context.progress(2.0, Some(2.0), "two");
                    ToolResult::text("stepped")
                }
                _ => panic!("as told"),
            };
            Ok(ToolOutcome::Complete(result))
        })
    }

    fn prompts(&self) -> BoxFuture<'_, Arc<[Prompt]>> {
        let argument = Argument { name: "who".into(), required: true, ..Argument::default() };
        let greet = Prompt { name: "greet".into(), arguments: vec![argument], ..Prompt::default() };
        Box::pin(async { Arc::from([greet]) })
    }

    fn get_prompt<'a>(
        &'a self,
        name: &'a str,
        arguments: Arguments,
        _context: &'a Context,
    ) -> BoxFuture<'a, Result<Outcome<Filled>, Error>> {
        Box::pin(async move {
            let who = arguments.get("who").filter(|_| name == "greet");
            let who = who.ok_or_else(|| Error::invalid_params("only `greet`, and with `who`"))?;
            let content = crate::protocol::Content::text(format!("Hello, {who}!"));
            Ok(Filled { description: None, messages: vec![Message { role: Role::User, content }] }.into())
        })
    }

    fn resources(&self) -> BoxFuture<'_, Arc<[Resource]>> {
        let only = Resource { uri: "test://a".into(), name: "a".into(), ..Resource::default() };
        Box::pin(async { Arc::from([only]) })
    }

    fn resource_templates(&self) -> Arc<[Template]> {
        Arc::new([Template { uri: "test://{x}".into(), name: "x".into(), ..Template::default() }])
    }

    fn read_resource<'a>(
        &'a self,
        uri: &'a str,
        _context: &'a Context,
    ) -> BoxFuture<'a, Result<Outcome<Vec<Contents>>, Error>> {
        Box::pin(async move {
            if uri != "test://a" {
                return Err(Error::resource_not_found(uri));
            }
            Ok(vec![Contents { uri: uri.into(), mime_type: None, body: Body::Text("A".into()) }].into())
        })
    }

    fn completer(&self) -> Option<&dyn Completer> {
        Some(self)
    }
}

impl Completer for Puppet {
    fn complete<'a>(&'a self, asked: Asked<'a>) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        Box::pin(async move {
            let Subject::Prompt(_) = asked.subject else { return Ok(vec![]) };
            Ok((0..150).map(|number| format!("{}{number}", asked.value)).collect())
        })
    }
}

/// A modern request, whose parameters get the `_meta` they need.
pub(super) fn modern(id: &str, method: &str, params: &Value) -> String {
    let mut params = params.clone();
    let meta = &mut params["_meta"];
    meta["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
    meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
    legacy(id, method, &params)
}

/// A request of the older era.
pub(super) fn legacy(id: &str, method: &str, params: &Value) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}
