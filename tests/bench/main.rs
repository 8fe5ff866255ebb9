//! What the benchmarks measure: one tool, `echo`, behind crew's MCP, behind rmcp's, and as a bare handler that returns
//! the same bytes and so is the limit. Only `run.py` beside this runs it.
//!
//! ```text
//! bench-target crew          MCP over HTTP on a free port, by crew
//! bench-target rmcp          the same by rmcp, without sessions
//! bench-target rmcp-sessions the same by rmcp, with the sessions of the older era
//! bench-target bare FILE     the contents of FILE as the answer to every POST, and to GET /health
//! bench-target stdio         MCP over stdin and stdout, by crew
//! bench-target nothing       ends at once: what a process costs
//! ```
#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a fault shows")]

mod echo;
mod rival;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    http::header,
    routing::{get, post},
    serve::ListenerExt as _,
};
use crew::{base::Tracker, mcp};
use tokio::net::TcpListener;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["nothing"] => {}
        ["stdio"] => run(stdio()),
        ["crew"] => {
            run(serve(mcp::router(Arc::new(echo::Echo::new()), &mcp::Options::default(), Tracker::new())));
        }
        ["rmcp"] => run(serve(rival::router(rival::Sessions::None))),
        ["rmcp-sessions"] => run(serve(rival::router(rival::Sessions::Kept))),
        ["bare", file] => run(serve(bare(std::fs::read(file).unwrap().into()))),
        _ => panic!("usage: bench-target crew | rmcp | rmcp-sessions | bare FILE | stdio | nothing"),
    }
}

fn run(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work);
}

async fn stdio() {
    let tracker = Tracker::new();
    let (stdin, stdout) = (tokio::io::stdin(), tokio::io::stdout());
    mcp::serve_stdio(Arc::new(echo::Echo::new()), stdin, stdout, tracker.clone()).await.unwrap();
    tracker.stop();
}

/// Reads the body, as it has to, and returns `answer`.
fn bare(answer: Bytes) -> Router {
    let reply = move |answer| async move { ([(header::CONTENT_TYPE, "application/json")], answer) };
    let health = answer.clone();
    Router::new()
        .route("/mcp", post(move |_: Bytes| reply(answer)))
        .route("/health", get(move || reply(health)))
}

async fn serve(router: Router) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(clippy::print_stdout, reason = "the script that starts it reads the address there")]
    {
        println!("http://{address}/mcp");
    }
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await.unwrap();
}
