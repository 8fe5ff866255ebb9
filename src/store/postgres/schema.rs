//! The tables: made once, and refused when a newer program made them.

use tokio_postgres::Client;

use super::{Target, in_time, link};
use crate::{base::Tracker, store::Error};

/// The form of the tables that this program knows.
const FORMAT: i32 = 1;

/// A number for the lock under which tables are made; any that nobody else takes.
const MAKING: i64 = 0x6372_6577;

/// What is kept of the whole, every line, what is known of each subject in brief, and who works on them.
const TABLES: &str = "
create table {s}.about (
    one boolean primary key default true check (one),
    format integer not null,
    head bigint not null default 0
);
insert into {s}.about (format) values (1);
create table {s}.lines (
    n bigint primary key,
    subject text not null,
    writer text not null,
    ticket bigint not null,
    line text not null
);
create index lines_of_subject on {s}.lines (subject, n);
create table {s}.subjects (
    subject text primary key,
    -- Absent as long as all of its lines are needed.
    brief text
);
create index open_subjects on {s}.subjects (subject) where brief is null;
create table {s}.writers (
    writer text primary key,
    name text not null,
    seen timestamptz not null default clock_timestamp(),
    lease interval not null
);
";

/// Sees to it that the tables are there, and of a form that this program knows.
pub(super) async fn prepare(client: &Client, target: &Target) -> Result<(), Error> {
    const ACTION: &str = "prepare the tables in";
    if !is_there(client, target).await? {
        let make = format!("begin; select pg_advisory_xact_lock({MAKING})");
        in_time(target, ACTION, client.batch_execute(&make)).await?;
        // Somebody else may have made them meanwhile.
        if !is_there(client, target).await? {
            let statement = "select to_regnamespace($1) is not null";
            let asked = async { client.query_one(statement, &[&target.schema]).await };
            // Making a schema is a right of its own, which whoever was given one does not need.
            if !in_time(target, ACTION, asked).await?.get::<_, bool>(0) {
                let make = target.sql("create schema {s}");
                in_time(target, ACTION, client.batch_execute(&make)).await?;
            }
            in_time(target, ACTION, client.batch_execute(&target.sql(TABLES))).await?;
        }
        in_time(target, ACTION, client.batch_execute("commit")).await?;
    }
    Ok(())
}

/// The form of the tables; `None` when there are none.
async fn format_of(client: &Client, target: &Target) -> Result<Option<i32>, Error> {
    const ACTION: &str = "read the tables in";
    // Looked up in the catalogue itself: `to_regclass` may still tell what it told before a lock was waited for.
    let known =
        "select exists (select from pg_catalog.pg_tables where schemaname = $1 and tablename = 'about')";
    let known = async { client.query_one(known, &[&target.schema]).await };
    if !in_time(target, ACTION, known).await?.get::<_, bool>(0) {
        return Ok(None);
    }
    let asked = target.sql("select format from {s}.about");
    let row = in_time(target, ACTION, client.query_opt(&asked, &[])).await?;
    Ok(row.map(|row| row.get(0)))
}

/// Whether the tables are there, and of a form that this program knows.
pub(super) async fn is_there(client: &Client, target: &Target) -> Result<bool, Error> {
    match format_of(client, target).await? {
        Some(found) if found > FORMAT => {
            Err(Error::Newer { place: target.to_string(), found, known: FORMAT })
        }
        found => Ok(found.is_some()),
    }
}

/// What a database is found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The version of the server.
    pub server: String,
    /// Whether the tables are there.
    pub is_prepared: bool,
    /// Whether this user may write them, or make them.
    pub may_write: bool,
    /// The names of those who work on them now.
    pub writers: Vec<String>,
}

/// Looks at a database and changes nothing.
///
/// # Errors
/// When it cannot be reached, or its tables are of a newer form.
pub async fn inspect(target: &Target, tracker: &Tracker) -> Result<About, Error> {
    const ACTION: &str = "look at";
    let client = link::connect(target, tracker, None).await?;
    let server = in_time(target, ACTION, client.query_one("show server_version", &[])).await?.get(0);
    let is_prepared = is_there(&client, target).await?;
    let may = if is_prepared {
        target.sql(
            "select has_table_privilege('{s}.about', 'update') and has_table_privilege('{s}.lines', 'insert') \
             and has_table_privilege('{s}.lines', 'delete') and has_table_privilege('{s}.subjects', 'update') \
             and has_table_privilege('{s}.writers', 'delete')",
        )
    } else {
        "select has_database_privilege(current_database(), 'create')".to_owned()
    };
    let may_write = in_time(target, ACTION, client.query_one(&may, &[])).await?.get(0);
    let mut writers = Vec::new();
    if is_prepared {
        let asked =
            target.sql("select name from {s}.writers where seen + lease > clock_timestamp() order by name");
        let rows = in_time(target, ACTION, client.query(&asked, &[])).await?;
        writers = rows.iter().map(|row| row.get(0)).collect();
    }
    Ok(About { server, is_prepared, may_write, writers })
}
