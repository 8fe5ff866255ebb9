//! The database in which several servers share the tasks of a project: `CREW_DATABASE_URL`.

use std::{path::Path, time::Duration};

use super::{
    Environment,
    office::JOURNAL,
    project::ConfigError,
    settling::{Origin, Settling},
};
use crate::{
    base::Secret,
    store::postgres::Target,
    tasks::{Place, Sharing},
};

/// The address of the database.
pub(super) const URL: &str = "CREW_DATABASE_URL";
/// A file that holds the address, as a secret of a container is one.
const URL_FILE: &str = "CREW_DATABASE_URL_FILE";
/// The schema the tables are in.
const SCHEMA: &str = "CREW_DATABASE_SCHEMA";
/// For how long nothing may be heard of a server before others take over.
const LEASE: &str = "CREW_DATABASE_LEASE_SECONDS";
/// What a lease may be, in seconds: long enough to be renewed in time, short enough to be waited for.
const LEASES: std::ops::RangeInclusive<u64> = 2..=600;

/// Where the tasks of the project at `root` are kept.
///
/// # Errors
/// When the environment names a database that cannot be meant.
pub fn journal(root: &Path, env: &Environment) -> Result<Place, ConfigError> {
    Ok(sharing(env)?
        .map_or_else(|| Place::File(root.join(JOURNAL)), |sharing| Place::Shared(Box::new(sharing.target))))
}

/// How tasks are shared; `None` when they are not.
///
/// # Errors
/// What is wrong with the address, of which no password is told.
pub(super) fn sharing(env: &Environment) -> Result<Option<Sharing>, ConfigError> {
    let Some(url) = url(env)? else { return Ok(None) };
    let target = Target::parse(url.expose(), env.get(SCHEMA))
        .map_err(|error| ConfigError::Database { variable: URL, reason: error.to_string() })?;
    let lease = match env.get(LEASE).map(str::trim) {
        None => Sharing::LEASE,
        Some(text) => {
            let seconds = text.parse().ok().filter(|seconds| LEASES.contains(seconds));
            Duration::from_secs(seconds.ok_or_else(|| ConfigError::Variable {
                name: LEASE,
                text: text.escape_debug().to_string(),
                wanted: format!("a number of seconds from {} to {}", LEASES.start(), LEASES.end()),
            })?)
        }
    };
    // As containers are called.
    let machine = env.get("HOSTNAME").map(str::trim);
    let process = std::process::id();
    let name = machine.map_or_else(|| process.to_string(), |machine| format!("{machine}:{process}"));
    Ok(Some(Sharing { target, lease, name }))
}

/// The address, from the variable or the file another names.
fn url(env: &Environment) -> Result<Option<Secret>, ConfigError> {
    let Some(path) = env.get(URL_FILE).map(str::trim) else { return Ok(env.secret(URL)) };
    if env.get(URL).is_some() {
        let reason = format!("{URL_FILE} is set too; keep one");
        return Err(ConfigError::Database { variable: URL, reason });
    }
    let unusable = |reason: String| ConfigError::Database { variable: URL_FILE, reason };
    let text = std::fs::read_to_string(path).map_err(|error| unusable(format!("`{path}`: {error}")))?;
    Secret::new(&text).map(Some).ok_or_else(|| unusable(format!("`{path}` holds no address")))
}

/// Tells how tasks are shared, without the password.
pub(super) fn tell(sharing: Option<&Sharing>, settling: &mut Settling<'_>) {
    let said = |names: &[&str]| {
        let name = names.iter().find(|name| settling.env.get(name).is_some());
        name.map_or(Origin::Default, |name| Origin::Variable((*name).to_owned()))
    };
    let (url, schema, lease) = (said(&[URL, URL_FILE]), said(&[SCHEMA]), said(&[LEASE]));
    settling.note("database.url", sharing.map(|sharing| sharing.target.to_string()), url);
    if let Some(sharing) = sharing {
        settling.note("database.schema", Some(sharing.target.schema().to_owned()), schema);
        settling.note("database.lease_seconds", Some(sharing.lease.as_secs().to_string()), lease);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config;

    #[test]
    fn an_address_is_told_without_its_password() {
        let env = Environment::from([(URL, "postgres://crew:s3cret@db/crew?sslmode=none")]);
        let error = sharing(&env).unwrap_err().to_string();
        assert!(
            error.starts_with("CREW_DATABASE_URL: `sslmode=none`") && !error.contains("s3cret"),
            "{error}"
        );
        let env = Environment::from([(URL, "postgres://crew:s3cret@db/crew"), (LEASE, "1")]);
        let error = sharing(&env).unwrap_err().to_string();
        assert_eq!(error, "CREW_DATABASE_LEASE_SECONDS is `1`; it must be a number of seconds from 2 to 600");
        let env = Environment::from([(URL, "postgres://crew:s3cret@db/crew"), (SCHEMA, "team_a")]);
        let shown = format!("{:?}", sharing(&env).unwrap().unwrap());
        assert!(shown.contains("db:5432/crew (schema team_a)") && !shown.contains("s3cret"), "{shown}");
        assert!(config::is_own(URL), "no definition can ask for it");
    }

    #[test]
    fn a_file_may_hold_the_address() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        std::fs::write(&path, "postgres://db/crew\n").unwrap();
        let path = path.to_str().unwrap();
        let sharing = |env: Environment| super::sharing(&env).map(|it| it.map(|it| it.target.to_string()));
        assert_eq!(sharing([(URL_FILE, path)].into()).unwrap().as_deref(), Some("db:5432/crew"));
        assert!(sharing([(URL_FILE, path), (URL, "postgres://db/crew")].into()).is_err());
        assert!(sharing([(URL_FILE, "/nowhere/url")].into()).is_err());
        assert_eq!(sharing(Environment::default()).unwrap(), None);
    }
}
