//! A string that must never be shown: API keys, tokens, webhook secrets.

use std::fmt;

/// A secret value. `Debug` prints `***`; there is no `Display` and no `Serialize`.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a value; surrounding white space is dropped, as it is never part of a key but often of a file.
    pub fn new(value: &str) -> Option<Self> {
        let value = value.trim();
        (!value.is_empty()).then(|| Self(value.into()))
    }

    /// The value itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in a time that depends on the lengths alone, byte by byte (so any bytes may be offered).
    pub fn matches(&self, offered: &[u8]) -> bool {
        constant_time_eq::constant_time_eq(self.0.as_bytes(), offered)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_prints_itself() {
        let secret = Secret::new(" s3cret\n").unwrap();
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(secret.expose(), "s3cret");
    }

    #[test]
    fn compares_bytes_that_are_not_text() {
        let secret = Secret::new("s3cret").unwrap();
        assert!(secret.matches(b"s3cret"));
        assert!(!secret.matches(b"s3cre\xff"));
        assert!(!secret.matches(b""));
    }

    #[test]
    fn blank_is_no_secret() {
        assert!(Secret::new(" \n").is_none());
    }
}
