//! Settings that the Python version left in an HTML comment of a skill.

use serde_json::{Map, Value};

const BEGIN: &str = "<!-- knowlyr-crew metadata";

/// What became of the comment.
pub(super) enum Comment {
    /// There is none.
    Absent,
    /// It is there, but its JSON cannot be read.
    Broken,
    /// Its fields, and the instructions without it.
    Read(Map<String, Value>, String),
}

/// Looks for the comment in the instructions of a skill. The JSON decides where it ends: a text in it may hold `-->`.
pub(super) fn comment(body: &str) -> Comment {
    let Some((before, rest)) = body.split_once(BEGIN) else { return Comment::Absent };
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
    let Some(Ok(Value::Object(fields))) = values.next() else { return Comment::Broken };
    let after = rest.get(values.byte_offset()..).unwrap_or_default().trim_start();
    match after.strip_prefix("-->") {
        Some(after) => {
            Comment::Read(fields, format!("{}\n\n{}", before.trim(), after.trim()).trim().to_owned())
        }
        None => Comment::Broken,
    }
}
