//! The projects of a repository: those at its root, and the members of its workspaces.

use serde_json::Value;
use toml::Table;

use super::{super::files::Files, DOTNET, LOCKS, MANIFESTS, Part, ProjectType, manifests, others};

/// Enough to tell what a repository is about.
const MOST: usize = 32;
/// Folders that are looked into for one pattern of members.
const MOST_FOLDERS: usize = 500;

/// Every project, the main one first.
pub(super) fn all(files: &Files) -> Vec<Part> {
    let mut found = at(files, ".");
    for folder in members(files) {
        if found.len() >= MOST {
            break;
        }
        found.extend(at(files, &folder));
    }
    found.truncate(MOST);
    found
}

/// The projects in one folder, one for each language.
fn at(files: &Files, folder: &str) -> Vec<Part> {
    let path = |name: &str| if folder == "." { name.to_owned() } else { format!("{folder}/{name}") };
    let here = |name: &str| files.root().join(path(name)).is_file();
    let mut found: Vec<Part> = Vec::new();
    for (manifest, kind) in MANIFESTS {
        if found.iter().any(|part| part.project_type == kind) || !here(manifest) {
            continue;
        }
        // Both languages build with Gradle; a project has one of the two files.
        let mut part =
            described(files, folder, manifest, kind, &files.peek(&path(manifest)).unwrap_or_default());
        if let Some((_, _, manager)) = LOCKS.iter().find(|(of, lock, _)| *of == kind && here(lock)) {
            (*manager).clone_into(&mut part.package_manager);
        }
        found.push(part);
    }
    if !found.iter().any(|part| part.project_type == ProjectType::Dotnet)
        && let Some(manifest) = dotnet(files, folder)
    {
        let text = files.peek(&path(&manifest)).unwrap_or_default();
        found.push(described(files, folder, &manifest, ProjectType::Dotnet, &text));
    }
    found
}

fn described(files: &Files, folder: &str, manifest: &str, kind: ProjectType, text: &str) -> Part {
    let mut part = Part {
        path: folder.to_owned(),
        project_type: kind,
        manifest: manifest.to_owned(),
        ..Part::default()
    };
    match manifest {
        "pyproject.toml" => manifests::pyproject(text, &mut part),
        "requirements.txt" => manifests::requirements(text, &mut part),
        "setup.py" => others::setup_py(text, &mut part),
        "setup.cfg" => others::setup_cfg(text, &mut part),
        "Pipfile" => others::pipfile(text, &mut part),
        "package.json" => manifests::package_json(text, &mut part),
        "go.mod" => manifests::go_mod(text, &mut part),
        "Cargo.toml" => manifests::cargo_toml(text, &mut part),
        "pom.xml" => others::jvm(text, "maven", &mut part),
        "composer.json" => others::composer(text, &mut part),
        "Gemfile" => others::gemfile(text, &mut part),
        _ if kind == ProjectType::Dotnet => others::dotnet(text, &mut part),
        _ => others::jvm(text, "gradle", &mut part),
    }
    // A project of `setup.py` often lists its libraries beside it.
    if manifest.starts_with("setup.") && part.framework.is_empty() {
        let beside =
            if folder == "." { "requirements.txt".to_owned() } else { format!("{folder}/requirements.txt") };
        if let Some(text) = files.peek(&beside) {
            manifests::requirements(&text, &mut part);
        }
    }
    part
}

/// The manifest of .NET in a folder.
fn dotnet(files: &Files, folder: &str) -> Option<String> {
    let entries = std::fs::read_dir(files.root().join(folder)).ok()?.flatten().take(MOST_FOLDERS);
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    DOTNET.iter().find_map(|ending| names.iter().find(|name| name.ends_with(ending)).cloned())
}

/// Folders of the members of all workspaces at the root, in the order they are written.
fn members(files: &Files) -> Vec<String> {
    let mut patterns: Vec<String> = Vec::new();
    let text = |name: &str| files.peek(name).unwrap_or_default();
    let manifest: Value =
        serde_json::from_str(text("package.json").trim_start_matches('\u{feff}')).unwrap_or_default();
    let workspaces = manifest.get("workspaces");
    let listed =
        workspaces.and_then(|spaces| spaces.as_array().or_else(|| spaces.get("packages")?.as_array()));
    patterns.extend(listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    patterns.extend(listed_in(&text("pnpm-workspace.yaml"), "packages:"));
    let cargo: Table = text("Cargo.toml").parse().unwrap_or_default();
    patterns.extend(array(cargo.get("workspace").and_then(|space| space.get("members"))));
    let pyproject: Table = text("pyproject.toml").parse().unwrap_or_default();
    let uv = pyproject.get("tool").and_then(|tool| tool.get("uv"));
    patterns.extend(array(uv.and_then(|uv| uv.get("workspace")).and_then(|space| space.get("members"))));
    patterns.extend(others::go_work(&text("go.work")));
    patterns.extend(others::maven_modules(&text("pom.xml")));
    let mut found: Vec<String> = Vec::new();
    for folder in patterns.iter().flat_map(|pattern| matching(files, pattern)) {
        if !found.contains(&folder) && found.len() < MOST {
            found.push(folder);
        }
    }
    // Without a workspace, folders that hold a project side by side are the projects.
    if found.is_empty() { matching(files, "*").into_iter().take(MOST).collect() } else { found }
}

fn array(value: Option<&toml::Value>) -> Vec<String> {
    let items = value.and_then(toml::Value::as_array).into_iter().flatten();
    items.filter_map(toml::Value::as_str).map(str::to_owned).collect()
}

/// The entries of a YAML list of texts under `key`.
fn listed_in(text: &str, key: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|line| line.trim_end() != key).skip(1);
    let items = lines.map_while(|line| line.trim().strip_prefix("- ").map(str::trim));
    items.map(|item| item.trim_matches(['"', '\'']).to_owned()).collect()
}

/// Folders that a pattern such as `packages/*` or `crates/one` means. Nothing that is hidden, installed or built.
fn matching(files: &Files, pattern: &str) -> Vec<String> {
    const SKIPPED: [&str; 6] = ["node_modules", "target", "vendor", "dist", "build", "venv"];
    let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
    if pattern.starts_with('!') || pattern.split('/').any(|part| part == ".." || part.is_empty()) {
        return Vec::new();
    }
    let pattern =
        pattern.strip_suffix("/**").map_or_else(|| pattern.to_owned(), |before| format!("{before}/*"));
    let Some(before) = pattern.strip_suffix('*') else {
        return if pattern.contains('*') { Vec::new() } else { vec![pattern] };
    };
    let before = before.trim_end_matches('/');
    if before.contains('*') {
        return Vec::new();
    }
    let entries =
        std::fs::read_dir(files.root().join(before)).into_iter().flatten().flatten().take(MOST_FOLDERS);
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter(|name| !name.starts_with('.') && !SKIPPED.contains(&name.as_str())).collect();
    names.sort();
    names.into_iter().map(|name| if before.is_empty() { name } else { format!("{before}/{name}") }).collect()
}
