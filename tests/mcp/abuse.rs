//! Clients that behave badly, or in a way that one does not think of first.

use std::{
    io::{BufRead as _, BufReader, Seek as _, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::Stdio,
};

use serde_json::{Value, json};

use crate::support::Project;

const PING: &str = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;

#[track_caller]
fn check_pong(line: &str) {
    let answer: Value = serde_json::from_str(line).unwrap();
    assert_eq!(answer, json!({"jsonrpc": "2.0", "id": 7, "result": {}}));
}

/// Some launchers connect a program by sockets instead of pipes.
#[test]
fn stdin_and_stdout_may_be_sockets() {
    let project = Project::small("echo");
    let (ours, theirs) = UnixStream::pair().unwrap();
    let end = |socket: &UnixStream| Stdio::from(OwnedFd::from(socket.try_clone().unwrap()));
    let mut child = project.command(["mcp"]).stdin(end(&theirs)).stdout(end(&theirs)).spawn().unwrap();
    drop(theirs);
    let mut lines = BufReader::new(ours.try_clone().unwrap()).lines();
    for _ in 0..3 {
        writeln!(&ours, "{PING}").unwrap();
        check_pong(&lines.next().unwrap().unwrap());
    }
    ours.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(lines.next().is_none());
    assert!(child.wait().unwrap().success());
}

/// A file can be read at any time, so the system tells nothing about it.
#[test]
fn stdin_and_stdout_may_be_files() {
    let project = Project::small("echo");
    let input = project.write("input", &format!("{PING}\n"));
    let output = project.write("output", "");
    let open = |path| std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut written = open(&output);
    let child = project.command(["mcp"]).stdin(open(&input)).stdout(written.try_clone().unwrap()).spawn();
    assert!(child.unwrap().wait().unwrap().success());
    written.rewind().unwrap();
    check_pong(&std::io::read_to_string(written).unwrap());
}

/// Who writes logs and answers into one pipe gets both, whole.
#[test]
fn stdout_and_stderr_may_be_one_pipe() {
    let project = Project::small("echo");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = project.command(["mcp", "--verbose"]);
    command.stdin(Stdio::piped()).stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = command.spawn().unwrap();
    drop(command);
    writeln!(child.stdin.take().unwrap(), "{PING}").unwrap();
    let text = std::io::read_to_string(&mut reader).unwrap();
    let answers: Vec<_> = text.lines().filter(|line| line.starts_with('{')).collect();
    assert_eq!(answers.len(), 1, "{text}");
    check_pong(answers[0]);
    assert!(child.wait().unwrap().success());
}
