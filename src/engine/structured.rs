//! Answers that have to be JSON of a given shape.

use jsonschema::Validator;
use serde_json::Value;

use crate::{
    base::text::truncate,
    defs::{Employee, Format},
};

/// Most faults of an answer that are told to the model.
const MOST_FAULTS: usize = 5;
/// Most characters of a fault.
const FAULT_CHARS: usize = 300;

/// The shape an answer has to have.
pub(super) struct Shape(Validator);

impl Shape {
    /// What `employee` has to answer, if that is settled by `output.schema`.
    ///
    /// # Errors
    /// When that is no JSON Schema.
    pub(super) fn of(employee: &Employee) -> Result<Option<Self>, String> {
        let Some(schema) = &employee.output.schema else { return Ok(None) };
        if employee.output.format != Format::Json {
            return Ok(None);
        }
        // References lead nowhere: nothing is fetched.
        let validator =
            jsonschema::validator_for(schema).map_err(|error| truncate(&error.to_string(), FAULT_CHARS))?;
        Ok(Some(Self(validator)))
    }

    /// The JSON that `said` is, without what models like to put around it.
    ///
    /// # Errors
    /// What is wrong with it, for the model to do better.
    pub(super) fn check(&self, said: &str) -> Result<String, String> {
        let text = unfenced(said);
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("it is no JSON document: {error}"))?;
        let faults: Vec<_> = self
            .0
            .iter_errors(&value)
            .take(MOST_FAULTS)
            .map(|fault| {
                let place = fault.instance_path().to_string();
                let place = if place.is_empty() { "the whole".to_owned() } else { format!("`{place}`") };
                truncate(&format!("{place}: {fault}"), FAULT_CHARS)
            })
            .collect();
        if faults.is_empty() { Ok(text.to_owned()) } else { Err(faults.join("; ")) }
    }
}

/// What stands in a fence of code, or else all of it.
fn unfenced(said: &str) -> &str {
    let said = said.trim();
    let inner = said.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let inner = inner.and_then(|inner| inner.split_once('\n').map(|(_, inner)| inner));
    inner.unwrap_or(said).trim()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::defs::Output;

    fn shape(schema: Value) -> Result<Option<Shape>, String> {
        let output = Output { format: Format::Json, schema: Some(schema), ..Output::default() };
        Shape::of(&Employee { output, ..Employee::default() })
    }

    #[test]
    fn what_fits_is_taken_out_of_its_fence() {
        let shape = shape(json!({"type": "object", "required": ["ok"]})).unwrap().unwrap();
        for said in ["{\"ok\": 1}", " {\"ok\": 1}\n", "```json\n{\"ok\": 1}\n```", "```\n{\"ok\": 1}```"] {
            assert_eq!(shape.check(said).unwrap(), "{\"ok\": 1}", "{said}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_place() {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["ok"]});
        let shape = shape(schema).unwrap().unwrap();
        assert!(shape.check("Sure! {}").unwrap_err().starts_with("it is no JSON document"));
        let told = shape.check("{\"n\": \"x\"}").unwrap_err();
        assert!(told.contains("`/n`: ") && told.contains("the whole: "), "{told}");
    }

    #[test]
    fn schemas_that_are_none_or_lead_elsewhere_are_refused() {
        assert!(shape(json!({"type": "no such type"})).is_err());
        assert!(shape(json!({"$ref": "https://example.com/schema.json"})).is_err());
        assert!(Shape::of(&Employee::default()).unwrap().is_none());
    }
}
