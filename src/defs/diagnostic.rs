//! What can be said about a definition, and where.

use std::{fmt, sync::Arc};

use schemars::JsonSchema;
use serde::Serialize;

/// A text and the name people know it by, for instance a path relative to the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// How messages name it.
    pub name: Arc<str>,
    /// All of it.
    pub text: Arc<str>,
}

impl Source {
    /// A named text.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Line and column of a byte, both from 1; columns count characters.
    pub fn position(&self, byte: usize) -> (u32, u32) {
        let before = self.text.get(..byte.min(self.text.len())).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }
}

/// Bytes `start..end` of a [`Source`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It is read, but something is likely not as meant.
    Warning,
    /// It cannot be used.
    Error,
}

/// A place in a source and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Label {
    /// Where, in bytes.
    pub span: Span,
    /// Line of its start, from 1.
    pub line: u32,
    /// Column of its start in characters, from 1.
    pub column: u32,
    /// What is to be said; may be empty.
    pub text: String,
}

/// One finding about a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Diagnostic {
    /// Stable name of the rule, kebab-case.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: lower case, no full stop, values in backticks.
    pub message: String,
    /// The file or other source it was found in.
    pub source: Arc<str>,
    /// The places; the first is the main one. Empty when the whole source is meant.
    pub labels: Vec<Label>,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Diagnostic {
    /// A finding in `source`, at `span` if it has a place.
    pub fn new(
        code: &'static str,
        severity: Severity,
        source: &Source,
        span: Option<Span>,
        message: impl Into<String>,
    ) -> Self {
        let mut found = Self {
            code,
            severity,
            message: message.into(),
            source: Arc::clone(&source.name),
            labels: Vec::new(),
            help: None,
        };
        if let Some(span) = span {
            found.add_label(source, span, "");
        }
        found
    }

    /// The same with a word on what to write instead.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a place in `source`, which must be the source it was made for.
    pub fn add_label(&mut self, source: &Source, span: Span, text: impl Into<String>) {
        let (line, column) = source.position(span.start);
        self.labels.push(Label { span, line, column, text: text.into() });
    }

    /// The first place, if it has one.
    pub fn place(&self) -> Option<&Label> {
        self.labels.first()
    }
}

/// One line: `path:line:column: error[code]: message`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some(label) = self.place() {
            write!(f, ":{}:{}", label.line, label.column)?;
        }
        write!(f, ": {}[{}]: {}", self.severity, self.code, self.message)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}
