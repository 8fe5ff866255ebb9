//! A database of a test's own, and a wire to it that can be cut.

use std::{
    io,
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use tokio_postgres::NoTls;

use crate::support::{Project, Server};

/// The lease of all servers here: short, so that nobody waits for long.
pub const LEASE: (&str, &str) = ("CREW_DATABASE_LEASE_SECONDS", "3");

/// A schema that is gone when this is dropped.
pub struct Database {
    pub url: String,
    pub schema: String,
}

/// The database that `CREW_TEST_POSTGRES` names; without it there is nothing to try.
#[expect(clippy::print_stderr, reason = "whoever runs the tests has to see that these try nothing")]
pub fn database() -> Option<Database> {
    #[expect(clippy::disallowed_methods, reason = "asks the person who runs the tests, not the program")]
    let Ok(url) = std::env::var("CREW_TEST_POSTGRES") else {
        eprintln!("skipped: set CREW_TEST_POSTGRES to postgres://… to try this");
        return None;
    };
    let schema = format!("crew_test_{}", uuid::Uuid::now_v7().simple());
    Some(Database { url, schema })
}

impl Database {
    /// What a server is told about it.
    pub fn env(&self) -> [(&str, &str); 3] {
        self.env_by(&self.url)
    }

    /// The same by another way there.
    pub fn env_by<'e>(&'e self, url: &'e str) -> [(&'e str, &'e str); 3] {
        [("CREW_DATABASE_URL", url), ("CREW_DATABASE_SCHEMA", &self.schema), LEASE]
    }

    /// Starts a server on it.
    pub fn server(&self, project: &Project, env: &[(&str, &str)]) -> Server {
        self.server_by(&self.url, project, env)
    }

    /// Starts a server that goes another way there.
    pub fn server_by(&self, url: &str, project: &Project, env: &[(&str, &str)]) -> Server {
        Server::start(project, &[], &[&self.env_by(url), env].concat())
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

/// A wire to the database.
pub struct Wire {
    pub url: String,
    state: Arc<Mutex<State>>,
    refusal: Arc<Condvar>,
}

#[derive(Default)]
struct State {
    is_cut: bool,
    /// How often somebody was turned away.
    refused: usize,
    open: Vec<TcpStream>,
}

impl Wire {
    pub fn to(database: &Database) -> Self {
        let (scheme, rest) = database.url.split_once("://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap();
        let (user, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let place = if place.contains(':') { place.to_owned() } else { format!("{place}:5432") };
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let user = if user.is_empty() { String::new() } else { format!("{user}@") };
        let url = format!("{scheme}://{user}127.0.0.1:{port}/{path}");
        let state = Arc::new(Mutex::new(State::default()));
        let refusal = Arc::new(Condvar::new());
        let (shared, told) = (Arc::clone(&state), Arc::clone(&refusal));
        thread::spawn(move || {
            for incoming in listener.incoming() {
                let Ok(incoming) = incoming else { return };
                let mut state = shared.lock().unwrap();
                if state.is_cut {
                    state.refused += 1;
                    told.notify_all();
                    continue;
                }
                let Ok(outgoing) = TcpStream::connect(&place) else { continue };
                state.open.extend([incoming.try_clone().unwrap(), outgoing.try_clone().unwrap()]);
                drop(state);
                carry(incoming.try_clone().unwrap(), outgoing.try_clone().unwrap());
                carry(outgoing, incoming);
            }
        });
        Self { url, state, refusal }
    }

    /// Nothing goes through any more.
    pub fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        (state.is_cut, state.refused) = (true, 0);
        for stream in state.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Waits until somebody was turned away since this was last called.
    pub fn wait_for_refusal(&self) {
        let state = self.state.lock().unwrap();
        self.refusal.wait_while(state, |state| state.refused == 0).unwrap().refused = 0;
    }

    /// It can be used again.
    pub fn mend(&self) {
        self.state.lock().unwrap().is_cut = false;
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}
