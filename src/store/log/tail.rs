//! The end of a log after a crash: a line without its `\n`.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use serde::de::IgnoredAny;

use crate::{
    base::clock,
    store::{Error, folder},
};

/// Makes `file` (open for reading and appending) end with `\n`, so that the next record starts a line of its own.
///
/// A last line that is whole JSON only lacks its end and is given one. Anything else was cut off while it was
/// written, so nobody was told it was kept: it is moved to `<name>.torn-<time>` beside the log.
pub(super) fn repair(path: &Path, file: &mut File) -> Result<(), Error> {
    let length = file.metadata().map_err(Error::file("inspect", path))?.len();
    let start = last_line_start(file, length).map_err(Error::file("read", path))?;
    if start == length {
        return Ok(());
    }
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(start))
        .and_then(|_| file.read_to_end(&mut tail))
        .map_err(Error::file("read", path))?;
    if is_whole(&tail) {
        tracing::warn!(path = %path.display(), "the last line was whole but not ended; it was kept");
        return file.write_all(b"\n").and_then(|()| file.sync_data()).map_err(Error::file("repair", path));
    }
    let aside = set_aside(path, &tail)?;
    file.set_len(start).and_then(|()| file.sync_all()).map_err(Error::file("repair", path))?;
    tracing::warn!(
        path = %path.display(), moved_to = %aside.display(), bytes = tail.len(),
        "the last line was cut off while it was written; it was moved aside"
    );
    Ok(())
}

/// How many bytes of a log at this moment are whole lines; a last one that only lacks its `\n` counts.
///
/// For whoever copies a log that somebody else may be writing: what is beyond is not acknowledged.
///
/// # Errors
/// When the file cannot be read.
pub fn whole_lines(file: &mut File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let start = last_line_start(file, length)?;
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    io::Read::by_ref(file).take(length - start).read_to_end(&mut tail)?;
    file.rewind()?;
    Ok(if is_whole(&tail) { length } else { start })
}

/// Whether the bytes are a record. A bare number is not: half of `123` is a number too.
fn is_whole(tail: &[u8]) -> bool {
    let tail = tail.trim_ascii();
    tail.is_empty()
        || (matches!(tail.first(), Some(b'{' | b'[' | b'"'))
            && serde_json::from_slice::<IgnoredAny>(tail).is_ok())
}

/// Where the line begins that ends at `length`, looking backwards.
fn last_line_start(file: &mut File, length: u64) -> io::Result<u64> {
    let mut chunk = vec![0; 1 << 16];
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(chunk.len() as u64);
        let size = usize::try_from(end - start).expect("a chunk fits the memory it is read into");
        let part = chunk.get_mut(..size).expect("at most a whole chunk is read");
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(position) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + position as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn set_aside(path: &Path, tail: &[u8]) -> Result<PathBuf, Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".torn-{}", clock::now().strftime("%Y%m%dT%H%M%S%.9fZ")));
    let aside = PathBuf::from(name);
    folder::private()
        .write(true)
        .create_new(true)
        .open(&aside)
        .and_then(|mut file| file.write_all(tail).and_then(|()| file.sync_all()))
        .map_err(Error::file("write", &aside))?;
    folder::sync(&folder::of(&aside))?;
    Ok(aside)
}
