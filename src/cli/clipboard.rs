//! The clipboard, by the first program of the system that reaches it.

use std::{io, process::Stdio, time::Duration};

use tokio::{io::AsyncWriteExt as _, process::Command};

use super::exit::Error;
use crate::tools;

/// Programs that put what they are given on stdin into the clipboard: of Wayland, of X11 (two), of macOS, of Windows.
const PROGRAMS: [(&str, &[&str]); 5] = [
    ("wl-copy", &[]),
    ("xclip", &["-selection", "clipboard"]),
    ("xsel", &["--clipboard", "--input"]),
    ("pbcopy", &[]),
    ("clip.exe", &[]),
];
/// How long one of them may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Puts `text` into the clipboard, and gives the program that did it.
///
/// # Errors
/// When none of the programs is there, or none gets it done.
pub(super) async fn copy(text: &str) -> Result<&'static str, Error> {
    let mut failed = Vec::new();
    for (program, words) in PROGRAMS {
        match hand(program, words, text).await {
            Ok(()) => return Ok(program),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => failed.push(format!("{program}: {error}")),
        }
    }
    let programs = PROGRAMS.map(|(program, _)| program).join(", ");
    let why = if failed.is_empty() {
        format!("none of {programs} is there; install one of them, or leave out `--copy`")
    } else {
        failed.join("; ")
    };
    Err(tools::Error::Failed(format!("nothing was copied: {why}")).into())
}

async fn hand(program: &str, words: &[&str], text: &str) -> io::Result<()> {
    let mut command = Command::new(program);
    // Some of them stay behind to hold the text, and would keep whatever else they were given open.
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    // It takes bytes for those of the locale.
    if program == "pbcopy" {
        command.env("LC_CTYPE", "UTF-8");
    }
    let bytes = match program {
        // And this one for those of the code page, unless they are UTF-16.
        "clip.exe" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        _ => text.as_bytes().to_vec(),
    };
    let mut child = command.spawn()?;
    let work = async {
        let written = match child.stdin.take() {
            Some(mut stdin) => stdin.write_all(&bytes).await,
            None => Ok(()),
        };
        // One that cannot do it need not have read anything; how it ended says more than that.
        let status = child.wait().await?;
        if status.success() { written } else { Err(io::Error::other(status.to_string())) }
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
