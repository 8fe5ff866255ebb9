//! Everything but writing: hearing of news, reading, and keeping the lease.

use std::{sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt as _, TryStreamExt as _, pin_mut};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_postgres::Client;

use super::{Line, Target, in_time, link, log::CHANNEL, schema};
use crate::{base::Tracker, store::Error};

/// An answer without rows.
const NOTHING: &str = "select ''::text where false";

/// Somebody who writes the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The name its lines have.
    pub writer: Arc<str>,
    /// Whether its lease is over.
    pub is_over: bool,
}

/// What a log adds up to at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The number of its last line.
    pub head: i64,
    /// What is known in brief, subject by subject.
    pub briefs: Vec<(Arc<str>, String)>,
    /// The lines of all other subjects, in order.
    pub lines: Vec<Line>,
}

/// A connection that reads. It connects when it is first used, and again when it was lost.
#[derive(Debug)]
pub struct Readers {
    target: Target,
    tracker: Tracker,
    /// Woken by additions, and when the connection is lost.
    news: Arc<Notify>,
    client: Mutex<Option<Arc<Client>>>,
    /// Held while it connects.
    connecting: tokio::sync::Mutex<()>,
}

impl Readers {
    /// Of the log at `target`; connections are seen to in `tracker`.
    pub fn new(target: Target, tracker: Tracker) -> Self {
        Self {
            target,
            tracker,
            news: Arc::default(),
            client: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        }
    }

    /// Where the log is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Woken by additions, and when the connection is lost.
    pub fn news(&self) -> &Arc<Notify> {
        &self.news
    }

    /// Ends the connection.
    pub fn close(&self) {
        *self.client.lock() = None;
    }

    async fn client(&self) -> Result<Arc<Client>, Error> {
        let _one = self.connecting.lock().await;
        if let Some(client) = self.client.lock().clone().filter(|client| !client.is_closed()) {
            return Ok(client);
        }
        let client = link::connect(&self.target, &self.tracker, Some(Arc::clone(&self.news))).await?;
        in_time(&self.target, "listen to", client.batch_execute(&format!("listen {CHANNEL}"))).await?;
        let client = Arc::new(client);
        *self.client.lock() = Some(Arc::clone(&client));
        Ok(client)
    }

    /// Notes that `writer` is at work, under a lease of this length, and tells who else is. A writer that was not known is
    /// from now on.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn renew(&self, writer: &str, name: &str, lease: Duration) -> Result<Vec<Peer>, Error> {
        const ACTION: &str = "renew the lease in";
        let client = self.client().await?;
        let renew = self.target.sql(
            "insert into {s}.writers (writer, name, lease) values ($1, $2, make_interval(secs => $3)) \
             on conflict (writer) do update set seen = clock_timestamp(), lease = excluded.lease",
        );
        in_time(&self.target, ACTION, client.execute(&renew, &[&writer, &name, &lease.as_secs_f64()]))
            .await?;
        let asked = self.target.sql("select writer, seen + lease < clock_timestamp() from {s}.writers");
        let rows = in_time(&self.target, ACTION, client.query(&asked, &[])).await?;
        let peer =
            |row: &tokio_postgres::Row| Peer { writer: row.get::<_, &str>(0).into(), is_over: row.get(1) };
        Ok(rows.iter().map(peer).collect())
    }

    /// The lines about `subject`, in order; none when there are none.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn read(&self, subject: &str) -> Result<Vec<Line>, Error> {
        let client = self.client().await?;
        let asked = self
            .target
            .sql("select n, subject, writer, ticket, line from {s}.lines where subject = $1 order by n");
        let rows = in_time(&self.target, "read", client.query(&asked, &[&subject])).await?;
        Ok(rows.iter().map(Line::of).collect())
    }

    /// All lines, in order, at one moment.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Newer`].
    pub async fn all(&self) -> Result<impl Stream<Item = Result<String, Error>>, Error> {
        const ACTION: &str = "read";
        let client = link::connect(&self.target, &self.tracker, None).await?;
        let is_there = schema::is_there(&client, &self.target).await?;
        in_time(&self.target, ACTION, client.batch_execute("set statement_timeout = 0")).await?;
        let asked = if is_there {
            self.target.sql("select line from {s}.lines order by n")
        } else {
            NOTHING.to_owned()
        };
        let failed = || Error::database(ACTION, &self.target);
        let rows = client.query_raw(&asked, Vec::<i64>::new()).await.map_err(failed())?;
        // The connection lasts as long as its answer is read.
        let rows = rows.map(move |row| {
            let _client = &client;
            row.map(|row| row.get(0))
        });
        let target = self.target.clone();
        Ok(rows.map_err(move |error| Error::database(ACTION, &target)(error)))
    }

    /// Everything, at one moment. Nothing is read if there are no tables.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Newer`].
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        const ACTION: &str = "read";
        // Of its own: a long answer must not keep a lease from being renewed.
        let client = link::connect(&self.target, &self.tracker, None).await?;
        if !schema::is_there(&client, &self.target).await? {
            return Ok(Snapshot::default());
        }
        let begin = "begin isolation level repeatable read read only; set local statement_timeout = 0";
        in_time(&self.target, ACTION, client.batch_execute(begin)).await?;
        let asked = self.target.sql("select head from {s}.about");
        let head = in_time(&self.target, ACTION, client.query_one(&asked, &[])).await?.get(0);
        let failed = || Error::database(ACTION, &self.target);
        let asked = self.target.sql("select subject, brief from {s}.subjects where brief is not null");
        let rows = client.query_raw(&asked, Vec::<i64>::new()).await.map_err(failed())?;
        pin_mut!(rows);
        let mut briefs = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(failed())? {
            briefs.push((row.get::<_, &str>(0).into(), row.get(1)));
        }
        let asked = self.target.sql(
            "select n, subject, writer, ticket, line from {s}.lines join {s}.subjects using (subject) \
             where brief is null order by n",
        );
        let rows = client.query_raw(&asked, Vec::<i64>::new()).await.map_err(failed())?;
        pin_mut!(rows);
        let mut lines = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(failed())? {
            lines.push(Line::of(&row));
        }
        Ok(Snapshot { head, briefs, lines })
    }
}
