//! Does what the actions of a skill say.

use super::{Order, checklist};
use crate::{
    base::text::visible,
    defs::{ChecklistSource, EmployeeSkill, MemoryLookup, SkillAction},
    engine::{
        files, ground,
        memory::{Category, Query},
    },
};

/// Where documents are, relative to the root of a project.
const WIKI: &str = ".crew/wiki";
/// Most bytes that one action brings.
pub(super) const ACTION_BYTES: usize = 8 * 1024;

/// What one action brings.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    /// What it is.
    pub(super) label: String,
    /// What it says, none of it longer than [`ACTION_BYTES`] in all.
    pub(super) lines: Vec<String>,
}

/// Whoever does what a skill says.
pub(super) struct Reader<'o> {
    pub(super) order: &'o Order,
    /// The folder of the skill, from the root of the project.
    pub(super) folder: &'o str,
}

/// What a look into memories is about.
pub(super) fn about(lookup: &MemoryLookup, task: &str) -> String {
    match &lookup.query {
        // What is filled in is not looked at again.
        Some(query) => query.split("{task}").collect::<Vec<_>>().join(task),
        None => task.to_owned(),
    }
}

impl Reader<'_> {
    /// What each action of `skill` brings, or why it cannot; nothing for one that has nothing to tell.
    pub(super) fn bring(&self, skill: &EmployeeSkill) -> Vec<Result<Piece, String>> {
        let brought = skill.actions.iter().map(|action| match action {
            SkillAction::QueryMemory(lookup) => self.memory(lookup),
            SkillAction::LoadChecklist(list) => self.checklist(list),
            SkillAction::ReadFile { path } => {
                let text = files::inside(&self.order.root, path).and_then(|place| files::read(&place, path));
                text.map(|text| document(format!("file {}", visible(path)), &text))
                    .map_err(|told| told.to_string())
            }
            SkillAction::ReadWiki { doc } => {
                let text = self.text(WIKI, &format!("{doc}.md"));
                text.map(|text| document(format!("document {}", visible(doc)), &text))
            }
        });
        brought.filter(|piece| piece.as_ref().map_or(true, |piece| !piece.lines.is_empty())).collect()
    }

    fn memory(&self, lookup: &MemoryLookup) -> Result<Piece, String> {
        let order = self.order;
        let label = "memory".to_owned();
        let Some(memory) = &order.memory else { return Ok(Piece { label, lines: Vec::new() }) };
        let about = about(lookup, &order.task);
        let category = lookup.category.as_deref();
        let category = category.and_then(|word| Category::ALL.into_iter().find(|kind| kind.as_str() == word));
        let limit = usize::try_from(lookup.limit).unwrap_or(usize::MAX);
        let query = Query { category, tags: lookup.tags.clone(), limit, ..Query::default() };
        let lines = memory.lines_about(
            &order.holder,
            order.asked.question(&about),
            &query,
            &order.clearance,
            order.language,
        );
        let mut lines = lines.map_err(|error| error.to_string())?;
        lines.retain(|line| !order.remembered.contains(line.as_str()));
        Ok(Piece { label, lines: cut(lines) })
    }

    fn checklist(&self, list: &ChecklistSource) -> Result<Piece, String> {
        let missing = |section: &str, place: &str| format!("there is no section `{section}` in {place}");
        let points = match list {
            ChecklistSource::Items(items) => items.clone(),
            ChecklistSource::Section(section) => {
                let found = checklist::points(&self.order.instructions, Some(section));
                found.ok_or_else(|| missing(section, "the instructions of the employee"))?
            }
            ChecklistSource::File { file, section } => {
                let text = self.text(self.folder, file)?;
                let place = || format!("`{}/{file}`", self.folder);
                let found = checklist::points(&text, section.as_deref());
                found.ok_or_else(|| missing(section.as_deref().unwrap_or_default(), &place()))?
            }
        };
        let lines = points.iter().map(|point| format!("- [ ] {}", visible(point))).collect();
        Ok(Piece { label: "checklist".to_owned(), lines: cut(lines) })
    }

    /// The text of a file in a folder of crew's own.
    fn text(&self, folder: &str, path: &str) -> Result<String, String> {
        let place = ground::below(&self.order.root, folder.as_ref()).map_err(|told| told.to_string())?;
        let text = files::inside(&place, path).and_then(|place| files::read(&place, path));
        text.map_err(|told| format!("{told} (in `{folder}`)"))
    }
}

/// A text, each line of it marked so that none can be taken for anything but a part of it.
fn document(label: String, text: &str) -> Piece {
    let lines = text.trim_end().lines().map(|line| format!("| {}", visible(line))).collect();
    Piece { label, lines: cut(lines) }
}

/// As many lines as one action may bring; what is left out is said.
fn cut(lines: Vec<String>) -> Vec<String> {
    let count = lines.len();
    let mut left = ACTION_BYTES;
    let mut kept: Vec<String> = Vec::new();
    for line in lines {
        let Some(less) = left.checked_sub(line.len() + 1) else { break };
        left = less;
        kept.push(line);
    }
    if kept.len() < count {
        kept.push(format!("({} more lines are left out)", count - kept.len()));
    }
    kept
}
