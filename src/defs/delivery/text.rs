//! Texts with variables of the environment in them.

use std::{borrow::Cow, fmt};

use crate::base::Secret;

/// A text in which `${NAME}` stands for a variable of the environment. `Debug` shows the variables alone.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvText {
    parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
}

/// A `${` that names no variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unclosed;

impl EnvText {
    /// Reads a text; a `$` that is not followed by `{` is one.
    pub(super) fn parse(text: &str) -> Result<Self, Unclosed> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, tail) = after.split_once('}').ok_or(Unclosed)?;
            if !is_variable(name) {
                return Err(Unclosed);
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Variable(name.to_owned()));
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// The text as it is written, when it names no variable.
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The variables it names.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text with its variables filled in, once: what is filled in is never looked at again.
    ///
    /// # Errors
    /// The first variable that is not set.
    pub fn fill(&self, value: impl Fn(&str) -> Option<Secret>) -> Result<String, &str> {
        self.parts.iter().try_fold(String::new(), |mut filled, part| {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Variable(name) => filled.push_str(value(name).ok_or(name.as_str())?.expose()),
            }
            Ok(filled)
        })
    }

    /// As it is written. Not for what may be a secret.
    pub(super) fn written(&self) -> String {
        self.shown(Cow::Borrowed)
    }

    /// Of an address on the web, what comes before its path; the rest is often a secret, as is what a person writes in
    /// place of a variable.
    pub(super) fn origin(&self) -> String {
        let Some(Part::Text(first)) = self.parts.first() else {
            return self.shown(|_| Cow::Borrowed("…"));
        };
        let Some((scheme, rest)) = first.split_once("://") else {
            return self.shown(|_| Cow::Borrowed("…"));
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let host = authority.rsplit('@').next().unwrap_or_default();
        let more = if matches!(path, "" | "/") && self.parts.len() == 1 { "" } else { "/…" };
        format!("{scheme}://{host}{more}")
    }

    fn shown<'t>(&'t self, text_shown: impl Fn(&'t str) -> Cow<'t, str>) -> String {
        self.parts.iter().fold(String::new(), |mut shown, part| {
            match part {
                Part::Text(text) => shown.push_str(&text_shown(text)),
                Part::Variable(name) => shown.extend(["${", name, "}"]),
            }
            shown
        })
    }
}

/// Letters, digits and `_`, not beginning with a digit.
fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl fmt::Debug for EnvText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.shown(|_| Cow::Borrowed("…")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> EnvText {
        EnvText::parse(text).unwrap()
    }

    #[test]
    fn variables_are_filled_in_once() {
        let value = |name: &str| match name {
            "A" => Secret::new("${B}"),
            "B" => Secret::new("b"),
            _ => None,
        };
        assert_eq!(text("Bearer ${A}-${B}$C").fill(value), Ok("Bearer ${B}-b$C".to_owned()));
        assert_eq!(text("${A}${NONE}").fill(value), Err("NONE"));
        assert_eq!(EnvText::parse("a ${B"), Err(Unclosed));
        assert_eq!(EnvText::parse("${}"), Err(Unclosed));
        assert_eq!(EnvText::parse("${a b}"), Err(Unclosed));
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
        #[track_caller]
        fn check(written: &str, origin: &str, debug: &str) {
            assert_eq!(
                (text(written).origin(), format!("{:?}", text(written))),
                (origin.to_owned(), format!("`{debug}`"))
            );
        }
        check("https://hooks.example.com/T0/secret", "https://hooks.example.com/…", "…");
        check("https://user:pass@example.com:8443?token=x", "https://example.com:8443/…", "…");
        check("https://example.com/", "https://example.com", "…");
        check("https://example.com/${TOKEN}", "https://example.com/…", "…${TOKEN}");
        check("${HOOK_URL}", "${HOOK_URL}", "${HOOK_URL}");
        check("${HOOK_URL}/secret", "${HOOK_URL}…", "${HOOK_URL}…");
    }
}
