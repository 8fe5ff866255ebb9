//! What the server measures, as JSON and as Prometheus reads it.

use serde_json::json;

use crate::support::{FakeModel, Project, Server};

/// The value of the one series that begins with `series`, as a whole number is written.
#[track_caller]
fn value(text: &str, series: &str) -> String {
    number(text, series).to_string()
}

#[track_caller]
fn number(text: &str, series: &str) -> f64 {
    let found: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(series)).collect();
    let [rest] = found[..] else { panic!("`{series}` is there {} times in {text}", found.len()) };
    rest.trim().parse().unwrap()
}

#[tokio::test]
async fn what_happened_is_counted_in_both_forms() {
    let model =
        FakeModel::answering(|prompt| if prompt.contains("rain") { Err(400) } else { Ok("done".to_owned()) })
            .await;
    let project = Project::small("claude-test");
    let server = Server::start(&project, &[], &model.env());
    let run = |topic: &str| json!({"args": {"topic": topic}});
    let good = server.accepted("/run/employee/writer", &run("tides")).await;
    server.ended(&good).await;
    let bad = server.accepted("/run/employee/writer", &run("rain")).await;
    server.ended(&bad).await;

    let reply = server.get("/metrics/prometheus").await;
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = &reply.text;
    let provider =
        |metric: &str, rest: &str| value(text, &format!("{metric}{{provider=\"anthropic\",{rest}}}"));
    assert_eq!(provider("crew_model_calls_total", "outcome=\"success\""), "1");
    assert_eq!(provider("crew_model_calls_total", "outcome=\"failed\""), "1");
    assert_eq!(provider("crew_model_errors_total", "class=\"HTTP_400\""), "1");
    assert_ne!(provider("crew_model_tokens_total", "kind=\"output\""), "0");
    assert_eq!(value(text, "crew_employee_calls_total{employee=\"writer\"}"), "2");
    assert_eq!(value(text, "crew_model_call_duration_seconds_count{provider=\"anthropic\"}"), "2");
    let ended = |status: &str| {
        value(text, &format!("crew_tasks_ended_total{{kind=\"employee.run\",status=\"{status}\"}}"))
    };
    assert_eq!((ended("completed"), ended("failed")), ("1".to_owned(), "1".to_owned()));
    assert_eq!(value(text, "crew_tasks{status=\"failed\"}"), "1");
    assert_eq!(value(text, "crew_task_queue_age_seconds"), "0");
    assert_eq!(
        (value(text, "crew_cron_lag_seconds"), value(text, "crew_cron_missed")),
        ("0".to_owned(), "0".to_owned())
    );
    let posted = "crew_http_requests_total{method=\"POST\",route=\"/run/employee/{name}\",status=\"202\"}";
    assert_eq!(value(text, posted), "2");
    assert!(number(text, "process_resident_memory_bytes") > 1e6);
    assert!(number(text, "process_open_fds") > 3.0);
    assert!(number(text, "process_start_time_seconds") > 1.7e9);
    // Else the first of them would be no increase to whoever looks at increases.
    for way in ["webhook", "email", "feishu", "slack", "github-comment", "named"] {
        let dead = format!("crew_deliveries_total{{type=\"{way}\",outcome=\"dead\"}}");
        assert_eq!(value(text, &dead), "0");
    }

    // Who asks for nothing in particular gets what was always given; who asks for text gets that.
    let json = server.get("/metrics").await.status(200);
    assert_eq!(json["calls"], json!({"total": 2, "success": 1, "failed": 1}));
    assert_eq!(json["by_employee"]["writer"]["calls"], 2);
    let asked = |accept: &str| server.request(reqwest::Method::GET, "/metrics").header("accept", accept);
    let as_prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4";
    assert!(server.send(asked(as_prometheus)).await.text.starts_with("# HELP"));
    server.send(asked("application/json, text/plain, */*")).await.status(200);
}

/// The names that dashboards of the predecessor ask for, in its order; a run that is told as it goes on counts as others do.
#[tokio::test]
async fn measures_have_the_names_they_always_had() {
    let model =
        FakeModel::answering(|prompt| if prompt.contains("rain") { Err(400) } else { Ok("done".to_owned()) })
            .await;
    let project = Project::small("claude-test");
    let server = Server::start(&project, &[], &model.env());
    let run = |topic: &str, how: &str| json!({"args": {"topic": topic}, how: true});
    let told = server.post("/run/employee/writer", &run("tides", "stream")).await.text;
    assert!(told.contains("event: done"), "{told}");
    server.post("/run/employee/writer", &run("tides", "sync")).await.status(200);
    server.post("/run/employee/writer", &run("rain", "sync")).await.status(502);
    let told = server.get("/metrics").await.status(200);
    let names = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let known =
        ["uptime_seconds", "calls", "tokens", "by_employee", "by_provider", "latency", "latency_by_provider"];
    assert_eq!(names(&told)[..known.len()], known);
    assert_eq!(names(&told["calls"]), ["total", "success", "failed"]);
    assert_eq!(names(&told["tokens"]), ["input", "output"]);
    assert_eq!(names(&told["by_employee"]["writer"]), ["calls", "tokens"]);
    assert_eq!(names(&told["by_provider"]["anthropic"])[..4], ["calls", "success", "failed", "errors"]);
    assert_eq!(told["by_provider"]["anthropic"]["errors"], json!({"HTTP_400": 1}));
    assert_eq!(told["by_provider"]["anthropic"]["success"], 2, "the stream is one of them");
    for spread in [&told["latency"], &told["latency_by_provider"]["anthropic"]] {
        assert_eq!(names(spread), ["count", "mean_ms", "p50_ms", "p95_ms", "max_ms"]);
        let number = |name: &str| spread[name].as_f64().unwrap();
        assert_eq!(spread["count"], 3);
        assert!(number("p50_ms") > 0.0 && number("p95_ms") >= number("p50_ms"), "{spread}");
        assert!(number("max_ms") >= number("p95_ms"), "{spread}");
    }
}

/// Paths and methods that strangers make up are no series of their own.
#[tokio::test]
async fn labels_are_from_closed_sets() {
    let project = Project::small("echo");
    let server = Server::start(&project, &[], &[]);
    for n in 0..50 {
        server.get(&format!("/nowhere/{n}")).await;
        server.get(&format!("/tasks/none-{n}")).await;
        server.send(server.request(reqwest::Method::from_bytes(b"BREW").unwrap(), "/health")).await;
    }
    let text = server.get("/metrics/prometheus").await.text;
    let series = text.lines().filter(|line| line.starts_with("crew_http_requests_total")).count();
    assert!(series <= 5, "{text}");
    assert!(text.contains("route=\"unmatched\"") && text.contains("method=\"other\""), "{text}");
}

/// Every metric that the alert rules and the dashboard ask for is one that the program has.
#[test]
fn rules_and_dashboards_ask_for_what_there_is() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib");
    let known: Vec<&str> = crew::base::metric::ALL.iter().map(|metric| metric.name).collect();
    for file in ["prometheus/crew.rules.yml", "grafana/crew.json"] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
        let names: Vec<&str> =
            text.split(|c: char| !is_name(c)).filter(|word| word.starts_with("crew_")).collect();
        assert!(names.len() > 10, "{file}");
        for name in names {
            let metric = ["_bucket", "_count", "_sum"].iter().find_map(|part| name.strip_suffix(part));
            assert!(known.contains(&metric.unwrap_or(name)), "{file} asks for {name}");
        }
    }
}

/// One id leads from the request that starts a task through all that is logged about it.
#[tokio::test]
async fn one_trace_leads_from_a_request_to_the_call_of_a_model() {
    let model = FakeModel::answering(|_| Ok("done".to_owned())).await;
    let project = Project::small("claude-test");
    let [key, url] = model.env();
    let server =
        Server::start(&project, &[], &[key, url, ("CREW_LOG", "debug"), ("CREW_LOG_FORMAT", "json")]);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = server
        .request(reqwest::Method::POST, "/run/employee/writer")
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
        .json(&json!({"args": {"topic": "tides"}}));
    let reply = server.send(request).await;
    assert_eq!(reply.header("x-trace-id"), Some(trace));
    let id = reply.status(202)["task_id"].as_str().unwrap().to_owned();
    assert_eq!(server.ended(&id).await["trace_id"], trace);
    let log = server.log();
    for what in ["request served", "task ended", "llm.call"] {
        let line = log.lines().find(|line| line.contains(what) && line.contains(trace));
        assert!(line.is_some(), "no `{what}` under the trace: {log}");
    }
}
