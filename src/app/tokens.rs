//! The tokens of a server: the one token, and the file of named ones, which is read again when it changes.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Environment, project::told};
use crate::{
    base::{Secret, Tracker},
    defs::{self, Diagnostic, Proof, Scope, Source},
    web::{Access, Tokens},
};

/// A longer file is no list of tokens.
const MOST_BYTES: u64 = 1 << 20;
/// How soon a changed file counts.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Why a file of tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It cannot be read.
    #[error("tokens file `{path}`: {reason}")]
    Unreadable {
        /// Its path.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It says something that means nothing.
    #[error("{}", .0.iter().map(told).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<Diagnostic>),
    /// A variable that it names is not set.
    #[error("tokens file `{path}`: `{name}` is to have the token in {variable}, which is not set")]
    Unset {
        /// Its path.
        path: String,
        /// Who is to have the token.
        name: String,
        /// Where it was to be.
        variable: String,
    },
}

/// Where tokens come from.
pub(super) struct TokenSources {
    /// The one token, whose holder may do everything.
    pub(super) single: Option<Secret>,
    /// The file of named tokens.
    pub(super) file: Option<PathBuf>,
    /// Where `${NAME}` in it leads.
    pub(super) env: Environment,
}

impl TokenSources {
    /// Who may call: everybody, where no source is given.
    ///
    /// # Errors
    /// Why the file cannot be used.
    pub(super) fn access(&self) -> Result<Access, TokensError> {
        let Some(path) = &self.file else {
            return Ok(if self.single.is_some() {
                Access::guarded(self.tokens(None)?)
            } else {
                Access::open()
            });
        };
        Ok(Access::guarded(self.tokens(Some((path, read(path)?)))?))
    }

    fn tokens(&self, file: Option<(&Path, String)>) -> Result<Tokens, TokensError> {
        let mut tokens = Tokens::default();
        if let Some(secret) = &self.single {
            tokens.add(secret, "token", Scope::Admin);
        }
        let Some((path, text)) = file else { return Ok(tokens) };
        let shown = path.display().to_string();
        let (config, diagnostics) = defs::parse_tokens(&Source::new(&*shown, text));
        for token in config.ok_or(TokensError::Invalid(diagnostics))?.tokens {
            match token.proof {
                Proof::Sha256(hash) => tokens.add_sha256(hash, &token.name, token.scope),
                Proof::Env(variable) => match self.env.secret(&variable) {
                    Some(secret) => tokens.add(&secret, &token.name, token.scope),
                    None => return Err(TokensError::Unset { path: shown, name: token.name, variable }),
                },
            }
        }
        Ok(tokens)
    }

    /// Until `tracker` stops, exchanges the tokens of `access` whenever the file has changed. One that cannot be used
    /// changes nothing.
    pub(super) fn watch(self, access: Access, tracker: &Tracker) {
        let Some(path) = self.file.clone() else { return };
        let stopping = tracker.stopping().clone();
        tracker.spawn(async move {
            let mut known = read_aside(&path).await.ok();
            loop {
                tokio::select! {
                    biased;
                    () = stopping.cancelled() => return,
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                }
                let now = read_aside(&path).await;
                if known.as_ref() == now.as_ref().ok() {
                    continue;
                }
                known = now.as_ref().ok().cloned();
                match now.and_then(|text| self.tokens(Some((&path, text)))) {
                    Ok(tokens) => {
                        tracing::info!(tokens = tokens.len(), "the tokens were read again");
                        access.exchange(tokens);
                    }
                    Err(error) => tracing::error!(%error, "the tokens stay as they were"),
                }
            }
        });
    }
}

/// The text of the file.
fn read(path: &Path) -> Result<String, TokensError> {
    let error = |reason: String| TokensError::Unreadable { path: path.display().to_string(), reason };
    let about = std::fs::metadata(path).map_err(|cause| error(cause.to_string()))?;
    if about.len() > MOST_BYTES {
        return Err(error(format!("it is longer than {MOST_BYTES} bytes")));
    }
    std::fs::read_to_string(path).map_err(|cause| error(cause.to_string()))
}

/// The same where it may wait for the disk.
async fn read_aside(path: &Path) -> Result<String, TokensError> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || read(&owned)).await;
    read.unwrap_or_else(|error| {
        Err(TokensError::Unreadable { path: path.display().to_string(), reason: error.to_string() })
    })
}
