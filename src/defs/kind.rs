//! What a file defines, told by the keys on its top level, else by its name.

use super::{
    config::parse_config,
    cron::parse_cron,
    diagnostic::{Diagnostic, Source},
    discussion::parse_discussion,
    mcp_servers::parse_mcp_servers,
    organization::parse_organization,
    pipeline::parse_pipeline,
    skill::parse_employee_skill,
    tokens::parse_tokens,
    webhook::parse_webhook,
    yaml::{self, Value},
};

/// What a file of YAML defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A pipeline.
    Pipeline,
    /// A discussion.
    Discussion,
    /// `webhook.yaml`.
    Webhook,
    /// `cron.yaml`.
    Cron,
    /// `organization.yaml`.
    Organization,
    /// `.crew/config.yaml`.
    Config,
    /// A file of tokens.
    Tokens,
    /// `.crew/mcp_servers.yaml`.
    McpServers,
    /// A file of `.crew/skills`.
    EmployeeSkill,
}

impl FileKind {
    /// The keys that tell what a file is; the first that is there counts.
    const SIGNS: [(&'static str, Self); 17] = [
        ("steps", Self::Pipeline),
        ("participants", Self::Discussion),
        ("routes", Self::Webhook),
        ("github_secret", Self::Webhook),
        ("schedules", Self::Cron),
        ("teams", Self::Organization),
        ("authority", Self::Organization),
        ("routing_templates", Self::Organization),
        ("model_defaults", Self::Organization),
        ("tokens", Self::Tokens),
        ("providers", Self::Config),
        ("prices", Self::Config),
        ("destinations", Self::Config),
        ("default_model", Self::Config),
        ("fallback_model", Self::Config),
        ("servers", Self::McpServers),
        ("trigger", Self::EmployeeSkill),
    ];

    /// Names of files that tell it where the keys do not.
    const NAMES: [(&'static str, Self); 6] = [
        ("webhook.yaml", Self::Webhook),
        ("cron.yaml", Self::Cron),
        ("organization.yaml", Self::Organization),
        ("config.yaml", Self::Config),
        ("tokens.yaml", Self::Tokens),
        ("mcp_servers.yaml", Self::McpServers),
    ];

    /// What `source` defines, if its keys or else its name tell that.
    pub fn of(source: &Source) -> Option<Self> {
        let file = source.name.rsplit('/').next().unwrap_or_default();
        let named = || Self::NAMES.iter().find(|(name, _)| *name == file).map(|(_, kind)| *kind);
        Self::of_keys(source).or_else(named)
    }

    fn of_keys(source: &Source) -> Option<Self> {
        let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
        let Value::Map(pairs) = yaml::parse(text, 0).ok()?.value else { return None };
        let has = |sign: &str| {
            pairs.iter().any(|(key, _)| matches!(&key.value, Value::Scalar { text, .. } if text == sign))
        };
        Self::SIGNS.iter().find(|(sign, _)| has(sign)).map(|(_, kind)| *kind)
    }

    /// Reads `source` as one of this kind, named after `stem` where it names itself in no other way: whether it can be
    /// used, and what is to be said about it.
    pub fn validate(self, source: &Source, stem: &str) -> (bool, Vec<Diagnostic>) {
        fn told<T>((found, told): (Option<T>, Vec<Diagnostic>)) -> (bool, Vec<Diagnostic>) {
            (found.is_some(), told)
        }
        match self {
            Self::Pipeline => told(parse_pipeline(source, stem)),
            Self::Discussion => told(parse_discussion(source, stem)),
            Self::Webhook => told(parse_webhook(source)),
            Self::Cron => told(parse_cron(source)),
            Self::Organization => told(parse_organization(source)),
            Self::Config => told(parse_config(source)),
            Self::Tokens => told(parse_tokens(source)),
            Self::McpServers => told(parse_mcp_servers(source)),
            Self::EmployeeSkill => told(parse_employee_skill(source, stem)),
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
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
}
