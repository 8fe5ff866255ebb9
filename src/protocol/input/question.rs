//! The questions there are, as each revision writes them.

use serde_json::{Map, Value, json};

use crate::protocol::Version;

/// A question to the client: to the person before it, or to the program itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// The person fills in a form: a flat JSON Schema object of strings, numbers, booleans and choices. Not for secrets.
    Form {
        /// Why it is asked.
        message: String,
        /// What is asked.
        schema: Value,
    },
    /// The person does something on a web page; the answer says only whether they agreed to.
    Url {
        /// Why it is asked.
        message: String,
        /// Where.
        url: String,
    },
    /// The model of the client completes a conversation; the parameters of `sampling/createMessage`.
    Sampling(Value),
    /// Which folders the client works in.
    Roots,
}

impl Question {
    /// The method that asks it.
    pub fn method(&self) -> &'static str {
        match self {
            Self::Form { .. } | Self::Url { .. } => "elicitation/create",
            Self::Sampling(_) => "sampling/createMessage",
            Self::Roots => "roots/list",
        }
    }

    /// The parameters of that method for a peer of `version`.
    pub fn params(&self, version: Version) -> Value {
        match self {
            Self::Form { message, schema } => {
                if version.has_elicitation_modes() {
                    json!({ "mode": "form", "message": message, "requestedSchema": schema })
                } else {
                    json!({ "message": message, "requestedSchema": schema })
                }
            }
            Self::Url { message, url } => json!({ "mode": "url", "message": message, "url": url }),
            Self::Sampling(params) => params.clone(),
            Self::Roots => json!({}),
        }
    }

    /// Whether a client that speaks `version` and declared `capabilities` can be asked to fill in forms.
    pub(in crate::protocol) fn form_is_open_to(capabilities: &Value, version: Version) -> bool {
        let declared = |path: &str| capabilities.pointer(path).is_some_and(Value::is_object);
        // To declare no mode is to declare the one there was first.
        version.has_elicitation()
            && declared("/elicitation")
            && (declared("/elicitation/form") || !declared("/elicitation/url"))
    }

    /// Whether a client that speaks `version` and declared `capabilities` can be asked.
    pub fn is_open_to(&self, capabilities: &Value, version: Version) -> bool {
        let declared = |path: &str| capabilities.pointer(path).is_some_and(Value::is_object);
        match self {
            Self::Form { .. } => Self::form_is_open_to(capabilities, version),
            Self::Url { .. } => version.has_elicitation_modes() && declared("/elicitation/url"),
            Self::Sampling(params) => {
                let tools = params.get("tools").is_some() || params.get("toolChoice").is_some();
                declared("/sampling") && (!tools || declared("/sampling/tools"))
            }
            Self::Roots => declared("/roots"),
        }
    }

    /// What a client has to declare to be asked, a `ClientCapabilities` object.
    pub fn required(&self) -> Value {
        match self {
            Self::Form { .. } => json!({ "elicitation": { "form": {} } }),
            Self::Url { .. } => json!({ "elicitation": { "url": {} } }),
            Self::Sampling(params) if params.get("tools").is_some() => json!({ "sampling": { "tools": {} } }),
            Self::Sampling(_) => json!({ "sampling": {} }),
            Self::Roots => json!({ "roots": {} }),
        }
    }
}

/// What a client has to declare to be asked all of `questions`.
pub(super) fn required<'q>(questions: impl IntoIterator<Item = &'q Question>) -> Value {
    let mut all = Map::new();
    for question in questions {
        let Value::Object(one) = question.required() else { continue };
        for (name, settings) in one {
            match (all.get_mut(&name).and_then(Value::as_object_mut), settings) {
                (Some(known), Value::Object(more)) => known.extend(more),
                (_, settings) => {
                    all.insert(name, settings);
                }
            }
        }
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Question {
        Question::Form { message: "who".into(), schema: json!({"type": "object", "properties": {}}) }
    }

    fn url() -> Question {
        Question::Url { message: "pay".into(), url: "https://pay.example".into() }
    }

    #[test]
    fn what_was_not_declared_is_not_asked() {
        #[track_caller]
        fn check(question: &Question, capabilities: &Value, version: Version, open: bool) {
            assert_eq!(question.is_open_to(capabilities, version), open, "{question:?} {capabilities}");
        }
        let (modern, old) = (Version::V2026_07_28, Version::V2025_06_18);
        let neither = json!({"elicitation": {}});
        check(&form(), &neither, modern, true);
        check(&form(), &neither, old, true);
        check(&form(), &neither, Version::V2025_03_26, false);
        check(&url(), &neither, modern, false);
        let only_url = json!({"elicitation": {"url": {}}});
        check(&form(), &only_url, modern, false);
        check(&url(), &only_url, modern, true);
        check(&url(), &only_url, old, false);
        check(&form(), &json!({"elicitation": {"form": {}, "url": {}}}), modern, true);
        check(&form(), &json!({"elicitation": true}), modern, false);
        let (plain, tools) = (Question::Sampling(json!({})), Question::Sampling(json!({"tools": []})));
        check(&plain, &json!({"sampling": {}}), modern, true);
        check(&tools, &json!({"sampling": {}}), modern, false);
        check(&tools, &json!({"sampling": {"tools": {}}}), modern, true);
        check(&plain, &json!({}), modern, false);
        check(&Question::Roots, &json!({"roots": {}}), Version::V2024_11_05, true);
        check(&Question::Roots, &json!(null), modern, false);
    }

    #[test]
    fn what_is_lacking_is_said_in_one_object() {
        let questions = [form(), url(), Question::Roots, Question::Sampling(json!({}))];
        let expected = json!({"elicitation": {"form": {}, "url": {}}, "roots": {}, "sampling": {}});
        assert_eq!(required(&questions), expected);
    }

    #[test]
    fn the_mode_of_a_form_is_said_where_there_are_modes() {
        assert_eq!(form().params(Version::V2025_06_18).get("mode"), None);
        assert_eq!(form().params(Version::V2025_11_25)["mode"], "form");
        assert_eq!(form().params(Version::V2026_07_28)["mode"], "form");
    }
}
