//! Answers that are told while they come in.

use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;

use super::*;

const HELLO: &str = "Hello，世界 🦀!";

/// An answer sent in these parts, each on its way before the next.
fn parts(parts: Vec<Result<&'static [u8], std::io::Error>>) -> Body {
    Body::from_stream(stream::iter(parts).then(async |part| {
        tokio::task::yield_now().await;
        part.map(Bytes::from_static)
    }))
}

fn events(body: impl Into<Body>) -> Response<Body> {
    answer(200, &[("content-type", "text/event-stream; charset=utf-8")], body)
}

/// The beginning of [`STREAM`], up to its second text.
fn head() -> &'static [u8] {
    let (before, after) = STREAM.split_once("，世界").unwrap();
    let rest = after.split_once("\n\n").unwrap().1;
    &STREAM.as_bytes()[..before.len() + "，世界".len() + after.len() - rest.len()]
}

fn forever(first: &'static [u8]) -> Body {
    Body::from_stream(
        stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(first))]).chain(stream::pending()),
    )
}

/// The text that was told, and how it ended.
pub(super) async fn hear(client: &Client, request: &Request) -> (String, Result<Reply, Error>) {
    let mut telling = client.stream(request);
    let mut text = String::new();
    while let Some(event) = telling.next().await {
        match event {
            Ok(Event::Text(piece)) => text.push_str(&piece),
            Ok(Event::Done(reply)) => {
                assert!(telling.next().await.is_none());
                return (text, Ok(*reply));
            }
            Err(error) => {
                assert!(telling.next().await.is_none());
                return (text, Err(error));
            }
        }
    }
    panic!("it ended without an end: {text}");
}

async fn told(script: Script) -> (String, Error, Stage) {
    let stage = stage(script, |_| ()).await;
    let (text, outcome) = hear(&stage.client, &request("gpt-4o")).await;
    (text, outcome.unwrap_err(), stage)
}

#[tokio::test]
async fn text_comes_in_pieces_and_the_whole_at_the_end() {
    let script: Script = |_| {
        let (head, tail) = STREAM.as_bytes().split_at(STREAM.find("世界").unwrap() + 1);
        events(parts(vec![Ok(head), Ok(tail)]))
    };
    let stage = stage(script, |_| ()).await;
    let (text, reply) = hear(&stage.client, &request("gpt-4o")).await;
    let reply = reply.unwrap();
    assert_eq!((text.as_str(), reply.said.text.as_str(), reply.finish), (HELLO, HELLO, Finish::Stop));
    assert_eq!((reply.usage.input_tokens, reply.usage.cached_input_tokens), (19, 8));
    let snapshot = stage.meter.snapshot();
    assert_eq!((snapshot.calls.success, snapshot.tokens.input, snapshot.tokens.output), (1, 19, 10));
    assert_eq!((snapshot.latency.count, snapshot.first_token.count), (1, 1));
    assert_eq!(reply.cost_usd, Some(snapshot.cost_usd));
    assert!(snapshot.cost_usd > 0.0);
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let script: Script = |_| answer(200, &[("content-type", "application/json")], ANSWER);
    let stage = stage(script, |_| ()).await;
    let (text, reply) = hear(&stage.client, &request("gpt-4o")).await;
    assert_eq!(
        (text.as_str(), reply.unwrap().said.text.as_str()),
        ("Hello! How can I help?", "Hello! How can I help?")
    );
}

#[tokio::test]
async fn before_the_first_word_it_is_tried_again() {
    let script: Script = |n| match n {
        0 => answer(429, &[("retry-after", "0")], "{}"),
        1 => events(parts(vec![Ok(b": hello\n\n"), Err(std::io::Error::other("cut"))])),
        _ => events(STREAM),
    };
    let stage = stage(script, |_| ()).await;
    let (text, reply) = hear(&stage.client, &request("gpt-4o")).await;
    assert_eq!((text.as_str(), reply.unwrap().said.text.as_str(), stage.requests()), (HELLO, HELLO, 3));
    assert_eq!(stage.meter.snapshot().calls.total, 1);
}

#[tokio::test]
async fn what_was_said_is_not_said_again() {
    let cut: Script = |_| events(parts(vec![Ok(head()), Err(std::io::Error::other("cut"))]));
    let (text, error, stage) = told(cut).await;
    assert_eq!((text.as_str(), error.class().as_str(), stage.requests()), ("Hello，世界", "connection", 1));
    let stage = stage_of_two([cut, |_| events(STREAM)], |_| ()).await;
    let request = Request { fallback: Some(Choice::of("deepseek-chat")), ..request("gpt-4o") };
    let (text, outcome) = hear(&stage.client, &request).await;
    assert_eq!((text.as_str(), stage.all_requests()), ("Hello，世界", [1, 0]));
    assert_eq!(outcome.unwrap_err().class(), "connection");
}

#[tokio::test]
async fn a_fallback_may_say_what_the_first_did_not() {
    let stage = stage_of_two([|_| answer(400, &[], "no"), |_| events(STREAM)], |_| ()).await;
    let request = Request { fallback: Some(Choice::of("deepseek-chat")), ..request("gpt-4o") };
    let (text, reply) = hear(&stage.client, &request).await;
    assert_eq!(
        (text.as_str(), reply.unwrap().said.text.as_str(), stage.all_requests()),
        (HELLO, HELLO, [1, 1])
    );
}

#[tokio::test]
async fn half_a_stream_is_no_answer() {
    let (text, error, stage) = told(|_| events(head())).await;
    assert_eq!((text.as_str(), stage.requests()), ("Hello，世界", 1));
    assert_eq!(
        error.to_string(),
        "openai sent an answer that cannot be read: it ended before the answer did"
    );
    assert_one_failure(&stage.meter.snapshot(), "openai", "malformed");
    for script in [|_| events(""), |_| events("data: {\n\n"), |_| events("nonsense")] as [Script; 3] {
        let (text, error, _) = told(script).await;
        assert_eq!((text.as_str(), error.class().as_str()), ("", "malformed"));
    }
}

#[tokio::test]
async fn characters_and_events_that_are_broken_are_refused() {
    let invalid: Script = |_| {
        let bytes: &[u8] = b"data: {\"choices\":[{\"delta\":{\"content\":\"\xe4\xbd\"}}]}\n\n";
        events(parts(vec![Ok(head()), Ok(bytes)]))
    };
    let (text, error, _) = told(invalid).await;
    assert_eq!((text.as_str(), error.class().as_str()), ("Hello，世界", "malformed"));
    let failed: Script = |_| {
        let bytes: &[u8] = b"data: {\"error\":{\"message\":\"key sk-test-5e6f is out\",\"code\":503}}\n\n";
        events(parts(vec![Ok(head()), Ok(bytes)]))
    };
    let (_, error, stage) = told(failed).await;
    assert_eq!((error.to_string().as_str(), stage.requests()), ("openai answered 503: key *** is out", 1));
}

#[tokio::test]
async fn silence_is_given_up_wherever_it_falls() {
    const SHORT: Duration = Duration::from_millis(50);
    let check = async |script: Script, limit: fn(&mut Settings), heard: &str, said: &str, most: usize| {
        let stage = stage(script, limit).await;
        let (text, outcome) = hear(&stage.client, &request("gpt-4o")).await;
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        // A busy machine may give a request up before it has arrived.
        assert!(text == heard && stage.requests() <= most, "{text} after {}: {error}", stage.requests());
        assert_one_failure(&stage.meter.snapshot(), "openai", "timeout");
    };
    let first = |settings: &mut Settings| settings.first_byte_timeout = SHORT;
    check(|_| silence(), first, "", "did not answer within", 3).await;
    check(|_| events(forever(b"")), first, "", "did not answer within", 3).await;
    let idle = |settings: &mut Settings| settings.idle_timeout = SHORT;
    check(|_| events(forever(head())), idle, "Hello，世界", "said nothing more", 1).await;
    let total = |settings: &mut Settings| settings.total_timeout = SHORT;
    check(|_| silence(), total, "", "did not answer within", 1).await;
}

#[tokio::test]
async fn a_stream_is_bounded() {
    let limit = |settings: &mut Settings| settings.max_answer_bytes = STREAM.len() - 1;
    let stage = stage(|_| events(STREAM), limit).await;
    let error = hear(&stage.client, &request("gpt-4o")).await.1.unwrap_err();
    assert!(error.to_string().contains("it is longer than"), "{error}");
}

/// Tells when it is dropped.
struct Open(mpsc::UnboundedSender<()>);

impl Drop for Open {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn dropping_it_closes_the_connection() {
    let (closed, mut told) = mpsc::unbounded_channel();
    let handler = move || {
        let open = Open(closed.clone());
        let rest = stream::unfold(open, |open| async move {
            pending::<()>().await;
            Some((Ok::<_, std::io::Error>(Bytes::new()), open))
        });
        let first = stream::iter([Ok(Bytes::from_static(head()))]);
        async move { events(Body::from_stream(first.chain(rest))) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/chat/completions", axum::routing::post(handler));
    let tracker = Tracker::new();
    tracker.spawn(async move { axum::serve(listener, router).await });
    let settings = Settings { providers: providers(&url), max_concurrent: 1, ..Settings::default() };
    let meter = Arc::new(Meter::new());
    let client = Client::new(settings, Arc::clone(&meter));
    let mut telling = client.stream(&request("gpt-4o"));
    assert!(matches!(telling.next().await, Some(Ok(Event::Text(_)))));
    drop(telling);
    told.recv().await.unwrap();
    assert_eq!(meter.snapshot().by_provider["openai"].errors["cancelled"], 1);
    assert_eq!(lane(&client).turns.available_permits(), 1);
}

#[tokio::test]
async fn the_offline_model_tells_too() {
    let client = Client::new(Settings::default(), Arc::default());
    let told: Vec<_> = client.stream(&request("echo")).map(Result::unwrap).collect().await;
    let Some((Event::Done(reply), pieces)) = told.split_last() else { panic!("{told:?}") };
    let text: String = pieces
        .iter()
        .map(|event| match event {
            Event::Text(text) => text.as_str(),
            Event::Done(_) => panic!("done twice"),
        })
        .collect();
    assert!(pieces.len() > 10 && text == reply.said.text, "{told:?}");
    assert_eq!(client.meter().snapshot().first_token.count, 1);
}
