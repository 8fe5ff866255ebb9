//! The schemas for editors: that those in `schemas/` are those of the program, and that they know right from wrong.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::Project;

/// The kinds of files, each with the folders of its examples and whether an example is Markdown with front matter.
const KINDS: [(&str, &[&str]); 10] = [
    ("employee", &["employee", "employee-dir"]),
    ("pipeline", &["pipeline"]),
    ("discussion", &["discussion"]),
    ("webhook", &["webhook"]),
    ("cron", &["cron"]),
    ("organization", &["organization"]),
    ("config", &["config"]),
    ("tokens", &["tokens"]),
    ("mcp-servers", &["mcp-servers"]),
    ("employee-skill", &["employee-skill"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file as the editor sees it: its YAML, as JSON.
fn instance(path: &Path) -> Value {
    let path = if path.is_dir() { path.join("employee.yaml") } else { path.to_owned() };
    let text = fs::read_to_string(&path).unwrap();
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let yaml = match text.strip_prefix("---\n").filter(|_| path.extension().unwrap() == "md") {
        Some(rest) => rest.split_once("\n---\n").unwrap().0,
        None => &text,
    };
    serde_yaml::from_str(yaml).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn examples(kind: &str, judged: &str) -> Vec<std::path::PathBuf> {
    let folder = root().join("tests/fixtures/defs").join(judged).join(kind);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn schemas_are_those_of_the_program() {
    let project = Project::empty();
    for name in KINDS.map(|(name, _)| name).into_iter().chain(["tools"]) {
        let printed = project.run(["schema", name]).success();
        let file = if name == "tools" { "tools.json".to_owned() } else { format!("{name}.schema.json") };
        let path = root().join("schemas").join(file);
        #[expect(clippy::disallowed_methods, reason = "asks the person who runs the tests, not the program")]
        let update = std::env::var_os("CREW_UPDATE").is_some();
        if update {
            fs::write(&path, &printed).unwrap();
        }
        let stored = fs::read_to_string(&path).unwrap();
        assert_eq!(stored, printed, "{} is not up to date; run with CREW_UPDATE=1", path.display());
    }
}

#[test]
fn every_valid_file_fits_its_schema() {
    for (name, folders) in KINDS {
        let schema = fs::read_to_string(root().join(format!("schemas/{name}.schema.json"))).unwrap();
        let schema: Value = serde_json::from_str(&schema).unwrap();
        let validator = jsonschema::draft7::new(&schema).unwrap();
        for path in folders.iter().flat_map(|folder| examples(folder, "valid")) {
            let instance = instance(&path);
            // A file may be empty where everything in it may be left out.
            if instance.is_null() && (name == "webhook" || name == "cron" || name == "organization") {
                continue;
            }
            let faults: Vec<String> = validator
                .iter_errors(&instance)
                .map(|fault| format!("{}: {fault}", fault.instance_path()))
                .collect();
            assert!(faults.is_empty(), "{}:\n{}", path.display(), faults.join("\n"));
        }
    }
}

/// What a shape cannot tell: the parser must.
#[test]
fn a_schema_refuses_what_is_wrong_in_shape() {
    let wrong = [
        ("employee", "name: a\n"),
        ("employee", "{name: A b, description: x}"),
        ("employee", "{name: a, description: x, tags: y}"),
        ("employee", "{name: a, description: x, temprature: 1}"),
        ("employee", "{name: a, description: x, temperature: 3}"),
        ("employee", "{name: a, description: x, api_key: sk-12345678}"),
        ("employee", "{name: a, description: x, args: [{description: y}]}"),
        ("employee", "{name: a, description: x, agent_status: asleep}"),
        ("pipeline", "steps: []"),
        ("pipeline", "steps: [{id: a}]"),
        ("pipeline", "steps: [{parallel: []}]"),
        ("pipeline", "steps: [{employee: a, retry: 9}]"),
        ("pipeline", "steps: [{employee: a, when: {check: x}}]"),
        ("pipeline", "steps: [{condition: {check: x, contains: a, equals: b, then: [{employee: c}]}}]"),
        ("pipeline", "steps: [{loop: {steps: [{employee: a}]}}]"),
        ("discussion", "topic: x"),
        ("discussion", "{topic: x, participants: []}"),
        ("discussion", "{topic: x, participants: [{employee: a, max_agree_ratio: -2}]}"),
        ("discussion", "{topic: x, participants: [{employee: a}], round_template: unknown}"),
        ("webhook", "githubsecret: x"),
        ("webhook", "routes: [{event: Pull Request, target: {type: employee, name: a}}]"),
        ("webhook", "routes: [{event: push, target: {type: team, name: a}}]"),
        ("cron", "schedules: [{name: a, target_type: employee, target_name: a}]"),
        ("organization", "authority: {D: {}}"),
        ("organization", "teams: [a]"),
        ("config", "default_modle: x"),
        ("config", "providers: {a: {base_url: x, models: [a]}}"),
        ("config", "providers: {a: {base_url: 'http://x', models: [a], api_key: sk-12345678}}"),
        ("config", "prices: {a: {input: 1}}"),
        ("tokens", "tokens: [{name: a, sha256: secret, scopes: [read]}]"),
        ("tokens", "tokens: [{name: a, token: secret, scopes: [read]}]"),
        ("tokens", "tokens: [{name: a, token: '${A}', scopes: [all]}]"),
        ("tokens", "tokens: [{name: a, token: '${A}'}]"),
        ("employee-skill", "actions: []"),
        ("employee-skill", "trigger: {type: sometimes}"),
        ("employee-skill", "{trigger: {type: always}, actions: [{type: read_file, params: {}}]}"),
        ("employee-skill", "{trigger: {type: always}, actions: [{type: read_file, path: a}]}"),
        ("employee-skill", "{trigger: {type: always}, actions: [{type: load_checklist, params: {}}]}"),
    ];
    let project = Project::empty();
    for (name, text) in wrong {
        let schema: Value = serde_json::from_str(&project.run(["schema", name]).success()).unwrap();
        let instance: Value = serde_yaml::from_str(text).unwrap();
        assert!(!jsonschema::draft7::is_valid(&schema, &instance), "{name}: {text}");
    }
}
