//! Reads all definitions of a project.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use indexmap::IndexMap;

use super::{
    check, codes,
    employees::{self, Cache},
    files::Files,
    places, project,
    snapshot::{Finding, PipelineEntry, Snapshot},
    triggers::Triggers,
};
use crate::defs::{self, Budget, Diagnostic, Pipeline, PipelineMarks, Severity, Source};

/// A pipeline with what is needed to talk about its file.
pub(super) struct Draft {
    pub(super) entry: PipelineEntry,
    pub(super) marks: PipelineMarks,
    pub(super) source: Source,
}

/// One of the single files as it was read.
pub(super) enum Read<T> {
    Absent,
    /// It has errors, which have been noted.
    Unusable,
    Good(T, Source),
}

/// Reads everything below `root` and the employees in `user`, taking from `before` what has not changed. Whatever is
/// wrong with one file leaves the others as they are; what is wrong with one of the single files leaves what it said as it
/// was in `last`.
pub(super) fn load(
    root: &Path,
    user: Option<&PathBuf>,
    before: &Cache,
    last: Option<&Snapshot>,
) -> (Snapshot, Cache) {
    let employees::Read { employees, mut conflicts, findings, cache } =
        employees::read(root, &places::all(user), before);
    let mut files = Files::new(root);
    files.findings = findings;
    let aliases = check::aliases(&employees, &mut files.findings, &mut conflicts);
    let mut loader = Loader { files };
    let drafts = loader.pipelines();
    let triggers = Triggers::read(&mut loader, last);
    // The settings themselves are read at the start of a command; here it is told what is wrong with them.
    let said = last.is_some_and(|last| !last.destinations.is_empty() || last.budget != Budget::default());
    // A typing mistake must neither lift what the project may spend nor lose a result on its way.
    let (budget, destinations) = match loader.standing(".crew/config.yaml", defs::parse_config, said) {
        Read::Good(config, _) => (config.budget, Arc::new(config.destinations)),
        Read::Absent => Default::default(),
        Read::Unusable => last.map(|last| (last.budget, Arc::clone(&last.destinations))).unwrap_or_default(),
    };
    let said = last.is_some_and(|last| !last.mcp_servers.servers.is_empty());
    let servers = loader.standing(".crew/mcp_servers.yaml", defs::parse_mcp_servers, said);
    let mcp_servers = match servers {
        Read::Good(servers, _) => Arc::new(servers),
        Read::Absent => Arc::default(),
        Read::Unusable => last.map(|last| Arc::clone(&last.mcp_servers)).unwrap_or_default(),
    };
    let discussions = loader.discussions();
    let organization = loader.organization();
    let skills = loader.skills();
    let project = project::detect_in(&loader.files);
    let mut snapshot = Snapshot {
        employees: employees.into_iter().map(|(name, candidate)| (name, candidate.entry)).collect(),
        project,
        conflicts,
        aliases,
        findings: loader.files.findings,
        budget,
        destinations,
        mcp_servers,
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
    for draft in skills {
        draft.settle(&mut snapshot);
    }
    triggers.settle(&mut snapshot, last);
    sort(&mut snapshot.findings);
    (snapshot, cache)
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
}

impl Loader {
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
        match self.standing(path, parse, false) {
            Read::Good(config, source) => Some((config, source)),
            Read::Absent | Read::Unusable => None,
        }
    }

    /// The same, told apart. One that `said` something and is empty now cannot be used: that is how a file looks which is
    /// being written, or for which there was no room.
    pub(super) fn standing<T>(
        &mut self,
        path: &str,
        parse: fn(&Source) -> (Option<T>, Vec<Diagnostic>),
        said: bool,
    ) -> Read<T> {
        let told = self.files.findings.len();
        let Some(source) = self.files.read(path) else {
            // Without a word of complaint it is not there.
            return if self.files.findings.len() == told { Read::Absent } else { Read::Unusable };
        };
        if said && source.text.trim().is_empty() {
            let message = "it is empty now; what it said before holds until it says something, or is removed";
            let found = Diagnostic::new(codes::EMPTIED_FILE, Severity::Error, &source, None, message);
            note(&mut self.files.findings, vec![found], &source);
            return Read::Unusable;
        }
        let (config, diagnostics) = parse(&source);
        note(&mut self.files.findings, diagnostics, &source);
        config.map_or(Read::Unusable, |config| Read::Good(config, source))
    }
}
