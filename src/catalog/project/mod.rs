//! Finds out what kind of project the crew works on, from its manifests.

mod manifests;
#[cfg(test)]
mod tests;

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::files::Files;

/// What kind of project it is. A text is empty when nothing is known.
#[expect(clippy::struct_field_names, reason = "`project_type` is what instructions call it")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Project {
    /// The language, by its first manifest.
    pub project_type: ProjectType,
    /// The most telling library, for instance `fastapi`.
    pub framework: String,
    /// What installs libraries, for instance `uv`.
    pub package_manager: String,
    /// What runs tests, for instance `pytest`.
    pub test_framework: String,
    /// What checks code, for instance `ruff`.
    pub lint_tools: Vec<String>,
    /// Files all this was read from.
    pub key_files: Vec<String>,
}

/// The language of a project.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProjectType {
    /// Python.
    Python,
    /// JavaScript or TypeScript on Node.js.
    Nodejs,
    /// Go.
    Go,
    /// Rust.
    Rust,
    /// Java or another language of its machine.
    Java,
    /// None of these.
    #[default]
    Unknown,
}

impl ProjectType {
    /// All that adaptors can be written for.
    pub const ALL: [Self; 5] = [Self::Python, Self::Nodejs, Self::Go, Self::Rust, Self::Java];

    /// The name, which is also that of an adaptor.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Nodejs => "nodejs",
            Self::Go => "go",
            Self::Rust => "rust",
            Self::Java => "java",
            Self::Unknown => "unknown",
        }
    }
}

impl Project {
    /// For people: `Python (Fastapi)`.
    pub fn display_label(&self) -> String {
        if self.project_type == ProjectType::Unknown {
            return "unknown".to_owned();
        }
        let name = capitalised(self.project_type.as_str());
        if self.framework.is_empty() { name } else { format!("{name} ({})", capitalised(&self.framework)) }
    }

    fn lint(&mut self, tool: &str) {
        if !self.lint_tools.iter().any(|known| known == tool) {
            self.lint_tools.push(tool.to_owned());
        }
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Manifests in the order they are asked; the first that is there decides.
const MANIFESTS: [(&str, ProjectType); 9] = [
    ("pyproject.toml", ProjectType::Python),
    ("setup.py", ProjectType::Python),
    ("requirements.txt", ProjectType::Python),
    ("package.json", ProjectType::Nodejs),
    ("go.mod", ProjectType::Go),
    ("Cargo.toml", ProjectType::Rust),
    ("pom.xml", ProjectType::Java),
    ("build.gradle", ProjectType::Java),
    ("build.gradle.kts", ProjectType::Java),
];

/// Settings of tools, with the tool when the file alone tells of it.
const TOOL_FILES: [(&str, &str); 14] = [
    (".editorconfig", ""),
    (".eslintrc", "eslint"),
    (".eslintrc.js", "eslint"),
    (".eslintrc.json", "eslint"),
    ("eslint.config.js", "eslint"),
    ("eslint.config.mjs", "eslint"),
    (".prettierrc", "prettier"),
    ("biome.json", "biome"),
    (".golangci.yml", "golangci-lint"),
    (".golangci.yaml", "golangci-lint"),
    ("rustfmt.toml", "rustfmt"),
    (".rustfmt.toml", "rustfmt"),
    ("clippy.toml", "clippy"),
    (".clippy.toml", "clippy"),
];

/// Every file that has a say, so that a change of one is noticed.
pub(super) const SIGNS: &[&str] = &[
    "pyproject.toml",
    "setup.py",
    "requirements.txt",
    "uv.lock",
    "poetry.lock",
    "Pipfile.lock",
    "package.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "bun.lockb",
    "go.mod",
    "Cargo.toml",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    ".editorconfig",
    ".eslintrc",
    ".eslintrc.js",
    ".eslintrc.json",
    "eslint.config.js",
    "eslint.config.mjs",
    ".prettierrc",
    "biome.json",
    ".golangci.yml",
    ".golangci.yaml",
    "rustfmt.toml",
    ".rustfmt.toml",
    "clippy.toml",
    ".clippy.toml",
];

/// Looks at the project in `root`. Nothing that cannot be read is in the way.
pub fn detect(root: &Path) -> Project {
    detect_in(&Files::new(root))
}

pub(super) fn detect_in(files: &Files) -> Project {
    let here = |name: &str| files.root().join(name).is_file();
    let mut project = Project::default();
    if let Some((manifest, kind)) = MANIFESTS.into_iter().find(|(name, _)| here(name)) {
        project.project_type = kind;
        project.key_files.push(manifest.to_owned());
        let text = files.peek(manifest).unwrap_or_default();
        match manifest {
            "pyproject.toml" => manifests::pyproject(&text, &mut project),
            "requirements.txt" => manifests::requirements(&text, &mut project),
            "setup.py" => manifests::python(&[], &mut project),
            "package.json" => manifests::package_json(&text, &mut project),
            "go.mod" => manifests::go_mod(&text, &mut project),
            "Cargo.toml" => manifests::cargo_toml(&text, &mut project),
            "pom.xml" => "maven".clone_into(&mut project.package_manager),
            _ => "gradle".clone_into(&mut project.package_manager),
        }
        let locked: &[(&str, &str)] = match kind {
            ProjectType::Python => {
                &[("uv.lock", "uv"), ("poetry.lock", "poetry"), ("Pipfile.lock", "pipenv")]
            }
            ProjectType::Nodejs => &[
                ("pnpm-lock.yaml", "pnpm"),
                ("yarn.lock", "yarn"),
                ("bun.lock", "bun"),
                ("bun.lockb", "bun"),
            ],
            _ => &[],
        };
        if let Some((_, manager)) = locked.iter().find(|(name, _)| here(name)) {
            (*manager).clone_into(&mut project.package_manager);
        }
    }
    for (name, tool) in TOOL_FILES {
        if here(name) {
            project.key_files.push(name.to_owned());
            if !tool.is_empty() {
                project.lint(tool);
            }
        }
    }
    project
}
