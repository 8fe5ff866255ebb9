//! What the environment says of deliveries.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{Environment, config::is_own, project::ConfigError};
use crate::engine::{
    Variable,
    delivery::{Courier, Github, Mail, MailFault, MailParts, Patience},
    outbound::Outbound,
};

/// Where GitHub is, unless the environment says otherwise.
const GITHUB: &str = "https://api.github.com";

/// How results are sent.
#[derive(Debug, Clone)]
pub struct Post {
    env: Environment,
    /// How often and how long each is tried.
    pub(super) patience: Patience,
}

impl Post {
    /// Reads `CREW_DELIVERY__ATTEMPTS`, `CREW_DELIVERY__RETRY_SECONDS` and `CREW_DELIVERY__MAX_AGE_HOURS`.
    ///
    /// # Errors
    /// When one of them is no such number.
    pub(super) fn read(env: &Environment) -> Result<Self, ConfigError> {
        let mut patience = Patience::default();
        if let Some(attempts) = number(env, "CREW_DELIVERY__ATTEMPTS", 1.0, 100.0)? {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is from 1 to 100"
            )]
            {
                patience.attempts = attempts as u32;
            }
        }
        if let Some(seconds) = number(env, "CREW_DELIVERY__RETRY_SECONDS", 0.01, 3600.0)? {
            patience.first = Duration::from_secs_f64(seconds);
        }
        if let Some(hours) = number(env, "CREW_DELIVERY__MAX_AGE_HOURS", 0.01, 720.0)? {
            patience.age = Duration::from_secs_f64(hours * 3600.0);
        }
        Ok(Self { env: env.clone(), patience })
    }

    /// The same where what cannot be read counts as not given.
    pub(super) fn read_or_default(env: &Environment) -> Self {
        Self::read(env).unwrap_or_else(|_| Self { env: env.clone(), patience: Patience::default() })
    }

    /// How mail is sent.
    ///
    /// # Errors
    /// Why none is.
    pub(super) fn mail(&self) -> Result<Mail, MailFault> {
        let text = |name: &str| self.env.get(name).map(str::to_owned);
        Mail::read(MailParts {
            host: text("SMTP_HOST"),
            port: text("SMTP_PORT"),
            user: text("SMTP_USER"),
            pass: self.env.secret("SMTP_PASS"),
            from: text("SMTP_FROM"),
            ca_file: text("SMTP_CA_FILE").map(PathBuf::from),
            tls: text("SMTP_TLS"),
        })
    }

    /// Whoever sends, on the way `outbound`.
    pub(super) fn courier(&self, outbound: Outbound) -> Courier {
        let mail = self.mail();
        let github = Github {
            api_url: self.env.get("GITHUB_API_URL").unwrap_or(GITHUB).to_owned(),
            token: self.env.secret("GITHUB_TOKEN"),
        };
        Courier { outbound, variable: self.variable(), mail, github }
    }

    /// What deliveries may name: nothing of crew's own, and not the token of GitHub, which goes to GitHub alone.
    fn variable(&self) -> Variable {
        let env = self.env.clone();
        let hidden = |name: &str| is_own(name) || matches!(name, "GITHUB_TOKEN" | "GH_TOKEN");
        Arc::new(move |name| env.secret(name).filter(|_| !hidden(name)))
    }
}

fn number(env: &Environment, name: &'static str, least: f64, most: f64) -> Result<Option<f64>, ConfigError> {
    let Some(text) = env.get(name) else { return Ok(None) };
    let number = text.trim().parse::<f64>().ok().filter(|number| (least..=most).contains(number));
    number.map(Some).ok_or_else(|| ConfigError::Variable {
        name,
        text: text.trim().escape_debug().to_string(),
        wanted: format!("a number from {least} to {most}"),
    })
}
