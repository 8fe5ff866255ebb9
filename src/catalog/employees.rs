//! Reads employees: all places, many files at a time, and those that have not changed not at all.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use indexmap::{IndexMap, map};

use super::{
    codes,
    files::{self, Files, Identity},
    places::{Form, Place},
    snapshot::{Conflict, ConflictKind, Entry, Finding},
};
use crate::defs::{self, Diagnostic, Employee, EmployeeFiles, EmployeeMarks, FileKind, Severity, Source};

/// More threads than this do not make a disk faster.
const MOST_THREADS: usize = 8;
/// Fewer files than this for each thread are read sooner than a thread is started.
const LEAST_FILES: usize = 32;
/// Folders in folders of subagents.
const DEEPEST: usize = 4;

/// An employee with what is needed to talk about its file.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) entry: Entry,
    pub(super) marks: EmployeeMarks,
    /// Holds the name and the triggers.
    pub(super) source: Source,
    /// Its place among all places; the higher goes before the lower.
    pub(super) rank: usize,
}

/// A file or a folder that may be an employee.
struct Job {
    rank: usize,
    entry: files::Entry,
    /// The folder it must not lead out of.
    within: PathBuf,
}

/// What came of one job.
#[derive(Debug, Default)]
struct Outcome {
    candidate: Option<Candidate>,
    findings: Vec<Finding>,
}

/// What came of every job, by path, with what its files looked like.
#[derive(Debug, Default)]
pub(super) struct Cache(HashMap<PathBuf, (Vec<Identity>, Arc<Outcome>)>);

/// All employees and what is to be said about them.
#[derive(Default)]
pub(super) struct Read {
    pub(super) employees: IndexMap<String, Candidate>,
    pub(super) conflicts: Vec<Conflict>,
    pub(super) findings: Vec<Finding>,
    pub(super) cache: Cache,
}

/// Reads all `places`, the lowest first, taking from `before` what has not changed.
pub(super) fn read(root: &Path, places: &[Place], before: &Cache) -> Read {
    let mut files = Files::new(root);
    let jobs: Vec<Job> =
        places.iter().enumerate().flat_map(|(rank, place)| jobs(&mut files, rank, place)).collect();
    let mut read = Read { findings: std::mem::take(&mut files.findings), ..Read::default() };
    for (job, (seen, outcome)) in jobs.iter().zip(outcomes(&files, places, &jobs, before)) {
        read.findings.extend(outcome.findings.iter().cloned());
        if let Some(candidate) = &outcome.candidate {
            read.add(candidate.clone());
        }
        read.cache.0.insert(job.entry.path.clone(), (seen, outcome));
    }
    read
}

/// What may be an employee in one place, in the order it is read.
fn jobs(files: &mut Files, rank: usize, place: &Place) -> Vec<Job> {
    let folder = if place.folder.is_absolute() {
        files.folder_in(&place.folder, &place.folder.canonicalize().unwrap_or_default())
    } else {
        files.folder(&place.folder)
    };
    let Some(folder) = folder else { return Vec::new() };
    let folder = if place.layer.is_foreign() { files.widened(folder) } else { folder };
    let mut found = Vec::new();
    let within = folder.within().to_owned();
    gather(files, &folder, place.form, DEEPEST, &mut found);
    found.into_iter().map(|entry| Job { rank, entry, within: within.clone() }).collect()
}

fn gather(
    files: &mut Files,
    folder: &files::Folder,
    form: Form,
    depth: usize,
    found: &mut Vec<files::Entry>,
) {
    let (folders, plain): (Vec<_>, Vec<_>) =
        files.entries(folder).into_iter().partition(|entry| entry.is_folder);
    let of_crew = |entry: &files::Entry| {
        entry.is_file(&["md"])
            && !entry.name.starts_with('_')
            && !entry.name.eq_ignore_ascii_case("readme.md")
    };
    match form {
        // Folders first: one goes before a file of the same name.
        Form::Crew => found.extend(folders.into_iter().chain(plain.into_iter().filter(of_crew))),
        Form::Skill => found.extend(folders),
        Form::Recipe => {
            found.extend(plain.into_iter().filter(|entry| entry.is_file(&["yaml", "yml", "json"])));
        }
        Form::Agent => {
            found.extend(plain.into_iter().filter(of_crew));
            for entry in folders.iter().filter(|_| depth > 1) {
                if let Some(inner) = files.folder_in(&entry.path, folder.within()) {
                    let inner = files.widened(inner);
                    gather(files, &inner, form, depth - 1, found);
                }
            }
        }
    }
}

/// What comes of all jobs, in their order.
fn outcomes(
    files: &Files,
    places: &[Place],
    jobs: &[Job],
    before: &Cache,
) -> Vec<(Vec<Identity>, Arc<Outcome>)> {
    let cores = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let threads = cores.min(jobs.len() / LEAST_FILES).max(1);
    let share = jobs.len().div_ceil(threads).max(1);
    let work = |jobs: &[Job]| -> Vec<_> {
        let mut files = files.beside();
        jobs.iter().map(|job| outcome(&mut files, places, job, before)).collect()
    };
    if threads == 1 {
        return work(jobs);
    }
    thread::scope(|scope| {
        let running: Vec<_> = jobs.chunks(share).map(|jobs| scope.spawn(move || work(jobs))).collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

fn outcome(files: &mut Files, places: &[Place], job: &Job, before: &Cache) -> (Vec<Identity>, Arc<Outcome>) {
    let Some(place) = places.get(job.rank) else { return Default::default() };
    let mut parts = Vec::new();
    let seen = if job.entry.is_folder {
        parts = files.parts(&job.entry, &job.within, place.form == Form::Crew);
        parts.iter().map(|part| Identity::of(&part.path)).collect()
    } else {
        vec![Identity::of(&job.entry.path)]
    };
    if let Some((known, outcome)) = before.0.get(&job.entry.path)
        && *known == seen
        && files.findings.is_empty()
    {
        return (seen, Arc::clone(outcome));
    }
    let found = match place.form {
        Form::Crew if job.entry.is_folder => employee_folder(files, &parts),
        Form::Crew => marked(files, job, |source, _| defs::parse_employee_marked(source)),
        Form::Skill => skill(files, job, &parts),
        Form::Agent => marked(files, job, defs::parse_agent),
        Form::Recipe => marked(files, job, defs::parse_recipe),
    };
    let candidate = found.map(|(employee, marks, source)| Candidate {
        entry: Entry { employee: Arc::new(employee), layer: place.layer, path: files.name(&job.entry.path) },
        marks,
        source,
        rank: job.rank,
    });
    (seen, Arc::new(Outcome { candidate, findings: std::mem::take(&mut files.findings) }))
}

type Found = Option<(Employee, EmployeeMarks, Source)>;
type Parsed = (Option<(Employee, EmployeeMarks)>, Vec<Diagnostic>);

/// An employee that is one file.
fn marked(files: &mut Files, job: &Job, parse: impl Fn(&Source, &str) -> Parsed) -> Found {
    let source = files.read_entry(&job.entry, &job.within)?;
    parsed(files, source, |source| parse(source, job.entry.stem()))
}

fn skill(files: &mut Files, job: &Job, parts: &[files::Part]) -> Found {
    let part = parts.iter().find(|part| part.name == "SKILL.md")?;
    let source = files.read_in(&part.path, &job.within)?;
    parsed(files, source, |source| defs::parse_skill(source, &job.entry.name))
}

fn parsed(files: &mut Files, source: Source, parse: impl Fn(&Source) -> Parsed) -> Found {
    let (found, diagnostics) = parse(&source);
    files
        .findings
        .extend(diagnostics.into_iter().map(|diagnostic| Finding { diagnostic, source: source.clone() }));
    let (employee, marks) = found?;
    Some((employee, marks, source))
}

fn employee_folder(files: &mut Files, parts: &[files::Part]) -> Found {
    let mut text = |name: &str| {
        let part = parts.iter().find(|part| part.name == name)?;
        files.read_in(&part.path, part.path.parent()?)
    };
    let (yaml, prompt, soul) = (text("employee.yaml")?, text("prompt.md"), text("soul.md"));
    let mut inside = |folder: &str| -> Vec<(String, Source)> {
        let of_folder = parts.iter().filter_map(|part| {
            let stem = part.name.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(".md")?;
            Some((stem.to_owned(), files.read_in(&part.path, part.path.parent()?)?))
        });
        of_folder.collect()
    };
    let workflows = inside("workflows").into_iter().map(|(_, text)| text).collect();
    let whole = EmployeeFiles { yaml, prompt, soul, workflows, adaptors: inside("adaptors") };
    let (found, diagnostics) = defs::parse_employee_dir_marked(&whole);
    let sources: HashMap<Arc<str>, &Source> = std::iter::once(&whole.yaml)
        .chain(&whole.prompt)
        .chain(&whole.soul)
        .chain(&whole.workflows)
        .chain(whole.adaptors.iter().map(|(_, source)| source))
        .map(|source| (Arc::clone(&source.name), source))
        .collect();
    for diagnostic in diagnostics {
        let source = (*sources.get(&diagnostic.source).unwrap_or(&&whole.yaml)).clone();
        files.findings.push(Finding { diagnostic, source });
    }
    let (employee, marks) = found?;
    Some((employee, marks, whole.yaml))
}

impl Read {
    fn add(&mut self, candidate: Candidate) {
        let name = candidate.entry.employee.name.clone();
        let mut slot = match self.employees.entry(name) {
            map::Entry::Vacant(slot) => {
                slot.insert(candidate);
                return;
            }
            map::Entry::Occupied(slot) => slot,
        };
        let name = slot.key().clone();
        let same_place = slot.get().rank == candidate.rank;
        // In one place the first stays; a higher place goes before a lower one.
        let loser = if same_place { candidate } else { slot.insert(candidate) };
        let winner = &slot.get().entry;
        if !same_place && loser.entry.layer.is_foreign() && loser.entry.employee == winner.employee {
            // The same employee, written for another program.
            return;
        }
        self.conflicts.push(Conflict {
            kind: ConflictKind::Name,
            name: name.clone(),
            winner: winner.origin(),
            loser: loser.entry.origin(),
        });
        let found = clash(&name, &loser, winner, same_place);
        self.findings.push(Finding { diagnostic: found, source: loser.source });
    }
}

fn clash(name: &str, loser: &Candidate, winner: &Entry, same_place: bool) -> Diagnostic {
    let place = Some(loser.marks.name);
    if same_place {
        let message = format!("`{name}` is already the employee in `{}`", winner.path);
        return Diagnostic::new(codes::DUPLICATE_EMPLOYEE, Severity::Error, &loser.source, place, message);
    }
    let message = format!("`{name}` is hidden by the employee in `{}`", winner.path);
    let found = Diagnostic::new(codes::SHADOWED_EMPLOYEE, Severity::Warning, &loser.source, place, message);
    if defs::authorship(&loser.source.text) == defs::Authorship::Ours {
        return found.with_help("this was written from it before it changed; run `knowlyr-crew sync`");
    }
    found
}

/// One definition that was looked at for itself.
#[derive(Debug)]
pub struct Checked {
    /// Its file or folder.
    pub path: String,
    /// What it defines, when that can be used.
    pub found: Option<Valid>,
    /// What is to be said about it.
    pub findings: Vec<Finding>,
}

/// What a definition that can be used defines.
#[derive(Debug)]
pub enum Valid {
    /// An employee.
    Employee(Arc<Employee>),
    /// Something else, as far as it can be told without the rest of the project.
    Other(FileKind),
}

/// Looks at the definition in `path`, or at those in the folder `path`, each for itself. What format it is follows from
/// the names of the files.
pub fn validate(path: &Path) -> Vec<Checked> {
    let Ok(path) = path.canonicalize() else { return Vec::new() };
    let folder = path.parent().unwrap_or(&path).to_owned();
    let mut files = Files::new(&folder);
    let is_one = |path: &Path| {
        path.is_file() || path.join("employee.yaml").is_file() || path.join("SKILL.md").is_file()
    };
    let inside = if is_one(&path) { folder.clone() } else { path.clone() };
    let Some(folder) = files.folder_in(&inside, &inside) else { return Vec::new() };
    let mut entries = files.entries(&folder);
    if is_one(&path) {
        entries.retain(|entry| entry.path == path);
    } else {
        let in_skills = inside.components().any(|part| part.as_os_str() == "skills");
        let is_named =
            |entry: &files::Entry| is_named_like_one(entry) || in_skills && entry.is_file(&["json"]);
        entries.retain(|entry| if entry.is_folder { is_one(&entry.path) } else { is_named(entry) });
    }
    entries.sort_by_key(|entry| !entry.is_folder);
    let in_agents = inside.components().any(|part| part.as_os_str() == "agents");
    let jobs = entries.into_iter().map(|entry| Job { rank: 0, entry, within: inside.clone() });
    jobs.map(|job| {
        if let Some(checked) = other_kind(&mut files, &job) {
            return checked;
        }
        let form = match &job.entry {
            entry if entry.is_folder && entry.path.join("SKILL.md").is_file() => Form::Skill,
            entry if !entry.is_folder && !entry.is_file(&["md"]) => Form::Recipe,
            entry if !entry.is_folder && in_agents => Form::Agent,
            _ => Form::Crew,
        };
        let place = Place { folder: inside.clone(), layer: super::Layer::Project, form };
        let (_, outcome) = outcome(&mut files, &[place], &job, &Cache::default());
        let employee = outcome.candidate.as_ref().map(|found| Arc::clone(&found.entry.employee));
        let found = employee.map(Valid::Employee);
        Checked { path: files.name(&job.entry.path), found, findings: outcome.findings.clone() }
    })
    .collect()
}

/// Looks at a file of YAML that defines something other than an employee: not every one is a recipe.
fn other_kind(files: &mut Files, job: &Job) -> Option<Checked> {
    let is_json = job.entry.is_file(&["json"]);
    if !is_json && !job.entry.is_file(&["yaml", "yml"]) {
        return None;
    }
    let source = files.beside().read_in(&job.entry.path, &job.within)?;
    // Of the files of crew itself only skills are written in JSON.
    let kind = FileKind::of(&source).filter(|kind| !is_json || *kind == FileKind::EmployeeSkill)?;
    let (is_valid, told) = kind.validate(&source, job.entry.stem());
    let findings = told.into_iter().map(|diagnostic| Finding { diagnostic, source: source.clone() });
    Some(Checked {
        path: files.name(&job.entry.path),
        found: is_valid.then_some(Valid::Other(kind)),
        findings: findings.collect(),
    })
}

fn is_named_like_one(entry: &files::Entry) -> bool {
    let is_text = entry.is_file(&["md"]) && !entry.name.eq_ignore_ascii_case("readme.md");
    (is_text || entry.is_file(&["yaml", "yml"])) && !entry.name.starts_with('_')
}
