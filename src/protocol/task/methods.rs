//! `tasks/get`, `tasks/update` and `tasks/cancel`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Detailed, InputResponses, TaskHost};
use crate::protocol::{
    Context, Error, Server,
    methods::{Answer, read},
};

/// Who keeps the tasks, for a client that declared that it knows them.
fn tasks<'a>(server: &'a Server, method: &str, context: &Context) -> Result<&'a dyn TaskHost, Error> {
    let tasks = server.host().tasks().ok_or_else(|| Error::method_not_found(method))?;
    context.require_tasks()?;
    Ok(tasks)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    task_id: String,
}

pub(in crate::protocol) fn get<'a>(
    server: &'a Server,
    params: Option<&'a str>,
    context: &'a Context,
) -> Answer<'a> {
    Box::pin(async move {
        let tasks = tasks(server, "tasks/get", context)?;
        let Named { task_id } = read("tasks/get", params)?;
        let mut task = tasks.get(&task_id, context).await?;
        server.finish(&Detailed::new(&mut task), context.version(), None)
    })
}

pub(in crate::protocol) fn update<'a>(
    server: &'a Server,
    params: Option<&'a str>,
    context: &'a Context,
) -> Answer<'a> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Update {
        task_id: String,
        input_responses: InputResponses,
    }
    Box::pin(async move {
        let tasks = tasks(server, "tasks/update", context)?;
        let Update { task_id, input_responses } = read("tasks/update", params)?;
        if !input_responses.values().all(Value::is_object) {
            return Err(Error::invalid_params("each of `inputResponses` must be an object"));
        }
        tasks.update(&task_id, input_responses, context).await?;
        server.finish(&json!({}), context.version(), None)
    })
}

pub(in crate::protocol) fn cancel<'a>(
    server: &'a Server,
    params: Option<&'a str>,
    context: &'a Context,
) -> Answer<'a> {
    Box::pin(async move {
        let tasks = tasks(server, "tasks/cancel", context)?;
        let Named { task_id } = read("tasks/cancel", params)?;
        tasks.cancel(&task_id, context).await?;
        server.finish(&json!({}), context.version(), None)
    })
}
