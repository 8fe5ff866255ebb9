//! Memories found by what they mean, with an embedder that is told what to say.

use serde_json::{Value, json};

use crate::{
    memory::json,
    skills::skills,
    support::{FakeEmbedder, Finished, Mood, Project, Server, patiently},
};

const EMPLOYEES: [&str; 2] = ["reviewer", "bob"];

/// What texts are about, each an axis; what is about nothing of it points elsewhere.
const ABOUT: [&[&str]; 3] = [
    &["automobile", "petrol", "vehicle", "fuel"],
    &["kitten", "feline"],
    &["forbidden on fridays", "weekend releases"],
];

fn vector(text: &str, length: usize) -> Vec<f32> {
    let text = text.to_lowercase();
    let mut vector = vec![0.0; length];
    for (axis, words) in ABOUT.iter().enumerate() {
        vector[axis] = if words.iter().any(|word| text.contains(word)) { 1.0 } else { 0.0 };
    }
    if vector.iter().all(|number| *number == 0.0) {
        let place = text.bytes().map(usize::from).sum::<usize>() % (length - ABOUT.len());
        vector[ABOUT.len() + place] = 1.0;
    }
    vector
}

async fn embedder() -> FakeEmbedder {
    FakeEmbedder::answering(|text| Ok(vector(text, 64))).await
}

/// A project whose `reviewer` and `bob` work on a `target`, with this embedder.
fn project(embedder: &str) -> Project {
    let project = Project::empty();
    for name in EMPLOYEES {
        let text = format!(
            "---\nname: {name}\ndescription: Works\nmodel: echo\nargs: [{{name: target}}]\n---\n\nLook at $target.\n"
        );
        project.write(&format!(".crew/employees/{name}.md"), &text);
    }
    configure(&project, embedder);
    project
}

fn configure(project: &Project, embedder: &str) {
    project.write(".crew/config.yaml", &format!("memory:\n  embedder: {{{embedder}}}\n"));
}

fn ollama(url: &str) -> String {
    format!("provider: ollama, model: m, base_url: '{url}', timeout_seconds: 20")
}

fn run(project: &Project, words: &[&str]) -> Finished {
    project.run_in(&[("EMBED_KEY", "test-embed-key")], [&["memory"], words].concat())
}

#[track_caller]
fn add(project: &Project, employee: &str, content: &str, more: &[&str]) {
    let _ = run(project, &[&["add", employee, "-c", "finding", "-m", content], more].concat()).success();
}

#[track_caller]
fn found(project: &Project, query: &str) -> Vec<String> {
    let found = json(run(project, &["search", query, "--private", "--clearance", "confidential", "--json"]));
    contents(&found)
}

fn contents(found: &Value) -> Vec<String> {
    let content = |entry: &Value| entry["content"].as_str().unwrap().to_owned();
    found.as_array().unwrap().iter().map(content).collect()
}

#[tokio::test]
async fn each_dialect_finds_what_no_word_does() {
    let fake = embedder().await;
    let url = fake.url();
    for (config, path, key) in [
        (
            format!(
                "provider: openai, model: m, base_url: '{url}/v1', api_key: '${{EMBED_KEY}}', dimensions: 64"
            ),
            "/v1/embeddings",
            Some("test-embed-key"),
        ),
        (
            format!(
                "provider: gemini, model: m, base_url: '{url}', api_key: '${{EMBED_KEY}}', dimensions: 64"
            ),
            "/v1beta/models/m:batchEmbedContents",
            Some("test-embed-key"),
        ),
        (format!("provider: ollama, model: m, base_url: '{url}/v1/'"), "/api/embed", None),
    ] {
        let project = project(&config);
        add(&project, "reviewer", "The automobile needs petrol", &[]);
        add(&project, "reviewer", "Invoices are due in March", &[]);
        let asked = fake.asked().len();
        assert_eq!(found(&project, "which vehicle fuel?"), ["The automobile needs petrol"], "{config}");
        let asked = fake.asked().split_off(asked);
        assert_eq!(asked.len(), 2, "one question about all memories, one about the question: {asked:?}");
        assert!(asked.iter().all(|one| one.path == path && one.key.as_deref() == key), "{asked:?}");
        assert_eq!(asked[0].texts.len(), 2, "{asked:?}");
        assert_eq!(
            asked[0].body.to_string().contains(":64"),
            key.is_some(),
            "the length is asked for: {asked:?}"
        );
        assert_eq!(asked[1].texts, ["which vehicle fuel?"]);
        // What has a vector is not told again.
        assert_eq!(found(&project, "feline"), Vec::<String>::new());
        assert_eq!(fake.texts().last().unwrap(), "feline");
    }
}

#[tokio::test]
async fn another_model_makes_all_vectors_anew_and_lengths_are_never_mixed() {
    let (long, short) = (embedder().await, FakeEmbedder::answering(|text| Ok(vector(text, 8))).await);
    let project = project(&ollama(long.url()));
    add(&project, "reviewer", "The automobile needs petrol", &[]);
    add(&project, "bob", "The kitten sleeps", &[]);
    let made = json(run(&project, &["index", "--json"]));
    assert_eq!((&made["entries"], &made["vectors"]["embedded"]), (&json!(2), &json!(2)), "{made}");
    let standing =
        || serde_json::from_str::<Value>(&run(&project, &["index", "--check", "--json"]).stdout).unwrap();
    let before = standing();
    assert_eq!(
        (&before["dimensions"], &before["stale"], &before["vectors"]),
        (&json!(64), &json!(false), &json!(2))
    );
    configure(&project, &ollama(short.url()));
    let other = standing();
    assert_eq!((&other["stale"], &other["waiting"]), (&json!(true), &json!(2)), "{other}");
    assert_eq!(found(&project, "vehicle"), ["The automobile needs petrol"]);
    let after = standing();
    assert_eq!(
        (&after["dimensions"], &after["stale"], &after["vectors"]),
        (&json!(8), &json!(false), &json!(2))
    );
    assert_eq!(short.texts().len(), 3, "two memories and one question");
    // Made anew, the index keeps the vectors of what is as it was.
    assert_eq!(json(run(&project, &["index", "--json"]))["vectors"]["embedded"], 0);
    assert_eq!(json(run(&project, &["index", "--rebuild", "--json"]))["vectors"]["embedded"], 2);
    let told = run(&project, &["index", "--check"]).success();
    assert!(told.contains("2 vectors of 8 dimensions by ollama"), "{told}");
}

#[tokio::test]
async fn an_embedder_that_is_down_leaves_the_words() {
    let fake = embedder().await;
    let project = project(&ollama(fake.url()));
    add(&project, "reviewer", "The automobile needs petrol", &[]);
    assert_eq!(found(&project, "vehicle"), ["The automobile needs petrol"]);
    fake.be(Mood::Fails(401));
    add(&project, "reviewer", "The tram is electric", &[]);
    let searched = run(&project, &["search", "tram", "--json"]);
    assert!(searched.stderr.contains("found by their words alone"), "{}", searched.stderr);
    assert_eq!(contents(&json(searched)), ["The tram is electric"]);
    let made = run(&project, &["index"]);
    assert!(made.stderr.contains("embedder answered 401: as told"), "{made:?}");
    assert_eq!(made.code, Some(1));
    let server = Server::start(&project, &[], &[]);
    for _ in 0..3 {
        let answer = search(&server, "automobile").await;
        assert_eq!(contents(&answer["memories"]), ["The automobile needs petrol"]);
    }
    assert_eq!(
        server.log().matches("memories are searched by their words alone").count(),
        1,
        "{}",
        server.log()
    );
    let metrics = server.request(reqwest::Method::GET, "/metrics").header("accept", "text/plain");
    let metrics = server.send(metrics).await.text;
    let failed = "crew_memory_embedded_total{kind=\"query\",outcome=\"failed\"} ";
    let count =
        metrics.lines().find_map(|line| line.strip_prefix(failed)).unwrap_or_else(|| panic!("{metrics}"));
    assert_eq!(count, "3", "{metrics}");
}

async fn search(server: &Server, query: &str) -> Value {
    let request = server.request(reqwest::Method::POST, "/api/tools/search_memory");
    server.send(request.json(&json!({"query": query}))).await.status(200)
}

async fn add_over_http(server: &Server, content: &str) {
    let new = json!({"employee": "bob", "category": "finding", "content": content});
    server.send(server.request(reqwest::Method::POST, "/api/memory").json(&new)).await.status(201);
}

#[tokio::test]
async fn a_server_gives_memories_their_vectors_behind_whoever_adds_them() {
    let fake = embedder().await;
    let project = project(&ollama(fake.url()));
    let server = Server::start(&project, &[], &[]);
    add_over_http(&server, "The kitten sleeps").await;
    let found = patiently(async || {
        let found = contents(&search(&server, "feline").await["memories"]);
        (!found.is_empty()).then_some(found)
    });
    assert_eq!(found.await, ["The kitten sleeps"]);
    let told = fake.texts();
    assert_eq!(told.iter().filter(|text| *text == "The kitten sleeps").count(), 1, "{told:?}");
    assert!(
        told.iter().filter(|text| *text == "feline").count() <= 1,
        "what was asked is remembered: {told:?}"
    );
    let accounts = server.get("/metrics").await.status(200);
    assert_eq!(accounts["by_provider"]["embedder"]["failed"], 0, "{accounts}");
}

#[tokio::test]
async fn nobody_waits_for_an_embedder_that_hangs() {
    let fake = embedder().await;
    let project = project(&ollama(fake.url()).replace("timeout_seconds: 20", "timeout_seconds: 0.2"));
    add(&project, "bob", "The automobile needs petrol", &[]);
    let _ = run(&project, &["index"]).success();
    fake.be(Mood::Hangs);
    let server = Server::start(&project, &[], &[]);
    add_over_http(&server, "The tram needs electricity").await;
    patiently(async || fake.texts().contains(&"The tram needs electricity".to_owned()).then_some(())).await;
    // It has not answered, and does not: words find both.
    let found = search(&server, "needs electricity petrol").await;
    assert_eq!(found["memories"].as_array().unwrap().len(), 2, "{found}");
    let request = server.request(reqwest::Method::POST, "/api/tools/run_employee");
    let prompt =
        server.send(request.json(&json!({"name": "bob", "args": {"target": "petrol"}}))).await.status(200);
    assert!(prompt.to_string().contains("The automobile needs petrol"), "{prompt}");
    fake.be(Mood::Answers);
    patiently(async || {
        let found = contents(&search(&server, "vehicle").await["memories"]);
        (found == ["The automobile needs petrol"]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn prompts_are_told_what_is_about_the_work_and_nothing_else_of_others() {
    let fake = embedder().await;
    let project = project(&ollama(fake.url()));
    add(&project, "bob", "Deployments are forbidden on fridays", &["--shared"]);
    add(&project, "bob", "Invoices are due in March", &["--shared"]);
    add(&project, "bob", "The kitten sleeps", &["--shared"]);
    let _ = run(&project, &["index"]).success();
    let prompt = |target: &str| project.run(["run", "reviewer", target]).success();
    let told = prompt("weekend releases");
    assert!(
        told.contains("[finding · bob]") && told.contains("Deployments are forbidden on fridays"),
        "{told}"
    );
    assert!(!told.contains("Invoices") && !told.contains("kitten"), "{told}");
    assert!(!prompt("the colour of the logo").contains("Deployments"));
    // A whole prompt, however long, is a question like any other.
    let long = format!("{} weekend releases {}", "lorem ".repeat(300), "ipsum ".repeat(20_000));
    let told = prompt(&long);
    assert!(told.contains("Deployments are forbidden on fridays"), "{}", &told[told.len() - 2000..]);
    let longest = fake.texts().iter().map(|text| text.chars().count()).max().unwrap();
    assert!(longest <= 4_001, "{longest}");
}

#[tokio::test]
async fn what_not_everybody_may_be_told_is_not_sent_to_another_machine() {
    let fake = embedder().await;
    let entries: [(&str, &[&str]); 5] = [
        ("automobile public", &["--classification", "public"]),
        ("automobile internal", &[]),
        ("automobile restricted", &["--classification", "restricted", "--domain", "pay"]),
        ("automobile confidential", &["--classification", "confidential"]),
        ("automobile private", &["--visibility", "private"]),
    ];
    let filled = |embedder: &str| {
        let project = project(embedder);
        for (content, more) in entries {
            add(&project, "bob", content, more);
        }
        let made = json(run(&project, &["index", "--json"]))["vectors"].take();
        (project, made)
    };
    let elsewhere = ollama(&fake.url_from_elsewhere());
    let (project, made) = filled(&elsewhere);
    assert_eq!((&made["embedded"], &made["withheld"]), (&json!(2), &json!(3)), "{made}");
    assert_eq!(fake.texts(), ["automobile public", "automobile internal"]);
    let mut by_meaning = found(&project, "vehicle");
    by_meaning.sort();
    assert_eq!(by_meaning, ["automobile internal", "automobile public"]);
    assert_eq!(found(&project, "confidential")[0], "automobile confidential", "words find it");
    // Once it is said that it may be, it is; and this machine is told everything.
    configure(&project, &format!("{elsewhere}, embed_classified: true"));
    assert_eq!(json(run(&project, &["index", "--json"]))["vectors"]["embedded"], 3);
    assert_eq!(found(&project, "vehicle").len(), 5);
    let (_, made) = filled(&ollama(fake.url()));
    assert_eq!((&made["embedded"], &made["withheld"]), (&json!(5), &json!(0)), "{made}");
}

#[tokio::test]
async fn a_memory_that_is_refused_does_not_keep_others_from_their_vectors() {
    let fake =
        FakeEmbedder::answering(|text| if text.contains("poison") { Err(400) } else { Ok(vector(text, 64)) });
    let fake = fake.await;
    let project = project(&ollama(fake.url()));
    for content in ["The automobile needs petrol", "This is poison", "The kitten sleeps"] {
        add(&project, "bob", content, &[]);
    }
    let made = json(run(&project, &["index", "--json"]))["vectors"].take();
    let expected = json!({"embedded": 2, "withheld": 0, "refused": 1, "is_complete": true});
    assert_eq!(made, expected);
    assert_eq!(found(&project, "feline"), ["The kitten sleeps"]);
    assert_eq!(found(&project, "poison"), ["This is poison"]);
}

#[tokio::test]
async fn a_score_is_the_sum_of_its_parts() {
    let fake = embedder().await;
    let project = project(&ollama(fake.url()));
    add(&project, "bob", "The automobile needs petrol", &["--importance", "5"]);
    let found = json(run(&project, &["search", "petrol vehicle", "--explain", "--json"]));
    let parts = found[0]["parts"].as_array().unwrap();
    let names: Vec<_> = parts.iter().map(|part| part["name"].as_str().unwrap()).collect();
    assert!(
        names.contains(&"words") && names.contains(&"meaning") && names.contains(&"importance"),
        "{found}"
    );
    let sum: f64 = parts.iter().map(|part| part["score"].as_f64().unwrap()).sum();
    assert!((sum - found[0]["score"].as_f64().unwrap()).abs() < 1e-9, "{found}");
    let table = run(&project, &["search", "petrol vehicle", "--explain"]).success();
    assert!(table.contains("meaning 0.333"), "{table}");
}

#[tokio::test]
async fn the_embedder_is_shown_and_looked_at() {
    let fake = embedder().await;
    let config =
        format!("provider: openai, model: m, base_url: '{}/v1', api_key: '${{EMBED_KEY}}'", fake.url());
    let project = project(&config);
    let env = [("EMBED_KEY", "test-embed-key")];
    let shown = project.run_in(&env, ["config", "show"]).success();
    assert!(!shown.contains("test-embed-key"), "{shown}");
    let row = |key: &str| {
        let line = shown.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{shown}"));
        line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    assert!(row("memory.embedder.provider").starts_with("openai"), "{shown}");
    assert!(row("memory.embedder.api_key").starts_with("set EMBED_KEY"), "{shown}");
    assert!(row("memory.embedder.timeout_seconds").starts_with("2 default"), "{shown}");
    let doctor = |env: &[(&str, &str)], words: &[&str]| {
        let ended = project.run_in(env, [&["doctor", "--json"], words].concat());
        let rows = serde_json::from_str::<Value>(&ended.stdout).unwrap()["rows"].take();
        rows.as_array().unwrap().iter().find(|row| row["id"] == "embedder").unwrap().clone()
    };
    let missing = doctor(&[], &[]);
    assert_eq!(missing["verdict"], "FAIL", "{missing}");
    assert!(missing["found"].as_str().unwrap().contains("EMBED_KEY"), "{missing}");
    assert_eq!(doctor(&env, &[])["verdict"], "PASS");
    assert!(fake.asked().is_empty(), "nothing is asked without --online");
    let asked = doctor(&env, &["--online", "--url", "http://127.0.0.1:1"]);
    assert_eq!(asked["verdict"], "PASS", "{asked}");
    assert!(asked["found"].as_str().unwrap().contains("64 dimensions"), "{asked}");
    fake.be(Mood::Fails(404));
    assert_eq!(doctor(&env, &["--online", "--url", "http://127.0.0.1:1"])["verdict"], "FAIL");
    configure(&project, "provider: openai");
    let told = project.run(["config", "show"]).status(1);
    assert!(told.contains("needs `model`"), "{told}");
}

#[tokio::test]
async fn without_a_word_about_it_nothing_is_sent() {
    let fake = embedder().await;
    let project = project(&ollama(fake.url()));
    project.write(".crew/config.yaml", "{}");
    let base = format!("{}/v1", fake.url());
    let env = [("OPENAI_API_KEY", "test-key-openai"), ("OPENAI_BASE_URL", base.as_str())];
    let added =
        project.run_in(&env, ["memory", "add", "bob", "-c", "finding", "-m", "The automobile needs petrol"]);
    let _ = added.success();
    let found = json(project.run_in(&env, ["memory", "search", "petrol", "--json"]));
    assert_eq!(contents(&found), ["The automobile needs petrol"]);
    assert_eq!(json(project.run_in(&env, ["memory", "index", "--json"]))["vectors"], Value::Null);
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn skills_are_called_for_by_what_a_task_means_and_bring_memories_by_it() {
    let fake = embedder().await;
    let project = project(&ollama(fake.url()));
    add(&project, "reviewer", "The automobile needs petrol", &[]);
    add(&project, "reviewer", "Invoices are due in March", &[]);
    json(run(&project, &["index", "--json"]));
    let skill = |name: &str, about: &str, threshold: &str| {
        let text = format!(
            "description: {about}\ntrigger: {{type: semantic{threshold}}}\nactions: [{{type: query_memory, params: {{}}}}]\n"
        );
        project.write(&format!(".crew/skills/reviewer/{name}.yaml"), &text);
    };
    skill("cars", "Care of an automobile", "");
    skill("cats", "Care of a kitten", "");
    let task = "what about the fuel of that vehicle?";
    let tried = skills(&project, &["test", "reviewer", task]);
    let told = |name: &str| {
        let tried = tried["skills"].as_array().unwrap();
        let skill = tried.iter().find(|skill| skill["name"] == name).unwrap();
        (skill["fires"].as_bool().unwrap(), skill["because"].as_str().unwrap().to_owned())
    };
    assert_eq!(told("cars"), (true, "its meaning is 1.00 near (from 0.30 on it fits)".to_owned()));
    let (fires, because) = told("cats");
    assert!(!fires && because.ends_with("and its meaning is 0.00 near (from 0.30 on it fits)"), "{because}");
    let section = tried["section"].as_str().unwrap();
    assert!(section.contains("needs petrol") && !section.contains("Invoices"), "{section}");
    // All that is compared goes in one question, and what was asked before is not asked again.
    let server = Server::start(&project, &[], &[]);
    let asked = fake.asked().len();
    for _ in 0..2 {
        let args = json!({"name": "reviewer", "args": {"target": task}});
        let rendered = server.post("/api/tools/render_prompt", &args).await.status(200);
        let prompt = rendered["prompt"].as_str().unwrap();
        assert_eq!(prompt.matches("needs petrol").count(), 1, "{prompt}");
    }
    let asked: Vec<_> = fake.asked().split_off(asked).into_iter().map(|one| one.texts).collect();
    let skill_texts = asked.iter().filter(|texts| texts.iter().any(|text| text.contains("kitten"))).count();
    assert_eq!(skill_texts, 1, "{asked:?}");
    // Who wants more than the project says so; and without an embedder there are the words.
    skill("cars", "Care of an automobile", ", embedding_threshold: 1");
    skill("cats", "Fuel of a vehicle or a kitten", "");
    fake.be(Mood::Fails(401));
    let tried = skills(&project, &["test", "reviewer", task]);
    for skill in tried["skills"].as_array().unwrap() {
        assert_eq!(skill["fires"], skill["name"] == "cats", "{tried}");
    }
}
