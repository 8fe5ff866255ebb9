//! Providers that fail time and again, and models that stand in.

use super::*;

const OVERFLOW: &str = r#"{"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens.","code":"context_length_exceeded"}}"#;

#[tokio::test]
async fn a_provider_that_keeps_failing_is_left_alone() {
    let stage = stage(|_| answer(500, &[], ""), |_| ()).await;
    stage.ask().await.unwrap_err();
    assert_eq!(stage.requests(), 3);
    // The fifth failure in a row opens it in the middle of the call.
    let error = stage.ask().await.unwrap_err();
    assert!(matches!(error, Error::Status { status: 500, .. }), "{error}");
    assert_eq!(stage.requests(), 5);
    let error = stage.ask().await.unwrap_err();
    assert!(
        error.to_string().starts_with("openai failed 5 times in a row and is not asked again for "),
        "{error}"
    );
    assert_eq!((stage.requests(), error.class().as_str(), error.is_transient()), (5, "resting", true));
    let snapshot = stage.meter.snapshot();
    assert_eq!((snapshot.calls.failed, snapshot.latency.count), (3, 2));
    // Others are not concerned.
    stage.client.complete(&request("echo")).await.unwrap();
}

#[tokio::test]
async fn one_request_finds_out_whether_it_is_back() {
    let script: Script = |n| if n < 6 { answer(529, &[], "") } else { answer(200, &[], ANSWER) };
    let stage = stage(script, |settings| settings.rest = Duration::ZERO).await;
    stage.ask().await.unwrap_err();
    stage.ask().await.unwrap_err();
    assert_eq!(stage.requests(), 6);
    stage.ask().await.unwrap();
    stage.ask().await.unwrap();
    assert_eq!(stage.requests(), 8);
}

#[tokio::test]
async fn refusals_say_that_it_is_there() {
    let script: Script = |n| answer(if n % 5 == 4 { 400 } else { 503 }, &[], "");
    let stage = stage(script, |_| ()).await;
    for _ in 0..6 {
        let error = stage.ask().await.unwrap_err();
        assert!(matches!(error, Error::Status { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_model_may_stand_in_for_another() {
    let stage = stage_of_two([|_| answer(500, &[], ""), |_| answer(200, &[], ANSWER)], |_| ()).await;
    let reply = stage.ask_both().await.unwrap();
    assert_eq!((reply.said.text.as_str(), stage.all_requests()), ("Hello! How can I help?", [3, 1]));
    let snapshot = stage.meter.snapshot();
    assert_eq!((snapshot.by_provider["openai"].failed, snapshot.by_provider["deepseek"].success), (1, 1));
    assert_eq!(reply.cost_usd, Some(0.000_009_52), "the price is that of the model that answered");
}

#[tokio::test]
async fn it_stands_in_for_one_that_is_left_alone_or_not_there() {
    let both: [Script; 2] = [|_| answer(500, &[], ""), |_| answer(200, &[], ANSWER)];
    let stage = stage_of_two(both, |_| ()).await;
    for _ in 0..3 {
        stage.ask_both().await.unwrap();
    }
    assert_eq!(stage.all_requests(), [5, 3]);
    let request = Request { fallback: Some(Choice::of("deepseek-chat")), ..request("claude-x") };
    stage.client.complete(&request).await.unwrap();
    assert_eq!(stage.all_requests(), [5, 4]);
}

#[tokio::test]
async fn both_failures_are_told_and_the_requests_are_bounded() {
    let stage = stage_of_two([|_| answer(400, &[], OVERFLOW), |_| answer(503, &[], "down")], |_| ()).await;
    let error = stage.ask_both().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "openai answered 400: This model's maximum context length is 128000 tokens. However, your messages \
         resulted in 130001 tokens.; the fallback `deepseek-chat` failed too: deepseek answered 503: down"
    );
    assert_eq!((error.class().as_str(), error.is_transient()), ("context_length", true));
    assert_eq!(stage.all_requests(), [1, 3]);
    let stage = stage_of_two([|_| answer(500, &[], ""), |_| answer(529, &[], "")], |_| ()).await;
    stage.ask_both().await.unwrap_err();
    assert_eq!(stage.all_requests(), [3, 3], "never more than six");
}

#[tokio::test]
async fn nothing_stands_in_for_itself() {
    let stage = stage(|_| answer(400, &[], "no"), |_| ()).await;
    let request = Request { fallback: Some(Choice::of("gpt-4o")), ..request("gpt-4o") };
    let error = stage.client.complete(&request).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), stage.requests()), ("openai answered 400: no", 1));
}

#[tokio::test]
async fn a_fallback_without_a_key_says_so() {
    let stage = stage(|_| answer(400, &[], "no"), |_| ()).await;
    let request = Request { fallback: Some(Choice::of("claude-x")), ..request("gpt-4o") };
    let error = stage.client.complete(&request).await.unwrap_err().to_string();
    assert!(error.contains("openai answered 400: no; the fallback `claude-x` failed too"), "{error}");
    assert!(error.contains("ANTHROPIC_API_KEY"), "{error}");
}

#[tokio::test]
async fn the_cause_of_a_broken_connection_is_told_in_both() {
    let nowhere = nowhere().await;
    let stage = stage(|_| answer(500, &[], ""), |settings| settings.providers = providers(&nowhere)).await;
    let error = stage.ask_both().await.unwrap_err().to_string();
    assert!(error.starts_with("no connection to openai: "), "{error}");
    assert!(error.contains("no connection to deepseek: "), "{error}");
}
