use crate::llm::{
    Cause,
    wire::{failure::MESSAGE_CHARS, *},
};

fn failure(wire: Wire, status: u16, body: &str) -> Error {
    let headers = HeaderMap::new();
    let answer = Answer {
        provider: &"openai".into(),
        status,
        headers: &headers,
        body: body.as_bytes(),
        received: Timestamp::UNIX_EPOCH,
    };
    decode(wire, &answer).unwrap_err()
}

fn message(status: u16, body: &str) -> String {
    match failure(Wire::OpenAi, status, body) {
        Error::Status { message, .. } => message,
        other => panic!("not a status error: {other:?}"),
    }
}

#[test]
fn an_error_body_is_read_in_any_of_its_shapes() {
    assert_eq!(message(401, r#"{"error":{"message":"Incorrect API key","type":"x"}}"#), "Incorrect API key");
    assert_eq!(message(400, r#"{"error":"model not found"}"#), "model not found");
    assert_eq!(message(400, r#"{"code":"InvalidParameter","message":"bad","request_id":"1"}"#), "bad");
    assert_eq!(message(502, "<html>\n  Bad   Gateway</html>"), "<html> Bad Gateway</html>");
    assert_eq!(message(503, ""), "no explanation");
    assert_eq!(message(500, r#"{"error":{}}"#), r#"{"error":{}}"#);
    assert_eq!(message(302, "moved"), "it redirects, and redirects are not followed");
    assert_eq!(message(500, &"代".repeat(600)).chars().count(), MESSAGE_CHARS + 1);
}

/// What each provider answers to a conversation that is too long, to what its filter holds back, and when the money is gone.
#[test]
fn causes_are_known_in_the_words_of_each_provider() {
    let check = |wire, status, body: &str, class: &str| {
        let error = failure(wire, status, body);
        assert_eq!((error.class().as_str(), error.is_transient()), (class, false), "{body}");
    };
    let error = |code: &str, kind: &str, message: &str| {
        serde_json::json!({"error": {"code": code, "type": kind, "message": message}}).to_string()
    };
    let too_long = [
        (Wire::OpenAi, error("context_length_exceeded", "invalid_request_error", "This model's maximum context length is 128000 tokens.")),
        (Wire::OpenAi, error("invalid_request_error", "invalid_request_error", "This model's maximum context length is 131072 tokens. However, you requested 140000 tokens")),
        (Wire::Anthropic, r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}"#.to_owned()),
        (Wire::Gemini, r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#.to_owned()),
        (Wire::OpenAi, error("", "invalid_request_error", "Invalid request: Your request exceeded model token limit: 8192")),
        (Wire::OpenAi, error("1261", "", "Prompt 超长")),
        (Wire::OpenAi, error("invalid_parameter_error", "invalid_request_error", "Range of input length should be [1, 129024]")),
        (Wire::OpenAi, error("", "exceed_context_size_error", "the request exceeds the available context size, try increasing it")),
    ];
    for (wire, body) in too_long {
        check(wire, 400, &body, "context_length");
    }
    let filtered = [
        (
            400,
            error(
                "content_filter",
                "",
                "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
            ),
        ),
        (400, error("", "content_filter", "The request was rejected because it was considered high risk")),
        (400, error("invalid_request_error", "invalid_request_error", "Content Exists Risk")),
        (400, error("1301", "", "系统检测到输入或生成内容可能包含不安全或敏感内容")),
        (
            400,
            error(
                "data_inspection_failed",
                "data_inspection_failed",
                "Input data may contain inappropriate content.",
            ),
        ),
    ];
    for (status, body) in filtered {
        check(Wire::OpenAi, status, &body, "content_filter");
    }
    let spent = [
        (429, error("insufficient_quota", "insufficient_quota", "You exceeded your current quota")),
        (
            429,
            error(
                "",
                "exceeded_current_quota_error",
                "Your account is suspended, please check your plan and billing details",
            ),
        ),
        (429, error("1113", "", "您的账户已欠费")),
        (402, error("invalid_request_error", "unknown_error", "Insufficient Balance")),
    ];
    for (status, body) in spent {
        check(Wire::OpenAi, status, &body, "quota");
    }
    // Too many requests is none of these, and neither is a word of theirs in another place.
    let slow =
        failure(Wire::OpenAi, 429, &error("rate_limit_exceeded", "requests", "maximum context length"));
    assert!(matches!(slow, Error::Status { cause: Cause::Other, .. }) && slow.is_transient(), "{slow:?}");
    let listed =
        r#"[{"error":{"code":429,"message":"Resource has been exhausted","status":"RESOURCE_EXHAUSTED"}}]"#;
    assert_eq!(
        failure(Wire::Gemini, 429, listed).to_string(),
        "openai answered 429: Resource has been exhausted"
    );
}
