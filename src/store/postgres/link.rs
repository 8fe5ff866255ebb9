//! One connection to the database.

use std::{future::poll_fn, sync::Arc};

use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, Client};

use super::{PATIENCE, Target, in_time, tls::Tls};
use crate::{base::Tracker, store::Error};

/// What a session is like: whoever holds the turn and stops moving loses it, so that others can go on.
const SESSION: &str = "set idle_in_transaction_session_timeout = '5s'; set statement_timeout = '20s'; \
    set lock_timeout = '10s'; set default_transaction_isolation = 'read committed'";

/// Connects; what else the connection has to do is done in `tracker` until the client is dropped. `news` is woken by
/// whatever is told on a channel that is listened to.
pub(super) async fn connect(
    target: &Target,
    tracker: &Tracker,
    news: Option<Arc<Notify>>,
) -> Result<Client, Error> {
    const ACTION: &str = "reach";
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::Database {
        action: ACTION,
        place: target.to_string(),
        lasts: true,
        source,
    };
    let trust = target.trust.clone();
    let tls = tokio::task::spawn_blocking(move || Tls::new(&trust)).await;
    let tls = tls.map_err(|error| failed(error.into()))?.map_err(|error| failed(error.into()))?;
    // The time limit of the driver holds for each address; this one for all.
    let connecting = tokio::time::timeout(PATIENCE, target.config.connect(tls)).await;
    let connected = connecting.map_err(|_| Error::slow(ACTION, target))?;
    let (client, mut connection) = connected.map_err(Error::database(ACTION, target))?;
    let schema = target.schema.clone();
    tracker.spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            let told =
                |message| matches!(message, AsyncMessage::Notification(told) if told.payload() == schema);
            if let Some(news) = news.as_ref().filter(|_| told(message)) {
                news.notify_one();
            }
        }
        // Whoever waits for news finds out what became of the connection.
        if let Some(news) = news {
            news.notify_one();
        }
    });
    in_time(target, ACTION, client.batch_execute(SESSION)).await?;
    Ok(client)
}
