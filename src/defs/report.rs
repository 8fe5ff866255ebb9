//! Collects what is to be said about one source.

use super::{
    codes,
    diagnostic::{Diagnostic, Severity, Source, Span},
};

/// More than this is noise: the cause is one mistake, or the file is none of ours.
const MOST: usize = 100;

/// Everything found in one source so far.
pub(super) struct Report<'s> {
    source: &'s Source,
    found: Vec<Diagnostic>,
    /// Takes what is found after [`MOST`].
    surplus: Option<Diagnostic>,
}

impl<'s> Report<'s> {
    pub(super) fn new(source: &'s Source) -> Self {
        Self { source, found: Vec::new(), surplus: None }
    }

    pub(super) fn source(&self) -> &'s Source {
        self.source
    }

    pub(super) fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) -> Draft<'_> {
        self.add(code, Severity::Error, Some(span), message.into())
    }

    pub(super) fn warning(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
    ) -> Draft<'_> {
        self.add(code, Severity::Warning, Some(span), message.into())
    }

    /// An error that has no place of its own, or one whose line must not be shown.
    pub(super) fn error_in_file(&mut self, code: &'static str, message: impl Into<String>) -> Draft<'_> {
        self.add(code, Severity::Error, None, message.into())
    }

    /// A warning that has no place of its own, or one whose line must not be shown.
    pub(super) fn warning_in_file(&mut self, code: &'static str, message: impl Into<String>) -> Draft<'_> {
        self.add(code, Severity::Warning, None, message.into())
    }

    pub(super) fn has_errors(&self) -> bool {
        self.found.iter().chain(&self.surplus).any(|found| found.severity == Severity::Error)
    }

    /// All that was found, in the order of the source.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        let mut found = self.found;
        found.sort_by_key(|diagnostic| diagnostic.labels.first().map(|label| label.span.start));
        if let Some(mut surplus) = self.surplus {
            surplus.code = codes::TOO_MANY_PROBLEMS;
            surplus.message = format!("there are more than {MOST} problems; the others are not shown");
            surplus.help = None;
            found.push(surplus);
        }
        found
    }

    fn add(
        &mut self,
        code: &'static str,
        severity: Severity,
        span: Option<Span>,
        message: String,
    ) -> Draft<'_> {
        let source = self.source;
        let is_full = self.is_full();
        let diagnostic = if is_full {
            // Nobody will see its place, and finding it takes time.
            let worst = self.surplus.as_ref().map_or(severity, |surplus| surplus.severity.max(severity));
            self.surplus.insert(Diagnostic::new(code, worst, source, None, message))
        } else {
            self.found.push(Diagnostic::new(code, severity, source, span, message));
            self.found.last_mut().expect("one was just pushed")
        };
        Draft { source, diagnostic, is_shown: !is_full }
    }

    /// Whether nothing more will be shown.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= MOST
    }
}

/// A diagnostic that may still be added to.
pub(super) struct Draft<'r> {
    source: &'r Source,
    diagnostic: &'r mut Diagnostic,
    is_shown: bool,
}

impl Draft<'_> {
    /// What to say at the main place.
    pub(super) fn label(self, text: impl Into<String>) -> Self {
        if let Some(label) = self.diagnostic.labels.first_mut() {
            label.text = text.into();
        }
        self
    }

    /// Another place that belongs to it.
    pub(super) fn also(self, span: Span, text: impl Into<String>) -> Self {
        if self.is_shown {
            self.diagnostic.add_label(self.source, span, text);
        }
        self
    }

    /// What to write instead.
    pub(super) fn help(self, text: impl Into<String>) -> Self {
        self.diagnostic.help = Some(text.into());
        self
    }

    /// `did you mean …` when `word` is close to one of `known`, else a list of them when that is short.
    pub(super) fn suggest<'k>(self, word: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> Self {
        if !self.is_shown {
            return self;
        }
        if let Some(near) = crate::base::text::closest(word, known.clone()) {
            return self.help(format!("did you mean `{near}`?"));
        }
        let known: Vec<String> = known.into_iter().map(|name| format!("`{name}`")).collect();
        if known.is_empty() || known.len() > 8 {
            return self;
        }
        self.help(format!("there is {}", known.join(", ")))
    }
}
