//! The offline model: answers without a network, so that a crew can be tried and tested without a key.

use super::{Finish, Message, Reply, Request, Said, Usage, client::Teller, provider::ECHO};
use crate::base::text::truncate;

/// What every answer of the offline model begins with, so that nobody takes it for thought.
const NOTICE: &str = "[echo] This is the offline model; no provider was asked. These were its instructions:";

/// Most characters of the instructions that are repeated: outputs that are handed on must not grow without end.
const REPEATED: usize = 2000;

/// The answer to `request`, always the same for the same request: a notice, the beginning of its instructions, and the
/// last user turn.
///
/// A token is counted for every four characters begun, in the text read (instructions and conversation) as in
/// the text written.
fn answer(request: &Request) -> Reply {
    let last = request.messages.iter().rev().find_map(|message| match message {
        Message::User(text) => Some(text.as_str()),
        Message::Assistant(_) | Message::Tools(_) => None,
    });
    let instructions = truncate(request.system.trim(), REPEATED);
    let text = format!("{NOTICE}\n\n{instructions}\n\n> {}", last.unwrap_or_default());
    let read = request.messages.iter().map(|message| match message {
        Message::User(text) | Message::Assistant(Said { text, .. }) => tokens(text),
        Message::Tools(results) => results.iter().map(|result| tokens(&result.text)).sum(),
    });
    Reply {
        usage: Usage {
            input_tokens: tokens(&request.system) + read.sum::<u64>(),
            cached_input_tokens: 0,
            output_tokens: tokens(&text),
        },
        said: text.into(),
        model: ECHO.to_owned(),
        finish: Finish::Stop,
        cost_usd: None,
    }
}

/// The same, told word by word.
pub(super) async fn tell(request: &Request, teller: Option<&mut Teller>) -> Reply {
    let reply = answer(request);
    if let Some(teller) = teller {
        for word in reply.said.text.split_inclusive(' ') {
            teller.tell(word.to_owned()).await;
        }
    }
    reply
}

fn tokens(text: &str) -> u64 {
    text.chars().count().div_ceil(4) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::{Choice, Message};

    #[test]
    fn repeats_what_it_was_told_and_says_so() {
        let request = Request {
            model: Choice::of("echo"),
            system: "12345".to_owned(),
            messages: vec![
                Message::user("first"),
                Message::Assistant("x".to_owned().into()),
                Message::user("审查"),
            ],
            tools: Vec::new(),
            max_tokens: None,
            temperature: None,
            thinking: None,
            fallback: None,
            account: "test".to_owned(),
        };
        let reply = answer(&request);
        assert_eq!(reply.said.text, format!("{NOTICE}\n\n12345\n\n> 审查"));
        assert_eq!(
            (reply.usage.input_tokens, reply.usage.output_tokens),
            (2 + 2 + 1 + 1, tokens(&reply.said.text))
        );
        assert_eq!(reply, answer(&request));
    }
}
