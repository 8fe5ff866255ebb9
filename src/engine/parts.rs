//! Work on many things at once, shared by a few threads.

use std::{num::NonZeroUsize, panic::resume_unwind, thread};

/// Most threads.
pub(super) const THREADS: usize = 4;

/// What `work` makes of each of `items`, in their order: by one thread while there are less than `many` of them, and by some
/// more otherwise. Each thread has one of `own` for itself, the only one has the first.
pub(super) fn each<T: Sync, S: Send, R: Send>(
    items: &[T],
    many: usize,
    own: &mut [S; THREADS],
    work: impl Fn(&T, &mut S) -> R + Sync,
) -> Vec<R> {
    let [first, ..] = own;
    // It is asked for only when it matters: the answer is in files of the system.
    if items.is_empty() || items.len() < many {
        return items.iter().map(|item| work(item, first)).collect();
    }
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(THREADS);
    let parts = items.chunks(items.len().div_ceil(threads)).zip(own);
    let work = &work;
    thread::scope(|scope| {
        let parts: Vec<_> = parts
            .map(|(part, own)| {
                scope.spawn(move || part.iter().map(|item| work(item, own)).collect::<Vec<_>>())
            })
            .collect();
        let done = parts.into_iter().map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic)));
        done.flatten().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_stay_in_their_order() {
        for count in [0, 1, 9, 10, 11, 31, 500] {
            let mut own = [0_usize; THREADS];
            let items: Vec<usize> = (0..count).collect();
            let made = each(&items, 10, &mut own, |item, seen| {
                *seen += 1;
                item * 2
            });
            assert_eq!(made, (0..count).map(|item| item * 2).collect::<Vec<_>>());
            assert_eq!(own.iter().sum::<usize>(), count);
        }
    }
}
