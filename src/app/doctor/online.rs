//! Rows that a running server decides; asked for only when the network may be touched.

use std::time::Duration;

use http::{HeaderValue, header};

use super::{Row, Verdict};
use crate::{
    app::{Environment, config},
    base::reach::Allowed,
    engine::outbound::{Outbound, Request},
};

/// The very bytes that probes compare with.
const HEALTHY: &str = r#"{"status":"ok","service":"crew-webhook"}"#;

/// What one question may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Id, path, and what a good answer says.
const ASKED: [(&str, &str, &str); 3] = [
    ("health", "/health", HEALTHY),
    ("metrics", "/metrics", "\"by_provider\""),
    ("cron-status", "/cron/status", "\"schedules\""),
];

pub(super) async fn rows(server: Option<&str>, env: &Environment) -> Vec<Row> {
    let Some(server) = server else {
        let skip = |(id, path, _): (&'static str, &str, &str)| {
            Row::new(id, Verdict::Skip, path, "not asked; --online does")
        };
        return ASKED.into_iter().map(skip).collect();
    };
    // The operator names the place, which is usually this machine.
    let everywhere = ["0.0.0.0/0", "::/0"].iter().filter_map(|range| Allowed::parse(range).ok()).collect();
    let web = Outbound::new(everywhere);
    let mut rows = Vec::new();
    for (id, path, expected) in ASKED {
        rows.push(ask(&web, server, env, id, path, expected).await);
    }
    rows
}

async fn ask(
    web: &Outbound,
    server: &str,
    env: &Environment,
    id: &'static str,
    path: &str,
    expected: &str,
) -> Row {
    let place = format!("{}{path}", server.trim_end_matches('/'));
    let mut request = Request { redirects: 0, time: PATIENCE, ..Request::get(&place) };
    if let Ok(Some((token, _))) = config::token(env, None, None)
        && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
    {
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    let fix = "knowlyr-crew serve, with the same environment";
    match web.send(request).await {
        Err(error) => Row::new(id, Verdict::Fail, place, error.chain()).fix(fix),
        Ok(answer) => {
            let said = String::from_utf8_lossy(&answer.body);
            if answer.status.is_success() && said.contains(expected) {
                Row::new(id, Verdict::Pass, place, format!("answered {}", answer.status.as_u16()))
            } else {
                let found = format!("answered {} with something else", answer.status.as_u16());
                Row::new(id, Verdict::Fail, place, found).fix(fix)
            }
        }
    }
}
