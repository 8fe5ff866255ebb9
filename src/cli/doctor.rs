//! `knowlyr-crew doctor`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{
    args::{Form, Global},
    exit::{Error, Outcome},
    render,
    run::crew,
};
use crate::app::{
    Environment,
    doctor::{self, Doctor, Verdict},
};

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Ask a running server, too
    #[arg(long)]
    online: bool,
    /// Where it answers
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8765", requires = "online")]
    url: String,
    /// File that holds the bearer token, as `serve` is given it
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File of several tokens, as `serve` is given it
    #[arg(long, value_name = "FILE")]
    tokens_file: Option<PathBuf>,
}

pub(super) async fn doctor(global: &Global, args: &DoctorArgs, env: &Environment) -> Result<Outcome, Error> {
    let office = crew(global, env);
    let doctor = Doctor {
        root: global.root(),
        online: args.online.then(|| args.url.clone()),
        token_file: args.token_file.clone(),
        tokens_file: args.tokens_file.clone(),
    };
    let rows = doctor::examine(&doctor, env, &office).await;
    let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
    let failed = count(Verdict::Fail);
    match global.form() {
        Form::Json => render::json(&json!({"failed": failed, "warned": count(Verdict::Warn), "rows": rows}))?,
        Form::Text => {
            let shown = rows.iter().map(|row| {
                let fix = row.fix.as_deref().map(|fix| format!("\n→ {fix}")).unwrap_or_default();
                [
                    row.verdict.as_str().to_owned(),
                    row.id.to_owned(),
                    row.place.clone(),
                    format!("{}{fix}", row.found),
                ]
            });
            render::answer(&render::table(["", "CHECK", "WHERE", "FOUND"], shown))?;
        }
    }
    Ok(if failed == 0 { Outcome::Done } else { Outcome::Failed })
}
