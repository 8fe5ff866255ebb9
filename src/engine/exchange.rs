//! Writes employees for other programs, and takes away what it wrote.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::ground::{self, Refusal};
use crate::{
    catalog::{Layer, Snapshot},
    defs::{self, Authorship, Employee, Foreign},
    store::document,
};

/// Where employees are written to, and how.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Root of the project that gets the files.
    pub root: PathBuf,
    /// The format.
    pub form: Foreign,
    /// Whether files that were edited since are written again.
    pub force: bool,
    /// Whether it is only told what would be done.
    pub dry_run: bool,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exchanged {
    /// The employee.
    pub name: String,
    /// The file, from the root.
    pub path: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is new, or new again.
    Written,
    /// It was as it should be.
    Unchanged,
    /// It is gone, as its employee is.
    Removed,
    /// It was left as it was.
    Refused,
}

impl Exchange {
    /// Writes every employee that is not itself read from the place the files go to; with `clean`, also removes files
    /// it wrote for employees that are gone.
    pub fn sync(&self, definitions: &Snapshot, clean: bool) -> Vec<Exchanged> {
        let own = match self.form {
            Foreign::Skill => Layer::Skill,
            Foreign::Agent => Layer::Agent,
        };
        let given = definitions.employees.values().filter(|entry| entry.layer != own);
        let mut done: Vec<_> = given.clone().map(|entry| self.write(&entry.employee)).collect();
        if clean {
            let kept = given.map(|entry| entry.employee.name.as_str()).collect();
            done.extend(self.clean(&kept));
        }
        done
    }

    /// Writes one employee.
    pub fn write(&self, employee: &Employee) -> Exchanged {
        let relative = self.file(&employee.name);
        let outcome = self.try_write(employee, &relative);
        told(&employee.name, &relative, outcome)
    }

    fn try_write(&self, employee: &Employee, relative: &Path) -> Result<Outcome, Refusal> {
        if !defs::is_name(&employee.name) {
            return Err(Refusal::Name(employee.name.clone()));
        }
        let path = ground::below(&self.root, relative)?;
        let text = defs::export(employee, self.form);
        let shown = || relative.display().to_string();
        match ground::text(&path)? {
            Some(present) if present == text => return Ok(Outcome::Unchanged),
            Some(present) => match defs::authorship(&present) {
                Authorship::Theirs => return Err(Refusal::Theirs(shown())),
                Authorship::Edited if !self.force => return Err(Refusal::Edited(shown())),
                _ => {}
            },
            None => {}
        }
        if !self.dry_run {
            document::publish(&path, text.as_bytes())?;
        }
        Ok(Outcome::Written)
    }

    /// Removes the files it wrote for employees that are not in `kept`.
    fn clean(&self, kept: &HashSet<&str>) -> Vec<Exchanged> {
        let folder = self.root.join(self.folder());
        let names = fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            match self.form {
                Foreign::Skill => Some(name),
                Foreign::Agent => name.strip_suffix(".md").map(str::to_owned),
            }
        });
        let mut names: Vec<_> =
            names.filter(|name| defs::is_name(name) && !kept.contains(name.as_str())).collect();
        names.sort();
        names
            .into_iter()
            .filter_map(|name| {
                let relative = self.file(&name);
                let outcome = self.remove(&relative).transpose()?;
                Some(told(&name, &relative, outcome))
            })
            .collect()
    }

    /// `None` when the file is not there or somebody else's: then it is none of our business.
    fn remove(&self, relative: &Path) -> Result<Option<Outcome>, Refusal> {
        let Ok(path) = ground::below(&self.root, relative) else { return Ok(None) };
        let Ok(Some(present)) = ground::text(&path) else { return Ok(None) };
        match defs::authorship(&present) {
            Authorship::Theirs => return Ok(None),
            Authorship::Edited if !self.force => {
                return Err(Refusal::Edited(relative.display().to_string()));
            }
            _ => {}
        }
        if !self.dry_run {
            let gone = |path: &Path| Refusal::Unfit(format!("`{}` cannot be removed", path.display()));
            fs::remove_file(&path).map_err(|_| gone(&path))?;
            if self.form == Foreign::Skill
                && let Some(folder) = path.parent()
            {
                // Whatever else somebody put there keeps the folder.
                let _ = fs::remove_dir(folder);
            }
        }
        Ok(Some(Outcome::Removed))
    }

    fn folder(&self) -> &'static str {
        match self.form {
            Foreign::Skill => ".claude/skills",
            Foreign::Agent => ".claude/agents",
        }
    }

    /// The file of an employee, from the root.
    fn file(&self, name: &str) -> PathBuf {
        match self.form {
            Foreign::Skill => Path::new(self.folder()).join(name).join("SKILL.md"),
            Foreign::Agent => Path::new(self.folder()).join(format!("{name}.md")),
        }
    }
}

fn told(name: &str, relative: &Path, outcome: Result<Outcome, Refusal>) -> Exchanged {
    let (outcome, reason) = match outcome {
        Ok(outcome) => (outcome, None),
        Err(refusal) => (Outcome::Refused, Some(refusal.to_string())),
    };
    Exchanged { name: name.to_owned(), path: relative.display().to_string(), outcome, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn employee(name: &str) -> Employee {
        Employee {
            name: name.to_owned(),
            description: "a: b # c".to_owned(),
            body: "Work.".to_owned(),
            ..Employee::default()
        }
    }

    fn exchange(root: &Path) -> Exchange {
        Exchange { root: root.to_owned(), form: Foreign::Skill, force: false, dry_run: false }
    }

    #[test]
    fn writes_over_its_own_files_only() {
        let folder = tempfile::tempdir().unwrap();
        let exchange = exchange(folder.path());
        let file = folder.path().join(".claude/skills/a/SKILL.md");
        assert_eq!(exchange.write(&employee("a")).outcome, Outcome::Written);
        assert_eq!(exchange.write(&employee("a")).outcome, Outcome::Unchanged);
        let edited = fs::read_to_string(&file).unwrap() + "And more.\n";
        fs::write(&file, &edited).unwrap();
        assert_eq!(exchange.write(&employee("a")).outcome, Outcome::Refused);
        assert_eq!(fs::read_to_string(&file).unwrap(), edited);
        let force = Exchange { force: true, ..exchange.clone() };
        assert_eq!(force.write(&employee("a")).outcome, Outcome::Written);
        fs::write(&file, "---\nname: a\ndescription: mine\n---\nMine.\n").unwrap();
        assert_eq!(force.write(&employee("a")).outcome, Outcome::Refused);
        assert_eq!(exchange.write(&employee("../evil")).outcome, Outcome::Refused);
    }

    #[test]
    fn removes_its_own_orphans_only() {
        let folder = tempfile::tempdir().unwrap();
        let exchange = exchange(folder.path());
        for name in ["gone", "kept"] {
            exchange.write(&employee(name));
        }
        let mine = folder.path().join(".claude/skills/mine/SKILL.md");
        fs::create_dir_all(mine.parent().unwrap()).unwrap();
        fs::write(&mine, "broken").unwrap();
        fs::write(folder.path().join(".claude/skills/gone/notes.txt"), "mine").unwrap();
        let dry = Exchange { dry_run: true, ..exchange.clone() };
        let kept = HashSet::from(["kept"]);
        assert_eq!(dry.clean(&kept).len(), 1);
        assert!(folder.path().join(".claude/skills/gone/SKILL.md").is_file());
        let done = exchange.clean(&kept);
        assert_eq!(done.iter().map(|done| done.name.as_str()).collect::<Vec<_>>(), ["gone"]);
        assert!(!folder.path().join(".claude/skills/gone/SKILL.md").is_file());
        assert!(folder.path().join(".claude/skills/gone/notes.txt").is_file());
        assert!(mine.is_file());
    }

    #[cfg(unix)]
    #[test]
    fn follows_no_link() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(outside.path(), folder.path().join(".claude")).unwrap();
        let done = exchange(folder.path()).write(&employee("a"));
        assert_eq!(done.outcome, Outcome::Refused);
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
