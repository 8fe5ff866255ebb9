//! Tools with which an employee looks at the files of its project, and at nothing else.
//!
//! What begins with a dot stays closed (keys, version control, crew's own records), as does `private/`; no link is
//! followed, so nothing outside the project is read.

use std::{fmt, fs, path::Path};

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::files::{self, Unread},
    tools::{Annotations, Ctx, Error, Office, Tool},
};

/// Most lines that one call hands out.
const MOST_LINES: usize = 2000;
/// Most matches of a search, and most names of a listing.
const MOST_FOUND: usize = 200;
/// Most files and folders that one call looks at.
const MOST_FILES: usize = 20_000;
/// Most characters of a line that is shown.
const LINE_CHARS: usize = 400;

/// Folders that hold what others made.
const SKIPPED: [&str; 7] = ["node_modules", "target", "vendor", "dist", "build", "venv", "private"];

/// Reads a file.
pub(super) struct FileRead(pub(super) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadArgs {
    /// Path of the file, relative to the project.
    path: String,
    /// First line, from 1.
    #[serde(default)]
    offset: Option<usize>,
    /// How many lines, at most 2000.
    #[serde(default)]
    limit: Option<usize>,
}

/// A text.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Text {
    text: String,
}

impl Text {
    pub(super) fn new(text: String) -> Self {
        Self { text }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Tool for FileRead {
    type Args = ReadArgs;
    type Output = Text;

    const NAME: &'static str = "file_read";
    const TITLE: &'static str = "Read a file";
    const SUMMARY: &'static str = "Reads a text file of the project, each line with its number.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, args: ReadArgs) -> Result<Text, Error> {
        let root = self.0.crew.root().to_owned();
        apart(move || {
            let (first, limit) = (args.offset.unwrap_or(1).max(1), args.limit.unwrap_or(MOST_LINES));
            let text = files::read(&files::inside(&root, &args.path)?, &args.path)?;
            let lines = text.lines().enumerate().skip(first - 1).take(limit.min(MOST_LINES));
            let lines: Vec<_> = lines.map(|(at, line)| format!("{}\t{}\n", at + 1, shown(line))).collect();
            Ok(Text { text: lines.concat() })
        })
        .await
    }

    fn text(output: &Text) -> Option<String> {
        Some(output.text.clone())
    }
}

/// Searches files.
pub(super) struct Grep(pub(super) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GrepArgs {
    /// A regular expression.
    pattern: String,
    /// A folder or a file to search, relative to the project; all of it, unless given.
    #[serde(default)]
    path: Option<String>,
}

impl Tool for Grep {
    type Args = GrepArgs;
    type Output = Text;

    const NAME: &'static str = "grep";
    const TITLE: &'static str = "Search files";
    const SUMMARY: &'static str =
        "Finds the lines in text files of the project, up to 1 MiB each, that match a regular expression.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, ctx: Ctx, args: GrepArgs) -> Result<Text, Error> {
        let root = self.0.crew.root().to_owned();
        let pattern =
            Regex::new(&args.pattern).map_err(|error| Error::Arguments(format!("`pattern`: {error}")))?;
        apart(move || {
            let mut found = Vec::new();
            walk(&root, args.path.as_deref(), ctx.cancelled(), &mut |name, path| {
                // What cannot be read as text has no lines to find.
                let Ok(text) = files::read(path, name) else { return true };
                let matching = text.lines().enumerate().filter(|(_, line)| pattern.is_match(line));
                found.extend(matching.map(|(at, line)| format!("{name}:{}: {}", at + 1, shown(line))));
                found.len() < MOST_FOUND
            })?;
            Ok(Text { text: listing(found, "no line matches") })
        })
        .await
    }

    fn text(output: &Text) -> Option<String> {
        Some(output.text.clone())
    }
}

/// Lists files.
pub(super) struct Glob(pub(super) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GlobArgs {
    /// What the paths look like, relative to the project: `src/**/*.rs`; `*` stands for anything in a name, `**` for any
    /// folders. All files, unless given.
    #[serde(default)]
    pattern: Option<String>,
}

impl Tool for Glob {
    type Args = GlobArgs;
    type Output = Text;

    const NAME: &'static str = "glob";
    const TITLE: &'static str = "List files";
    const SUMMARY: &'static str = "Lists the files of the project whose paths look like a pattern.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, ctx: Ctx, args: GlobArgs) -> Result<Text, Error> {
        let root = self.0.crew.root().to_owned();
        let pattern = matcher(args.pattern.as_deref().unwrap_or("**"))?;
        apart(move || {
            let mut found = Vec::new();
            walk(&root, None, ctx.cancelled(), &mut |name, _| {
                if pattern.is_match(name) {
                    found.push(name.to_owned());
                }
                found.len() < MOST_FOUND
            })?;
            Ok(Text { text: listing(found, "there is no such file") })
        })
        .await
    }

    fn text(output: &Text) -> Option<String> {
        Some(output.text.clone())
    }
}

/// Does `work` where it keeps nothing else waiting.
pub(super) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Error::Failed(error.to_string())))
}

/// Hands every open file below `path` to `each`, in the order of their names, until that says no or nobody wants to know
/// any more.
fn walk(
    root: &Path,
    path: Option<&str>,
    cancelled: &CancellationToken,
    each: &mut dyn FnMut(&str, &Path) -> bool,
) -> Result<(), Error> {
    let start = files::inside(root, path.unwrap_or("."))?;
    let mut looked = 0;
    let mut waiting = vec![start];
    while let Some(place) = waiting.pop() {
        looked += 1;
        if looked > MOST_FILES || cancelled.is_cancelled() {
            return Ok(());
        }
        if !place.is_dir() {
            let name = place.strip_prefix(root).unwrap_or(&place).to_string_lossy().replace('\\', "/");
            if !each(&name, &place) {
                return Ok(());
            }
            continue;
        }
        let Ok(entries) = fs::read_dir(&place) else { continue };
        let open = entries.filter_map(Result::ok).filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let linked = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            files::is_open(&name) && !linked && !SKIPPED.contains(&name.as_str())
        });
        let mut open: Vec<_> = open.map(|entry| entry.path()).collect();
        open.sort_unstable_by(|a, b| b.cmp(a));
        waiting.append(&mut open);
    }
    Ok(())
}

/// A pattern of paths as an expression.
fn matcher(pattern: &str) -> Result<Regex, Error> {
    let mut expression = String::from("^");
    let mut rest = pattern.trim_start_matches("./");
    while let Some(letter) = rest.chars().next() {
        let (taken, becomes) = if rest.starts_with("**/") {
            (3, "(?:.*/)?".to_owned())
        } else if rest.starts_with("**") {
            (2, ".*".to_owned())
        } else {
            let becomes = match letter {
                '*' => "[^/]*".to_owned(),
                '?' => "[^/]".to_owned(),
                other => regex_syntax::escape(other.encode_utf8(&mut [0; 4])),
            };
            (letter.len_utf8(), becomes)
        };
        expression.push_str(&becomes);
        rest = rest.get(taken..).unwrap_or_default();
    }
    Regex::new(&(expression + "$")).map_err(|error| Error::Arguments(format!("`pattern`: {error}")))
}

impl From<Unread> for Error {
    fn from(unread: Unread) -> Self {
        let message = unread.to_string();
        match unread {
            Unread::Closed(_) | Unread::Outside(_) | Unread::Link(_) => Self::Denied(message),
            _ => Self::Failed(message),
        }
    }
}

fn shown(line: &str) -> String {
    crate::base::text::truncate(line, LINE_CHARS)
}

fn listing(mut found: Vec<String>, none: &str) -> String {
    if found.is_empty() {
        return none.to_owned();
    }
    if found.len() >= MOST_FOUND {
        found.truncate(MOST_FOUND);
        found.push("… and maybe more; ask for less".to_owned());
    }
    found.join("\n")
}
