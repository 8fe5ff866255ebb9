//! What a person can be asked before a tool goes on, and what they answered.
//!
//! A tool asks by failing with [`Error::NeedInput`] and is called again from its beginning,
//! with the answers in its [`Ctx`](super::Ctx). Where nobody can be asked, the same error says in words what is missing.
//! Answers come from outside: they are checked against the question, and are nothing but values.

use std::{collections::HashMap, fmt};

use serde_json::{Map, Value, json};

use super::Error;
use crate::{
    engine::Missing,
    tasks::{Decision, TaskId, Waiting},
};

/// The form that asks for arguments.
const ARGUMENTS: &str = "arguments";

/// How often a person is asked for something that does not come: once more than the first time.
const ROUNDS: u32 = 2;

/// Most rounds of approvals in one call; those that are left can be given without it.
pub(super) const APPROVALS: u32 = 5;

/// What keeps a tool from going on, as forms for a person to fill in.
#[derive(Debug, Clone, PartialEq)]
pub struct Inquiry {
    /// What is missing, for those who cannot be asked.
    pub lacking: String,
    /// What is asked.
    pub forms: Vec<Form>,
    /// The task that waits for the answers. It is there again when the tool is called with them.
    pub task: Option<TaskId>,
    /// How many rounds of questions this is worth.
    pub(super) rounds: u32,
}

impl fmt::Display for Inquiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lacking)
    }
}

/// A few questions that are answered together.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// What the answer comes back under.
    pub key: String,
    /// Why it is asked.
    pub message: String,
    /// What is asked.
    pub fields: Vec<Field>,
}

/// One question.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// What the value comes back under.
    pub name: String,
    /// For a person; the name, if there is none.
    pub title: Option<String>,
    /// More about it.
    pub description: Option<String>,
    /// What can be answered.
    pub kind: FieldKind,
    /// Whether it must be answered.
    pub required: bool,
}

/// What can be answered to a question.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    /// Any text.
    Text {
        /// What stands there to begin with.
        default: Option<String>,
    },
    /// One of these.
    Choice {
        /// What there is to choose from.
        options: Vec<String>,
        /// What is chosen to begin with.
        default: Option<String>,
    },
    /// Yes or no.
    Boolean {
        /// What is chosen to begin with.
        default: Option<bool>,
    },
}

impl Form {
    /// The form as a flat JSON Schema, the way MCP shows forms.
    pub fn schema(&self) -> Value {
        let properties: Map<_, _> =
            self.fields.iter().map(|field| (field.name.clone(), field.schema())).collect();
        let required: Vec<_> =
            self.fields.iter().filter(|field| field.required).map(|field| &field.name).collect();
        json!({ "type": "object", "properties": properties, "required": required })
    }
}

impl Field {
    fn schema(&self) -> Value {
        let (kind, default) = match &self.kind {
            FieldKind::Text { default } | FieldKind::Choice { default, .. } => {
                ("string", default.clone().map(Value::from))
            }
            FieldKind::Boolean { default } => ("boolean", default.map(Value::from)),
        };
        let mut schema = Map::from_iter([("type".to_owned(), kind.into())]);
        let texts = [("title", &self.title), ("description", &self.description)];
        for (key, text) in texts {
            if let Some(text) = text {
                schema.insert(key.to_owned(), text.clone().into());
            }
        }
        if let FieldKind::Choice { options, .. } = &self.kind {
            schema.insert("enum".to_owned(), options.clone().into());
        }
        if let Some(default) = default {
            schema.insert("default".to_owned(), default);
        }
        Value::Object(schema)
    }
}

/// What became of one form.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// It was filled in, in whatever way.
    Filled(Map<String, Value>),
    /// The person said no.
    Declined,
    /// The person turned away, or could not be reached.
    Unanswered,
}

/// What was answered since the call began.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    /// By the keys of the forms.
    pub replies: HashMap<String, Reply>,
    /// How many times the person was asked.
    pub rounds: u32,
    /// [`Inquiry::task`] of the last inquiry.
    pub task: Option<TaskId>,
}

impl Answers {
    /// The arguments that were asked for and given.
    pub(super) fn arguments(&self) -> Result<Vec<(String, String)>, Error> {
        let Some(filled) = self.filled(ARGUMENTS)? else { return Ok(Vec::new()) };
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        Ok(filled.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect())
    }

    /// What was chosen in the form of [`Inquiry::choice`]; nothing when it is not one of `options`.
    pub(super) fn choice<'o>(&self, name: &str, options: &'o [String]) -> Result<Option<&'o str>, Error> {
        let chosen = self.filled(name)?.and_then(|filled| filled.get(name)?.as_str());
        Ok(options.iter().map(String::as_str).find(|option| Some(*option) == chosen))
    }

    fn filled(&self, key: &str) -> Result<Option<&Map<String, Value>>, Error> {
        match self.replies.get(key) {
            None => Ok(None),
            Some(Reply::Filled(filled)) => Ok(Some(filled)),
            Some(Reply::Declined) => {
                Err(Error::Denied("nothing was done: the person who was asked declined to answer".to_owned()))
            }
            Some(Reply::Unanswered) => {
                Err(Error::Denied("nothing was done: the person who was asked did not answer".to_owned()))
            }
        }
    }
}

impl Reply {
    /// The decision that this is, if it is one. To decline to approve is to refuse; to turn away decides nothing.
    pub fn decision(&self, by: &str) -> Option<Decision> {
        let said = |filled: &Map<String, Value>| {
            let comment = filled.get("comment").and_then(Value::as_str).map(str::trim);
            let comment = comment.filter(|comment| !comment.is_empty()).map(str::to_owned);
            Some((filled.get("approved")?.as_bool()?, comment))
        };
        let (approved, comment) = match self {
            Self::Filled(filled) => said(filled)?,
            Self::Declined => (false, None),
            Self::Unanswered => return None,
        };
        Some(Decision { approved, comment, by: Some(by.to_owned()) })
    }
}

impl Inquiry {
    /// Asks for arguments.
    pub(super) fn arguments(lacking: String, missing: &[Missing]) -> Self {
        let field = |missing: &Missing| Field {
            name: missing.name.clone(),
            title: None,
            description: Some(missing.description.clone()).filter(|text| !text.is_empty()),
            kind: FieldKind::Text { default: None },
            required: true,
        };
        let form = Form {
            key: ARGUMENTS.to_owned(),
            message: lacking.clone(),
            fields: missing.iter().map(field).collect(),
        };
        Self { lacking, forms: vec![form], task: None, rounds: ROUNDS }
    }

    /// Asks for one of `options`, under `name`.
    pub(super) fn choice(lacking: String, name: &str, message: &str, options: &[String]) -> Self {
        let kind = FieldKind::Choice { options: options.to_vec(), default: None };
        let field = Field { name: name.to_owned(), title: None, description: None, kind, required: true };
        let form = Form { key: name.to_owned(), message: message.to_owned(), fields: vec![field] };
        Self { lacking, forms: vec![form], task: None, rounds: ROUNDS }
    }

    /// Asks for all the decisions that the task `id` waits for.
    pub(super) fn approvals(id: TaskId, waiting: &[Waiting]) -> Self {
        Self {
            lacking: format!("task `{id}` waits for an approval"),
            forms: waiting.iter().map(Form::approval).collect(),
            task: Some(id),
            rounds: APPROVALS,
        }
    }
}

impl Form {
    /// Asks for one decision; [`Reply::decision`] reads the answer.
    pub fn approval(waiting: &Waiting) -> Self {
        let field = |name: &str, title: &str, kind, required| Field {
            name: name.to_owned(),
            title: Some(title.to_owned()),
            description: None,
            kind,
            required,
        };
        Self {
            key: waiting.step.clone(),
            message: waiting.question.clone(),
            fields: vec![
                field("approved", "Approve", FieldKind::Boolean { default: None }, true),
                field("comment", "Comment", FieldKind::Text { default: None }, false),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_flat_schemas() {
        let text = Inquiry::arguments(
            "employee `x` needs argument `topic`".to_owned(),
            &[Missing { name: "topic".to_owned(), description: "What about".to_owned() }],
        );
        let options = ["a".to_owned(), "b".to_owned()];
        let choice = Inquiry::choice("which?".to_owned(), "name", "Which one?", &options);
        let waiting = Waiting {
            step: "approval-1:x".to_owned(),
            question: "Ship?".to_owned(),
            since: crate::base::clock::now(),
        };
        let schemas = [text.forms[0].schema(), choice.forms[0].schema(), Form::approval(&waiting).schema()];
        let expected = [
            json!({"type": "object", "properties": {"topic": {"type": "string", "description": "What about"}}, "required": ["topic"]}),
            json!({"type": "object", "properties": {"name": {"type": "string", "enum": ["a", "b"]}}, "required": ["name"]}),
            json!({"type": "object", "properties": {
                "approved": {"type": "boolean", "title": "Approve"},
                "comment": {"type": "string", "title": "Comment"},
            }, "required": ["approved"]}),
        ];
        assert_eq!(schemas, expected);
    }

    #[test]
    fn only_a_yes_approves() {
        #[track_caller]
        fn check(reply: &Reply, approved: Option<bool>) {
            assert_eq!(reply.decision("ann").map(|decision| decision.approved), approved, "{reply:?}");
        }
        let filled = |json: Value| Reply::Filled(json.as_object().cloned().unwrap());
        check(&filled(json!({"approved": true, "comment": " "})), Some(true));
        check(&filled(json!({"approved": false})), Some(false));
        check(&filled(json!({"approved": "true"})), None);
        check(&filled(json!({})), None);
        check(&Reply::Declined, Some(false));
        check(&Reply::Unanswered, None);
    }

    #[test]
    fn answers_are_values_and_refusals_are_told() {
        let of =
            |reply| Answers { replies: HashMap::from([(ARGUMENTS.to_owned(), reply)]), ..Answers::default() };
        let filled = json!({"a": "$b", "n": 3, "list": [1], "none": null});
        let given = of(Reply::Filled(filled.as_object().cloned().unwrap())).arguments().unwrap();
        assert_eq!(given, [("a".to_owned(), "$b".to_owned()), ("n".to_owned(), "3".to_owned())]);
        for reply in [Reply::Declined, Reply::Unanswered] {
            assert_eq!(of(reply).arguments().unwrap_err().code(), "denied");
        }
        assert!(Answers::default().arguments().unwrap().is_empty());
        let options = ["a".to_owned()];
        let chosen = |value: &str| {
            let filled = json!({"name": value}).as_object().cloned().unwrap();
            let replies = HashMap::from([("name".to_owned(), Reply::Filled(filled))]);
            Answers { replies, ..Answers::default() }.choice("name", &options).unwrap().map(str::to_owned)
        };
        assert_eq!((chosen("a"), chosen("b")), (Some("a".to_owned()), None));
    }
}
