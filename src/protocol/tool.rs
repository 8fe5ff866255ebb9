//! Tools: what a client may call.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, value::RawValue};

use super::{Version, content::Content, info::Icon, input::Inquiry, shape::Shape, task::Task};

/// A tool, as it is listed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    /// What it is called by: 1 to 128 of `A-Z a-z 0-9 _ . -`.
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// For a model that has to choose.
    pub description: String,
    /// JSON Schema of the arguments; describes an object.
    pub input_schema: Arc<Value>,
    /// JSON Schema of the structured answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Arc<Value>>,
    /// What calling it may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// Pictures of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub icons: Vec<Icon>,
}

/// Hints about the effects of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "these are the four hints of the protocol")]
pub struct Annotations {
    /// It changes nothing.
    pub read_only_hint: bool,
    /// What it changes may be lost for good.
    pub destructive_hint: bool,
    /// Calling it again with the same arguments changes nothing more.
    pub idempotent_hint: bool,
    /// It talks to things outside.
    pub open_world_hint: bool,
}

impl Shape for Tool {
    fn shape(&mut self, version: Version) {
        if !version.has_titles() {
            self.title = None;
        }
        if !version.has_annotations() {
            self.annotations = None;
        }
        if !version.has_icons() {
            self.icons.clear();
        }
        let fits = |schema: &Value| {
            version.describes_results() || schema.get("type").is_some_and(|kind| kind == "object")
        };
        self.output_schema =
            self.output_schema.take().filter(|schema| version.has_structured_content() && fits(schema));
    }
}

/// How a call of a tool ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum ToolOutcome {
    /// With a result, good or bad.
    Complete(ToolResult),
    /// Not yet: the work goes on in a task, which [`Host::tasks`](super::Host::tasks) knows from now on. Only for
    /// requests whose [`Context::takes_tasks`](super::Context::takes_tasks).
    Task(Task),
    /// With questions to the client; the tool is called again with the answers.
    NeedInput(Inquiry),
}

/// The result of a tool.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolResult {
    /// The answer for readers of text; when it is empty and `structured` is not, that is written here as well.
    pub content: Vec<Content>,
    /// The answer as JSON, fitting the output schema unless this is an error. In the older era that of an error is shown
    /// as `failure` in `_meta`.
    #[serde(rename = "structuredContent", skip_serializing_if = "Option::is_none")]
    pub structured: Option<Box<RawValue>>,
    /// Whether it failed; the content says how, so that a model can correct itself.
    pub is_error: bool,
}

impl ToolResult {
    /// An answer in words alone.
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: vec![Content::text(text)], structured: None, is_error: false }
    }

    /// A failure that the model may be able to mend.
    pub fn error(text: impl Into<String>) -> Self {
        Self { is_error: true, ..Self::text(text) }
    }
}

impl ToolResult {
    /// Takes the JSON out of a failure where it cannot stand as structured content. In the older era clients hold
    /// that against the output schema though the call failed (the TypeScript SDK 1.x does), and what the caller then
    /// sees is that complaint, not the failure.
    pub(super) fn take_facts(&mut self, version: Version) -> Option<Facts> {
        let misplaced = self.is_error && !version.describes_results() && !self.content.is_empty();
        misplaced.then(|| self.structured.take().map(Facts)).flatten()
    }
}

/// What a program should know of a failure; a result of the older era has it in `_meta`.
pub(super) struct Facts(Box<RawValue>);

impl Facts {
    /// The result, with these beside it.
    pub(super) fn beside<'a>(&'a self, result: &'a ToolResult) -> impl Serialize + 'a {
        #[derive(Serialize)]
        struct Meta<'a> {
            failure: &'a RawValue,
        }
        #[derive(Serialize)]
        struct Failed<'a> {
            #[serde(flatten)]
            result: &'a ToolResult,
            #[serde(rename = "_meta")]
            meta: Meta<'a>,
        }
        Failed { result, meta: Meta { failure: &self.0 } }
    }
}

impl Shape for ToolResult {
    fn shape(&mut self, version: Version) {
        if self.content.is_empty()
            && let Some(structured) = &self.structured
        {
            self.content.push(Content::text(structured.get()));
        }
        self.content.shape(version);
        let fits = |json: &RawValue| version.describes_results() || json.get().starts_with('{');
        self.structured =
            self.structured.take().filter(|json| version.has_structured_content() && fits(json));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tools_show_what_a_revision_knows() {
        #[track_caller]
        fn check(output_schema: Value, version: Version, expected: &[&str]) {
            let mut tool = Tool {
                name: "t".into(),
                title: Some("T".into()),
                description: "does".into(),
                input_schema: Arc::new(json!({"type": "object"})),
                output_schema: Some(Arc::new(output_schema)),
                annotations: Some(Annotations {
                    read_only_hint: true,
                    destructive_hint: false,
                    idempotent_hint: true,
                    open_world_hint: false,
                }),
                icons: vec![Icon { src: "data:,".into(), mime_type: None, sizes: vec![], theme: None }],
            };
            tool.shape(version);
            let json = serde_json::to_value(&tool).unwrap();
            let members: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(members, expected, "{version}");
        }
        let object = json!({"type": "object"});
        check(object.clone(), Version::V2024_11_05, &["name", "description", "inputSchema"]);
        check(object.clone(), Version::V2025_03_26, &["name", "description", "inputSchema", "annotations"]);
        let titled = ["name", "title", "description", "inputSchema", "outputSchema", "annotations"];
        check(object.clone(), Version::V2025_06_18, &titled);
        let all = ["name", "title", "description", "inputSchema", "outputSchema", "annotations", "icons"];
        check(object, Version::V2025_11_25, &all);
        let list = json!({"type": "array"});
        let without = ["name", "title", "description", "inputSchema", "annotations", "icons"];
        check(list.clone(), Version::V2025_11_25, &without);
        check(list, Version::V2026_07_28, &all);
    }

    #[test]
    fn a_failure_has_its_facts_where_no_client_stumbles() {
        #[track_caller]
        fn check(version: Version, expected: &Value) {
            let facts = RawValue::from_string(r#"{"code":"gone"}"#.to_owned()).unwrap();
            let mut result = ToolResult { structured: Some(facts), ..ToolResult::error("gone") };
            let facts = result.take_facts(version);
            result.shape(version);
            let shown = match facts {
                Some(facts) => serde_json::to_value(facts.beside(&result)),
                None => serde_json::to_value(&result),
            };
            assert_eq!(shown.unwrap(), *expected);
        }
        let content = json!([{"type": "text", "text": "gone"}]);
        let older = json!({"content": content, "isError": true, "_meta": {"failure": {"code": "gone"}}});
        check(Version::V2024_11_05, &older);
        check(Version::V2025_11_25, &older);
        let newer = json!({"content": content, "structuredContent": {"code": "gone"}, "isError": true});
        check(Version::V2026_07_28, &newer);
    }

    #[test]
    fn structured_answers_show_where_they_are_known() {
        #[track_caller]
        fn check(structured: &str, version: Version, expected: &Value) {
            let structured = RawValue::from_string(structured.to_owned()).unwrap();
            let mut result = ToolResult { content: vec![], structured: Some(structured), is_error: false };
            result.shape(version);
            assert_eq!(serde_json::to_value(&result).unwrap(), *expected);
        }
        let text = |text: &str| json!([{"type": "text", "text": text}]);
        let plain = json!({"content": text("{\"a\":1}"), "isError": false});
        check(r#"{"a":1}"#, Version::V2024_11_05, &plain);
        check(r#"{"a":1}"#, Version::V2025_03_26, &plain);
        let both = json!({"content": text("{\"a\":1}"), "structuredContent": {"a": 1}, "isError": false});
        check(r#"{"a":1}"#, Version::V2025_06_18, &both);
        check(r#"{"a":1}"#, Version::V2026_07_28, &both);
        check("[1]", Version::V2025_11_25, &json!({"content": text("[1]"), "isError": false}));
        let list = json!({"content": text("[1]"), "structuredContent": [1], "isError": false});
        check("[1]", Version::V2026_07_28, &list);
    }
}
