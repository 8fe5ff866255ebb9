//! Finds the skills of employees: `.crew/skills/<employee>/*.yaml` and `*.json`.

use super::{
    codes,
    load::{Loader, note},
    snapshot::{SkillEntry, Snapshot},
};
use crate::defs::{self, Diagnostic, Severity, SkillMarks, Source};

/// Where skills are, relative to the root of a project: a folder for each employee, by any of its names.
pub const FOLDER: &str = ".crew/skills";
/// A folder among them in which earlier versions kept when skills were used.
const HISTORY: &str = "triggers";

/// A skill with what is needed to talk about its file.
pub(super) struct SkillDraft {
    entry: SkillEntry,
    marks: SkillMarks,
    source: Source,
    /// The name of its folder.
    folder: String,
}

impl Loader {
    /// All skills, by their folders and files.
    pub(super) fn skills(&mut self) -> Vec<SkillDraft> {
        let mut drafts = Vec::new();
        let Some(all) = self.files.folder(FOLDER) else { return drafts };
        for folder in self.files.entries(&all) {
            if !folder.is_folder || folder.name == HISTORY {
                continue;
            }
            let Some(inner) = self.files.folder_in(&folder.path, all.path()) else { continue };
            for entry in self.files.entries(&inner) {
                if !entry.is_file(&["yaml", "yml", "json"]) || entry.name.starts_with('_') {
                    continue;
                }
                let Some(source) = self.files.read_in(&entry.path, inner.path()) else { continue };
                let (found, diagnostics) = defs::parse_employee_skill_marked(&source, entry.stem());
                note(&mut self.files.findings, diagnostics, &source);
                let Some((skill, marks)) = found else { continue };
                let entry = SkillEntry { skill: skill.into(), path: source.name.to_string() };
                drafts.push(SkillDraft { entry, marks, source, folder: folder.name.clone() });
            }
        }
        drafts
    }
}

impl SkillDraft {
    /// Gives the skill to its employee, if there is one and it has no other of this name.
    pub(super) fn settle(self, snapshot: &mut Snapshot) {
        let Some(owner) = snapshot.employee(&self.folder).map(|entry| entry.employee.name.clone()) else {
            let message = format!("there is no employee `{}`, whose skill this would be", self.folder);
            let mut found = self.said(codes::UNKNOWN_EMPLOYEE, Severity::Warning, message);
            if let Some(near) = snapshot.closest_employee(&self.folder) {
                found = found.with_help(format!("did you mean the folder `{near}`?"));
            }
            note(&mut snapshot.findings, vec![found], &self.source);
            return;
        };
        if let Some((name, span)) = &self.marks.employee
            && snapshot.employee(name).is_none_or(|entry| entry.employee.name != owner)
        {
            let message = format!("this lies in the folder of `{owner}`, whose skill it is");
            let place = Some(*span);
            let found = Diagnostic::new(codes::ODD_OWNER, Severity::Warning, &self.source, place, message);
            note(&mut snapshot.findings, vec![found], &self.source);
        }
        let theirs = snapshot.skills.entry(owner.clone()).or_default();
        if let Some(first) = theirs.iter().find(|other| other.skill.name == self.entry.skill.name) {
            let message =
                format!("`{}` is already the skill `{}` of `{owner}`", first.path, first.skill.name);
            let found = self.said(codes::DUPLICATE_SKILL, Severity::Error, message);
            note(&mut snapshot.findings, vec![found], &self.source);
            return;
        }
        theirs.push(self.entry);
    }

    /// Something about the skill as a whole, at its name if it gives one.
    fn said(&self, code: &'static str, severity: Severity, message: String) -> Diagnostic {
        Diagnostic::new(code, severity, &self.source, self.marks.name, message)
    }
}
