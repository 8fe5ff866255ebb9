//! A project in a temporary folder, and the program run in it.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
};

use tempfile::TempDir;

use super::PATIENCE;

/// A project that is gone when it is dropped.
pub struct Project {
    folder: TempDir,
}

/// What became of a run of the program.
#[must_use = "look at how it ended"]
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// It ended well; gives what it printed.
    #[track_caller]
    pub fn success(self) -> String {
        assert_eq!(self.code, Some(0), "stderr: {}", self.stderr);
        self.stdout
    }

    /// It ended with this code; gives what it said on stderr.
    #[track_caller]
    pub fn status(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stderr
    }
}

impl Project {
    /// A project without anything in it.
    pub fn empty() -> Self {
        Self { folder: TempDir::with_prefix("crew-").unwrap() }
    }

    /// The project that comes with the program.
    pub fn sample() -> Self {
        let project = Self::empty();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".crew"), &project.path().join(".crew"));
        project
    }

    /// Two employees, `writer` (needs `topic`) and `checker` (needs `text`), who work on `model`.
    pub fn small(model: &str) -> Self {
        let project = Self::empty();
        let employee = |name: &str, arg: &str| {
            format!(
                "---\nname: {name}\ndescription: A {name} for tests\nmodel: {model}\nargs:\n  - name: {arg}\n    required: true\n---\n\nWork on ${arg}.\n"
            )
        };
        project.write(".crew/employees/writer.md", &employee("writer", "topic"));
        project.write(".crew/employees/checker.md", &employee("checker", "text"));
        project
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Every file of it with its content, and every folder.
    pub fn tree(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                found.insert(path.clone(), path.is_file().then(|| fs::read(&path).unwrap()));
                folders.extend(path.is_dir().then_some(path));
            }
        }
        found
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// The program, to be run in this project with nothing of the caller's environment.
    pub fn command(&self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_knowlyr-crew"));
        command
            .args(words)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("TZ", "UTC")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Finished {
        finish(&mut self.command(words), b"")
    }

    /// Runs the program to its end with one more variable in its environment.
    pub fn run_with(
        &self,
        variable: (&str, &str),
        words: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Finished {
        self.run_in(&[variable], words)
    }

    /// Runs the program to its end with more variables in its environment.
    pub fn run_in(
        &self,
        env: &[(&str, &str)],
        words: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Finished {
        finish(self.command(words).envs(env.iter().copied()), b"")
    }

    /// Runs the program to its end with `input` on its stdin.
    pub fn run_on(&self, input: &[u8], words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Finished {
        finish(self.command(words).stdin(Stdio::piped()), input)
    }
}

fn finish(command: &mut Command, input: &[u8]) -> Finished {
    let mut child = command.spawn().unwrap();
    if let Some(mut stdin) = child.stdin.take() {
        // The program may have ended before it read everything.
        let _ = stdin.write_all(input);
    }
    let (pid, (done, ended)) = (child.id(), mpsc::channel());
    thread::spawn(move || done.send(child.wait_with_output()));
    let Ok(output) = ended.recv_timeout(PATIENCE) else {
        let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        panic!("`{command:?}` does not end");
    };
    let output = output.unwrap();
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if !entry.file_name().to_string_lossy().starts_with("tasks.jsonl") {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
