//! Values out of a delivery: `{{dotted.path}}`.

use serde_json::Value;

/// Fills the places of `template` with values of `payload`, in one pass: what is filled in is never looked at again.
///
/// A path leads through the keys of objects and, by decimal index from 0, through arrays. Text stands as it is,
/// numbers and booleans as in JSON, objects and arrays as compact JSON, `null` as nothing. Paths that lead nowhere
/// are added to `missing`. Braces around nothing, or around a line break, are ordinary text.
pub(super) fn fill(template: &str, payload: &Value, missing: &mut Vec<String>) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let place = after.split_once("}}").map(|(path, tail)| (path.trim(), path, tail));
        match place {
            Some((path, raw, tail)) if !path.is_empty() && !raw.contains('\n') => {
                match lookup(payload, path) {
                    Some(value) => push(&mut filled, value),
                    None if missing.iter().any(|known| known == path) => {}
                    None => missing.push(path.to_owned()),
                }
                rest = tail;
            }
            _ => {
                filled.push_str("{{");
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

fn lookup<'a>(payload: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(payload, |value, segment| match value {
        Value::Object(object) => object.get(segment.trim()),
        Value::Array(array) => array.get(index(segment.trim())?),
        _ => None,
    })
}

fn index(segment: &str) -> Option<usize> {
    // `parse` alone would take `+1` too.
    segment.bytes().all(|byte| byte.is_ascii_digit()).then(|| segment.parse().ok())?
}

fn push(filled: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::String(text) => filled.push_str(text),
        other => filled.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(template: &str, expected: &str, absent: &[&str]) {
        let payload = json!({
            "ref": "refs/heads/主干", "n": 3, "x": 1.5, "yes": true, "nothing": null,
            "commits": [{"id": "a1"}, {"id": "b2"}], "nested": {"a": {"b": "deep"}},
            "evil": "{{ref}} $n {steps.a.output}",
        });
        let mut missing = Vec::new();
        assert_eq!(fill(template, &payload, &mut missing), expected, "{template}");
        assert_eq!(missing, absent, "{template}");
    }

    #[test]
    fn paths_are_filled_in() {
        check("no places", "no places", &[]);
        check("on {{ref}}!", "on refs/heads/主干!", &[]);
        check("{{ nested . a.b }}{{n}}", "deep3", &[]);
        check("{{commits.1.id}}", "b2", &[]);
        check("{{n}} {{x}} {{yes}} <{{nothing}}>", "3 1.5 true <>", &[]);
        check("{{commits}} {{nested}}", r#"[{"id":"a1"},{"id":"b2"}] {"a":{"b":"deep"}}"#, &[]);
        check(r#"{"a": {{n}}}"#, r#"{"a": 3}"#, &[]);
    }

    #[test]
    fn values_are_never_expanded_again() {
        check("{{evil}}", "{{ref}} $n {steps.a.output}", &[]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        check(
            "{{nope.deep}}{{nope.deep}}-{{ref.x}}-{{commits.2}}-{{commits.+1}}-{{nothing.x}}",
            "----",
            &["nope.deep", "ref.x", "commits.2", "commits.+1", "nothing.x"],
        );
    }

    #[test]
    fn braces_alone_are_text() {
        check("{{}} {{ }} {{ref", "{{}} {{ }} {{ref", &[]);
        check("{{a\nb}} {n} }}", "{{a\nb}} {n} }}", &[]);
        check("{{{{n}}", "", &["{{n"]);
    }
}
