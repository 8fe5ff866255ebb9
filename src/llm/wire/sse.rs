//! Server-sent events: bytes, cut anywhere, become the data of events.
//!
//! Source: <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>.

/// Reads a stream of events. Only their data is kept: the dialects say in it what kind of event it is.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// The line that is not complete yet.
    line: Vec<u8>,
    /// The data of the event that is not complete yet.
    data: Option<Vec<u8>>,
    /// A line feed that comes next belongs to the carriage return before it.
    after_return: bool,
    /// Whether a line has been read, so that no byte order mark is looked for any more.
    begun: bool,
}

impl Events {
    /// Takes the next bytes and hands the data of every event they complete to `event`.
    ///
    /// # Errors
    /// What `event` answers; the rest of the bytes is then lost.
    pub(super) fn push<E>(
        &mut self,
        bytes: &[u8],
        mut event: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        for &byte in bytes {
            let paired = byte == b'\n' && std::mem::take(&mut self.after_return);
            self.after_return = byte == b'\r';
            match byte {
                b'\n' if paired => {}
                b'\n' | b'\r' => self.end_line(&mut event)?,
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    /// The stream has ended. An event that lacks nothing but the empty line after it counts, as some servers leave
    /// that out at the end.
    pub(super) fn finish<E>(mut self, mut event: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.end_line(&mut event)?;
        self.data.take().map_or(Ok(()), |data| event(&data))
    }

    fn end_line<E>(&mut self, event: &mut impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let line = std::mem::take(&mut self.line);
        let line = if self.begun { &line } else { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line) };
        self.begun = true;
        if line.is_empty() {
            return self.data.take().map_or(Ok(()), |data| event(&data));
        }
        // Comments and all other fields (`event`, `id`, `retry`) say nothing that is needed.
        if let Some(value) = line.strip_prefix(b"data:") {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.data = Some(value.to_owned()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn read(parts: &[&[u8]]) -> Vec<String> {
        let mut found = Vec::new();
        let mut note = |data: &[u8]| {
            found.push(String::from_utf8(data.to_owned()).unwrap());
            Ok::<_, Infallible>(())
        };
        let mut events = Events::default();
        for part in parts {
            events.push(part, &mut note).unwrap();
        }
        events.finish(&mut note).unwrap();
        found
    }

    #[test]
    fn data_is_found_wherever_the_bytes_are_cut() {
        let text =
            "\u{feff}: hello\r\nevent: x\rdata: 审\r\n\r\ndata:b\ndata: c\n\nid: 7\n\ndata\n\ndata: end";
        let text = text.as_bytes();
        for cut in 0..=text.len() {
            let (head, tail) = text.split_at(cut);
            assert_eq!(read(&[head, tail]), ["审", "b\nc", "end"], "cut at byte {cut}");
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(read(&single), ["审", "b\nc", "end"]);
    }

    #[test]
    fn what_is_no_event_is_passed_over() {
        assert!(read(&[b""]).is_empty());
        assert!(read(&[b"<html>\n<body>\n\n"]).is_empty());
        assert!(read(&[b"\n\n\r\r\n: ping\n\n"]).is_empty());
        assert_eq!(read(&[b"data: {}\r\n\r\n\xef\xbb\xbfdata: no\n"]), ["{}"]);
    }
}
