//! What turns memories into vectors in a project, as its `.crew/config.yaml` says: never because a key happens to be set.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Environment, project::FILE};
use crate::{
    defs::{self, EmbedderKind, OwnEmbedder},
    engine::memory::{Embedding, Rules},
    llm::{self, EmbedWire, Embedder, Endpoint, Key, Provider},
};

/// What turns memories into vectors.
#[derive(Debug, Clone)]
pub struct Embeds {
    maker: Maker,
    rules: Rules,
}

#[derive(Debug, Clone)]
enum Maker {
    Asked(Embedder),
    Folder { path: PathBuf, dimensions: Option<u32> },
}

impl Embeds {
    /// What `own` means for the project at `root`, its key taken from `env`.
    pub(super) fn read(own: &OwnEmbedder, env: &Environment, root: &Path) -> Self {
        let usual = Rules::default();
        #[expect(clippy::cast_possible_truncation, reason = "from 0 to 1")]
        let floor = own.min_similarity.map(|least| least as f32);
        let rules = Rules {
            patience: own.timeout_seconds.map_or(usual.patience, Duration::from_secs_f64),
            floor: floor.unwrap_or(usual.floor),
            classified: own.embed_classified,
        };
        let wire = match own.provider {
            EmbedderKind::Openai => EmbedWire::OpenAi,
            EmbedderKind::Gemini => EmbedWire::Gemini,
            EmbedderKind::Ollama => EmbedWire::Ollama,
            EmbedderKind::Static => {
                let path = root.join(own.path.as_deref().unwrap_or_default());
                return Self { maker: Maker::Folder { path, dimensions: own.dimensions }, rules };
            }
        };
        let own_key = own
            .api_key
            .as_deref()
            .map(defs::variable_name)
            .map(|variable| Key::Needed { from: variable.to_owned(), secret: env.secret(variable) });
        let (base_url, base_url_from, key) = match &own.base_url {
            // The key of the maker is nobody else's business.
            Some(url) => {
                let from = format!("`memory.embedder.base_url` of {FILE}");
                (url.clone(), from, own_key.unwrap_or(Key::None))
            }
            None => {
                let Endpoint { base_url, base_url_from, key, .. } = maker(wire, env);
                (base_url, base_url_from, own_key.unwrap_or(key))
            }
        };
        let embedder = Embedder {
            wire,
            base_url,
            base_url_from,
            key,
            model: own.model.clone().unwrap_or_default(),
            dimensions: own.dimensions,
            is_own: own.base_url.is_some(),
        };
        Self { maker: Maker::Asked(embedder), rules }
    }

    /// The same, at work.
    pub(super) fn open(self, client: &llm::Client) -> Embedding {
        match self.maker {
            Maker::Asked(embedder) => Embedding::asking(client.clone(), embedder, self.rules),
            Maker::Folder { path, dimensions } => Embedding::of_folder(&path, dimensions, self.rules),
        }
    }

    /// Where it is asked, and with which key; `None` for a model in a folder.
    pub(super) fn asked(&self) -> Option<&Embedder> {
        match &self.maker {
            Maker::Asked(embedder) => Some(embedder),
            Maker::Folder { .. } => None,
        }
    }

    /// How it is used.
    pub(super) fn rules(&self) -> Rules {
        self.rules
    }
}

/// Where the maker of the models that are spoken to like this is, and its key.
fn maker(wire: EmbedWire, env: &Environment) -> Endpoint {
    let known = Provider::known(|name| env.get(name).map(str::to_owned));
    let endpoint = known.into_iter().find(|provider| *provider.id == *wire.as_str());
    endpoint.and_then(|provider| provider.endpoint).expect("all dialects are those of known providers")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(text: &str) -> OwnEmbedder {
        let text = format!("memory: {{embedder: {{{text}}}}}");
        let (config, diagnostics) = defs::parse_config(&defs::Source::new(FILE, text));
        config.unwrap_or_else(|| panic!("{diagnostics:?}")).memory.embedder.unwrap()
    }

    fn asked(text: &str, env: &Environment) -> Embedder {
        Embeds::read(&own(text), env, Path::new("/p")).asked().unwrap().clone()
    }

    #[test]
    fn the_key_of_the_maker_goes_to_the_maker_alone() {
        let env = [("OPENAI_API_KEY", "maker-key"), ("OTHER_KEY", "other-key")].into();
        let secret = |embedder: &Embedder| match &embedder.key {
            Key::Needed { secret, .. } => secret.as_ref().map(|secret| secret.expose().to_owned()),
            Key::None => None,
        };
        let check = |text: &str, url: &str, key: Option<&str>| {
            let embedder = asked(text, &env);
            assert_eq!((embedder.base_url.as_str(), secret(&embedder).as_deref()), (url, key), "{text}");
        };
        check("provider: openai, model: m", "https://api.openai.com/v1", Some("maker-key"));
        check(
            "provider: openai, model: m, api_key: '${OTHER_KEY}'",
            "https://api.openai.com/v1",
            Some("other-key"),
        );
        check("provider: openai, model: m, base_url: 'http://x/v1'", "http://x/v1", None);
        check(
            "provider: openai, model: m, base_url: 'http://x', api_key: '${OTHER_KEY}'",
            "http://x",
            Some("other-key"),
        );
        check("provider: ollama, model: m", "http://127.0.0.1:11434/v1", None);
        check("provider: gemini, model: m", "https://generativelanguage.googleapis.com", None);
    }

    #[test]
    fn what_is_said_of_it_is_kept() {
        let own = own(
            "provider: static, path: models/x, timeout_seconds: 0.5, min_similarity: 0.25, embed_classified: yes",
        );
        let embeds = Embeds::read(&own, &Environment::default(), Path::new("/p"));
        assert!(embeds.asked().is_none());
        let expected = Rules { patience: Duration::from_millis(500), floor: 0.25, classified: true };
        assert_eq!(embeds.rules(), expected);
        let Maker::Folder { path, .. } = embeds.maker else { panic!("a folder") };
        assert_eq!(path, Path::new("/p/models/x"));
    }
}
