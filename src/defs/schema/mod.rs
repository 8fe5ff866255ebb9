//! JSON Schemas of the files people write, so that editors complete and check them while they are written.
//!
//! A schema says what shape a file may have; what goes beyond shape (references, dates, who is there) only the parsers
//! know. The tests hold the two together: each key that a parser knows is in the schema, and the other way round.

mod config;
mod delivery;
mod discussion;
mod employee;
mod mcp_servers;
mod organization;
mod piece;
mod pipeline;
mod settings;
mod skill;
#[cfg(test)]
mod tests;
mod tokens;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

/// A kind of file there is a schema for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaKind {
    /// `employee.yaml`, and the front matter of an employee in one file.
    Employee,
    /// A file of `.crew/pipelines`.
    Pipeline,
    /// A file of `.crew/discussions`.
    Discussion,
    /// `.crew/webhook.yaml`.
    Webhook,
    /// `.crew/cron.yaml`.
    Cron,
    /// `organization.yaml`.
    Organization,
    /// `.crew/config.yaml`.
    Config,
    /// A file of tokens.
    Tokens,
    /// `.crew/mcp_servers.yaml`.
    McpServers,
    /// A file of `.crew/skills/<employee>`.
    EmployeeSkill,
}

impl SchemaKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Employee,
        Self::Pipeline,
        Self::Discussion,
        Self::Webhook,
        Self::Cron,
        Self::Organization,
        Self::Config,
        Self::Tokens,
        Self::McpServers,
        Self::EmployeeSkill,
    ];

    /// The word it is asked for by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Employee => "employee",
            Self::Pipeline => "pipeline",
            Self::Discussion => "discussion",
            Self::Webhook => "webhook",
            Self::Cron => "cron",
            Self::Organization => "organization",
            Self::Config => "config",
            Self::Tokens => "tokens",
            Self::McpServers => "mcp-servers",
            Self::EmployeeSkill => "employee-skill",
        }
    }

    /// The kind that is called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The name of the file its schema is kept in.
    pub fn file_name(self) -> String {
        format!("{}.schema.json", self.as_str())
    }

    /// Its schema, in the draft that editors of YAML know best (draft 7).
    pub fn schema(self) -> Value {
        match self {
            Self::Employee => of::<employee::Employee>("Employee"),
            Self::Pipeline => of::<pipeline::Pipeline>("Pipeline"),
            Self::Discussion => of::<discussion::Discussion>("Discussion"),
            Self::Webhook => of::<settings::Webhook>("Webhook"),
            Self::Cron => of::<settings::Cron>("Schedules"),
            Self::Organization => of::<organization::Organization>("Organization"),
            Self::Config => of::<config::Config>("Configuration"),
            Self::Tokens => of::<tokens::Tokens>("Tokens"),
            Self::McpServers => of::<mcp_servers::McpServers>("MCP servers"),
            Self::EmployeeSkill => of::<skill::EmployeeSkill>("Employee skill"),
        }
    }
}

fn of<T: JsonSchema>(title: &str) -> Value {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
    // What tells a person which file this is comes first.
    let mut head = Map::new();
    for key in ["$schema", "title", "description"] {
        let value = schema.get(key).cloned().unwrap_or_default();
        head.insert(key.to_owned(), value);
    }
    head.insert("title".to_owned(), title.into());
    let Value::Object(rest) = schema.into() else { return Value::Object(head) };
    rest.into_iter().for_each(|(key, value)| {
        head.entry(key).or_insert(value);
    });
    Value::Object(head)
}
