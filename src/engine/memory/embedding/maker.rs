//! What makes vectors: a server that is asked, or a static model in a folder.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::Error;
#[cfg(feature = "static-embeddings")]
use super::model::Static;
use crate::llm::{self, Purpose};

/// The files of a static model.
const FILES: [&str; 3] = ["model.safetensors", "tokenizer.json", "config.json"];

#[derive(Debug)]
pub(super) enum Maker {
    /// A server.
    Asked { client: llm::Client, embedder: llm::Embedder },
    /// A model in a folder, and how many of its dimensions count.
    Folder(Arc<Folder>),
}

/// A static model in a folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    #[cfg(feature = "static-embeddings")]
    model: std::sync::OnceLock<Static>,
    #[cfg_attr(not(feature = "static-embeddings"), expect(dead_code, reason = "there is no model to cut"))]
    dimensions: Option<u32>,
}

impl Maker {
    /// A static model, and what tells its vectors from those of others.
    pub(super) fn folder(path: &Path, dimensions: Option<u32>) -> (Self, String) {
        // Whatever is put there in its place is another one.
        let seen = std::fs::metadata(path.join(FILES[0])).ok();
        let size = seen.as_ref().map_or(0, std::fs::Metadata::len);
        let changed = seen.and_then(|seen| seen.modified().ok());
        let changed = changed.and_then(|time| jiff::Timestamp::try_from(time).ok());
        let length = dimensions.map(|length| format!(" {length}")).unwrap_or_default();
        let name = format!(
            "static {} {size} {}{length}",
            path.display(),
            changed.map_or(0, jiff::Timestamp::as_second)
        );
        let folder = Folder {
            path: path.to_owned(),
            #[cfg(feature = "static-embeddings")]
            model: std::sync::OnceLock::new(),
            dimensions,
        };
        (Self::Folder(Arc::new(folder)), name)
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Asked { embedder, .. } => Ok(embedder.check().map(drop)?),
            Self::Folder(_) if !cfg!(feature = "static-embeddings") => Err(Error::NotBuilt),
            Self::Folder(folder) => folder.check(),
        }
    }

    /// The vectors of `texts`, at most [`llm::MOST_TEXTS`], in `time`.
    pub(super) async fn vectors(
        &self,
        purpose: Purpose,
        texts: Vec<String>,
        time: Duration,
    ) -> Result<Vec<Vec<f32>>, Error> {
        match self {
            Self::Asked { client, embedder } => {
                Ok(client.embed(embedder, purpose, &texts, time).await?.vectors)
            }
            Self::Folder(folder) => {
                let folder = Arc::clone(folder);
                let made = tokio::task::spawn_blocking(move || folder.vectors(&texts)).await;
                made.unwrap_or(Err(Error::Interrupted))
            }
        }
    }
}

impl Folder {
    fn check(&self) -> Result<(), Error> {
        let missing = FILES.iter().find(|name| !self.path.join(name).is_file());
        match missing {
            None => Ok(()),
            Some(name) => Err(self.unfit(format!("there is no `{name}`"))),
        }
    }

    fn unfit(&self, reason: String) -> Error {
        Error::Model { path: self.path.clone(), reason }
    }

    #[cfg(not(feature = "static-embeddings"))]
    #[expect(clippy::unused_self, reason = "it has no model")]
    fn vectors(&self, _texts: &[String]) -> Result<Vec<Vec<f32>>, Error> {
        Err(Error::NotBuilt)
    }

    #[cfg(feature = "static-embeddings")]
    fn vectors(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Error> {
        let model = match self.model.get() {
            Some(model) => model,
            None => {
                self.check()?;
                let model = Static::read(&self.path).map_err(|reason| self.unfit(reason))?;
                self.model.get_or_init(|| model)
            }
        };
        let mut vectors = model.vectors(texts);
        if let Some(wanted) = self.dimensions.and_then(|wanted| usize::try_from(wanted).ok()) {
            for vector in &mut vectors {
                if vector.len() < wanted {
                    return Err(self.unfit(format!(
                        "its vectors have {} dimensions, and {wanted} are wanted",
                        vector.len()
                    )));
                }
                vector.truncate(wanted);
            }
        }
        Ok(vectors)
    }
}
