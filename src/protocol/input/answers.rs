//! What the client said to the questions of a handler.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use crate::protocol::{Error, envelope::object};

/// Everything the client answered since its request began, by the keys of the questions, and what the handler
/// remembered when it asked last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    pub(super) replies: BTreeMap<String, Reply>,
    pub(super) state: Option<Value>,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    /// The result of the method that asked.
    Result(Value),
    /// The client could not, or would not; only clients of the older era say it so.
    Error {
        /// The JSON-RPC code.
        code: i64,
        /// In words.
        message: String,
    },
}

impl Answers {
    /// The answer to the question `key`, if there is one.
    pub fn get(&self, key: &str) -> Option<&Reply> {
        self.replies.get(key)
    }

    /// All answers with the keys of their questions.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Reply)> {
        self.replies.iter().map(|(key, reply)| (key.as_str(), reply))
    }

    /// What the handler remembered when it asked last.
    pub fn state(&self) -> Option<&Value> {
        self.state.as_ref()
    }

    /// Whether nothing was answered.
    pub fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }

    /// Reads `inputResponses`: an object of results. Keys that nobody asked for do no harm.
    ///
    /// # Errors
    /// `-32602` when it is anything else.
    pub fn parse(responses: &RawValue) -> Result<Self, Error> {
        let malformed = || {
            Error::invalid_params("`inputResponses` must be an object that holds an object under each key")
        };
        let given: BTreeMap<String, Value> = object(responses.get()).map_err(|_| malformed())?;
        if !given.values().all(Value::is_object) {
            return Err(malformed());
        }
        let replies = given.into_iter().map(|(key, result)| (key, Reply::Result(result))).collect();
        Ok(Self { replies, state: None })
    }
}

impl Reply {
    /// The client could not be asked, or did not answer in time.
    pub(super) fn none(why: &'static str) -> Self {
        Self::Error { code: Error::internal(why).code().into(), message: why.to_owned() }
    }

    /// What was filled into a form, or `{}` for a web page, when the person agreed; `None` when they declined, turned
    /// away, or the client failed.
    pub fn accepted(&self) -> Option<&Value> {
        static NOTHING: std::sync::LazyLock<Value> =
            std::sync::LazyLock::new(|| Value::Object(Map::default()));
        let result =
            self.result().filter(|result| result.get("action").is_some_and(|said| said == "accept"))?;
        Some(result.get("content").filter(|content| content.is_object()).unwrap_or(&NOTHING))
    }

    /// The result, unless the client failed.
    pub fn result(&self) -> Option<&Value> {
        match self {
            Self::Result(result) => Some(result),
            Self::Error { .. } => None,
        }
    }

    /// What a model said, when that is text.
    pub fn text(&self) -> Option<&str> {
        let content = self.result()?.get("content")?;
        let block = content.as_array().map_or(Some(content), |blocks| blocks.first())?;
        block.get("text")?.as_str()
    }

    /// The folders of a client, each `(uri, name)`.
    pub fn roots(&self) -> Vec<(&str, Option<&str>)> {
        let roots = self.result().and_then(|result| result.get("roots")?.as_array());
        roots
            .into_iter()
            .flatten()
            .filter_map(|root| Some((root.get("uri")?.as_str()?, root.get("name").and_then(Value::as_str))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn responses_are_objects_of_objects() {
        #[track_caller]
        fn check(responses: &str, keys: Option<usize>) {
            let responses = RawValue::from_string(responses.to_owned()).unwrap();
            match (Answers::parse(&responses), keys) {
                (Ok(answers), Some(keys)) => assert_eq!(answers.replies.len(), keys),
                (Err(error), None) => assert_eq!(error.code(), -32602),
                (outcome, _) => panic!("{responses}: {outcome:?}"),
            }
        }
        check("{}", Some(0));
        check(r#"{"a":{},"b":{"action":"accept"}}"#, Some(2));
        check("null", None);
        check("[]", None);
        check("7", None);
        check(r#"{"a":null}"#, None);
        check(r#"{"a":7}"#, None);
        check(r#"{"a":{},"b":[]}"#, None);
    }

    #[test]
    fn only_agreement_is_agreement() {
        #[track_caller]
        fn check(result: Value, accepted: Option<&Value>) {
            assert_eq!(Reply::Result(result).accepted(), accepted);
        }
        check(json!({"action": "accept", "content": {"a": 1}}), Some(&json!({"a": 1})));
        check(json!({"action": "accept"}), Some(&json!({})));
        check(json!({"action": "decline", "content": {"a": 1}}), None);
        check(json!({"action": "cancel"}), None);
        check(json!({"content": {"a": 1}}), None);
        assert_eq!(Reply::Error { code: -1, message: String::new() }.accepted(), None);
    }

    #[test]
    fn answers_of_programs() {
        let said = |content: Value| Reply::Result(json!({"content": content}));
        assert_eq!(said(json!({"type": "text", "text": "Paris"})).text(), Some("Paris"));
        assert_eq!(said(json!([{"type": "text", "text": "Paris"}])).text(), Some("Paris"));
        assert_eq!(said(json!([])).text(), None);
        assert_eq!(said(json!(7)).text(), None);
        let roots =
            Reply::Result(json!({"roots": [{"uri": "file:///a", "name": "a"}, {"uri": "file:///b"}, 7]}));
        assert_eq!(roots.roots(), [("file:///a", Some("a")), ("file:///b", None)]);
    }
}
