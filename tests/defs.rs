//! What is said about definitions, good and bad.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crew::defs::{
    self, Diagnostic, EmployeeFiles, Severity, Source, parse_agent, parse_config, parse_cron,
    parse_discussion, parse_employee, parse_employee_dir, parse_employee_skill, parse_mcp_servers,
    parse_organization, parse_pipeline, parse_recipe, parse_skill, parse_tokens, parse_webhook,
};
use proptest::prelude::*;

fn fixtures(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/defs").join(path)
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

fn source(path: &Path) -> Source {
    Source::new(name(path), fs::read_to_string(path).unwrap())
}

fn optional(path: &Path) -> Option<Source> {
    path.is_file().then(|| source(path))
}

fn employee_files(folder: &Path) -> EmployeeFiles {
    EmployeeFiles {
        yaml: source(&folder.join("employee.yaml")),
        prompt: optional(&folder.join("prompt.md")),
        soul: optional(&folder.join("soul.md")),
        workflows: children(&folder.join("workflows")).iter().map(|path| source(path)).collect(),
        adaptors: children(&folder.join("adaptors")).iter().map(|path| (stem(path), source(path))).collect(),
    }
}

/// All files that are read for a fixture.
fn sources(kind: &str, path: &Path) -> Vec<Source> {
    match kind {
        "employee-dir" => {
            let EmployeeFiles { yaml, prompt, soul, workflows, adaptors } = employee_files(path);
            let adaptors = adaptors.into_iter().map(|(_, source)| source);
            [yaml].into_iter().chain(prompt).chain(soul).chain(workflows).chain(adaptors).collect()
        }
        "skill" => vec![source(&path.join("SKILL.md"))],
        _ => vec![source(path)],
    }
}

/// Reads a fixture as what its folder says it is; the definition comes out as text.
fn read(kind: &str, path: &Path) -> (Option<String>, Vec<Diagnostic>) {
    fn show<T: std::fmt::Debug>(
        (found, diagnostics): (Option<T>, Vec<Diagnostic>),
    ) -> (Option<String>, Vec<Diagnostic>) {
        (found.map(|found| format!("{found:#?}")), diagnostics)
    }
    match kind {
        "employee" => show(parse_employee(&source(path))),
        "employee-dir" => show(parse_employee_dir(&employee_files(path))),
        "skill" => show(parse_skill(&source(&path.join("SKILL.md")), &name(path))),
        "agent" => show(parse_agent(&source(path), &stem(path))),
        "recipe" => show(parse_recipe(&source(path), &stem(path))),
        "pipeline" => show(parse_pipeline(&source(path), &stem(path))),
        "discussion" => show(parse_discussion(&source(path), &stem(path))),
        "organization" => show(parse_organization(&source(path))),
        "webhook" => show(parse_webhook(&source(path))),
        "mcp-servers" => show(parse_mcp_servers(&source(path))),
        "cron" => show(parse_cron(&source(path))),
        "config" => show(parse_config(&source(path))),
        "tokens" => show(parse_tokens(&source(path))),
        "employee-skill" => show(parse_employee_skill(&source(path), &stem(path))),
        other => panic!("no fixtures are called {other}"),
    }
}

const KINDS: [&str; 14] = [
    "employee",
    "employee-dir",
    "skill",
    "agent",
    "recipe",
    "pipeline",
    "discussion",
    "organization",
    "webhook",
    "config",
    "mcp-servers",
    "cron",
    "tokens",
    "employee-skill",
];

fn lines(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().fold(String::new(), |text, diagnostic| text + &format!("{diagnostic}\n"))
}

/// What a person is shown: each finding with its code, its file, line and column, the text and a caret, and the help.
fn shown(kind: &str, path: &Path, diagnostics: &[Diagnostic]) -> String {
    let sources = sources(kind, path);
    let draw = |diagnostic: &Diagnostic| {
        let source = sources.iter().find(|source| source.name == diagnostic.source).unwrap();
        crew::cli::drawn(diagnostic, source)
    };
    // The first dozen of many, and the last, which says that there are more.
    let told = diagnostics.iter().take(12).chain(diagnostics.iter().skip(12).last());
    told.map(draw).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let (mut seen, mut count) = (BTreeSet::new(), 0);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots/invalid");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for kind in KINDS {
        for path in children(&fixtures(&format!("invalid/{kind}"))) {
            let (found, diagnostics) = read(kind, &path);
            let has_errors = diagnostics.iter().any(|found| found.severity == Severity::Error);
            assert!(!diagnostics.is_empty(), "nothing is wrong with {}", path.display());
            assert_eq!(found.is_none(), has_errors, "{}", path.display());
            seen.extend(diagnostics.iter().map(|diagnostic| diagnostic.code));
            count += 1;
            settings.bind(|| {
                let name = format!("{kind}-{}", stem(&path));
                insta::assert_snapshot!(name, shown(kind, &path, &diagnostics));
            });
        }
    }
    assert!(count >= 90, "only {count} invalid files");
    let missing: Vec<_> = defs::codes::ALL.iter().filter(|code| !seen.contains(*code)).collect();
    assert!(missing.is_empty(), "no fixture shows {missing:?}");
}

/// An error without a place is one whose line must not be shown, or one about a file that is not there.
#[test]
fn every_error_has_a_place() {
    for kind in KINDS {
        for path in children(&fixtures(&format!("invalid/{kind}"))) {
            for diagnostic in read(kind, &path).1 {
                let hidden = [
                    defs::codes::INVALID_SECRET,
                    defs::codes::SECRET_IN_CLEAR,
                    defs::codes::MISSING_PROMPT,
                    defs::codes::EMPTY_BODY,
                    defs::codes::TOO_MANY_PROBLEMS,
                ];
                let is_placed = diagnostic.place().is_some() || hidden.contains(&diagnostic.code);
                assert!(is_placed, "{}: {diagnostic}", path.display());
            }
        }
    }
}

#[test]
fn places_point_into_their_source() {
    for kind in ["employee", "agent", "recipe", "pipeline", "webhook", "cron"] {
        for path in children(&fixtures(&format!("invalid/{kind}"))) {
            let source = source(&path);
            for diagnostic in read(kind, &path).1 {
                for label in diagnostic.labels {
                    assert!(
                        source.text.get(label.span.start..label.span.end).is_some(),
                        "{label:?} in {path:?}"
                    );
                    assert_eq!(source.position(label.span.start), (label.line, label.column));
                }
            }
        }
    }
}

#[test]
fn what_is_right_is_read_without_a_word() {
    for kind in KINDS {
        let mut text = String::new();
        for path in children(&fixtures(&format!("valid/{kind}"))) {
            let (found, diagnostics) = read(kind, &path);
            assert!(diagnostics.is_empty(), "{}: {}", path.display(), lines(&diagnostics));
            writeln!(text, "# {kind}/{}\n{}\n", name(&path), found.unwrap()).unwrap();
        }
        insta::assert_snapshot!(format!("valid-{kind}"), text);
    }
}

/// See `fixtures/defs/found/README.md`.
#[test]
fn what_others_write_is_read_and_every_warning_explains_itself() {
    let mut text = String::new();
    for kind in ["agent", "skill", "recipe"] {
        for path in children(&fixtures(&format!("found/{kind}"))) {
            let (found, diagnostics) = read(kind, &path);
            assert!(found.is_some(), "{}", lines(&diagnostics));
            writeln!(text, "# {kind}/{}\n{}\n", name(&path), shown(kind, &path, &diagnostics)).unwrap();
        }
    }
    insta::assert_snapshot!("found", text);
}

#[test]
fn a_literal_secret_is_never_shown() {
    let source = Source::new("webhook.yaml", "github_secret: 0123\n");
    let (config, _) = parse_webhook(&source);
    let Some(defs::SecretRef::Literal(secret)) = config.clone().unwrap().github_secret else {
        panic!("a literal")
    };
    assert_eq!(secret.expose(), "0123");
    assert!(!format!("{config:?}").contains("0123"));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "measures the machine, not the program")]
fn bombs_are_refused_at_once() {
    let started = Instant::now();
    let mut bomb = "name: x\ndescription: y\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        writeln!(bomb, "a{level}: &a{level} [{}]", format!("*a{}, ", level - 1).repeat(10)).unwrap();
    }
    let deep = format!("name: {}", "[".repeat(50_000));
    let wide = format!("---\n{}---\nbody", "x: 1\n".repeat(15_000));
    let doubled = format!("steps:\n{}", "  - employee: a\n    id: same\n".repeat(10_000));
    let unclosed = format!("steps:\n  - employee: a\n    args:\n      x: '{}'\n", "{steps.".repeat(140_000));
    let unknown =
        format!("steps:\n  - employee: a\n    args:\n      x: '{}'\n", "{steps.a.output}".repeat(60_000));
    let fields = format!(
        "---\nname: a\ndescription: b\n{}---\nc",
        (0..40_000).fold(String::new(), |text, n| text + &format!("f{n}: x\n"))
    );
    let places =
        format!("---\nname: a\ndescription: b\nargs: [{{name: target}}]\n---\n{}", "$targe ".repeat(140_000));
    for text in [bomb, deep, wide, doubled, unclosed, unknown, fields, places] {
        parse_everything(&text);
    }
    // What a bomb would take has no end; this takes seconds, and more on a machine that is busy.
    assert!(started.elapsed() < Duration::from_mins(10), "{:?}", started.elapsed());
}

fn parse_everything(text: &str) {
    let source = Source::new("input", text);
    let files = EmployeeFiles {
        yaml: source.clone(),
        prompt: Some(source.clone()),
        soul: None,
        workflows: vec![source.clone()],
        adaptors: vec![("python".to_owned(), source.clone())],
    };
    let all = [
        parse_employee(&source).1,
        parse_employee_dir(&files).1,
        parse_skill(&source, "input").1,
        parse_agent(&source, "input").1,
        parse_recipe(&source, "input").1,
        parse_pipeline(&source, "input").1,
        parse_discussion(&source, "input").1,
        parse_organization(&source).1,
        parse_webhook(&source).1,
        parse_cron(&source).1,
    ];
    for diagnostic in all.iter().flatten() {
        for label in &diagnostic.labels {
            assert!(text.get(label.span.start..label.span.end).is_some(), "{diagnostic}");
        }
    }
}

/// Pieces that definitions are made of, so that chance finds deeper paths than noise would.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "---\n",
        "name: ",
        "description: ",
        "steps:\n",
        "  - ",
        "employee: a\n",
        "parallel:\n",
        "id: x\n",
        "args:\n",
        "{steps.x.output}",
        "{steps.",
        "{prev}",
        "$target",
        "condition:\n",
        "loop:\n",
        "check: ",
        "matches: (",
        "until: ",
        "then:\n",
        "topic: x\n",
        "participants:\n",
        "rounds: ",
        "teams:\n",
        "routes:\n",
        "event: push\n",
        "target: ",
        "schedules:\n",
        "cron: ",
        "* * * * *",
        "@daily",
        "\u{feff}",
        "\r\n",
        "\n",
        "\t",
        "  ",
        "：",
        "代码",
        "&a ",
        "*a",
        "<<: ",
        "!!int ",
        "? ",
        ": ",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "|\n",
        ">-\n",
        "#",
        "~",
        "1.10",
        "yes",
        "\u{85}",
        "\u{2028}",
        "%YAML 1.1\n",
        "...\n",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,200}") {
        parse_everything(&text);
    }

    #[test]
    fn no_mixture_makes_a_parser_panic(text in pieces()) {
        parse_everything(&text);
        parse_everything(&format!("---\n{text}\n---\nbody"));
    }
}
