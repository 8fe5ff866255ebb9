//! How things look on a terminal. Answers go to stdout, all else to stderr.

mod diagnostic;
mod table;

use std::io::{self, Write as _};

use jiff::Timestamp;
use serde::Serialize;

pub(super) use diagnostic::{Topic, findings, findings_on, plain};
pub(super) use table::table;

/// Prints an answer.
pub(super) fn answer(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Prints an answer piece by piece.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// Whether the last line lacks its end.
    open: bool,
}

impl Pieces {
    /// Prints the next piece, at once.
    pub(super) fn piece(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.open = !text.ends_with('\n');
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Ends the last line, if need be.
    pub(super) fn end(self) -> io::Result<()> {
        if self.open { answer("") } else { Ok(()) }
    }
}

/// Prints an answer as one JSON document.
pub(super) fn json(value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    answer(&text)
}

/// A moment as lists tell it, to the second.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// The same of a moment that was written down; what is none stays as it is.
pub(super) fn recorded(at: &str) -> String {
    at.parse().map_or_else(|_| at.to_owned(), moment)
}

/// Says something beside the answer.
pub(super) fn note(text: &str) {
    // There is nobody left to tell when stderr is closed.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Says why a command did not get through, and what led to it.
pub(super) fn error(message: &str, causes: impl Iterator<Item = String>) {
    note(&format!("\u{1b}[1;31merror\u{1b}[0m: {message}"));
    for cause in causes {
        note(&format!("  caused by: {cause}"));
    }
}
