//! A server for the conformance suite of MCP: crew's own protocol and transports, with the fixtures the suite asks
//! for in place of employees and pipelines. Only tests run it; `run.sh` beside it does so.
#![allow(
    clippy::needless_pass_by_value,
    clippy::similar_names,
    clippy::unnecessary_wraps,
    reason = "fixtures read as a table: each says its outcome in the same form"
)]
#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a fault shows")]

mod host;
mod prompts;
mod resources;
mod skills;
mod tasks;
mod tools;

use std::{net::SocketAddr, sync::Arc};

use axum::serve::ListenerExt as _;
use crew::{base::Tracker, mcp};
use tokio::net::TcpListener;

use host::Target;

/// Where to serve.
#[derive(Debug, PartialEq, Eq)]
enum Transport {
    Stdio,
    Http(u16),
}

impl Transport {
    /// `--stdio`, or `--port N`; without either, a free port.
    fn read(mut words: impl Iterator<Item = String>) -> Option<Self> {
        match words.next().as_deref() {
            None => Some(Self::Http(0)),
            Some("--stdio") => Some(Self::Stdio),
            Some("--port") => words.next()?.parse().ok().map(Self::Http),
            Some(_) => None,
        }
    }
}

#[tokio::main]
async fn main() {
    let transport =
        Transport::read(std::env::args().skip(1)).expect("usage: conformance-target [--stdio | --port N]");
    let tracker = Tracker::new();
    let target = Arc::new(Target::new());
    match transport {
        Transport::Stdio => {
            let (stdin, stdout) = (tokio::io::stdin(), tokio::io::stdout());
            mcp::serve_stdio(target, stdin, stdout, tracker.clone()).await.unwrap();
            tracker.stop();
        }
        Transport::Http(port) => serve_http(target, port, tracker).await,
    }
}

async fn serve_http(target: Arc<Target>, port: u16, tracker: Tracker) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::print_stdout, reason = "the script that starts it reads the address there")]
    {
        println!("http://{address}/mcp");
    }
    // Events that are written one by one would otherwise wait for each other's acknowledgement.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, mcp::router(target, &mcp::Options::default(), tracker)).await.unwrap();
}
