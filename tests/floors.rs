//! The floors of the house: which module may use which, who owns which crate, how long a file may be.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Each module and its floor; a module uses only what is below it.
const FLOORS: [(&str, u8); 13] = [
    ("base", 0),
    ("protocol", 1),
    ("defs", 1),
    ("store", 1),
    ("llm", 1),
    ("catalog", 2),
    ("tasks", 2),
    ("engine", 3),
    ("tools", 4),
    ("mcp", 5),
    ("web", 5),
    ("app", 6),
    ("cli", 7),
];

/// Crates that only some may use: the crate as it is named in code, and the paths below `src` that may name it.
const OWNERS: &[(&str, &[&str])] = &[
    ("sd_notify", &["app/serve"]),
    ("metrics_exporter_prometheus", &["app/measures.rs"]),
    ("metrics_process", &["app/measures.rs"]),
    ("tar", &["app/backup"]),
    ("flate2", &["app/backup", "engine/outbound"]),
    ("jsonrpsee", &["mcp/rpc.rs"]),
    ("axum", &["web", "mcp/http", "app/serve", "app/http", "llm/client/tests", "engine/outbound/tests.rs"]),
    ("hyper", &["app/http"]),
    ("hyper_util", &["app/http"]),
    ("governor", &["web"]),
    ("redis", &["web/shared.rs"]),
    ("tower_http", &["web"]),
    ("clap", &["cli"]),
    ("similar", &["llm/tape.rs", "cli/test.rs"]),
    ("annotate_snippets", &["cli/render"]),
    ("comfy_table", &["cli/render"]),
    ("anstream", &["cli/render"]),
    ("reqwest", &["llm/client", "engine/outbound", "tools/bench/external/connection.rs"]),
    ("rmcp", &["tools/bench/external"]),
    ("tokio_postgres", &["store/postgres"]),
    ("rustls_platform_verifier", &["store/postgres"]),
    ("tokio_rustls", &["store/postgres", "llm/client/tests"]),
    ("rustix", &["tools/bench/external/process.rs"]),
    ("html2text", &["tools/bench/web.rs"]),
    ("encoding_rs", &["tools/bench/web.rs"]),
    ("ipnet", &["base/reach.rs", "web/address.rs"]),
    ("lettre", &["engine/delivery/mail"]),
    ("serde_yaml", &["defs"]),
    ("rusqlite", &["engine/memory/index"]),
    ("model2vec_rs", &["engine/memory/embedding"]),
    ("jieba_rs", &["engine/memory/index"]),
    ("rust_stemmers", &["engine/memory/index"]),
    ("notify", &["catalog/watch.rs"]),
    ("jsonschema", &["engine/structured.rs", "defs/schema"]),
    ("tracing_subscriber", &["app/telemetry"]),
    ("opentelemetry", &["app/telemetry"]),
    ("opentelemetry_sdk", &["app/telemetry"]),
    ("opentelemetry_otlp", &["app/telemetry"]),
    ("tracing_opentelemetry", &["app/telemetry"]),
];

/// Most lines of a file.
const LONGEST: usize = 500;

/// Names that say nothing about what is inside.
const BANNED: [&str; 7] = ["utils", "util", "common", "helpers", "misc", "manager", "imp"];

struct File {
    /// Below `src`, with slashes.
    name: String,
    text: String,
}

fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
                found.push(File { name, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    assert!(found.len() > 20, "the sources were found");
    found
}

fn code(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let lines = file.text.lines().enumerate().map(|(number, line)| (number + 1, line.trim_start()));
    lines.filter(|(_, line)| !line.starts_with("//"))
}

/// The words that stand where `path::` begins in `line`, after `before`.
fn words_after<'l>(line: &'l str, before: &'l str) -> impl Iterator<Item = &'l str> {
    line.match_indices(before).map(move |(at, _)| {
        let rest = &line[at + before.len()..];
        &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
    })
}

/// The modules a file uses through `crate::a` or a `crate::{a, b::…}` list that may span lines.
fn used(file: &File) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut depth = None;
    for (number, line) in code(file) {
        found.extend(words_after(line, "crate::").filter(|w| !w.is_empty()).map(|w| (number, w.to_owned())));
        let mut rest = line;
        if depth.is_none()
            && let Some(at) = line.find("crate::{")
        {
            rest = &line[at + "crate::{".len()..];
            depth = Some(1_i32);
        }
        let Some(open) = depth.as_mut() else { continue };
        let mut word = String::new();
        for letter in rest.chars().chain([' ']) {
            if letter.is_alphanumeric() || letter == '_' {
                word.push(letter);
                continue;
            }
            if *open == 1 && !word.is_empty() {
                found.push((number, word.clone()));
            }
            // After `::` come names inside the module, not modules of the crate.
            word = if letter == ':' { "\0".to_owned() } else { String::new() };
            match letter {
                '{' => *open += 1,
                '}' => *open -= 1,
                _ => {}
            }
            if *open == 0 {
                break;
            }
        }
        if *open == 0 {
            depth = None;
        }
    }
    found.retain(|(_, word)| !word.starts_with('\0'));
    found
}

#[test]
fn every_module_stands_on_a_floor_and_looks_only_down() {
    let floors = BTreeMap::from(FLOORS);
    let mut wrong = Vec::new();
    for file in files() {
        let Some((module, _)) = file.name.split_once('/') else { continue };
        let Some(floor) = floors.get(module) else {
            wrong.push(format!("src/{}: `{module}` has no floor", file.name));
            continue;
        };
        for (line, other) in used(&file) {
            match floors.get(other.as_str()) {
                Some(below) if other == module || below < floor => {}
                Some(_) => wrong.push(format!("src/{}:{line}: `{module}` must not use `{other}`", file.name)),
                None => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_are_used_by_their_owners_only() {
    let mut wrong = Vec::new();
    for file in files() {
        for (number, line) in code(&file) {
            for (name, owners) in OWNERS {
                let named = line.contains(&format!("{name}::")) && !line.contains(&format!("_{name}::"));
                if named && !owners.iter().any(|owner| file.name.starts_with(owner)) {
                    wrong.push(format!("src/{}:{number}: `{name}` belongs to {owners:?}", file.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short_and_named_for_what_is_in_them() {
    let mut wrong = Vec::new();
    for file in files() {
        let lines = file.text.lines().count();
        if lines > LONGEST {
            wrong.push(format!("src/{}: {lines} lines; split it by reason", file.name));
        }
        let parts = file.name.trim_end_matches(".rs").split('/');
        wrong.extend(
            parts.filter(|part| BANNED.contains(part)).map(|part| format!("src/{}: `{part}`", file.name)),
        );
        // What a file of tests beside the code is for needs no saying.
        let of_tests = file.name.ends_with("/tests.rs") || file.name.contains("/tests/");
        if !of_tests && !file.text.starts_with("//!") {
            wrong.push(format!("src/{}: says nothing about itself at the top", file.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_test_sees_through_lists_of_modules() {
    let text = "use crate::{\n    base::{Secret, text::closest},\n    llm,\n    tools::Error,\n};\nlet x = crate::web::y();\n";
    let file = File { name: "x.rs".to_owned(), text: text.to_owned() };
    let modules: Vec<String> = used(&file).into_iter().map(|(_, module)| module).collect();
    assert_eq!(modules, ["base", "llm", "tools", "web"]);
}
