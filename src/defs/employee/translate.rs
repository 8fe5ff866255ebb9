//! Words that crew and other programs have for the same thing: tools, models, arguments.

use super::{Arg, header::is_arg_name};

/// A tool here and in skills and subagents.
const TOOLS: [(&str, &str); 6] = [
    ("file_read", "Read"),
    ("file_write", "Write"),
    ("git", "Bash(git:*)"),
    ("bash", "Bash"),
    ("grep", "Grep"),
    ("glob", "Glob"),
];

/// Short names of models, and the models they stand for here.
const MODELS: [(&str, &str); 3] =
    [("sonnet", "claude-sonnet-4-5"), ("opus", "claude-opus-4-5"), ("haiku", "claude-haiku-4-5")];

/// What other programs call the tools of an employee, each once.
pub(super) fn tools_out(tools: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(tools.len());
    for tool in tools {
        let name = TOOLS.iter().find(|(ours, _)| ours == tool).map_or(tool.as_str(), |(_, theirs)| theirs);
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// What crew calls the tools that other programs name.
pub(super) fn tools_in(names: Vec<String>) -> Vec<String> {
    let ours = |name: String| match TOOLS.iter().find(|(_, theirs)| *theirs == name) {
        Some((ours, _)) => (*ours).to_owned(),
        None => name,
    };
    names.into_iter().map(ours).collect()
}

/// The model that another program's word for one stands for; `inherit` leaves the choice to who runs it.
pub(super) fn model_in(name: &str) -> Option<String> {
    let name = name.trim();
    if name.is_empty() || name == "inherit" || name == "default" {
        return None;
    }
    Some(MODELS.iter().find(|(short, _)| *short == name).map_or(name, |(_, model)| model).to_owned())
}

/// The hint that tells a person what a skill takes: `<needed> [optional]`.
pub(super) fn hint(args: &[Arg]) -> String {
    let shown = |arg: &Arg| if arg.required { format!("<{}>", arg.name) } else { format!("[{}]", arg.name) };
    args.iter().map(shown).collect::<Vec<_>>().join(" ")
}

/// The arguments a hint names. None when anything in it is no name: then nobody can tell which place is which.
pub(super) fn args_of_hint(hint: &str) -> Vec<Arg> {
    let mut args: Vec<Arg> = Vec::new();
    for token in hint.split_whitespace() {
        let needed = token.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
        let optional = token.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let Some(name) = needed.or(optional) else { return Vec::new() };
        if !is_arg_name(name) || args.iter().any(|arg| arg.name == name) {
            return Vec::new();
        }
        args.push(Arg { name: name.to_owned(), required: needed.is_some(), ..Arg::default() });
    }
    args
}

/// Instructions in the way of skills, where arguments are `$0`, `$1`, …: `$name` and crew's `$1` become these.
pub(super) fn to_positions(body: &str, args: &[Arg]) -> String {
    replace(body, |rest| {
        let named = args.iter().enumerate().filter_map(|(place, arg)| {
            let len = match rest.strip_prefix('{') {
                Some(inner) => {
                    inner.strip_prefix(arg.name.as_str())?.starts_with('}').then(|| arg.name.len() + 2)
                }
                None => starts_with_word(rest, &arg.name).then_some(arg.name.len()),
            };
            Some((place, len?))
        });
        let numbered = || {
            let (number, len) = number(rest)?;
            (1..=args.len()).contains(&number).then(|| (number - 1, len))
        };
        let (place, len) = named.max_by_key(|(_, len)| *len).or_else(numbered)?;
        let digit_follows =
            rest.get(len..).is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()));
        let written = if digit_follows { format!("$ARGUMENTS[{place}]") } else { format!("${place}") };
        Some((written, len))
    })
}

/// Instructions of a skill in the way of crew: `$0` and `$ARGUMENTS[0]` become `$name`.
pub(super) fn from_positions(body: &str, args: &[Arg]) -> String {
    replace(body, |rest| {
        let listed = || {
            let inner = rest.strip_prefix("ARGUMENTS[")?;
            let (place, len) = number(inner)?;
            inner.get(len..)?.starts_with(']').then_some((place, "ARGUMENTS[]".len() + len))
        };
        let (place, len) = number(rest).or_else(listed)?;
        let name = &args.get(place)?.name;
        let word_follows = rest.get(len..).is_some_and(|after| after.starts_with(is_word));
        Some((if word_follows { format!("${{{name}}}") } else { format!("${name}") }, len))
    })
}

/// Text of another program, in which `$name` is no place: each `$` that crew would take for one is doubled.
pub(super) fn escape(text: &str, args: &[Arg]) -> String {
    replace(text, |rest| {
        let is_place = args.iter().any(|arg| match rest.strip_prefix('{') {
            Some(inner) => inner.strip_prefix(arg.name.as_str()).is_some_and(|after| after.starts_with('}')),
            None => starts_with_word(rest, &arg.name),
        });
        is_place.then(|| ("$$".to_owned(), 0))
    })
}

/// Puts `place(rest)` for each `$` it knows: what to write, and how much of `rest` (after the `$`) it stands for.
fn replace(body: &str, place: impl Fn(&str) -> Option<(String, usize)>) -> String {
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some((written, len)) = place(after) {
            out.push_str(&written);
            rest = after.get(len..).unwrap_or_default();
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

fn number(text: &str) -> Option<(usize, usize)> {
    let len = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    Some((text.get(..len)?.parse().ok()?, len))
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|after| !(word.ends_with(is_word) && after.starts_with(is_word)))
}

fn is_word(letter: char) -> bool {
    letter == '_' || letter.is_ascii_alphanumeric()
}
