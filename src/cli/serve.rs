//! `knowlyr-crew serve`.

use super::{
    args::{Global, ServeArgs},
    exit::{Error, Outcome},
    render,
};
use crate::app::{self, Bind, Environment, Serve};

pub(super) async fn serve(global: &Global, args: &ServeArgs, env: &Environment) -> Result<Outcome, Error> {
    let serve = Serve {
        root: global.root(),
        bind: Bind { host: args.host.clone(), port: args.port, insecure: args.insecure },
        token: args.token.clone(),
        token_file: args.token_file.clone(),
        allowed_hosts: args.allow_host.clone(),
        cron: !args.no_cron,
    };
    app::serve(serve, env, |started| {
        render::findings(&started.findings);
        render::note(&started.to_string());
    })
    .await?;
    Ok(Outcome::Done)
}
