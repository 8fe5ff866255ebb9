//! How much a server accepts of whom, from flags and the environment.

use std::{num::NonZeroU32, time::Duration};

use super::{
    http::Bounds,
    settling::{Place, SettingError, Settling},
    sharing,
};
use crate::{
    defs::OwnServing,
    web::{self, Limits, Proxies},
};

/// What the command line says about limits; what it does not say, the environment does, else the project.
#[derive(Debug, Clone, Default)]
pub struct Limiting {
    /// Requests of one address in a minute; 0 for any number.
    pub rate_limit: Option<u32>,
    /// Proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<String>,
    /// Origins whose pages may call.
    pub cors_origins: Vec<String>,
    /// Most bytes of a body.
    pub max_body_bytes: Option<u32>,
}

impl Limiting {
    /// The limits of the bridge and of connections.
    ///
    /// # Errors
    /// The first setting that means nothing.
    pub(super) fn settle(
        self,
        own: &OwnServing,
        settling: &mut Settling<'_>,
    ) -> Result<(Limits, Bounds), SettingError> {
        let amounts = amounts(&self, own, settling)?;
        let bounds = bounds(own, settling)?;
        let cors_origins = origins(self.cors_origins, own, settling)?;
        let proxies = proxies(self.trusted_proxies, own, settling)?;
        let shared = sharing::settle(settling)?;
        Ok((Limits { proxies, cors_origins, shared, ..amounts }, bounds))
    }
}

/// How much and how many of everything.
fn amounts(said: &Limiting, own: &OwnServing, settling: &mut Settling<'_>) -> Result<Limits, SettingError> {
    let known = Limits::default();
    let rate = settling.number(
        place("rate_limit_per_minute", "--rate-limit", "CREW_RATE_LIMIT_PER_MINUTE"),
        OwnServing::PER_MINUTE,
        said.rate_limit,
        own.rate_limit_per_minute,
        known.requests_per_minute.map_or(0, NonZeroU32::get),
    )?;
    let deliveries = settling.number(
        place("webhook_rate_limit_per_minute", "", "CREW_WEBHOOK_RATE_LIMIT_PER_MINUTE"),
        OwnServing::PER_MINUTE,
        None,
        own.webhook_rate_limit_per_minute,
        known.deliveries_per_minute.map_or(0, NonZeroU32::get),
    )?;
    let body = settling.number(
        place("max_body_bytes", "--max-body-bytes", "CREW_MAX_BODY_BYTES"),
        OwnServing::BODY_BYTES,
        said.max_body_bytes,
        own.max_body_bytes,
        number(known.body_bytes),
    )?;
    let time = settling.number(
        place("request_timeout_seconds", "", "CREW_REQUEST_TIMEOUT_SECONDS"),
        OwnServing::REQUEST_SECONDS,
        None,
        own.request_timeout_seconds,
        seconds(known.request_time),
    )?;
    let requests = settling.number(
        place("max_requests", "", "CREW_MAX_REQUESTS"),
        OwnServing::REQUESTS,
        None,
        own.max_requests,
        number(known.requests),
    )?;
    Ok(Limits {
        requests_per_minute: NonZeroU32::new(rate),
        deliveries_per_minute: NonZeroU32::new(deliveries),
        body_bytes: size(body),
        request_time: Duration::from_secs(time.into()),
        requests: size(requests),
        ..known
    })
}

/// How connections are bounded.
fn bounds(own: &OwnServing, settling: &mut Settling<'_>) -> Result<Bounds, SettingError> {
    let known = Bounds::default();
    let connections = settling.number(
        place("max_connections", "", "CREW_MAX_CONNECTIONS"),
        OwnServing::CONNECTIONS,
        None,
        own.max_connections,
        number(known.connections),
    )?;
    let head = settling.number(
        place("header_timeout_seconds", "", "CREW_HEADER_TIMEOUT_SECONDS"),
        OwnServing::HEADER_SECONDS,
        None,
        own.header_timeout_seconds,
        seconds(known.head_time),
    )?;
    Ok(Bounds { connections: size(connections), head_time: Duration::from_secs(head.into()), ..known })
}

/// Whose pages may call.
fn origins(
    said: Vec<String>,
    own: &OwnServing,
    settling: &mut Settling<'_>,
) -> Result<Vec<String>, SettingError> {
    let place = place("cors_origins", "--cors-origins", "CREW_CORS_ORIGINS");
    let origins = settling.list(place, said, own.cors_origins.clone());
    for origin in &origins {
        web::check_origin(origin).map_err(|reason| SettingError { place: "origins".to_owned(), reason })?;
    }
    Ok(origins)
}

/// Who tells the addresses of clients.
fn proxies(
    said: Vec<String>,
    own: &OwnServing,
    settling: &mut Settling<'_>,
) -> Result<Proxies, SettingError> {
    let place = place("trusted_proxies", "--trusted-proxy", "CREW_TRUSTED_PROXIES");
    let ranges = settling.list(place, said, own.trusted_proxies.clone());
    Proxies::new(ranges)
        .map_err(|error| SettingError { place: "trusted proxies".to_owned(), reason: error.to_string() })
}

fn place(key: &'static str, flag: &'static str, variable: &'static str) -> Place {
    Place { section: "serve", key, flag, variable }
}

fn number(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Environment, Settled, settling::Origin};

    fn settle(
        flags: Limiting,
        env: &Environment,
        own: &OwnServing,
    ) -> Result<(Limits, Bounds, Vec<Settled>), SettingError> {
        let mut settling = Settling::new(env);
        let (limits, bounds) = flags.settle(own, &mut settling)?;
        Ok((limits, bounds, settling.into_rows()))
    }

    #[test]
    fn flags_go_before_the_environment_and_that_before_the_project() {
        let env = Environment::from([
            ("CREW_RATE_LIMIT_PER_MINUTE", "7"),
            ("CREW_CORS_ORIGINS", "https://a.example,https://b.example"),
            ("CREW_HEADER_TIMEOUT_SECONDS", "2"),
        ]);
        let own = OwnServing {
            rate_limit_per_minute: Some(8),
            max_body_bytes: Some(4096),
            header_timeout_seconds: Some(9),
            cors_origins: vec!["https://d.example".to_owned()],
            ..OwnServing::default()
        };
        let (limits, bounds, _) = settle(Limiting::default(), &env, &own).unwrap();
        assert_eq!(limits.requests_per_minute, NonZeroU32::new(7));
        assert_eq!(limits.cors_origins, ["https://a.example", "https://b.example"]);
        assert_eq!((limits.body_bytes, bounds.head_time), (4096, Duration::from_secs(2)));
        let flags = Limiting {
            rate_limit: Some(0),
            cors_origins: vec!["https://c.example".to_owned()],
            ..Limiting::default()
        };
        let (limits, _, rows) = settle(flags, &env, &own).unwrap();
        assert_eq!(
            (limits.requests_per_minute, &*limits.cors_origins),
            (None, &["https://c.example".to_owned()][..])
        );
        let of = |key: &str| &rows.iter().find(|row| row.key == key).unwrap().origin;
        assert_eq!(*of("serve.rate_limit_per_minute"), Origin::Flag("--rate-limit"));
        assert_eq!(
            *of("serve.header_timeout_seconds"),
            Origin::Variable("CREW_HEADER_TIMEOUT_SECONDS".to_owned())
        );
        assert_eq!(*of("serve.max_body_bytes"), Origin::File);
        assert_eq!(*of("serve.max_requests"), Origin::Default);
    }

    #[test]
    fn nonsense_is_told_with_its_place() {
        #[track_caller]
        fn check(name: &str, value: &str, expected: &str) {
            let error = settle(Limiting::default(), &[(name, value)].into(), &OwnServing::default());
            let error = error.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        check("CREW_RATE_LIMIT_PER_MINUTE", "many", "CREW_RATE_LIMIT_PER_MINUTE: `many`");
        check("CREW_MAX_BODY_BYTES", "-1", "from 1024");
        check("CREW_CORS_ORIGINS", "https://a.example/", "no origin");
        check("CREW_TRUSTED_PROXIES", "10.0.0.0/99", "10.0.0.0/99");
    }
}
