//! Work that may wait for the disk, done where it keeps nothing else waiting.

use tokio::task::JoinError;

/// Does `work` on a thread where it may block, to its end whether anybody waits for that or not. `None` when the program
/// ends before it began; a panic of it goes on here.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    joined(tokio::task::spawn_blocking(work).await)
}

/// The answer of what was given a life of its own. `None` when the program ends before it came; a panic of it goes on here.
pub fn joined<T>(answer: Result<T, JoinError>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::base::Tracker;

    #[tokio::test]
    async fn a_panic_goes_on_and_what_was_cut_short_gives_nothing() {
        assert_eq!(blocking(|| 1).await, Some(1));
        let panicked = AssertUnwindSafe(blocking(|| panic!("broken"))).catch_unwind().await;
        assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"broken"));
        let endless = Tracker::new().spawn(std::future::pending::<()>());
        endless.abort();
        assert_eq!(joined(endless.await), None);
    }
}
