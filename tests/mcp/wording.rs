//! The official schemas, ready to judge messages by.

use std::{collections::HashMap, fs, path::Path};

use jsonschema::Validator;
use serde_json::{Value, json};

/// The schema of one revision, or of an extension.
pub struct Wording {
    name: String,
    schema: Value,
    /// Where definitions are: it depends on the dialect.
    place: &'static str,
    compiled: HashMap<String, Validator>,
}

impl Wording {
    /// Reads `tests/fixtures/mcp/NAME.json`.
    pub fn of(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/mcp/{name}.json"));
        let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let place = if schema.get("$defs").is_some() { "$defs" } else { "definitions" };
        Self { name: name.to_owned(), schema, place, compiled: HashMap::new() }
    }

    /// Whether there is such a definition.
    pub fn defines(&self, definition: &str) -> bool {
        self.schema[self.place].get(definition).is_some()
    }

    /// Holds `value` against a definition.
    #[track_caller]
    pub fn check(&mut self, definition: &str, value: &Value) {
        assert!(self.defines(definition), "{} defines no `{definition}`", self.name);
        let faults: Vec<String> = self
            .validator(definition)
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        let (name, faults) = (&self.name, faults.join("\n"));
        assert!(faults.is_empty(), "not a `{definition}` of {name}:\n{faults}\nin {value:#}");
    }

    fn validator(&mut self, definition: &str) -> &Validator {
        let (schema, place) = (&self.schema, self.place);
        self.compiled.entry(definition.to_owned()).or_insert_with(|| {
            let root = json!({
                "$schema": schema["$schema"],
                place: schema[place],
                "allOf": [{"$ref": format!("#/{place}/{definition}")}],
            });
            jsonschema::validator_for(&root).unwrap()
        })
    }
}
