//! Tools with which an employee looks at the history of its project, and changes nothing in it.
//!
//! A repository is somebody else's: what its configuration would have git run (filters, hooks, monitors, other programs
//! that compare or show, helpers that fetch) is switched off for each call, and what is closed to `file_read` is closed
//! here. What a model names is a commit before anything is done with it, so it can be no option and no single file.

use std::{
    path::{Component, Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::{io::AsyncReadExt as _, process::Command};

use super::files::Text;
use crate::{
    engine::files::is_open,
    tools::{Annotations, Ctx, Error, Office, Tool},
};

/// What one call of git may take.
const TIME: Duration = Duration::from_secs(10);
/// Most bytes that are read of what git says.
const MOST_BYTES: u64 = 64 << 10;
/// Most commits of a list.
const MOST_COMMITS: usize = 100;
/// Longest name of a commit.
const LONGEST: usize = 256;

/// Settings that go before those of the repository.
const SETTINGS: [(&str, &str); 10] = [
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.untrackedCache", "false"),
    ("core.quotePath", "false"),
    ("log.showSignature", "false"),
    ("log.mailmap", "false"),
    ("diff.ignoreSubmodules", "all"),
    ("status.submoduleSummary", "false"),
    ("submodule.recurse", "false"),
    ("maintenance.auto", "false"),
];

/// What stays closed, as [`is_open`] has it.
const OPEN: [&str; 5] = [
    ".",
    ":(exclude,glob)**/.*",
    ":(exclude,glob)**/.*/**",
    ":(exclude,glob)**/private",
    ":(exclude,glob)**/private/**",
];

/// Shows what was changed since the last commit.
pub(super) struct GitStatus(pub(super) Office);
/// Lists commits.
pub(super) struct GitLog(pub(super) Office);
/// Compares.
pub(super) struct GitDiff(pub(super) Office);
/// Shows one commit.
pub(super) struct GitShow(pub(super) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatusArgs {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogArgs {
    /// How many commits, at most 100; 20 unless given.
    #[serde(default)]
    limit: Option<usize>,
    /// The commit to begin with: a branch, a tag or an id. The one that is checked out, unless given.
    #[serde(default)]
    revision: Option<String>,
    /// A file or a folder that the commits are about, relative to the project.
    #[serde(default)]
    path: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DiffArgs {
    /// The commit to compare from; the one that is checked out, unless given.
    #[serde(default)]
    from: Option<String>,
    /// The commit to compare with; the files as they are now, unless given.
    #[serde(default)]
    to: Option<String>,
    /// A file or a folder, relative to the project; all, unless given.
    #[serde(default)]
    path: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowArgs {
    /// The commit: a branch, a tag or an id.
    revision: String,
    /// A file or a folder, relative to the project; all, unless given.
    #[serde(default)]
    path: Option<String>,
}

macro_rules! tool {
    ($tool:ident, $args:ident, $name:literal, $title:literal, $summary:literal, $work:expr) => {
        impl Tool for $tool {
            type Args = $args;
            type Output = Text;

            const NAME: &'static str = $name;
            const TITLE: &'static str = $title;
            const SUMMARY: &'static str = $summary;
            const ANNOTATIONS: Annotations = Annotations::READS;

            async fn call(&self, ctx: Ctx, args: $args) -> Result<Text, Error> {
                let work = async {
                    let git = Git::of(&self.0).await?;
                    let work = $work;
                    work(git, args).await
                };
                tokio::select! {
                    () = ctx.cancelled().cancelled() => Err(Error::Failed("nobody waits for it any more".to_owned())),
                    done = tokio::time::timeout(TIME, work) => {
                        done.unwrap_or_else(|_| Err(Error::Failed(format!("git took longer than {} s", TIME.as_secs()))))
                    }
                }
            }

            fn text(output: &Text) -> Option<String> {
                Some(output.to_string())
            }
        }
    };
}

tool!(
    GitStatus,
    StatusArgs,
    "git_status",
    "Show what is changed",
    "Tells the branch of the project and its files that are changed or new since the last commit.",
    |git: Git, _: StatusArgs| async move {
        let words = ["status", "--short", "--branch", "--ignore-submodules=all", "--untracked-files=normal"];
        git.say(&words, None, None).await
    }
);

tool!(
    GitLog,
    LogArgs,
    "git_log",
    "List commits",
    "Lists the commits of the project, the newest first: id, date, author, subject.",
    |git: Git, args: LogArgs| async move {
        let count = format!("--max-count={}", args.limit.unwrap_or(20).clamp(1, MOST_COMMITS));
        let commit = git.commit(args.revision.as_deref().unwrap_or("HEAD")).await?;
        let words = ["log", &count, "--date=short", "--format=%h %ad %an: %s", "--no-decorate", &commit];
        git.say(&words, args.path.as_deref(), Some("there is no such commit")).await
    }
);

tool!(
    GitDiff,
    DiffArgs,
    "git_diff",
    "Compare",
    "Shows what is different in the files of the project between two commits, or a commit and the files as they are now.",
    |git: Git, args: DiffArgs| async move {
        let from = git.commit(args.from.as_deref().unwrap_or("HEAD")).await?;
        let to = match &args.to {
            Some(to) => Some(git.commit(to).await?),
            None => None,
        };
        let mut words = vec!["diff"];
        words.extend(COMPARING);
        words.push(&from);
        words.extend(to.as_deref());
        git.say(&words, args.path.as_deref(), Some("nothing is different")).await
    }
);

tool!(
    GitShow,
    ShowArgs,
    "git_show",
    "Show a commit",
    "Shows a commit of the project: who, when, why, and what it changed.",
    |git: Git, args: ShowArgs| async move {
        let commit = git.commit(&args.revision).await?;
        let mut words = vec!["show", "--date=iso", "--format=%H%n%an, %ad%n%n%B", "--no-decorate"];
        words.extend(COMPARING);
        words.push(&commit);
        git.say(&words, args.path.as_deref(), None).await
    }
);

/// Compared is by git alone, inside the project.
const COMPARING: [&str; 6] = [
    "--no-ext-diff",
    "--no-textconv",
    "--relative",
    "--submodule=short",
    "--ignore-submodules=all",
    "--patch-with-stat",
];

/// The repository of a project.
struct Git {
    /// The project, which may be a part of it.
    root: PathBuf,
    /// Where it begins.
    top: PathBuf,
    /// Where programs are.
    path: Option<String>,
    /// Settings that name programs which the repository would have its files run through.
    filters: Vec<String>,
}

impl Git {
    async fn of(office: &Office) -> Result<Self, Error> {
        let root = office.crew.root().to_owned();
        let root = tokio::fs::canonicalize(&root).await.unwrap_or(root);
        let mut folders = root.ancestors();
        let top = loop {
            let folder =
                folders.next().ok_or_else(|| Error::Failed("the project is not kept by git".to_owned()))?;
            if tokio::fs::try_exists(folder.join(".git")).await.unwrap_or(false) {
                break folder.to_owned();
            }
        };
        let path = office.crew.variable("PATH").map(|path| path.expose().to_owned());
        let mut git = Self { root, top, path, filters: Vec::new() };
        let (known, cut) = git.run(&["config", "--list", "--name-only", "-z"], &[]).await?;
        if cut {
            return Err(Error::Failed(
                "the configuration of the repository is too long to be made safe".to_owned(),
            ));
        }
        git.filters = known.split('\0').filter(|name| runs_a_program(name)).map(str::to_owned).collect();
        Ok(git)
    }

    /// The id of the commit that `name` leads to.
    async fn commit(&self, name: &str) -> Result<String, Error> {
        let none =
            || Error::Arguments(format!("there is no commit `{}`", crate::base::text::truncate(name, 60)));
        if name.starts_with('-') || name.len() > LONGEST || name.contains(char::is_control) {
            return Err(none());
        }
        let commit = format!("{name}^{{commit}}");
        let (id, _) =
            self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit], &[]).await?;
        let id = id.trim();
        let is_id = id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_id { Ok(id.to_owned()) } else { Err(none()) }
    }

    /// What git says to `words` about what is open below `path`; `none` in place of nothing.
    async fn say(&self, words: &[&str], path: Option<&str>, none: Option<&str>) -> Result<Text, Error> {
        let literal = path.filter(|path| !matches!(*path, "" | "." | "./")).map(literal).transpose()?;
        let open =
            literal.as_deref().into_iter().chain(OPEN.into_iter().skip(usize::from(literal.is_some())));
        let paths: Vec<&str> = ["--"].into_iter().chain(open).collect();
        let (mut text, cut) = self.run(words, &paths).await?;
        if cut {
            text.push_str("\n… and more; ask for less");
        }
        if text.trim().is_empty() {
            none.unwrap_or_default().clone_into(&mut text);
        }
        Ok(Text::new(text))
    }

    /// What git says, and whether that was cut. It says nothing when it fails for what it was asked.
    async fn run(&self, words: &[&str], paths: &[&str]) -> Result<(String, bool), Error> {
        let unusable = |error: std::io::Error| Error::Unavailable {
            message: format!("git cannot be run: {error}"),
            retry_after: None,
        };
        let mut command = Command::new("git");
        command.env_clear().args(["--no-pager", "--no-optional-locks"]);
        // Not as options: these end a name at the first `=`, and names may hold one.
        let settings = SETTINGS.into_iter().chain(self.filters.iter().map(|name| (name.as_str(), "")));
        let mut count = 0;
        for (name, value) in settings {
            command
                .env(format!("GIT_CONFIG_KEY_{count}"), name)
                .env(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        command.env("GIT_CONFIG_COUNT", count.to_string());
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        command
            .args(words)
            .args(paths)
            .env("GIT_DIR", self.top.join(".git"))
            .env("GIT_WORK_TREE", &self.top)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_ALLOW_PROTOCOL", "none")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(unusable)?;
        let mut said = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MOST_BYTES + 1).read_to_end(&mut said).await.map_err(unusable)?;
        }
        let most = usize::try_from(MOST_BYTES).unwrap_or(usize::MAX);
        let cut = said.len() > most;
        said.truncate(most);
        if cut {
            // It may wait for somebody to read the rest.
            child.kill().await.map_err(unusable)?;
        } else {
            child.wait().await.map_err(unusable)?;
        }
        Ok((String::from_utf8_lossy(&said).into_owned(), cut))
    }
}

/// Whether a setting of a repository names a program that files are run through.
fn runs_a_program(name: &str) -> bool {
    let filter = name.starts_with("filter.") || name.starts_with("diff.");
    filter
        && [".clean", ".smudge", ".process", ".required", ".textconv", ".command"]
            .iter()
            .any(|end| name.ends_with(end))
}

/// A path that stands for itself.
///
/// # Errors
/// When it leads out of the project, or to what is closed.
fn literal(path: &str) -> Result<String, Error> {
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) if is_open(&name.to_string_lossy()) => {}
            Component::CurDir => {}
            Component::Normal(_) => return Err(Error::Denied(format!("`{path}` is closed to employees"))),
            _ => return Err(Error::Denied(format!("`{path}` is not inside the project"))),
        }
    }
    Ok(format!(":(literal){path}"))
}
