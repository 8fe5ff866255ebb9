//! Accounts of model calls since the program started, as `/metrics` shows them.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use parking_lot::Mutex;
use serde::{Serialize, Serializer};

use super::{Error, Usage, measure};
use crate::base::clock::Stopwatch;

/// Samples kept per latency series; older ones are forgotten.
const LATENCY_SAMPLES: usize = 10_000;
/// Accounts kept by name; calls of further ones are counted under [`OTHER`].
const ACCOUNTS: usize = 1_000;
/// The account of callers beyond the limit.
const OTHER: &str = "other";
/// The provider of calls whose model has none.
pub(super) const NO_PROVIDER: &str = "unknown";

/// One logical call, however often it was retried.
#[derive(Debug)]
pub struct Call<'a> {
    /// Whom it is charged to.
    pub account: &'a str,
    /// Who answered or should have.
    pub provider: &'a str,
    /// The tokens it took, or why it failed.
    pub outcome: Result<Usage, &'a Error>,
    /// Requests that were sent for it.
    pub attempts: u32,
    /// How long it took, retries included; absent when nothing was sent.
    pub latency: Option<Duration>,
    /// How long it took until the first text was there, when it was told while it came in.
    pub first_token: Option<Duration>,
    /// What it cost in US dollars, when that is known.
    pub cost_usd: Option<f64>,
}

impl<'a> Call<'a> {
    /// A call that was refused before anything was sent.
    pub(super) fn refused(account: &'a str, provider: &'a str, error: &'a Error) -> Self {
        Self {
            account,
            provider,
            outcome: Err(error),
            attempts: 0,
            latency: None,
            first_token: None,
            cost_usd: None,
        }
    }
}

/// Counts calls. Share it in an `Arc`.
#[derive(Debug)]
pub struct Meter {
    since: Stopwatch,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    calls: Calls,
    tokens: Tokens,
    by_employee: BTreeMap<String, Account>,
    by_provider: BTreeMap<String, ByProvider>,
    latency: VecDeque<Duration>,
    latency_by_provider: HashMap<String, VecDeque<Duration>>,
    first_token: VecDeque<Duration>,
    cost_usd: f64,
}

/// Calls by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// All of them.
    pub total: u64,
    /// Those that were answered.
    pub success: u64,
    /// Those that were not.
    pub failed: u64,
}

/// Tokens of all calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tokens {
    /// Read by models.
    pub input: u64,
    /// Written by models.
    pub output: u64,
}

/// What one account used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Calls, failed ones included.
    pub calls: u64,
    /// Tokens read and written.
    pub tokens: u64,
}

/// How one provider did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ByProvider {
    /// Calls in all.
    pub calls: u64,
    /// Those it answered.
    pub success: u64,
    /// Those it did not.
    pub failed: u64,
    /// Failures by [`Error::class`].
    pub errors: BTreeMap<String, u64>,
    /// Requests that were sent for them, retries among them.
    pub attempts: u64,
}

/// How long calls took, over the last 10 000 samples of a series. Milliseconds, rounded to a tenth.
///
/// With n samples in rising order, p50 is the one at index ⌊n/2⌋ and p95 the one at index ⌊0.95·n⌋.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Samples the rest is computed from.
    pub count: usize,
    /// Mean.
    #[serde(serialize_with = "tenths")]
    pub mean_ms: f64,
    /// Upper median.
    #[serde(serialize_with = "tenths")]
    pub p50_ms: f64,
    /// 95th percentile.
    #[serde(serialize_with = "tenths")]
    pub p95_ms: f64,
    /// Slowest.
    #[serde(serialize_with = "tenths")]
    pub max_ms: f64,
}

/// The accounts at one moment. The order of the keys is part of the format.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    /// Since the meter was made, rounded.
    pub uptime_seconds: u64,
    /// Calls by how they ended.
    pub calls: Calls,
    /// Tokens of all calls.
    pub tokens: Tokens,
    /// By account; at most 1000 names and `other`.
    pub by_employee: BTreeMap<String, Account>,
    /// By provider; `unknown` for models without one.
    pub by_provider: BTreeMap<String, ByProvider>,
    /// Of all calls that were sent, failed ones included: a provider that never answers must show.
    pub latency: Latency,
    /// The same by provider.
    pub latency_by_provider: BTreeMap<String, Latency>,
    /// Until the first text of calls that were told while they came in.
    pub first_token: Latency,
    /// US dollars in all, as far as prices are known. Not part of the format.
    #[serde(skip)]
    pub cost_usd: f64,
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

impl Meter {
    /// A meter at zero; its uptime begins now.
    pub fn new() -> Self {
        Self { since: Stopwatch::start(), counts: Mutex::default() }
    }

    /// Calls so far, by how they ended.
    pub fn calls(&self) -> Calls {
        self.counts.lock().calls
    }

    /// Counts one call.
    pub fn record(&self, call: &Call<'_>) {
        let account = self.counts.lock().add(call);
        measure::call(call, &account);
    }

    /// What nineteen of twenty of the newest `count` calls that were sent took; `None` when none was.
    pub fn p95_of_newest(&self, count: u64) -> Option<Duration> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut samples: Vec<_> = self.counts.lock().latency.iter().rev().take(count).copied().collect();
        samples.sort_unstable();
        samples.get(samples.len() * 95 / 100).copied()
    }

    /// The accounts as they stand. Samples are copied under the lock and sorted outside it.
    pub fn snapshot(&self) -> Snapshot {
        let uptime = self.since.elapsed();
        let counts = self.counts.lock();
        let (calls, tokens) = (counts.calls, counts.tokens);
        let (by_employee, by_provider) = (counts.by_employee.clone(), counts.by_provider.clone());
        let latency: Vec<_> = counts.latency.iter().copied().collect();
        let (first_token, cost_usd) = (counts.first_token.iter().copied().collect(), counts.cost_usd);
        let series: Vec<(_, Vec<_>)> = counts
            .latency_by_provider
            .iter()
            .map(|(provider, samples)| (provider.clone(), samples.iter().copied().collect()))
            .collect();
        drop(counts);
        Snapshot {
            uptime_seconds: uptime.as_secs() + u64::from(uptime.subsec_millis() >= 500),
            calls,
            tokens,
            by_employee,
            by_provider,
            latency: Latency::of(latency),
            latency_by_provider: series
                .into_iter()
                .map(|(provider, samples)| (provider, Latency::of(samples)))
                .collect(),
            first_token: Latency::of(first_token),
            cost_usd,
        }
    }
}

impl Counts {
    /// Counts one call, and says under which account.
    fn add(&mut self, call: &Call<'_>) -> String {
        let usage = call.outcome.unwrap_or_default();
        let provider = self.by_provider.entry(call.provider.to_owned()).or_default();
        self.calls.total += 1;
        provider.calls += 1;
        provider.attempts += u64::from(call.attempts);
        match call.outcome {
            Ok(_) => {
                self.calls.success += 1;
                provider.success += 1;
            }
            Err(error) => {
                self.calls.failed += 1;
                provider.failed += 1;
                *provider.errors.entry(error.class()).or_default() += 1;
            }
        }
        self.tokens.input += usage.input_tokens;
        self.tokens.output += usage.output_tokens;
        let account = self.account(call.account);
        account.calls += 1;
        account.tokens += usage.input_tokens + usage.output_tokens;
        self.cost_usd += call.cost_usd.unwrap_or_default();
        if let Some(first) = call.first_token {
            keep(&mut self.first_token, first);
        }
        if let Some(latency) = call.latency {
            keep(&mut self.latency, latency);
            keep(self.latency_by_provider.entry(call.provider.to_owned()).or_default(), latency);
        }
        self.account_name(call.account).to_owned()
    }

    fn account(&mut self, name: &str) -> &mut Account {
        let name = self.account_name(name).to_owned();
        self.by_employee.entry(name).or_default()
    }

    fn account_name<'n>(&self, name: &'n str) -> &'n str {
        let known = self.by_employee.contains_key(name) || self.by_employee.len() < ACCOUNTS;
        if known { name } else { OTHER }
    }
}

fn keep(samples: &mut VecDeque<Duration>, sample: Duration) {
    if samples.len() == LATENCY_SAMPLES {
        samples.pop_front();
    }
    samples.push_back(sample);
}

impl Latency {
    fn of(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        let n = samples.len();
        let ms = |sample: Duration| (sample.as_secs_f64() * 10_000.0).round() / 10.0;
        let at = |index: usize| samples.get(index).map_or(0.0, |sample| ms(*sample));
        let sum: Duration = samples.iter().sum();
        let mean = u32::try_from(n).ok().and_then(|n| sum.checked_div(n)).unwrap_or_default();
        Self {
            count: n,
            mean_ms: ms(mean),
            p50_ms: at(n / 2),
            p95_ms: at(n * 95 / 100),
            max_ms: at(n.saturating_sub(1)),
        }
    }
}

/// Zero is written `0`, as readers of an empty series have always seen it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn tenths<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if *value == 0.0 { serializer.serialize_u64(0) } else { serializer.serialize_f64(*value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(values: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        values.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn an_unused_meter_is_all_zeros() {
        let json = serde_json::to_string(&Meter::new().snapshot()).unwrap();
        assert_eq!(
            json,
            r#"{"uptime_seconds":0,"calls":{"total":0,"success":0,"failed":0},"tokens":{"input":0,"output":0},"by_employee":{},"by_provider":{},"latency":{"count":0,"mean_ms":0,"p50_ms":0,"p95_ms":0,"max_ms":0},"latency_by_provider":{},"first_token":{"count":0,"mean_ms":0,"p50_ms":0,"p95_ms":0,"max_ms":0}}"#
        );
    }

    #[test]
    fn percentiles_are_the_documented_elements() {
        let latency = Latency::of(ms((1..=100).rev()));
        assert_eq!(latency, Latency { count: 100, mean_ms: 50.5, p50_ms: 51.0, p95_ms: 96.0, max_ms: 100.0 });
        assert_eq!(serde_json::to_value(latency).unwrap()["p50_ms"].to_string(), "51.0");
        assert!((Latency::of(ms([100, 200, 300])).mean_ms - 200.0).abs() < f64::EPSILON);
        let twenty = Latency::of(ms(1..=20));
        assert_eq!((twenty.p50_ms, twenty.p95_ms), (11.0, 20.0));
        let one = Latency::of(vec![Duration::from_micros(1_260)]);
        assert_eq!((one.mean_ms, one.p50_ms, one.p95_ms, one.max_ms), (1.3, 1.3, 1.3, 1.3));
    }

    #[test]
    fn calls_are_counted_by_account_and_provider() {
        let meter = Meter::new();
        let usage = Usage { input_tokens: 12, cached_input_tokens: 0, output_tokens: 7 };
        let latency = Some(Duration::from_millis(10));
        let (first_token, cost_usd) = (Some(Duration::from_millis(3)), Some(0.25));
        meter.record(&Call {
            account: "a",
            provider: "openai",
            outcome: Ok(usage),
            attempts: 3,
            latency,
            first_token,
            cost_usd,
        });
        let timeout = Error::Timeout { provider: "openai".into(), after: Duration::from_secs(1) };
        meter.record(&Call { latency, ..Call::refused("a", "openai", &timeout) });
        let unknown = Error::UnknownModel { model: "x".to_owned(), known: String::new() };
        meter.record(&Call::refused("b", NO_PROVIDER, &unknown));
        let snapshot = meter.snapshot();
        assert_eq!(
            (snapshot.first_token.count, snapshot.first_token.max_ms, snapshot.cost_usd),
            (1, 3.0, 0.25)
        );
        let mut snapshot = serde_json::to_value(snapshot).unwrap();
        snapshot["uptime_seconds"] = 0.into();
        assert_eq!(
            snapshot,
            serde_json::json!({
                "uptime_seconds": 0,
                "calls": {"total": 3, "success": 1, "failed": 2},
                "tokens": {"input": 12, "output": 7},
                "by_employee": {"a": {"calls": 2, "tokens": 19}, "b": {"calls": 1, "tokens": 0}},
                "by_provider": {
                    "openai": {"calls": 2, "success": 1, "failed": 1, "errors": {"timeout": 1}, "attempts": 3},
                    "unknown": {"calls": 1, "success": 0, "failed": 1, "errors": {"unknown_model": 1}, "attempts": 0},
                },
                "latency": {"count": 2, "mean_ms": 10.0, "p50_ms": 10.0, "p95_ms": 10.0, "max_ms": 10.0},
                "latency_by_provider": {
                    "openai": {"count": 2, "mean_ms": 10.0, "p50_ms": 10.0, "p95_ms": 10.0, "max_ms": 10.0},
                },
                "first_token": {"count": 1, "mean_ms": 3.0, "p50_ms": 3.0, "p95_ms": 3.0, "max_ms": 3.0},
            })
        );
    }

    #[test]
    fn names_and_samples_are_bounded() {
        let meter = Meter::new();
        for n in 0..LATENCY_SAMPLES as u64 + 500 {
            let account = format!("account-{n}");
            let latency = Some(Duration::from_millis(n));
            meter.record(&Call {
                account: &account,
                provider: "echo",
                outcome: Ok(Usage::default()),
                attempts: 1,
                latency,
                first_token: latency,
                cost_usd: None,
            });
        }
        let snapshot = meter.snapshot();
        assert_eq!(snapshot.by_employee.len(), ACCOUNTS + 1);
        assert_eq!(snapshot.by_employee[OTHER].calls, (LATENCY_SAMPLES + 500 - ACCOUNTS) as u64);
        assert_eq!(snapshot.latency.count, LATENCY_SAMPLES);
        let latency = serde_json::to_value(snapshot.latency_by_provider["echo"]).unwrap();
        assert_eq!((latency["count"].as_u64(), latency["max_ms"].as_f64()), (Some(10_000), Some(10_499.0)));
    }
}
