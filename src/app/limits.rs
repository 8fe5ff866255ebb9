//! How much a server accepts of whom, from flags and the environment.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

use super::{Environment, http::Bounds};
use crate::web::{self, Limits, Proxies};

/// What the command line says about limits; what it does not say, the environment does, else nobody.
#[derive(Debug, Clone, Default)]
pub struct Limiting {
    /// Requests of one address in a minute; 0 for any number.
    pub rate_limit: Option<u32>,
    /// Proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<String>,
    /// Origins whose pages may call.
    pub cors_origins: Vec<String>,
    /// Most bytes of a body.
    pub max_body_bytes: Option<usize>,
}

/// A setting that means nothing.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct LimitError {
    place: String,
    reason: String,
}

/// A variable and what it may be.
struct Setting<'e> {
    name: &'static str,
    value: Option<&'e str>,
}

impl<'e> Setting<'e> {
    fn of(env: &'e Environment, name: &'static str) -> Self {
        Self { name, value: env.get(name).map(str::trim) }
    }

    /// The number, from `least` to `most`.
    fn number<T: FromStr + PartialOrd + fmt::Display + Copy>(
        &self,
        least: T,
        most: T,
    ) -> Result<Option<T>, LimitError> {
        let Some(value) = self.value else { return Ok(None) };
        let number = value.parse().ok().filter(|number| (least..=most).contains(number));
        let error = || LimitError {
            place: self.name.to_owned(),
            reason: format!("`{}` is no number from {least} to {most}", value.escape_debug()),
        };
        number.map(Some).ok_or_else(error)
    }

    /// What commas part.
    fn list(&self) -> Vec<String> {
        let parts = self.value.unwrap_or_default().split([',', ' ']);
        parts.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }
}

impl Limiting {
    /// The limits of the bridge and of connections.
    ///
    /// # Errors
    /// The first setting that means nothing.
    pub(super) fn settle(self, env: &Environment) -> Result<(Limits, Bounds), LimitError> {
        let (known, bounds) = (Limits::default(), Bounds::default());
        let per_minute = |given: Option<u32>, otherwise| match given {
            Some(number) => NonZeroU32::new(number),
            None => otherwise,
        };
        let setting = |name| Setting::of(env, name);
        let rate = match self.rate_limit {
            Some(rate) => Some(rate),
            None => setting("CREW_RATE_LIMIT_PER_MINUTE").number(0, 1_000_000)?,
        };
        let deliveries = setting("CREW_WEBHOOK_RATE_LIMIT_PER_MINUTE").number(0, 1_000_000)?;
        let body = match self.max_body_bytes {
            Some(bytes) => Some(bytes),
            None => setting("CREW_MAX_BODY_BYTES").number(1_024, 1 << 30)?,
        };
        let seconds = setting("CREW_REQUEST_TIMEOUT_SECONDS").number(1_u64, 86_400)?;
        let given = |flags: Vec<String>, name| if flags.is_empty() { setting(name).list() } else { flags };
        let cors_origins = given(self.cors_origins, "CREW_CORS_ORIGINS");
        for origin in &cors_origins {
            web::check_origin(origin).map_err(|reason| LimitError { place: "origins".to_owned(), reason })?;
        }
        let proxies = Proxies::new(given(self.trusted_proxies, "CREW_TRUSTED_PROXIES"));
        let proxies = proxies
            .map_err(|error| LimitError { place: "trusted proxies".to_owned(), reason: error.to_string() })?;
        let limits = Limits {
            requests_per_minute: per_minute(rate, known.requests_per_minute),
            deliveries_per_minute: per_minute(deliveries, known.deliveries_per_minute),
            proxies,
            body_bytes: body.unwrap_or(known.body_bytes),
            request_time: seconds.map_or(known.request_time, Duration::from_secs),
            requests: setting("CREW_MAX_REQUESTS").number(1, 100_000)?.unwrap_or(known.requests),
            cors_origins,
            ..known
        };
        let connections = setting("CREW_MAX_CONNECTIONS").number(1, 1_000_000)?;
        let head = setting("CREW_HEADER_TIMEOUT_SECONDS").number(1_u64, 3_600)?;
        let bounds = Bounds {
            connections: connections.unwrap_or(bounds.connections),
            head_time: head.map_or(bounds.head_time, Duration::from_secs),
            ..bounds
        };
        Ok((limits, bounds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_go_before_the_environment() {
        let env = [
            ("CREW_RATE_LIMIT_PER_MINUTE", "7"),
            ("CREW_CORS_ORIGINS", "https://a.example,https://b.example"),
            ("CREW_MAX_BODY_BYTES", "2048"),
            ("CREW_HEADER_TIMEOUT_SECONDS", "2"),
        ];
        let env = Environment::from(env);
        let (limits, bounds) = Limiting::default().settle(&env).unwrap();
        assert_eq!(limits.requests_per_minute, NonZeroU32::new(7));
        assert_eq!(limits.cors_origins, ["https://a.example", "https://b.example"]);
        assert_eq!((limits.body_bytes, bounds.head_time), (2048, Duration::from_secs(2)));
        let flags = Limiting {
            rate_limit: Some(0),
            cors_origins: vec!["https://c.example".to_owned()],
            ..Limiting::default()
        };
        let (limits, _) = flags.settle(&env).unwrap();
        assert_eq!(
            (limits.requests_per_minute, &*limits.cors_origins),
            (None, &["https://c.example".to_owned()][..])
        );
    }

    #[test]
    fn nonsense_is_told_with_its_place() {
        #[track_caller]
        fn check(name: &str, value: &str, expected: &str) {
            let error = Limiting::default().settle(&[(name, value)].into()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        check("CREW_RATE_LIMIT_PER_MINUTE", "many", "CREW_RATE_LIMIT_PER_MINUTE: `many`");
        check("CREW_MAX_BODY_BYTES", "-1", "from 1024");
        check("CREW_CORS_ORIGINS", "https://a.example/", "no origin");
        check("CREW_TRUSTED_PROXIES", "10.0.0.0/99", "10.0.0.0/99");
    }
}
