//! Writes crew's own definitions: new employees, changed ones, raised versions.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use super::ground::{self, Refusal};
use crate::{
    catalog::{Entry, Layer},
    defs::{self, Bump, Bumped, Diagnostic, Employee, SchemaKind, Severity, Source},
    store::document,
};

/// Where crew writes employees. The other layers belong to other programs or to other projects.
const WRITABLE: [(Layer, &str); 2] =
    [(Layer::Project, ".crew/employees"), (Layer::Private, "private/employees")];

/// A file that was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// The employee.
    pub name: String,
    /// Its file, from the root.
    pub path: String,
    /// What there is to say besides: warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// Writes a new employee, `text` being a whole Markdown definition.
///
/// # Errors
/// When the text has errors, the layer is not one crew writes to, or there is such a file already.
pub fn create(root: &Path, layer: Layer, text: &str) -> Result<Written, Refusal> {
    let (employee, diagnostics) = parse("new employee", text)?;
    keep_servers(&Employee::default(), &employee)?;
    let relative = file(layer, &employee.name)?;
    let path = ground::below(root, &relative)?;
    let folder = ground::below(root, &relative.with_extension(""))?;
    if path.symlink_metadata().is_ok() || folder.symlink_metadata().is_ok() {
        return Err(Refusal::Exists(relative.display().to_string()));
    }
    create_file(&path, &relative, text)?;
    Ok(Written { name: employee.name, path: relative.display().to_string(), diagnostics })
}

/// Where the schemas for editors are kept in a project.
const SCHEMAS: &str = ".crew/schemas";

/// Writes the schemas of all kinds of files into the project, so that a line such as
/// `# yaml-language-server: $schema=../schemas/pipeline.schema.json` makes an editor complete and check a file. Gives
/// the files that were not so before.
///
/// # Errors
/// When they cannot be written.
pub fn write_schemas(root: &Path) -> Result<Vec<String>, Refusal> {
    let mut written = Vec::new();
    for kind in SchemaKind::ALL {
        let relative = Path::new(SCHEMAS).join(kind.file_name());
        let path = ground::below(root, &relative)?;
        let text = format!("{:#}\n", kind.schema());
        if ground::text(&path)?.is_none_or(|stored| stored != text) {
            document::publish(&path, text.as_bytes())?;
            written.push(relative.display().to_string());
        }
    }
    Ok(written)
}

/// What git is to leave alone in `.crew`.
const IGNORED: &str = "\
# What crew writes while it works. Definitions (employees, pipelines, webhook.yaml, cron.yaml) are kept.
/tasks.jsonl*
/tasks/
/outbox.jsonl*
/deliveries.jsonl*
/cron-state.json*
/webhook-secret
/memory/
/memory-index.db*
/sessions-index.db*
/*.index
/meetings/
/sessions/
/logs/
/lanes/
/evaluations/
/audit/
/trajectories/
/quality-report.json
*.lock
*.tmp
";

/// Writes `.crew/.gitignore`, unless there is one: what was said, and the secret of a webhook, are not for whoever may read
/// the repository. Gives the file if it was written.
///
/// # Errors
/// When it cannot be written.
pub fn write_ignored(root: &Path) -> Result<Option<String>, Refusal> {
    let relative = Path::new(".crew/.gitignore");
    let path = ground::below(root, relative)?;
    let is_new = document::create(&path, IGNORED.as_bytes())?;
    Ok(is_new.then(|| relative.display().to_string()))
}

/// What is said of an employee to begin with; what is blank is left out, or filled in.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// What people call it.
    pub display_name: String,
    /// Name of its character.
    pub character_name: String,
    /// What it does, in one line.
    pub description: String,
    /// The same for lists.
    pub summary: String,
    /// Who its character is.
    pub bio: String,
    /// What a picture of it would show.
    pub avatar_prompt: String,
    /// What it is grouped by.
    pub tags: Vec<String>,
    /// Other names it is found by.
    pub triggers: Vec<String>,
}

impl About {
    /// The fields of an employee `name`, as YAML.
    fn fields(&self, name: &str) -> String {
        let usual = format!("What {name} does, in one line");
        let description = if self.description.trim().is_empty() { &usual } else { &self.description };
        let texts = [
            ("display_name", &self.display_name),
            ("character_name", &self.character_name),
            ("description", description),
            ("summary", &self.summary),
            ("bio", &self.bio),
            ("avatar_prompt", &self.avatar_prompt),
        ];
        let mut fields = format!("name: {name}\n");
        for (key, text) in texts.into_iter().filter(|(_, text)| !text.trim().is_empty()) {
            let _ = writeln!(fields, "{key}: {}", defs::yaml_text(text.trim()));
        }
        fields.push_str("version: \"1.0.0\"\n");
        for (key, words) in [("tags", &self.tags), ("triggers", &self.triggers)] {
            if words.is_empty() {
                let _ = writeln!(fields, "{key}: []");
                continue;
            }
            let _ = writeln!(fields, "{key}:");
            for word in words {
                let _ = writeln!(fields, "  - {}", defs::yaml_text(word));
            }
        }
        fields + "args:\n  - name: target\n    description: What to work on\n    required: true\n"
    }
}

/// Writes a new employee to begin with, below `private/employees`: one file, or with `folder` a folder. Gives the files.
///
/// # Errors
/// When the name is none, there is such an employee already, or what is said of it does not fit.
pub fn scaffold(root: &Path, name: &str, folder: bool, about: &About) -> Result<Vec<String>, Refusal> {
    let relative = file(Layer::Private, name)?;
    let inner = relative.with_extension("");
    if [&relative, &inner].iter().any(|path| root.join(path).symlink_metadata().is_ok()) {
        return Err(Refusal::Exists(inner.display().to_string()));
    }
    let fields = about.fields(name);
    let prompt = "Work on $target.\n";
    parse(&relative.display().to_string(), &format!("---\n{fields}---\n\n{prompt}"))?;
    let files = if folder {
        let schema = format!(
            "# yaml-language-server: $schema=../../../{SCHEMAS}/{}\n",
            SchemaKind::Employee.file_name()
        );
        vec![(inner.join("employee.yaml"), schema + &fields), (inner.join("prompt.md"), prompt.to_owned())]
    } else {
        vec![(relative, format!("---\n{fields}---\n\n{prompt}"))]
    };
    let mut written = Vec::new();
    for (relative, text) in files {
        create_file(&ground::below(root, &relative)?, &relative, &text)?;
        written.push(relative.display().to_string());
    }
    Ok(written)
}

/// Replaces the definition of an employee that is one Markdown file.
///
/// # Errors
/// When the text has errors or another name, or the employee is not in such a file.
pub fn update(root: &Path, entry: &Entry, text: &str) -> Result<Written, Refusal> {
    let path = ours(root, entry)?;
    if !is_markdown(&entry.path) {
        let reason = format!("`{}` is a folder; change its files one by one", entry.path);
        return Err(Refusal::Unfit(reason));
    }
    let (employee, diagnostics) = parse(&entry.path, text)?;
    if employee.name != entry.employee.name {
        let reason = format!("the definition is of `{}`, not of `{}`", employee.name, entry.employee.name);
        return Err(Refusal::Unfit(reason));
    }
    keep_servers(&entry.employee, &employee)?;
    document::publish(&path, text.as_bytes())?;
    Ok(Written { name: employee.name, path: entry.path.clone(), diagnostics })
}

/// Which server an employee brings, and which variable holds the key for it, only a person settles, in the file itself:
/// whoever may write employees could else have any secret sent anywhere.
fn keep_servers(before: &Employee, after: &Employee) -> Result<(), Refusal> {
    let servers = |employee: &Employee| {
        let Employee { base_url, api_key, fallback_base_url, fallback_api_key, .. } = employee;
        [base_url, api_key, fallback_base_url, fallback_api_key].map(Clone::clone)
    };
    if servers(before) == servers(after) {
        return Ok(());
    }
    let reason = "`base_url`, `api_key` and their `fallback_` are settled in the file, by a person; leave them as they are";
    Err(Refusal::Unfit(reason.to_owned()))
}

/// Removes an employee: its file, or its folder with all that is in it. What it remembers and what was recorded of it stay.
/// Gives what is gone, from the root.
///
/// # Errors
/// When it is not one that crew writes, or the disk refuses.
pub fn remove(root: &Path, entry: &Entry) -> Result<String, Refusal> {
    let path = ours(root, entry)?;
    let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    removed.map_err(|cause| Refusal::Unremovable { path: entry.path.clone(), cause })?;
    Ok(entry.path.clone())
}

/// Raises the version of an employee whose content changed since it was last raised; always with `force`. `None` when
/// nothing changed.
///
/// # Errors
/// When its file cannot be written, or the version holds no number.
pub fn bump(root: &Path, entry: &Entry, by: Bump, force: bool) -> Result<Option<Bumped>, Refusal> {
    let path = ours(root, entry)?;
    let (file, name, parts) = if is_markdown(&entry.path) {
        (path, entry.path.clone(), vec![(String::new(), entry.employee.body.clone())])
    } else {
        (path.join("employee.yaml"), format!("{}/employee.yaml", entry.path), parts(&path)?)
    };
    let named = parts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let hash = defs::content_hash(&entry.employee, named);
    if hash == entry.employee.recorded_hash && !force {
        return Ok(None);
    }
    let Some(text) = ground::text(&file)? else { return Err(Refusal::Unfit(format!("`{name}` is gone"))) };
    let source = Source::new(name.as_str(), text);
    let version = &entry.employee.version;
    let Some(bumped) = defs::bump(&source, version, by, &hash) else {
        let reason =
            format!("{name}: the version `{version}` holds no number to raise; write one like `1.0.0`");
        return Err(Refusal::Unfit(reason));
    };
    document::publish(&file, bumped.text.as_bytes())?;
    Ok(Some(bumped))
}

/// Writes a file that is not there yet; somebody else may be about to do the same.
fn create_file(path: &Path, relative: &Path, text: &str) -> Result<(), Refusal> {
    if document::create(path, text.as_bytes())? {
        Ok(())
    } else {
        Err(Refusal::Exists(relative.display().to_string()))
    }
}

fn file(layer: Layer, name: &str) -> Result<PathBuf, Refusal> {
    let folder = WRITABLE.iter().find(|(writable, _)| *writable == layer);
    let Some((_, folder)) = folder else {
        return Err(Refusal::Unfit(format!("crew writes no employees to the layer `{layer}`")));
    };
    if !defs::is_name(name) {
        return Err(Refusal::Name(name.to_owned()));
    }
    Ok(Path::new(folder).join(format!("{name}.md")))
}

/// The path of an employee that crew may change.
fn ours(root: &Path, entry: &Entry) -> Result<PathBuf, Refusal> {
    if !WRITABLE.iter().any(|(layer, _)| *layer == entry.layer) {
        let reason =
            format!("`{}` is from the layer `{}`, which crew only reads", entry.employee.name, entry.layer);
        return Err(Refusal::Unfit(reason));
    }
    ground::below(root, Path::new(&entry.path))
}

/// The texts of an employee that is a folder, by name.
fn parts(folder: &Path) -> Result<Vec<(String, String)>, Refusal> {
    let mut names = vec!["prompt.md".to_owned(), "soul.md".to_owned()];
    for inner in ["workflows", "adaptors"] {
        let entries = fs::read_dir(folder.join(inner)).into_iter().flatten().flatten();
        let files = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut files: Vec<_> = files.filter(|name| is_markdown(name)).collect();
        files.sort();
        names.extend(files.into_iter().map(|name| format!("{inner}/{name}")));
    }
    let mut parts = Vec::new();
    for name in names {
        if let Some(text) = ground::text(&ground::below(folder, Path::new(&name))?)? {
            parts.push((name, text));
        }
    }
    Ok(parts)
}

fn is_markdown(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "md")
}

fn parse(name: &str, text: &str) -> Result<(Employee, Vec<Diagnostic>), Refusal> {
    let (employee, diagnostics) = defs::parse_employee(&Source::new(name, text));
    match employee {
        Some(employee) if diagnostics.iter().all(|found| found.severity != Severity::Error) => {
            Ok((employee, diagnostics))
        }
        _ => Err(Refusal::Invalid(diagnostics)),
    }
}
