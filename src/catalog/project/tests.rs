//! Projects told by small manifests.

use super::*;

#[track_caller]
fn check(files: &[(&str, &[u8])], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
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
    check(&[("build.gradle", b"")], "Java | gradle |  | ");
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

#[test]
fn every_row_of_the_newer_languages() {
    let csproj = br#"<Project Sdk="Microsoft.NET.Sdk.Web"><PackageReference Include="xunit" /></Project>"#;
    check(&[("Shop.csproj", csproj)], "Dotnet (Aspnetcore) | nuget | xunit | ");
    check(&[("Shop.sln", b"")], "Dotnet | nuget | dotnet test | ");
    let composer =
        br#"{"require":{"laravel/framework":"1"},"require-dev":{"phpunit/phpunit":"1","laravel/pint":"1"}}"#;
    check(&[("composer.json", composer)], "Php (Laravel) | composer | phpunit | pint");
    let gems =
        b"source 'https://rubygems.org'\ngem 'rails', '~> 8'\ngem \"rspec-rails\"\ngem 'rubocop-rails'\n";
    check(&[("Gemfile", gems)], "Ruby (Rails) | bundler | rspec | rubocop");
    let kotlin = b"plugins { id(\"io.ktor.plugin\") }\ndependencies { testImplementation(\"io.kotest:kotest\") }\n// ktlint\n";
    check(&[("build.gradle.kts", kotlin)], "Kotlin (Ktor) | gradle | kotest | ktlint");
    check(
        &[("pom.xml", b"<groupId>org.springframework.boot</groupId><x>junit</x>")],
        "Java (Spring-boot) | maven | junit | ",
    );
}

#[test]
fn every_row_of_the_package_managers() {
    for (lock, manager) in
        [("uv.lock", "uv"), ("poetry.lock", "poetry"), ("pdm.lock", "pdm"), ("Pipfile.lock", "pipenv")]
    {
        check(&[("pyproject.toml", b""), (lock, b"")], &format!("Python | {manager} | unittest | "));
    }
    for (lock, manager) in
        [("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun"), ("package-lock.json", "npm")]
    {
        check(&[("package.json", b"{}"), (lock, b"")], &format!("Nodejs | {manager} |  | "));
    }
    check(&[("pyproject.toml", b"[tool.pdm]\n")], "Python | pdm | unittest | ");
    check(
        &[("Pipfile", b"[packages]\nflask = '*'\n[dev-packages]\npytest = '*'\n")],
        "Python (Flask) | pipenv | pytest | ",
    );
}

#[test]
fn projects_without_a_pyproject_get_details() {
    let setup = b"setup(name='x', install_requires=['Django>=5'], tests_require=[\"pytest\"])\n";
    check(&[("setup.py", setup)], "Python (Django) | pip | pytest | ");
    check(
        &[("setup.py", b"setup()\n"), ("requirements.txt", b"fastapi\nruff\n")],
        "Python (Fastapi) | pip | unittest | ruff",
    );
    let cfg = b"[options]\ninstall_requires =\n    flask>=2\n[flake8]\n";
    check(&[("setup.cfg", cfg)], "Python (Flask) | pip | unittest | flake8");
}

#[track_caller]
fn check_parts(files: &[(&str, &[u8])], expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let parts = detect(folder.path()).projects;
    let shown: Vec<_> =
        parts.iter().map(|part| format!("{} {}", part.path, part.project_type.as_str())).collect();
    assert_eq!(shown, expected);
}

#[test]
fn all_projects_of_a_repository_are_listed() {
    check_parts(&[("pyproject.toml", b""), ("package.json", b"{}")], &[". python", ". nodejs"]);
    check_parts(
        &[
            ("package.json", br#"{"workspaces":["packages/*"]}"#),
            ("packages/b/package.json", b"{}"),
            ("packages/a/package.json", b"{}"),
        ],
        &[". nodejs", "packages/a nodejs", "packages/b nodejs"],
    );
    check_parts(
        &[
            ("Cargo.toml", b"[workspace]\nmembers = ['crates/one', '../out']\n"),
            ("crates/one/Cargo.toml", b""),
        ],
        &[". rust", "crates/one rust"],
    );
    check_parts(&[("go.work", b"use (\n\t./api // x\n)\n"), ("api/go.mod", b"module x\n")], &["api go"]);
    check_parts(&[("web/package.json", b"{}"), ("api/pyproject.toml", b"")], &["api python", "web nodejs"]);
    check_parts(
        &[
            ("pnpm-workspace.yaml", b"packages:\n  - 'apps/*'\n"),
            ("package.json", b"{}"),
            ("apps/x/package.json", b"{}"),
        ],
        &[". nodejs", "apps/x nodejs"],
    );
}
