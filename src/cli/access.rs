//! Who may call a server, and how often: the words for it.

use std::path::PathBuf;

use clap::Args;

/// Who may call a server.
#[derive(Debug, Args)]
pub(super) struct Access {
    /// Bearer token that callers must bring. Other users of this machine can read it from the process list: prefer
    /// `CREW_API_TOKEN` or --token-file
    #[arg(long, alias = "api-token", value_name = "TOKEN")]
    pub(super) token: Option<String>,
    /// File that holds the bearer token
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// File of several tokens, each with a name and scopes (`read`, `run`, `admin`); read again when it changes
    #[arg(long, value_name = "FILE")]
    pub(super) tokens_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) limiting: LimitArgs,
    /// Host names under which browsers and MCP clients may reach this server, besides localhost
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) allow_host: Vec<String>,
    /// Allow an address that others can reach without a token
    #[arg(long)]
    pub(super) insecure: bool,
}

/// How much a server accepts of whom.
#[derive(Debug, Args)]
pub(super) struct LimitArgs {
    /// Requests that one address may make in a minute once there is a token; 0 for any number [default: 60]
    #[arg(long, value_name = "N")]
    pub(super) rate_limit: Option<u32>,
    /// Addresses or ranges (`10.0.0.0/8`) of proxies whose X-Forwarded-For tells the client's address
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub(super) trusted_proxy: Vec<String>,
    /// Origins whose pages may call, as in `https://app.example.com`
    #[arg(
        long = "cors-origins",
        visible_alias = "cors-origin",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    pub(super) cors_origins: Vec<String>,
    /// Largest body of a request, in bytes [default: 1048576]
    #[arg(long, value_name = "BYTES")]
    pub(super) max_body_bytes: Option<u32>,
}
