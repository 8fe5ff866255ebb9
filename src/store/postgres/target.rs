//! Which database, and how it is spoken to.

use std::{fmt, path::PathBuf, time::Duration};

use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};

use super::PATIENCE;
use crate::base::text::chain;

/// The schema the tables are in, unless another is named.
const SCHEMA: &str = "crew";
/// The longest name PostgreSQL gives a schema.
const LONGEST_NAME: usize = 63;

/// A database, from an address such as `postgres://crew:secret@db.example/crew?sslmode=verify-full`. What is shown of it
/// has no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) config: Config,
    pub(super) trust: Trust,
    pub(super) schema: String,
}

/// Whose certificate is good enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trust {
    /// Anybody's: whoever would do without TLS is told nothing by a certificate.
    Anybody,
    /// One that the system trusts, for the name that is called.
    System,
    /// One of an authority in this file of PEM certificates, for the name that is called.
    File(PathBuf),
}

/// An address that means no database.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It begins in another way.
    #[error("it does not begin with `postgres://`")]
    Scheme,
    /// A part of it means nothing.
    #[error("{0}")]
    Invalid(String),
    /// There is no such way of using TLS.
    #[error("`sslmode={0}` is none of disable, prefer, require, verify-ca, verify-full")]
    Mode(String),
    /// It names no machine.
    #[error("it names no host")]
    NoHost,
    /// It names no database.
    #[error("it names no database")]
    NoDatabase,
    /// It is no name for a schema.
    #[error("`{0}` is no name of a schema: at most 63 of a-z, 0-9 and `_`, the first no digit")]
    Schema(String),
}

impl Target {
    /// Reads an address. With `sslmode` `prefer` (the usual) TLS is used if the server has it; with `require`, `verify-ca`
    /// or `verify-full` it must, with a certificate that the system trusts or that `sslrootcert` vouches for.
    ///
    /// # Errors
    /// What is wrong with it, in which no part of a password is told.
    pub fn parse(url: &str, schema: Option<&str>) -> Result<Self, TargetError> {
        let url = url.trim();
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(TargetError::Scheme);
        }
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut root, mut rest) = (None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "sslmode" => mode = Some(value),
                // Its value may be written with escapes.
                "sslrootcert" => {
                    let mut named = form_urlencoded::parse(pair.as_bytes());
                    root = named.next().map(|(_, path)| PathBuf::from(path.into_owned()));
                }
                _ => rest.push(pair),
            }
        }
        let plain = if rest.is_empty() { place.to_owned() } else { format!("{place}?{}", rest.join("&")) };
        // What the driver says names the part that is wrong, never what it holds.
        let invalid = |error: tokio_postgres::Error| TargetError::Invalid(chain(&error));
        let mut config: Config = plain.parse().map_err(invalid)?;
        let system = root.map_or(Trust::System, Trust::File);
        let (mode, trust) = match mode {
            Some("disable") => (SslMode::Disable, Trust::Anybody),
            None | Some("prefer") => (SslMode::Prefer, Trust::Anybody),
            Some("require" | "verify-ca" | "verify-full") => (SslMode::Require, system),
            Some(other) => return Err(TargetError::Mode(other.escape_debug().to_string())),
        };
        if config.get_hosts().is_empty() {
            return Err(TargetError::NoHost);
        }
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(TargetError::NoDatabase);
        }
        config.ssl_mode(mode).application_name("knowlyr-crew").connect_timeout(PATIENCE / 2);
        config.keepalives_idle(Duration::from_secs(30)).tcp_user_timeout(PATIENCE * 2);
        let schema = schema.map_or(SCHEMA, str::trim);
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins = schema.bytes().next().is_some_and(|first| !first.is_ascii_digit());
        if !begins || schema.len() > LONGEST_NAME || !schema.bytes().all(fits) {
            return Err(TargetError::Schema(schema.escape_debug().to_string()));
        }
        Ok(Self { config, trust, schema: schema.to_owned() })
    }

    /// The schema its tables are in.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// `statement` with the schema in place of each `{s}`.
    pub(super) fn sql(&self, statement: &str) -> String {
        statement.replace("{s}", &self.schema)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = self.config.get_ports();
        for (at, host) in self.config.get_hosts().iter().enumerate() {
            let separator = if at > 0 { "," } else { "" };
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(host) => write!(f, "{separator}{host}:{port}")?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{separator}{}", path.display())?,
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())?;
        if self.schema == SCHEMA { Ok(()) } else { write!(f, " (schema {})", self.schema) }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Result<(&str, SslMode, Trust), &str>) {
        let target = Target::parse(url, None);
        if let Ok(target) = &target {
            assert!(!format!("{target} {target:?}").contains("s3cret"));
        }
        let told = target.map(|it| (it.to_string(), it.config.get_ssl_mode(), it.trust));
        let expected = expected.map(|(place, mode, trust)| (place.to_owned(), mode, trust));
        assert_eq!(told.map_err(|error| error.to_string()), expected.map_err(str::to_owned), "{url}");
    }

    #[test]
    fn an_address_says_where_and_how() {
        use SslMode::{Disable, Prefer, Require};
        let file = Trust::File("/etc/ca.pem".into());
        check("postgres://crew:s3cret@db/crew", Ok(("db:5432/crew", Prefer, Trust::Anybody)));
        check(
            "postgresql://crew@10.0.0.1:6432/x?sslmode=disable",
            Ok(("10.0.0.1:6432/x", Disable, Trust::Anybody)),
        );
        check("postgres://db/x?sslmode=require", Ok(("db:5432/x", Require, Trust::System)));
        check(
            "postgres://db/x?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem",
            Ok(("db:5432/x", Require, file)),
        );
        check("postgres://a:1,b:2/x?options=-c%20work_mem=1MB", Ok(("a:1,b:2/x", Prefer, Trust::Anybody)));
    }

    #[test]
    fn what_is_no_address_is_told_without_its_password() {
        check("mysql://crew:s3cret@db/crew", Err("it does not begin with `postgres://`"));
        check(
            "postgres://crew:s3cret@db/crew?sslmode=maybe",
            Err("`sslmode=maybe` is none of disable, prefer, require, verify-ca, verify-full"),
        );
        check("postgres://crew:s3cret@db", Err("it names no database"));
        check("postgres:///crew", Err("it names no host"));
        let error = Target::parse("postgres://crew:s3cret@db:port/crew", None).unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
        for schema in ["", "1st", "drop table", "Crew", "a\"b", &"x".repeat(64)] {
            assert!(matches!(Target::parse("postgres://db/x", Some(schema)), Err(TargetError::Schema(_))));
        }
    }
}
