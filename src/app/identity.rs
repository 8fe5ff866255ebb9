//! Where the identity service is, from the environment.

use std::sync::Arc;

use super::settling::{Origin, SettingError, Settling};
use crate::engine::Identities;

/// Its address.
const URL: &str = "KNOWLYR_ID_URL";
/// Where it is, unless that is said.
const USUAL: &str = "https://knowlyr.com";
/// The token it is asked with, under both its names.
const TOKENS: [&str; 2] = ["KNOWLYR_ID_TOKEN", "AGENT_API_TOKEN"];

/// The service, if there is a token for it. Asks nothing yet.
///
/// # Errors
/// When a variable means nothing, or both names of the token are set and differ.
pub(super) fn settle(settling: &mut Settling<'_>) -> Result<Option<Arc<Identities>>, SettingError> {
    let env = settling.env;
    let error = |place: &str, reason: String| SettingError { place: place.to_owned(), reason };
    let mut tokens = TOKENS.iter().filter_map(|name| Some((*name, env.secret(name)?)));
    let Some((name, token)) = tokens.next() else {
        settling.note("identity.url", None, Origin::Default);
        return Ok(None);
    };
    if let Some((other, _)) = tokens.find(|(_, other)| !other.matches(token.expose().as_bytes())) {
        return Err(error(name, format!("it and {other} are both set and differ; keep one")));
    }
    let url = env.get(URL);
    let identities =
        Identities::new(url.unwrap_or(USUAL), &token).map_err(|cause| error(URL, cause.to_string()))?;
    let origin = url.map_or(Origin::Default, |_| Origin::Variable(URL.to_owned()));
    settling.note("identity.url", Some(identities.place().to_owned()), origin);
    settling.secret("identity.token", Some(&token), Origin::Variable(name.to_owned()));
    Ok(Some(Arc::new(identities)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Environment;

    #[track_caller]
    fn check(env: &Environment, expected: Result<Option<&str>, &str>) {
        let settled = settle(&mut Settling::new(env));
        let told = settled.map(|found| found.map(|found| found.place().to_owned()));
        let told = told.map_err(|error| error.to_string());
        assert_eq!(told.as_ref().map(Option::as_deref).map_err(String::as_str), expected);
    }

    #[test]
    fn a_token_makes_it_one() {
        check(&Environment::default(), Ok(None));
        check(&[(URL, "https://id.example.com")].into(), Ok(None));
        check(&[("KNOWLYR_ID_TOKEN", "a")].into(), Ok(Some(USUAL)));
        check(&[("AGENT_API_TOKEN", "a"), (URL, "http://id:8000/")].into(), Ok(Some("http://id:8000")));
        check(&[("AGENT_API_TOKEN", "a"), ("KNOWLYR_ID_TOKEN", "a")].into(), Ok(Some(USUAL)));
        check(
            &[("AGENT_API_TOKEN", "a"), ("KNOWLYR_ID_TOKEN", "b")].into(),
            Err("KNOWLYR_ID_TOKEN: it and AGENT_API_TOKEN are both set and differ; keep one"),
        );
        check(
            &[("AGENT_API_TOKEN", "a"), (URL, "id.example.com")].into(),
            Err("KNOWLYR_ID_URL: it is no address such as `https://id.example.com`"),
        );
    }
}
