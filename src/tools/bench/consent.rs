//! Asking a person before an employee uses a tool.

use serde_json::Value;

use super::rights::Rule;
use crate::{base::text::truncate, engine::Job, llm::ToolCall, tasks::Decision, tools::Error};

/// Most characters that are shown of one text among the arguments.
const MOST_TEXT: usize = 200;
/// Most characters that are shown of all of them.
const MOST_ARGUMENTS: usize = 1500;

/// Asks whether `job`'s employee may make this call, as `rule` wants it, and waits for the answer.
///
/// # Errors
/// [`Error::Denied`] when nobody can be asked.
pub(super) async fn ask(job: &Job<'_>, call: &ToolCall, rule: &Rule) -> Result<Decision, Error> {
    let question = question(&job.employee.name, call, rule);
    job.steps.wait(&job.name, &question).await.map_err(|failure| {
        let nobody = format!(
            "`{}` needs a person's approval each time ({rule}), and nobody can be asked: {}",
            call.name, failure.message
        );
        tracing::warn!(
            employee = job.employee.name,
            tool = call.name,
            reason = nobody,
            "a tool was not used"
        );
        Error::Denied(nobody)
    })
}

/// One line for a person. What the model wrote is data in it: whatever could change how the line looks is written out.
fn question(employee: &str, call: &ToolCall, rule: &Rule) -> String {
    let args = shown(&call.arguments);
    format!("May `{employee}` use the tool `{}` ({rule})? Arguments: {args}", plainly(&call.name))
}

fn shown(arguments: &str) -> String {
    let whole = match serde_json::from_str::<Value>(arguments) {
        Ok(value) => bounded(value).to_string(),
        Err(_) => Value::from(arguments).to_string(),
    };
    let plain = plainly(&whole);
    let count = plain.chars().count();
    let rest = if count > MOST_ARGUMENTS { format!(" (cut from {count} characters)") } else { String::new() };
    format!("{}{rest}", truncate(&plain, MOST_ARGUMENTS))
}

/// The same with its long texts cut, so that none of them hides what comes after it.
fn bounded(value: Value) -> Value {
    match value {
        Value::String(text) => {
            let count = text.chars().count();
            let rest =
                if count > MOST_TEXT { format!(" (cut from {count} characters)") } else { String::new() };
            Value::String(truncate(&text, MOST_TEXT) + &rest)
        }
        Value::Array(items) => items.into_iter().map(bounded).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, bounded(value))).collect(),
        other => other,
    }
}

/// Characters that show nothing, or turn what is around them, are written as `\u{…}`.
fn plainly(text: &str) -> String {
    let plain = |letter: char| {
        // Those that only space or join letters are among them: in a question they are of no use.
        let odd = matches!(u32::from(letter),
            0xAD | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F | 0x2028..=0x202E
            | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB | 0xE0000..=0xE0FFF);
        if letter.is_control() || odd { letter.escape_unicode().to_string() } else { letter.to_string() }
    };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &str) -> String {
        let call = ToolCall {
            id: "1".to_owned(),
            name: "mcp__hub__wipe".to_owned(),
            arguments: arguments.to_owned(),
        };
        question("clerk", &call, &Rule::Destructive)
    }

    #[test]
    fn who_wants_what_is_said_in_one_line_that_nothing_can_disguise() {
        let begin = "May `clerk` use the tool `mcp__hub__wipe` (it is destructive, and `allow` does not name it in full)? \
                     Arguments: ";
        assert_eq!(asked(r#"{"path": "a"}"#), format!(r#"{begin}{{"path":"a"}}"#));
        let disguised = asked("{\"path\": \"a\\n\\u001b[2Jok\\u202egnp\\u2028\\u200b\\u007f\"}");
        assert_eq!(
            disguised,
            format!(r#"{begin}{{"path":"a\n\u001b[2Jok\u{{202e}}gnp\u{{2028}}\u{{200b}}\u{{7f}}"}}"#)
        );
        assert_eq!(asked("no\njson"), format!(r#"{begin}"no\njson""#));
    }

    #[test]
    fn long_arguments_are_cut_and_hide_nothing_that_is_short() {
        let text = asked(&serde_json::json!({"content": "名".repeat(100_000), "path": "/etc"}).to_string());
        assert!(text.chars().count() < 500, "{text}");
        assert!(
            text.contains("名… (cut from 100000 characters)") && text.contains(r#""path":"/etc""#),
            "{text}"
        );
        let many: Vec<_> = (0..10_000).collect();
        let text = asked(&serde_json::json!(many).to_string());
        assert!(text.chars().count() < 2000 && text.ends_with("… (cut from 48891 characters)"), "{text}");
    }
}
