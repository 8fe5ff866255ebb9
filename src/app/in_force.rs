//! Every setting as it is in force, and who said so; of secrets only whether they are set.

use std::path::Path;

use super::{
    Environment, Limiting, Settings,
    config::{self, TokenError},
    database,
    embedder::Embeds,
    identity,
    post::Post,
    project::{self, ConfigError},
    serve,
    settling::{Origin, Place, SettingError, Settled, Settling},
    tokens::{TokenSources, TokensError},
};
use crate::{
    defs::{OwnEmbedder, OwnTasks},
    engine::records::Retention,
    llm::{Key, Provider},
};

/// Why the settings cannot be told: the same that keeps a server from starting.
#[derive(Debug, thiserror::Error)]
pub enum Unsettled {
    /// Of the project.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Of the limits, or of the identity service.
    #[error(transparent)]
    Limit(#[from] SettingError),
    /// Of the bearer token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Of the file of several.
    #[error(transparent)]
    Tokens(#[from] TokensError),
}

/// What a server of the project at `root` would be started with, given the options of the command line.
///
/// # Errors
/// What would keep it from starting.
pub fn in_force(
    env: &Environment,
    root: &Path,
    limiting: Limiting,
    token: (Option<&str>, Option<&Path>),
) -> Result<Vec<Settled>, Unsettled> {
    let config = project::config(root)?;
    let post = Post::read(env)?;
    let (max_concurrent, own_tasks) = (config.max_concurrent, config.tasks);
    let own_embedder = config.memory.embedder.clone();
    let patience = post.patience;
    let mut settling = Settling::new(env);
    let settings = Settings::with(&mut settling, root, config, post);
    let of_file = |said: bool| if said { Origin::File } else { Origin::Default };
    let calls = settings.llm.max_concurrent.to_string();
    settling.note("max_concurrent", Some(calls), of_file(max_concurrent.is_some()));
    for provider in settings.llm.providers.iter() {
        self::provider(provider, &mut settling);
    }
    tasks(&settings, own_tasks, &mut settling);
    database::tell(database::sharing(env)?.as_ref(), &mut settling);
    records(&settings.records, &mut settling);
    embedder(own_embedder.as_ref(), settings.embedder.as_ref(), &mut settling);
    limiting.settle(&settings.serving, &mut settling)?;
    identity::settle(&mut settling)?;
    bearer(token, &mut settling)?;
    let of_variable = |name: &str| match env.get(name) {
        Some(_) => Origin::Variable(name.to_owned()),
        None => Origin::Default,
    };
    for (key, value, variable) in [
        ("delivery.attempts", patience.attempts.to_string(), "CREW_DELIVERY__ATTEMPTS"),
        ("delivery.retry_seconds", patience.first.as_secs_f64().to_string(), "CREW_DELIVERY__RETRY_SECONDS"),
        (
            "delivery.max_age_hours",
            (patience.age.as_secs_f64() / 3600.0).to_string(),
            "CREW_DELIVERY__MAX_AGE_HOURS",
        ),
    ] {
        settling.note(key, Some(value), of_variable(variable));
    }
    for (key, variable) in [
        ("smtp.host", "SMTP_HOST"),
        ("smtp.port", "SMTP_PORT"),
        ("smtp.user", "SMTP_USER"),
        ("smtp.from", "SMTP_FROM"),
        ("smtp.tls", "SMTP_TLS"),
        ("smtp.ca_file", "SMTP_CA_FILE"),
        ("log.filter", "CREW_LOG"),
        ("log.format", "CREW_LOG_FORMAT"),
    ] {
        settling.text(Place { section: "", key, flag: "", variable }, None);
    }
    for (key, variable) in [
        ("github.api_url", "GITHUB_API_URL"),
        ("auth.issuer", "CREW_AUTH_ISSUER"),
        ("auth.public_url", "CREW_PUBLIC_URL"),
        ("traces.endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ] {
        let address = env.get(variable).map(|address| without_user(address.trim()));
        settling.note(key, address, of_variable(variable));
    }
    serve::issued_by(env)?;
    for (key, variable) in [("smtp.pass", "SMTP_PASS"), ("github.token", "GITHUB_TOKEN")] {
        settling.secret(key, env.secret(variable).as_ref(), of_variable(variable));
    }
    Ok(settling.into_rows())
}

fn provider(provider: &Provider, settling: &mut Settling<'_>) {
    let Some(endpoint) = &provider.endpoint else { return };
    let key = |part: &str| format!("providers.{}.{part}", provider.id);
    let from = if provider.is_own {
        Origin::File
    } else if settling.env.get(&endpoint.base_url_from).is_some() {
        Origin::Variable(endpoint.base_url_from.clone())
    } else {
        Origin::Default
    };
    settling.note(key("base_url"), Some(without_user(&endpoint.base_url)), from);
    if let Key::Needed { from, secret } = &endpoint.key {
        settling.secret(key("api_key"), secret.as_ref(), Origin::Variable(from.clone()));
    }
    if let Some(calls) = provider.max_concurrent {
        settling.note(key("max_concurrent"), Some(calls.to_string()), Origin::File);
    }
}

/// What turns memories into vectors; nothing is told where nothing does.
fn embedder(own: Option<&OwnEmbedder>, embeds: Option<&Embeds>, settling: &mut Settling<'_>) {
    let (Some(own), Some(embeds)) = (own, embeds) else {
        return settling.note("memory.embedder", None, Origin::Default);
    };
    let rules = embeds.rules();
    let of_file = |said: bool| if said { Origin::File } else { Origin::Default };
    let texts = [
        ("provider", Some(own.provider.as_str().to_owned()), true),
        ("model", own.model.clone(), true),
        ("path", own.path.clone(), true),
        ("dimensions", own.dimensions.map(|length| length.to_string()), true),
        ("timeout_seconds", Some(rules.patience.as_secs_f64().to_string()), own.timeout_seconds.is_some()),
        ("min_similarity", Some(rules.floor.to_string()), own.min_similarity.is_some()),
        ("embed_classified", Some(rules.classified.to_string()), own.embed_classified),
    ];
    for (key, value, said) in texts.into_iter().filter(|(_, value, _)| value.is_some()) {
        settling.note(format!("memory.embedder.{key}"), value, of_file(said));
    }
    let Some(embedder) = embeds.asked() else { return };
    let from = if own.base_url.is_some() {
        Origin::File
    } else if settling.env.get(&embedder.base_url_from).is_some() {
        Origin::Variable(embedder.base_url_from.clone())
    } else {
        Origin::Default
    };
    settling.note("memory.embedder.base_url", Some(without_user(&embedder.base_url)), from);
    if let Key::Needed { from, secret } = &embedder.key {
        settling.secret("memory.embedder.api_key", secret.as_ref(), Origin::Variable(from.clone()));
    }
}

/// An address without what may be a password in it.
pub(super) fn without_user(url: &str) -> String {
    match url.split_once("://").map(|(scheme, rest)| (scheme, rest, rest.find(['/', '?']))) {
        Some((scheme, rest, end)) => {
            let (authority, path) = rest.split_at(end.unwrap_or(rest.len()));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

fn tasks(settings: &Settings, own: OwnTasks, settling: &mut Settling<'_>) {
    let tasks = &settings.tasks;
    let days = tasks.retain_for.map(|time| (time.as_secs() / 86_400).to_string());
    for (key, value, is_own) in [
        ("tasks.workers", Some(tasks.workers.to_string()), own.workers.is_some()),
        ("tasks.queue", Some(tasks.queue.to_string()), own.queue.is_some()),
        ("tasks.retain_count", Some(tasks.retain.to_string()), own.retain_count.is_some()),
        ("tasks.retain_days", days, own.retain_days.is_some()),
        ("tasks.retain_undelivered", Some(tasks.retain_owed.to_string()), own.retain_undelivered.is_some()),
        ("tasks.lanes", own.lanes.map(|lanes| lanes.to_string()), own.lanes.is_some()),
        ("tasks.retry.attempts", Some(tasks.retry.attempts.to_string()), own.retry.is_some()),
    ] {
        settling.note(key, value, if is_own { Origin::File } else { Origin::Default });
    }
}

fn records(retention: &Retention, settling: &mut Settling<'_>) {
    let Retention { sessions, logs, meetings } = retention;
    for (key, bound) in [
        ("records.sessions_days", sessions.days),
        ("records.max_sessions", sessions.most),
        ("records.logs_days", logs.days),
        ("records.max_logs", logs.most),
        ("records.meetings_days", meetings.days),
        ("records.max_meetings", meetings.most),
    ] {
        let from = if bound.is_some() { Origin::File } else { Origin::Default };
        settling.note(key, bound.map(|bound| bound.to_string()), from);
    }
}

/// The bearer token and the file of several.
fn bearer((flag, file): (Option<&str>, Option<&Path>), settling: &mut Settling<'_>) -> Result<(), Unsettled> {
    let settled = config::token(settling.env, flag, file)?;
    let single = settled.as_ref().map(|(secret, _)| secret.clone());
    let named = settling.env.get("CREW_TOKENS_FILE").map(Into::into);
    TokenSources { single, single_file: None, file: named, env: settling.env.clone() }.access()?;
    let origin = settled.as_ref().map_or(Origin::Default, |(_, origin)| origin.clone());
    settling.secret("api_token", settled.as_ref().map(|(secret, _)| secret), origin);
    settling.text(Place { section: "", key: "tokens_file", flag: "", variable: "CREW_TOKENS_FILE" }, None);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_of_an_address_is_told() {
        assert_eq!(without_user("https://me:secret@a.example/v1?x=@"), "https://a.example/v1?x=@");
        assert_eq!(without_user("http://127.0.0.1:1"), "http://127.0.0.1:1");
    }

    #[test]
    fn secrets_are_told_to_be_set_and_nothing_more() {
        let folder = tempfile::tempdir().unwrap();
        let env = Environment::from([
            ("CREW_API_TOKEN", "bearer-s3cret"),
            ("CREW_DATABASE_URL", "postgres://crew:database-s3cret@db/crew"),
            ("SMTP_PASS", "mail-s3cret"),
            ("ANTHROPIC_API_KEY", "key-s3cret"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://crew:spans-s3cret@spans.example:4318"),
            ("GITHUB_API_URL", "https://crew:github-s3cret@github.example/api/v3"),
        ]);
        let rows = in_force(&env, folder.path(), Limiting::default(), (None, None)).unwrap();
        let told = serde_json::to_string(&rows).unwrap();
        assert!(!told.contains("s3cret"), "{told}");
        for (key, variable) in [
            ("api_token", "CREW_API_TOKEN"),
            ("smtp.pass", "SMTP_PASS"),
            ("providers.anthropic.api_key", "ANTHROPIC_API_KEY"),
        ] {
            let row = rows.iter().find(|row| row.key == key).unwrap();
            let expected = (Some("set"), &Origin::Variable(variable.to_owned()));
            assert_eq!((row.value.as_deref(), &row.origin), expected, "{key}");
        }
        let spans = rows.iter().find(|row| row.key == "traces.endpoint").unwrap();
        assert_eq!(spans.value.as_deref(), Some("https://spans.example:4318"));
    }

    #[test]
    fn what_keeps_a_server_from_starting_is_told_here_too() {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in [("CREW_AUTH_ISSUER", "https://id.example"), ("CREW_TOKENS_FILE", "/nowhere")] {
            let env = Environment::from([(name, value)]);
            assert!(in_force(&env, folder.path(), Limiting::default(), (None, None)).is_err(), "{name}");
        }
    }
}
