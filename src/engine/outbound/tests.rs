use std::{
    io::{self, Write as _},
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::Body,
    extract::Path,
    http::HeaderMap as Headers,
    response::{IntoResponse, Redirect},
    routing::{any, get},
};
use flate2::{Compression, write::GzEncoder};
use futures_util::{future::BoxFuture, stream};
use tokio::net::TcpListener;

use super::*;
use crate::base::Tracker;

/// Knows some hosts; one that is asked for again may be somewhere else.
#[derive(Default)]
struct Book {
    asked: AtomicUsize,
    answers: Vec<(&'static str, Vec<&'static str>)>,
}

impl Resolver for Book {
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let mut known = self.answers.iter().filter(|(name, _)| *name == host);
        let answer = known.clone().nth(asked).or_else(|| known.next_back()).map(|(_, addresses)| {
            addresses.iter().map(|address| address.parse().unwrap()).collect::<Vec<IpAddr>>()
        });
        Box::pin(async { answer.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}

struct Stage {
    outbound: Outbound,
    book: Arc<Book>,
    port: u16,
    requests: Arc<AtomicUsize>,
    _tracker: Tracker,
}

impl Stage {
    /// A way out that allows `allow`, and a server on this machine.
    async fn new(allow: &[&str], answers: &[(&'static str, &[&'static str])]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let count = move |request: axum::extract::Request, next: axum::middleware::Next| {
            counter.fetch_add(1, Ordering::SeqCst);
            next.run(request)
        };
        let router = Router::new()
            .route("/", any(|| async { "here" }))
            .route(
                "/echo",
                any(|headers: Headers, body: String| async move { format!("{headers:?} {body}") }),
            )
            .route("/loop", any(|| async { Redirect::temporary("/loop") }))
            .route(
                "/to/{*place}",
                any(|Path(place): Path<String>| async move { Redirect::temporary(&place) }),
            )
            .route(
                "/endless",
                get(|| async {
                    let chunk = || async { Some((Ok::<_, io::Error>(vec![b'x'; 1000]), ())) };
                    Body::from_stream(stream::unfold((), move |()| chunk()))
                }),
            )
            .route(
                "/slow",
                get(|| async {
                    let first = stream::once(async { Ok::<_, io::Error>("a") });
                    Body::from_stream(futures_util::StreamExt::chain(first, stream::pending()))
                }),
            )
            .route(
                "/bomb",
                get(|| async {
                    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
                    packed.write_all(&vec![0; 10 << 20]).unwrap();
                    ([("content-encoding", "gzip")], packed.finish().unwrap()).into_response()
                }),
            )
            .route("/mispacked", get(|| async { ([("content-encoding", "gzip")], "plain") }))
            .layer(axum::middleware::from_fn(count));
        let tracker = Tracker::new();
        tracker.spawn(async move { axum::serve(listener, router).await });
        let answers = answers.iter().map(|(host, addresses)| (*host, addresses.to_vec())).collect();
        let book = Arc::new(Book { answers, ..Book::default() });
        let allow = allow.iter().map(|text| Allowed::parse(text).unwrap()).collect();
        let outbound = Outbound::through(allow, Arc::clone(&book) as _);
        Self { outbound, book, port, requests, _tracker: tracker }
    }

    fn request(&self, host: &str, path: &str) -> Request {
        Request::get(format!("http://{host}:{}{path}", self.port))
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_place_that_is_not_for_everyone_is_not_gone_to() {
    let hosts = [("inside.example", &["10.0.0.1"][..]), ("mixed.example", &["93.184.216.34", "127.0.0.1"])];
    let stage = Stage::new(&[], &hosts).await;
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "inside.example",
        "mixed.example",
    ] {
        let error = stage.outbound.send(stage.request(host, "/")).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{host}: {error:?}");
        assert!(!error.is_transient());
    }
    assert_eq!(stage.requests(), 0);
}

#[tokio::test]
async fn only_addresses_of_the_web_are_taken() {
    let stage = Stage::new(&["127.0.0.1"], &[]).await;
    for url in [
        "",
        "/",
        "file:///etc/passwd",
        "ftp://x.example",
        "http://u:p@127.0.0.1/",
        "http://u@x.example",
        "http://",
    ] {
        let error = stage.outbound.send(Request::get(url)).await.unwrap_err();
        assert!(matches!(error, Error::Address { .. }), "{url}: {error:?}");
    }
    let error =
        stage.outbound.send(Request::get("http://nowhere.example/secret?key=hidden")).await.unwrap_err();
    assert!(matches!(error, Error::Unresolved { .. }) && error.is_transient(), "{error:?}");
    assert!(!error.chain().contains("secret") && !error.chain().contains("hidden"), "{}", error.chain());
}

/// A name that leads to one place when it is checked and to another when it is used.
#[tokio::test]
async fn a_name_is_looked_up_once_and_the_connection_goes_there() {
    let stage =
        Stage::new(&["127.0.0.1"], &[("a.example", &["127.0.0.1"]), ("a.example", &["127.0.0.2"])]).await;
    let response = stage.outbound.send(stage.request("a.example", "/")).await.unwrap();
    assert_eq!((&*response.body, response.truncated), (&b"here"[..], false));
    assert_eq!(stage.book.asked.load(Ordering::SeqCst), 1);
    let allowed = Stage::new(&["*.example"], &[("a.example", &["127.0.0.1"])]).await;
    assert_eq!(allowed.outbound.send(allowed.request("a.example", "/")).await.unwrap().status, 200);
}

#[tokio::test]
async fn every_redirect_is_checked_and_there_are_not_many() {
    let stage = Stage::new(
        &["a.example", "b.example"],
        &[("a.example", &["127.0.0.1"]), ("b.example", &["127.0.0.1"])],
    )
    .await;
    let (outbound, port) = (&stage.outbound, stage.port);
    for bad in
        [format!("http://127.0.0.1:{port}/"), "http://[::1]/".to_owned(), "file:///etc/passwd".to_owned()]
    {
        let error = outbound.send(stage.request("a.example", &format!("/to/{bad}"))).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. } | Error::Address { .. }), "{bad}: {error:?}");
    }
    let before = stage.requests();
    let error = outbound.send(stage.request("a.example", "/loop")).await.unwrap_err();
    assert!(matches!(error, Error::Redirects { most: 5 }), "{error:?}");
    assert_eq!(stage.requests() - before, 6);

    let mut request = stage.request("a.example", &format!("/to/http://b.example:{port}/echo"));
    request.headers = [("authorization", "hidden"), ("accept", "text/html")]
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
        .into_iter()
        .collect();
    let response = outbound.send(request).await.unwrap();
    let body = String::from_utf8_lossy(&response.body);
    assert!(body.contains("text/html") && !body.contains("hidden"), "{body}");
    assert!(response.url.starts_with("http://b.example"), "{}", response.url);
}

#[tokio::test]
async fn what_is_posted_goes_to_no_other_place() {
    let stage = Stage::new(&["127.0.0.1"], &[]).await;
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", stage.port);
    let response = stage.outbound.send(Request::post(url("/to//echo"), "secret")).await.unwrap();
    assert_eq!((response.status.as_u16(), stage.requests()), (307, 1));
    let header = HeaderValue::from_static("sha256=1");
    let request = Request::post(url("/echo"), "secret").header("x-signature".parse().unwrap(), header);
    let response = stage.outbound.send(request).await.unwrap();
    let body = String::from_utf8_lossy(&response.body);
    assert!(body.contains("sha256=1") && body.ends_with("secret"), "{body}");
}

#[tokio::test]
async fn an_answer_is_read_as_far_as_it_may_be_long() {
    let stage = Stage::new(&["127.0.0.1"], &[]).await;
    for path in ["/endless", "/bomb"] {
        let request = Request { most_bytes: 4096, ..stage.request("127.0.0.1", path) };
        let response = stage.outbound.send(request).await.unwrap();
        assert_eq!((response.body.len(), response.truncated), (4096, true), "{path}");
    }
    let whole = Request { most_bytes: 10 << 20, ..stage.request("127.0.0.1", "/bomb") };
    let response = stage.outbound.send(whole).await.unwrap();
    assert_eq!((response.body.len(), response.truncated), (10 << 20, false));
    let error = stage.outbound.send(stage.request("127.0.0.1", "/mispacked")).await.unwrap_err();
    assert!(matches!(error, Error::Packing { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_does_not_end_is_given_up() {
    let stage = Stage::new(&["127.0.0.1"], &[]).await;
    let request = Request { time: Duration::from_millis(200), ..stage.request("127.0.0.1", "/slow") };
    let error = stage.outbound.send(request).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }) && error.is_transient(), "{error:?}");
}
