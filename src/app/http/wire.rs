//! A socket between the client and hyper.
//!
//! hyper answers what it cannot read by itself, without a body and without asking anybody. Here such an answer gets the
//! form that all errors have. And a client that does not read what it is sent is given up after a while.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use crate::base::TraceId;

/// A stream as hyper reads and writes it.
pub(super) struct Wire<S> {
    stream: S,
    patience: Duration,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// What is written in place of an answer of hyper's own, and how much of it already was.
    own: Option<(Vec<u8>, usize)>,
    /// After such an answer nothing more is written.
    over: bool,
}

impl<S> Wire<S> {
    /// `stream`, whose other end may take nothing for as long as `patience`.
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, stalled: None, own: None, over: false }
    }

    /// `written`, unless it takes too long.
    fn patiently<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        timer.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    /// Writes the answer that stands in for one of hyper's own, of `length` bytes.
    fn write_own(&mut self, context: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        while let Some((answer, done)) = &mut self.own {
            let rest = answer.get(*done..).unwrap_or_default();
            if rest.is_empty() {
                self.own = None;
                self.over = true;
                break;
            }
            let written = Pin::new(&mut self.stream).poll_write(context, rest);
            match ready!(self.patiently(context, written))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                some => {
                    if let Some((_, done)) = &mut self.own {
                        *done += some;
                    }
                }
            }
        }
        Poll::Ready(Ok(length))
    }
}

/// An answer in the form of all errors, if `written` is one that hyper made up: a status, and nothing that the layers
/// of the router add to every answer.
fn in_our_form(written: &[u8]) -> Option<Vec<u8>> {
    let head = written.strip_suffix(b"\r\n\r\n").filter(|head| head.len() < 256)?;
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let status: u16 = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let (reason, code, told) = match status {
        400 => ("Bad Request", "invalid-request", "this is no request of HTTP/1.1"),
        414 => ("URI Too Long", "uri-too-long", "the path is too long"),
        431 => {
            ("Request Header Fields Too Large", "too-many-headers", "the head of the request is too large")
        }
        _ => return None,
    };
    let plain = lines
        .all(|line| matches!(line, "connection: close" | "content-length: 0") || line.starts_with("date: "));
    if !plain {
        return None;
    }
    let id = TraceId::generate();
    tracing::debug!(trace_id = %id, status, "what cannot be read was refused");
    let body = format!(r#"{{"error":"{told}","code":"{code}","trace_id":"{id}"}}"#);
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nx-trace-id: {id}\r\n\
         x-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
    );
    Some((head + &body).into_bytes())
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        if wire.over {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if wire.own.is_none() && bytes.starts_with(b"HTTP/1.") {
            wire.own = in_our_form(bytes).map(|answer| (answer, 0));
        }
        if wire.own.is_some() {
            return wire.write_own(context, bytes.len());
        }
        let written = Pin::new(&mut wire.stream).poll_write(context, bytes);
        wire.patiently(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [only] = parts {
            return self.poll_write(context, only);
        }
        let wire = self.get_mut();
        if wire.over {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = Pin::new(&mut wire.stream).poll_write_vectored(context, parts);
        wire.patiently(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let flushed = Pin::new(&mut wire.stream).poll_flush(context);
        wire.patiently(context, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let shut = Pin::new(&mut wire.stream).poll_shutdown(context);
        wire.patiently(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const OF_HYPER: &[u8] =
        b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: Wed, 25 Nov 2026 19:00:00 GMT\r\n\r\n";

    #[test]
    fn only_what_hyper_made_up_is_exchanged() {
        let answer = String::from_utf8(in_our_form(OF_HYPER).unwrap()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["code"], "invalid-request");
        for other in [
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".as_slice(),
            b"HTTP/1.1 400 Bad Request\r\nx-trace-id: 1\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 1\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nx",
            b"HTTP/1.1 4\xff0",
            b"HTTP/1.",
            b"",
        ] {
            assert_eq!(in_our_form(other), None, "{other:?}");
        }
    }

    #[tokio::test]
    async fn after_an_exchanged_answer_nothing_more_is_written() {
        // So small that the answer takes several turns.
        let (ours, mut theirs) = tokio::io::duplex(16);
        let writing = async {
            let mut wire = Wire::new(ours, Duration::from_mins(1));
            wire.write_all(OF_HYPER).await.unwrap();
            wire.write_all(b"more").await.unwrap_err()
        };
        let mut read = Vec::new();
        let (error, _) = tokio::join!(writing, theirs.read_to_end(&mut read));
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        let read = String::from_utf8(read).unwrap();
        assert!(read.starts_with("HTTP/1.1 400 Bad Request\r\n") && read.ends_with('}'), "{read}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_nothing_is_given_up() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut wire = Wire::new(ours, Duration::from_mins(1));
        wire.write_all(&[0; 16]).await.unwrap();
        assert_eq!(wire.write_all(&[0; 16]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        // Patience begins anew when something was taken.
        theirs.read_exact(&mut [0; 16]).await.unwrap();
        wire.write_all(&[0; 16]).await.unwrap();
    }
}
