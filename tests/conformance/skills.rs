//! One skill with a folder in it, as resources and as a skill.

use std::sync::Arc;

use crew::protocol::{
    Context, Error, SkillHost,
    resource::{Body, Contents, Resource},
    skill::{FOLDER, File, Files, Folders, Skill},
};
use futures_util::future::BoxFuture;
use serde_json::{Map, json};
use sha2::{Digest as _, Sha256};

const NAME: &str = "hello-skill";
const DESCRIPTION: &str = "Says hello in a friendly way";
const FOLDER_OF_ALL: &str = "skill://demo";
const HOME: &str = "skill://demo/hello-skill";
const NOTES: &str = "skill://demo/hello-skill/references";
const MANIFEST: (&str, &str) = (
    "skill://demo/hello-skill/SKILL.md",
    "---\nname: hello-skill\ndescription: Says hello in a friendly way\n---\n\n# Hello\n\nGreet the user.\n",
);
const GUIDE: (&str, &str) =
    ("skill://demo/hello-skill/references/guide.md", "# Guide\n\nUse the name of the user.\n");

/// The skills of the target.
pub(crate) struct Skills {
    all: Arc<[Skill]>,
}

impl Skills {
    pub(crate) fn new() -> Self {
        let frontmatter = [("name", NAME), ("description", DESCRIPTION)];
        let frontmatter: Map<_, _> =
            frontmatter.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
        let resources = Files::All([MANIFEST, GUIDE].map(file).into());
        Self { all: Arc::new([Skill { uri: MANIFEST.0.to_owned(), frontmatter, resources }]) }
    }
}

/// The manifest, as it stands among the resources.
pub(crate) fn manifest() -> Resource {
    Resource { description: Some(DESCRIPTION.to_owned()), ..resource(MANIFEST.0, NAME, "text/markdown") }
}

/// The file at `uri`, if it is of a skill.
pub(crate) fn read(uri: &str) -> Option<Contents> {
    let (_, text) = [MANIFEST, GUIDE].into_iter().find(|file| file.0 == uri)?;
    let body = Body::Text(text.to_owned());
    Some(Contents { uri: uri.to_owned(), mime_type: Some("text/markdown".to_owned()), body })
}

fn file((uri, text): (&str, &str)) -> File {
    File {
        uri: uri.to_owned(),
        digest: format!("sha256:{}", hex::encode(Sha256::digest(text))),
        size: text.len() as u64,
    }
}

fn resource(uri: &str, name: &str, mime_type: &str) -> Resource {
    let (uri, name, mime_type) = (uri.to_owned(), name.to_owned(), Some(mime_type.to_owned()));
    Resource { uri, name, mime_type, ..Resource::default() }
}

impl SkillHost for Skills {
    fn list<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, Result<Arc<[Skill]>, Error>> {
        Box::pin(async { Ok(Arc::clone(&self.all)) })
    }

    fn folders(&self) -> Option<&dyn Folders> {
        Some(self)
    }
}

impl Folders for Skills {
    fn read<'a>(&'a self, uri: &'a str, _: &'a Context) -> BoxFuture<'a, Result<Arc<[Resource]>, Error>> {
        let children = match uri {
            FOLDER_OF_ALL => Ok(vec![resource(HOME, NAME, FOLDER)]),
            HOME => Ok(vec![
                resource(MANIFEST.0, "SKILL.md", "text/markdown"),
                resource(NOTES, "references", FOLDER),
            ]),
            NOTES => Ok(vec![resource(GUIDE.0, "guide.md", "text/markdown")]),
            _ => Err(Error::not_a_folder(uri)),
        };
        Box::pin(async move { children.map(Into::into) })
    }
}
