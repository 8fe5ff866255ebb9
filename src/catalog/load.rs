//! Reads all definitions of a project.

use std::{path::Path, sync::Arc};

use indexmap::{IndexMap, map};

use super::{
    check, codes,
    files::{self, Files},
    project,
    snapshot::{Conflict, ConflictKind, Entry, Finding, Layer, PipelineEntry, Snapshot},
};
use crate::defs::{
    self, Diagnostic, Employee, EmployeeFiles, EmployeeMarks, Pipeline, PipelineMarks, Severity, Source,
};

/// An employee with what is needed to talk about its file.
pub(super) struct Candidate {
    pub(super) entry: Entry,
    pub(super) marks: EmployeeMarks,
    /// Holds the name and the triggers.
    pub(super) source: Source,
}

/// A pipeline with what is needed to talk about its file.
pub(super) struct Draft {
    pub(super) entry: PipelineEntry,
    pub(super) marks: PipelineMarks,
    pub(super) source: Source,
}

/// Reads everything below `root`. Whatever is wrong with one file leaves the others as they are.
pub(super) fn load(root: &Path) -> Snapshot {
    let mut loader = Loader { files: Files::new(root), conflicts: Vec::new() };
    let mut employees: IndexMap<String, Candidate> = IndexMap::new();
    for layer in Layer::ALL {
        loader.layer(layer, &mut employees);
    }
    let aliases = check::aliases(&employees, &mut loader.files.findings, &mut loader.conflicts);
    let drafts = loader.pipelines();
    let webhook = loader.config(".crew/webhook.yaml", defs::parse_webhook);
    let cron = loader.config(".crew/cron.yaml", defs::parse_cron);
    let discussions = loader.discussions();
    let organization = loader.organization();
    let project = project::detect_in(&loader.files);
    let mut snapshot = Snapshot {
        employees: employees.into_iter().map(|(name, candidate)| (name, candidate.entry)).collect(),
        project,
        conflicts: loader.conflicts,
        aliases,
        findings: loader.files.findings,
        ..Snapshot::default()
    };
    for (name, draft) in drafts {
        let found = check::pipeline(&draft, &snapshot);
        let usable = found.iter().all(|diagnostic| diagnostic.severity != Severity::Error);
        note(&mut snapshot.findings, found, &draft.source);
        if usable {
            snapshot.pipelines.insert(name, draft.entry);
        }
    }
    for (name, draft) in discussions {
        draft.settle(name, &mut snapshot);
    }
    if let Some((organization, source)) = organization {
        let found = check::organization(&organization, &source, &snapshot);
        note(&mut snapshot.findings, found, &source);
        snapshot.organization = Arc::new(organization);
    }
    if let Some((config, source)) = webhook {
        let found = check::targets(config.routes.iter().map(|route| &route.target), &source, &snapshot);
        note(&mut snapshot.findings, found, &source);
        snapshot.webhook = Some(Arc::new(config));
    }
    if let Some((config, source)) = cron {
        let targets = config.schedules.iter().map(|schedule| &schedule.target);
        let found = check::targets(targets, &source, &snapshot);
        note(&mut snapshot.findings, found, &source);
        snapshot.cron = Some(Arc::new(config));
    }
    sort(&mut snapshot.findings);
    snapshot
}

pub(super) fn note(findings: &mut Vec<Finding>, found: Vec<Diagnostic>, source: &Source) {
    findings.extend(found.into_iter().map(|diagnostic| Finding { diagnostic, source: source.clone() }));
}

/// By file, and in a file by place.
fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let place = |finding: &Finding| finding.diagnostic.place().map(|label| label.span.start);
        a.source.name.cmp(&b.source.name).then_with(|| place(a).cmp(&place(b)))
    });
}

pub(super) struct Loader {
    pub(super) files: Files,
    conflicts: Vec<Conflict>,
}

impl Loader {
    /// Reads one layer of employees over those of the lower ones.
    fn layer(&mut self, layer: Layer, employees: &mut IndexMap<String, Candidate>) {
        let Some(folder) = self.files.folder(layer.folder()) else { return };
        let entries = self.files.entries(&folder);
        // Folders first: one goes before a file of the same name.
        let (folders, files): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.is_folder);
        for entry in folders.iter().chain(&files) {
            let candidate = if entry.is_folder {
                self.employee_folder(&entry.path, folder.path(), layer)
            } else if entry.is_file(&["md"]) && !entry.name.starts_with('_') && entry.name != "README.md" {
                self.employee_file(&entry.path, folder.path(), layer)
            } else {
                None
            };
            if let Some(candidate) = candidate {
                self.add(candidate, employees);
            }
        }
    }

    fn add(&mut self, candidate: Candidate, employees: &mut IndexMap<String, Candidate>) {
        let name = candidate.entry.employee.name.clone();
        let mut slot = match employees.entry(name) {
            map::Entry::Vacant(slot) => {
                slot.insert(candidate);
                return;
            }
            map::Entry::Occupied(slot) => slot,
        };
        let name = slot.key().clone();
        let same_layer = slot.get().entry.layer == candidate.entry.layer;
        // In one layer the first stays; a higher layer goes before a lower one.
        let loser = if same_layer { candidate } else { slot.insert(candidate) };
        let winner = &slot.get().entry;
        self.conflicts.push(Conflict {
            kind: ConflictKind::Name,
            name: name.clone(),
            winner: winner.origin(),
            loser: loser.entry.origin(),
        });
        let (code, severity, message) = if same_layer {
            let message = format!("`{name}` is already the employee in `{}`", winner.path);
            (codes::DUPLICATE_EMPLOYEE, Severity::Error, message)
        } else {
            let message = format!("`{name}` is hidden by the employee in `{}`", winner.path);
            (codes::SHADOWED_EMPLOYEE, Severity::Warning, message)
        };
        let found = Diagnostic::new(code, severity, &loser.source, Some(loser.marks.name), message);
        note(&mut self.files.findings, vec![found], &loser.source);
    }

    fn employee_file(&mut self, path: &Path, within: &Path, layer: Layer) -> Option<Candidate> {
        let source = self.files.read_in(path, within)?;
        let (found, diagnostics) = defs::parse_employee_marked(&source);
        note(&mut self.files.findings, diagnostics, &source);
        Some(self.candidate(found?, path, layer, source))
    }

    fn employee_folder(&mut self, path: &Path, within: &Path, layer: Layer) -> Option<Candidate> {
        let within = self.files.folder_in(path, within)?;
        let yaml = self.files.read_in(&path.join("employee.yaml"), within.path())?;
        let files = EmployeeFiles {
            prompt: self.files.read_in(&path.join("prompt.md"), within.path()),
            soul: self.files.read_in(&path.join("soul.md"), within.path()),
            workflows: self.markdown(path, "workflows", &within).into_iter().map(|(_, text)| text).collect(),
            adaptors: self.markdown(path, "adaptors", &within),
            yaml,
        };
        let (found, diagnostics) = defs::parse_employee_dir_marked(&files);
        let sources: IndexMap<Arc<str>, Source> = std::iter::once(&files.yaml)
            .chain(&files.prompt)
            .chain(&files.soul)
            .chain(&files.workflows)
            .chain(files.adaptors.iter().map(|(_, source)| source))
            .map(|source| (Arc::clone(&source.name), source.clone()))
            .collect();
        for diagnostic in diagnostics {
            let source = sources.get(&diagnostic.source).unwrap_or(&files.yaml).clone();
            self.files.findings.push(Finding { diagnostic, source });
        }
        Some(self.candidate(found?, path, layer, files.yaml))
    }

    /// The Markdown files in a folder of an employee, with their stems.
    fn markdown(&mut self, path: &Path, name: &str, within: &files::Folder) -> Vec<(String, Source)> {
        let Some(folder) = self.files.folder_in(&path.join(name), within.path()) else { return Vec::new() };
        let entries = self.files.entries(&folder);
        let files = entries.iter().filter(|entry| entry.is_file(&["md"]));
        files
            .filter_map(|entry| {
                Some((entry.stem().to_owned(), self.files.read_in(&entry.path, folder.path())?))
            })
            .collect()
    }

    fn candidate(
        &self,
        (employee, marks): (Employee, EmployeeMarks),
        path: &Path,
        layer: Layer,
        source: Source,
    ) -> Candidate {
        let entry = Entry { employee: Arc::new(employee), layer, path: self.files.name(path) };
        Candidate { entry, marks, source }
    }

    /// Pipelines by the stem of their file.
    fn pipelines(&mut self) -> IndexMap<String, Draft> {
        let mut drafts: IndexMap<String, Draft> = IndexMap::new();
        let Some(folder) = self.files.folder(".crew/pipelines") else { return drafts };
        for entry in self.files.entries(&folder) {
            if !entry.is_file(&["yaml", "yml"]) || entry.name.starts_with('_') {
                continue;
            }
            let Some(source) = self.files.read_in(&entry.path, folder.path()) else { continue };
            let (found, diagnostics) = defs::parse_pipeline_marked(&source, entry.stem());
            note(&mut self.files.findings, diagnostics, &source);
            let Some((pipeline, marks)) = found else { continue };
            self.pipeline(entry.stem(), pipeline, marks, source, &mut drafts);
        }
        drafts
    }

    fn pipeline(
        &mut self,
        stem: &str,
        pipeline: Pipeline,
        marks: PipelineMarks,
        source: Source,
        drafts: &mut IndexMap<String, Draft>,
    ) {
        let same_stem = drafts.get(stem);
        let same_name = || drafts.values().find(|draft| draft.entry.pipeline.name == pipeline.name);
        if let Some(first) = same_stem.or_else(same_name) {
            let (severity, message) = if same_stem.is_some() {
                (Severity::Error, format!("`{}` is already the pipeline `{stem}`", first.entry.path))
            } else {
                let message = format!("`{}` has the same name, and is the one found by it", first.entry.path);
                (Severity::Warning, message)
            };
            let found = Diagnostic::new(codes::DUPLICATE_PIPELINE, severity, &source, None, message);
            note(&mut self.files.findings, vec![found], &source);
            if severity == Severity::Error {
                return;
            }
        }
        let entry = PipelineEntry { pipeline: Arc::new(pipeline), path: source.name.to_string() };
        drafts.insert(stem.to_owned(), Draft { entry, marks, source });
    }

    /// One of the single files, `None` when it is not there or cannot be used.
    pub(super) fn config<T>(
        &mut self,
        path: &str,
        parse: fn(&Source) -> (Option<T>, Vec<Diagnostic>),
    ) -> Option<(T, Source)> {
        let source = self.files.read(path)?;
        let (config, diagnostics) = parse(&source);
        note(&mut self.files.findings, diagnostics, &source);
        Some((config?, source))
    }
}
