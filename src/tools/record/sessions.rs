//! `list_sessions` and `get_session`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{LIMIT, aside, some, within};
use crate::{
    engine::{self, Session, SessionFilter, SessionRow},
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

/// Most events of a session that are answered.
const EVENTS: usize = 1000;
/// Most bytes of them.
const BYTES: usize = 1 << 20;

pub(in crate::tools) struct ListSessions(pub(in crate::tools) Office);

pub(in crate::tools) struct GetSession(pub(in crate::tools) Office);

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
        let records = Arc::clone(self.0.crew.records());
        Ok(List { sessions: aside(move || records.sessions.list(&filter)).await? })
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
        let records = Arc::clone(self.0.crew.records());
        let read = aside(move || records.sessions.read(&args.session_id, args.limit)).await?;
        let mut session = read.map_err(|error| match error {
            engine::Error::UnknownSession { id } => {
                Error::NotFound { what: "session", name: id, hint: Some("see `list_sessions`".to_owned()) }
            }
            error => error.into(),
        })?;
        session.is_cut |= cut(&mut session.events);
        Ok(session)
    }
}

/// Leaves at most [`BYTES`] of the last events; one that is longer by itself comes all the same. Tells whether any went.
fn cut(events: &mut Vec<Value>) -> bool {
    let mut bytes = 0;
    let fits = events.iter().rev().take_while(|event| {
        bytes += event.to_string().len();
        bytes <= BYTES
    });
    let first = events.len() - fits.count().max(events.len().min(1));
    events.drain(..first);
    first > 0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_session_ends_where_it_ended() {
        #[track_caller]
        fn check(lengths: &[usize], expected: (usize, bool)) {
            let mut events: Vec<_> = lengths.iter().map(|length| json!("x".repeat(*length))).collect();
            let is_cut = cut(&mut events);
            assert_eq!((events.len(), is_cut), expected);
        }
        check(&[10, 10], (2, false));
        check(&[BYTES, 10], (1, true));
        check(&[10, BYTES], (1, true));
        check(&[], (0, false));
    }
}
