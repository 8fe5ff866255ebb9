//! Rows that a running server decides; asked for only when the network may be touched.

use std::time::Duration;

use http::{HeaderValue, header};

use super::{Row, Verdict};
use crate::{
    base::{Secret, reach::Allowed},
    engine::outbound::{Outbound, Request},
};

/// The very bytes that probes compare with.
const HEALTHY: &str = r#"{"status":"ok","service":"crew-webhook"}"#;

/// What one question may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a good answer is.
#[derive(Clone, Copy)]
enum Good {
    /// These bytes.
    Exactly(&'static str),
    /// One that has this in it.
    Holding(&'static str),
}

/// Id, path, and what a good answer is.
const ASKED: [(&str, &str, Good); 3] = [
    ("health", "/health", Good::Exactly(HEALTHY)),
    ("metrics", "/metrics", Good::Holding("\"by_provider\"")),
    ("cron-status", "/cron/status", Good::Holding("\"schedules\"")),
];

/// `token` opens the server, if one is known.
pub(super) async fn rows(server: Option<&str>, token: Option<&Secret>) -> Vec<Row> {
    let Some(server) = server else {
        let skip = |(id, path, _): (&'static str, &str, Good)| {
            Row::new(id, Verdict::Skip, path, "not asked; --online does")
        };
        return ASKED.into_iter().map(skip).collect();
    };
    // The operator names the place, which is usually this machine.
    let everywhere = ["0.0.0.0/0", "::/0"].iter().filter_map(|range| Allowed::parse(range).ok()).collect();
    let web = Outbound::new(everywhere);
    let mut rows = Vec::new();
    for (id, path, good) in ASKED {
        let place = format!("{}{path}", server.trim_end_matches('/'));
        rows.push(ask(&web, token, id, place, good).await);
    }
    rows
}

async fn ask(web: &Outbound, token: Option<&Secret>, id: &'static str, place: String, good: Good) -> Row {
    let mut request = Request { redirects: 0, time: PATIENCE, ..Request::get(&place) };
    if let Some(token) = token
        && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
    {
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    let fix = "knowlyr-crew serve, with the same environment";
    let answer = match web.send(request).await {
        Ok(answer) => answer,
        Err(error) => return Row::new(id, Verdict::Fail, place, error.chain()).fix(fix),
    };
    let status = answer.status.as_u16();
    let is_good = match good {
        Good::Exactly(bytes) => answer.body == bytes,
        Good::Holding(part) => String::from_utf8_lossy(&answer.body).contains(part),
    };
    match (status, token) {
        _ if answer.status.is_success() && is_good => {
            Row::new(id, Verdict::Pass, place, format!("answered {status}"))
        }
        (401, None) => Row::new(
            id,
            Verdict::Skip,
            place,
            "it wants a token (401), and none is known here: set CREW_API_TOKEN or --token-file",
        ),
        (401, Some(_)) => Row::new(id, Verdict::Fail, place, "it wants another token (401)").fix(fix),
        _ => Row::new(id, Verdict::Fail, place, format!("answered {status} with something else")).fix(fix),
    }
}
