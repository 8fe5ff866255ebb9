//! The shapes of what is no part of an answer.

/// Longest tag that is known.
const LONGEST: usize = 100;
/// How far it is looked for what has to stand behind a tag.
const FAR: usize = 300;

/// What was found at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look<T> {
    /// That cannot be said before more text is there.
    More,
    /// This, and how many bytes it has.
    Is(T, usize),
    /// None of it.
    No,
}

/// A tag that does not belong into an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// A thought begins.
    Opens(Thought),
    /// A thought ends.
    Closes(Thought),
    /// A call of a tool, which ends with `end`. `token` says that it is written with a model's own marks.
    Call { end: &'static str, token: bool },
}

/// What models put their thoughts between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thought {
    Think,
    Thinking,
    Reflection,
    InnerMonologue,
}

const THOUGHTS: [(&str, Thought); 4] = [
    ("think", Thought::Think),
    ("thinking", Thought::Thinking),
    ("reflection", Thought::Reflection),
    ("inner_monologue", Thought::InnerMonologue),
];

/// How calls begin that are written with marks no text has, and how they end: `DeepSeek` and Kimi.
const TOKENS: [(&str, &str); 2] = [
    ("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"),
    ("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
];

/// What has to stand behind the tags of calls, so that a document with such an element stays what it is.
const IN_CALL: [&str; 3] = ["{\"", "<function=", "<invoke name="];
const IN_CALLS: [&str; 4] = ["<invoke name=", concat!("<", "antml:invoke name="), "<tool_call>", "[{"];
const IN_INVOKE: [&str; 2] = ["<parameter name=", "</invoke>"];
const IN_OWN_INVOKE: [&str; 2] = [concat!("<", "antml:parameter name="), concat!("</", "antml:invoke>")];
const IN_FUNCTION: [&str; 3] = ["{", "<parameter=", "</function>"];
/// What stands behind the name of the tool in calls of GLM.
const BEHIND_NAME: [&str; 1] = ["<arg_key>"];

/// Which of the tags `text` begins with, which begins with `<`. `whole` says that nothing comes behind it.
pub(super) fn tag(text: &str, whole: bool) -> Look<Tag> {
    let more = |whole| if whole { Look::No } else { Look::More };
    let mut end = None;
    for (place, letter) in text.char_indices().skip(1) {
        let begins = letter.is_ascii_alphabetic() || matches!(letter, '/' | '|' | '｜');
        if (place == 1 && !begins) || matches!(letter, '<' | '\n' | '`') || place > LONGEST {
            return Look::No;
        }
        if letter == '>' {
            end = Some(place);
            break;
        }
    }
    let Some(end) = end else { return more(whole) };
    let passed = end + 1;
    let (Some(whole_tag), Some(inside), Some(behind)) =
        (text.get(..passed), text.get(1..end), text.get(passed..))
    else {
        return Look::No;
    };
    if let Some((_, end)) = TOKENS.iter().find(|(begin, _)| *begin == whole_tag) {
        return Look::Is(Tag::Call { end, token: true }, passed);
    }
    let inside = inside.trim_end().to_ascii_lowercase();
    let (closing, name) = match inside.strip_prefix('/') {
        Some(name) => (true, name),
        None => (false, inside.as_str()),
    };
    let (own, name) = match name.strip_prefix("antml:") {
        Some(name) => (true, name),
        None => (false, name),
    };
    if let Some((_, thought)) = THOUGHTS.iter().find(|(known, _)| *known == name) {
        let tag = if closing { Tag::Closes(*thought) } else { Tag::Opens(*thought) };
        return Look::Is(tag, passed);
    }
    let (end, within): (_, &[&str]) = match name {
        _ if closing => return Look::No,
        "tool_call" => ("</tool_call>", &IN_CALL),
        "tool_calls" => ("</tool_calls>", &IN_CALLS),
        "function_calls" if own => (concat!("</", "antml:function_calls>"), &IN_CALLS),
        "function_calls" => ("</function_calls>", &IN_CALLS),
        _ if name.starts_with("invoke name=\"") && own => (concat!("</", "antml:invoke>"), &IN_OWN_INVOKE),
        _ if name.starts_with("invoke name=\"") => ("</invoke>", &IN_INVOKE),
        _ if name.starts_with("function=") => ("</function>", &IN_FUNCTION),
        _ => return Look::No,
    };
    let fits = match followed(behind, within, whole) {
        Look::No if name == "tool_call" => named(behind, whole),
        fits => fits,
    };
    match fits {
        Look::Is((), _) => Look::Is(Tag::Call { end, token: false }, passed),
        Look::More => Look::More,
        Look::No => Look::No,
    }
}

/// Whether one of `known` stands behind white space at the beginning of `text`.
fn followed(text: &str, known: &[&str], whole: bool) -> Look<()> {
    let inside = text.trim_start();
    if text.len() - inside.len() > FAR { Look::No } else { begins(inside, known, whole) }
}

/// Whether `text` is the name of a tool and what stands behind that.
fn named(text: &str, whole: bool) -> Look<()> {
    let text = text.trim_start();
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    let behind = text.trim_start_matches(is_part);
    match text.len() - behind.len() {
        0 if !text.is_empty() => Look::No,
        length if length > LONGEST => Look::No,
        _ => followed(behind, &BEHIND_NAME, whole),
    }
}

/// Whether `text` begins with one of `known`, in any case.
pub(super) fn begins(text: &str, known: &[&str], whole: bool) -> Look<()> {
    let mut more = false;
    for known in known {
        let common = text.len().min(known.len());
        let (Some(here), Some(there)) = (text.as_bytes().get(..common), known.as_bytes().get(..common))
        else {
            continue;
        };
        if here.eq_ignore_ascii_case(there) {
            if common == known.len() {
                return Look::Is((), common);
            }
            more = true;
        }
    }
    if more && !whole { Look::More } else { Look::No }
}
