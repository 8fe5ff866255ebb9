//! How peers hear of changes: a stream that a request of 2026-07-28 opens, or the session of the older era.
//!
//! Source: MCP 2026-07-28, "Subscriptions"; before that, the `list_changed` notifications and `resources/subscribe`.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::{
    Context, Error, Server, Session,
    bus::{Bus, Change, Listener, Listening},
    context::Outlet,
    session::{FOLLOWED, URI},
    shape::Payload,
};

/// The extension that has tasks, and with them their notices.
const TASKS: &str = "io.modelcontextprotocol/tasks";

/// What a peer wants to hear of.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wishes {
    #[serde(default, skip_serializing_if = "is_false")]
    tools_list_changed: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    prompts_list_changed: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    resources_list_changed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resource_subscriptions: Option<BTreeSet<Box<str>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task_ids: Option<BTreeSet<Box<str>>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Wishes {
    /// Checks them, and keeps those that can come true: what this host tells of, and what the peer may hear.
    async fn honoured(mut self, server: &Server, bus: &Bus, context: &Context) -> Result<Self, Error> {
        let named = self.resource_subscriptions.iter().chain(&self.task_ids);
        if named.clone().any(|all| all.len() > FOLLOWED) || named.flatten().any(|name| name.len() > URI) {
            let error = format!("one stream may name {FOLLOWED} resources and tasks of at most {URI} bytes");
            return Err(Error::invalid_params(error));
        }
        if self.task_ids.is_some() && !context.client_declares(&["extensions", TASKS]) {
            return Err(Error::missing_capability(&json!({ "extensions": { TASKS: {} } })));
        }
        self.tools_list_changed &= bus.tells_of_tools();
        let tasks = server.host().tasks().filter(|_| bus.tells_of_tasks());
        self.task_ids = match (self.task_ids, tasks) {
            (Some(asked), Some(tasks)) => {
                let mut told = BTreeSet::new();
                for id in asked {
                    if tasks.tells(&id, context).await {
                        told.insert(id);
                    }
                }
                Some(told)
            }
            _ => None,
        };
        Ok(self)
    }

    fn cover(&self, change: Change<'_>) -> bool {
        let among =
            |names: &Option<BTreeSet<Box<str>>>, name| names.as_ref().is_some_and(|all| all.contains(name));
        match change {
            Change::Tools => self.tools_list_changed,
            Change::Prompts => self.prompts_list_changed,
            Change::Resources => self.resources_list_changed,
            Change::Resource(uri) => among(&self.resource_subscriptions, uri),
            Change::Task { id, .. } => among(&self.task_ids, id),
        }
    }
}

/// Answers `subscriptions/listen`: tells changes until the client, the server or a full backlog ends it.
pub(super) async fn listen(server: &Server, wishes: Wishes, context: &Context) -> Result<Payload, Error> {
    let bus = server.host().bus().ok_or_else(|| Error::method_not_found("subscriptions/listen"))?;
    let wishes = wishes.honoured(server, bus, context).await?;
    let place = Arc::clone(&server.streams).try_acquire_owned().map_err(|_| {
        tracing::warn!("too many streams are open; one more was refused");
        Error::internal("too many streams are open; try again later")
    })?;
    let over = CancellationToken::new();
    let stream = Stream {
        id: context.id().into(),
        wishes,
        outlet: Arc::clone(context.outlet()),
        over: over.clone(),
        _place: place,
    };
    let listening = bus.listen(Arc::new(stream));
    tokio::select! {
        () = over.cancelled() => {}
        () = context.cancelled().cancelled() => {}
        () = server.ending.cancelled() => {}
    }
    drop(listening);
    let id: &RawValue = serde_json::from_str(context.id()).expect("the id of a request is JSON");
    server.finish_subscription(id)
}

/// One stream of a peer of 2026-07-28.
struct Stream {
    id: Box<str>,
    wishes: Wishes,
    outlet: Arc<dyn Outlet>,
    over: CancellationToken,
    /// Given back as soon as nothing more is told, even if the connection lingers.
    _place: OwnedSemaphorePermit,
}

impl Stream {
    /// A notification that says which stream it is of. `more` are further parameters, an object without its braces.
    fn tell(&self, method: &str, more: &str) -> bool {
        let (comma, id) = (if more.is_empty() { "" } else { "," }, &self.id);
        let told = self.outlet.send(format!(
            r#"{{"jsonrpc":"2.0","method":"{method}","params":{{{more}{comma}"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
        ));
        if !told {
            tracing::info!("a stream of changes is not read; it was ended");
            self.over.cancel();
        }
        told
    }
}

impl Listener for Stream {
    fn begin(&self) {
        let honoured = serde_json::to_string(&self.wishes).expect("wishes hold nothing that JSON cannot");
        self.tell("notifications/subscriptions/acknowledged", &format!(r#""notifications":{honoured}"#));
    }

    fn hear(&self, change: Change<'_>) -> bool {
        if self.over.is_cancelled() {
            return false;
        }
        !self.wishes.cover(change) || self.tell(method(change), &parameters(change))
    }
}

/// A session of the older era: it hears of each list, and of the resources it subscribed to.
struct Follower {
    session: Arc<Session>,
    outlet: Arc<dyn Outlet>,
}

impl Listener for Follower {
    fn hear(&self, change: Change<'_>) -> bool {
        let wanted = match change {
            Change::Tools | Change::Prompts | Change::Resources => true,
            Change::Resource(uri) => self.session.follows(uri),
            Change::Task { .. } => false,
        };
        if wanted {
            let params = match parameters(change) {
                none if none.is_empty() => none,
                some => format!(r#","params":{{{some}}}"#),
            };
            self.outlet.send(format!(r#"{{"jsonrpc":"2.0","method":"{}"{params}}}"#, method(change)));
        }
        true
    }
}

impl Server {
    /// Has `outlet` hear of changes as long as the guard lives, in the way of the older era. `None` when the host tells
    /// of none.
    pub fn follow(&self, session: &Arc<Session>, outlet: Arc<dyn Outlet>) -> Option<Listening> {
        let follower = Follower { session: Arc::clone(session), outlet };
        self.host().bus().map(|bus| bus.listen(Arc::new(follower)))
    }
}

fn method(change: Change<'_>) -> &'static str {
    match change {
        Change::Tools => "notifications/tools/list_changed",
        Change::Prompts => "notifications/prompts/list_changed",
        Change::Resources => "notifications/resources/list_changed",
        Change::Resource(_) => "notifications/resources/updated",
        Change::Task { .. } => "notifications/tasks",
    }
}

/// The parameters of the notification, an object without its braces.
fn parameters(change: Change<'_>) -> String {
    match change {
        Change::Tools | Change::Prompts | Change::Resources => String::new(),
        Change::Resource(uri) => format!(r#""uri":{}"#, json!(uri)),
        Change::Task { state, .. } => {
            let members = state.get().trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            members.unwrap_or_default().trim().to_owned()
        }
    }
}
