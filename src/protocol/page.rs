//! Lists in pages, written once for each revision.

use std::sync::{Arc, OnceLock};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use serde_json::value::RawValue;

use super::{Error, Version, shape::Shape};

/// Things on one page.
pub(super) const PAGE: usize = 200;

/// A list that is shown in pages.
///
/// The written pages are kept for as long as the host hands out the same list.
pub(super) struct Pages<T> {
    written: Mutex<Option<Arc<Written<T>>>>,
}

struct Written<T> {
    items: Arc<[T]>,
    pages: Vec<OnceLock<Arc<RawValue>>>,
}

/// One page of a list, ready to be written.
pub(super) struct Page<T> {
    /// What stands on it, as the revision may see it.
    pub(super) items: Vec<T>,
    /// How to ask for the next page, if there is one.
    pub(super) next: Option<String>,
}

impl<T: Shape + Clone> Pages<T> {
    pub(super) fn new() -> Self {
        Self { written: Mutex::new(None) }
    }

    /// The page that `cursor` names, the first without one; `write` is called when it was not written before.
    pub(super) fn page(
        &self,
        items: Arc<[T]>,
        version: Version,
        cursor: Option<&str>,
        write: impl FnOnce(Page<T>) -> Result<Box<RawValue>, Error>,
    ) -> Result<Arc<RawValue>, Error> {
        let number = match cursor {
            None => 0,
            Some(cursor) => decode(cursor).ok_or_else(unknown)?,
        };
        let written = self.written(items);
        let rest = written.items.get(number.saturating_mul(PAGE)..).ok_or_else(unknown)?;
        if number > 0 && rest.is_empty() {
            return Err(unknown());
        }
        let slot = written.pages.get(number * Version::ALL.len() + version.index()).ok_or_else(unknown)?;
        if let Some(page) = slot.get() {
            return Ok(Arc::clone(page));
        }
        let mut shown: Vec<T> = rest.iter().take(PAGE).cloned().collect();
        shown.shape(version);
        let next = (rest.len() > PAGE).then(|| encode(number + 1));
        let page: Arc<RawValue> = write(Page { items: shown, next })?.into();
        Ok(Arc::clone(slot.get_or_init(|| page)))
    }

    fn written(&self, items: Arc<[T]>) -> Arc<Written<T>> {
        let mut written = self.written.lock();
        if let Some(known) = written.as_ref().filter(|known| Arc::ptr_eq(&known.items, &items)) {
            return Arc::clone(known);
        }
        let count = items.len().div_ceil(PAGE).max(1) * Version::ALL.len();
        let fresh =
            Arc::new(Written { items, pages: std::iter::repeat_with(OnceLock::new).take(count).collect() });
        *written = Some(Arc::clone(&fresh));
        fresh
    }
}

fn unknown() -> Error {
    Error::invalid_params("unknown cursor; take it from `nextCursor`, or leave it out to start over")
}

/// Cursors mean nothing to clients; the form only has to tell ours from anything else.
fn encode(page: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("page:{page}"))
}

fn decode(cursor: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    std::str::from_utf8(&bytes).ok()?.strip_prefix("page:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[derive(Clone)]
    struct Item(usize);

    impl Shape for Item {
        fn shape(&mut self, _: Version) {}
    }

    #[expect(clippy::needless_pass_by_value, clippy::unnecessary_wraps, reason = "the form of a writer")]
    fn write(page: Page<Item>) -> Result<Box<RawValue>, Error> {
        let first = page.items.first().map(|item| item.0);
        let json = serde_json::json!([first, page.items.len(), page.next]);
        Ok(serde_json::value::to_raw_value(&json).unwrap())
    }

    #[test]
    fn pages_follow_each_other() {
        let items: Arc<[Item]> = (0..=PAGE * 2).map(Item).collect();
        let pages = Pages::new();
        let mut seen = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let version = Version::V2026_07_28;
            let page = pages.page(Arc::clone(&items), version, cursor.as_deref(), write).unwrap();
            let (first, count, next): (usize, usize, Option<String>) =
                serde_json::from_str(page.get()).unwrap();
            seen.push((first, count));
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, [(0, PAGE), (PAGE, PAGE), (2 * PAGE, 1)]);
    }

    #[test]
    fn foreign_cursors_are_refused() {
        #[track_caller]
        fn check(cursor: &str) {
            let items: Arc<[Item]> = (0..PAGE).map(Item).collect();
            let error = Pages::new().page(items, Version::V2026_07_28, Some(cursor), write).unwrap_err();
            assert_eq!(error.code(), -32602);
        }
        check("");
        check("nonsense");
        check("1");
        check(&encode(1));
        check(&encode(usize::MAX));
        check(&encode(usize::MAX / PAGE));
    }

    #[test]
    fn a_page_is_written_once_per_list_and_revision() {
        let pages = Pages::new();
        let count = Cell::new(0);
        let ask = |items: &Arc<[Item]>, version| {
            pages
                .page(Arc::clone(items), version, None, |page| {
                    count.set(count.get() + 1);
                    write(page)
                })
                .unwrap();
            count.get()
        };
        let items: Arc<[Item]> = Arc::new([]);
        assert_eq!(ask(&items, Version::V2026_07_28), 1);
        assert_eq!(ask(&items, Version::V2026_07_28), 1);
        assert_eq!(ask(&items, Version::V2024_11_05), 2);
        let changed: Arc<[Item]> = Arc::new([Item(1)]);
        assert_eq!(ask(&changed, Version::V2026_07_28), 3);
    }
}
