//! A database of a test's own, and a wire to it that can be cut.

use std::thread;

use tokio_postgres::NoTls;

use crate::support::{Kind, Project, Relay, Server, elsewhere};

/// The lease of all servers here: short, so that nobody waits for long.
pub const LEASE: (&str, &str) = ("CREW_DATABASE_LEASE_SECONDS", "3");

/// A schema that is gone when this is dropped.
pub struct Database {
    pub url: String,
    pub schema: String,
}

/// The database that `CREW_TEST_POSTGRES` names; without it there is nothing to try.
pub fn database() -> Option<Database> {
    let url = elsewhere(Kind::Postgres)?;
    let schema = format!("crew_test_{}", uuid::Uuid::now_v7().simple());
    Some(Database { url, schema })
}

impl Database {
    /// What a server is told about it.
    pub fn env(&self) -> [(&str, &str); 3] {
        self.env_by(&self.url)
    }

    fn env_by<'e>(&'e self, url: &'e str) -> [(&'e str, &'e str); 3] {
        [("CREW_DATABASE_URL", url), ("CREW_DATABASE_SCHEMA", &self.schema), LEASE]
    }

    /// A wire to it.
    pub async fn wire(&self) -> Relay {
        let (_, place, _) = self.parts();
        let place = if place.contains(':') { place.to_owned() } else { format!("{place}:5432") };
        Relay::to(&place, None).await
    }

    /// The address, cut before and behind the place of the database.
    fn parts(&self) -> (&str, &str, &str) {
        let start = self.url.find('@').or_else(|| self.url.find("//").map(|at| at + 1)).unwrap() + 1;
        let end = start + self.url[start..].find('/').unwrap();
        (&self.url[..start], &self.url[start..end], &self.url[end..])
    }

    /// Starts a server on it.
    pub fn server(&self, project: &Project, env: &[(&str, &str)]) -> Server {
        Server::start(project, &[], &[&self.env(), env].concat())
    }

    /// Starts a server on it that has but this wire.
    pub fn server_by(&self, wire: &Relay, project: &Project, env: &[(&str, &str)]) -> Server {
        let (before, _, behind) = self.parts();
        let url = format!("{before}127.0.0.1:{}{behind}", wire.port);
        Server::start(project, &[], &[&self.env_by(&url), env].concat())
    }

    /// Asks it something that is answered by texts.
    pub fn ask(&self, statement: &str) -> Vec<Vec<String>> {
        let (url, statement) = (self.url.clone(), statement.replace("{s}", &self.schema));
        let asked = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
                let asked = async {
                    let rows = client.query(&statement, &[]).await.unwrap();
                    rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
                };
                tokio::select! {
                    answer = asked => answer,
                    ended = connection => panic!("{ended:?}"),
                }
            })
        });
        asked.join().unwrap()
    }

    /// What is on record about a task: who wrote each line, and the line.
    pub fn lines(&self, task: &str) -> Vec<(String, serde_json::Value)> {
        let rows =
            self.ask(&format!("select writer, line from {{s}}.lines where subject = '{task}' order by n"));
        rows.into_iter().map(|row| (row[0].clone(), serde_json::from_str(&row[1]).unwrap())).collect()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.ask("drop schema if exists {s} cascade");
        }
    }
}
