//! What the environment says, read once and handed on as values.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    database,
    embedder::Embeds,
    identity,
    post::Post,
    project::{self, ConfigError},
    settling::{Origin, Place, Settling},
};
use crate::{
    base::{Secret, reach::Allowed},
    defs::{Config, OwnServing},
    engine::{self, Identities, Models, Still, memory, records::Retention},
    llm::{self, Provider, Providers},
    tasks,
};

/// The model of employees that name none, unless the environment or the project says otherwise.
const DEFAULT_MODEL: &str = "claude-sonnet-4-5";

/// The variables of the process, taken once at start, so that nothing else depends on hidden state.
#[derive(Debug, Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// The variables this process was started with; those that are not UTF-8 are left out.
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// A variable that is set and not blank.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// The values of all variables whose names say that they are secret.
    pub fn secrets(&self) -> impl Iterator<Item = Secret> {
        let is_secret = |name: &str| {
            let name = name.to_ascii_uppercase();
            ["_KEY", "_TOKEN", "_SECRET", "_PASS", "_PASSWORD", "_DATABASE_URL"]
                .iter()
                .any(|end| name.ends_with(end))
        };
        self.0.iter().filter(move |(name, _)| is_secret(name)).filter_map(|(_, value)| Secret::new(value))
    }

    /// The same as a secret.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.get(name).and_then(Secret::new)
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// What the environment and the project settle for every command.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the models are, with which keys, and what they cost.
    pub llm: llm::Settings,
    /// The models of employees that settle nothing themselves.
    pub models: Models,
    /// Where on the network requests may go besides where everyone can.
    pub outbound: Vec<Allowed>,
    /// How results are sent.
    pub post: Post,
    /// How work is queued and remembered.
    pub tasks: tasks::Options,
    /// How memories of employees are kept.
    pub memory: memory::Settings,
    /// For how long records are kept.
    pub records: Retention,
    /// What turns memories into vectors, if anything does.
    pub embedder: Option<Embeds>,
    /// When a server that does badly says so itself.
    pub alerts: Option<engine::Rules>,
    /// What the project says of how much a server takes of whom.
    pub serving: OwnServing,
    /// The moment that all work is done at; that of the clock when absent.
    pub still: Option<Still>,
    /// Where the employees are that a person has in every project.
    pub user_employees: Option<PathBuf>,
    /// Who tells who agents are, if anybody does.
    pub identities: Option<Arc<Identities>>,
}

impl Settings {
    /// Reads the provider keys and base URLs, `CREW_DEFAULT_MODEL` and `CREW_FALLBACK_MODEL`, and behind them the
    /// `.crew/config.yaml` of the project at `root`.
    ///
    /// # Errors
    /// When that file cannot be used.
    pub fn read(env: &Environment, root: &Path) -> Result<Self, ConfigError> {
        let mut settings =
            Self::with(&mut Settling::new(env), root, project::config(root)?, Post::read(env)?);
        settings.tasks.sharing = database::sharing(env)?;
        settings.identities = identity::settle(&mut Settling::new(env))?;
        Ok(settings)
    }

    /// The same for what asks no model: a file that cannot be used counts as not there. What is wrong with it is among
    /// the findings of the project.
    pub fn read_or_default(env: &Environment, root: &Path) -> Self {
        let config = project::config(root).unwrap_or_default();
        let settings = Self::with(&mut Settling::new(env), root, config, Post::read_or_default(env));
        let identities = identity::settle(&mut Settling::new(env)).unwrap_or_default();
        Self { identities, ..settings }
    }

    pub(super) fn with(settling: &mut Settling<'_>, root: &Path, config: Config, post: Post) -> Self {
        let env = settling.env;
        let mut known = Provider::known(|name| env.get(name).map(str::to_owned));
        project::limit(&config, &mut known);
        let providers = Providers::new(project::providers(&config, env), known);
        let prices = project::prices(&config);
        let tasks = project::tasks(root, &config);
        let usual = llm::Settings::default();
        let place = |key, variable| Place { section: "", key, flag: "", variable };
        let default = settling.text_or(
            place("default_model", "CREW_DEFAULT_MODEL"),
            config.default_model.clone(),
            DEFAULT_MODEL,
        );
        let fallback =
            settling.text(place("fallback_model", "CREW_FALLBACK_MODEL"), config.fallback_model.clone());
        let keys = env.clone();
        Self {
            llm: llm::Settings {
                providers,
                prices,
                max_concurrent: project::max_concurrent(&config, usual.max_concurrent),
                ..usual
            },
            models: Models {
                default,
                fallback,
                variable: Arc::new(move |name| keys.secret(name).filter(|_| !is_own(name))),
            },
            outbound: project::allowed(&config.outbound),
            post,
            tasks,
            memory: memory::Settings::read(root, &config.memory),
            records: config.records.into(),
            embedder: config.memory.embedder.as_ref().map(|own| Embeds::read(own, env, root)),
            alerts: config.alerts.map(project::rules),
            serving: config.serve,
            still: None,
            user_employees: user_employees(env),
            identities: None,
        }
    }
}

/// Whether a variable holds a secret of crew itself, which no model and no definition has a use for.
pub(super) fn is_own(variable: &str) -> bool {
    ["CREW_", "KNOWLYR_", "AGENT_API_", "GITHUB_WEBHOOK_", "SMTP_"]
        .iter()
        .any(|own| variable.starts_with(own))
}

/// `$XDG_CONFIG_HOME/crew/employees`, or the same below `~/.config`. A path that is not absolute counts as not given, as
/// the rules for these folders say.
fn user_employees(env: &Environment) -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let configured = env.get("XDG_CONFIG_HOME").map(PathBuf::from).and_then(absolute);
    let home = || env.get("HOME").map(|home| Path::new(home).join(".config")).and_then(absolute);
    Some(configured.or_else(home)?.join("crew/employees"))
}

/// Why the bearer token cannot be settled.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Two places disagree; guessing could leave a door open.
    #[error("{first} and {second} are both set and differ; keep one")]
    Ambiguous {
        /// One place.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// The file cannot be read or holds nothing.
    #[error("token file `{path}`: {reason}")]
    File {
        /// Its path.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Settles the bearer token and who said it: the flag, else the file, else `CREW_API_TOKEN` or its alias `KNOWLYR_CREW_API_TOKEN`.
///
/// # Errors
/// When two of them disagree, or the file cannot be used.
pub(super) fn token(
    env: &Environment,
    flag: Option<&str>,
    file: Option<&Path>,
) -> Result<Option<(Secret, Origin)>, TokenError> {
    let from_file = file.map(read_token).transpose()?;
    let places = [
        ("--token", flag.and_then(Secret::new)),
        ("--token-file", from_file),
        ("CREW_API_TOKEN", env.secret("CREW_API_TOKEN")),
        ("KNOWLYR_CREW_API_TOKEN", env.secret("KNOWLYR_CREW_API_TOKEN")),
    ];
    // A flag is said on purpose and beats the environment; within one kind, two that differ are a mistake.
    for pair in [[0, 1], [2, 3]] {
        let mut said = pair.into_iter().filter_map(|at| {
            let (name, secret) = places.get(at)?;
            Some((*name, secret.as_ref()?))
        });
        match (said.next(), said.next()) {
            (Some((first, a)), Some((second, b))) if !a.matches(b.expose().as_bytes()) => {
                return Err(TokenError::Ambiguous { first, second });
            }
            (Some((name, secret)), _) => {
                let is_flag = name.starts_with('-');
                let origin = if is_flag { Origin::Flag(name) } else { Origin::Variable(name.to_owned()) };
                return Ok(Some((secret.clone(), origin)));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn read_token(path: &Path) -> Result<Secret, TokenError> {
    let error = |reason: String| TokenError::File { path: path.display().to_string(), reason };
    let text = std::fs::read_to_string(path).map_err(|cause| error(cause.to_string()))?;
    token_in(path, &text)
}

/// The token that the file at `path` holds, which says `text`.
///
/// # Errors
/// When it holds none.
pub(super) fn token_in(path: &Path, text: &str) -> Result<Secret, TokenError> {
    let error =
        || TokenError::File { path: path.display().to_string(), reason: "it holds no token".to_owned() };
    Secret::new(text).ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(env: &Environment, flag: Option<&str>, expected: Result<Option<&str>, &str>) {
        let settled = token(env, flag, None);
        let shown = settled.map(|token| token.map(|(token, _)| token.expose().to_owned()));
        assert_eq!(
            shown.as_ref().map(Option::as_deref).map_err(ToString::to_string),
            expected.map_err(str::to_owned)
        );
    }

    #[test]
    fn the_known_providers_are_known_to_the_settings_too() {
        assert!(Provider::known_ids().eq(crate::defs::KNOWN_PROVIDERS));
    }

    #[test]
    fn calls_at_a_time_are_settled_for_all_and_for_each() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".crew")).unwrap();
        let text = "max_concurrent: 8\nproviders:\n  anthropic: {max_concurrent: 2}\n  own: {base_url: http://x/v1, models: [own-], max_concurrent: 3}\n";
        std::fs::write(folder.path().join(".crew/config.yaml"), text).unwrap();
        let settings = Settings::read(&Environment::default(), folder.path()).unwrap().llm;
        let of = |model: &str| settings.providers.of(model).unwrap().max_concurrent;
        assert_eq!(
            (settings.max_concurrent, of("claude-x"), of("gpt-4o"), of("own-1")),
            (8, Some(2), None, Some(3))
        );
        assert!(settings.providers.of("claude-x").unwrap().endpoint.is_some(), "it is where it was");
    }

    #[test]
    fn both_names_of_the_token_are_known() {
        check(&Environment::default(), None, Ok(None));
        check(&[("CREW_API_TOKEN", "a")].into(), None, Ok(Some("a")));
        check(&[("KNOWLYR_CREW_API_TOKEN", "b")].into(), None, Ok(Some("b")));
        check(&[("CREW_API_TOKEN", "a"), ("KNOWLYR_CREW_API_TOKEN", "a")].into(), None, Ok(Some("a")));
        check(&[("CREW_API_TOKEN", "a")].into(), Some("c"), Ok(Some("c")));
    }

    #[test]
    fn two_that_differ_are_refused() {
        check(
            &[("CREW_API_TOKEN", "a"), ("KNOWLYR_CREW_API_TOKEN", "b")].into(),
            None,
            Err("CREW_API_TOKEN and KNOWLYR_CREW_API_TOKEN are both set and differ; keep one"),
        );
    }

    #[test]
    fn a_token_file_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "s3cret\n").unwrap();
        let (settled, origin) = token(&Environment::default(), None, Some(&path)).unwrap().unwrap();
        assert_eq!((settled.expose(), origin), ("s3cret", Origin::Flag("--token-file")));
        std::fs::write(&path, "\n").unwrap();
        assert!(token(&Environment::default(), None, Some(&path)).is_err());
    }
}
