//! Lines of bounded length.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A line, without its end; also the last one, when it lacks an end.
    Whole(&'a [u8]),
    /// The beginning of a line that is too long; the rest will be skipped.
    TooLong,
    /// Nothing more will come.
    End,
}

/// Reads lines of at most `limit` bytes. A longer one is told and skipped, never kept.
pub(super) struct Lines<R> {
    reader: R,
    limit: usize,
    line: Vec<u8>,
    skipping: bool,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R, limit: usize) -> Self {
        Self { reader, limit, line: Vec::new(), skipping: false }
    }

    /// The next line.
    pub(super) async fn next(&mut self) -> io::Result<Line<'_>> {
        self.line.clear();
        loop {
            let buffer = self.reader.fill_buf().await?;
            if buffer.is_empty() {
                let rest = !self.line.is_empty();
                return Ok(if rest { Line::Whole(&self.line) } else { Line::End });
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            let read = end.map_or(part.len(), |end| end + 1);
            let fits = self.line.len() + part.len() <= self.limit;
            if fits && !self.skipping {
                self.line.extend_from_slice(part);
            }
            self.reader.consume(read);
            match (end, self.skipping) {
                (Some(_), true) => self.skipping = false,
                (None, true) => {}
                (Some(_), false) if fits => return Ok(Line::Whole(&self.line)),
                (None, false) if fits => {}
                (end, false) => {
                    self.skipping = end.is_none();
                    self.line = Vec::new();
                    return Ok(Line::TooLong);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::BufReader;

    use super::*;

    /// Reads `input` with buffers of `buffer` bytes and lines of at most 4.
    async fn check(input: &str, buffer: usize, expected: &[Option<&str>]) {
        let mut lines = Lines::new(BufReader::with_capacity(buffer, input.as_bytes()), 4);
        for line in expected {
            let read = lines.next().await.unwrap();
            assert_eq!(read, line.map_or(Line::TooLong, |line| Line::Whole(line.as_bytes())), "{input:?}");
        }
        assert_eq!(lines.next().await.unwrap(), Line::End, "{input:?} {buffer}");
    }

    #[tokio::test]
    async fn long_lines_are_skipped_however_they_arrive() {
        for buffer in 1..20 {
            check("", buffer, &[]).await;
            check("a", buffer, &[Some("a")]).await;
            check("a\n\nb\n", buffer, &[Some("a"), Some(""), Some("b")]).await;
            check("abcd\nx", buffer, &[Some("abcd"), Some("x")]).await;
            check("abcde\nx\n", buffer, &[None, Some("x")]).await;
            check("abcdefghijklm\nabcde\nx", buffer, &[None, None, Some("x")]).await;
            check("abcdefghij", buffer, &[None]).await;
        }
    }
}
