//! Rows that the environment and the definitions decide.

use super::{Patient, Row, Verdict};
use crate::{
    app::{Post, runs::Secrets},
    defs::{SecretRef, Severity},
};

/// Whether mail can be sent; when the network may be touched, its server is asked as far as that goes without sending.
pub(super) async fn mail(patient: &Patient<'_>, online: bool) -> Row {
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
        Ok(mail) => {
            if let Err(error) = mail.check().await {
                return wrong(error);
            }
            let way = format!("by {host}, port {}", mail.port());
            if !online {
                return Row::new("mail", Verdict::Pass, place, format!("{way}; not asked, --online does"));
            }
            let does = if mail.signs_in() { "it answers and takes the password" } else { "it answers" };
            match mail.greet().await {
                Ok(()) => Row::new("mail", Verdict::Pass, place, format!("{way}: {does}")),
                Err(error) => Row::new("mail", Verdict::Fail, place, format!("{way}: {error}"))
                    .fix("mend the address, the password or the network: until then no mail is sent"),
            }
        }
    }
}

pub(super) async fn github(patient: &Patient<'_>) -> Row {
    let place = ".crew/webhook.yaml";
    let definitions = patient.crew.definitions().await;
    if definitions.unusable.iter().any(|file| file == place) {
        return Row::new(
            "github-webhook",
            Verdict::Fail,
            place,
            "it cannot be used: deliveries start nothing",
        )
        .fix("knowlyr-crew check");
    }
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
    if !status.unusable.is_empty() {
        let found = format!("{} cannot be used", status.unusable.join(", "));
        return Row::new("cron", Verdict::Fail, place, found).fix("knowlyr-crew check");
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
