//! Findings about definitions, with the text they are about and a caret under the place.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::note;
use crate::{
    catalog::Finding,
    defs::{Diagnostic, Severity, Source},
};

/// Prints findings on stderr.
pub(in crate::cli) fn findings(findings: &[Finding]) {
    for finding in findings {
        note(&draw(&finding.diagnostic, &finding.source, &Renderer::styled()));
        note("");
    }
}

/// A finding as it looks without colours.
pub(in crate::cli) fn plain(diagnostic: &Diagnostic, source: &Source) -> String {
    draw(diagnostic, source, &Renderer::plain())
}

fn draw(diagnostic: &Diagnostic, source: &Source, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&diagnostic.message).id(diagnostic.code);
    let mut group = Group::with_title(title);
    group = if diagnostic.labels.is_empty() {
        group.element(Origin::path(&*diagnostic.source))
    } else {
        group.element(snippet(diagnostic, source))
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group])
}

fn snippet<'a>(diagnostic: &'a Diagnostic, source: &'a Source) -> Snippet<'a, Annotation<'a>> {
    let mut snippet = Snippet::source(&*source.text).path(&*source.name);
    for (place, label) in diagnostic.labels.iter().enumerate() {
        let kind = if place == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let span = within(&source.text, label.span.start)..within(&source.text, label.span.end);
        let mark = kind.span(span);
        snippet = snippet.annotation(if label.text.is_empty() { mark } else { mark.label(&label.text) });
    }
    snippet
}

/// The nearest place at or before `byte` that lies between two characters of `text`.
fn within(text: &str, byte: usize) -> usize {
    text.floor_char_boundary(byte.min(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defs::{Label, Span};

    #[test]
    fn the_caret_stands_under_the_place() {
        let source = Source::new("审查员.md", "---\nname: 审查员 A\ndescription: x\n---\nbody\n");
        let (start, end) = (10, 21);
        let (line, column) = source.position(start);
        let diagnostic = Diagnostic {
            code: "bad-name",
            severity: Severity::Error,
            message: "`审查员 A` cannot be a name".to_owned(),
            source: source.name.clone(),
            labels: vec![Label { span: Span { start, end }, line, column, text: "here".to_owned() }],
            help: Some("write lower-case letters, digits and hyphens".to_owned()),
        };
        insta::assert_snapshot!(plain(&diagnostic, &source), @"
        error[bad-name]: `审查员 A` cannot be a name
         --> 审查员.md:2:7
          |
        2 | name: 审查员 A
          |       ^^^^^^^^ here
          |
          = help: write lower-case letters, digits and hyphens
        ");
    }
}
