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

/// What a list is about: the findings on other files are only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Topic {
    /// All but what stands in a place of its own.
    Employees,
    /// `.crew/pipelines`.
    Pipelines,
    /// `.crew/discussions`.
    Discussions,
}

impl Topic {
    fn holds(self, path: &str) -> bool {
        let of_pipelines = path.starts_with(".crew/pipelines");
        let of_discussions = path.starts_with(".crew/discussions");
        let of_settings = ["webhook.yaml", "cron.yaml", "organization.yaml"]
            .iter()
            .any(|name| [".crew/", "private/"].iter().any(|folder| path.strip_prefix(folder) == Some(name)));
        match self {
            Self::Employees => !of_pipelines && !of_discussions && !of_settings,
            Self::Pipelines => of_pipelines,
            Self::Discussions => of_discussions,
        }
    }
}

/// Prints the findings on `topic` on stderr, and says how many others there are.
pub(in crate::cli) fn findings_on(topic: Topic, all: &[Finding]) {
    let (told, others): (Vec<&Finding>, Vec<&Finding>) =
        all.iter().partition(|finding| topic.holds(&finding.source.name));
    for finding in told {
        note(&draw(&finding.diagnostic, &finding.source, &Renderer::styled()));
        note("");
    }
    let errors = others.iter().filter(|other| other.diagnostic.severity == Severity::Error).count();
    if errors > 0 {
        let many = if errors == 1 { "is 1 error" } else { &format!("are {errors} errors") };
        note(&format!("There {many} in other files; `knowlyr-crew check` shows all.\n"));
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
