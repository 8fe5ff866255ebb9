//! `knowlyr-crew mcp`.

use super::{
    args::{Global, McpArgs, Transport},
    exit::{Error, Outcome},
    serve::{bind, limiting},
};
use crate::app::{self, Environment, Journal, Serve};

pub(super) async fn mcp(global: &Global, args: &McpArgs, env: &Environment) -> Result<Outcome, Error> {
    if args.transport == Transport::Stdio {
        app::stdio(&global.root(), &args.toolsets, env).await?;
        return Ok(Outcome::Done);
    }
    let serve = Serve {
        root: global.root(),
        bind: bind(&args.host, args.port, &args.access),
        token: args.access.token.clone(),
        token_file: args.access.token_file.clone(),
        tokens_file: args.access.tokens_file.clone(),
        limiting: limiting(&args.access),
        allowed_hosts: args.access.allow_host.clone(),
        toolsets: args.toolsets.clone(),
        cron: false,
        sse: args.transport == Transport::Sse,
        // An IDE may start one beside the server of the project.
        journal: Journal::IfFree,
    };
    super::serve::run(serve, env).await
}
