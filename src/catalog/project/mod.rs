//! Finds out what kind of project the crew works on, from its manifests.

mod manifests;
mod others;
mod parts;
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
    /// Every project found here, at the root and in the members of a workspace; the first is the one described above.
    pub projects: Vec<Part>,
}

/// One of the projects of a repository that holds several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Part {
    /// Its folder, from the root; `.` is the root.
    pub path: String,
    /// The language.
    pub project_type: ProjectType,
    /// The most telling library.
    pub framework: String,
    /// What installs libraries.
    pub package_manager: String,
    /// What runs tests.
    pub test_framework: String,
    /// What checks code.
    pub lint_tools: Vec<String>,
    /// The manifest that tells of it.
    pub manifest: String,
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
    /// Java.
    Java,
    /// Kotlin.
    Kotlin,
    /// C# or another language of .NET.
    Dotnet,
    /// PHP.
    Php,
    /// Ruby.
    Ruby,
    /// None of these.
    #[default]
    Unknown,
}

impl ProjectType {
    /// All that adaptors can be written for.
    pub const ALL: [Self; 9] = [
        Self::Python,
        Self::Nodejs,
        Self::Go,
        Self::Rust,
        Self::Java,
        Self::Kotlin,
        Self::Dotnet,
        Self::Php,
        Self::Ruby,
    ];

    /// The name, which is also that of an adaptor.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Nodejs => "nodejs",
            Self::Go => "go",
            Self::Rust => "rust",
            Self::Java => "java",
            Self::Kotlin => "kotlin",
            Self::Dotnet => "dotnet",
            Self::Php => "php",
            Self::Ruby => "ruby",
            Self::Unknown => "unknown",
        }
    }
}

impl Part {
    fn lint(&mut self, tool: &str) {
        if !self.lint_tools.iter().any(|known| known == tool) {
            self.lint_tools.push(tool.to_owned());
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
const MANIFESTS: [(&str, ProjectType); 14] = [
    ("pyproject.toml", ProjectType::Python),
    ("setup.py", ProjectType::Python),
    ("setup.cfg", ProjectType::Python),
    ("requirements.txt", ProjectType::Python),
    ("Pipfile", ProjectType::Python),
    ("package.json", ProjectType::Nodejs),
    ("go.mod", ProjectType::Go),
    ("Cargo.toml", ProjectType::Rust),
    ("pom.xml", ProjectType::Java),
    ("build.gradle", ProjectType::Java),
    ("build.gradle.kts", ProjectType::Kotlin),
    ("composer.json", ProjectType::Php),
    ("Gemfile", ProjectType::Ruby),
    // A project of .NET is called after what it makes: `*.sln`, `*.csproj`.
    ("global.json", ProjectType::Dotnet),
];

/// Endings of manifests of .NET, the most telling first.
const DOTNET: [&str; 4] = [".csproj", ".fsproj", ".sln", ".slnx"];

/// What a lock file tells of who installs libraries.
const LOCKS: [(ProjectType, &str, &str); 9] = [
    (ProjectType::Python, "uv.lock", "uv"),
    (ProjectType::Python, "poetry.lock", "poetry"),
    (ProjectType::Python, "pdm.lock", "pdm"),
    (ProjectType::Python, "Pipfile.lock", "pipenv"),
    (ProjectType::Nodejs, "pnpm-lock.yaml", "pnpm"),
    (ProjectType::Nodejs, "yarn.lock", "yarn"),
    (ProjectType::Nodejs, "bun.lock", "bun"),
    (ProjectType::Nodejs, "bun.lockb", "bun"),
    (ProjectType::Nodejs, "package-lock.json", "npm"),
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
    "setup.cfg",
    "requirements.txt",
    "Pipfile",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
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
    "composer.json",
    "Gemfile",
    "global.json",
    "package-lock.json",
    "pnpm-workspace.yaml",
    "go.work",
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
    let mut project = Project::default();
    let mut found = parts::all(files);
    for (name, tool) in TOOL_FILES {
        if files.root().join(name).is_file() {
            project.key_files.push(name.to_owned());
            if !tool.is_empty() {
                project.lint(tool);
            }
        }
    }
    // The root is what people mean; only a root without a manifest is described by its first member.
    let Some(main) = found.first_mut() else { return project };
    let of_files = std::mem::take(&mut project.lint_tools);
    project.lint_tools.clone_from(&main.lint_tools);
    for tool in &of_files {
        project.lint(tool);
    }
    main.lint_tools.clone_from(&project.lint_tools);
    project.project_type = main.project_type;
    project.framework.clone_from(&main.framework);
    project.package_manager.clone_from(&main.package_manager);
    project.test_framework.clone_from(&main.test_framework);
    let manifest =
        if main.path == "." { main.manifest.clone() } else { format!("{}/{}", main.path, main.manifest) };
    project.key_files.insert(0, manifest);
    project.projects = found;
    project
}
