//! Splits a Markdown file into the YAML above and the text below.
//!
//! ```text
//! ---
//! name: code-reviewer
//! ---
//! You review code …
//! ```

use super::{codes, diagnostic::Span, report::Report};

/// The two parts of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts<'t> {
    /// The YAML between the fences.
    pub(super) yaml: &'t str,
    /// Where it starts, in bytes.
    pub(super) yaml_start: usize,
    /// What comes after the second fence.
    pub(super) body: &'t str,
    /// Where that starts, in bytes.
    pub(super) body_start: usize,
}

/// Splits the source of `report`. The first line that holds more than white space must be `---`, and so must the line
/// that ends the YAML; a `---` that is indented belongs to the YAML, so a block scalar may hold one.
pub(super) fn split<'t>(report: &mut Report<'t>) -> Option<Parts<'t>> {
    let text: &'t str = &report.source().text;
    let mut lines = Lines { text, at: 0 };
    let opening = lines.find(|(_, line)| !line.trim_start_matches('\u{feff}').trim().is_empty());
    let (start, line) = opening.unwrap_or((0, ""));
    if line.trim_start_matches('\u{feff}').trim() != "---" {
        let end = start + line.trim_end().len();
        report
            .error(
                codes::MISSING_FRONT_MATTER,
                Span { start, end },
                "the file does not begin with front matter",
            )
            .help("begin with a line `---`, then `name:` and `description:`, then another line `---`");
        return None;
    }
    let yaml_start = lines.at;
    let Some((fence, _)) = lines.find(|(_, line)| is_fence(line)) else {
        let fence = Span { start, end: start + line.trim_end().len() };
        report
            .error(codes::UNCLOSED_FRONT_MATTER, fence, "the front matter that begins here is never closed")
            .help("put a line `---` between the fields and the instructions");
        return None;
    };
    let body_start = lines.at;
    Some(Parts {
        yaml: text.get(yaml_start..fence).unwrap_or_default(),
        yaml_start,
        body: text.get(body_start..).unwrap_or_default(),
        body_start,
    })
}

/// Text as instructions: no byte order mark, line feeds only, no blank lines around.
pub(super) fn prose(text: &str) -> String {
    text.trim_start_matches('\u{feff}').replace("\r\n", "\n").trim().to_owned()
}

fn is_fence(line: &str) -> bool {
    line.trim_end() == "---"
}

/// The lines of a text with where each starts; `at` is where the next one does.
struct Lines<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Iterator for Lines<'t> {
    type Item = (usize, &'t str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text.get(self.at..)?;
        let line = rest.split_inclusive('\n').next()?;
        let start = self.at;
        self.at += line.len();
        Some((start, line))
    }
}
