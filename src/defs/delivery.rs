//! Where results go: entries that are kept as they are written, looked at only for what would surely fail.

use super::{
    codes,
    reader::{Fields, Text},
    report::Report,
    yaml::{Kind, Node, Value},
};

/// The kinds of delivery, each with the key it cannot do without. `feishu` knows two.
const KINDS: [(&str, &[&str]); 3] =
    [("webhook", &["url"]), ("email", &["to"]), ("feishu", &["webhook_url", "url", "webhook", "chat_id"])];

/// Reads a list of deliveries.
pub(super) fn read(
    fields: &mut Fields<'_>,
    key: &'static str,
    report: &mut Report<'_>,
) -> Vec<serde_json::Value> {
    let nodes = fields.list(key, report);
    for node in nodes {
        check(node, report);
    }
    nodes.iter().map(json).collect()
}

fn check(node: &Node, report: &mut Report<'_>) {
    let Some(mut fields) = Fields::of(node, "a delivery", report) else { return };
    let Some(kind) = fields.required_text("type", report) else { return };
    let word = kind.value.trim();
    let Some((name, keys)) = KINDS.iter().find(|(name, _)| *name == word) else {
        report
            .error(
                codes::INVALID_VALUE,
                kind.span,
                format!("there is no type of delivery `{}`", word.escape_debug()),
            )
            .suggest(word, KINDS.iter().map(|(name, _)| *name));
        return;
    };
    let filled = keys.iter().find(|key| fields.get(key).is_some_and(|node| !is_blank(node)));
    let Some(key) = filled else {
        let wanted: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
        let message = format!("a delivery by {name} needs {}", wanted.join(" or "));
        report.error(codes::INVALID_DELIVERY, kind.span, message);
        return;
    };
    if key.contains("url") || *key == "webhook" {
        let url = fields.text(key, report);
        if let Some(url) = &url {
            check_url(url, report);
        }
    }
}

fn is_blank(node: &Node) -> bool {
    match &node.value {
        Value::Scalar { text, .. } => text.trim().is_empty(),
        Value::List(items) => items.is_empty(),
        _ => false,
    }
}

/// A URL may come from the environment, `${NAME}`.
fn check_url(url: &Text, report: &mut Report<'_>) {
    let value = url.value.trim();
    let known = ["http://", "https://"].iter().any(|scheme| value.starts_with(scheme));
    if !known && !value.contains("${") && !value.contains("{{") {
        report
            .error(codes::INVALID_DELIVERY, url.span, "this is no address on the web")
            .help("it begins with `https://`");
    }
}

/// The node as JSON; scalars keep their text unless they are yes-or-no values or whole numbers.
pub(super) fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Scalar { kind: Kind::Bool(value), .. } => (*value).into(),
        Value::Scalar { kind: Kind::Number, text } => {
            text.parse::<i64>().map_or_else(|_| text.clone().into(), serde_json::Value::from)
        }
        Value::Scalar { text, .. } => text.clone().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            let entries = entries.iter().filter_map(|(key, value)| match &key.value {
                Value::Scalar { text, .. } => Some((text.clone(), json(value))),
                _ => None,
            });
            serde_json::Value::Object(entries.collect())
        }
    }
}
