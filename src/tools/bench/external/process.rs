//! A program that is a server, and that does not outlive its use.

use std::{io, process::Stdio};

use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::Home;

/// What every program needs to know, and no more.
const NEEDED: [&str; 9] = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "TZ", "SystemRoot", "APPDATA"];

/// A program that runs, with all that it started; dropped, they are ended.
#[derive(Debug)]
pub(super) struct Program(Child);

/// Starts a program. Its environment is what it needs and `env`, nothing that crew was told besides.
///
/// # Errors
/// When it cannot be started.
pub(super) fn start(
    home: &Home,
    command: &str,
    args: &[String],
    env: &[(String, String)],
) -> io::Result<(Program, ChildStdout, ChildStdin)> {
    let mut program = Command::new(command);
    program.env_clear();
    for name in NEEDED {
        if let Some(value) = (home.variable)(name) {
            program.env(name, value.expose());
        }
    }
    // What it complains of is of use to whoever looks for a fault, and may hold anything.
    let complaints = if tracing::enabled!(tracing::Level::DEBUG) { Stdio::inherit() } else { Stdio::null() };
    program
        .args(args)
        .envs(env.iter().map(|(name, value)| (name, value)))
        .current_dir(&home.root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(complaints)
        .kill_on_drop(true);
    #[cfg(unix)]
    program.process_group(0);
    let mut child = program.spawn()?;
    let pipes = child.stdout.take().zip(child.stdin.take());
    let (stdout, stdin) = pipes.ok_or_else(|| io::Error::other("it has no pipes"))?;
    Ok((Program(child), stdout, stdin))
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has not been waited for, so nobody else can have its number.
        #[cfg(unix)]
        if let Some(id) =
            self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
        let _ = self.0.start_kill();
    }
}
