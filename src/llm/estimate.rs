//! The most that a call may take, before it is made.

use super::{Message, Request};

/// What a turn takes besides its text.
const TURN: u64 = 8;
/// What a call takes besides its turns.
const CALL: u64 = 16;

/// An upper estimate of the tokens a model reads when it is asked this.
///
/// How text becomes tokens is each model's own matter. Words of English have about four letters a token, code three; a
/// Chinese character is one token or two. Two letters a token, one for each digit and mark, and two for each character
/// beyond ASCII is more than any of them takes for what people write.
pub(super) fn input_tokens(request: &Request) -> u64 {
    let turns = request.messages.iter().map(|message| {
        TURN + match message {
            Message::User(text) => tokens(text),
            Message::Assistant(said) => {
                let calls = said.calls.iter().map(|call| tokens(&call.name) + tokens(&call.arguments) + TURN);
                let thoughts =
                    said.thoughts.as_ref().map_or(0, |thoughts| tokens(&thoughts.parts.to_string()));
                tokens(&said.text) + calls.sum::<u64>() + thoughts
            }
            Message::Tools(results) => results.iter().map(|result| tokens(&result.text) + TURN).sum(),
        }
    });
    let tools = request
        .tools
        .iter()
        .map(|tool| TURN + tokens(&tool.name) + tokens(&tool.description) + tokens(tool.schema.get()));
    CALL + tokens(&request.system) + turns.sum::<u64>() + tools.sum::<u64>()
}

/// At most this many tokens.
pub fn tokens(text: &str) -> u64 {
    let halves = text.chars().map(|letter| match letter {
        letter if letter.is_ascii_alphabetic() || letter == ' ' => 1,
        letter if letter.is_ascii() => 2,
        _ => 4,
    });
    halves.sum::<u64>().div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn it_is_more_than_models_take() {
        // Beside each text, what the tokenizer of a widely used model makes of it.
        let check = |text: &str, real: u64| {
            let most = tokens(text);
            assert!(most >= real && most <= real * 4 + 4, "{text}: {most} for {real}");
        };
        check("", 0);
        check("Review the code of this pull request and list what is wrong with it.", 15);
        check("请审查以下代码，并指出其中的错误。", 19);
        check("fn main() { println!(\"{}\", 1 + 2); }", 15);
        check("1234567890", 4);
        check("🙂🙂", 4);
    }
}
