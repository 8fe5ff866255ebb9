//! What models cost.

use super::Usage;

/// US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// Of tokens read.
    pub input: f64,
    /// Of tokens read that the provider had in its cache.
    pub cached_input: f64,
    /// Of tokens written.
    pub output: f64,
}

/// Prices by model: input, cached input, output. Collected in March 2026 from the providers' public pages, standard
/// tier, prompts of ordinary length:
/// <https://docs.anthropic.com/en/docs/about-claude/pricing>, <https://openai.com/api/pricing>,
/// <https://api-docs.deepseek.com/quick_start/pricing>, <https://platform.moonshot.ai/docs/pricing/chat>,
/// <https://ai.google.dev/gemini-api/docs/pricing>, <https://docs.z.ai/guides/overview/pricing>.
/// Where a page gives no price for cached input, it is that of input.
///
/// Prices change without notice: `prices:` in `.crew/config.yaml` goes before this table.
const KNOWN: [(&str, [f64; 3]); 46] = [
    ("claude-opus-4-6", [5.0, 0.5, 25.0]),
    ("claude-opus-4-5", [5.0, 0.5, 25.0]),
    ("claude-opus-4-1", [15.0, 1.5, 75.0]),
    ("claude-opus-4", [15.0, 1.5, 75.0]),
    ("claude-sonnet-4-6", [3.0, 0.3, 15.0]),
    ("claude-sonnet-4-5", [3.0, 0.3, 15.0]),
    ("claude-sonnet-4", [3.0, 0.3, 15.0]),
    ("claude-3-7-sonnet", [3.0, 0.3, 15.0]),
    ("claude-3-5-sonnet", [3.0, 0.3, 15.0]),
    ("claude-haiku-4-5", [1.0, 0.1, 5.0]),
    ("claude-3-5-haiku", [0.8, 0.08, 4.0]),
    ("claude-3-haiku", [0.25, 0.03, 1.25]),
    ("gpt-5", [1.25, 0.125, 10.0]),
    ("gpt-5-mini", [0.25, 0.025, 2.0]),
    ("gpt-5-nano", [0.05, 0.005, 0.4]),
    ("gpt-4.1", [2.0, 0.5, 8.0]),
    ("gpt-4.1-mini", [0.4, 0.1, 1.6]),
    ("gpt-4.1-nano", [0.1, 0.025, 0.4]),
    ("gpt-4o", [2.5, 1.25, 10.0]),
    ("gpt-4o-mini", [0.15, 0.075, 0.6]),
    ("o1", [15.0, 7.5, 60.0]),
    ("o3", [2.0, 0.5, 8.0]),
    ("o3-mini", [1.1, 0.55, 4.4]),
    ("o4-mini", [1.1, 0.275, 4.4]),
    ("deepseek-chat", [0.28, 0.028, 0.42]),
    ("deepseek-reasoner", [0.28, 0.028, 0.42]),
    ("kimi-k2.5", [0.6, 0.1, 3.0]),
    ("kimi-k2-0905-preview", [0.6, 0.15, 2.5]),
    ("kimi-k2-turbo-preview", [1.15, 0.15, 8.0]),
    ("moonshot-v1-8k", [0.2, 0.2, 2.0]),
    ("moonshot-v1-32k", [1.0, 1.0, 3.0]),
    ("moonshot-v1-128k", [2.0, 2.0, 5.0]),
    ("glm-4.6", [0.6, 0.11, 2.2]),
    ("glm-4.5", [0.6, 0.11, 2.2]),
    ("glm-4.5-air", [0.2, 0.03, 1.1]),
    ("glm-4.5-flash", [0.0, 0.0, 0.0]),
    ("gemini-2.5-pro", [1.25, 0.125, 10.0]),
    ("gemini-2.5-flash", [0.3, 0.03, 2.5]),
    ("gemini-2.5-flash-lite", [0.1, 0.01, 0.4]),
    ("gemini-2.0-flash", [0.1, 0.025, 0.4]),
    ("gemini-2.0-flash-lite", [0.075, 0.075, 0.3]),
    ("text-embedding-3-small", [0.02, 0.02, 0.0]),
    ("text-embedding-3-large", [0.13, 0.13, 0.0]),
    ("text-embedding-ada-002", [0.1, 0.1, 0.0]),
    ("gemini-embedding-001", [0.15, 0.15, 0.0]),
    (super::ECHO, [0.0, 0.0, 0.0]),
];

impl Price {
    /// What `usage` costs, to a billionth of a dollar.
    fn of(self, usage: Usage) -> f64 {
        let cached = usage.cached_input_tokens.min(usage.input_tokens);
        let cost = count(usage.input_tokens - cached) * self.input
            + count(cached) * self.cached_input
            + count(usage.output_tokens) * self.output;
        // Dollars per million, times a thousand: billionths.
        (cost * 1e3).round() / 1e9
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts more than 2^53 tokens")]
fn count(tokens: u64) -> f64 {
    tokens as f64
}

/// The prices of an installation.
#[derive(Debug, Clone, Default)]
pub struct Prices {
    own: Vec<(String, Price)>,
}

impl Prices {
    /// The known prices, with `own` before them.
    pub fn new(own: Vec<(String, Price)>) -> Self {
        Self { own }
    }

    /// What a call of `model` costs in US dollars; `None` when its price is not known. `is_own` says that it went to a
    /// provider this installation has added, which has prices of its own.
    pub(super) fn cost(&self, model: &str, is_own: bool, usage: Usage) -> Option<f64> {
        let own = self.own.iter().map(|(name, price)| (name.as_str(), *price));
        let price = best(model, own).or_else(|| {
            let known = KNOWN
                .iter()
                .map(|&(name, [input, cached_input, output])| (name, Price { input, cached_input, output }));
            if is_own { None } else { best(model, known) }
        })?;
        Some(price.of(usage))
    }
}

/// The price under the longest name that `model` goes by: the very name, or the name and a version behind it, such as
/// `-20250514`, `-2024-08-06`, `-001` or `-latest`. A successor (`-5` behind `-4`) is not a version: it costs what it
/// costs.
fn best<'p>(model: &str, prices: impl Iterator<Item = (&'p str, Price)>) -> Option<Price> {
    let fits = |name: &str| {
        let (head, rest) = model.split_at_checked(name.len())?;
        let version = rest.strip_prefix('-');
        (head.eq_ignore_ascii_case(name) && (rest.is_empty() || version.is_some_and(is_version)))
            .then_some(name.len())
    };
    let fitting = prices.filter_map(|(name, price)| Some((fits(name)?, price)));
    fitting.max_by_key(|(length, _)| *length).map(|(_, price)| price)
}

fn is_version(text: &str) -> bool {
    let dated = text.len() >= 3 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    dated || text.eq_ignore_ascii_case("latest")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input_tokens: u64, cached_input_tokens: u64, output_tokens: u64) -> Usage {
        Usage { input_tokens, cached_input_tokens, output_tokens }
    }

    #[test]
    fn a_call_costs_what_its_tokens_cost() {
        let check = |model: &str, usage, expected: Option<f64>| {
            assert_eq!(Prices::default().cost(model, false, usage), expected, "{model}");
        };
        check("claude-sonnet-4-5", usage(1_000_000, 0, 100_000), Some(4.5));
        check("claude-sonnet-4-5-20250929", usage(1000, 400, 10), Some(0.00207));
        check("Claude-Opus-4-20250514", usage(1, 0, 0), Some(0.000_015));
        check("claude-opus-4-5", usage(1, 0, 1), Some(0.000_03));
        check("gpt-4o-2024-08-06", usage(19, 0, 10), Some(0.000_147_5));
        check("gpt-4o-mini", usage(10, 20, 0), Some(0.000_000_75));
        check("echo", usage(10, 0, 10), Some(0.0));
        check("o3", usage(u64::MAX, 0, 0), Some(36_893_488_147_419.1));
    }

    #[test]
    fn no_price_is_made_up() {
        for model in ["", "claude-opus-4-9", "gpt-4o-audio", "o1-pro", "gpt-5.1", "llama3", "kimi-k2", "模型"]
        {
            assert_eq!(Prices::default().cost(model, false, usage(1, 0, 1)), None, "{model}");
        }
        assert_eq!(Prices::default().cost("gpt-4o", true, usage(1, 0, 1)), None, "somebody else's price");
    }

    #[test]
    fn own_prices_go_first() {
        let price = Price { input: 1.0, cached_input: 1.0, output: 2.0 };
        let prices = Prices::new(vec![("gpt-4o".to_owned(), price), ("llama3".to_owned(), price)]);
        assert_eq!(prices.cost("gpt-4o", false, usage(1, 0, 1)), Some(0.000_003));
        assert_eq!(prices.cost("gpt-4o", true, usage(1, 0, 1)), Some(0.000_003));
        assert_eq!(prices.cost("llama3", true, usage(0, 0, 1)), Some(0.000_002));
    }
}
