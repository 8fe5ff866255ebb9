//! Places to fill in text, filled in one pass: a value is never looked at again, whatever it holds.
//!
//! This is the one grammar of everything a person writes with places in it, save the `{{path}}` of webhooks. What
//! checks a definition and what runs it read it with the same code.
//!
//! ```text
//! place    = named | "$" digits | "$ARGUMENTS" | "$@" | "{" word "}"         of an employee's body
//!          | named | "{prev}" | output | json                                of a pipeline: arguments and checks
//!          | named                                                           of a discussion's texts
//!          | named | "{date}" | "{datetime}"                                 of the name of a file to write
//! named    = "$" name | "${" name "}"
//! output   = "{steps." id ".output}"                                         all that the step gave
//! json     = "{steps." id ".json." path "}"                                  a part of it, read as JSON
//! id       = letters, digits, "-" and "_"; or the number of the step as it is written, from 0
//! path     = keys and indices with "." between: `findings.0.title`
//! escape   = "$" place                                                       gives the place itself, unfilled
//! ```
//! The longest name that is known wins, and a name ends where the word does: with an argument `target`, the text
//! `$target_dir` is no place, while `$target的代码` is one. Where any name may be asked for (a pipeline, a discussion),
//! a name that is not known is a letter or `_`, then letters, digits and `_`, all ASCII. No place spans blanks or
//! braces. What is no place is left as it stands, so `$HOME`, `$5` and `{}` need no escape.

use indexmap::IndexMap;

/// A text cut into what stands and what is to be filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template<'t> {
    parts: Vec<Part<'t>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part<'t> {
    Text(&'t str),
    /// Looks like a reference to a step but is none; stands as it is.
    Near(&'t str),
    /// With the way it is written.
    Place(Place<'t>, &'t str),
}

/// A place to fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'t> {
    /// `$name` or `${name}`.
    Named(&'t str),
    /// `$1`, counted from 1.
    Positional(usize),
    /// `$ARGUMENTS` or `$@`.
    AllArguments,
    /// `{word}`.
    Word(&'t str),
    /// `{steps.<id>.output}`.
    StepOutput(&'t str),
    /// `{steps.<id>.json.<path>}`.
    StepJson {
        /// The step.
        id: &'t str,
        /// Keys and indices with dots between.
        path: &'t str,
    },
}

/// Which places a text of some kind has.
pub(crate) trait Grammar {
    /// How many bytes at the start of `rest` (which follows a `$`) name a value, if any do.
    fn name_len(&self, rest: &str) -> Option<usize>;
    /// Whether `${name}` is a place.
    fn braced(&self, name: &str) -> bool;
    /// Whether `$1`, `$ARGUMENTS` and `$@` are places, and how many positional values there are.
    fn positionals(&self) -> Option<usize>;
    /// Whether `{word}` is a place.
    fn word(&self, word: &str) -> bool;
    /// Whether `{steps.<id>.output}` and `{steps.<id>.json.<path>}` are places.
    fn step_outputs(&self) -> bool {
        false
    }
}

impl<'t> Template<'t> {
    /// Finds the places of `text`. Linear in its length (times the number of known names).
    pub(crate) fn parse(text: &'t str, grammar: &impl Grammar) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        // How many bytes of `rest` are already known to stand as they are.
        let mut plain = 0;
        while let Some((before, tail)) = split_at_mark(rest, plain) {
            let escaped = tail.strip_prefix('$').filter(|place| place.starts_with('$'));
            let (part, taken) = if let Some((_, len)) = escaped.and_then(|place| parse_place(place, grammar))
            {
                (tail.get(1..=len).map(Part::Text), len + 1)
            } else if let Some((place, len)) = parse_place(tail, grammar) {
                (tail.get(..len).map(|written| Part::Place(place, written)), len)
            } else if let Some(near) = near_miss(tail, grammar) {
                (Some(Part::Near(near)), near.len())
            } else {
                plain = before.len() + 1;
                continue;
            };
            push_text(&mut parts, before);
            parts.extend(part);
            rest = tail.get(taken..).unwrap_or_default();
            plain = 0;
        }
        push_text(&mut parts, rest);
        Self { parts }
    }

    /// The places, in order, one for each time it stands in the text.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place<'t>> + '_ {
        self.written_places().map(|(place, _)| place)
    }

    /// The places and how each is written.
    pub(crate) fn written_places(&self) -> impl Iterator<Item = (Place<'t>, &'t str)> + '_ {
        self.parts.iter().filter_map(|part| match part {
            Part::Place(place, written) => Some((*place, *written)),
            Part::Text(_) | Part::Near(_) => None,
        })
    }

    /// What looks like a reference to a step but is none.
    pub(crate) fn near_misses(&self) -> impl Iterator<Item = &'t str> + '_ {
        self.parts.iter().filter_map(|part| match part {
            Part::Near(text) => Some(*text),
            Part::Text(_) | Part::Place(..) => None,
        })
    }

    /// What begins like `$目标` and is no place, because nobody can tell where such a name ends unless it is known.
    pub(crate) fn open_names(&self) -> impl Iterator<Item = &'t str> + '_ {
        self.parts.iter().flat_map(|part| match part {
            Part::Text(text) => open_names(text),
            Part::Near(_) | Part::Place(..) => open_names(""),
        })
    }

    /// The text with every place filled by `value`.
    ///
    /// # Errors
    /// The first error of `value`.
    pub(crate) fn fill<V: AsRef<str>, E>(
        &self,
        mut value: impl FnMut(Place<'t>) -> Result<V, E>,
    ) -> Result<String, E> {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) | Part::Near(text) => filled.push_str(text),
                Part::Place(place, _) => filled.push_str(value(*place)?.as_ref()),
            }
        }
        Ok(filled)
    }
}

fn push_text<'t>(parts: &mut Vec<Part<'t>>, text: &'t str) {
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
}

/// Each `$` before a letter that is not ASCII, with the letters and digits that follow.
fn open_names(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('$').filter_map(move |(at, _)| {
        let rest = text.get(at + 1..)?;
        let begins = rest.starts_with(|letter: char| letter.is_alphabetic() && !letter.is_ascii());
        let is_escaped = text.get(..at)?.ends_with('$');
        // No name is longer.
        let mut letters = rest.char_indices().take(64);
        let end = letters.find(|(_, letter)| !letter.is_alphanumeric()).map(|(end, _)| end);
        let end = end.unwrap_or_else(|| rest.char_indices().nth(64).map_or(rest.len(), |(end, _)| end));
        (begins && !is_escaped).then(|| text.get(at..at + 1 + end)).flatten()
    })
}

/// Cuts `text` before the first `$` or `{` that is at or after byte `from`.
fn split_at_mark(text: &str, from: usize) -> Option<(&str, &str)> {
    let at = from + text.get(from..)?.find(['$', '{'])?;
    text.split_at_checked(at)
}

/// What stands before the next `}`; no place spans blanks or braces, so the search is short.
fn until_brace(text: &str) -> Option<&str> {
    let (word, rest) =
        text.split_at_checked(text.find(|c: char| c.is_whitespace() || c == '{' || c == '}')?)?;
    rest.starts_with('}').then_some(word)
}

/// The place `text` starts with and its length in bytes.
fn parse_place<'t>(text: &'t str, grammar: &impl Grammar) -> Option<(Place<'t>, usize)> {
    if let Some(rest) = text.strip_prefix("${") {
        let name = until_brace(rest)?;
        return grammar.braced(name).then_some((Place::Named(name), name.len() + 3));
    }
    if let Some(rest) = text.strip_prefix('$') {
        if let Some(len) = grammar.name_len(rest) {
            return Some((Place::Named(rest.get(..len)?), len + 1));
        }
        return parse_positional(rest, grammar.positionals()?).map(|(place, len)| (place, len + 1));
    }
    let rest = text.strip_prefix('{')?;
    let word = until_brace(rest)?;
    let len = word.len() + 2;
    if grammar.word(word) {
        return Some((Place::Word(word), len));
    }
    if !grammar.step_outputs() {
        return None;
    }
    let (id, wanted) = word.strip_prefix("steps.")?.split_once('.')?;
    if !is_step(id) {
        return None;
    }
    let place = match wanted.strip_prefix("json.") {
        Some(path) if path.split('.').all(|key| !key.is_empty()) => Place::StepJson { id, path },
        None if wanted == "output" => Place::StepOutput(id),
        _ => return None,
    };
    Some((place, len))
}

/// Whether `text` can name a step: an id, or a number.
fn is_step(text: &str) -> bool {
    let fits = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '_';
    !text.is_empty() && text.chars().all(fits)
}

/// Whether `text` can be the id of a step: digits alone would be a number.
pub(crate) fn is_step_id(text: &str) -> bool {
    is_step(text) && !text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `{steps.…}` that is no place.
fn near_miss<'t>(text: &'t str, grammar: &impl Grammar) -> Option<&'t str> {
    if !grammar.step_outputs() {
        return None;
    }
    let word = until_brace(text.strip_prefix('{')?)?;
    word.starts_with("steps.").then(|| text.get(..word.len() + 2)).flatten()
}

fn parse_positional<'t>(rest: &str, count: usize) -> Option<(Place<'t>, usize)> {
    if rest.starts_with('@') {
        return Some((Place::AllArguments, 1));
    }
    if let Some(after) = rest.strip_prefix("ARGUMENTS") {
        return (!after.starts_with(is_word)).then_some((Place::AllArguments, "ARGUMENTS".len()));
    }
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let number: usize = rest.get(..digits)?.parse().ok()?;
    (1..=count).contains(&number).then_some((Place::Positional(number), digits))
}

/// The longest of `names` that `rest` starts with and that ends where the word does.
pub(crate) fn longest_name<'n>(rest: &str, names: impl Iterator<Item = &'n str>) -> Option<usize> {
    names.filter(|name| !name.is_empty() && starts_with_word(rest, name)).map(str::len).max()
}

fn starts_with_word(rest: &str, name: &str) -> bool {
    rest.strip_prefix(name).is_some_and(|after| !(name.ends_with(is_word) && after.starts_with(is_word)))
}

/// How many bytes at the start of `rest` are an identifier: a letter or `_`, then letters, digits, `_`.
pub(crate) fn identifier_len(rest: &str) -> Option<usize> {
    let starts = rest.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic());
    starts.then(|| rest.find(|c| !is_word(c)).unwrap_or(rest.len()))
}

/// Only ASCII makes words here: in Chinese a name is followed by text without a space between.
fn is_word(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

/// The places of a pipeline's arguments and checks.
#[derive(Debug)]
pub(crate) struct Wires<'n, N> {
    /// Names that are known beside every ASCII identifier.
    pub(crate) names: &'n N,
}

/// The places of a text that asks for values by name.
#[derive(Debug)]
pub(crate) struct Asking<'n, N> {
    /// Names that are known beside every ASCII identifier.
    pub(crate) names: &'n N,
    /// Words in braces that are places too.
    pub(crate) words: &'static [&'static str],
}

/// A set of names.
pub(crate) trait Names {
    /// All of them.
    fn all(&self) -> impl Iterator<Item = &str>;
}

impl Names for () {
    fn all(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }
}

impl<V> Names for IndexMap<String, V> {
    fn all(&self) -> impl Iterator<Item = &str> {
        self.keys().map(String::as_str)
    }
}

impl Names for Vec<&str> {
    fn all(&self) -> impl Iterator<Item = &str> {
        self.iter().copied()
    }
}

/// A name that is known, else whatever can be one.
fn any_name_len(rest: &str, names: &impl Names) -> Option<usize> {
    longest_name(rest, names.all()).or_else(|| identifier_len(rest))
}

impl<N: Names> Grammar for Wires<'_, N> {
    fn name_len(&self, rest: &str) -> Option<usize> {
        any_name_len(rest, self.names)
    }
    fn braced(&self, name: &str) -> bool {
        !name.is_empty()
    }
    fn positionals(&self) -> Option<usize> {
        None
    }
    fn word(&self, word: &str) -> bool {
        word == "prev"
    }
    fn step_outputs(&self) -> bool {
        true
    }
}

impl<N: Names> Grammar for Asking<'_, N> {
    fn name_len(&self, rest: &str) -> Option<usize> {
        any_name_len(rest, self.names)
    }
    fn braced(&self, name: &str) -> bool {
        !name.is_empty()
    }
    fn positionals(&self) -> Option<usize> {
        None
    }
    fn word(&self, word: &str) -> bool {
        self.words.contains(&word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Body(&'static [&'static str], usize);

    impl Grammar for Body {
        fn name_len(&self, rest: &str) -> Option<usize> {
            longest_name(rest, self.0.iter().copied())
        }
        fn braced(&self, name: &str) -> bool {
            self.0.contains(&name)
        }
        fn positionals(&self) -> Option<usize> {
            Some(self.1)
        }
        fn word(&self, word: &str) -> bool {
            matches!(word, "date" | "cwd")
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let grammar = Body(&["target", "target_file", "目标"], 2);
        let filled = Template::parse(text, &grammar).fill(|place| {
            Ok::<_, ()>(match place {
                Place::Named(name) => format!("<{name}>"),
                Place::Positional(number) => format!("<{number}>"),
                Place::AllArguments => "<all>".to_owned(),
                Place::Word(word) => format!("<{{{word}}}>"),
                Place::StepOutput(id) => format!("<step {id}>"),
                Place::StepJson { id, path } => format!("<step {id}: {path}>"),
            })
        });
        assert_eq!(filled, Ok(expected.to_owned()));
    }

    #[test]
    fn names_end_where_the_word_does() {
        check("$target", "<target>");
        check("$target_dir", "$target_dir");
        check("$target_file.", "<target_file>.");
        check("a$target/x", "a<target>/x");
        check("$target的代码", "<target>的代码");
        check("$目标文件", "<目标>文件");
        check("${target}_dir ${other}", "<target>_dir ${other}");
    }

    #[test]
    fn positionals_are_whole_numbers_that_exist() {
        check("$1 $2 $3 $10 $0 $5.00", "<1> <2> $3 $10 $0 $5.00");
        check("$ARGUMENTS|$@|$ARGUMENTSX", "<all>|<all>|$ARGUMENTSX");
    }

    #[test]
    fn what_is_no_place_stands() {
        check("$HOME {} {x} $ { $$ $$x$$ 100$", "$HOME {} {x} $ { $$ $$x$$ 100$");
        check("{date} {{date}} {cwd", "<{date}> {<{date}>} {cwd");
        check("{steps.a.output}", "{steps.a.output}");
    }

    #[test]
    fn a_doubled_dollar_keeps_a_place_as_text() {
        check("$$target $$1 $${target} $$@", "$target $1 ${target} $@");
        check("$$target_dir", "$$target_dir");
        check("$$$target", "$$target");
    }

    #[track_caller]
    fn check_wires(text: &str, places: &[Place<'_>], near: &[&str]) {
        let template = Template::parse(text, &Wires { names: &() });
        assert_eq!(template.places().collect::<Vec<_>>(), places);
        assert_eq!(template.near_misses().collect::<Vec<_>>(), near);
    }

    #[test]
    fn steps_are_named_by_id_or_number() {
        check_wires(
            "{steps.a-b.output}{steps.3.output}",
            &[Place::StepOutput("a-b"), Place::StepOutput("3")],
            &[],
        );
        check_wires("{steps.审.json.a.0.标题}", &[Place::StepJson { id: "审", path: "a.0.标题" }], &[]);
        check_wires("{prev} {date} $x", &[Place::Word("prev"), Place::Named("x")], &[]);
    }

    #[test]
    fn what_looks_like_a_reference_is_told() {
        let near =
            ["{steps.a.result}", "{steps.a}", "{steps.a.b.output}", "{steps.a.json.}", "{steps.a.json.x..y}"];
        check_wires(&near.concat(), &[], &near);
        check_wires("{steps. a .output} {steps.a.output", &[], &[]);
    }

    #[test]
    fn a_name_without_an_end_is_told() {
        let grammar = Asking { names: &vec!["目标"], words: &[] };
        let template = Template::parse("$目标文件 $方案的架构, $$方案 $5 $x ${方案} $", &grammar);
        assert_eq!(template.open_names().collect::<Vec<_>>(), ["$方案的架构"]);
    }

    #[test]
    fn any_text_is_cut_in_a_time_that_grows_with_its_length() {
        for piece in ["{steps.", "$", "{", "${a", "{steps.a.json.", "$$", "}"] {
            let text = piece.repeat(200_000);
            assert!(Template::parse(&text, &Wires { names: &() }).fill(|_| Ok::<_, ()>("")).is_ok());
        }
    }

    proptest::proptest! {
        #[test]
        fn no_value_is_filled_twice(text in "[$@{}a-z1-9目标_. ]{0,60}", value in "[$@{}a-z1-9_. ]{0,20}") {
            // Each place becomes a mark first, and the marks become values at the end: the same must come out.
            let grammar = Wires { names: &() };
            let template = Template::parse(&text, &grammar);
            let marked = template.fill(|_| Ok::<_, ()>("\u{1}")).unwrap();
            let filled = template.fill(|_| Ok::<_, ()>(&value)).unwrap();
            proptest::prop_assert_eq!(marked.replace('\u{1}', &value), filled);
        }

        #[test]
        fn references_never_panic(text in "(\\{steps\\.|[a-c0-9]{1,2}|\\.output\\}|\\.json\\.|[{}$. 目]){0,30}") {
            let template = Template::parse(&text, &Wires { names: &() });
            let _ = template.near_misses().count();
            let back: Vec<_> = template.written_places().map(|(_, written)| written).collect();
            for written in back {
                proptest::prop_assert!(text.contains(written));
            }
        }

        #[test]
        fn never_panics_and_keeps_what_stands(text in "[$@{}a-z1-9目标_. ]{0,60}") {
            let grammar = Body(&["a", "ab", "目标"], 3);
            let template = Template::parse(&text, &grammar);
            let _ = template.fill(|_| Ok::<_, ()>("$a{date}$1"));
            if template.places().next().is_none() && !text.contains("$$") {
                proptest::prop_assert_eq!(template.fill(|_| Ok::<_, ()>("")), Ok(text.clone()));
            }
        }
    }
}
