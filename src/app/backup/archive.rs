//! Writing an archive, and reading it again.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::Path,
};

use anyhow::{Context as _, bail, ensure};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use sha2::{Digest, Sha256};
use tar::{Archive, Builder, EntryType, Header};

use super::{
    BackedUp, Entry, FORMAT, MANIFEST, Manifest,
    source::{self, Source},
};
use crate::{app::office::JOURNAL, base::clock, store};

/// Most bytes of a manifest: a million files.
const LARGEST_MANIFEST: u64 = 256 << 20;

/// Copies the project at `root` into an archive at `to`, which is there once this returns, and whole; or, without `to`,
/// only reads all that would be copied. Where tasks are not kept in a file of the project, their lines are in `tasks`.
///
/// # Errors
/// When a file cannot be read or the archive cannot be written; nothing is left at `to` that was not there before.
pub fn back_up(root: &Path, to: Option<&Path>, tasks: Option<&Path>) -> anyhow::Result<BackedUp> {
    let (mut sources, left_out) = source::files(root)?;
    if let Some(tasks) = tasks {
        sources.retain(|source| source.name != JOURNAL);
        sources.insert(0, Source { name: JOURNAL.to_owned(), path: tasks.to_owned() });
    }
    ensure!(!sources.is_empty(), "there is nothing to back up in `{}`", root.display());
    let Some(to) = to else {
        let (manifest, _) = write(&sources, io::sink())?;
        return Ok(BackedUp { archive: None, archive_bytes: 0, manifest, left_out });
    };
    let mut out = store::document::Replacement::begin(to)?;
    let (manifest, archive_bytes) = write(&sources, &mut out)?;
    out.commit()?;
    let read =
        verify(to).with_context(|| format!("`{}` was written, but cannot be read again", to.display()))?;
    ensure!(read == manifest, "`{}` does not hold what was written", to.display());
    Ok(BackedUp { archive: Some(to.to_owned()), archive_bytes, manifest, left_out })
}

/// Reads an archive to its end and compares each file with what the manifest says of it.
///
/// # Errors
/// When it is no such archive, is damaged, or is of a newer form.
pub fn verify(archive: &Path) -> anyhow::Result<Manifest> {
    read(archive, |_, content| Ok(io::copy(content, &mut io::sink()).map(drop)?))
}

/// Counts what passes.
struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn write(sources: &[Source], out: impl Write) -> anyhow::Result<(Manifest, u64)> {
    let mut tar = Builder::new(GzEncoder::new(Counted { out, bytes: 0 }, Compression::default()));
    let mut manifest = Manifest {
        format: FORMAT,
        crew: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: clock::now(),
        files: Vec::with_capacity(sources.len()),
    };
    for source in sources {
        let entry =
            copy(source, &mut tar).with_context(|| format!("cannot copy `{}`", source.path.display()))?;
        manifest.files.extend(entry);
    }
    let text = serde_json::to_vec_pretty(&manifest)?;
    let mut header = header(text.len() as u64, 0o600, manifest.created_at.as_second());
    tar.append_data(&mut header, MANIFEST, text.as_slice())?;
    let counted = tar.into_inner()?.finish()?;
    Ok((manifest, counted.bytes))
}

fn header(bytes: u64, mode: u32, modified: i64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(bytes);
    header.set_mode(mode);
    header.set_mtime(u64::try_from(modified).unwrap_or(0));
    header
}

/// Copies one file; `None` when it is gone by now, as a finished log that was rotated may be.
fn copy(source: &Source, tar: &mut Builder<impl Write>) -> anyhow::Result<Option<Entry>> {
    let mut file = match File::open(&source.path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let about = file.metadata()?;
    let is_log = source.path.extension().is_some_and(|extension| extension == "jsonl");
    // Of a line that is being written nobody was told that it is kept.
    let bytes = if is_log { store::log::whole_lines(&mut file)? } else { about.len() };
    let modified = about.modified().ok().and_then(|time| jiff::Timestamp::try_from(time).ok());
    let mut header = header(bytes, mode(&about), modified.map_or(0, jiff::Timestamp::as_second));
    let mut content = Hashed::new(BufReader::new(file).take(bytes));
    tar.append_data(&mut header, &source.name, &mut content)?;
    if content.bytes != bytes {
        bail!("it became shorter while it was read; try again");
    }
    Ok(Some(Entry { path: source.name.clone(), bytes, sha256: content.sum() }))
}

#[cfg(unix)]
fn mode(about: &std::fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    about.permissions().mode() & 0o777
}

#[cfg(not(unix))]
fn mode(_about: &std::fs::Metadata) -> u32 {
    0o600
}

/// Sums up what is read.
struct Hashed<R> {
    from: R,
    sum: Sha256,
    bytes: u64,
}

impl<R> Hashed<R> {
    fn new(from: R) -> Self {
        Self { from, sum: Sha256::new(), bytes: 0 }
    }

    fn sum(self) -> String {
        hex::encode(self.sum.finalize())
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.sum.update(buffer.get(..read).unwrap_or_default());
        self.bytes += read as u64;
        Ok(read)
    }
}

/// A file in an archive, as its header tells of it.
pub(super) struct Packed<'p> {
    pub(super) name: &'p str,
    pub(super) mode: u32,
}

/// Shows `each` every file of an archive with its content, which it reads to its end, and gives the manifest once all of
/// it was compared.
pub(super) fn read(
    archive: &Path,
    mut each: impl FnMut(&Packed<'_>, &mut dyn Read) -> anyhow::Result<()>,
) -> anyhow::Result<Manifest> {
    let file = File::open(archive).with_context(|| format!("cannot open `{}`", archive.display()))?;
    let mut tar = Archive::new(GzDecoder::new(BufReader::new(file)));
    let mut found = Vec::new();
    let damaged = || format!("`{}` is no backup, or a damaged one", archive.display());
    let mut manifest: Option<Manifest> = None;
    for entry in tar.entries().with_context(damaged)? {
        let mut entry = entry.with_context(damaged)?;
        ensure!(manifest.is_none(), "something comes after the manifest");
        let name = String::from_utf8(entry.path_bytes().into_owned()).with_context(damaged)?;
        ensure!(
            entry.header().entry_type() == EntryType::Regular,
            "`{}` is no file, and a backup holds nothing else",
            name.escape_debug()
        );
        if name == MANIFEST {
            let mut text = Vec::new();
            (&mut entry).take(LARGEST_MANIFEST).read_to_end(&mut text).with_context(damaged)?;
            manifest = Some(serde_json::from_slice(&text).with_context(damaged)?);
            continue;
        }
        let mode = entry.header().mode().unwrap_or(0o600);
        let mut content = Hashed::new(&mut entry);
        each(&Packed { name: &name, mode }, &mut content).with_context(damaged)?;
        found.push(Entry { bytes: content.bytes, sha256: content.sum(), path: name });
    }
    // The sum of the whole stands at its very end.
    io::copy(&mut tar.into_inner(), &mut io::sink()).with_context(damaged)?;
    let manifest =
        manifest.with_context(|| format!("`{}` has no manifest: it was cut off", archive.display()))?;
    ensure!(
        manifest.format <= FORMAT,
        "this backup was made by a newer crew ({}), which writes another form",
        manifest.crew
    );
    if let Some((is, said)) = found.iter().zip(&manifest.files).find(|(is, said)| is != said) {
        bail!("`{}` in the backup is not what its manifest says of `{}`", is.path, said.path);
    }
    ensure!(found.len() == manifest.files.len(), "the backup does not hold all files of its manifest");
    Ok(manifest)
}
