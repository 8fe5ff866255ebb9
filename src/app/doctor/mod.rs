//! Whether a deployment is fit to serve: each row of the production checklist, and how it stands here.

mod access;
mod alerts;
mod database;
mod embedder;
mod files;
mod models;
mod online;
mod services;
mod settings;

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Environment, Settings, tokens::TokenSources};
use crate::{engine::Crew, tools::Office};

/// How a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// As it should be.
    Pass,
    /// Not in use here, or not looked at.
    Skip,
    /// It works, and somebody should know.
    Warn,
    /// It does not work.
    Fail,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Skip => "SKIP",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }
}

/// A row of the checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name, for programs.
    pub id: &'static str,
    /// How it stands.
    pub verdict: Verdict,
    /// Where that is settled: a variable, a file, an address.
    pub place: String,
    /// What was found. No value of a secret is ever in it.
    pub found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Row {
    fn new(id: &'static str, verdict: Verdict, place: impl Into<String>, found: impl Into<String>) -> Self {
        Self { id, verdict, place: place.into(), found: found.into(), fix: None }
    }

    fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

/// What is to be looked at.
#[derive(Debug)]
pub struct Doctor {
    /// Root of the project.
    pub root: PathBuf,
    /// Where the server answers, when the network may be touched: its rows are asked for there.
    pub online: Option<String>,
    /// The file of the one token, as `serve` is given it.
    pub token_file: Option<PathBuf>,
    /// The file of named tokens, as `serve` is given it.
    pub tokens_file: Option<PathBuf>,
}

/// What every row may look at.
struct Patient<'p> {
    root: &'p Path,
    env: &'p Environment,
    crew: &'p Crew,
}

/// Looks at everything, and gives all rows in the order of the checklist.
pub async fn examine(doctor: &Doctor, env: &Environment, office: &Office) -> Vec<Row> {
    let crew = &*office.crew;
    let patient = Patient { root: &doctor.root, env, crew };
    let (single, named) = (doctor.token_file.as_deref(), doctor.tokens_file.as_deref());
    let tokens = TokenSources::settle(env, None, single, named);
    let online = doctor.online.is_some();
    let mut rows = vec![config(&patient)];
    rows.push(models::keys(&patient).await);
    rows.push(models::providers(&patient, online).await);
    rows.push(embedder::row(crew, online).await);
    rows.extend(access::rows(&patient, &tokens, doctor.online.as_deref()));
    rows.extend([services::identity(&patient, online).await, settings::mail(&patient, online).await]);
    rows.push(settings::github(&patient).await);
    rows.push(settings::definitions(&patient).await);
    rows.push(settings::cron(&patient).await);
    rows.push(alerts::row(&patient));
    rows.push(database::row(&doctor.root, env).await);
    rows.push(services::redis(&patient, online).await);
    let root = doctor.root.clone();
    let of_files = tokio::task::spawn_blocking(move || files::rows(&root)).await;
    rows.extend(of_files.unwrap_or_default());
    let token = tokens.ok().and_then(|tokens| tokens.known());
    rows.extend(online::rows(doctor.online.as_deref(), token.as_ref()).await);
    rows
}

fn config(patient: &Patient<'_>) -> Row {
    let place = ".crew/config.yaml";
    match Settings::read(patient.env, patient.root) {
        Ok(_) => Row::new("config", Verdict::Pass, place, "it can be used, or is not there"),
        Err(error) => Row::new("config", Verdict::Fail, place, error.to_string())
            .fix("mend it: until then no model is asked and no server starts"),
    }
}
