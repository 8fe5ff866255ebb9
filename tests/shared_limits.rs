//! Several servers behind one proxy, as an operator runs them, and somebody who asks more than he may: limits are shared in
//! Redis. Where `CREW_TEST_REDIS` does not name one (`redis://127.0.0.1:6379`), what needs it is passed over, and says so.

use reqwest::Method;
use serde_json::json;

use crate::support::{Kind, Project, Relay, Reply, Server, certificate, elsewhere, patiently};

const TOKEN: (&str, &str) = ("CREW_API_TOKEN", "t");
/// On a busy machine Redis takes its time, too.
const PATIENT: (&str, &str) = ("CREW_REDIS_TIMEOUT_MS", "10000");

/// Where Redis is, if tests may use one.
fn redis() -> Option<String> {
    elsewhere(Kind::Redis)
}

/// The host and port of such an address.
fn address(url: &str) -> String {
    let rest = url.split_once("://").unwrap().1;
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    rest.split('/').next().unwrap().to_owned()
}

/// A part of Redis that no other test uses.
fn prefix() -> String {
    let mut random = [0; 8];
    getrandom::fill(&mut random).unwrap();
    format!("crew-test-{}", hex::encode(random))
}

fn replica(url: &str, prefix: &str, words: &[&str], more: &[(&str, &str)]) -> (Project, Server) {
    let project = Project::small("echo");
    let own = [TOKEN, PATIENT, ("CREW_REDIS_URL", url), ("CREW_REDIS_PREFIX", prefix)];
    let server = Server::start(&project, words, &[&own, more].concat());
    (project, server)
}

async fn ask(server: &Server, token: &str) -> Reply {
    server.send(server.request(Method::GET, "/tasks").bearer_auth(token)).await
}

#[tokio::test]
async fn replicas_share_what_an_address_may_ask() {
    let Some(url) = redis() else { return };
    let (prefix, words) = (prefix(), ["--rate-limit", "6", "--trusted-proxy", "127.0.0.1"]);
    let more = [("CREW_WEBHOOK_RATE_LIMIT_PER_MINUTE", "2")];
    let (_one, first) = replica(&url, &prefix, &words, &more);
    let (_other, second) = replica(&url, &prefix, &words, &more);
    let from = async |server: &Server, client: &str, path: &str| {
        let request = server.request(Method::GET, path).bearer_auth("t").header("x-forwarded-for", client);
        server.send(request).await
    };
    for server in [&first, &second, &first, &second, &first, &second] {
        from(server, "192.0.2.1", "/tasks").await.status(200);
    }
    for server in [&first, &second] {
        let refused = from(server, "192.0.2.1", "/tasks").await;
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=10).contains(&wait), "{wait}");
        refused.problem(429, "rate-limited");
        from(server, "192.0.2.2", "/tasks").await.status(200);
        from(server, "192.0.2.1", "/metrics").await.status(200);
    }
    // Deliveries have a budget of their own, which is shared as well.
    let deliver = async |server: &Server| {
        let request = server.request(Method::POST, "/webhook/github").header("x-forwarded-for", "192.0.2.1");
        server.send(request.json(&json!({}))).await
    };
    deliver(&first).await.problem(403, "webhook-not-configured");
    deliver(&second).await.problem(403, "webhook-not-configured");
    deliver(&first).await.problem(429, "rate-limited");
    // Another project counts for itself.
    let (_third, apart) = replica(&url, &format!("{prefix}-2"), &words, &more);
    from(&apart, "192.0.2.1", "/tasks").await.status(200);
}

#[tokio::test]
async fn who_tries_tokens_at_one_replica_is_not_listened_to_at_another() {
    let Some(url) = redis() else { return };
    let prefix = prefix();
    let (_one, first) = replica(&url, &prefix, &["--rate-limit", "0"], &[]);
    let (_other, second) = replica(&url, &prefix, &["--rate-limit", "0"], &[]);
    for attempt in 0..5 {
        ask(&first, &format!("guess{attempt}")).await.problem(401, "unauthorized");
        ask(&second, &format!("guess{attempt}")).await.problem(401, "unauthorized");
    }
    for server in [&first, &second] {
        let refused = ask(server, "t").await;
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        refused.problem(429, "rate-limited");
    }
}

#[tokio::test]
async fn redis_is_asked_once_for_a_request() {
    let Some(url) = redis() else { return };
    let (prefix, words) = (prefix(), ["--rate-limit", "100"]);
    let (_one, first) = replica(&url, &prefix, &words, &[]);
    let (_other, second) = replica(&url, &prefix, &words, &[]);
    for _ in 0..3 {
        ask(&first, "t").await.status(200);
    }
    // This one is not counted as a request, and asks about the token alone.
    let measures = first.request(Method::GET, "/metrics/prometheus").bearer_auth("t");
    let measures = first.send(measures).await.text;
    assert!(measures.contains("crew_shared_limit_checks_total{counted_by=\"redis\"} 4\n"), "{measures}");
    // What it says of wrong tokens at another replica is heard all the same.
    for attempt in 0..10 {
        ask(&second, &format!("guess{attempt}")).await.problem(401, "unauthorized");
    }
    let refused = ask(&first, "t").await;
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(refused.problem(429, "rate-limited").contains("too many wrong tokens"));
}

#[tokio::test]
async fn without_redis_each_replica_keeps_to_the_limit() {
    // Nobody listens there.
    let url = "redis://user:s3cret@127.0.0.1:1";
    let (project, server) = replica(url, "crew", &["--rate-limit", "3"], &[]);
    for _ in 0..3 {
        ask(&server, "t").await.status(200);
    }
    ask(&server, "t").await.problem(429, "rate-limited");
    let measures = server.request(Method::GET, "/metrics/prometheus").bearer_auth("t");
    let measures = server.send(measures).await.text;
    assert!(measures.contains("crew_shared_limit_checks_total{counted_by=\"replica\"}"), "{measures}");
    let log = server.log();
    assert!(log.contains("Redis is away") && !log.contains("s3cret"), "{log}");
    assert!(log.matches("Redis is away").count() <= 2, "{log}");
    let env = [("CREW_REDIS_URL", url)];
    let told = project.run_in(&env, ["doctor", "--online", "--url", &server.url]);
    assert!(told.stdout.contains("limits are not shared") && !told.stdout.contains("s3cret"), "{told:?}");
    let told = project.run_in(&env, ["config", "show"]).success();
    assert!(told.contains("redis://127.0.0.1:1") && !told.contains("s3cret"), "{told}");
}

#[tokio::test]
async fn limits_are_shared_again_when_redis_is_back() {
    let Some(url) = redis() else { return };
    let relay = Relay::to(&address(&url), None).await;
    let url = format!("redis://127.0.0.1:{}", relay.port);
    let prefix = prefix();
    let (_one, first) = replica(&url, &prefix, &["--rate-limit", "1000"], &[]);
    ask(&first, "t").await.status(200);
    relay.close();
    patiently(async || {
        ask(&first, "t").await.status(200);
        first.log().contains("Redis is away").then_some(())
    })
    .await;
    relay.open();
    patiently(async || {
        ask(&first, "t").await.status(200);
        first.log().contains("Redis is there again").then_some(())
    })
    .await;
}

#[tokio::test]
async fn redis_may_be_behind_tls_of_ones_own() {
    let Some(url) = redis() else { return };
    let (text, acceptor) = certificate();
    let relay = Relay::to(&address(&url), Some(acceptor)).await;
    let url = format!("rediss://127.0.0.1:{}", relay.port);
    let prefix = prefix();
    let files = Project::empty();
    let authority = files.write("ca.pem", &text);
    let trusted = [("CREW_REDIS_CA_FILE", authority.to_str().unwrap())];
    let words = ["--rate-limit", "2"];
    let (_one, first) = replica(&url, &prefix, &words, &trusted);
    let (_other, second) = replica(&url, &prefix, &words, &trusted);
    ask(&first, "t").await.status(200);
    ask(&second, "t").await.status(200);
    ask(&first, "t").await.problem(429, "rate-limited");
    // Who is not trusted is told nothing, and asked nothing.
    let (_third, strict) = replica(&url, &prefix, &words, &[]);
    ask(&strict, "t").await.status(200);
    patiently(async || strict.log().contains("Redis is away").then_some(())).await;
}

#[test]
fn an_address_of_redis_that_means_nothing_keeps_a_server_from_starting() {
    let project = Project::small("echo");
    for (url, says) in [
        ("redis.example:6379", "CREW_REDIS_URL: it is no address"),
        ("redis://me:s3cret@redis.example:port", "CREW_REDIS_URL: it is no address"),
    ] {
        let error = project.run_with(("CREW_REDIS_URL", url), ["serve", "--port", "0"]).status(1);
        assert!(error.contains(says) && !error.contains("s3cret"), "{error}");
    }
}
