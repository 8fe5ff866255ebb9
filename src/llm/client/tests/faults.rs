//! What can go wrong on the wire, by a server that speaks in raw bytes. How often it is asked is part of each expectation.

use std::sync::Mutex;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::*;

/// Most of an answer that is waited for in these tests.
const SHORT: Duration = Duration::from_millis(300);

/// What the server does once it has read a request.
#[derive(Clone)]
enum Act {
    Send(Vec<u8>),
    /// So many bytes of white space.
    Flood(usize),
    /// Something is sent once this has passed.
    Pause(Duration),
    /// Nothing more comes; the connection stays.
    Hang,
    Close,
}

/// A server that plays what `script` says for its n-th request (from 0).
struct Wire {
    url: String,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    /// Requests that are being answered now, and the most there ever were.
    busy: Arc<Mutex<(usize, usize)>>,
    sent: Arc<AtomicUsize>,
    /// Connections that the client has closed.
    closed: Arc<tokio::sync::Semaphore>,
    tracker: Tracker,
}

type Play = Arc<dyn Fn(usize) -> Vec<Act> + Send + Sync>;

impl Wire {
    async fn playing(script: impl Fn(usize) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            requests: Arc::default(),
            connections: Arc::default(),
            busy: Arc::default(),
            sent: Arc::default(),
            closed: Arc::new(tokio::sync::Semaphore::new(0)),
            tracker: Tracker::new(),
        };
        let script: Play = Arc::new(script);
        let (requests, connections) = (Arc::clone(&wire.requests), Arc::clone(&wire.connections));
        let (busy, sent, closed) = (Arc::clone(&wire.busy), Arc::clone(&wire.sent), Arc::clone(&wire.closed));
        let tracker = wire.tracker.clone();
        wire.tracker.spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (script, requests) = (Arc::clone(&script), Arc::clone(&requests));
                let (busy, sent, closed) = (Arc::clone(&busy), Arc::clone(&sent), Arc::clone(&closed));
                tracker.spawn(async move {
                    while read_request(&mut socket).await {
                        let number = requests.fetch_add(1, Ordering::SeqCst);
                        {
                            let mut busy = busy.lock().unwrap();
                            busy.0 += 1;
                            busy.1 = busy.1.max(busy.0);
                        }
                        let goes_on = play(&mut socket, script(number), &sent).await;
                        busy.lock().unwrap().0 -= 1;
                        if !goes_on {
                            break;
                        }
                    }
                    closed.add_permits(1);
                });
            }
        });
        wire
    }

    fn client(&self, change: impl FnOnce(&mut Settings)) -> (Client, Arc<Meter>) {
        client_of(&self.url, change)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn client_of(url: &str, change: impl FnOnce(&mut Settings)) -> (Client, Arc<Meter>) {
    let mut settings = Settings {
        providers: providers(url),
        retry_pause: Duration::from_millis(1),
        connect_timeout: Duration::from_secs(5),
        ..Settings::default()
    };
    change(&mut settings);
    let meter = Arc::new(Meter::new());
    (Client::new(settings, Arc::clone(&meter)), meter)
}

/// Reads one request; `false` when there is none any more.
async fn read_request(socket: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(!head.contains("accept-encoding"), "{head}");
    let length = head.split_once("content-length: ").unwrap().1;
    let length = length.split_once("\r\n").unwrap().0.parse().unwrap();
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await.is_ok()
}

/// Whether the connection can take another request.
async fn play(socket: &mut TcpStream, acts: Vec<Act>, sent: &AtomicUsize) -> bool {
    for act in acts {
        match act {
            Act::Send(bytes) => {
                if socket.write_all(&bytes).await.is_err() {
                    return false;
                }
                sent.fetch_add(bytes.len(), Ordering::SeqCst);
            }
            Act::Flood(length) => {
                let piece = vec![b' '; 64 * 1024];
                for _ in 0..length / piece.len() {
                    if socket.write_all(&piece).await.is_err() {
                        return false;
                    }
                    sent.fetch_add(piece.len(), Ordering::SeqCst);
                }
            }
            Act::Pause(time) => tokio::time::sleep(time).await,
            Act::Hang => {
                // Until the other side has had enough.
                let _ = socket.read(&mut [0]).await;
                return false;
            }
            Act::Close => return false,
        }
    }
    true
}

fn http(status: &str, headers: &str, body: &[u8]) -> Act {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    Act::Send([head.as_bytes(), body].concat())
}

const SSE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

fn chunk(data: &[u8]) -> Act {
    Act::Send([format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat())
}

fn last_chunk() -> Act {
    chunk(b"")
}

fn head() -> Act {
    Act::Send(SSE.as_bytes().to_vec())
}

/// The first words of an answer.
fn words() -> Act {
    chunk(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n")
}

/// How a call ends, by itself and told while it comes in; the text that was told goes with the second.
async fn ask(client: &Client, streamed: bool) -> (String, Result<Reply, Error>) {
    if streamed {
        super::stream::hear(client, &request("gpt-4o")).await
    } else {
        (String::new(), client.complete(&request("gpt-4o")).await)
    }
}

/// A fault that ends both kinds of call in the same way.
#[track_caller]
fn check(
    name: &'static str,
    acts: Vec<Act>,
    class: &'static str,
    requests: usize,
) -> impl Future<Output = String> {
    check_in([false, true], name, acts, class, requests)
}

async fn check_in(
    forms: impl IntoIterator<Item = bool>,
    name: &'static str,
    acts: Vec<Act>,
    class: &'static str,
    requests: usize,
) -> String {
    let mut said = String::new();
    for streamed in forms {
        let acts = acts.clone();
        let wire = Wire::playing(move |_| acts.clone()).await;
        let (client, meter) = wire.client(|settings| {
            // Those that hang are given up; all others are over long before.
            if class == "timeout" {
                settings.first_byte_timeout = SHORT;
                settings.idle_timeout = SHORT;
                settings.total_timeout = SHORT;
            }
        });
        let (_, outcome) = ask(&client, streamed).await;
        let error = outcome.expect_err(name);
        let what = format!("{name}, {}: {error}", if streamed { "streamed" } else { "whole" });
        assert_eq!(error.class(), class, "{what}");
        // A busy machine may give a request up before it has arrived.
        let few = class == "timeout" && wire.requests() < requests;
        assert!(few || wire.requests() == requests, "{what}, asked {} times", wire.requests());
        assert!(!format!("{error:?}").contains(KEY), "{what}");
        let snapshot = meter.snapshot();
        assert_one_failure(&snapshot, "openai", class);
        assert_eq!(snapshot.by_provider["openai"].attempts, requests as u64, "{what}");
        said = error.to_string();
    }
    said
}

#[tokio::test]
async fn a_status_decides_how_often_is_asked() {
    check("429", vec![http("429 Too Many Requests", "", b"{}")], "HTTP_429", 3).await;
    check("429 for a moment", vec![http("429 Slow", "Retry-After: 0\r\n", b"{}")], "HTTP_429", 3).await;
    for absurd in ["99999999999999999999", "86400", "Thu, 31 Dec 2099 23:59:59 GMT"] {
        let headers = format!("Retry-After: {absurd}\r\n");
        check("429 for ever", vec![http("429 Slow", &headers, b"{}")], "HTTP_429", 1).await;
    }
    for nonsense in ["soon", "-1", "", "\u{1}"] {
        let headers = format!("Retry-After: {nonsense}\r\n");
        check(
            "429 for nonsense",
            vec![http("429 Slow", &headers, b"{}")],
            if nonsense == "\u{1}" { "connection" } else { "HTTP_429" },
            3,
        )
        .await;
    }
    check("529", vec![http("529 Overloaded", "", b"")], "HTTP_529", 3).await;
    check("500", vec![http("500 Internal Server Error", "", b"")], "HTTP_500", 3).await;
    let page = b"<html>\r\n<head><title>502 Bad Gateway</title></head></html>";
    let said =
        check("HTML", vec![http("502 Bad Gateway", "Content-Type: text/html\r\n", page)], "HTTP_502", 3)
            .await;
    assert_eq!(said, "openai answered 502: <html> <head><title>502 Bad Gateway</title></head></html>");
    let long =
        br#"{"error":{"message":"maximum context length is 8192 tokens","code":"context_length_exceeded"}}"#;
    check("too long", vec![http("400 Bad Request", "", long)], "context_length", 1).await;
    let risky = br#"{"error":{"message":"Content Exists Risk","type":"invalid_request_error"}}"#;
    check("filtered", vec![http("400 Bad Request", "", risky)], "content_filter", 1).await;
    let spent = br#"{"error":{"message":"no money","code":"insufficient_quota"}}"#;
    check("no money", vec![http("429 Too Many Requests", "", spent)], "quota", 1).await;
}

#[tokio::test]
async fn a_redirect_is_followed_by_nobody() {
    let elsewhere = Wire::playing(|_| vec![Act::Close]).await;
    let headers = format!("Location: {}/v1/chat/completions\r\n", elsewhere.url);
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let class = Box::leak(format!("HTTP_{}", status.split(' ').next().unwrap()).into_boxed_str());
        check("redirect", vec![http(status, &headers, b"")], class, 1).await;
    }
    assert_eq!(elsewhere.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn connections_that_are_none_are_tried_again() {
    check("closed at once", vec![Act::Close], "connection", 3).await;
    check("no HTTP", vec![Act::Send(b"220 mail.example ESMTP\r\n".to_vec()), Act::Close], "connection", 3)
        .await;
    check(
        "cut in the headers",
        vec![Act::Send(b"HTTP/1.1 200 OK\r\nCont".to_vec()), Act::Close],
        "connection",
        3,
    )
    .await;
    let cut = vec![Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".to_vec()), Act::Close];
    check("cut in the body", cut, "connection", 3).await;
    let cut = vec![head(), Act::Send(b"zz\r\n".to_vec()), Act::Close];
    check("no chunk", cut, "connection", 3).await;
    let (client, meter) = client_of(&nowhere().await, |_| ());
    let (_, outcome) = ask(&client, true).await;
    assert_eq!(outcome.unwrap_err().class(), "connection");
    assert_eq!(meter.snapshot().by_provider["openai"].attempts, 3);
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_not_trusted() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let read = Arc::new(AtomicUsize::new(0));
    let tracker = Tracker::new();
    let heard = Arc::clone(&read);
    tracker.spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            if let Ok(mut socket) = acceptor.accept(socket).await {
                let count = socket.read(&mut [0; 16]).await.unwrap_or_default();
                heard.fetch_add(count, Ordering::SeqCst);
            }
        }
    });
    let (client, _) = client_of(&format!("https://{address}"), |_| ());
    let error = client.complete(&request("gpt-4o")).await.unwrap_err();
    assert_eq!(error.class(), "connection");
    assert!(format!("{error:?}").to_lowercase().contains("certificate"), "{error:?}");
    assert_eq!(read.load(Ordering::SeqCst), 0, "nothing was said to it");
    // A port where no TLS is spoken.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = format!("https://{}", listener.local_addr().unwrap());
    tracker.spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let (client, _) = client_of(&plain, |_| ());
    assert_eq!(client.complete(&request("gpt-4o")).await.unwrap_err().class(), "connection");
}

#[tokio::test]
async fn whoever_hangs_is_given_up() {
    check("before the headers", vec![Act::Hang], "timeout", 1).await;
    let after = vec![Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n".to_vec()), Act::Hang];
    check("after the headers", after, "timeout", 1).await;
    check_in([true], "before the first event", vec![head(), Act::Hang], "timeout", 1).await;
    check_in([true], "in the middle", vec![head(), words(), Act::Hang], "timeout", 1).await;
}

#[tokio::test]
async fn answers_that_are_none_are_refused_and_not_asked_for_again() {
    let check_stream = async |name, body: &[u8], requests| {
        check_in([true], name, vec![head(), chunk(body), last_chunk()], "malformed", requests).await
    };
    for (name, body) in [
        ("HTML", &b"<html>welcome</html>"[..]),
        ("another JSON", br#"{"ok":true}"#),
        ("half a JSON", br#"{"choices":[{"#),
        ("no UTF-8", b"{\"choices\":[{\"message\":{\"content\":\"\xe4\xbd\"}}]}"),
        ("nothing", b""),
        ("no words", br#"{"choices":[{"message":{"content":""},"finish_reason":"stop"}]}"#),
    ] {
        check(name, vec![http("200 OK", "", body)], "malformed", 1).await;
        check(name, vec![http("200 OK", "Content-Type: application/json\r\n", body)], "malformed", 1).await;
    }
    check_stream("no event", b"data: {\n\n", 1).await;
    check_stream("no UTF-8", b"data: {\"choices\":[{\"delta\":{\"content\":\"\xe4\xbd\"}}]}\n\n", 1).await;
    check_stream("no end", b"data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n", 1).await;
    let packed = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let said =
        check("packed", vec![http("200 OK", "Content-Encoding: gzip\r\n", &packed)], "malformed", 1).await;
    assert!(said.contains("it is compressed (`gzip`), which was not asked for"), "{said}");
}

#[tokio::test]
async fn half_a_stream_is_told_and_fails() {
    let wire = Wire::playing(|_| vec![head(), words(), Act::Close]).await;
    let (client, _) = wire.client(|_| ());
    let (text, outcome) = ask(&client, true).await;
    assert_eq!(
        (text.as_str(), outcome.unwrap_err().class().as_str(), wire.requests()),
        ("Hello", "connection", 1)
    );
}

#[tokio::test]
async fn a_flood_is_stopped() {
    const FLOOD: usize = 50 * 1024 * 1024;
    /// What the client reads, and what the two systems keep in between.
    const MOST: usize = 24 * 1024 * 1024;
    let open = |status: &str, kind: &str| {
        Act::Send(
            format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {FLOOD}\r\n\r\n")
                .into_bytes(),
        )
    };
    for (status, kind, streamed, class, requests, most) in [
        ("200 OK", "application/json", false, "malformed", 1, MOST),
        ("200 OK", "text/event-stream", true, "malformed", 1, MOST),
        ("500 No", "text/plain", false, "HTTP_500", 3, MOST),
        ("400 No", "text/plain", true, "HTTP_400", 1, MOST),
    ] {
        let opening = open(status, kind);
        let wire = Wire::playing(move |_| vec![opening.clone(), Act::Flood(FLOOD)]).await;
        let (client, _) = wire.client(|_| ());
        let error = ask(&client, streamed).await.1.unwrap_err();
        assert_eq!((error.class().as_str(), wire.requests()), (class, requests), "{error}");
        drop(client);
        let _ = wire.closed.acquire_many(u32::try_from(requests).unwrap()).await.unwrap();
        let sent = wire.sent.load(Ordering::SeqCst);
        assert!(sent < most, "{kind} of {status}: {sent} bytes were read");
    }
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let whole = Wire::playing(|_| vec![http("200 OK", "", ANSWER.as_bytes())]).await;
    let late = || vec![head(), chunk(STREAM.as_bytes()), Act::Pause(Duration::from_millis(5)), last_chunk()];
    let streamed = Wire::playing(move |_| late()).await;
    for (wire, form) in [(whole, false), (streamed, true)] {
        let (client, _) = wire.client(|_| ());
        for _ in 0..5 {
            ask(&client, form).await.1.unwrap();
        }
        assert_eq!((wire.requests(), wire.connections.load(Ordering::SeqCst)), (5, 1), "streamed: {form}");
    }
}

#[tokio::test]
async fn an_end_that_does_not_come_keeps_no_answer_back() {
    let wire = Wire::playing(|_| vec![head(), chunk(STREAM.as_bytes()), Act::Hang]).await;
    let (client, _) = wire.client(|_| ());
    ask(&client, true).await.1.unwrap();
}

#[tokio::test]
async fn dropping_a_call_closes_its_connection() {
    for streamed in [false, true] {
        let wire = Wire::playing(|_| vec![Act::Hang]).await;
        let (client, meter) = wire.client(|_| ());
        let call = ask(&client, streamed);
        assert!(tokio::time::timeout(Duration::from_millis(200), call).await.is_err());
        let _ = wire.closed.acquire().await.unwrap();
        let counted = meter.snapshot();
        assert_eq!((wire.requests(), counted.calls.total, counted.calls.failed), (1, 1, 1));
        assert_eq!(counted.by_provider["openai"].errors["cancelled"], 1);
        assert!(counted.latency.count == 1 && counted.latency.max_ms >= 190.0, "{:?}", counted.latency);
    }
}

#[tokio::test]
async fn so_many_calls_at_a_time_and_no_more() {
    let slow = |_| vec![Act::Pause(Duration::from_millis(20)), http("200 OK", "", ANSWER.as_bytes())];
    for (limit, calls, most) in [(Some(3), 12, 3), (None, 100, 100)] {
        let wire = Wire::playing(slow).await;
        let (client, _) =
            wire.client(|settings| settings.max_concurrent = limit.unwrap_or(settings.max_concurrent));
        let request = request("gpt-4o");
        let all = futures_util::future::join_all((0..calls).map(|_| client.complete(&request)));
        assert!(all.await.iter().all(Result::is_ok));
        let busiest = wire.busy.lock().unwrap().1;
        assert!(busiest <= most && wire.requests() == calls, "{busiest} of {most}");
        // On a machine that is busy not all of them may have come before the first has gone.
        assert!(busiest > 1, "{busiest} of {most}");
    }
}

#[tokio::test]
async fn the_first_that_came_goes_first_and_whoever_leaves_makes_room() {
    let wire = Wire::playing(|_| vec![http("200 OK", "", ANSWER.as_bytes())]).await;
    let (client, _) = wire.client(|settings| settings.max_concurrent = 1);
    let lane = lane(&client);
    let held = lane.turns.acquire().await.unwrap();
    let request = request("gpt-4o");
    let mut first = Box::pin(client.complete(&request));
    let mut second = Box::pin(client.complete(&request));
    let mut third = Box::pin(client.complete(&request));
    for call in [&mut first, &mut second, &mut third] {
        assert!(futures_util::poll!(call.as_mut()).is_pending());
    }
    drop(first);
    drop(held);
    second.await.unwrap();
    third.await.unwrap();
    assert_eq!(wire.requests(), 2);
}
