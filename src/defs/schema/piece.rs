//! What fields are made of, as a person may write them in YAML.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// Declares a kind of value by its schema.
macro_rules! pieces {
    ($($(#[$doc:meta])* $name:ident = $schema:tt;)*) => {
        $(
            $(#[$doc])*
            pub(super) struct $name;

            impl JsonSchema for $name {
                fn inline_schema() -> bool {
                    true
                }
                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }
                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!($schema)
                }
            }
        )*
    };
}

pieces! {
    /// A text. A number or a yes-or-no value is taken as it is written.
    Text = {"type": ["string", "number", "boolean"]};
    /// A text that must hold something.
    FullText = {"type": ["string", "number", "boolean"], "minLength": 1, "pattern": "\\S"};
    /// The name of an employee.
    Name = {"type": ["string", "integer", "boolean"], "maxLength": 64, "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"};
    /// One line with a name on it.
    Line = {"type": ["string", "number", "boolean"], "maxLength": 128, "pattern": "^[^\\x00-\\x08\\x0b-\\x1f]*$"};
    /// The description of an employee.
    Description = {"type": ["string", "number", "boolean"], "minLength": 1, "pattern": "\\S"};
    /// A yes-or-no value.
    Flag = {"anyOf": [{"type": "boolean"}, {"enum": ["true", "false", "yes", "no", "on", "off"]}]};
    /// The name of an event of GitHub, or a pattern of them.
    Event = {"type": "string", "pattern": "^\\s*!?[a-z_*?]+\\s*$"};
    /// The variable of the environment that holds a key.
    Variable = {"type": "string", "pattern": "^\\s*(\\$\\{[A-Za-z0-9_]+\\})?\\s*$"};
    /// A secret, better the variable that holds it.
    Secret = {"type": ["string", "number", "boolean"]};
    /// The name of an argument, or the id of a step.
    Word = {"type": ["string", "boolean"], "pattern": "^\\s*[\\p{L}_][\\p{L}\\p{N}_-]*\\s*$"};
    /// From 0 to 2.
    Temperature = {"anyOf": [{"type": "number", "minimum": 0, "maximum": 2}, {"type": "string", "pattern": "^\\s*[0-9.]+\\s*$"}]};
    /// From 0 to 1.
    Ratio = {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": "^\\s*[0-9.]+\\s*$"}]};
    /// An amount of US dollars.
    Dollars = {"anyOf": [{"type": "number", "minimum": 0.000_001, "maximum": 1_000_000}, {"type": "string", "pattern": "^\\s*[0-9.]+\\s*$"}]};
    /// A map that is kept as it is written.
    Anything = {"type": "object"};
}

/// A whole number from `LEAST` to `MOST`.
pub(super) struct Whole<const LEAST: u32, const MOST: u32>;

impl<const LEAST: u32, const MOST: u32> JsonSchema for Whole<LEAST, MOST> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Whole{LEAST}To{MOST}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                {"type": "integer", "minimum": LEAST, "maximum": MOST},
                {"type": "string", "pattern": "^\\s*[0-9_]+\\s*$"},
            ]
        })
    }
}

/// How much a run may take at most; of several budgets that apply, the lowest limits count.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("anyOf" = [{"required": ["max_cost"]}, {"required": ["max_tokens"]}]))]
#[expect(dead_code, reason = "it is never made, only its schema")]
pub(super) struct Budget {
    /// US dollars.
    max_cost: Option<Dollars>,
    /// Tokens, read and written.
    max_tokens: Option<Whole<1, { u32::MAX }>>,
}

/// What becomes of tasks that fail with something that may pass: a model that is busy or does not answer.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "it is never made, only its schema")]
pub(super) struct Retry {
    /// How often they are tried in all; 5, unless given.
    #[schemars(range(min = 1, max = 100))]
    attempts: Option<u32>,
    /// How long they wait before they are tried for the second time; 30, unless given. The wait doubles each time.
    #[schemars(range(min = 1, max = 86_400))]
    backoff_seconds: Option<u32>,
    /// The longest they wait; an hour, unless given.
    #[schemars(range(min = 1, max = 604_800))]
    max_backoff_seconds: Option<u32>,
}

/// Texts; empty entries are left out.
pub(super) type Texts = Vec<Option<Text>>;
