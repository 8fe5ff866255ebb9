//! The database: how it is opened, and what is in it.

use std::{fs, io, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::Error;

/// Of the tables and of how texts are cut; an index of another one is thrown away.
const VERSION: i64 = 3;
/// How long to wait for another process that writes.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait before asking again.
const MOMENT: Duration = Duration::from_millis(5);

const TABLES: &str = "
    create table employee (
        key integer primary key,
        name text not null unique,
        stamp text,
        -- The number the next entry gets; numbers go up in the order in which entries came.
        next integer not null default 0,
        -- Entries below this are in blocks; the others are looked through one by one.
        folded integer not null default 0,
        live integer not null default 0,
        -- Words of all live entries together.
        length integer not null default 0,
        -- How much more alike neighbours are than any two entries.
        coherence real not null default 0,
        -- Another number after every change.
        changed integer not null default 0,
        -- Entries below this have a vector, or are to have none.
        embedded integer not null default 0
    );
    create table entry (
        -- The key of the employee and the number of the entry, see `block::place`.
        place integer primary key,
        id text not null unique,
        category text not null,
        tags text not null,
        private integer not null,
        classification text not null,
        domains text not null,
        created_at integer not null,
        importance integer not null,
        confidence real not null,
        usefulness real not null,
        length integer not null,
        source integer not null,
        words blob not null
    );
    -- Of each block of entries: their lengths, two bytes each; 0 for one that is gone.
    create table block (
        employee integer not null, first integer not null, lengths blob not null,
        primary key (employee, first)
    ) without rowid;
    -- Of each block of entries: what stands for their ids, eight bytes each. It never changes.
    create table name (
        employee integer not null, first integer not null, names blob not null,
        primary key (employee, first)
    ) without rowid;
    -- Of each word in a block: in which entries, and how much it weighs there.
    create table posting (
        employee integer not null, term integer not null, first integer not null, entries blob not null,
        primary key (employee, term, first)
    ) without rowid;
    -- In how many entries of the blocks a word is.
    create table term (
        employee integer not null, term integer not null, entries integer not null,
        primary key (employee, term)
    ) without rowid;
    -- Words as they are spelled, for those that were misspelled.
    create table spelling (word text primary key) without rowid;
    -- Whose vectors there are; no row while there were never any.
    create table embedding (
        one integer primary key check (one = 1),
        model text not null,
        -- Which entries it is told of.
        scope text not null,
        -- 0 until there is a vector.
        dimensions integer not null,
        -- Another number whenever all vectors went.
        epoch integer not null,
        -- How many vectors went one by one since then.
        gone integer not null
    );
    create table vector (
        -- Goes up, so that what is new is behind what is known.
        number integer primary key autoincrement,
        employee integer not null,
        id text not null unique,
        -- That of the entry as it was.
        source integer not null,
        bits blob not null
    );
";

/// Opens the database at `path`, and makes it anew when it is not one that can be used.
pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    match try_open(path) {
        Err(error) if error.is_torn() => {
            discard(path)?;
            try_open(path)
        }
        result => result,
    }
}

/// Removes the database at `path`.
pub(super) fn discard(path: &Path) -> Result<(), Error> {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        match fs::remove_file(&name) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Place { path: name.into(), source });
            }
            _ => {}
        }
    }
    Ok(())
}

fn try_open(path: &Path) -> Result<Connection, Error> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| Error::Place { path: folder.to_owned(), source })?;
    }
    private(path)?;
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    begin_wal(&connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Derived: losing the last moments to a power cut costs reading them from the files again. Whoever writes moves what
    // was written to its place only when nobody did so behind it for long, see `upkeep`.
    connection.execute_batch(
        "pragma synchronous = normal; pragma wal_autocheckpoint = 16000;
         pragma journal_size_limit = 33554432; pragma cache_size = -16000; pragma temp_store = memory;",
    )?;
    let version =
        |connection: &Connection| connection.query_row("pragma user_version", [], |row| row.get::<_, i64>(0));
    if version(&connection)? != VERSION {
        let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been faster.
        if version(&change)? != VERSION {
            let mut tables = change
                .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite%'")?;
            let names =
                tables.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            drop(tables);
            for name in names {
                change.execute_batch(&format!("drop table \"{}\"", name.replace('"', "\"\"")))?;
            }
            change.execute_batch(TABLES)?;
            change.pragma_update(None, "user_version", VERSION)?;
        }
        change.commit()?;
    }
    Ok(connection)
}

/// Has writers leave readers alone. The first one to say so needs the file for itself, and SQLite does not wait for that.
fn begin_wal(connection: &Connection) -> Result<(), Error> {
    let mut waited = Duration::ZERO;
    loop {
        match connection.query_row("pragma journal_mode = wal", [], |_| Ok(())) {
            Err(rusqlite::Error::SqliteFailure(failure, _))
                if failure.code == rusqlite::ErrorCode::DatabaseBusy && waited < PATIENCE =>
            {
                std::thread::sleep(MOMENT);
                waited += MOMENT;
            }
            done => return Ok(done?),
        }
    }
}

/// Makes an empty file that only its owner can read, when there is none; memories are nobody else's business.
fn private(path: &Path) -> Result<(), Error> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::Place { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
