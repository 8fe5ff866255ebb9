//! Projects told by small manifests.

use super::*;

#[track_caller]
fn check(files: &[(&str, &[u8])], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let project = detect(folder.path());
    let shown = format!(
        "{} | {} | {} | {}",
        project.display_label(),
        project.package_manager,
        project.test_framework,
        project.lint_tools.join(" ")
    );
    assert_eq!(shown, expected);
}

#[test]
fn python_by_its_libraries_alone() {
    let manifest = br#"
        [project]
        name = "x"
        description = "not django, and no ruff"
        dependencies = ["Flask[async]>=2; python_version > '3.8'", "requests"]
        [project.optional-dependencies]
        dev = ["pytest>=8"]
        [tool.mypy]
        strict = true
    "#;
    check(&[("pyproject.toml", manifest)], "Python (Flask) | pip | pytest | mypy");
    check(&[("pyproject.toml", manifest), ("uv.lock", b"")], "Python (Flask) | uv | pytest | mypy");
    let poetry =
        b"[tool.poetry.dependencies]\nfastapi = '*'\n[tool.poetry.group.dev.dependencies]\nruff = '*'\n";
    check(&[("pyproject.toml", poetry)], "Python (Fastapi) | poetry | unittest | ruff");
    check(&[("requirements.txt", b"# x\n-r other.txt\nDjango==5\n")], "Python (Django) | pip | unittest | ");
    check(&[("setup.py", b"")], "Python | pip | unittest | ");
}

#[test]
fn node_by_its_libraries_alone() {
    let manifest = br#"{"dependencies":{"next":"1","react":"1"},"devDependencies":{"vitest":"1","eslint":"1"},"packageManager":"pnpm@9.1.0"}"#;
    check(&[("package.json", manifest)], "Nodejs (Nextjs) | pnpm | vitest | eslint");
    check(&[("package.json", b"{}"), ("yarn.lock", b"")], "Nodejs | yarn |  | ");
}

#[test]
fn others_by_their_manifests() {
    check(
        &[("go.mod", b"module x\nrequire (\n\tgithub.com/labstack/echo/v4 v4.1.0 // indirect\n)\n")],
        "Go (Echo) | go | go test | ",
    );
    check(
        &[("Cargo.toml", b"[dependencies]\naxum = '0.8'\n"), (".clippy.toml", b"")],
        "Rust (Axum) | cargo | cargo test | clippy",
    );
    check(&[("pom.xml", b"<x/>")], "Java | maven |  | ");
    check(&[("build.gradle.kts", b"")], "Java | gradle |  | ");
    check(&[], "unknown |  |  | ");
}

#[test]
fn what_cannot_be_read_tells_the_type_alone() {
    for manifest in [&b"\xff\xfe"[..], b"[]", b"{\"dependencies\":null}", b"{", b""] {
        check(&[("package.json", manifest)], "Nodejs | npm |  | ");
        check(&[("pyproject.toml", manifest)], "Python | pip | unittest | ");
        check(&[("Cargo.toml", manifest)], "Rust | cargo | cargo test | ");
    }
}

#[test]
fn every_file_that_is_asked_is_watched() {
    let asked = MANIFESTS.iter().map(|(name, _)| *name).chain(TOOL_FILES.iter().map(|(name, _)| *name));
    for name in asked {
        assert!(SIGNS.contains(&name), "{name}");
    }
}
