//! The `SKILL.md` of an employee.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::{app::library::instructions, defs::Employee};

/// Longest name of a skill.
const LONGEST_NAME: usize = 64;

/// Whether a skill may be called `name`: 1 to 64 lower-case letters and digits, with single hyphens between them.
///
/// Source: the Agent Skills specification, "name field".
pub(super) fn may_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= LONGEST_NAME && name.split('-').all(|part| !part.is_empty() && part.bytes().all(plain))
}

/// What the employee does and when to ask it.
pub(super) fn description(employee: &Employee) -> String {
    let text = employee.description.trim();
    if text.is_empty() { employee.title().to_owned() } else { text.to_owned() }
}

/// The front matter of the card.
pub(super) fn front_matter(employee: &Employee) -> Map<String, Value> {
    let mut metadata = Map::new();
    for (key, text) in [
        ("title", employee.display_name.as_str()),
        ("version", employee.version.as_str()),
        ("author", employee.author.as_str()),
    ] {
        if !text.is_empty() {
            metadata.insert(key.to_owned(), text.into());
        }
    }
    let mut fields = Map::new();
    fields.insert("name".to_owned(), employee.name.as_str().into());
    fields.insert("description".to_owned(), description(employee).into());
    if !metadata.is_empty() {
        fields.insert("metadata".to_owned(), metadata.into());
    }
    fields
}

/// The card: its front matter, the instructions, and what is to be filled into them.
pub(super) fn text(employee: &Employee) -> String {
    let mut text = String::from("---\n");
    write_fields(&mut text, &front_matter(employee), "");
    text.push_str("---\n\n");
    text.push_str(&instructions(employee));
    text.push('\n');
    if !employee.args.is_empty() {
        text.push_str("\n## Arguments\n\nPlaces such as `$name` in these instructions stand for:\n\n");
        for arg in &employee.args {
            let _ = write!(text, "- `${}`", arg.name);
            if arg.required && arg.default.is_none() {
                text.push_str(" (required)");
            }
            if !arg.description.is_empty() {
                let _ = write!(text, ": {}", arg.description);
            }
            if let Some(default) = &arg.default {
                let _ = write!(text, " (default: `{default}`)");
            }
            text.push('\n');
        }
    }
    text
}

fn write_fields(text: &mut String, fields: &Map<String, Value>, indent: &str) {
    for (key, value) in fields {
        match value {
            Value::Object(fields) => {
                let _ = writeln!(text, "{indent}{key}:");
                write_fields(text, fields, &format!("{indent}  "));
            }
            value => {
                let _ = writeln!(text, "{indent}{key}: {}", scalar(&value.to_string()));
            }
        }
    }
}

/// JSON as YAML reads it: a JSON string is a double-quoted scalar, but for the characters that YAML does not let stand
/// as they are.
///
/// Source: YAML 1.2.2, sections 5.1 "Character Set" and 7.3.1 "Double-Quoted Style".
fn scalar(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut text, letter| {
        match letter {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(letter));
            }
            letter => text.push(letter),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defs::{Source, parse_employee};

    fn employee(front_matter: &str) -> Employee {
        let source = Source::new("bot.md", format!("---\n{front_matter}---\nDo $task.\n"));
        parse_employee(&source).0.unwrap()
    }

    #[test]
    fn names() {
        #[track_caller]
        fn check(name: &str, fits: bool) {
            assert_eq!(may_name(name), fits, "{name}");
        }
        check("a", true);
        check("code-reviewer-2", true);
        check(&"a".repeat(64), true);
        check(&"a".repeat(65), false);
        for name in ["", "-a", "a-", "a--b", "A", "a_b", "a b", "审查"] {
            check(name, false);
        }
    }

    #[test]
    fn a_card_is_read_back_as_it_is_listed() {
        #[track_caller]
        fn check(description: &str) {
            let yaml = format!("name: bot\ndescription: {description}\nversion: '1.10'\ndisplay_name: Bot\n");
            let bot = employee(&yaml);
            let card = text(&bot);
            let read = parse_employee(&Source::new("SKILL.md", card.as_str())).0.unwrap();
            assert_eq!((&read.name, &read.description), (&bot.name, &bot.description), "{card}");
            let listed = front_matter(&bot);
            assert_eq!(listed["description"], bot.description);
            assert_eq!(listed["metadata"]["version"], "1.10");
        }
        check("Plain words");
        check(r#""Quotes \" and: colons # and \\ backslashes""#);
        check(r#""line\u2028separator, \u0085next, \ufeffmark""#);
        check("'审查代码 --- 🦀'");
        check("'- [ ] {a: b}'");
    }

    #[test]
    fn a_card_says_what_is_to_be_filled_in() {
        let bot = employee(
            "name: bot\ndescription: d\nargs:\n  - name: task\n    description: what to do\n    required: true\n  - name: mood\n    default: calm\n",
        );
        let expected = "---\nname: \"bot\"\ndescription: \"d\"\nmetadata:\n  version: \"1.0\"\n---\n\nDo $task.\n\n## Arguments\n\n\
            Places such as `$name` in these instructions stand for:\n\n- `$task` (required): what to do\n- `$mood` (default: `calm`)\n";
        assert_eq!(text(&bot), expected);
    }
}
