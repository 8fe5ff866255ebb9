//! Recordings: folders of readable files that hold a run, and every exchange with models and tools in it.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use indexmap::IndexMap;
use jiff::Zoned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Environment, Settings};
use crate::{
    base::{Secret, clock},
    defs::AdHoc,
    engine::{Beginning, Still, branch_of},
    llm::{Exchange, Tape},
    store::document,
};

/// Where recordings are, relative to the root of a project.
pub const RECORDINGS: &str = ".crew/recordings";

const RUN: &str = "run.json";
const VERSION: u32 = 1;

/// What was run, and when.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    version: u32,
    /// What kind of thing: `employee`, `pipeline` or `discussion`.
    pub kind: String,
    /// Its name.
    pub target: String,
    /// The values it was given by name.
    #[serde(default)]
    pub args: IndexMap<String, String>,
    /// And those without.
    #[serde(default)]
    pub positional: Vec<String>,
    /// The model the run asked for.
    #[serde(default)]
    pub model: Option<String>,
    /// How the run of an employee began.
    #[serde(default, skip_serializing_if = "Beginning::is_usual")]
    pub beginning: Beginning,
    /// A discussion that was made up on the spot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_up: Option<AdHoc>,
    /// Whether every step that asked for an approval got one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approve: bool,
    /// What prompts say of the time.
    clock: Zoned,
    /// And of the branch that is checked out.
    #[serde(default)]
    git_branch: Option<String>,
    /// The files of its exchanges.
    #[serde(default)]
    exchanges: Vec<String>,
}

impl Recorded {
    /// A run that begins now, in the project at `root`.
    pub fn new(root: &Path, kind: &str, target: &str) -> Self {
        Self {
            version: VERSION,
            kind: kind.to_owned(),
            target: target.to_owned(),
            args: IndexMap::new(),
            positional: Vec::new(),
            model: None,
            beginning: Beginning::default(),
            made_up: None,
            approve: false,
            clock: clock::now().to_zoned(jiff::tz::TimeZone::system()),
            git_branch: branch_of(root),
            exchanges: Vec::new(),
        }
    }

    /// Reads the recording in `folder`.
    ///
    /// # Errors
    /// When a file of it is not there or cannot be read.
    pub fn load(folder: &Path) -> anyhow::Result<(Self, Vec<Exchange>)> {
        let run: Self = read(&folder.join(RUN))?;
        anyhow::ensure!(
            run.version == VERSION,
            "`{}` is of version {}; this program reads {VERSION}",
            folder.display(),
            run.version
        );
        let exchanges = run.exchanges.iter().map(|name| {
            anyhow::ensure!(
                is_exchange(name),
                "`{name}` in `{}` is no name of an exchange",
                folder.display()
            );
            let exchange: Value = read(&folder.join(name))?;
            serde_json::from_value(unfolded(exchange))
                .with_context(|| format!("`{name}` in `{}`", folder.display()))
        });
        let exchanges = exchanges.collect::<anyhow::Result<_>>()?;
        Ok((run, exchanges))
    }

    /// Writes the recording into `folder`, in place of one that is there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&mut self, folder: &Path, exchanges: &[Exchange]) -> anyhow::Result<()> {
        let before = read::<Self>(&folder.join(RUN)).map(|run| run.exchanges).unwrap_or_default();
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        self.exchanges.clear();
        for exchange in exchanges {
            let number = numbers.entry(&exchange.who).or_default();
            *number += 1;
            let name = format!("{}-{number}.json", exchange.who);
            anyhow::ensure!(is_exchange(&name), "`{}` is no name for a file", exchange.who);
            write(&folder.join(&name), &folded(json!(exchange)))?;
            self.exchanges.push(name);
        }
        write(&folder.join(RUN), &json!(self))?;
        for name in before.iter().filter(|name| is_exchange(name) && !self.exchanges.contains(name)) {
            // It may be gone already.
            let _ = std::fs::remove_file(folder.join(name));
        }
        Ok(())
    }
}

impl Settings {
    /// The same with all calls on `tape`, as they were or are at the time of `run`.
    #[must_use]
    pub fn on_tape(mut self, tape: &Tape, run: &Recorded, root: &Path, env: &Environment) -> Self {
        // What is shorter is a placeholder, and part of ordinary words.
        let hide = |tape: &Tape, secret: &Secret| {
            if secret.expose().len() >= 8 {
                tape.mask(secret, "***");
            }
        };
        for secret in env.secrets() {
            hide(tape, &secret);
        }
        if let Some(root) = root.to_str().filter(|root| root.len() > 1).and_then(Secret::new) {
            tape.mask(&root, "{cwd}");
        }
        let (known, masks) = (self.models.variable.clone(), tape.clone());
        self.models.variable = std::sync::Arc::new(move |name| {
            let secret = known(name)?;
            hide(&masks, &secret);
            Some(secret)
        });
        for provider in self.llm.providers.iter() {
            if let Some(secret) = provider.secret() {
                hide(tape, secret);
            }
        }
        self.llm.tape = Some(tape.clone());
        self.still = Some(Still { now: run.clock.clone(), git_branch: run.git_branch.clone() });
        self
    }
}

/// A name of one file, and none that leads elsewhere.
fn is_exchange(name: &str) -> bool {
    let stem = name.strip_suffix(".json").unwrap_or_default();
    name != RUN && !stem.is_empty() && stem.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let bytes = document::read(path)?.with_context(|| format!("there is no file `{}`", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("`{}` cannot be read", path.display()))
}

fn write(path: &Path, value: &Value) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    Ok(document::publish(path, text.as_bytes())?)
}

/// What stands for a text of several lines: one in a row is easier to read, and to compare.
const LINES: &str = "|";

/// With texts of several lines as lists of lines.
pub fn folded(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\n') => json!({LINES: text.split('\n').collect::<Vec<_>>()}),
        Value::Array(items) => items.into_iter().map(folded).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, folded(value))).collect(),
        other => other,
    }
}

fn unfolded(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            if let (1, Some(Value::Array(lines))) = (fields.len(), fields.get(LINES))
                && let Some(lines) = lines.iter().map(Value::as_str).collect::<Option<Vec<_>>>()
            {
                return Value::String(lines.join("\n"));
            }
            fields.into_iter().map(|(name, value)| (name, unfolded(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(unfolded).collect(),
        other => other,
    }
}
