//! Answers that come as one document.

use super::*;

#[tokio::test]
async fn an_answer_is_returned_and_counted() {
    let stage = stage(|_| answer(200, &[], ANSWER), |_| ()).await;
    let reply = stage.ask().await.unwrap();
    assert_eq!((reply.said.text.as_str(), reply.finish), ("Hello! How can I help?", Finish::Stop));
    let snapshot = stage.meter.snapshot();
    assert_eq!((snapshot.tokens.input, snapshot.tokens.output), (19, 10));
    assert_eq!(snapshot.by_employee["tester"].tokens, 29);
    assert_eq!((reply.cost_usd, snapshot.cost_usd), (Some(0.000_147_5), 0.000_147_5));
    assert_eq!(snapshot.latency.count, 1);
    assert_eq!(snapshot.latency_by_provider["openai"].count, 1);
}

#[tokio::test]
async fn transient_failures_are_tried_again_and_counted_once() {
    let script: Script = |n| match n {
        0 => answer(429, &[("retry-after", "0")], "{}"),
        1 => answer(503, &[], ""),
        _ => answer(200, &[], ANSWER),
    };
    let stage = stage(script, |_| ()).await;
    stage.ask().await.unwrap();
    assert_eq!(stage.requests(), 3);
    assert_eq!(stage.meter.snapshot().calls.total, 1);
}

#[tokio::test]
async fn three_attempts_and_no_more() {
    let stage = stage(|_| answer(529, &[], r#"{"error":{"message":"overloaded"}}"#), |_| ()).await;
    assert_eq!(stage.ask().await.unwrap_err().to_string(), "openai answered 529: overloaded");
    assert_eq!(stage.requests(), 3);
    assert_one_failure(&stage.meter.snapshot(), "openai", "HTTP_529");
}

#[tokio::test]
async fn a_refusal_is_final() {
    let script: Script = |_| answer(401, &[], format!(r#"{{"error":{{"message":"bad key {KEY}"}}}}"#));
    let stage = stage(script, |_| ()).await;
    let error = stage.ask().await.unwrap_err();
    assert_eq!(error.to_string(), "openai answered 401: bad key ***");
    assert!(!format!("{error:?}").contains(KEY));
    assert_eq!(stage.requests(), 1);
    assert_one_failure(&stage.meter.snapshot(), "openai", "HTTP_401");
}

#[tokio::test]
async fn long_waits_are_handed_to_the_caller() {
    let stage = stage(|_| answer(429, &[("retry-after", "31")], ""), |_| ()).await;
    let error = stage.ask().await.unwrap_err();
    let wished = matches!(error, Error::Status { retry_after: Some(wish), .. } if wish.as_secs() == 31);
    assert!(wished, "{error:?}");
    assert_eq!(stage.requests(), 1);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let script: Script = |_| answer(307, &[("location", "/v1/chat/completions")], "");
    let stage = stage(script, |_| ()).await;
    let error = stage.ask().await.unwrap_err();
    assert!(matches!(error, Error::Status { status: 307, .. }), "{error:?}");
    assert_eq!(stage.requests(), 1);
}

#[tokio::test]
async fn answers_are_bounded() {
    let limit = |settings: &mut Settings| settings.max_answer_bytes = ANSWER.len() - 1;
    let error = stage(|_| answer(200, &[], ANSWER), limit).await.ask().await.unwrap_err();
    assert!(error.to_string().contains("it is longer than"), "{error}");
    let exact = |settings: &mut Settings| settings.max_answer_bytes = ANSWER.len();
    stage(|_| answer(200, &[], ANSWER), exact).await.ask().await.unwrap();
}

#[tokio::test]
async fn an_unreadable_success_is_final() {
    let stage = stage(|_| answer(200, &[], "<html>"), |_| ()).await;
    assert_eq!(stage.ask().await.unwrap_err().class(), "malformed");
    assert_eq!(stage.requests(), 1);
}

#[tokio::test]
async fn a_silent_provider_times_out() {
    let hang: Script = |_| {
        answer(200, &[], Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>()))
    };
    let stage = stage(hang, |settings| settings.total_timeout = Duration::from_millis(100)).await;
    let error = stage.ask().await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert_one_failure(&stage.meter.snapshot(), "openai", "timeout");
}

#[tokio::test]
async fn a_closed_port_and_a_broken_answer_are_connection_errors() {
    let nowhere = nowhere().await;
    let closed =
        stage(|_| answer(200, &[], ANSWER), |settings| settings.providers = providers(&nowhere)).await;
    assert_eq!(closed.ask().await.unwrap_err().class(), "connection");
    let broken: Script = |_| {
        let parts = [Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("cut"))];
        answer(200, &[], Body::from_stream(futures_util::stream::iter(parts)))
    };
    let broken = stage(broken, |_| ()).await;
    assert_eq!(broken.ask().await.unwrap_err().class(), "connection");
    assert_eq!(broken.requests(), 3);
}

#[tokio::test]
async fn one_provider_has_only_so_many_turns() {
    let stage = stage(|_| answer(200, &[], ANSWER), |settings| settings.max_concurrent = 1).await;
    let lane = lane(&stage.client);
    let held = lane.turns.acquire().await.unwrap();
    let request = request("gpt-4o");
    let mut call = std::pin::pin!(stage.client.complete(&request));
    assert!(futures_util::poll!(call.as_mut()).is_pending());
    assert_eq!(stage.requests(), 0);
    drop(held);
    call.await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_first_and_counted() {
    let check = async |model: &str, provider: &str, class: &str| {
        let meter = Arc::new(Meter::new());
        let client = Client::new(Settings::default(), Arc::clone(&meter));
        assert_eq!(client.check(&Choice::of(model)).unwrap_err().class(), class);
        assert_eq!(meter.snapshot().calls.total, 0, "a check is no call");
        assert_eq!(client.complete(&request(model)).await.unwrap_err().class(), class);
        let snapshot = meter.snapshot();
        assert_one_failure(&snapshot, provider, class);
        assert_eq!(snapshot.latency.count, 0);
    };
    check("llama-3", "unknown", "unknown_model").await;
    check("gemini-2.0-flash", "gemini", "missing_key").await;
    check("deepseek-chat", "deepseek", "missing_key").await;
    let error = Client::new(Settings::default(), Arc::default()).check(&Choice::of("claude-x")).unwrap_err();
    assert!(error.to_string().contains("ANTHROPIC_API_KEY"), "{error}");
}

#[tokio::test]
async fn the_offline_model_needs_nothing() {
    let meter = Arc::new(Meter::new());
    let client = Client::new(Settings::default(), Arc::clone(&meter));
    client.check(&Choice::of("echo")).unwrap();
    let reply = client.complete(&request("echo")).await.unwrap();
    assert!(reply.said.text.ends_with("hello"), "{}", reply.said.text);
    assert_eq!(meter.snapshot().by_provider["echo"].success, 1);
}
