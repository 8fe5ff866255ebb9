//! What employees at work have said so far, for whoever wants to read along.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::tasks::TaskId;

/// The outputs of running tasks. Clones share them.
///
/// An output is there for as long as somebody writes or reads it, whoever comes first. It holds all that was said, so
/// a reader who comes late or reads slowly misses nothing and keeps nobody waiting; it is as large as an answer may
/// be. What was said is a help to the impatient: the truth is the result of the task.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<Mutex<HashMap<TaskId, Weak<watch::Sender<String>>>>>);

/// The output of one task.
#[derive(Debug, Clone)]
pub struct Output(Arc<watch::Sender<String>>);

/// Reads the output of one task from its beginning.
#[derive(Debug)]
pub struct Reader {
    text: watch::Receiver<String>,
    /// Bytes that were read.
    seen: usize,
    /// Keeps the output there while nobody writes yet.
    _output: Output,
}

impl Live {
    /// The output of the task of this id.
    pub fn output(&self, id: &TaskId) -> Output {
        let mut outputs = self.0.lock();
        if let Some(known) = outputs.get(id).and_then(Weak::upgrade) {
            return Output(known);
        }
        outputs.retain(|_, output| output.strong_count() > 0);
        let new = Arc::new(watch::Sender::new(String::new()));
        outputs.insert(id.clone(), Arc::downgrade(&new));
        Output(new)
    }
}

impl Output {
    /// Adds `text` to what was said.
    pub fn say(&self, text: &str) {
        self.0.send_modify(|said| said.push_str(text));
    }

    /// Reads it from its beginning.
    pub fn read(&self) -> Reader {
        Reader { text: self.0.subscribe(), seen: 0, _output: self.clone() }
    }
}

impl Reader {
    /// Waits until more was said, and gives all that is new. May be dropped while it waits.
    pub async fn more(&mut self) -> String {
        let seen = self.seen;
        let Ok(text) = self.text.wait_for(|text| text.len() > seen).await else {
            // The output is kept by this very reader, so it does not end.
            return std::future::pending().await;
        };
        let new = text.get(seen..).unwrap_or_default().to_owned();
        self.seen = text.len();
        new
    }

    /// What of `whole` was not read: the rest of it, nothing if it was read behind something that was said on the way,
    /// or all if something else was read.
    pub fn unread<'w>(&self, whole: &'w str) -> &'w str {
        let text = self.text.borrow();
        let read = text.get(..self.seen).unwrap_or_default();
        match whole.strip_prefix(read) {
            Some(rest) => rest,
            None if read.ends_with(whole) => "",
            None => whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn nothing_is_missed_whoever_comes_first() {
        let live = Live::default();
        let id = TaskId::generate();
        let mut early = live.output(&id).read();
        assert!(early.more().now_or_never().is_none());
        let output = live.output(&id);
        output.say("代");
        assert_eq!(early.more().await, "代");
        output.say("码 ");
        output.say("ok");
        assert_eq!(early.more().await, "码 ok");
        assert!(early.more().now_or_never().is_none());
        let mut late = live.output(&id).read();
        assert_eq!(late.more().await, "代码 ok");
        let unread = ["代码 ok!", "something else", "ok"].map(|whole| late.unread(whole));
        assert_eq!(unread, ["!", "something else", ""]);
    }

    #[test]
    fn what_nobody_holds_is_forgotten() {
        let live = Live::default();
        let ids: Vec<_> = (0..3).map(|_| TaskId::generate()).collect();
        let kept = live.output(&ids[0]);
        kept.say("x");
        drop(live.output(&ids[1]));
        let _reader = live.output(&ids[2]).read();
        assert_eq!(live.0.lock().len(), 2);
        assert_eq!(live.output(&ids[0]).0.borrow().as_str(), "x");
    }
}
