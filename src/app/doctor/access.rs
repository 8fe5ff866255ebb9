//! Rows of who may call, from where, and how much.

use std::net::IpAddr;

use super::{Patient, Row, Verdict};
use crate::app::{
    Settings, Settled, TokenError, in_force::without_user, limits::Limiting, serve, settling::Settling,
    tokens::TokenSources,
};

/// A shorter token is guessed sooner or later.
const SHORT: usize = 16;

/// `server` is where it answers, when it is asked.
pub(super) fn rows(
    patient: &Patient<'_>,
    tokens: &Result<TokenSources, TokenError>,
    server: Option<&str>,
) -> Vec<Row> {
    [token(tokens), issuer(patient)].into_iter().chain(limits(patient, server)).collect()
}

/// Whether callers need a token.
fn token(tokens: &Result<TokenSources, TokenError>) -> Row {
    let row =
        |verdict, found: String| Row::new("api-token", verdict, "CREW_API_TOKEN, CREW_TOKENS_FILE", found);
    let sources = match tokens {
        Ok(sources) => sources,
        Err(error @ TokenError::Ambiguous { .. }) => {
            return row(Verdict::Fail, error.to_string()).fix("keep one of them");
        }
        Err(error @ TokenError::File { .. }) => {
            return row(Verdict::Fail, error.to_string()).fix("mend the file");
        }
    };
    let is_short = sources.single.as_ref().is_some_and(|token| token.expose().len() < SHORT);
    match sources.access() {
        Err(error) => row(Verdict::Fail, error.to_string()).fix("mend the file"),
        Ok(_) if is_short => {
            row(Verdict::Warn, format!("the token has fewer than {SHORT} bytes")).fix("openssl rand -hex 32")
        }
        Ok(access) if access.is_guarded() => row(Verdict::Pass, "callers need a token".to_owned()),
        Ok(_) => row(
            Verdict::Warn,
            "no token: anyone on this machine may call, and `serve` refuses other addresses".to_owned(),
        )
        .fix(
            "set CREW_API_TOKEN in the environment file of the service, not on its command line; what `serve` is given \
             as --token-file or --tokens-file, give here too",
        ),
    }
}

/// How much is taken of whom.
fn limits(patient: &Patient<'_>, server: Option<&str>) -> Vec<Row> {
    // What is wrong with the file, another row says.
    let own = Settings::read_or_default(patient.env, patient.root).serving;
    let mut settling = Settling::new(patient.env);
    match Limiting::default().settle(&own, &mut settling) {
        Err(error) => {
            vec![Row::new("limits", Verdict::Fail, "CREW_*", error.to_string()).fix("mend the variable")]
        }
        Ok((limits, _)) => {
            let origins = &limits.cors_origins;
            let cors = if origins.is_empty() {
                Row::new("cors", Verdict::Skip, "CREW_CORS_ORIGINS", "no pages of other origins may call")
            } else {
                Row::new(
                    "cors",
                    Verdict::Pass,
                    "CREW_CORS_ORIGINS",
                    format!("pages may call from {}", origins.join(", ")),
                )
            };
            let body = format!("a body has at most {} bytes", limits.body_bytes);
            let rate = match limits.requests_per_minute {
                Some(rate) => Row::new(
                    "rate-limit",
                    Verdict::Pass,
                    "CREW_RATE_LIMIT_PER_MINUTE",
                    format!("{rate} requests of one address in a minute, once there is a token"),
                ),
                None => Row::new(
                    "rate-limit",
                    Verdict::Warn,
                    "CREW_RATE_LIMIT_PER_MINUTE",
                    "any number of requests of one address in a minute",
                )
                .fix("set it to 60, or leave it to the proxy in front"),
            };
            let body = Row::new("body-limit", Verdict::Pass, "CREW_MAX_BODY_BYTES", body);
            vec![cors, body, rate, proxy(patient, &settling.into_rows(), server)]
        }
    }
}

/// Whether the addresses of clients are known behind a proxy: without, all of them share what one may ask.
fn proxy(patient: &Patient<'_>, settled: &[Settled], server: Option<&str>) -> Row {
    let row = |verdict, found: String| Row::new("proxy", verdict, "CREW_TRUSTED_PROXIES", found);
    let trusted = settled.iter().find(|row| row.key == "serve.trusted_proxies");
    if let Some(trusted) = trusted.and_then(|row| row.value.as_deref()) {
        return row(Verdict::Pass, format!("{trusted} tell the addresses of clients"));
    }
    let public = patient.env.get("CREW_PUBLIC_URL").map(str::trim);
    match public.or(server).filter(|url| !is_local(url)) {
        Some(url) => {
            let url = without_user(url);
            let found = format!(
                "others reach the server at {url}, and no proxy is trusted: all clients of one count as one"
            );
            row(Verdict::Warn, found)
                .fix("name the proxy (`serve --trusted-proxy` does too); if there is none, all is well")
        }
        None => {
            row(Verdict::Skip, "none is trusted, and nothing says that others reach the server".to_owned())
        }
    }
}

/// Whether an address leads to this machine.
fn is_local(url: &str) -> bool {
    let host = url.parse::<http::Uri>().ok().and_then(|url| url.host().map(str::to_owned));
    host.is_none_or(|host| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.eq_ignore_ascii_case("localhost")
            || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

/// Whether clients are told where to get a token.
fn issuer(patient: &Patient<'_>) -> Row {
    let (id, place) = ("token-issuer", "CREW_AUTH_ISSUER, CREW_PUBLIC_URL");
    match serve::issued_by(patient.env) {
        Ok(None) => Row::new(id, Verdict::Skip, place, "clients are not told where to get a token"),
        Ok(Some(told)) => {
            Row::new(id, Verdict::Pass, place, format!("clients are sent to {}", without_user(&told.issuer)))
        }
        Err(error) => Row::new(id, Verdict::Fail, place, error.to_string())
            .fix("set both or none: no server starts with one alone"),
    }
}
