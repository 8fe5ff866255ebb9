//! stdin and stdout of a program that talks all the time: no thread stands between them and the runtime where the system
//! can tell when there is something to do.
//!
//! The runtime's own handles have a thread wait in each read and write, for a file or a terminal can do nothing else. A
//! client's pipe can, and then a message is neither handed from thread to thread nor waited for twice.

use tokio::io::{AsyncRead, AsyncWrite};

/// stdin. Must be called in a runtime.
pub(super) fn input() -> Box<dyn AsyncRead + Send + Unpin> {
    #[cfg(unix)]
    if let Ok(input) = watched::input() {
        return input;
    }
    Box::new(tokio::io::stdin())
}

/// stdout. Must be called in a runtime.
pub(super) fn output() -> Box<dyn AsyncWrite + Send + Unpin> {
    #[cfg(unix)]
    if let Ok(output) = watched::output() {
        return output;
    }
    Box::new(tokio::io::stdout())
}

#[cfg(unix)]
mod watched {
    use std::{
        fs::File,
        io,
        os::{
            fd::{AsFd, OwnedFd},
            unix::{
                fs::{FileTypeExt as _, MetadataExt as _},
                net::UnixStream,
            },
        },
    };

    use tokio::{
        io::{AsyncRead, AsyncWrite},
        net::{self, unix::pipe},
    };

    /// stdin, if it is a pipe or a socket; clients use either.
    pub(super) fn input() -> io::Result<Box<dyn AsyncRead + Send + Unpin>> {
        match open(io::stdin())? {
            Open::Pipe(file) => Ok(Box::new(pipe::Receiver::from_file(file)?)),
            Open::Socket(socket) => Ok(Box::new(socket)),
        }
    }

    /// The same of stdout.
    pub(super) fn output() -> io::Result<Box<dyn AsyncWrite + Send + Unpin>> {
        match open(io::stdout())? {
            Open::Pipe(file) => Ok(Box::new(pipe::Sender::from_file(file)?)),
            Open::Socket(socket) => Ok(Box::new(socket)),
        }
    }

    enum Open {
        Pipe(File),
        Socket(net::UnixStream),
    }

    /// Opens `stream` once more. What is opened will not block, and neither will any other handle of it.
    fn open(stream: impl AsFd) -> io::Result<Open> {
        let own = |stream: &dyn AsFd| stream.as_fd().try_clone_to_owned().map(File::from);
        let file = own(&stream)?;
        let (seen, errors) = (file.metadata()?, own(&io::stderr())?.metadata()?);
        // Whoever writes to stderr does not expect to be told to come back later.
        if (seen.dev(), seen.ino()) == (errors.dev(), errors.ino()) {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        if !seen.file_type().is_socket() {
            return Ok(Open::Pipe(file));
        }
        let socket = UnixStream::from(OwnedFd::from(file));
        socket.set_nonblocking(true)?;
        Ok(Open::Socket(net::UnixStream::from_std(socket)?))
    }
}
