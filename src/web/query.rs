//! Queries, looked at before anybody reads them, so that what is wrong with one is told in words about queries.

use axum::{
    extract::Request,
    http::Method,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use serde_json::Value;

use super::{Problem, parameters};
use crate::{base::text, tasks::TaskId};

/// Refuses a query that asks for what its path does not have. What a path has is what `/openapi.json` tells.
pub(super) async fn layer(request: Request, next: Next) -> Response {
    let asks = matches!(*request.method(), Method::GET | Method::HEAD);
    if let (true, Some(query)) = (asks, request.uri().query())
        && let Err(problem) = check(&parameters::asked(request.uri().path()), query)
    {
        return problem.into_response();
    }
    next.run(request).await
}

/// Looks at each part of `query`.
///
/// # Errors
/// 422, naming the part and what it may be.
fn check(known: &[(&str, Value)], query: &str) -> Result<(), Problem> {
    // A path that has none is not asked by its query.
    if known.is_empty() {
        return Ok(());
    }
    let mut seen = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some((name, schema)) = known.iter().find(|(known, _)| *known == name) else {
            let names = || known.iter().map(|(name, _)| *name);
            let hint = match text::closest(&name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there is {}", listed(names())),
            };
            let name = text::truncate(&name, 100);
            return Err(Problem::unfit(format!("nothing can be asked by `{name}`; {hint}")));
        };
        if seen.contains(name) {
            return Err(Problem::unfit(format!("`{name}` is given twice")));
        }
        seen.push(*name);
        if let Some(wanted) = unmet(name, schema, &value) {
            let value = text::truncate(&value, 100);
            return Err(Problem::unfit(format!("`{name}` must be {wanted}, not `{value}`")));
        }
    }
    Ok(())
}

/// What `value` would have to be, unless it is that.
fn unmet(name: &str, schema: &Value, value: &str) -> Option<String> {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words = || words.iter().filter_map(Value::as_str);
        return (!words().any(|word| word == value)).then(|| format!("one of {}", listed(words())));
    }
    let bound = |key: &str| schema.get(key).and_then(Value::as_u64);
    if let (Some(least), Some(most)) = (bound("minimum"), bound("maximum")) {
        let fits = value.parse::<u64>().is_ok_and(|number| (least..=most).contains(&number));
        return (!fits).then(|| format!("a number from {least} to {most}"));
    }
    let is_task = name == "task_id" && value.parse::<TaskId>().is_err();
    is_task.then(|| "the id of a task".to_owned())
}

fn listed<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let words: Vec<_> = words.map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_query_is_told_in_its_words() {
        #[track_caller]
        fn check(path: &str, query: &str, expected: Result<(), &str>) {
            let told = super::check(&parameters::asked(path), query);
            let told = told.map_err(|problem| problem.text().to_owned());
            assert_eq!(told, expected.map_err(str::to_owned), "{path}?{query}");
        }
        check("/tasks", "limit=200&status=dead&target=a%20b&cursor=", Ok(()));
        check("/tasks", "limit=x", Err("`limit` must be a number from 1 to 200, not `x`"));
        check("/tasks", "limit=0", Err("`limit` must be a number from 1 to 200, not `0`"));
        check("/api/memory", "limit=1001", Err("`limit` must be a number from 1 to 1000, not `1001`"));
        check("/tasks", "limit=1&limit=2", Err("`limit` is given twice"));
        check("/tasks", "limti=1", Err("nothing can be asked by `limti`; did you mean `limit`?"));
        check("/api/skills", "q=1", Err("nothing can be asked by `q`; there is `employee`"));
        check(
            "/api/sessions",
            "type=emploee",
            Err("`type` must be one of `employee`, `pipeline`, `discussion`, not `emploee`"),
        );
        check("/deliveries", "task_id=a/b", Err("`task_id` must be the id of a task, not `a/b`"));
        check("/tasks/x", "anything=1", Ok(()));
    }
}
