//! What a delivery is about, and of when it is.

use jiff::Timestamp;
use serde_json::Value;

use super::route::branch;

/// The pull request, issue or branch a delivery is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    /// `owner/name#7` or `owner/name@main`, in lower case as far as that is the same.
    pub(super) about: String,
    /// When it was as the delivery tells. GitHub does not deliver in order.
    pub(super) at: Option<Timestamp>,
}

/// Pull requests and issues are numbered together.
const NUMBERS: [&str; 2] = ["/pull_request/number", "/issue/number"];
/// When something about one of them changed.
const CHANGES: [&str; 6] = [
    "/pull_request/updated_at",
    "/issue/updated_at",
    "/comment/updated_at",
    "/review/updated_at",
    "/review/submitted_at",
    "/workflow_run/updated_at",
];

impl Subject {
    /// Of a payload; `None` when it is about something else.
    pub(super) fn of(payload: &Value) -> Option<Self> {
        let repository = payload.pointer("/repository/full_name")?.as_str()?.to_lowercase();
        let number = NUMBERS.iter().find_map(|pointer| payload.pointer(pointer)?.as_u64());
        let about = match number {
            Some(number) => format!("{repository}#{number}"),
            None => format!("{repository}@{}", branch(payload)?),
        };
        let changed = CHANGES.iter().filter_map(|pointer| time(payload.pointer(pointer)?)).max();
        Some(Self { about, at: changed.or_else(|| time(payload.pointer("/repository/pushed_at")?)) })
    }
}

/// A text, or seconds since 1970 as in deliveries of pushes.
fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(seconds) => Timestamp::from_second(seconds.as_i64()?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(mut payload: Value, expected: Option<(&str, Option<&str>)>) {
        payload["repository"]["full_name"] = "Octo/Repo".into();
        let found = Subject::of(&payload);
        let found = found.map(|subject| (subject.about, subject.at.map(|at| at.to_string())));
        let expected = expected.map(|(about, at)| (about.to_owned(), at.map(str::to_owned)));
        assert_eq!(found, expected, "{payload}");
    }

    #[test]
    fn a_delivery_tells_what_it_is_about_and_when() {
        let at = Some("2026-11-25T09:00:00Z");
        let pull = json!({"number": 7, "updated_at": "2026-11-25T09:00:00Z", "base": {"ref": "main"}});
        check(json!({"pull_request": pull}), Some(("octo/repo#7", at)));
        let comment = json!({"updated_at": "2026-11-25T10:00:00+01:00"});
        let issue = json!({"number": 7, "updated_at": "2026-11-24T09:00:00Z"});
        check(json!({"issue": issue, "comment": comment}), Some(("octo/repo#7", at)));
        check(
            json!({"ref": "refs/heads/Main", "repository": {"pushed_at": 1_795_597_200}}),
            Some(("octo/repo@Main", at)),
        );
        check(
            json!({"ref": "refs/heads/x", "repository": {"pushed_at": "soon"}}),
            Some(("octo/repo@x", None)),
        );
        check(json!({"ref": "refs/tags/v1"}), None);
        check(json!({"action": "created"}), None);
        assert_eq!(Subject::of(&json!({"pull_request": {"number": 7}})), None);
    }
}
