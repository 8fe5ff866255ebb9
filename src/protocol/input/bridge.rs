//! Questions to a client of the older era: requests of the server, on the way that leads to the answer.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::{Question, Reply};
use crate::protocol::{Context, Error, Session};

/// How long the client may take over one round.
const PATIENCE: Duration = Duration::from_mins(5);

/// Asks all `questions` at once, and waits for their answers. What a client that cannot be reached, or does not answer in
/// time, leaves open is answered with [`Reply::Error`], and why is told: the handler knows best what becomes of the
/// request then.
///
/// # Errors
/// `-32603` when too many questions are open already.
pub(super) async fn ask(
    context: &Context,
    session: &Arc<Session>,
    questions: Vec<(String, Question)>,
) -> Result<(BTreeMap<String, Reply>, Option<&'static str>), Error> {
    let (mut replies, mut silence) = (BTreeMap::new(), None);
    let mut waiting = Vec::with_capacity(questions.len());
    for (key, question) in questions {
        let pending = session.expect(context)?;
        let mut params = question.params(context.version());
        if let (Question::Url { .. }, Value::Object(params)) = (&question, &mut params) {
            // 2025-11-25 tells visits to web pages apart by ids of their own.
            params.insert("elicitationId".to_owned(), pending.id().into());
        }
        let request =
            json!({ "jsonrpc": "2.0", "id": pending.id(), "method": question.method(), "params": params });
        if context.send(request.to_string()) {
            waiting.push((key, pending));
        } else {
            let why = "the client cannot be asked: it reads too slowly, or has no stream";
            silence = Some(why);
            replies.insert(key, Reply::none(why));
        }
    }
    let deadline = Instant::now() + PATIENCE;
    for (key, pending) in waiting {
        let reply = match timeout_at(deadline, pending.reply()).await {
            Ok(reply) => reply?,
            Err(_) => {
                tracing::info!("a client did not answer a question in time");
                let why = "the client did not answer in time";
                silence = Some(why);
                Reply::none(why)
            }
        };
        replies.insert(key, reply);
    }
    Ok((replies, silence))
}
