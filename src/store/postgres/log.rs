//! Writing the log: in turns.

use std::sync::Arc;

use futures_util::try_join;
use tokio_postgres::{Client, Row, Statement};

use super::{Target, in_time, link, schema};
use crate::{base::Tracker, store::Error};

/// How many lines are read at a time.
const PAGE: i64 = 1000;

/// The channel on which additions are told; what is told is the schema, as a database may hold many.
pub(super) const CHANNEL: &str = "crew_lines";

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number.
    pub n: i64,
    /// What it is about.
    pub subject: Arc<str>,
    /// Who added it.
    pub writer: Arc<str>,
    /// A number that its writer gave it.
    pub ticket: i64,
    /// Without a line break.
    pub text: String,
}

impl Line {
    /// From a row of n, subject, writer, ticket, line.
    pub(super) fn of(row: &Row) -> Self {
        let (subject, writer): (&str, &str) = (row.get(1), row.get(2));
        Self {
            n: row.get(0),
            subject: subject.into(),
            writer: writer.into(),
            ticket: row.get(3),
            text: row.get(4),
        }
    }
}

/// A line to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// What it is about.
    pub subject: Arc<str>,
    /// By which its writer knows it again.
    pub ticket: i64,
    /// Without a line break.
    pub text: String,
    /// What becomes of the subject in brief.
    pub brief: Brief,
}

/// What is known of a subject in brief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brief {
    /// As before.
    Same,
    /// Nothing: its lines are needed.
    None,
    /// This.
    Is(String),
}

/// A connection that adds lines.
pub struct SharedLog {
    target: Target,
    client: Client,
    writer: Arc<str>,
    lock: Statement,
    after: Statement,
    add: Statement,
    seal: Statement,
    tell: Statement,
}

impl std::fmt::Debug for SharedLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedLog").field("target", &self.target).finish_non_exhaustive()
    }
}

impl SharedLog {
    /// Connects for the writer of this name, and makes the tables if need be.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Newer`].
    pub async fn connect(target: &Target, writer: &Arc<str>, tracker: &Tracker) -> Result<Self, Error> {
        let client = link::connect(target, tracker, None).await?;
        schema::prepare(&client, target).await?;
        let statements = async {
            let lock = target.sql("select head from {s}.about for update");
            let after = target.sql(
                "select n, subject, writer, ticket, line from {s}.lines where n > $1 order by n limit $2",
            );
            let add = target.sql(
                "insert into {s}.lines (n, subject, writer, ticket, line) \
                 select n, subject, $2, ticket, line \
                 from unnest($1::bigint[], $3::text[], $4::bigint[], $5::text[]) as of (n, subject, ticket, line)",
            );
            let seal = target.sql(
                "insert into {s}.subjects (subject, brief) \
                 select subject, brief from unnest($1::text[], $2::text[]) as of (subject, brief) \
                 on conflict (subject) do update set brief = excluded.brief",
            );
            let tell = target.sql("with moved as (update {s}.about set head = $1) select pg_notify($2, $3)");
            try_join!(
                client.prepare(&lock),
                client.prepare(&after),
                client.prepare(&add),
                client.prepare(&seal),
                client.prepare(&tell)
            )
        };
        let (lock, after, add, seal, tell) = in_time(target, "use", statements).await?;
        Ok(Self { target: target.clone(), writer: Arc::clone(writer), client, lock, after, add, seal, tell })
    }

    /// Lines after the `n`th, in order, as far as they are committed: a part of them, when there are many; none when there
    /// are none.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn after(&self, n: i64) -> Result<Vec<Line>, Error> {
        let rows = in_time(&self.target, "read", self.client.query(&self.after, &[&n, &PAGE])).await?;
        Ok(rows.iter().map(Line::of).collect())
    }

    /// Takes the turn: until it is committed or given up, nobody else adds lines. `n` is the last one known here.
    ///
    /// # Errors
    /// [`Error::Database`]; [`Error::SetBack`] when there is no `n`th line.
    pub async fn turn(&mut self, n: i64) -> Result<Turn<'_>, Error> {
        const ACTION: &str = "take the turn in";
        // Sent together, done one after the other: the last one sees what was committed before the lock was had.
        let taken = async {
            try_join!(self.client.batch_execute("begin"), self.client.query_one(&self.lock, &[]), async {
                self.client.query(&self.after, &[&n, &PAGE]).await
            })
        };
        let ((), head, rows) = in_time(&self.target, ACTION, taken).await?;
        let head: i64 = head.get(0);
        if head < n {
            return Err(Error::SetBack { place: self.target.to_string() });
        }
        let mut news: Vec<Line> = rows.iter().map(Line::of).collect();
        while let Some(last) = news.last().map(|line| line.n).filter(|last| *last < head) {
            let more = self.after(last).await?;
            if more.is_empty() {
                break;
            }
            news.extend(more);
        }
        Ok(Turn { log: self, head, news })
    }

    /// Says farewell: this writer is none any more.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn leave(&self) -> Result<(), Error> {
        let statement = self.target.sql("delete from {s}.writers where writer = $1");
        let left = async { self.client.execute(&statement, &[&&*self.writer]).await };
        in_time(&self.target, "leave", left).await.map(drop)
    }
}

/// The turn to add lines.
#[derive(Debug)]
pub struct Turn<'l> {
    log: &'l mut SharedLog,
    /// The number of the last line.
    pub head: i64,
    /// What others have added since.
    pub news: Vec<Line>,
}

impl Turn<'_> {
    /// Which of these writers are gone: their lease is over, or they have left. Those whose lease is over are none any
    /// more once the turn is committed.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn gone(&self, writers: &[Arc<str>]) -> Result<Vec<Arc<str>>, Error> {
        const ACTION: &str = "look after the writers of";
        let (log, names) = (&*self.log, writers.iter().map(|name| &**name).collect::<Vec<&str>>());
        let over = log
            .target
            .sql("delete from {s}.writers where writer = any($1) and seen + lease < clock_timestamp()");
        in_time(&log.target, ACTION, log.client.execute(&over, &[&names])).await?;
        let left = log.target.sql("select writer from {s}.writers where writer = any($1)");
        let rows = in_time(&log.target, ACTION, log.client.query(&left, &[&names])).await?;
        let left: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
        Ok(writers.iter().filter(|name| !left.contains(&&***name)).cloned().collect())
    }

    /// All that is known of these subjects is needed no more.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn forget(&self, subjects: &[Arc<str>]) -> Result<(), Error> {
        let (log, names) = (&*self.log, subjects.iter().map(|name| &**name).collect::<Vec<&str>>());
        let lines = log.target.sql("delete from {s}.lines where subject = any($1)");
        let briefs = log.target.sql("delete from {s}.subjects where subject = any($1)");
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&names];
        let deleted = async {
            try_join!(log.client.execute(&lines, &parameters), log.client.execute(&briefs, &parameters))
        };
        in_time(&log.target, "remove forgotten lines from", deleted).await.map(drop)
    }

    /// Adds lines and ends the turn. They are kept once this returns; the answer is the number of the last line.
    ///
    /// # Errors
    /// [`Error::Database`]: whether they are kept is not known, see [`Line::ticket`].
    pub async fn commit(self, additions: &[Addition]) -> Result<i64, Error> {
        let log = &*self.log;
        let numbers: Vec<i64> = (self.head + 1..).take(additions.len()).collect();
        let head = numbers.last().copied().unwrap_or(self.head);
        let subjects: Vec<&str> = additions.iter().map(|it| &*it.subject).collect();
        let tickets: Vec<i64> = additions.iter().map(|it| it.ticket).collect();
        let lines: Vec<&str> = additions.iter().map(|it| it.text.as_str()).collect();
        let (mut sealed, mut briefs) = (Vec::new(), Vec::new());
        for addition in additions {
            let brief = match &addition.brief {
                Brief::Same => continue,
                Brief::None => None,
                Brief::Is(brief) => Some(brief.as_str()),
            };
            sealed.push(&*addition.subject);
            briefs.push(brief);
        }
        let (client, writer, schema) = (&log.client, &&*log.writer, &log.target.schema);
        let adding = async {
            if additions.is_empty() {
                return client.batch_execute("commit").await;
            }
            // Sent together; what follows one that fails fails too.
            try_join!(
                async { client.execute(&log.add, &[&numbers, writer, &subjects, &tickets, &lines]).await },
                async { client.execute(&log.seal, &[&sealed, &briefs]).await },
                async { client.execute(&log.tell, &[&head, &CHANNEL, schema]).await },
                client.batch_execute("commit")
            )
            .map(drop)
        };
        in_time(&log.target, "write to", adding).await?;
        Ok(head)
    }
}
