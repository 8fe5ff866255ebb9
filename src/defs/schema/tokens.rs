//! The shape of a file of tokens.

#![expect(dead_code, reason = "these types are never made, only their schemas")]

use schemars::JsonSchema;

use super::piece::Variable;
use crate::defs::Scope;

/// Who may call a server: the file named by `CREW_TOKENS_FILE` or `serve --tokens-file`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Tokens {
    /// Each with a name of its own.
    tokens: Option<Vec<Token>>,
}

/// One token: its `sha256`, or the variable it is in.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Token {
    /// Who holds it, as logs and records name them.
    #[schemars(regex(pattern = r"^\s*[A-Za-z0-9._@-]{1,64}\s*$"))]
    name: String,
    /// The SHA-256 of the token in hexadecimal digits: what `printf %s TOKEN | sha256sum` prints.
    #[schemars(regex(pattern = r"^\s*[0-9A-Fa-f]{64}\s*$"))]
    sha256: Option<String>,
    /// The variable that holds the token, as `${NAME}`.
    token: Option<Variable>,
    /// What it allows. Each scope includes those before it: `read`, `run`, `admin`.
    #[schemars(length(min = 1))]
    scopes: Vec<Scope>,
}
