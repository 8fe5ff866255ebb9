//! Streamed answers, whole, cut and broken.

use crate::llm::{Cause, Finish, Reply, Usage, provider::Wire, wire::*};

const ANTHROPIC: &[u8] = include_bytes!("../../../../tests/fixtures/llm/anthropic-stream.sse");
const OVERLOADED: &[u8] = include_bytes!("../../../../tests/fixtures/llm/anthropic-overloaded.sse");
const OPENAI: &[u8] = include_bytes!("../../../../tests/fixtures/llm/openai-stream.sse");
const DEEPSEEK: &[u8] = include_bytes!("../../../../tests/fixtures/llm/deepseek-stream.sse");
const GEMINI: &[u8] = include_bytes!("../../../../tests/fixtures/llm/gemini-stream.sse");

const RESPONSES: &[u8] = include_bytes!("../../../../tests/fixtures/llm/responses-stream.sse");
const ANTHROPIC_TOOLS: &[u8] = include_bytes!("../../../../tests/fixtures/llm/anthropic-tools.sse");
const DEEPSEEK_TOOLS: &[u8] = include_bytes!("../../../../tests/fixtures/llm/deepseek-tools.sse");
const RESPONSES_TOOLS: &[u8] = include_bytes!("../../../../tests/fixtures/llm/responses-tools.sse");
const GEMINI_TOOLS: &[u8] = include_bytes!("../../../../tests/fixtures/llm/gemini-tools.sse");

const MOONSHOT: &[u8] = include_bytes!("../../../../tests/fixtures/llm/moonshot-stream.sse");
const ZHIPU: &[u8] = include_bytes!("../../../../tests/fixtures/llm/zhipu-stream.sse");
const QWEN: &[u8] = include_bytes!("../../../../tests/fixtures/llm/qwen-stream.sse");
const OLLAMA: &[u8] = include_bytes!("../../../../tests/fixtures/llm/ollama-stream.sse");
const VLLM: &[u8] = include_bytes!("../../../../tests/fixtures/llm/vllm-stream.sse");
const LM_STUDIO: &[u8] = include_bytes!("../../../../tests/fixtures/llm/lmstudio-stream.sse");
const THINKING: &[u8] = include_bytes!("../../../../tests/fixtures/llm/gemini-thinking.sse");

/// Of every provider; those with tools that are only here are looked at among the tests of tools.
const STREAMS: [(Wire, &[u8]); 19] = [
    (Wire::OpenAi, MOONSHOT),
    (Wire::OpenAi, ZHIPU),
    (Wire::OpenAi, QWEN),
    (Wire::OpenAi, OLLAMA),
    (Wire::OpenAi, VLLM),
    (Wire::OpenAi, LM_STUDIO),
    (Wire::Gemini, THINKING),
    (Wire::OpenAi, include_bytes!("../../../../tests/fixtures/llm/zhipu-tools.sse")),
    (Wire::OpenAi, include_bytes!("../../../../tests/fixtures/llm/qwen-tools.sse")),
    (Wire::OpenAi, include_bytes!("../../../../tests/fixtures/llm/ollama-tools.sse")),
    (Wire::Anthropic, ANTHROPIC),
    (Wire::Anthropic, ANTHROPIC_TOOLS),
    (Wire::OpenAi, OPENAI),
    (Wire::OpenAi, DEEPSEEK),
    (Wire::OpenAi, DEEPSEEK_TOOLS),
    (Wire::OpenAiResponses, RESPONSES),
    (Wire::OpenAiResponses, RESPONSES_TOOLS),
    (Wire::Gemini, GEMINI),
    (Wire::Gemini, GEMINI_TOOLS),
];

/// Reads a stream that comes in these parts: the text that was handed out on the way, and how it ended.
pub(super) fn read<'b>(
    wire: Wire,
    parts: impl IntoIterator<Item = &'b [u8]>,
) -> (String, Result<Reply, Fault>) {
    let mut decoder = Decoder::new(wire);
    let mut text = String::new();
    for part in parts {
        let pushed = decoder.push(part);
        text.push_str(&decoder.take());
        if let Err(fault) = pushed {
            return (text, Err(fault));
        }
    }
    match decoder.finish() {
        Ok((rest, reply)) => (text + &rest, Ok(reply)),
        Err(fault) => (text, Err(fault)),
    }
}

fn reply(wire: Wire, bytes: &[u8]) -> Reply {
    read(wire, [bytes]).1.unwrap()
}

fn unreadable(wire: Wire, bytes: &[u8]) -> String {
    match read(wire, [bytes]).1 {
        Err(Fault::Unreadable(reason)) => reason,
        other => panic!("not unreadable: {other:?}"),
    }
}

#[test]
fn each_dialect_is_read_to_its_end() {
    let check = |wire, bytes, text: &str, model: &str, usage: [u64; 3], finish| {
        let [input_tokens, cached_input_tokens, output_tokens] = usage;
        let usage = Usage { input_tokens, cached_input_tokens, output_tokens };
        let expected =
            Reply { said: text.to_owned().into(), model: model.to_owned(), usage, finish, cost_usd: None };
        assert_eq!(reply(wire, bytes), expected);
    };
    let hello = "Hello，世界 🦀!";
    check(Wire::Anthropic, ANTHROPIC, hello, "claude-sonnet-4-20250514", [30, 5, 15], Finish::Stop);
    check(Wire::OpenAi, OPENAI, hello, "gpt-4o-2024-08-06", [19, 8, 10], Finish::Stop);
    check(Wire::OpenAi, DEEPSEEK, "9.8 更大。", "deepseek-reasoner", [16, 12, 10], Finish::Length);
    check(Wire::OpenAiResponses, RESPONSES, hello, "gpt-5-2025-08-07", [36, 12, 87], Finish::Stop);
    let bigger = "9.8 更大 🦀。";
    check(Wire::OpenAi, MOONSHOT, bigger, "kimi-k2.5", [19, 10, 21], Finish::Stop);
    check(Wire::OpenAi, ZHIPU, bigger, "glm-4.6", [17, 3, 30], Finish::Stop);
    check(Wire::OpenAi, QWEN, bigger, "qwen3-max", [22, 16, 40], Finish::Stop);
    check(Wire::OpenAi, OLLAMA, bigger, "llama3.2:3b", [31, 0, 9], Finish::Stop);
    check(Wire::OpenAi, VLLM, bigger, "Qwen/Qwen3-8B", [24, 0, 20], Finish::Stop);
    check(Wire::OpenAi, LM_STUDIO, bigger, "qwen2.5-7b-instruct", [26, 0, 8], Finish::Stop);
    check(Wire::Gemini, THINKING, bigger, "gemini-2.5-flash", [14, 6, 27], Finish::Stop);
    check(Wire::Gemini, GEMINI, hello, "gemini-2.0-flash", [7, 0, 9], Finish::Stop);
}

#[test]
fn it_does_not_matter_where_the_bytes_are_cut() {
    for (wire, bytes) in STREAMS {
        let whole = read(wire, [bytes]);
        assert_eq!(whole.0, whole.1.as_ref().unwrap().said.text);
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(read(wire, [head, tail]), whole, "{wire:?} cut at byte {cut}");
        }
        assert_eq!(read(wire, bytes.chunks(1)), whole, "{wire:?} byte by byte");
    }
}

#[test]
fn a_stream_that_breaks_off_is_never_taken_for_an_answer() {
    for (wire, bytes) in STREAMS {
        let whole = reply(wire, bytes).said;
        for length in 0..bytes.len() {
            let (text, outcome) = read(wire, [&bytes[..length]]);
            assert!(whole.text.starts_with(&text), "{wire:?} of {length} bytes: {text}");
            match outcome {
                // All its text is there and it said why it stopped; only a mark of the end or the cost is missing.
                Ok(reply) => assert_eq!(reply.said, whole, "{wire:?} of {length} bytes"),
                Err(fault) => assert!(matches!(fault, Fault::Unreadable(_)), "{fault:?}"),
            }
        }
    }
    let marked = OPENAI.len() - b"data: [DONE]\n\n".len();
    assert_eq!(reply(Wire::OpenAi, &OPENAI[..marked]).usage.output_tokens, 10, "not all mark the end");
    let unmarked =
        ANTHROPIC.strip_suffix(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n").unwrap();
    assert_eq!(unreadable(Wire::Anthropic, unmarked), "it ended before the answer did");
}

#[test]
fn failures_in_the_middle_are_told_with_a_status() {
    let check = |wire, bytes: &[u8], status: u16, said: &str| {
        let (text, outcome) = read(wire, [bytes]);
        let told = Fault::Told { status, cause: Cause::Other, message: said.to_owned() };
        assert_eq!(outcome, Err(told));
        text
    };
    assert_eq!(check(Wire::Anthropic, OVERLOADED, 529, "Overloaded"), "Hello，世界");
    let typed = br#"data: {"type":"error","error":{"type":"rate_limit_error","message":"slow"}}

"#;
    check(Wire::Anthropic, typed, 429, "slow");
    check(Wire::OpenAi, b"data: {\"error\":{\"message\":\"gone\",\"code\":503}}\n\n", 503, "gone");
    check(Wire::OpenAi, b"data: {\"error\":{\"message\":\"odd\",\"code\":\"oops\"}}\n\n", 500, "odd");
    check(Wire::OpenAi, b"data: {\"error\":\"plain\"}\n\n", 500, "plain");
    let broken = br#"data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"insufficient_system_resource"}]}

"#;
    check(Wire::OpenAi, broken, 503, "it stopped in the middle of the answer: insufficient_system_resource");
    check(Wire::OpenAi, b"data: {\"error\":{\"message\":\"slow\",\"code\":\"1302\"}}\n\n", 429, "slow");
    let gemini =
        b"data: {\"error\":{\"code\":503,\"message\":\"overloaded\",\"status\":\"UNAVAILABLE\"}}\n\n";
    check(Wire::Gemini, gemini, 503, "overloaded");
}

#[test]
fn what_is_no_stream_of_this_dialect_is_refused() {
    for wire in [Wire::Anthropic, Wire::OpenAi, Wire::OpenAiResponses, Wire::Gemini] {
        for bytes in [&b""[..], b"\n\n", b"<html>502</html>", b": ping\n\n", b"{\"choices\":[]}"] {
            assert_eq!(unreadable(wire, bytes), "it ended before the answer did", "{wire:?}: {bytes:?}");
        }
        for bytes in
            [&b"data: {\n\n"[..], b"data: 7\n\n", b"data: null\n\n", b"data:\n\n", b"data: \"x\"\n\n"]
        {
            unreadable(wire, bytes);
        }
    }
    // A character is cut in two by the sender itself.
    let broken = b"data: {\"choices\":[{\"delta\":{\"content\":\"\xe4\xbd\"}}]}\n\ndata: [DONE]\n\n";
    assert!(unreadable(Wire::OpenAi, broken).contains("unicode"), "{}", unreadable(Wire::OpenAi, broken));
}

#[test]
fn emptiness_is_an_answer_only_when_refused() {
    let openai = |delta: &str, reason: &str| {
        let event =
            format!("data: {{\"choices\":[{{\"delta\":{delta},\"finish_reason\":\"{reason}\"}}]}}\n\n");
        format!("{event}data: [DONE]\n\n").into_bytes()
    };
    assert!(unreadable(Wire::OpenAi, &openai("{}", "stop")).contains("no text"));
    assert_eq!(reply(Wire::OpenAi, &openai("{}", "content_filter")).finish, Finish::Refused);
    let refused = reply(Wire::OpenAi, &openai(r#"{"refusal":"No."}"#, "stop"));
    assert_eq!((refused.said.text.as_str(), refused.finish), ("No.", Finish::Refused));
    let blocked = b"data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n";
    assert_eq!(reply(Wire::Gemini, blocked).finish, Finish::Refused);
    assert!(unreadable(Wire::OpenAi, b"data: [DONE]\n\n").contains("no text"));
    assert_eq!(
        unreadable(
            Wire::Gemini,
            b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]}}]}\n\n"
        ),
        "it ended before the answer did"
    );
}

#[test]
fn other_choices_and_what_follows_the_end_are_left_out() {
    let two = b"data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"no\"}},{\"index\":0,\"delta\":{\"content\":\"yes\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\ndata: garbage\n\n";
    assert_eq!(reply(Wire::OpenAi, two).said.text, "yes");
}
