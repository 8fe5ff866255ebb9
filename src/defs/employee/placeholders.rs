//! Looks for `$name` places that are likely misspelt.

use super::{
    super::{codes, diagnostic::Span, report::Report},
    Arg,
};

/// No longer word is looked at, in bytes.
const LONGEST: usize = 64;

/// Warns of every `$name` in `text` that is one letter away from an argument. Instructions are full of other dollar
/// signs, in shell code for instance, so nothing is said about the rest.
pub(super) fn check(text: &str, offset: usize, args: &[Arg], report: &mut Report<'_>) {
    for (at, _) in text.match_indices('$') {
        let rest = text.get(at + 1..).unwrap_or_default();
        let end = rest
            .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '-')
            .unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default().trim_end_matches('-');
        let known = |arg: &Arg| {
            word == arg.name || word.strip_prefix(&arg.name).is_some_and(|more| more.starts_with('-'))
        };
        if report.is_full() {
            return;
        }
        if !(4..=LONGEST).contains(&word.len()) || args.iter().any(known) {
            continue;
        }
        let near = args.iter().find(|arg| strsim::osa_distance(word, &arg.name) == 1);
        if let Some(arg) = near {
            let start = offset + at;
            report
                .warning(
                    codes::UNKNOWN_PLACEHOLDER,
                    Span { start, end: start + 1 + word.len() },
                    format!("there is no argument `{word}`, so `${word}` stays as it is"),
                )
                .help(format!("did you mean `${}`?", arg.name));
        }
    }
}
