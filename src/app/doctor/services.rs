//! Rows of services that a server asks, if there are any; they are asked only when the network may be touched.

use super::{Patient, Row, Verdict};
use crate::app::{identity, settling::Settling, sharing};

const ONLINE: &str = "not asked, --online does";

/// Who agents are.
pub(super) async fn identity(patient: &Patient<'_>, online: bool) -> Row {
    let row = |verdict, found: String| {
        Row::new("identity", verdict, "KNOWLYR_ID_URL, KNOWLYR_ID_TOKEN, AGENT_API_TOKEN", found)
    };
    let service = match identity::settle(&mut Settling::new(patient.env)) {
        Ok(None) => return row(Verdict::Skip, "the identity service is not in use".to_owned()),
        Err(error) => {
            return row(Verdict::Fail, error.to_string()).fix("mend the variable: no server starts with it");
        }
        Ok(Some(service)) => service,
    };
    if !online {
        return row(Verdict::Skip, format!("runs that name an `agent_id` ask {}; {ONLINE}", service.place()));
    }
    match service.greet().await {
        Ok(()) => row(Verdict::Pass, format!("{} answers", service.place())),
        Err(error) => row(Verdict::Warn, format!("{}: {error}; runs go on without it", service.place()))
            .fix("mend the address or the token"),
    }
}

/// Whether replicas share their limits.
pub(super) async fn redis(patient: &Patient<'_>, online: bool) -> Row {
    let row = |verdict, found: String| Row::new("redis", verdict, sharing::URL, found);
    let shared = match sharing::settle(&mut Settling::new(patient.env)) {
        Ok(None) => return row(Verdict::Skip, "each server keeps to its limits by itself".to_owned()),
        Err(error) => {
            return row(Verdict::Fail, error.to_string()).fix("mend the variable: no server starts with it");
        }
        Ok(Some(shared)) => shared,
    };
    if !online {
        return row(Verdict::Skip, format!("limits are shared there; {ONLINE}"));
    }
    match shared.greet().await {
        Ok(()) => row(Verdict::Pass, "limits are shared there".to_owned()),
        Err(error) => row(Verdict::Fail, format!("limits are not shared: {error}"))
            .fix("start it, or mend the variable; until then each server keeps to its limits by itself"),
    }
}
