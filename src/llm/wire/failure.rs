//! What a provider says when it does not answer: in an HTTP error, or in the middle of an answer.

use serde_json::Value;

use super::Answer;
use crate::{base::text, llm::Cause};

/// Most characters kept of what a provider says about an error.
pub(super) const MESSAGE_CHARS: usize = 500;

/// What is in a message, in lower case, when the conversation is longer than the model reads. In turn: `OpenAI`, `DeepSeek`
/// and vLLM; Anthropic, twice; Gemini; Moonshot; Zhipu; Qwen; llama.cpp and LM Studio.
const TOO_LONG: [&str; 10] = [
    "maximum context length",
    "prompt is too long",
    "exceed context limit",
    "exceeds the maximum number of tokens allowed",
    "exceeded model token limit",
    "prompt 超长",
    "range of input length should be",
    "exceeds the available context size",
    "exceed_context_size",
    "greater than the context length",
];

/// The same for an answer or a question that a filter holds back. In turn: Anthropic; `DeepSeek`; Moonshot; Azure.
const FILTERED: [&str; 4] = [
    "blocked by content filtering policy",
    "content exists risk",
    "considered high risk",
    "content management policy",
];

/// The words that stand for a cause where a provider names one, in `code` or `type`.
///
/// Sources: <https://platform.openai.com/docs/guides/error-codes>, <https://docs.bigmodel.cn/cn/api/api-code>,
/// <https://platform.moonshot.ai/docs/api/errors>, <https://help.aliyun.com/zh/model-studio/error-code>.
fn named(code: &str) -> Option<Cause> {
    Some(match code {
        "context_length_exceeded" | "exceed_context_size_error" | "1261" => Cause::ContextLength,
        "content_filter"
        | "content_policy_violation"
        | "data_inspection_failed"
        | "DataInspectionFailed"
        | "1301" => Cause::ContentFilter,
        "insufficient_quota"
        | "exceeded_current_quota_error"
        | "billing_hard_limit_reached"
        | "Arrearage"
        | "1113" => Cause::Quota,
        _ => return None,
    })
}

/// What a failure of `status` is about. `error` is what the provider says of it, as JSON where it is some.
pub(super) fn cause(status: u16, error: &Value, message: &str) -> Cause {
    let words = ["code", "type"].into_iter().filter_map(|key| error.get(key)?.as_str());
    if let Some(cause) = words.into_iter().find_map(named) {
        return cause;
    }
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    match status {
        // `DeepSeek` says so with the status alone.
        402 => Cause::Quota,
        400 | 413 | 422 | 500 if says(&TOO_LONG) => Cause::ContextLength,
        400 | 403 | 422 | 451 if says(&FILTERED) => Cause::ContentFilter,
        _ => Cause::Other,
    }
}

/// What an HTTP error is about, and what the provider says of it: `error.message`, `error` or `message` of a JSON body,
/// else the body as text.
pub(super) fn told(answer: &Answer<'_>) -> (Cause, String) {
    if (300..400).contains(&answer.status) {
        return (Cause::Other, "it redirects, and redirects are not followed".to_owned());
    }
    let body = serde_json::from_slice::<Value>(answer.body).ok().map(|body| match body {
        // How Gemini answers streams, and some gateways all calls.
        Value::Array(mut parts) if !parts.is_empty() => parts.swap_remove(0),
        body => body,
    });
    let places = |body: &Value| {
        let places = [body.pointer("/error/message"), body.get("error"), body.get("message")];
        places.into_iter().flatten().find_map(Value::as_str).map(str::to_owned)
    };
    let said = body.as_ref().and_then(places);
    let said = said.unwrap_or_else(|| String::from_utf8_lossy(answer.body).into_owned());
    let error = body.as_ref().map(|body| body.get("error").filter(|error| error.is_object()).unwrap_or(body));
    (cause(answer.status, error.unwrap_or(&Value::Null), &said), one_line(&said))
}

/// What a provider said, in one line of bounded length: it ends up in logs and task records.
pub(super) fn one_line(said: &str) -> String {
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { "no explanation".to_owned() } else { text::truncate(&line, MESSAGE_CHARS) }
}
