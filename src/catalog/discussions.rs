//! Finds discussions and the organization.

use std::{collections::HashMap, sync::Arc};

use indexmap::IndexMap;

use super::{
    check, codes,
    load::{Loader, note},
    snapshot::{DiscussionEntry, Snapshot},
};
use crate::defs::{self, Diagnostic, DiscussionMarks, Organization, Severity, Source};

/// A discussion with what is needed to talk about its file.
pub(super) struct DiscussionDraft {
    pub(super) entry: DiscussionEntry,
    pub(super) marks: DiscussionMarks,
    pub(super) source: Source,
}

impl DiscussionDraft {
    /// Checks it against the rest of the definitions, and adds it to them when it can be held.
    pub(super) fn settle(self, stem: String, snapshot: &mut Snapshot) {
        let found = check::discussion(&self, snapshot);
        let usable = found.iter().all(|diagnostic| diagnostic.severity != Severity::Error);
        note(&mut snapshot.findings, found, &self.source);
        if usable {
            snapshot.discussions.insert(stem, self.entry);
        }
    }
}

impl Loader {
    /// Discussions by the stem of their file.
    pub(super) fn discussions(&mut self) -> IndexMap<String, DiscussionDraft> {
        let mut drafts: IndexMap<String, DiscussionDraft> = IndexMap::new();
        let mut names: HashMap<String, String> = HashMap::new();
        let Some(folder) = self.files.folder(".crew/discussions") else { return drafts };
        for entry in self.files.entries(&folder) {
            if !entry.is_file(&["yaml", "yml"]) || entry.name.starts_with('_') {
                continue;
            }
            let Some(source) = self.files.read_in(&entry.path, folder.path()) else { continue };
            let (found, diagnostics) = defs::parse_discussion_marked(&source, entry.stem());
            note(&mut self.files.findings, diagnostics, &source);
            let Some((discussion, marks)) = found else { continue };
            let stem = entry.stem().to_owned();
            let same_stem = drafts.get(&stem).map(|first| first.entry.path.clone());
            let same_name = names.get(&discussion.name).cloned();
            if let Some(first) = same_stem.clone().or(same_name) {
                let (severity, message) = if same_stem.is_some() {
                    (Severity::Error, format!("`{first}` is already the discussion `{stem}`"))
                } else {
                    (Severity::Warning, format!("`{first}` has the same name, and is the one found by it"))
                };
                let found = Diagnostic::new(codes::DUPLICATE_DISCUSSION, severity, &source, None, message);
                note(&mut self.files.findings, vec![found], &source);
                if same_stem.is_some() {
                    continue;
                }
            }
            names.entry(discussion.name.clone()).or_insert_with(|| source.name.to_string());
            let entry = DiscussionEntry { discussion: Arc::new(discussion), path: source.name.to_string() };
            drafts.insert(stem, DiscussionDraft { entry, marks, source });
        }
        drafts
    }

    /// `organization.yaml`, that in `private` before that in `.crew`; a broken one leaves the place to the next.
    pub(super) fn organization(&mut self) -> Option<(Organization, Source)> {
        ["private/organization.yaml", ".crew/organization.yaml"]
            .into_iter()
            .find_map(|path| self.config(path, defs::parse_organization))
    }
}
