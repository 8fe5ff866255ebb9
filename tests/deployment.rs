//! The files that an operator installs: each as far as this machine can try it, with the real program. What a machine lacks
//! is passed over, and says so.

#![allow(clippy::print_stderr, reason = "what is passed over has to be seen")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::support::{Project, Server};

const TOKEN: (&str, &str) = ("CREW_API_TOKEN", "0123456789abcdef0123456789abcdef");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(name: &str) -> String {
    fs::read_to_string(root().join("contrib").join(name)).unwrap()
}

fn yaml(name: &str) -> Value {
    serde_yaml::from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What a program of the system answers; `None` where it is not installed.
fn system(program: &str, words: &[&str]) -> Option<Output> {
    match Command::new(program).args(words).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("passed over: there is no {program}");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

/// A server that was started with these words, on an address of its own; it answers, and wants the token.
async fn serves(words: &[&str]) {
    let project = Project::small("echo");
    let (mut own, mut rest) = (Vec::new(), words.iter());
    assert_eq!(rest.next(), Some(&"serve"));
    while let Some(word) = rest.next() {
        match *word {
            "--host" | "--port" => {
                rest.next();
            }
            "--project-dir" => {
                assert!(Path::new(rest.next().unwrap()).is_absolute());
                own.extend(["--project-dir", project.path().to_str().unwrap()]);
            }
            word => own.push(word),
        }
    }
    let server = Server::start(&project, &own, &[TOKEN]);
    let health = server.get("/health").await;
    assert_eq!(health.text, r#"{"status":"ok","service":"crew-webhook"}"#);
    server.get("/tasks").await.problem(401, "unauthorized");
}

/// The lines of a unit that begin with `key=`, without that.
fn of_unit<'u>(unit: &'u str, key: &str) -> Vec<&'u str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[tokio::test]
async fn the_unit_of_systemd_starts_the_program_and_gives_no_secret_away() {
    let unit = text("systemd/knowlyr-crew.service");
    let [start] = of_unit(&unit, "ExecStart")[..] else { panic!("{unit}") };
    let (program, words) = start.split_once(' ').unwrap();
    assert!(program.ends_with("/knowlyr-crew"), "{program}");
    let words: Vec<_> = words.split(' ').collect();
    assert!(!words.iter().any(|word| word.starts_with("--token")), "every user can read a command line");
    serves(&words).await;
    // What has to be written can be: all that outlives the process.
    let [folder] = of_unit(&unit, "WorkingDirectory")[..] else { panic!("{unit}") };
    assert_eq!(of_unit(&unit, "ReadWritePaths"), [format!("{folder}/.crew")]);
    assert!(words.windows(2).any(|pair| pair == ["--project-dir", folder]), "{words:?}");
    assert_ne!(of_unit(&unit, "User"), ["root"]);

    let place = tempfile::tempdir().unwrap();
    let here = place.path().join("knowlyr-crew.service");
    fs::write(&here, unit.replace(program, env!("CARGO_BIN_EXE_knowlyr-crew"))).unwrap();
    let Some(told) = system("systemd-analyze", &["verify", "--man=no", here.to_str().unwrap()]) else {
        return;
    };
    let said = String::from_utf8_lossy(&told.stderr);
    let own: Vec<_> = said.lines().filter(|line| line.contains("knowlyr-crew.service")).collect();
    assert!(told.status.success() && own.is_empty(), "{said}");
}

/// Every variable of the file is one that the program knows, by that name.
#[test]
fn the_file_of_variables_names_what_the_program_reads() {
    let project = Project::small("echo");
    let file = text("systemd/crew.env");
    let names: Vec<_> =
        file.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('=')).collect();
    let value = |name: &str, given: &str| match name {
        "SMTP_FROM" => "crew@example.com".to_owned(),
        "CREW_CORS_ORIGINS" => "https://app.example.com".to_owned(),
        "OTEL_EXPORTER_OTLP_ENDPOINT" => "http://127.0.0.1:1".to_owned(),
        "CREW_REDIS_URL" => "redis://127.0.0.1:1".to_owned(),
        "CREW_DATABASE_URL" => "postgres://127.0.0.1:1/crew".to_owned(),
        "KNOWLYR_ID_URL" => "https://id.example.com".to_owned(),
        _ if given.is_empty() => "x".to_owned(),
        _ => given.to_owned(),
    };
    let values: Vec<_> = names.iter().map(|(name, given)| (*name, value(name, given))).collect();
    let env: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let told: Value =
        serde_json::from_str(&project.run_in(&env, ["config", "show", "--json"]).success()).unwrap();
    let told = told.to_string();
    for (name, _) in names {
        // That one is named by .crew/webhook.yaml.
        assert!(
            name == "GITHUB_WEBHOOK_SECRET" || told.contains(&format!("\"name\":\"{name}\"")),
            "{name}: {told}"
        );
    }
}

/// A Dockerfile as its instructions, each on one line.
fn instructions(file: &str) -> Vec<(String, String)> {
    let joined = file.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(word, rest)| (word.to_owned(), rest.to_owned()))
        .collect()
}

#[tokio::test]
async fn the_image_holds_the_program_and_starts_it_as_nobody_in_particular() {
    let file = text("docker/Dockerfile");
    let all = instructions(&file);
    let of = |word: &str| {
        all.iter().filter(|(own, _)| own == word).map(|(_, rest)| rest.as_str()).collect::<Vec<_>>()
    };
    // What is copied from here is here, and what the build needs is copied.
    let mut copied = BTreeSet::new();
    for words in of("COPY").into_iter().filter(|words| !words.starts_with("--from")) {
        let names: Vec<_> = words.split_whitespace().collect();
        for name in &names[..names.len() - 1] {
            assert!(root().join(name).try_exists().unwrap(), "{name}");
            copied.insert((*name).to_owned());
        }
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let paths = manifest.lines().filter_map(|line| {
        let (key, value) = line.split_once(" = ")?;
        ["path", "readme"].contains(&key).then(|| value.trim_matches('"'))
    });
    for path in paths.chain(["Cargo.lock"]) {
        assert!(copied.contains(path.split('/').next().unwrap()), "{path} is not copied");
    }
    let build = of("RUN").into_iter().find(|words| words.contains("cargo build")).unwrap();
    assert!(build.contains("--locked --bin knowlyr-crew"), "{build}");
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    assert!(of("FROM")[0].starts_with(&format!("rust:{}-", version.trim_matches('"'))), "{:?}", of("FROM"));
    // Commands of a shell are ones that a shell understands.
    for words in of("RUN") {
        let command =
            words.split(' ').filter(|word| !word.starts_with("--mount")).collect::<Vec<_>>().join(" ");
        let told = system("sh", &["-n", "-c", &command]).unwrap();
        assert!(told.status.success(), "{command}: {}", String::from_utf8_lossy(&told.stderr));
    }
    assert_eq!(of("USER"), ["crew"]);
    assert_eq!((of("VOLUME"), of("STOPSIGNAL")), (vec!["/project"], vec!["SIGTERM"]));
    assert!(of("HEALTHCHECK")[0].ends_with("http://127.0.0.1:8765/health"));
    let words = |word: &str| serde_json::from_str::<Vec<String>>(of(word)[0]).unwrap();
    assert_eq!(words("ENTRYPOINT").last().unwrap(), "knowlyr-crew");
    let own = words("CMD");
    serves(&own.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // It listens on all addresses there, which it does not without a token.
    let refused = Project::small("echo").run(["serve", "--host", "0.0.0.0", "--port", "0"]).status(1);
    assert!(refused.contains("CREW_API_TOKEN"), "{refused}");
}

#[test]
fn the_compose_file_builds_that_image_and_keeps_what_it_writes() {
    let file = yaml("docker/compose.yaml");
    let crew = &file["services"]["crew"];
    let context = root().join("contrib/docker").join(crew["build"]["context"].as_str().unwrap());
    assert!(context.join(crew["build"]["dockerfile"].as_str().unwrap()).is_file());
    assert_eq!(crew["ports"], serde_json::json!(["127.0.0.1:8765:8765"]), "nobody else's to reach");
    assert!(crew["volumes"][0].as_str().unwrap().ends_with(":/project"), "{crew}");
    let grace: u64 = crew["stop_grace_period"].as_str().unwrap().strip_suffix('s').unwrap().parse().unwrap();
    assert!(grace > 25, "running work has so long");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("compose.yaml");
    fs::write(&copy, text("docker/compose.yaml")).unwrap();
    fs::write(folder.path().join("crew.env"), text("systemd/crew.env")).unwrap();
    let Some(told) = system("docker", &["compose", "-f", copy.to_str().unwrap(), "config", "--quiet"]) else {
        return;
    };
    let said = String::from_utf8_lossy(&told.stderr);
    if ["not a docker command", "unknown command", "unknown shorthand flag"]
        .iter()
        .any(|no| said.contains(no))
    {
        return eprintln!("passed over: docker has no compose");
    }
    assert!(told.status.success(), "{said}");
}

#[test]
fn the_rules_of_prometheus_can_be_read_and_one_of_them_watches_the_slowest_twentieth() {
    let rules = yaml("prometheus/crew.rules.yml");
    let mut names = BTreeSet::new();
    for group in rules["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            assert!(names.insert(rule["alert"].as_str().unwrap().to_owned()), "twice: {rule}");
            assert!(!rule["expr"].as_str().unwrap().trim().is_empty(), "{rule}");
            assert!(
                ["page", "warn", "info"].contains(&rule["labels"]["severity"].as_str().unwrap()),
                "{rule}"
            );
            assert!(rule["annotations"]["summary"].is_string(), "{rule}");
        }
    }
    let slow = rules.to_string();
    assert!(
        slow.contains("histogram_quantile(0.95,") && slow.contains("crew_model_call_duration_seconds_bucket")
    );
    let file = root().join("contrib/prometheus/crew.rules.yml");
    let Some(told) = system("promtool", &["check", "rules", file.to_str().unwrap()]) else { return };
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
}

/// TLS, addresses of clients, limits and streams, with the real nginx.
#[test]
fn behind_nginx_all_is_as_it_is_without() {
    let script: PathBuf = root().join("tests/interop/nginx.sh");
    let Some(told) = system("bash", &[script.to_str().unwrap(), env!("CARGO_BIN_EXE_knowlyr-crew")]) else {
        return;
    };
    let said = String::from_utf8_lossy(&told.stdout);
    eprintln!("{said}");
    assert!(told.status.success(), "{said}{}", String::from_utf8_lossy(&told.stderr));
    assert!(said.starts_with("skipped") || said.contains("ok    health over TLS"), "{said}");
}

/// A proxy that gives up first says that the server failed, where that would have answered with a task.
#[test]
fn nginx_waits_longer_than_the_server_takes() {
    let told: Value =
        serde_json::from_str(&Project::empty().run(["config", "show", "--json"]).success()).unwrap();
    let rows = told.as_array().unwrap();
    let row = rows.iter().find(|row| row["key"] == "serve.request_timeout_seconds").unwrap();
    let takes: u32 = row["value"].as_str().unwrap().parse().unwrap();
    let site = text("nginx/crew.conf");
    let waits = site.lines().filter_map(|line| line.trim().strip_prefix("proxy_read_timeout "));
    let seconds = |time: &str| match time.trim_end_matches(';') {
        "1h" => 3600,
        time => time.trim_end_matches('s').parse().unwrap(),
    };
    let least: u32 = waits.map(seconds).min().unwrap();
    assert!(least > takes + 15, "{least} s, and the server takes {takes} s and a little");
}
