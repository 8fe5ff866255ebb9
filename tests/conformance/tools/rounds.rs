//! Tools that need one or more rounds of answers before they are done, as 2026-07-28 has them.

use crew::protocol::{
    Error,
    input::{Answers, Inquiry, Question},
};
use serde_json::{Value, json};

use super::{Call, Fixture, Outcome, asked, fixture, form, said, sampling};

pub(super) fn all() -> Vec<Fixture> {
    vec![
        fixture("test_input_required_result_elicitation", "Asks for a name", json!({}), |call| {
            Box::pin(async move {
                match field(call.context.answers(), "user_name", "name") {
                    Some(name) => said(format!("Hello, {name}!")),
                    None => asked(Inquiry::new().ask("user_name", name())),
                }
            })
        }),
        fixture("test_input_required_result_sampling", "Asks a model", json!({}), |call| {
            Box::pin(async move {
                match call.context.answers().get("capital_question") {
                    Some(reply) => said(reply.text().unwrap_or("no answer")),
                    None => {
                        let question = sampling("What is the capital of France?", 100);
                        asked(Inquiry::new().ask("capital_question", question))
                    }
                }
            })
        }),
        fixture("test_input_required_result_list_roots", "Asks for folders", json!({}), |call| {
            Box::pin(async move {
                match call.context.answers().get("client_roots") {
                    Some(reply) => said(format!("{} roots", reply.roots().len())),
                    None => asked(Inquiry::new().ask("client_roots", Question::Roots)),
                }
            })
        }),
        fixture("test_input_required_result_request_state", "Remembers something", json!({}), |call| {
            Box::pin(async move { confirmed(&call) })
        }),
        fixture("test_input_required_result_tampered_state", "Remembers something", json!({}), |call| {
            Box::pin(async move { confirmed(&call) })
        }),
        fixture(
            "test_input_required_result_multiple_inputs",
            "Asks three things at once",
            json!({}),
            |call| Box::pin(async move { three_at_once(call.context.answers()) }),
        ),
        fixture("test_input_required_result_multi_round", "Asks twice", json!({}), |call| {
            Box::pin(async move { two_rounds(call.context.answers()) })
        }),
        fixture("test_input_required_result_capabilities", "Asks what the client knows", json!({}), |call| {
            Box::pin(async move { what_is_declared(&call) })
        }),
    ]
}

fn name() -> Question {
    form("What is your name?", &[("name", "string")])
}

/// What was filled in under `field` of the form `key`.
fn field<'a>(answers: &'a Answers, key: &str, field: &str) -> Option<&'a str> {
    answers.get(key)?.accepted()?.get(field)?.as_str()
}

fn confirmed(call: &Call<'_>) -> Outcome {
    let answers = call.context.answers();
    if answers.state().is_some() && answers.get("confirm").is_some() {
        return said("state-ok");
    }
    let question = form("Please confirm", &[("ok", "boolean")]);
    asked(Inquiry::new().ask("confirm", question).remember(json!("asked")))
}

fn three_at_once(answers: &Answers) -> Outcome {
    let keys = ["user_name", "greeting", "client_roots"];
    if answers.state().is_some() && keys.iter().all(|key| answers.get(key).is_some()) {
        return said("All three were answered.");
    }
    let inquiry = Inquiry::new()
        .ask("user_name", name())
        .ask("greeting", sampling("Generate a greeting", 50))
        .ask("client_roots", Question::Roots);
    asked(inquiry.remember(json!("asked")))
}

fn two_rounds(answers: &Answers) -> Outcome {
    let known = answers.state().and_then(Value::as_str);
    let named = field(answers, "step1", "name").or(known.and_then(|state| state.strip_prefix("name:")));
    let color = field(answers, "step2", "color");
    match (named, color) {
        (Some(name), Some(color)) => said(format!("{name} likes {color}")),
        (Some(name), None) => {
            let question = form("Step 2: What is your favorite color?", &[("color", "string")]);
            asked(Inquiry::new().ask("step2", question).remember(json!(format!("name:{name}"))))
        }
        (None, _) => {
            let question = form("Step 1: What is your name?", &[("name", "string")]);
            asked(Inquiry::new().ask("step1", question).remember(json!("asked")))
        }
    }
}

fn what_is_declared(call: &Call<'_>) -> Outcome {
    if !call.context.answers().is_empty() {
        return said("The questions were answered.");
    }
    let questions =
        [("sampling", sampling("Say hello", 20)), ("elicitation", name()), ("roots", Question::Roots)];
    let known: Vec<_> =
        questions.into_iter().filter(|(name, _)| call.context.client_declares(&[name])).collect();
    if known.is_empty() {
        return Err(Error::missing_capability(&json!({"sampling": {}})));
    }
    asked(known.into_iter().fold(Inquiry::new(), |inquiry, (key, question)| inquiry.ask(key, question)))
}
