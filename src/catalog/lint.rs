//! Looks at definitions wherever they lie, as if they were in their place.

use std::{io, path::Path, sync::Arc};

use super::{
    check, codes,
    discussions::DiscussionDraft,
    files::{Files, Folder},
    load::{Draft, note},
    snapshot::{DiscussionEntry, Finding, PipelineEntry, Snapshot},
};
use crate::defs::{self, Diagnostic, FileKind, Route, Schedule, Severity, Source};

/// How deep a folder is searched.
const DEEPEST: u32 = 8;

/// What was found in some files.
#[derive(Debug, Default)]
pub struct Linted {
    /// How many files were looked at.
    pub files: usize,
    /// What is to be said about them.
    pub findings: Vec<Finding>,
}

/// Looks at the file `path`, or at all definitions in the folder `path`, beside the definitions of a project.
///
/// # Errors
/// When there is nothing at `path`.
pub fn lint(root: &Path, definitions: &Snapshot, path: &Path) -> io::Result<Linted> {
    let real = path.canonicalize()?;
    let root = root.canonicalize()?;
    // Files are named from the project if they lie in it, else from where they lie.
    let parent = real.parent().unwrap_or(&real);
    let base = if real.starts_with(&root) {
        root.as_path()
    } else if real.is_dir() {
        &real
    } else {
        parent
    };
    let mut search = Search { files: Files::new(base), definitions, linted: Linted::default() };
    if real.is_dir() {
        if let Some(folder) = search.files.folder_in(&real, base) {
            search.folder(&folder, DEEPEST);
        }
    } else {
        search.file(&real, parent);
    }
    let Search { files, mut linted, .. } = search;
    linted.findings.extend(files.findings);
    Ok(linted)
}

struct Search<'d> {
    files: Files,
    definitions: &'d Snapshot,
    linted: Linted,
}

impl Search<'_> {
    fn folder(&mut self, folder: &Folder, depth: u32) {
        for entry in self.files.entries(folder) {
            if entry.is_folder {
                if depth > 0
                    && let Some(inner) = self.files.folder_in(&entry.path, folder.path())
                {
                    self.folder(&inner, depth - 1);
                }
            } else if entry.is_file(&["yaml", "yml"]) && !entry.path.ends_with("employee.yaml") {
                self.file(&entry.path, folder.path());
            }
        }
    }

    fn file(&mut self, path: &Path, within: &Path) {
        self.linted.files += 1;
        let Some(source) = self.files.read_in(path, within) else { return };
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let found = if path.extension().is_some_and(|extension| extension == "md") {
            defs::parse_employee(&source).1
        } else {
            self.definition(&source, &stem)
        };
        note(&mut self.linted.findings, found, &source);
    }

    fn definition(&self, source: &Source, stem: &str) -> Vec<Diagnostic> {
        let path = source.name.to_string();
        match FileKind::of(source) {
            Some(FileKind::Pipeline) => {
                let (found, mut told) = defs::parse_pipeline_marked(source, stem);
                if let Some((pipeline, marks)) = found {
                    let entry = PipelineEntry { pipeline: Arc::new(pipeline), path };
                    told.extend(check::pipeline(
                        &Draft { entry, marks, source: source.clone() },
                        self.definitions,
                    ));
                }
                told
            }
            Some(FileKind::Discussion) => {
                let (found, mut told) = defs::parse_discussion_marked(source, stem);
                if let Some((discussion, marks)) = found {
                    let entry = DiscussionEntry { discussion: Arc::new(discussion), path };
                    let draft = DiscussionDraft { entry, marks, source: source.clone() };
                    told.extend(check::discussion(&draft, self.definitions));
                }
                told
            }
            Some(FileKind::Webhook) => {
                let (found, mut told) = defs::parse_webhook(source);
                let targets = found.iter().flat_map(|config| &config.routes).map(Route::starts);
                told.extend(check::targets(targets, source, self.definitions));
                told
            }
            Some(FileKind::Cron) => {
                let (found, mut told) = defs::parse_cron(source);
                let targets = found.iter().flat_map(|config| &config.schedules).map(Schedule::starts);
                told.extend(check::targets(targets, source, self.definitions));
                told
            }
            Some(FileKind::Organization) => {
                let (found, mut told) = defs::parse_organization(source);
                told.extend(
                    found.iter().flat_map(|found| check::organization(found, source, self.definitions)),
                );
                told
            }
            Some(FileKind::Config) => defs::parse_config(source).1,
            Some(FileKind::Tokens) => defs::parse_tokens(source).1,
            Some(FileKind::McpServers) => defs::parse_mcp_servers(source).1,
            Some(FileKind::EmployeeSkill) => defs::parse_employee_skill(source, stem).1,
            None => unrecognised(source, stem),
        }
    }
}

/// What cannot be told apart may still be no YAML at all, which says more.
fn unrecognised(source: &Source, stem: &str) -> Vec<Diagnostic> {
    let told = defs::parse_pipeline(source, stem).1;
    if told.iter().any(|diagnostic| diagnostic.code == defs::codes::YAML_SYNTAX) {
        return told;
    }
    let message = "it cannot be told what this defines";
    let help = "a pipeline has `steps`, a discussion `participants`, a webhook file `routes`, a cron file `schedules`";
    vec![Diagnostic::new(codes::UNRECOGNISED_FILE, Severity::Error, source, None, message).with_help(help)]
}
