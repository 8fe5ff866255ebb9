//! What models of one dialect differ in: by their names, as that is all there is to know them by.

use serde_json::{Value, json};

/// Whether `model` is one of `OpenAI`'s reasoning models, which refuse `max_tokens` and any `temperature`.
pub(super) fn reasons(model: &str) -> bool {
    let model = model.to_ascii_lowercase();
    series(&model) || gpt(&model).is_some_and(|version| version >= (5, 0)) && !model.contains("-chat")
}

/// `o1`, `o3-mini`, but not `o10`.
fn series(model: &str) -> bool {
    ["o1", "o3", "o4"]
        .iter()
        .any(|stem| model.strip_prefix(stem).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')))
}

/// Whether `model` takes a `temperature`. Those that do not refuse the whole request for it.
///
/// Sources: <https://platform.openai.com/docs/guides/reasoning>, <https://platform.kimi.ai/docs/api/models-overview>,
/// <https://docs.claude.com/en/docs/about-claude/models/migration-guide>.
pub(super) fn takes_temperature(model: &str) -> bool {
    let model = model.to_ascii_lowercase();
    let fixed_kimi = kimi(&model).is_some_and(|version| version >= (2, 5));
    let fixed_claude = claude(&model).is_some_and(|version| version >= (4, 7));
    !reasons(&model) && !fixed_kimi && !fixed_claude
}

/// The fields of a chat completion that say whether the model is to think, as its maker names them. `whole` says that the
/// answer comes as one document.
///
/// Sources: <https://api-docs.deepseek.com/guides/thinking_mode>, <https://platform.kimi.ai/docs/api/models-overview>,
/// <https://docs.bigmodel.cn/cn/guide/capabilities/thinking-mode>, <https://help.aliyun.com/zh/model-studio/deep-thinking>,
/// <https://platform.openai.com/docs/guides/reasoning>.
pub(super) fn thinking(model: &str, wish: Option<bool>, whole: bool) -> serde_json::Map<String, Value> {
    let model = model.to_ascii_lowercase();
    let field = |name: &str, value: Value| serde_json::Map::from_iter([(name.to_owned(), value)]);
    // Those with open weights think unless told not to, and can think aloud only.
    if wish.is_none() && whole && is_open_qwen3(&model) {
        return field("enable_thinking", json!(false));
    }
    let Some(wish) = wish else { return serde_json::Map::new() };
    if ["qwen", "qwq", "qvq"].iter().any(|family| model.starts_with(family)) {
        return field("enable_thinking", json!(wish));
    }
    if ["deepseek", "kimi-", "glm-"].iter().any(|family| model.starts_with(family)) {
        return field("thinking", json!({"type": if wish { "enabled" } else { "disabled" }}));
    }
    effort(&model, wish).map(|effort| field("reasoning_effort", json!(effort))).unwrap_or_default()
}

/// How hard one of `OpenAI`'s reasoning models is to think; `None` for one that does not.
pub(super) fn effort(model: &str, wish: bool) -> Option<&'static str> {
    let model = model.to_ascii_lowercase();
    if !reasons(&model) {
        return None;
    }
    Some(match gpt(&model) {
        _ if wish => "medium",
        Some(version) if version > (5, 0) => "none",
        Some(_) => "minimal",
        None => "low",
    })
}

/// `qwen3-8b` and `qwen3-235b-a22b`, but not those that only think or never do.
fn is_open_qwen3(model: &str) -> bool {
    let Some(rest) = model.strip_prefix("qwen3-").or_else(|| model.strip_prefix("qwen3.5-")) else {
        return false;
    };
    let size = rest.split('-').next().unwrap_or_default();
    let sized = size.strip_suffix('b').is_some_and(|digits| digits.parse::<f32>().is_ok());
    sized && !["thinking", "instruct", "coder"].iter().any(|kind| rest.contains(kind))
}

/// What Anthropic's `thinking` is for a wish, with the most tokens it leaves; `None` to say nothing.
///
/// Source: <https://docs.claude.com/en/docs/build-with-claude/adaptive-thinking>.
pub(super) fn claude_thinking(model: &str, wish: Option<bool>, max_tokens: u32) -> Option<Value> {
    let version = claude(&model.to_ascii_lowercase()).unwrap_or_default();
    match wish? {
        true if version >= (4, 6) => Some(json!({"type": "adaptive"})),
        // At least 1024, and less than all; where there is no room for that, there is none to think in.
        true if max_tokens > 2048 => Some(json!({"type": "enabled", "budget_tokens": max_tokens / 2})),
        // The others do not think unless told to, and some refuse to be told not to.
        false if version >= (5, 0) => Some(json!({"type": "disabled"})),
        _ => None,
    }
}

/// Most tokens of an answer of Anthropic's `model` when nobody says how many: the limit is a required field there.
pub(super) fn claude_max_tokens(model: &str) -> u32 {
    if claude(&model.to_ascii_lowercase()).is_some_and(|version| version >= (4, 0)) { 16_384 } else { 4096 }
}

/// Google's `thinkingConfig` for a wish.
///
/// Source: <https://ai.google.dev/gemini-api/docs/thinking>.
pub(super) fn gemini_thinking(model: &str, wish: bool) -> Option<Value> {
    let model = model.to_ascii_lowercase();
    let version = model.strip_prefix("gemini-").map(version)?;
    if version >= (3, 0) {
        return Some(json!({"thinkingLevel": if wish { "high" } else { "low" }}));
    }
    let least = if model.contains("-pro") { 128 } else { 0 };
    (version >= (2, 5)).then(|| json!({"thinkingBudget": if wish { -1 } else { least }}))
}

/// The version in the name of one of Anthropic's models: `claude-opus-4-6` is 4.6, `claude-3-5-haiku-20241022` 3.5.
fn claude(model: &str) -> Option<(u32, u32)> {
    let mut parts = model.strip_prefix("claude-")?.split('-').skip_while(|part| number(part).is_none());
    let major = number(parts.next()?)?;
    Some((major, parts.next().and_then(number).unwrap_or_default()))
}

/// The version in the name of one of `OpenAI`'s: `gpt-5.1-mini` is 5.1.
fn gpt(model: &str) -> Option<(u32, u32)> {
    model.strip_prefix("gpt-").map(version)
}

/// The version in the name of one of Moonshot's: `kimi-k2.5` is 2.5, `kimi-k2-0905-preview` 2.0.
fn kimi(model: &str) -> Option<(u32, u32)> {
    model.strip_prefix("kimi-k").map(version)
}

/// The version a text begins with; 0.0 when it begins with none.
fn version(text: &str) -> (u32, u32) {
    let head: &str = text.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    let (major, minor) = head.split_once('.').unwrap_or((head, ""));
    (number(major).unwrap_or_default(), number(minor).unwrap_or_default())
}

/// A number of a version; a longer one is a date.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.len() <= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_known_by_their_names() {
        for model in ["o1", "O3-mini", "gpt-5", "gpt-5-nano", "gpt-5.1-mini", "gpt-6"] {
            assert!(reasons(model), "{model}");
        }
        for model in ["gpt-4o", "gpt-4.1", "gpt-5-chat-latest", "o10", "deepseek-chat", "gpt-oss-20b", ""] {
            assert!(!reasons(model), "{model}");
        }
        assert_eq!(claude("claude-opus-4-20250514"), Some((4, 0)));
        assert_eq!(claude("claude-3-5-haiku-20241022"), Some((3, 5)));
        assert_eq!(claude("claude-opus-5"), Some((5, 0)));
        assert_eq!(claude("claude-instant"), None);
    }

    #[test]
    fn a_temperature_is_not_sent_where_it_is_refused() {
        for model in ["o3", "gpt-5", "kimi-k2.5", "kimi-k3", "claude-opus-4-7", "claude-sonnet-5"] {
            assert!(!takes_temperature(model), "{model}");
        }
        for model in
            ["gpt-4o", "kimi-k2-0905-preview", "kimi-latest", "claude-sonnet-4-5-20250929", "qwen3-max"]
        {
            assert!(takes_temperature(model), "{model}");
        }
    }

    #[test]
    fn each_family_has_its_own_switch_for_thinking() {
        let check = |model: &str, on: Value, off: Value| {
            for (wish, expected) in [(true, on), (false, off)] {
                assert_eq!(Value::Object(thinking(model, Some(wish), false)), expected, "{model}");
            }
            assert!(thinking(model, None, false).is_empty(), "{model}");
        };
        check("qwen-plus", json!({"enable_thinking": true}), json!({"enable_thinking": false}));
        for model in ["kimi-k2.5", "glm-4.6", "deepseek-chat"] {
            check(model, json!({"thinking": {"type": "enabled"}}), json!({"thinking": {"type": "disabled"}}));
        }
        check("gpt-5", json!({"reasoning_effort": "medium"}), json!({"reasoning_effort": "minimal"}));
        check("gpt-5.2", json!({"reasoning_effort": "medium"}), json!({"reasoning_effort": "none"}));
        check("o3", json!({"reasoning_effort": "medium"}), json!({"reasoning_effort": "low"}));
        check("gpt-4o", json!({}), json!({}));
        check("llama3", json!({}), json!({}));
    }

    #[test]
    fn open_weights_of_qwen_are_told_not_to_think_when_they_cannot_think_aloud() {
        for (model, expected) in [
            ("qwen3-8b", json!({"enable_thinking": false})),
            ("qwen3-235b-a22b", json!({"enable_thinking": false})),
            ("qwen3-235b-a22b-thinking-2507", json!({})),
            ("qwen3-max", json!({})),
            ("qwen3:8b", json!({})),
        ] {
            assert_eq!(Value::Object(thinking(model, None, true)), expected, "{model}");
        }
    }

    #[test]
    fn claude_and_gemini_think_in_the_words_of_their_versions() {
        let claude = |model, wish| claude_thinking(model, Some(wish), 10_000);
        assert_eq!(claude("claude-opus-4-5", true), Some(json!({"type": "enabled", "budget_tokens": 5000})));
        assert_eq!(claude("claude-opus-4-8", true), Some(json!({"type": "adaptive"})));
        assert_eq!(claude("claude-opus-4-8", false), None);
        assert_eq!(claude("claude-opus-5", false), Some(json!({"type": "disabled"})));
        assert_eq!(claude_thinking("claude-opus-4-5", Some(true), 1500), None, "no room");
        assert_eq!(gemini_thinking("gemini-2.5-flash", false), Some(json!({"thinkingBudget": 0})));
        assert_eq!(gemini_thinking("gemini-2.5-pro", false), Some(json!({"thinkingBudget": 128})));
        assert_eq!(gemini_thinking("gemini-2.5-pro", true), Some(json!({"thinkingBudget": -1})));
        assert_eq!(gemini_thinking("gemini-3-pro-preview", true), Some(json!({"thinkingLevel": "high"})));
        assert_eq!(gemini_thinking("gemini-2.0-flash", true), None);
    }
}
