//! Who serves which model: a list, read by name prefix.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Choice, Error};
use crate::base::Secret;

/// The name of a server that an employee brings with it, in metrics: there may be many.
pub(super) const CUSTOM: &str = "custom";

/// The name of the offline model. It is served only when asked for by exactly this name, never as a stand-in.
pub const ECHO: &str = "echo";

/// A dialect of HTTP and JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wire {
    /// Anthropic's Messages.
    Anthropic,
    /// `OpenAI`'s chat completions, which most others speak too.
    #[serde(rename = "openai")]
    OpenAi,
    /// `OpenAI`'s responses.
    #[serde(rename = "openai-responses")]
    OpenAiResponses,
    /// Google's `generateContent`.
    Gemini,
}

/// Where a provider is reached in this installation.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its dialect.
    pub wire: Wire,
    /// Its address.
    pub base_url: String,
    /// Where the address is set, for messages about it.
    pub base_url_from: String,
    /// Its key.
    pub key: Key,
}

/// The key of a provider.
#[derive(Debug, Clone)]
pub enum Key {
    /// It wants none, as servers on one's own machine often do.
    None,
    /// It wants one.
    Needed {
        /// The environment variables it is taken from, for messages about it.
        from: String,
        /// The key itself, when it is set.
        secret: Option<Secret>,
    },
}

/// A provider of models.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its name in metrics, logs and errors.
    pub id: Arc<str>,
    /// Its models begin with one of these, in any case.
    pub prefixes: Vec<String>,
    /// Where it is; `None` for the program itself, which serves the offline model.
    pub endpoint: Option<Endpoint>,
    /// Whether this installation has added it; the prices known to the program are not those of such a provider.
    pub is_own: bool,
    /// Calls at a time; as many as to any other when absent.
    pub max_concurrent: Option<usize>,
    /// Whether a prefix is for telling the provider alone, and no part of the name the model has there.
    cuts_prefix: bool,
    /// Or its models are called one of these, alone or followed by `-…`: `o1` and `o1-mini`, but not `o10`.
    stems: &'static [&'static str],
}

/// A provider the program knows of itself.
struct Known {
    id: &'static str,
    wire: Wire,
    prefixes: &'static [&'static str],
    stems: &'static [&'static str],
    /// The first that is set holds the key.
    key_variables: &'static [&'static str],
    /// Whether it is a program on one's own machine: it may want no key, and gives models any name.
    is_local: bool,
    base_url_variable: &'static str,
    /// No slash at the end.
    base_url: &'static str,
}

static KNOWN: [Known; 10] = [
    Known {
        id: "anthropic",
        wire: Wire::Anthropic,
        prefixes: &["claude-"],
        stems: &[],
        key_variables: &["ANTHROPIC_API_KEY"],
        is_local: false,
        base_url_variable: "ANTHROPIC_BASE_URL",
        base_url: "https://api.anthropic.com",
    },
    Known {
        id: "openai",
        wire: Wire::OpenAi,
        prefixes: &["gpt-", "chatgpt-"],
        stems: &["o1", "o3", "o4"],
        key_variables: &["OPENAI_API_KEY"],
        is_local: false,
        base_url_variable: "OPENAI_BASE_URL",
        base_url: "https://api.openai.com/v1",
    },
    Known {
        id: "deepseek",
        wire: Wire::OpenAi,
        prefixes: &["deepseek-"],
        stems: &[],
        key_variables: &["DEEPSEEK_API_KEY"],
        is_local: false,
        base_url_variable: "DEEPSEEK_BASE_URL",
        base_url: "https://api.deepseek.com",
    },
    Known {
        id: "moonshot",
        wire: Wire::OpenAi,
        prefixes: &["moonshot-", "kimi-"],
        stems: &[],
        key_variables: &["MOONSHOT_API_KEY"],
        is_local: false,
        base_url_variable: "MOONSHOT_BASE_URL",
        base_url: "https://api.moonshot.cn/v1",
    },
    Known {
        id: "zhipu",
        wire: Wire::OpenAi,
        prefixes: &["glm-"],
        stems: &[],
        key_variables: &["ZHIPUAI_API_KEY"],
        is_local: false,
        base_url_variable: "ZHIPUAI_BASE_URL",
        base_url: "https://open.bigmodel.cn/api/paas/v4",
    },
    Known {
        id: "qwen",
        wire: Wire::OpenAi,
        // No dash: `qwen-turbo`, `qwen2.5-72b-instruct` and `qwen3-max` are all of this family.
        prefixes: &["qwen", "qwq-", "qvq-"],
        stems: &[],
        key_variables: &["DASHSCOPE_API_KEY"],
        is_local: false,
        base_url_variable: "DASHSCOPE_BASE_URL",
        base_url: "https://dashscope.aliyuncs.com/compatible-mode/v1",
    },
    Known {
        id: "gemini",
        wire: Wire::Gemini,
        prefixes: &["gemini-"],
        stems: &[],
        key_variables: &["GOOGLE_API_KEY", "GEMINI_API_KEY"],
        is_local: false,
        base_url_variable: "GEMINI_BASE_URL",
        base_url: "https://generativelanguage.googleapis.com",
    },
    local("ollama", &["ollama/"], &["OLLAMA_API_KEY"], "OLLAMA_BASE_URL", "http://127.0.0.1:11434/v1"),
    local("vllm", &["vllm/"], &["VLLM_API_KEY"], "VLLM_BASE_URL", "http://127.0.0.1:8000/v1"),
    local("lmstudio", &["lmstudio/"], &["LMSTUDIO_API_KEY"], "LMSTUDIO_BASE_URL", "http://127.0.0.1:1234/v1"),
];

/// A server for models of one's own, which all speak as `OpenAI` does.
const fn local(
    id: &'static str,
    prefixes: &'static [&'static str],
    key_variables: &'static [&'static str],
    base_url_variable: &'static str,
    base_url: &'static str,
) -> Known {
    Known {
        id,
        wire: Wire::OpenAi,
        prefixes,
        stems: &[],
        key_variables,
        is_local: true,
        base_url_variable,
        base_url,
    }
}

impl Known {
    fn provider(&self, variable: &impl Fn(&str) -> Option<String>) -> Provider {
        let set = self.key_variables.iter().find_map(|name| Some((*name, Secret::new(&variable(name)?)?)));
        let key = match set {
            Some((name, secret)) => Key::Needed { from: name.to_owned(), secret: Some(secret) },
            None if self.is_local => Key::None,
            None => Key::Needed { from: self.key_variables.join(" or "), secret: None },
        };
        Provider {
            id: self.id.into(),
            prefixes: self.prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
            endpoint: Some(Endpoint {
                wire: self.wire,
                base_url: variable(self.base_url_variable).unwrap_or_else(|| self.base_url.to_owned()),
                base_url_from: self.base_url_variable.to_owned(),
                key,
            }),
            is_own: false,
            max_concurrent: None,
            cuts_prefix: self.is_local,
            stems: self.stems,
        }
    }
}

impl Provider {
    /// The providers the program knows of itself, their keys and addresses taken from `variable`.
    pub fn known(variable: impl Fn(&str) -> Option<String>) -> Vec<Self> {
        KNOWN.iter().map(|known| known.provider(&variable)).collect()
    }

    /// The names of the providers the program knows of itself.
    pub fn known_ids() -> impl Iterator<Item = &'static str> {
        KNOWN.iter().map(|known| known.id)
    }

    /// A provider that this installation adds.
    pub fn own(id: &str, prefixes: Vec<String>, endpoint: Endpoint) -> Self {
        Self {
            id: id.into(),
            prefixes,
            endpoint: Some(endpoint),
            is_own: true,
            max_concurrent: None,
            cuts_prefix: false,
            stems: &[],
        }
    }

    /// The program itself.
    fn offline() -> Self {
        Self {
            id: ECHO.into(),
            prefixes: Vec::new(),
            endpoint: None,
            is_own: false,
            max_concurrent: None,
            cuts_prefix: false,
            stems: &[],
        }
    }

    /// Its key, when it is set.
    pub fn secret(&self) -> Option<&Secret> {
        match &self.endpoint.as_ref()?.key {
            Key::Needed { secret, .. } => secret.as_ref(),
            Key::None => None,
        }
    }

    /// The name `model` has at the provider.
    pub(super) fn name_there<'m>(&self, model: &'m str) -> &'m str {
        let cut = || self.prefixes.iter().find_map(|prefix| strip_prefix(model, prefix));
        if self.cuts_prefix { cut().unwrap_or(model) } else { model }
    }

    /// How it is spoken to about `model`. Some of `OpenAI`'s models answer to responses only.
    ///
    /// Source: <https://platform.openai.com/docs/models>.
    pub(super) fn wire(&self, endpoint: &Endpoint, model: &str) -> Wire {
        let model = model.to_ascii_lowercase();
        let only = ["-pro", "-codex", "-deep-research"].iter().any(|mark| model.contains(mark))
            && !model.starts_with("gpt-4");
        match endpoint.wire {
            Wire::OpenAi if only && !self.is_own && &*self.id == "openai" => Wire::OpenAiResponses,
            wire => wire,
        }
    }

    fn names(&self, model: &str) -> bool {
        let begins = |prefix: &String| strip_prefix(model, prefix).is_some();
        let stands = |stem: &&str| {
            strip_prefix(model, stem).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        if self.endpoint.is_none() {
            return model.eq_ignore_ascii_case(ECHO);
        }
        self.prefixes.iter().any(begins) || self.stems.iter().any(stands)
    }
}

/// All providers of an installation.
#[derive(Debug, Clone)]
pub struct Providers(Vec<Provider>);

impl Providers {
    /// `own` first, so that they may take models from the known ones; one that bears the name of a known provider
    /// replaces it. The offline model is always there.
    pub fn new(own: Vec<Provider>, known: Vec<Provider>) -> Self {
        let mut all = vec![Provider::offline()];
        for provider in own.into_iter().chain(known) {
            if !all.iter().any(|other| other.id == provider.id) {
                all.push(provider);
            }
        }
        Self(all)
    }

    /// In the order they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.0.iter()
    }

    /// The provider of `model`. Upper and lower case are the same.
    ///
    /// # Errors
    /// [`Error::UnknownModel`] when no prefix fits.
    pub fn of(&self, model: &str) -> Result<&Provider, Error> {
        let found = self.0.iter().find(|provider| provider.names(model));
        found.ok_or_else(|| Error::UnknownModel { model: model.to_owned(), known: self.served() })
    }

    /// The provider of a chosen model: that of its name, with the key that was chosen with it, or the server at the address
    /// that was.
    ///
    /// # Errors
    /// [`Error::UnknownModel`] when no prefix fits and no address is given.
    pub(super) fn chosen(&self, choice: &Choice) -> Result<Cow<'_, Provider>, Error> {
        if let Some(base_url) = &choice.base_url {
            let endpoint = Endpoint {
                wire: Wire::OpenAi,
                base_url: base_url.clone(),
                base_url_from: choice.from.clone(),
                key: choice.key.clone().unwrap_or(Key::None),
            };
            return Ok(Cow::Owned(Provider::own(CUSTOM, Vec::new(), endpoint)));
        }
        let provider = self.of(&choice.model)?;
        let (Some(key), Some(endpoint)) = (&choice.key, &provider.endpoint) else {
            return Ok(Cow::Borrowed(provider));
        };
        let endpoint = Some(Endpoint { key: key.clone(), ..endpoint.clone() });
        Ok(Cow::Owned(Provider { endpoint, ..provider.clone() }))
    }

    /// Every name or prefix that is served, comma-separated, for a refusal to list.
    fn served(&self) -> String {
        let names = self.0.iter().flat_map(|provider| {
            provider.prefixes.iter().map(String::as_str).chain(provider.stems.iter().copied())
        });
        names.chain([ECHO]).collect::<Vec<_>>().join(", ")
    }
}

impl Default for Providers {
    /// The known ones, without keys.
    fn default() -> Self {
        Self::new(Vec::new(), Provider::known(|_| None))
    }
}

/// What follows `prefix` in `text`, when `text` begins with it in any case.
fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(id: &str, prefix: &str) -> Provider {
        let endpoint = Endpoint {
            wire: Wire::OpenAi,
            base_url: "http://localhost:11434/v1".to_owned(),
            base_url_from: ".crew/config.yaml".to_owned(),
            key: Key::None,
        };
        Provider::own(id, vec![prefix.to_owned()], endpoint)
    }

    #[test]
    fn a_prefix_chooses_the_provider() {
        let providers = Providers::default();
        let check = |model: &str, expected: &str| {
            assert_eq!(&*providers.of(model).unwrap().id, expected, "model `{model}`");
        };
        check("claude-sonnet-4-20250514", "anthropic");
        check("Claude-Opus-4-1", "anthropic");
        check("gpt-4o", "openai");
        check("chatgpt-4o-latest", "openai");
        check("o1", "openai");
        check("O3", "openai");
        check("o4-mini", "openai");
        check("deepseek-chat", "deepseek");
        check("moonshot-v1-128k", "moonshot");
        check("kimi-k2.5", "moonshot");
        check("glm-4-flash", "zhipu");
        check("qwen-turbo", "qwen");
        check("qwen2.5-72b-instruct", "qwen");
        check("qwen3-max", "qwen");
        check("gemini-2.0-flash", "gemini");
        check("qwq-plus", "qwen");
        check("ollama/llama3.2:3b", "ollama");
        check("vllm/Qwen/Qwen3-8B", "vllm");
        check("LMStudio/gpt-oss-20b", "lmstudio");
        check("echo", "echo");
    }

    #[test]
    fn strangers_are_refused_with_what_is_served() {
        for model in ["", "llama-3-70b", "o10", "o", "echo-2", "claude", "模型", "gp"] {
            let error = Providers::default().of(model).unwrap_err();
            assert!(matches!(error, Error::UnknownModel { .. }), "model `{model}`");
            assert!(error.to_string().contains("claude-, gpt-, chatgpt-, o1, o3, o4, deepseek-"), "{error}");
        }
    }

    #[test]
    fn own_providers_go_first_and_may_replace_known_ones() {
        let own = vec![own("ollama", "qwen2.5-coder"), own("openai", "corp-"), own("thief", "ech")];
        let providers = Providers::new(own, Provider::known(|_| None));
        let of = |model: &str| providers.of(model).map(|provider| provider.id.to_string());
        assert_eq!(of("qwen2.5-coder:7b").unwrap(), "ollama");
        assert_eq!(of("qwen2.5-72b").unwrap(), "qwen");
        assert_eq!(of("Corp-1").unwrap(), "openai");
        assert!(of("gpt-4o").is_err());
        assert_eq!(of("echo").unwrap(), "echo");
    }

    #[test]
    fn keys_and_addresses_come_from_their_variables() {
        let variable = |name: &str| match name {
            "GEMINI_API_KEY" => Some("g-1".to_owned()),
            "GEMINI_BASE_URL" => Some("http://127.0.0.1:1".to_owned()),
            _ => None,
        };
        let providers = Providers::new(Vec::new(), Provider::known(variable));
        let endpoint = providers.of("gemini-2.5-pro").unwrap().endpoint.clone().unwrap();
        assert_eq!(endpoint.base_url, "http://127.0.0.1:1");
        let Key::Needed { from, secret: Some(secret) } = endpoint.key else { panic!("no key") };
        assert_eq!((from.as_str(), secret.expose()), ("GEMINI_API_KEY", "g-1"));
        let bare = Providers::default();
        let endpoint = bare.of("gemini-2.5-pro").unwrap().endpoint.clone().unwrap();
        let Key::Needed { from, secret: None } = endpoint.key else { panic!("a key") };
        assert_eq!(from, "GOOGLE_API_KEY or GEMINI_API_KEY");
    }

    #[test]
    fn servers_of_ones_own_need_no_key_and_are_told_the_name_alone() {
        let bare = Providers::default();
        let ollama = bare.of("ollama/library/llama3").unwrap();
        assert!(matches!(ollama.endpoint.as_ref().unwrap().key, Key::None));
        assert_eq!(ollama.name_there("Ollama/library/llama3"), "library/llama3");
        assert_eq!(bare.of("qwen3-max").unwrap().name_there("qwen3-max"), "qwen3-max");
        let keyed = Provider::known(|name| (name == "VLLM_API_KEY").then(|| "token-abc".to_owned()));
        let providers = Providers::new(Vec::new(), keyed);
        let key = &providers.of("vllm/x").unwrap().endpoint.as_ref().unwrap().key;
        assert!(matches!(key, Key::Needed { secret: Some(_), .. }));
    }

    #[test]
    fn base_urls_end_without_a_slash() {
        for known in &KNOWN {
            let scheme = if known.is_local { "http://127.0.0.1:" } else { "https://" };
            assert!(!known.base_url.ends_with('/') && known.base_url.starts_with(scheme), "{}", known.id);
        }
    }
}
