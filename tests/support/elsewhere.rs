//! Servers that tests need and do not start themselves.

use std::{io::Write as _, sync::Once};

/// Which server.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Postgres,
    Redis,
}

/// The address of a server of that kind, if whoever runs the tests names one. Without it there is nothing to try, which is
/// said once, where the runner of the tests does not keep it to itself: what is printed in a test is shown of those alone
/// that fail.
pub fn elsewhere(kind: Kind) -> Option<String> {
    static POSTGRES: Once = Once::new();
    static REDIS: Once = Once::new();
    let (variable, told, example) = match kind {
        Kind::Postgres => ("CREW_TEST_POSTGRES", &POSTGRES, "postgres://postgres@127.0.0.1:5432/test"),
        Kind::Redis => ("CREW_TEST_REDIS", &REDIS, "redis://127.0.0.1:6379"),
    };
    #[expect(clippy::disallowed_methods, reason = "asks the person who runs the tests, not the program")]
    let address = std::env::var(variable).ok().filter(|address| !address.trim().is_empty());
    if address.is_none() {
        told.call_once(|| {
            let line = format!("\nNOT TRIED: tests pass that need {variable}, for instance {example}\n");
            // Nobody to tell is no fault of the tests.
            let _ = std::io::stderr().write_all(line.as_bytes());
        });
    }
    address
}
