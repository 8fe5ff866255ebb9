//! A webhook secret for trying things out.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use crate::base::Secret;

/// Where it is kept, relative to the project.
const FILE: &str = ".crew/webhook-secret";

/// The secret in `.crew/webhook-secret`, which is made when it is not there: 32 random bytes in hexadecimal, readable
/// by its owner only.
pub(super) fn secret(root: &Path) -> io::Result<Secret> {
    let path = root.join(FILE);
    if let Ok(text) = fs::read_to_string(&path)
        && let Some(secret) = Secret::new(&text)
    {
        return Ok(secret);
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let text = hex::encode(bytes);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&path)?.write_all(text.as_bytes())?;
    Secret::new(&text).ok_or_else(|| io::Error::other("an empty secret"))
}
