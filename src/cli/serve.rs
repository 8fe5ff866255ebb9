//! `knowlyr-crew serve`.

use super::{
    access::Access,
    args::{Global, ServeArgs},
    exit::{Error, Outcome},
    render,
};
use crate::app::{self, Bind, Environment, Journal, Limiting, Serve};

pub(super) async fn serve(global: &Global, args: &ServeArgs, env: &Environment) -> Result<Outcome, Error> {
    let serve = Serve {
        root: global.root(),
        bind: bind(&args.host, args.port, &args.access),
        token: args.access.token.clone(),
        token_file: args.access.token_file.clone(),
        tokens_file: args.access.tokens_file.clone(),
        limiting: limiting(&args.access),
        allowed_hosts: args.access.allow_host.clone(),
        toolsets: Vec::new(),
        cron: !args.no_cron,
        sse: false,
        journal: Journal::Required,
    };
    run(serve, env).await
}

/// Serves until the end is asked for, and says on stderr where.
pub(super) async fn run(serve: Serve, env: &Environment) -> Result<Outcome, Error> {
    app::serve(serve, env, |started| {
        render::findings(&started.findings);
        render::note(&started.to_string());
    })
    .await?;
    Ok(Outcome::Done)
}

pub(super) fn bind(host: &str, port: u16, access: &Access) -> Bind {
    Bind { host: host.to_owned(), port, insecure: access.insecure }
}

pub(super) fn limiting(access: &Access) -> Limiting {
    let args = &access.limiting;
    let trim = |texts: &[String]| texts.iter().map(|text| text.trim().to_owned()).collect();
    Limiting {
        rate_limit: args.rate_limit,
        trusted_proxies: trim(&args.trusted_proxy),
        cors_origins: trim(&args.cors_origins),
        max_body_bytes: args.max_body_bytes,
    }
}
