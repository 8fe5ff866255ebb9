//! `knowlyr-crew mcp`.

use super::{
    args::{Global, McpArgs, Transport},
    exit::{Error, Outcome},
};
use crate::app::{self, Environment};

pub(super) async fn mcp(global: &Global, args: &McpArgs, env: &Environment) -> Result<Outcome, Error> {
    match args.transport {
        Transport::Stdio => app::stdio(&global.root(), env).await?,
    }
    Ok(Outcome::Done)
}
