//! What a file defines, told by the keys on its top level.

use super::{
    diagnostic::Source,
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
}

impl FileKind {
    /// The keys that tell what a file is; the first that is there counts.
    const SIGNS: [(&'static str, Self); 12] = [
        ("steps", Self::Pipeline),
        ("participants", Self::Discussion),
        ("routes", Self::Webhook),
        ("github_secret", Self::Webhook),
        ("schedules", Self::Cron),
        ("teams", Self::Organization),
        ("authority", Self::Organization),
        ("routing_templates", Self::Organization),
        ("model_defaults", Self::Organization),
        ("providers", Self::Config),
        ("prices", Self::Config),
        ("default_model", Self::Config),
    ];

    /// What `source` defines, if that can be told.
    pub fn of(source: &Source) -> Option<Self> {
        let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
        let Value::Map(pairs) = yaml::parse(text, 0).ok()?.value else { return None };
        let has = |sign: &str| {
            pairs.iter().any(|(key, _)| matches!(&key.value, Value::Scalar { text, .. } if text == sign))
        };
        Self::SIGNS.iter().find(|(sign, _)| has(sign)).map(|(_, kind)| *kind)
    }
}
