//! Reads manifests for the libraries they name. What cannot be read names none.

use serde_json::Value;
use toml::Table;

use super::Part;

/// The first of `candidates` (the library, what it is called here) that is in `names`.
pub(super) fn first(candidates: &[(&str, &str)], names: &[String]) -> String {
    let found = candidates.iter().find(|(library, _)| names.iter().any(|name| name == library));
    found.map(|(_, label)| (*label).to_owned()).unwrap_or_default()
}

pub(super) fn pyproject(text: &str, project: &mut Part) {
    let table: Table = text.parse().unwrap_or_default();
    let names = python_names(&table);
    python(&names, project);
    let tool = |name: &str| table.get("tool").and_then(|tool| tool.get(name)).is_some();
    if tool("pytest") {
        "pytest".clone_into(&mut project.test_framework);
    }
    for name in ["ruff", "black", "mypy", "flake8"] {
        if tool(name) {
            project.lint(name);
        }
    }
    for name in ["uv", "poetry", "pdm"] {
        if tool(name) {
            name.clone_into(&mut project.package_manager);
        }
    }
}

/// Libraries of a `pyproject.toml`, in every place they may stand.
fn python_names(table: &Table) -> Vec<String> {
    let mut lists: Vec<&toml::Value> = Vec::new();
    let mut maps: Vec<&toml::Value> = Vec::new();
    if let Some(project) = table.get("project") {
        lists.extend(project.get("dependencies"));
        lists.extend(values(project.get("optional-dependencies")));
    }
    lists.extend(values(table.get("dependency-groups")));
    if let Some(poetry) = table.get("tool").and_then(|tool| tool.get("poetry")) {
        maps.extend(poetry.get("dependencies"));
        maps.extend(poetry.get("dev-dependencies"));
        maps.extend(values(poetry.get("group")).filter_map(|group| group.get("dependencies")));
    }
    if let Some(uv) = table.get("tool").and_then(|tool| tool.get("uv")) {
        lists.extend(uv.get("dev-dependencies"));
    }
    let listed = lists.into_iter().filter_map(toml::Value::as_array).flatten();
    let listed = listed.filter_map(toml::Value::as_str).filter_map(requirement);
    let mapped = maps.into_iter().filter_map(toml::Value::as_table).flat_map(Table::keys);
    listed.chain(mapped.map(|name| normal(name))).collect()
}

fn values(table: Option<&toml::Value>) -> impl Iterator<Item = &toml::Value> {
    table.and_then(toml::Value::as_table).into_iter().flat_map(|table| table.iter().map(|(_, value)| value))
}

/// The library named by a line such as `Flask[async]>=2 ; python_version > "3.8"`.
pub(super) fn requirement(line: &str) -> Option<String> {
    let line = line.trim();
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let name: String = line.chars().take_while(|letter| fits(*letter)).collect();
    (!name.is_empty() && !line.starts_with('-')).then(|| normal(&name))
}

/// Spellings of one library look alike after this.
pub(super) fn normal(name: &str) -> String {
    name.to_lowercase().replace(['_', '.'], "-")
}

pub(super) fn requirements(text: &str, project: &mut Part) {
    let names: Vec<String> = text.lines().filter_map(requirement).collect();
    python(&names, project);
}

pub(super) fn python(names: &[String], project: &mut Part) {
    "pip".clone_into(&mut project.package_manager);
    let has_pytest = names.iter().any(|name| name == "pytest");
    (if has_pytest { "pytest" } else { "unittest" }).clone_into(&mut project.test_framework);
    for tool in ["ruff", "black", "mypy", "flake8", "pylint", "pyright"] {
        if names.iter().any(|name| name == tool) {
            project.lint(tool);
        }
    }
    let same = ["fastapi", "django", "flask", "starlette", "sqlalchemy"].map(|name| (name, name));
    project.framework = first(&same, names);
}

pub(super) fn package_json(text: &str, project: &mut Part) {
    let manifest: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for key in ["dependencies", "devDependencies", "peerDependencies"] {
        if let Some(libraries) = manifest.get(key).and_then(Value::as_object) {
            names.extend(libraries.keys().cloned());
        }
    }
    let manager = manifest.get("packageManager").and_then(Value::as_str).unwrap_or("npm");
    let manager = manager.split('@').next().unwrap_or_default();
    let manager = ["npm", "pnpm", "yarn", "bun"].into_iter().find(|known| *known == manager).unwrap_or("npm");
    manager.clone_into(&mut project.package_manager);
    project.test_framework = first(
        &[("jest", "jest"), ("vitest", "vitest"), ("mocha", "mocha"), ("@playwright/test", "playwright")],
        &names,
    );
    for (library, tool) in [
        ("eslint", "eslint"),
        ("prettier", "prettier"),
        ("typescript", "typescript"),
        ("@biomejs/biome", "biome"),
    ] {
        if names.iter().any(|name| name == library) {
            project.lint(tool);
        }
    }
    let frameworks = [
        ("next", "nextjs"),
        ("react", "react"),
        ("vue", "vue"),
        ("express", "express"),
        ("fastify", "fastify"),
        ("@angular/core", "angular"),
        ("@nestjs/core", "nestjs"),
        ("nuxt", "nuxt"),
        ("svelte", "svelte"),
        ("hono", "hono"),
    ];
    project.framework = first(&frameworks, &names);
}

pub(super) fn go_mod(text: &str, project: &mut Part) {
    "go".clone_into(&mut project.package_manager);
    "go test".clone_into(&mut project.test_framework);
    let frameworks = [
        ("github.com/gin-gonic/gin", "gin"),
        ("github.com/labstack/echo", "echo"),
        ("github.com/gofiber/fiber", "fiber"),
    ];
    let names: Vec<String> = text.lines().filter_map(go_requirement).collect();
    project.framework = first(&frameworks, &names);
}

/// The module of a line `require path v1.2.3` or, inside a block, `path v1.2.3`, without its major version.
fn go_requirement(line: &str) -> Option<String> {
    let line = line.split("//").next().unwrap_or_default().trim();
    let mut words = line.strip_prefix("require ").unwrap_or(line).split_whitespace();
    let (path, version) = (words.next()?, words.next()?);
    if !version.starts_with('v') {
        return None;
    }
    let major = path.rsplit_once("/v").filter(|(_, digits)| digits.bytes().all(|byte| byte.is_ascii_digit()));
    Some(major.map_or(path, |(path, _)| path).to_owned())
}

pub(super) fn cargo_toml(text: &str, project: &mut Part) {
    "cargo".clone_into(&mut project.package_manager);
    "cargo test".clone_into(&mut project.test_framework);
    let table: Table = text.parse().unwrap_or_default();
    let workspace = table.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    let names: Vec<String> = table
        .get("dependencies")
        .into_iter()
        .chain(workspace)
        .filter_map(toml::Value::as_table)
        .flat_map(|table| table.keys().cloned())
        .collect();
    project.framework = first(&["axum", "actix-web", "rocket"].map(|name| (name, name)), &names);
}
