//! Tools that may go on in a task after they were answered.

use std::time::Duration;

use crew::protocol::{
    Error,
    input::{Inquiry, Question},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Fixture, asked, fixture, form, said};

pub(super) fn all() -> Vec<Fixture> {
    vec![
        fixture("greet", "Says hello at once", json!({"name": {"type": "string"}}), |call| {
            Box::pin(async move { said(format!("Hello, {}!", call.text("name"))) })
        }),
        slow_compute(),
        fixture("failing_job", "Fails in a task", json!({}), |call| {
            Box::pin(async move {
                call.context.require_tasks()?;
                Ok(call.board.begin(|_| async {
                    sleep(Duration::from_secs(1)).await;
                    Ok(("The job failed.".to_owned(), true))
                }))
            })
        }),
        fixture("protocol_error_job", "Ends its task with an error of the protocol", json!({}), |call| {
            Box::pin(async move {
                call.context.require_tasks()?;
                Ok(call.board.begin(|_| async { Err(Error::internal("the job broke")) }))
            })
        }),
        confirm_delete(),
        multi_input(),
        tool_with_task(),
    ]
}

fn slow_compute() -> Fixture {
    let properties = json!({"seconds": {"type": "number"}, "label": {"type": "string"}});
    fixture("slow_compute", "Takes its time, in a task if it can", properties, |call| {
        Box::pin(async move {
            let seconds = call.arguments.get("seconds").and_then(Value::as_f64).unwrap_or(1.0);
            let pause = Duration::try_from_secs_f64(seconds).unwrap_or_default().min(Duration::from_mins(1));
            let text = format!("computed {}", call.text("label"));
            if pause.is_zero() || !call.context.takes_tasks() {
                sleep(pause).await;
                return said(text);
            }
            Ok(call.board.begin(move |_| async move {
                sleep(pause).await;
                Ok((text, false))
            }))
        })
    })
}

fn confirm_delete() -> Fixture {
    let properties = json!({"filename": {"type": "string"}});
    fixture("confirm_delete", "Asks once, in its task", properties, |call| {
        Box::pin(async move {
            call.context.require_tasks()?;
            let question = format!("Delete {}?", call.text("filename"));
            Ok(call.board.begin(move |task| async move {
                let ask = request(&question, ("confirm", "boolean"));
                let given = task.ask([("confirm".to_owned(), ask)].into_iter().collect()).await;
                Ok((format!("answered: {}", json!(given)), false))
            }))
        })
    })
}

fn multi_input() -> Fixture {
    fixture("multi_input", "Asks twice at once, in its task", json!({}), |call| {
        Box::pin(async move {
            call.context.require_tasks()?;
            Ok(call.board.begin(|task| async move {
                let ask =
                    |key: &str| (key.to_owned(), request(&format!("What is {key}?"), ("name", "string")));
                let given = task.ask(["first", "second"].map(ask).into_iter().collect()).await;
                Ok((format!("answered: {}", json!(given)), false))
            }))
        })
    })
}

fn tool_with_task() -> Fixture {
    fixture("test_tool_with_task", "Asks, then goes on in a task", json!({}), |call| {
        Box::pin(async move {
            call.context.require_tasks()?;
            let answers = call.context.answers();
            let Some(reply) = answers.get("user_name").filter(|_| answers.state().is_some()) else {
                let question = form("What is your name?", &[("name", "string")]);
                return asked(Inquiry::new().ask("user_name", question).remember(json!("asked")));
            };
            let name = reply.accepted().and_then(|form| form.get("name")?.as_str()).unwrap_or("stranger");
            let text = format!("Hello, {name}!");
            Ok(call.board.begin(|_| async {
                sleep(Duration::from_millis(200)).await;
                Ok((text, false))
            }))
        })
    })
}

/// A form as a task asks for it.
fn request(message: &str, field: (&str, &str)) -> Value {
    let Question::Form { message, schema } = form(message, &[field]) else { unreachable!("it is a form") };
    let params = json!({"mode": "form", "message": message, "requestedSchema": schema});
    json!({"method": "elicitation/create", "params": params})
}
