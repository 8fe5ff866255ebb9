//! One id for all that a request sets in motion: its log lines, its answer, its errors, and the tasks it starts.

use std::{cell::RefCell, fmt, future::Future, str::FromStr};

tokio::task_local! {
    static CURRENT: TraceId;
}

thread_local! {
    static CHANCE: RefCell<Chance> = const { RefCell::new(Chance { bytes: [0; 512], used: 512 }) };
}

/// Random bytes that are fetched some at a time: asking the system for those of one id takes longer than all else that is
/// done for the answer to a probe.
struct Chance {
    bytes: [u8; 512],
    used: usize,
}

impl Chance {
    fn take(&mut self) -> [u8; 16] {
        if self.used >= self.bytes.len() {
            let _ = getrandom::fill(&mut self.bytes);
            self.used = 0;
        }
        let taken = self.bytes.get(self.used..).and_then(|left| left.first_chunk()).copied();
        self.used += 16;
        taken.unwrap_or_default()
    }
}

/// The id of a request or of a task: 32 hexadecimal digits, not all of them zero. The caller gets it, the log explains
/// it, and other programs that trace by W3C's rules use the same.
///
/// Source: <https://www.w3.org/TR/trace-context/#trace-id>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

impl TraceId {
    /// The id of what is being done; a new one outside of anything.
    pub fn current() -> Self {
        Self::known().unwrap_or_else(Self::generate)
    }

    /// The id of what is being done, if it has one.
    pub(super) fn known() -> Option<Self> {
        CURRENT.try_with(|id| *id).ok()
    }

    /// Runs `work` under this id.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// A new id; on a machine without a source of chance always the same, as an id that explains nothing is no reason
    /// to refuse a request.
    pub fn generate() -> Self {
        let bytes = CHANCE.with_borrow_mut(Chance::take);
        Self(u128::from_be_bytes(bytes).max(1))
    }

    /// Its bytes, the most significant first.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Its digits, as text.
    pub fn digits(self) -> [u8; 32] {
        let mut digits = [0; 32];
        // Two digits for a byte: they always fit.
        let _ = hex::encode_to_slice(self.to_bytes(), &mut digits);
        digits
    }

    /// The ids in a `traceparent` header, `00-<trace-id>-<parent-id>-<flags>`, that of the trace and that of the caller's
    /// span in it; later versions may have more behind that.
    pub fn of_traceparent(header: &str) -> Option<(Self, SpanId)> {
        let mut parts = header.trim().split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lengths = version.len() == 2 && flags.len() >= 2;
        let fits = lengths && version != "ff" && (version != "00" || parts.next().is_none());
        let ids = trace.parse().ok().zip(digits::<16>(parent));
        ids.filter(|_| fits).map(|(trace, parent)| (trace, SpanId(parent)))
    }
}

/// The id of a span of a caller: 16 hexadecimal digits, not all of them zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanId(u128);

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The number that `N` small hexadecimal digits write, unless it is zero.
fn digits<const N: usize>(text: &str) -> Option<u128> {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let fits = text.len() == N && text.bytes().all(digit);
    fits.then(|| u128::from_str_radix(text, 16).ok()).flatten().filter(|number| *number != 0)
}

/// A text that is no trace id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a trace id is 32 hexadecimal digits, not all zero")]
pub struct NotATraceId;

impl FromStr for TraceId {
    type Err = NotATraceId;

    fn from_str(text: &str) -> Result<Self, NotATraceId> {
        digits::<32>(text).map(Self).ok_or(NotATraceId)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, expected: Option<&str>) {
        let found = TraceId::of_traceparent(header).map(|(id, _)| id.to_string());
        assert_eq!(found.as_deref(), expected, "{header}");
    }

    #[test]
    fn the_span_of_the_caller_is_told_apart_from_the_trace() {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let (_, parent) = TraceId::of_traceparent(header).unwrap();
        assert_eq!(parent.to_string(), "00f067aa0ba902b7");
    }

    #[test]
    fn a_trace_goes_on_under_its_id() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        check(&format!("00-{id}-00f067aa0ba902b7-01"), Some(id));
        check(&format!("cc-{id}-00f067aa0ba902b7-01-what-is-to-come"), Some(id));
        check(&format!("00-{id}-00f067aa0ba902b7-01-more"), None);
        check(&format!("00-{id}-0000000000000000-01"), None);
        check(&format!("ff-{id}-00f067aa0ba902b7-01"), None);
        check(&format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase()), None);
        check("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None);
        check("00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None);
        for bad in ["", "00", "00-1-2-3", "\u{1F600}", &"-".repeat(1000)] {
            check(bad, None);
        }
    }
}
