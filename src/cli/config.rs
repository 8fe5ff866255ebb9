//! `knowlyr-crew config`.

use clap::{Args, Subcommand};

use super::{
    access::Access,
    args::{Form, Global},
    exit::{Error, Outcome},
    render, serve,
};
use crate::app::{self, Environment, Settled};

/// The words of `config`.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// What a server would be started with: options go before the environment, that before .crew/config.yaml
    Show(Box<Access>),
}

pub(super) fn config(global: &Global, args: &ConfigArgs, env: &Environment) -> Result<Outcome, Error> {
    let ConfigCommand::Show(access) = &args.command;
    let token = (access.token.as_deref(), access.token_file.as_deref());
    let rows = app::in_force(env, &global.root(), serve::limiting(access), token);
    let rows = rows.map_err(anyhow::Error::from)?;
    if global.form() == Form::Json {
        render::json(&rows)?;
        return Ok(Outcome::Done);
    }
    let cells = rows.iter().map(|Settled { key, value, origin }| {
        [key.clone(), value.clone().unwrap_or_else(|| "-".to_owned()), origin.to_string()]
    });
    render::answer(&render::table(["SETTING", "VALUE", "FROM"], cells))?;
    Ok(Outcome::Done)
}
