//! What a prompt may say about where and when it is rendered.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use jiff::Zoned;

use crate::{base::text::is_chinese, catalog::Project};

/// Where and when: the project, its kind, and the time.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    /// Root of the project.
    pub(crate) root: PathBuf,
    /// What kind of project it is.
    pub(crate) project: Project,
    /// Local time.
    pub(crate) now: Zoned,
    /// The branch that is checked out; read only for prompts that use it.
    pub(crate) git_branch: Option<String>,
}

/// A moment that prompts are rendered at again and again.
#[derive(Debug, Clone)]
pub struct Still {
    /// The time.
    pub now: Zoned,
    /// The branch that was checked out.
    pub git_branch: Option<String>,
}

/// The value of the place `{word}`; `None` when there is no such place.
pub(crate) fn word(word: &str, name: &str, language: Language, around: &Surroundings) -> Option<String> {
    let project = &around.project;
    Some(match word {
        "date" => around.now.strftime("%Y-%m-%d").to_string(),
        "datetime" => around.now.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        "weekday" => language.weekday(around.now.weekday()).to_owned(),
        "cwd" => around.root.display().to_string(),
        "git_branch" => around.git_branch.clone().unwrap_or_default(),
        "name" => name.to_owned(),
        "project_type" => project.project_type.as_str().to_owned(),
        "framework" => project.framework.clone(),
        "test_framework" => project.test_framework.clone(),
        "package_manager" => project.package_manager.clone(),
        _ => return None,
    })
}

/// Whether `{word}` is a place at all.
pub(crate) fn is_word(word: &str) -> bool {
    const WORDS: [&str; 10] = [
        "date",
        "datetime",
        "weekday",
        "cwd",
        "git_branch",
        "name",
        "project_type",
        "framework",
        "test_framework",
        "package_manager",
    ];
    WORDS.contains(&word)
}

/// The branch that is checked out at `root`, read from git's own files without starting git; `HEAD` when detached.
///
/// Blocking: reads up to three small files.
pub fn git_branch(root: &Path) -> Option<String> {
    let dot_git =
        root.ancestors().map(|folder| folder.join(".git")).find(|path| path.try_exists().unwrap_or(false))?;
    let folder = if dot_git.is_dir() {
        dot_git
    } else {
        // In a linked work tree `.git` is a file that says where the real folder is.
        let line = first_line(&dot_git)?;
        dot_git.parent()?.join(line.strip_prefix("gitdir:")?.trim())
    };
    let head = first_line(&folder.join("HEAD"))?;
    Some(head.strip_prefix("ref: refs/heads/").unwrap_or("HEAD").to_owned())
}

/// The first line of a small file, trimmed. A repository is somebody else's text, so no more than that is read.
fn first_line(path: &Path) -> Option<String> {
    /// Longer than any path.
    const MOST: u64 = 8192;
    // Opening a pipe would wait for someone to write to it.
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    fs::File::open(path).ok()?.take(MOST).read_to_string(&mut text).ok()?;
    Some(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// The language of the words that surround an employee's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Chinese,
}

impl Language {
    /// The language `text` is written in: Chinese as soon as it holds a Han character.
    pub(crate) fn of(text: &str) -> Self {
        if is_chinese(text) { Self::Chinese } else { Self::English }
    }

    /// The one of two words that is in this language.
    pub(crate) fn pick(self, english: &'static str, chinese: &'static str) -> &'static str {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }

    fn weekday(self, day: jiff::civil::Weekday) -> &'static str {
        use jiff::civil::Weekday;
        match day {
            Weekday::Monday => self.pick("Monday", "星期一"),
            Weekday::Tuesday => self.pick("Tuesday", "星期二"),
            Weekday::Wednesday => self.pick("Wednesday", "星期三"),
            Weekday::Thursday => self.pick("Thursday", "星期四"),
            Weekday::Friday => self.pick("Friday", "星期五"),
            Weekday::Saturday => self.pick("Saturday", "星期六"),
            Weekday::Sunday => self.pick("Sunday", "星期日"),
        }
    }
}
