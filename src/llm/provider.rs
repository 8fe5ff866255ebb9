//! Who serves which model: one table, read by name prefix.

use super::Error;

/// A dialect of HTTP and JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Anthropic's Messages.
    Anthropic,
    /// `OpenAI`'s chat completions, which most others speak too.
    OpenAi,
}

/// Where a provider is reached over HTTP, and what operators call its settings.
#[derive(Debug, PartialEq, Eq)]
pub struct Http {
    /// Its dialect.
    pub wire: Wire,
    /// The environment variable that holds its key.
    pub key_variable: &'static str,
    /// The environment variable that replaces `base_url`.
    pub base_url_variable: &'static str,
    /// Where it is, unless told otherwise; no slash at the end.
    pub base_url: &'static str,
}

/// How a provider is served here.
#[derive(Debug, PartialEq, Eq)]
pub enum Service {
    /// Over HTTP.
    Http(Http),
    /// By the program itself, without a network.
    Offline,
    /// Not at all; known by name so that the refusal can say so.
    Absent,
}

/// A provider of models.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name in metrics, logs and errors.
    pub id: &'static str,
    /// How it is served.
    pub service: Service,
    /// Its models begin with one of these.
    prefixes: &'static [&'static str],
    /// Or are called one of these, alone or followed by `-…`: `o1` and `o1-mini`, but not `o10`.
    stems: &'static [&'static str],
}

const fn http(
    wire: Wire,
    key_variable: &'static str,
    base_url_variable: &'static str,
    base_url: &'static str,
) -> Service {
    Service::Http(Http { wire, key_variable, base_url_variable, base_url })
}

static PROVIDERS: [Provider; 8] = [
    Provider {
        id: "anthropic",
        prefixes: &["claude-"],
        stems: &[],
        service: http(
            Wire::Anthropic,
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_BASE_URL",
            "https://api.anthropic.com",
        ),
    },
    Provider {
        id: "openai",
        prefixes: &["gpt-", "chatgpt-"],
        stems: &["o1", "o3", "o4"],
        service: http(Wire::OpenAi, "OPENAI_API_KEY", "OPENAI_BASE_URL", "https://api.openai.com/v1"),
    },
    Provider {
        id: "deepseek",
        prefixes: &["deepseek-"],
        stems: &[],
        service: http(Wire::OpenAi, "DEEPSEEK_API_KEY", "DEEPSEEK_BASE_URL", "https://api.deepseek.com"),
    },
    Provider {
        id: "moonshot",
        prefixes: &["moonshot-", "kimi-"],
        stems: &[],
        service: http(Wire::OpenAi, "MOONSHOT_API_KEY", "MOONSHOT_BASE_URL", "https://api.moonshot.cn/v1"),
    },
    Provider {
        id: "zhipu",
        prefixes: &["glm-"],
        stems: &[],
        service: http(
            Wire::OpenAi,
            "ZHIPUAI_API_KEY",
            "ZHIPUAI_BASE_URL",
            "https://open.bigmodel.cn/api/paas/v4",
        ),
    },
    Provider {
        id: "qwen",
        // No dash: `qwen-turbo`, `qwen2.5-72b-instruct` and `qwen3-max` are all of this family.
        prefixes: &["qwen"],
        stems: &[],
        service: http(
            Wire::OpenAi,
            "DASHSCOPE_API_KEY",
            "DASHSCOPE_BASE_URL",
            "https://dashscope.aliyuncs.com/compatible-mode/v1",
        ),
    },
    Provider { id: "gemini", prefixes: &["gemini-"], stems: &[], service: Service::Absent },
    Provider { id: "echo", prefixes: &[], stems: &[], service: Service::Offline },
];

/// The name of the offline model. It is served only when asked for by exactly this name, never as a stand-in.
pub const ECHO: &str = "echo";

impl Provider {
    /// All providers, in the order they are tried.
    pub fn all() -> &'static [Self] {
        &PROVIDERS
    }

    /// The provider of `model`. Upper and lower case are the same.
    ///
    /// # Errors
    /// [`Error::UnknownModel`] when no prefix fits, [`Error::NotServed`] when one fits that is not served.
    pub fn of(model: &str) -> Result<&'static Self, Error> {
        let found = PROVIDERS.iter().find(|provider| provider.names(model));
        match found {
            None => Err(Error::UnknownModel { model: model.to_owned(), known: Self::served() }),
            Some(Self { id, service: Service::Absent, .. }) => {
                Err(Error::NotServed { model: model.to_owned(), provider: id, known: Self::served() })
            }
            Some(provider) => Ok(provider),
        }
    }

    /// Where it is reached, if over HTTP.
    pub fn http(&self) -> Option<&Http> {
        match &self.service {
            Service::Http(http) => Some(http),
            Service::Offline | Service::Absent => None,
        }
    }

    fn names(&self, model: &str) -> bool {
        let begins = |prefix: &&str| strip_prefix(model, prefix).is_some();
        let stands = |stem: &&str| {
            strip_prefix(model, stem).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        match self.service {
            Service::Offline => model.eq_ignore_ascii_case(ECHO),
            Service::Http(_) | Service::Absent => {
                self.prefixes.iter().any(begins) || self.stems.iter().any(stands)
            }
        }
    }

    /// Every name or prefix that is served, comma-separated, for a refusal to list.
    fn served() -> String {
        let served = PROVIDERS.iter().filter(|provider| provider.service != Service::Absent);
        let mut names: Vec<&str> =
            served.flat_map(|provider| provider.prefixes.iter().chain(provider.stems)).copied().collect();
        names.push(ECHO);
        names.join(", ")
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

    #[test]
    fn a_prefix_chooses_the_provider() {
        let check = |model: &str, expected: &str| {
            assert_eq!(Provider::of(model).unwrap().id, expected, "model `{model}`");
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
        check("echo", "echo");
    }

    #[test]
    fn strangers_are_refused_with_what_is_served() {
        for model in ["", "llama-3-70b", "o10", "o", "echo-2", "claude", "模型", "gp"] {
            let error = Provider::of(model).unwrap_err();
            assert!(matches!(error, Error::UnknownModel { .. }), "model `{model}`");
            assert!(error.to_string().contains("claude-, gpt-, chatgpt-, o1, o3, o4, deepseek-"), "{error}");
        }
    }

    #[test]
    fn gemini_is_known_but_not_served() {
        let error = Provider::of("gemini-2.0-flash").unwrap_err();
        assert_eq!(
            error.to_string(),
            "model `gemini-2.0-flash` belongs to gemini, which is not served yet; choose a model that begins with \
             one of: claude-, gpt-, chatgpt-, o1, o3, o4, deepseek-, moonshot-, kimi-, glm-, qwen, echo"
        );
    }

    #[test]
    fn base_urls_end_without_a_slash() {
        for http in Provider::all().iter().filter_map(Provider::http) {
            assert!(!http.base_url.ends_with('/') && http.base_url.starts_with("https://"), "{http:?}");
        }
    }
}
