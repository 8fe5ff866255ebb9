//! Who may call a server: tokens, by the names of those who hold them.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    SecretRef, codes,
    diagnostic::{Diagnostic, Source},
    reader::{self, Fields, Text, Unknown},
    report::Report,
    webhook::secret,
    yaml::{Node, Value},
};

/// A file of tokens.
#[derive(Debug, Clone, Default)]
pub struct TokensConfig {
    /// Each with a name of its own.
    pub tokens: Vec<NamedToken>,
}

/// One token.
#[derive(Debug, Clone)]
pub struct NamedToken {
    /// Who holds it, as logs and records name them.
    pub name: String,
    /// How it is recognised.
    pub proof: Proof,
    /// What it allows.
    pub scope: Scope,
}

/// How a token is recognised without being written in the file.
#[derive(Debug, Clone)]
pub enum Proof {
    /// By its SHA-256.
    Sha256([u8; 32]),
    /// It is in this environment variable.
    Env(String),
}

/// What somebody may do. Each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look at everything.
    Read,
    /// Start and stop work.
    Run,
    /// Decide what waits for an approval, and change definitions.
    Admin,
}

impl Scope {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Run => "run",
            Self::Admin => "admin",
        }
    }
}

const SCOPES: [(&str, Scope); 3] = [("read", Scope::Read), ("run", Scope::Run), ("admin", Scope::Admin)];

/// Callers that are known by these names hold no token of a file.
const TAKEN: [&str; 7] = ["anonymous", "token", "stdio", "http", "cli", "cron", "github"];

/// Reads a file of tokens. A key without meaning is an error: a misspelt one must not open a door.
pub fn parse_tokens(source: &Source) -> (Option<TokensConfig>, Vec<Diagnostic>) {
    let mut report = Report::new(source);
    let config = reader::document(source, &mut report).and_then(|node| config(&node, &mut report));
    let usable = !report.has_errors();
    (config.filter(|_| usable), report.finish())
}

fn config(node: &Node, report: &mut Report<'_>) -> Option<TokensConfig> {
    if node.value == Value::Null {
        return Some(TokensConfig::default());
    }
    let mut fields = Fields::of(node, "a file of tokens", report)?;
    let mut names: Vec<Text> = Vec::new();
    let mut tokens = Vec::new();
    for node in fields.list("tokens", report) {
        tokens.extend(token(node, &mut names, report));
    }
    fields.finish(Unknown::Refused, &["$schema"], report);
    Some(TokensConfig { tokens })
}

fn token(node: &Node, names: &mut Vec<Text>, report: &mut Report<'_>) -> Option<NamedToken> {
    let mut fields = Fields::of(node, "a token", report)?;
    let name = fields.required_text("name", report).and_then(|name| named(name, names, report));
    let (hash, written) = (fields.text("sha256", report), fields.get("token"));
    let proof = match (hash, written) {
        (Some(text), None) => sha256(&text, report),
        (None, Some(node)) => variable(node, report),
        (Some(_), Some(_)) => {
            report
                .error(codes::INVALID_VALUE, fields.place(), "a token has `sha256` or `token`, not both")
                .help("`sha256` is enough");
            None
        }
        (None, None) => {
            report
                .error(codes::MISSING_FIELD, fields.place(), "a token needs `sha256` or `token`")
                .help("write `sha256:` and what `printf %s TOKEN | sha256sum` prints, or `token: ${NAME}`");
            None
        }
    };
    let scopes: Vec<Option<Scope>> =
        fields.texts("scopes", report).iter().map(|text| scope(text, report)).collect();
    if scopes.is_empty() {
        report
            .error(codes::MISSING_FIELD, fields.place(), "a token needs `scopes`")
            .help("write `scopes: [read]`, `[run]` or `[admin]`; each includes those before it");
    }
    fields.finish(Unknown::Refused, &[], report);
    let scope = scopes.into_iter().collect::<Option<Vec<_>>>()?.into_iter().max()?;
    Some(NamedToken { name: name?, proof: proof?, scope })
}

/// A name that logs can show as it is, unlike all others.
fn named(name: Text, names: &mut Vec<Text>, report: &mut Report<'_>) -> Option<String> {
    let word = name.value.trim().to_owned();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@');
    if word.len() > 64 || !word.bytes().all(fits) {
        report
            .error(
                codes::INVALID_NAME,
                name.span,
                "a token has a name of at most 64 letters, digits and `-_.@`",
            )
            .help("write who holds it, as in `name: ci`");
        return None;
    }
    if TAKEN.contains(&word.as_str()) {
        let message = format!("`{word}` stands for those without a token of their own");
        report.error(codes::INVALID_NAME, name.span, message);
        return None;
    }
    if let Some(other) = names.iter().find(|other| other.value.trim() == word) {
        let draft =
            report.error(codes::DUPLICATE_TOKEN, name.span, format!("two tokens are called `{word}`"));
        draft.also(other.span, "the other");
        return None;
    }
    names.push(name);
    Some(word)
}

fn sha256(text: &Text, report: &mut Report<'_>) -> Option<Proof> {
    let mut hash = [0; 32];
    if hex::decode_to_slice(text.value.trim(), &mut hash).is_ok() {
        return Some(Proof::Sha256(hash));
    }
    // The line may hold the token itself.
    report
        .error_in_file(codes::INVALID_SECRET, "a `sha256` is 64 hexadecimal digits")
        .help("write what `printf %s TOKEN | sha256sum` prints");
    None
}

fn variable(node: &Node, report: &mut Report<'_>) -> Option<Proof> {
    match secret(node, "token", report)? {
        SecretRef::Env(name) => Some(Proof::Env(name)),
        SecretRef::Literal(_) => {
            report
                .error_in_file(codes::SECRET_IN_CLEAR, "a token is written out")
                .help("write its `sha256`, or `token: ${NAME}` to take it from an environment variable");
            None
        }
    }
}

fn scope(text: &Text, report: &mut Report<'_>) -> Option<Scope> {
    let word = text.value.trim();
    let found = SCOPES.iter().find(|(known, _)| *known == word).map(|(_, scope)| *scope);
    if found.is_none() {
        let message = format!("there is no scope `{}`", word.escape_debug());
        let known = SCOPES.iter().map(|(word, _)| *word);
        report.error(codes::INVALID_VALUE, text.span, message).suggest(word, known);
    }
    found
}
