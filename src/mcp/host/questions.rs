//! What a tool asks and is answered, in the words of the protocol.

use serde_json::{Map, Value, json};

use crate::{
    protocol::{
        Context,
        input::{Answers, Inquiry, Question, Reply},
    },
    tasks::TaskId,
    tools,
};

/// What the caller of `context` answered so far, if it can be asked at all.
pub(super) fn answers(context: &Context) -> Option<tools::Answers> {
    if !context.takes_forms() {
        return None;
    }
    Some(said(context.answers()))
}

fn said(answers: &Answers) -> tools::Answers {
    let state = answers.state().unwrap_or(&Value::Null);
    let rounds = state.get("rounds").and_then(Value::as_u64).and_then(|rounds| u32::try_from(rounds).ok());
    let task = state.get("task").and_then(Value::as_str).and_then(|id| id.parse::<TaskId>().ok());
    let replies = answers.iter().map(|(key, reply)| (key.to_owned(), filled(reply))).collect();
    tools::Answers { replies, rounds: rounds.unwrap_or_default(), task }
}

fn filled(reply: &Reply) -> tools::Reply {
    match reply.result() {
        Some(result) => response(result),
        None => tools::Reply::Unanswered,
    }
}

/// What an `ElicitResult` says.
pub(super) fn response(result: &Value) -> tools::Reply {
    match result.get("action").and_then(Value::as_str) {
        Some("accept") => {
            let content = result.get("content").and_then(Value::as_object);
            tools::Reply::Filled(content.cloned().unwrap_or_default())
        }
        Some("decline") => tools::Reply::Declined,
        _ => tools::Reply::Unanswered,
    }
}

/// The questions of `inquiry`, asked after what was answered in `context`.
pub(super) fn questions(inquiry: &tools::Inquiry, context: &Context) -> Inquiry {
    let rounds = said(context.answers()).rounds;
    let mut state = Map::from_iter([("rounds".to_owned(), json!(rounds + 1))]);
    if let Some(task) = &inquiry.task {
        state.insert("task".to_owned(), json!(task.as_str()));
    }
    let forms = inquiry.forms.iter();
    forms
        .fold(Inquiry::new(), |asking, asked| asking.ask(asked.key.clone(), form(asked)))
        .remember(Value::Object(state))
}

/// A form as it is asked.
pub(super) fn form(form: &tools::Form) -> Question {
    Question::Form { message: form.message.clone(), schema: form.schema() }
}
