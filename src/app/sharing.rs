//! Where replicas of a server share their limits, from the environment.

use std::{sync::Arc, time::Duration};

use super::{
    in_force::without_user,
    settling::{Origin, Place, SettingError, Settling},
};
use crate::web::{Shared, Sharing};

/// The address, which may hold a password.
pub(super) const URL: &str = "CREW_REDIS_URL";
/// A file of certificates (PEM) that sign those of the server.
const AUTHORITY: &str = "CREW_REDIS_CA_FILE";
/// What the names of keys begin with, where several projects use one Redis.
const PREFIX: &str = "CREW_REDIS_PREFIX";
const USUAL_PREFIX: &str = "crew";
/// Milliseconds that a request waits for it; longer is a matter of how far it is.
const TIMEOUT: &str = "CREW_REDIS_TIMEOUT_MS";
const USUAL_TIMEOUT: u32 = 50;
/// Most characters of the prefix.
const LONGEST: usize = 64;

/// What is shared, if anything is. Connects to nothing yet.
///
/// # Errors
/// When a variable means nothing. What it holds is not told.
pub(super) fn settle(settling: &mut Settling<'_>) -> Result<Option<Arc<Shared>>, SettingError> {
    let env = settling.env;
    let of = |name: &str| Origin::Variable(name.to_owned());
    let Some(url) = env.secret(URL) else {
        settling.note("serve.redis_url", None, Origin::Default);
        return Ok(None);
    };
    let error = |place: &str, reason: String| SettingError { place: place.to_owned(), reason };
    let authority = env.get(AUTHORITY).map(|path| std::fs::read(path.trim()));
    let authority = authority.transpose().map_err(|cause| error(AUTHORITY, cause.to_string()))?;
    let prefix = env.get(PREFIX).map_or(USUAL_PREFIX, str::trim);
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.:{}".contains(letter);
    if prefix.len() > LONGEST || !prefix.chars().all(fits) {
        let reason = "it has at most 64 letters, digits and `-`, `_`, `.`, `:`, `{`, `}`";
        return Err(error(PREFIX, reason.to_owned()));
    }
    let place = Place { section: "serve", key: "redis_timeout_ms", flag: "", variable: TIMEOUT };
    let timeout = settling.number(place, 1..=10_000, None, None, USUAL_TIMEOUT)?;
    let sharing = Sharing {
        url: url.clone(),
        authority,
        prefix: prefix.to_owned(),
        patience: Duration::from_millis(timeout.into()),
    };
    let shared = Shared::new(sharing).map_err(|cause| error(URL, cause.to_string()))?;
    settling.note("serve.redis_url", Some(without_user(url.expose())), of(URL));
    let origin = if env.get(PREFIX).is_some() { of(PREFIX) } else { Origin::Default };
    settling.note("serve.redis_prefix", Some(prefix.to_owned()), origin);
    Ok(Some(Arc::new(shared)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Environment;

    #[test]
    fn what_is_said_tells_no_password() {
        let env = Environment::from([(URL, "redis://me:s3cret@127.0.0.1:6379/1")]);
        let mut settling = Settling::new(&env);
        assert!(settle(&mut settling).unwrap().is_some());
        let rows = settling.into_rows();
        let url = rows.iter().find(|row| row.key == "serve.redis_url").unwrap();
        assert_eq!(url.value.as_deref(), Some("redis://127.0.0.1:6379/1"));
        for (name, value) in
            [(URL, "redis://me:s3cret@127.0.0.1:x"), (PREFIX, "s3cret a"), (AUTHORITY, "/none/s3cret")]
        {
            let usual = (URL, "redis://me:s3cret@127.0.0.1");
            let env = Environment::from([usual, (name, value)]);
            let error = settle(&mut Settling::new(&env)).unwrap_err().to_string();
            assert!(error.starts_with(name) && !error.contains("s3cret"), "{error}");
        }
        assert!(settle(&mut Settling::new(&Environment::default())).unwrap().is_none());
    }
}
