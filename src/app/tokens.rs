//! The tokens of a server: the one token and the file of named ones. Files are read again when they change.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Environment, Origin, TokenError, config, project::told};
use crate::{
    base::{Secret, Tracker},
    defs::{self, Diagnostic, Proof, Scope, Source},
    tools::{Acts, Deed},
    web::{Access, Tokens},
};

/// A longer file holds no tokens.
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
    /// The one token cannot be read.
    #[error(transparent)]
    Single(#[from] TokenError),
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
    /// The file it was read from, if it is to follow that.
    pub(super) single_file: Option<PathBuf>,
    /// The file of named tokens.
    pub(super) file: Option<PathBuf>,
    /// Where `${NAME}` in it leads.
    pub(super) env: Environment,
}

impl TokenSources {
    /// What the environment says, and before it `flag`, the token itself, or `file`, which holds it; `named` is the file of
    /// named tokens.
    ///
    /// # Errors
    /// When two of them disagree, or `file` cannot be used.
    pub(super) fn settle(
        env: &Environment,
        flag: Option<&str>,
        file: Option<&Path>,
        named: Option<&Path>,
    ) -> Result<Self, TokenError> {
        let single = config::token(env, flag, file)?;
        let follows = matches!(single, Some((_, Origin::Flag("--token-file"))));
        Ok(Self {
            single: single.map(|(token, _)| token),
            single_file: file.filter(|_| follows).map(Path::to_owned),
            file: named.map(Path::to_owned).or_else(|| env.get("CREW_TOKENS_FILE").map(PathBuf::from)),
            env: env.clone(),
        })
    }

    /// A token that opens the server, if one is known here: of those that files name by their sums none is.
    pub(super) fn known(&self) -> Option<Secret> {
        let named = || {
            let path = self.file.as_deref()?;
            let source = Source::new(path.display().to_string(), read(path).ok()?);
            let tokens = defs::parse_tokens(&source).0?.tokens;
            tokens.into_iter().find_map(|token| match token.proof {
                Proof::Env(variable) => self.env.secret(&variable),
                Proof::Sha256(_) => None,
            })
        };
        self.single.clone().or_else(named)
    }

    /// Who may call: everybody, where no source is given.
    ///
    /// # Errors
    /// Why a file cannot be used.
    pub(super) fn access(&self) -> Result<Access, TokensError> {
        if self.single.is_none() && self.file.is_none() {
            return Ok(Access::open());
        }
        let texts = Texts { single: None, named: self.file.as_deref().map(read).transpose()? };
        Ok(Access::guarded(self.tokens(texts)?))
    }

    fn tokens(&self, texts: Texts) -> Result<Tokens, TokensError> {
        let mut tokens = Tokens::default();
        let read = match (&self.single_file, &texts.single) {
            (Some(path), Some(text)) => Some(config::token_in(path, text)?),
            _ => None,
        };
        if let Some(secret) = read.as_ref().or(self.single.as_ref()) {
            tokens.add(secret, "token", Scope::Admin);
        }
        let (Some(path), Some(text)) = (&self.file, texts.named) else { return Ok(tokens) };
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

    /// Until `tracker` stops, exchanges the tokens of `access` whenever a file has changed, and notes that among `acts`.
    /// A file that cannot be used changes nothing.
    pub(super) fn watch(self, access: Access, acts: Acts, tracker: &Tracker) {
        if self.single_file.is_none() && self.file.is_none() {
            return;
        }
        let stopping = tracker.stopping().clone();
        tracker.spawn(async move {
            // What was read at the start may have changed since.
            let mut known = None;
            loop {
                let now = self.texts().await;
                if known.as_ref() != Some(&now) {
                    self.exchange(&now, known.is_none(), &access, &acts).await;
                    known = Some(now);
                }
                tokio::select! {
                    biased;
                    () = stopping.cancelled() => return,
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                }
            }
        });
    }

    async fn exchange(&self, now: &Result<Texts, String>, is_first: bool, access: &Access, acts: &Acts) {
        let tokens = now.clone().and_then(|texts| self.tokens(texts).map_err(|error| error.to_string()));
        match tokens {
            Ok(tokens) if is_first => access.exchange(tokens),
            Ok(tokens) => {
                let count = tokens.len();
                access.exchange(tokens);
                tracing::info!(tokens = count, "the tokens were read again");
                let _ = acts.begin(Deed::ExchangeTokens, "", "").end(Ok::<(), ()>(())).await;
            }
            Err(error) => tracing::error!(error, "the tokens stay as they were"),
        }
    }

    /// What the files say now.
    async fn texts(&self) -> Result<Texts, String> {
        let (single, named) = (self.single_file.clone(), self.file.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let read = |path: Option<PathBuf>| path.as_deref().map(read).transpose();
            Ok::<_, TokensError>(Texts { single: read(single)?, named: read(named)? })
        });
        reading.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }
}

/// What the files say. Never shown: there are secrets in it.
#[derive(Clone, PartialEq, Eq)]
struct Texts {
    single: Option<String>,
    named: Option<String>,
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
