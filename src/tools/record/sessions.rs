//! `list_sessions` and `get_session`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LIMIT, aside, some, within};
use crate::{
    engine::{self, Session, SessionFilter, SessionRow, Sessions},
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

/// Most events of a session that are answered.
const EVENTS: usize = 1000;
/// Most bytes of them.
const BYTES: usize = 1 << 20;

pub(in crate::tools) struct ListSessions(Arc<Sessions>);

pub(in crate::tools) struct GetSession(pub(in crate::tools) Office);

impl ListSessions {
    pub(in crate::tools) fn new(office: &Office) -> Self {
        Self(Arc::new(Sessions::of(office.crew.root())))
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct ListArgs {
    /// Only sessions of this type: `employee`, `pipeline` or `discussion`.
    #[serde(default, rename = "type")]
    session_type: Option<String>,
    /// Only runs of the employee, pipeline or discussion of this name.
    #[serde(default)]
    subject: Option<String>,
    /// Most sessions to list, 1 to 200.
    #[serde(default = "some")]
    #[schemars(range(min = 1, max = LIMIT))]
    limit: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct List {
    /// The newest first.
    sessions: Vec<SessionRow>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct GetArgs {
    /// Id of the session; that of a task is the task's.
    session_id: String,
    /// Most events to answer, 1 to 1000, the last ones.
    #[serde(default = "events")]
    #[schemars(range(min = 1, max = EVENTS))]
    limit: usize,
}

fn events() -> usize {
    200
}

impl Tool for ListSessions {
    type Args = ListArgs;
    type Output = List;

    const NAME: &'static str = "list_sessions";
    const TITLE: &'static str = "List sessions";
    const SUMMARY: &'static str = "Lists the runs of this project whose answers were written down, the newest first; \
        those of earlier versions are among them. `get_session` tells what was said in one.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, args: ListArgs) -> Result<List, Error> {
        let limit = within(args.limit)?;
        let filter = SessionFilter { session_type: args.session_type, subject: args.subject, limit };
        let sessions = Arc::clone(&self.0);
        Ok(List { sessions: aside(move || sessions.list(&filter)).await? })
    }
}

impl Tool for GetSession {
    type Args = GetArgs;
    type Output = Session;

    const NAME: &'static str = "get_session";
    const TITLE: &'static str = "Show a session";
    const SUMMARY: &'static str = "Tells what was said in a run: who answered what, on which model, how it ended and \
        what it cost. Of a long one, the end.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, args: GetArgs) -> Result<Session, Error> {
        if !(1..=EVENTS).contains(&args.limit) {
            return Err(Error::Arguments(format!("`limit` is 1 to {EVENTS}, not {}", args.limit)));
        }
        let root = self.0.crew.root().to_owned();
        let read = aside(move || engine::session(&root, &args.session_id, args.limit)).await?;
        Ok(cut(read.map_err(|error| match error {
            engine::Error::UnknownSession { id } => {
                Error::NotFound { what: "session", name: id, hint: Some("see `list_sessions`".to_owned()) }
            }
            error => error.into(),
        })?))
    }
}

/// At most [`BYTES`] of the last events; one that is longer by itself comes all the same.
fn cut(mut session: Session) -> Session {
    let mut bytes = 0;
    let fits = session.events.iter().rev().take_while(|event| {
        bytes += event.to_string().len();
        bytes <= BYTES
    });
    let first = session.events.len() - fits.count().max(session.events.len().min(1));
    session.is_cut |= first > 0;
    session.events.drain(..first);
    session
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_session_ends_where_it_ended() {
        let row = SessionRow {
            session_id: "a".to_owned(),
            session_type: String::new(),
            subject: String::new(),
            started_at: String::new(),
        };
        let session = |lengths: &[usize]| {
            let events: Vec<_> = lengths.iter().map(|length| json!("x".repeat(*length))).collect();
            cut(Session { row: row.clone(), total: events.len(), events, is_cut: false })
        };
        assert_eq!((session(&[10, 10]).events.len(), session(&[10, 10]).is_cut), (2, false));
        assert_eq!((session(&[BYTES, 10]).events.len(), session(&[BYTES, 10]).is_cut), (1, true));
        assert_eq!((session(&[10, BYTES]).events.len(), session(&[10, BYTES]).is_cut), (1, true));
        assert_eq!(session(&[]).events.len(), 0);
    }
}
