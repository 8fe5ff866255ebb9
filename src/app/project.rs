//! `.crew/config.yaml`: what a project settles for itself.

use std::{io, path::Path, time::Duration};

use super::{Environment, SettingError};
use crate::{
    base::reach::Allowed,
    defs::{self, Config, Diagnostic, Dialect, OwnAlerts, OwnOutbound, OwnPrice, OwnProvider, Source},
    engine::Rules,
    llm::{Endpoint, Key, Price, Prices, Provider, Wire},
    tasks,
};

/// Where the file is, relative to the root of the project.
pub(super) const FILE: &str = ".crew/config.yaml";
/// A longer file is no list of settings.
const MOST_BYTES: u64 = 1 << 20;

/// Why the settings of a project cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is there and cannot be read.
    #[error("{FILE} cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It says something that means nothing.
    #[error("{}", .0.iter().map(told).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<Diagnostic>),
    /// The address of a database that cannot be used.
    #[error("{variable}: {reason}")]
    Database {
        /// The variable that holds it, or names the file that does.
        variable: &'static str,
        /// What is wrong with it, without any password.
        reason: String,
    },
    /// What the environment says of a service that cannot be meant.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A variable of the environment that cannot be meant.
    #[error("{name} is `{text}`; it must be {wanted}")]
    Variable {
        /// Its name.
        name: &'static str,
        /// What it holds.
        text: String,
        /// What it may hold.
        wanted: String,
    },
}

/// One line, and what to write instead.
pub(super) fn told(diagnostic: &Diagnostic) -> String {
    let help = diagnostic.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    format!("{diagnostic}{help}")
}

/// The settings of the project at `root`, those of nobody when it has none.
///
/// # Errors
/// When there are some and they cannot be used.
pub(super) fn config(root: &Path) -> Result<Config, ConfigError> {
    let path = root.join(FILE);
    let text = match std::fs::metadata(&path) {
        Ok(about) if about.len() > MOST_BYTES => {
            return Err(io::Error::other(format!("it is longer than {MOST_BYTES} bytes")).into());
        }
        Ok(_) => std::fs::read_to_string(&path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Config::default()),
        Err(error) => return Err(error.into()),
    };
    let (config, diagnostics) = defs::parse_config(&Source::new(FILE, text));
    config.ok_or(ConfigError::Invalid(diagnostics))
}

/// How work is queued and remembered in this project; kept nowhere yet.
pub(super) fn tasks(root: &Path, config: &Config) -> tasks::Options {
    let given = config.tasks;
    let usual = tasks::Options::default();
    let number = |given: Option<u32>, usual: usize| {
        given.map_or(usual, |given| usize::try_from(given).unwrap_or(usual))
    };
    tasks::Options {
        workers: number(given.workers, usual.workers),
        queue: number(given.queue, usual.queue),
        retain: number(given.retain_count, usual.retain),
        retain_for: given.retain_days.map(|days| Duration::from_hours(24 * u64::from(days))),
        retry: given.retry.map_or(usual.retry, |given| usual.retry.with(given.into())),
        retain_owed: number(given.retain_undelivered, usual.retain_owed),
        lanes: given.lanes.map(|width| tasks::Lanes::new(root, width)),
        ..usual
    }
}

/// What is watched of a server, and who is told.
pub(super) fn rules(own: OwnAlerts) -> Rules {
    let seconds = |given: Option<u32>| given.map(|seconds| Duration::from_secs(seconds.into()));
    Rules {
        notify: own.notify,
        p95: own.p95_seconds.map(Duration::from_secs_f64),
        error_rate: own.error_rate,
        queue_age: seconds(own.queue_age_seconds),
        cron_lag: seconds(own.cron_lag_seconds),
        window: Duration::from_mins(own.window_minutes.unwrap_or(10).into()),
        patience: seconds(own.for_seconds).unwrap_or(Duration::from_mins(1)),
    }
}

/// The providers that `config` adds, their keys from `env`.
pub(super) fn providers(config: &Config, env: &Environment) -> Vec<Provider> {
    config.providers.iter().map(|(name, own)| provider(name, own, env)).collect()
}

fn provider(name: &str, own: &OwnProvider, env: &Environment) -> Provider {
    let variable = own.api_key.as_deref().map(defs::variable_name);
    let key = variable.map_or(Key::None, |variable| Key::Needed {
        from: variable.to_owned(),
        secret: env.secret(variable),
    });
    let wire = match own.wire {
        Dialect::Openai => Wire::OpenAi,
        Dialect::OpenaiResponses => Wire::OpenAiResponses,
        Dialect::Anthropic => Wire::Anthropic,
        Dialect::Gemini => Wire::Gemini,
    };
    let base_url_from = format!("`providers.{name}.base_url` of {FILE}");
    let endpoint = Endpoint { wire, base_url: own.base_url.clone(), base_url_from, key };
    let mut provider = Provider::own(name, own.models.clone(), endpoint);
    provider.max_concurrent = own.max_concurrent.map(count);
    provider
}

fn count(calls: u32) -> usize {
    usize::try_from(calls).unwrap_or(usize::MAX)
}

/// Sets how many calls at a time the known providers are sent in this project.
pub(super) fn limit(config: &Config, known: &mut [Provider]) {
    for provider in known {
        provider.max_concurrent = config.limits.get(&*provider.id).copied().map(count);
    }
}

/// What the project has for all providers in place of `usual`.
pub(super) fn max_concurrent(config: &Config, usual: usize) -> usize {
    config.max_concurrent.map_or(usual, count)
}

/// Where requests may go besides where everyone can.
pub(super) fn allowed(outbound: &OwnOutbound) -> Vec<Allowed> {
    // The parser has refused what is none.
    outbound.allow.iter().filter_map(|place| Allowed::parse(place).ok()).collect()
}

/// What models cost in this project.
pub(super) fn prices(config: &Config) -> Prices {
    let price = |(name, own): (&String, &OwnPrice)| {
        let cached_input = own.cached_input.unwrap_or(own.input);
        (name.clone(), Price { input: own.input, cached_input, output: own.output })
    };
    Prices::new(config.prices.iter().map(price).collect())
}
