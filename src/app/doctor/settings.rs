//! Rows that the environment and the definitions decide.

use super::{Patient, Row, Verdict};
use crate::{
    app::{
        Post, Settings, config, in_force::without_user, limits::Limiting, runs::Secrets, serve,
        settling::Settling, tokens::TokenSources,
    },
    defs::{SecretRef, Severity},
};

/// A shorter token is guessed sooner or later.
const SHORT: usize = 16;

pub(super) async fn models(patient: &Patient<'_>) -> Row {
    let definitions = patient.crew.definitions().await;
    let cannot: Vec<String> = definitions
        .employees
        .values()
        .filter_map(|entry| {
            let choice = patient.crew.model(&definitions, None, &entry.employee);
            let error = patient.crew.llm().check(&choice).err()?;
            Some(format!("{}: {error}", entry.employee.name))
        })
        .collect();
    let (count, place) = (definitions.employees.len(), "*_API_KEY, *_BASE_URL");
    if count == 0 {
        return Row::new("models", Verdict::Warn, place, "there are no employees")
            .fix("knowlyr-crew init --employee NAME");
    }
    match cannot.first() {
        None => Row::new(
            "models",
            Verdict::Pass,
            place,
            format!("the models of all {count} employees have a provider and a key"),
        ),
        Some(first) => {
            let found = format!("{} of {count} employees cannot work; {first}", cannot.len());
            Row::new("models", Verdict::Fail, place, found)
                .fix("set the variable that is named, or another `model`")
        }
    }
}

pub(super) fn access(patient: &Patient<'_>) -> Vec<Row> {
    let place = "CREW_API_TOKEN, CREW_TOKENS_FILE";
    let token = match config::token(patient.env, None, None) {
        Err(error) => Row::new("api-token", Verdict::Fail, place, error.to_string()).fix("keep one of them"),
        Ok(single) => {
            let single = single.map(|(token, _)| token);
            let short = single.as_ref().is_some_and(|token| token.expose().len() < SHORT);
            let file = patient.env.get("CREW_TOKENS_FILE").map(Into::into);
            let sources = TokenSources { single, single_file: None, file, env: patient.env.clone() };
            match sources.access() {
                Err(error) => {
                    Row::new("api-token", Verdict::Fail, place, error.to_string()).fix("mend the file")
                }
                Ok(_) if short => Row::new(
                    "api-token",
                    Verdict::Warn,
                    place,
                    format!("the token has fewer than {SHORT} bytes"),
                )
                .fix("openssl rand -hex 32"),
                Ok(access) if access.is_guarded() => {
                    Row::new("api-token", Verdict::Pass, place, "callers need a token")
                }
                Ok(_) => Row::new(
                    "api-token",
                    Verdict::Warn,
                    place,
                    "no token: anyone on this machine may call, and `serve` refuses other addresses",
                )
                .fix("set CREW_API_TOKEN in the environment file of the service, not on its command line"),
            }
        }
    };
    // What is wrong with the file, another row says.
    let own = Settings::read_or_default(patient.env, patient.root).serving;
    let limits = match Limiting::default().settle(&own, &mut Settling::new(patient.env)) {
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
            vec![cors, Row::new("body-limit", Verdict::Pass, "CREW_MAX_BODY_BYTES", body), rate]
        }
    };
    [token, issuer(patient)].into_iter().chain(limits).collect()
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

pub(super) async fn mail(patient: &Patient<'_>) -> Row {
    let place = "SMTP_HOST, SMTP_PORT, SMTP_USER, SMTP_PASS, SMTP_FROM, SMTP_TLS, SMTP_CA_FILE";
    let env = patient.env;
    let Some(host) = env.get("SMTP_HOST") else {
        return Row::new("mail", Verdict::Skip, place, "no mail is sent");
    };
    if env.get("SMTP_USER").is_some() != env.get("SMTP_PASS").is_some() {
        return Row::new("mail", Verdict::Fail, place, "of SMTP_USER and SMTP_PASS only one is set")
            .fix("set both or none");
    }
    let wrong = |found: String| Row::new("mail", Verdict::Fail, place, found).fix("mend the variable");
    match Post::read_or_default(env).mail() {
        Err(fault) => wrong(fault.to_string()),
        Ok(mail) => match mail.check().await {
            Err(error) => wrong(error),
            Ok(()) => Row::new("mail", Verdict::Pass, place, format!("by {host}, port {}", mail.port())),
        },
    }
}

pub(super) async fn github(patient: &Patient<'_>) -> Row {
    let place = ".crew/webhook.yaml";
    let definitions = patient.crew.definitions().await;
    let Some(webhook) = &definitions.webhook else {
        return Row::new("github-webhook", Verdict::Skip, place, "there are no routes");
    };
    let secrets = Secrets { env: patient.env.clone(), stand_in: None };
    match webhook.github_secret.as_ref().map(|reference| (reference, secrets.resolve(reference))) {
        Some((_, Some(_))) => {
            let found = format!("{} routes, deliveries are signed", webhook.routes.len());
            Row::new("github-webhook", Verdict::Pass, place, found)
        }
        Some((SecretRef::Env(name), None)) => Row::new(
            "github-webhook",
            Verdict::Fail,
            place,
            format!("{name} is not set: every delivery is refused"),
        )
        .fix(format!("set {name} to the secret of the webhook")),
        _ => Row::new(
            "github-webhook",
            Verdict::Fail,
            place,
            "`github_secret` is missing: every delivery is refused",
        )
        .fix("github_secret: ${GITHUB_WEBHOOK_SECRET}"),
    }
}

pub(super) async fn definitions(patient: &Patient<'_>) -> Row {
    let definitions = patient.crew.definitions().await;
    let count =
        |severity| definitions.findings.iter().filter(|found| found.diagnostic.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let verdict = match (errors, warnings) {
        (0, 0) => Verdict::Pass,
        (0, _) => Verdict::Warn,
        _ => Verdict::Fail,
    };
    let found = format!(
        "{} employees, {} pipelines, {} discussions: {errors} errors, {warnings} warnings",
        definitions.employees.len(),
        definitions.pipelines.len(),
        definitions.discussions.len()
    );
    let row = Row::new("definitions", verdict, ".crew, private", found);
    if verdict == Verdict::Pass { row } else { row.fix("knowlyr-crew check") }
}

pub(super) async fn cron(patient: &Patient<'_>) -> Row {
    let place = ".crew/cron.yaml";
    let status = patient.crew.schedules(None).await;
    let definitions = patient.crew.definitions().await;
    if !definitions.unusable.is_empty() {
        return Row::new(
            "cron",
            Verdict::Fail,
            place,
            format!("{} cannot be used", definitions.unusable.join(", ")),
        )
        .fix("knowlyr-crew check");
    }
    match status.schedules.len() {
        0 => Row::new("cron", Verdict::Skip, place, "there are no schedules"),
        count => Row::new(
            "cron",
            Verdict::Pass,
            place,
            format!("{count} schedules; `knowlyr-crew cron preview` says when"),
        ),
    }
}
