//! `knowlyr-crew schema`.

use super::{
    exit::{Error, Outcome},
    render,
};
use crate::tools;

/// The schemas that come with the program.
const SCHEMAS: [(&str, &str); 7] = [
    ("employee", include_str!("../../schemas/employee.schema.json")),
    ("pipeline", include_str!("../../schemas/pipeline.schema.json")),
    ("discussion", include_str!("../../schemas/discussion.schema.json")),
    ("webhook", include_str!("../../schemas/webhook.schema.json")),
    ("cron", include_str!("../../schemas/cron.schema.json")),
    ("organization", include_str!("../../schemas/organization.schema.json")),
    ("tools", include_str!("../../schemas/tools.json")),
];

/// Prints one schema; it is JSON in either form.
pub(super) fn schema(name: &str) -> Result<Outcome, Error> {
    let names = SCHEMAS.map(|(name, _)| name);
    let Some((_, text)) = SCHEMAS.iter().find(|(known, _)| *known == name) else {
        let mut error = tools::Error::not_found("schema", name, names);
        if let tools::Error::NotFound { hint: hint @ None, .. } = &mut error {
            *hint = Some(format!("there is {}", names.map(|name| format!("`{name}`")).join(", ")));
        }
        return Err(Error::Tool(error));
    };
    render::answer(text)?;
    Ok(Outcome::Done)
}
