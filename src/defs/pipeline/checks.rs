//! Reads tests: a text, and what it is compared with.

use super::{
    super::{
        codes,
        reader::{Fields, Text, Unknown},
        report::Report,
        yaml::Node,
    },
    Comparison, Pattern, Test,
};

/// A test and the place of its text.
pub(super) struct ReadTest {
    pub(super) test: Test,
    pub(super) check: Text,
}

/// Reads a test that is a map of its own.
pub(super) fn test(node: &Node, what: &'static str, report: &mut Report<'_>) -> Option<ReadTest> {
    let mut fields = Fields::of(node, what, report)?;
    let test = test_in(&mut fields, what, report);
    fields.finish(Unknown::Warned, &[], report);
    test
}

/// Reads a test out of a map that holds other things too.
pub(super) fn test_in(fields: &mut Fields<'_>, what: &str, report: &mut Report<'_>) -> Option<ReadTest> {
    let check = fields.required_text("check", report);
    let contains = fields.text("contains", report);
    let matches = fields.text("matches", report);
    let equals = fields.text("equals", report);
    let given: Vec<_> = [&contains, &matches, &equals].into_iter().flatten().map(|text| text.span).collect();
    match given.as_slice() {
        [] => {
            let tried = ["contains", "matches", "equals"].iter().any(|key| fields.key(key).is_some());
            let place = fields.key("check").unwrap_or(fields.place());
            if !tried {
                report
                    .error(codes::AMBIGUOUS_TEST, place, format!("{what} does not say what it compares with"))
                    .help("add `contains: text`, `matches: pattern` or `equals: text`");
            }
            return None;
        }
        [_] => {}
        [first, second, ..] => {
            report
                .error(codes::AMBIGUOUS_TEST, *second, format!("{what} compares with one thing only"))
                .also(*first, "the other is here")
                .help("keep one of `contains`, `matches` and `equals`");
            return None;
        }
    }
    if let Some(text) = contains.as_ref().filter(|text| text.value.is_empty()) {
        report
            .error(codes::INVALID_VALUE, text.span, "every text contains the empty one")
            .help("to find out whether a text is empty, use `equals: \"\"`");
        return None;
    }
    let comparison = match (contains, matches, equals) {
        (Some(text), _, _) => Comparison::Contains(text.value),
        (_, Some(text), _) => Comparison::Matches(Pattern::read(&text, report)?),
        (_, _, Some(text)) => Comparison::Equals(text.value),
        (None, None, None) => return None,
    };
    let check = check?;
    Some(ReadTest { test: Test { check: check.value.clone(), comparison }, check })
}
