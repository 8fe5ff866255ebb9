//! Employees as skills: the folder of each, with a `SKILL.md` that says in the words of that format who it is.
//!
//! Source: the Agent Skills specification, <https://agentskills.io/specification>, and SEP-2640 for how skills are
//! served over MCP.

mod card;

use std::{
    collections::{BTreeMap, HashMap, btree_map},
    path::Path,
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::future::BoxFuture;
use sha2::{Digest as _, Sha256};

use super::{
    Library,
    segment::{decoded, encoded},
    shelves::older,
};
use crate::{
    catalog::{Entry, Snapshot, Tree, Unshown},
    protocol::{
        Context, Error, SkillHost,
        resource::{Body, Contents, Resource},
        skill::{FOLDER, File, Files, Folders, Skill},
    },
    tools,
};

const SCHEME: &str = "skill://";
/// The file that makes a folder a skill.
const SKILL: &str = "SKILL.md";
const MARKDOWN: &str = "text/markdown";

/// The skills made from one snapshot: what is in them, and the digests of that.
#[derive(Debug, Default)]
pub(super) struct Skills {
    listed: Arc<[Skill]>,
    files: BTreeMap<String, Kept>,
    folders: HashMap<String, Arc<[Resource]>>,
}

/// A file of a skill.
#[derive(Debug)]
struct Kept {
    resource: Resource,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    /// Written here.
    Memory(Arc<str>),
    /// In the folder of the employee, under this path.
    Folder(Arc<Tree>, String),
}

impl Skills {
    /// Reads the folders of all employees in `definitions`.
    pub(super) async fn collect(root: &Path, definitions: Arc<Snapshot>) -> Self {
        let root = root.to_owned();
        let read = tokio::task::spawn_blocking(move || {
            let mut shelf = Shelf::default();
            for entry in definitions.employees.values() {
                if let Err(reason) = shelf.add(&root, entry) {
                    let employee = entry.employee.name.as_str();
                    tracing::debug!(employee, reason = reason.to_string(), "this employee is no skill");
                }
            }
            shelf.done()
        });
        // It ends early only when the program does.
        read.await.unwrap_or_default()
    }

    /// The same, with the list of `before` where it says the same.
    pub(super) fn taking_over(self, before: Option<&Self>) -> Self {
        match before {
            Some(before) => Self { listed: older(&before.listed, self.listed), ..self },
            None => self,
        }
    }

    /// The digests of all files, by their addresses.
    pub(super) fn digests(&self) -> HashMap<String, String> {
        let listed = self.listed.iter().map(|skill| &skill.resources);
        let files = listed.flat_map(|files| match files {
            Files::All(files) => files.as_slice(),
            Files::Dynamic => &[],
        });
        files.map(|file| (file.uri.clone(), file.digest.clone())).collect()
    }

    /// All files, as they are listed.
    pub(super) fn resources(&self) -> impl Iterator<Item = Resource> + '_ {
        self.files.values().map(|kept| kept.resource.clone())
    }

    /// The contents of the file at `uri`, `None` when no skill has it.
    pub(super) async fn read(&self, uri: &str) -> Option<Result<Contents, tools::Error>> {
        let uri = canonical(uri)?;
        let kept = self.files.get(&uri)?;
        let mime_type = kept.resource.mime_type.clone();
        let body = match kept.place.clone() {
            Place::Memory(text) => Body::Text(text.as_ref().to_owned()),
            Place::Folder(tree, path) => {
                let read = tokio::task::spawn_blocking(move || tree.read(&path)).await;
                match read.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
                    Ok(bytes) => body(bytes),
                    // It was there a moment ago; the next snapshot will not list it.
                    Err(error) => {
                        tracing::debug!(uri, %error, "a file of a skill cannot be read");
                        return None;
                    }
                }
            }
        };
        Some(Ok(Contents { uri, mime_type, body }))
    }
}

fn body(bytes: Vec<u8>) -> Body {
    match String::from_utf8(bytes) {
        Ok(text) => Body::Text(text),
        Err(error) => Body::Blob(STANDARD.encode(error.as_bytes())),
    }
}

/// Why an employee is no skill.
#[derive(Debug, thiserror::Error)]
enum NoSkill {
    #[error("its name may not be the name of a skill: that has single hyphens only")]
    Name,
    #[error("its folder is not shown: {0}")]
    Folder(#[from] Unshown),
    #[error("a file in its folder cannot be read: {0}")]
    File(#[from] std::io::Error),
}

/// Where skills are put together.
#[derive(Default)]
struct Shelf {
    skills: Vec<Skill>,
    files: BTreeMap<String, Kept>,
    folders: BTreeMap<String, Vec<Resource>>,
}

impl Shelf {
    fn add(&mut self, root: &Path, entry: &Entry) -> Result<(), NoSkill> {
        let employee = &*entry.employee;
        if !card::may_name(&employee.name) {
            return Err(NoSkill::Name);
        }
        let tree = Tree::of(root, entry)?.map(Arc::new);
        let home = format!("{SCHEME}{}", employee.name);
        let text: Arc<str> = card::text(employee).into();
        let mut files =
            vec![(SKILL.to_owned(), kept(&home, SKILL, text.as_bytes(), Place::Memory(text.clone())))];
        if let Some(tree) = &tree {
            for path in tree.files.iter().filter(|path| !is_covered(path)) {
                let bytes = tree.read(path)?;
                let place = Place::Folder(Arc::clone(tree), path.clone());
                files.push((path.clone(), kept(&home, path, &bytes, place)));
            }
        }
        if let Some((_, (_, card))) = files.first_mut() {
            card.resource.name.clone_from(&employee.name);
            card.resource.description = Some(card::description(employee));
        }
        let folders = tree.iter().flat_map(|tree| tree.folders.iter()).filter(|path| !is_covered(path));
        self.folders.entry(home.clone()).or_default();
        for path in folders {
            let uri = uri(&home, path);
            self.put(&home, path, folder(uri.clone(), path));
            self.folders.entry(uri).or_default();
        }
        let mut listed = Vec::with_capacity(files.len());
        for (path, (file, kept)) in files {
            self.put(&home, &path, kept.resource.clone());
            self.files.insert(file.uri.clone(), kept);
            listed.push(file);
        }
        self.skills.push(Skill {
            uri: uri(&home, SKILL),
            frontmatter: card::front_matter(employee),
            resources: Files::All(listed),
        });
        Ok(())
    }

    /// Puts a file or a folder into the folder it is in.
    fn put(&mut self, home: &str, path: &str, resource: Resource) {
        let parent = path.rsplit_once('/').map_or_else(|| home.to_owned(), |(parent, _)| uri(home, parent));
        match self.folders.entry(parent) {
            btree_map::Entry::Occupied(mut folder) => folder.get_mut().push(resource),
            btree_map::Entry::Vacant(folder) => {
                folder.insert(vec![resource]);
            }
        }
    }

    fn done(self) -> Skills {
        let folders = self.folders.into_iter().map(|(uri, mut children)| {
            children.sort_by(|a, b| a.uri.cmp(&b.uri));
            (uri, children.into())
        });
        Skills { listed: self.skills.into(), files: self.files, folders: folders.collect() }
    }
}

/// Whether the card of the employee stands in the place of what is at `path`.
fn is_covered(path: &str) -> bool {
    path.split('/').next() == Some(SKILL)
}

/// A file of the skill at `home`, as a skill lists it and as it is kept.
fn kept(home: &str, path: &str, bytes: &[u8], place: Place) -> (File, Kept) {
    let uri = uri(home, path);
    let size = bytes.len() as u64;
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
    let resource = Resource {
        uri: uri.clone(),
        name: last(path).to_owned(),
        mime_type: Some(mime_type(path, bytes).to_owned()),
        size: Some(size),
        ..Resource::default()
    };
    (File { uri, digest, size }, Kept { resource, place })
}

fn folder(uri: String, path: &str) -> Resource {
    Resource { uri, name: last(path).to_owned(), mime_type: Some(FOLDER.to_owned()), ..Resource::default() }
}

fn last(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The address of `path` in the skill at `home`.
fn uri(home: &str, path: &str) -> String {
    let segments: Vec<_> = path.split('/').map(encoded).collect();
    format!("{home}/{}", segments.join("/"))
}

/// `uri` as it is kept, however its segments were escaped; `None` for another scheme.
fn canonical(uri: &str) -> Option<String> {
    let path = uri.strip_prefix(SCHEME)?;
    let segments: Vec<_> = path.split('/').map(|segment| encoded(&decoded(segment))).collect();
    Some(format!("{SCHEME}{}", segments.join("/")))
}

/// What a file is, by its name; what the name does not tell is text or not.
fn mime_type(path: &str, bytes: &[u8]) -> &'static str {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("md" | "markdown") => MARKDOWN,
        Some("yaml" | "yml") => "application/yaml",
        Some("json") => "application/json",
        Some("toml") => "application/toml",
        Some("csv") => "text/csv",
        Some("html" | "htm") => "text/html",
        Some("py") => "text/x-python",
        Some("sh") => "text/x-shellscript",
        Some("js" | "mjs") => "text/javascript",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("pdf") => "application/pdf",
        _ if std::str::from_utf8(bytes).is_ok() => "text/plain",
        _ => "application/octet-stream",
    }
}

impl SkillHost for Library {
    fn list<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, Result<Arc<[Skill]>, Error>> {
        Box::pin(async move { Ok(Arc::clone(&self.shelves().await.skills.listed)) })
    }

    fn folders(&self) -> Option<&dyn Folders> {
        Some(self)
    }
}

impl Folders for Library {
    fn read<'a>(&'a self, uri: &'a str, _: &'a Context) -> BoxFuture<'a, Result<Arc<[Resource]>, Error>> {
        Box::pin(async move {
            let shelves = self.shelves().await;
            let children = canonical(uri).and_then(|uri| shelves.skills.folders.get(&uri).cloned());
            children.ok_or_else(|| Error::not_a_folder(uri))
        })
    }
}
