use crate::llm::wire::*;

fn message(status: u16, body: &str) -> String {
    let headers = HeaderMap::new();
    let answer = Answer {
        provider: &"openai".into(),
        status,
        headers: &headers,
        body: body.as_bytes(),
        received: Timestamp::UNIX_EPOCH,
    };
    match decode(Wire::OpenAi, &answer) {
        Err(Error::Status { message, .. }) => message,
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
    assert_eq!(message(500, &"代".repeat(600)).chars().count(), ERROR_TEXT_CHARS + 1);
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let received: Timestamp = "2026-11-22T08:49:37Z".parse().unwrap();
    let check = |value: &str, expected: Option<u64>| {
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
        assert_eq!(retry_after(&headers, received), expected.map(Duration::from_secs), "`{value}`");
    };
    check("7", Some(7));
    check(" 0 ", Some(0));
    check("Sun, 22 Nov 2026 08:49:47 GMT", Some(10));
    check("Sun, 22 Nov 2026 08:00:00 GMT", Some(0));
    check("soon", None);
    check("-1", None);
    check("1.5", None);
    assert_eq!(retry_after(&HeaderMap::new(), received), None);
}
