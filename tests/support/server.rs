//! The server as an operator starts it: a process with an address.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader},
    process::{Child, Command},
    sync::{Arc, Mutex, mpsc},
    thread,
};

use super::{PATIENCE, Project, client};

/// A running `serve`. It is killed when dropped.
pub struct Server {
    child: Child,
    pub url: String,
    pub(super) client: reqwest::Client,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts `serve` in `project` on a free port, with `extra` words and variables.
    pub fn start(project: &Project, extra: &[&str], env: &[(&str, &str)]) -> Self {
        Self::start_as(project, &["serve"], extra, env)
    }

    /// The same as `mcp -t sse`.
    pub fn start_sse(project: &Project, extra: &[&str], env: &[(&str, &str)]) -> Self {
        Self::start_as(project, &["mcp", "-t", "sse"], extra, env)
    }

    fn start_as(project: &Project, how: &[&str], extra: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = project.command([how, &["--port", "0"], extra].concat());
        command.envs(env.iter().copied());
        Self::spawn(&mut command)
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (found, address) = mpsc::channel();
        let log = Arc::new(Mutex::new(String::new()));
        let lines = Arc::clone(&log);
        thread::spawn(move || {
            for line in stderr.lines() {
                let Ok(line) = line else { return };
                // The log may name another address before that.
                if let Some((_, told)) = line.split_once(" listens on http://127.0.0.1:") {
                    let port: String = told.chars().take_while(char::is_ascii_digit).collect();
                    let _ = found.send(format!("http://127.0.0.1:{port}"));
                }
                let _ = writeln!(lines.lock().unwrap(), "{line}");
            }
        });
        let Ok(url) = address.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            panic!("the server did not start: {}", log.lock().unwrap());
        };
        Self { child, url, client: client(), log }
    }

    /// What it has written on stderr so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end (SIGTERM), and does not wait.
    pub fn ask_to_end(&self) {
        let asked = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().unwrap();
        assert!(asked.success());
    }

    /// Waits until it has ended, and gives its exit code.
    pub fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Asks it to end and gives its exit code.
    pub fn terminate(self) -> Option<i32> {
        self.ask_to_end();
        self.wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
