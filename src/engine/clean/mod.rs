//! What a model says, without what it says to itself: thoughts, and calls of tools that it wrote down as text.
//!
//! Models that are trained to think between `<think>` tags, or to call tools in a dialect of their own, sometimes do so
//! in what was meant for the reader. That is taken away here, at one place, whether the answer is read while it comes
//! in or as a whole: both give the same.
//!
//! An answer is full of tags that belong there. So only exact shapes are taken away, where a model begins a thought: at
//! the beginning of a line, or glued to the end of a sentence. What stands in code is never touched, nor is a tag in the
//! middle of a sentence, which is about tags.

mod shapes;
#[cfg(test)]
mod tests;

use self::shapes::{Look, Tag, Thought};

/// The whole of `text`, cleaned.
pub(super) fn clean(text: &str) -> String {
    let mut cleaner = Cleaner::default();
    let mut kept = cleaner.push(text);
    kept.push_str(&cleaner.finish());
    kept
}

/// Cleans an answer that comes in pieces, however it is cut.
#[derive(Debug, Default)]
pub(super) struct Cleaner {
    /// What cannot be decided about yet: at most the beginning of a tag.
    held: String,
    /// What is decided about and not handed out yet.
    out: String,
    line: Line,
    code: Code,
    hidden: Hidden,
    /// White space before and after what was taken away; of both, one is kept.
    before: String,
    after: String,
    taken: bool,
    /// Whether anything but white space was kept.
    begun: bool,
}

/// What stands before a place in its line.
#[derive(Debug, Clone, Copy)]
struct Line {
    /// Nothing but white space and the marks of quotations.
    blank: bool,
    /// The end of a sentence, at once.
    ended: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self { blank: true, ended: false }
    }
}

impl Line {
    fn pass(&mut self, letter: char) {
        self.ended = matches!(letter, '.' | '!' | '?' | '。' | '！' | '？' | '…');
        self.blank = letter == '\n' || (self.blank && (letter.is_whitespace() || letter == '>'));
    }

    /// Whether a thought may begin here.
    fn begins(self) -> bool {
        self.blank || self.ended
    }
}

/// The code that is being passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Code {
    #[default]
    None,
    /// Between two runs of this many backticks, on one line.
    Inline(usize),
    /// A block, opened by a run of this length. `opening` is true while its first line lasts: another such run
    /// there makes it code within a line.
    Fence { mark: char, run: usize, opening: bool },
}

/// What is being taken away.
#[derive(Debug, Default)]
enum Hidden {
    #[default]
    Nothing,
    /// Thoughts inside each other. `kept` holds them if they began within a line: without an end, they are none.
    Thoughts { open: Vec<Thought>, line: Line, last: char, kept: Option<String> },
    /// Calls of tools, until this.
    Call { end: &'static str },
}

impl Cleaner {
    /// What may be handed on now that `text` has come in.
    pub(super) fn push(&mut self, text: &str) -> String {
        self.held.push_str(text);
        self.scan(false);
        std::mem::take(&mut self.out)
    }

    /// What may be handed on when nothing more comes in.
    pub(super) fn finish(&mut self) -> String {
        self.scan(true);
        match std::mem::take(&mut self.hidden) {
            Hidden::Nothing => {}
            Hidden::Thoughts { kept: Some(kept), .. } => self.keep_all(&kept),
            Hidden::Thoughts { kept: None, .. } | Hidden::Call { .. } => self.taken = true,
        }
        if !self.taken {
            self.out.push_str(&self.before);
        }
        std::mem::take(&mut self.out)
    }

    fn scan(&mut self, whole: bool) {
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_str();
        while let Some(letter) = rest.chars().next() {
            let passed = match &self.hidden {
                Hidden::Nothing => self.shown(rest, letter, whole),
                Hidden::Thoughts { .. } => self.thought(rest, letter, whole),
                Hidden::Call { end } => self.called(rest, letter, end, whole),
            };
            let Some(passed) = passed else { break };
            rest = rest.get(passed..).unwrap_or_default();
        }
        rest.clone_into(&mut self.held);
    }

    /// Goes on in what is kept: how many bytes were decided about, `None` when that needs more text.
    fn shown(&mut self, rest: &str, letter: char, whole: bool) -> Option<usize> {
        let marks = matches!(letter, '`' | '~');
        // Only of marks: an answer may be one letter again and again.
        let run = if marks { rest.len() - rest.trim_start_matches(letter).len() } else { letter.len_utf8() };
        if marks && run == rest.len() && !whole {
            return None;
        }
        match self.code {
            Code::None if letter == '`' && run < 3 => self.code = Code::Inline(run),
            Code::None if letter == '`' || (letter == '~' && run >= 3 && self.line.blank) => {
                self.code = Code::Fence { mark: letter, run, opening: true };
            }
            Code::None if letter == '<' => return self.tag(rest, whole),
            Code::Inline(opened) if letter == '\n' || (letter == '`' && run == opened) => {
                self.code = Code::None;
            }
            Code::Fence { mark, run, opening: true } if letter == '\n' => {
                self.code = Code::Fence { mark, run, opening: false };
            }
            Code::Fence { mark: '`', run: opened, opening: true } if letter == '`' && run == opened => {
                self.code = Code::None;
            }
            Code::Fence { mark, run: opened, opening: false }
                if letter == mark && self.line.blank && run >= opened =>
            {
                let behind = rest.get(run..).unwrap_or_default().trim_start_matches([' ', '\t', '\r']);
                if behind.is_empty() && !whole {
                    return None;
                }
                if behind.is_empty() || behind.starts_with('\n') {
                    self.code = Code::None;
                }
            }
            _ => {}
        }
        let passed = if marks { run } else { letter.len_utf8() };
        self.keep_all(rest.get(..passed).unwrap_or_default());
        Some(passed)
    }

    /// Decides about what may be a tag.
    fn tag(&mut self, rest: &str, whole: bool) -> Option<usize> {
        let (tag, passed) = match shapes::tag(rest, whole) {
            Look::More => return None,
            Look::Is(tag, passed) => (tag, passed),
            Look::No => {
                self.keep('<');
                return Some(1);
            }
        };
        let text = rest.get(..passed).unwrap_or_default();
        match tag {
            // Nobody writes these about anything.
            Tag::Call { end, token: true } => self.hidden = Hidden::Call { end },
            Tag::Call { end, token: false } if self.line.begins() => self.hidden = Hidden::Call { end },
            Tag::Opens(thought) if self.line.begins() => {
                let kept = (!self.line.blank).then(|| text.to_owned());
                let line = Line { blank: true, ended: false };
                self.hidden = Hidden::Thoughts { open: vec![thought], line, last: '>', kept };
            }
            // Its beginning was not in the answer.
            Tag::Closes(_) if self.line.begins() => self.taken = true,
            _ => self.keep_all(text),
        }
        Some(passed)
    }

    /// Goes on in thoughts.
    fn thought(&mut self, rest: &str, letter: char, whole: bool) -> Option<usize> {
        let Hidden::Thoughts { open, line, last, kept } = &mut self.hidden else { return Some(0) };
        let mut passed = letter.len_utf8();
        // A tag in a backtick is one that is thought about.
        if letter == '<' && *last != '`' {
            match shapes::tag(rest, whole) {
                Look::More => return None,
                Look::Is(Tag::Opens(thought), length) if line.begins() => {
                    open.push(thought);
                    passed = length;
                }
                Look::Is(Tag::Closes(thought), length) => {
                    // Models forget to end the inner ones, and to end with the word they began with.
                    let place = open.iter().rposition(|open| *open == thought);
                    open.truncate(place.unwrap_or(open.len() - 1));
                    passed = length;
                }
                _ => {}
            }
        }
        if open.is_empty() {
            self.hidden = Hidden::Nothing;
            self.taken = true;
            return Some(passed);
        }
        line.pass(letter);
        *last = letter;
        if let Some(kept) = kept {
            kept.push_str(rest.get(..passed).unwrap_or_default());
        }
        Some(passed)
    }

    /// Goes on in calls of tools.
    fn called(&mut self, rest: &str, letter: char, end: &str, whole: bool) -> Option<usize> {
        match shapes::begins(rest, &[end], whole) {
            Look::More => None,
            Look::Is((), passed) => {
                self.hidden = Hidden::Nothing;
                self.taken = true;
                Some(passed)
            }
            Look::No => Some(letter.len_utf8()),
        }
    }

    fn keep_all(&mut self, text: &str) {
        for letter in text.chars() {
            self.keep(letter);
        }
    }

    fn keep(&mut self, letter: char) {
        self.line.pass(letter);
        if letter.is_whitespace() {
            if self.taken {
                self.after.push(letter);
            } else {
                self.before.push(letter);
            }
            return;
        }
        let lines = |space: &str| space.matches('\n').count();
        let gap = match self.taken {
            // What was taken away stood before the answer.
            true if !self.begun => "",
            true if self.before.is_empty() || lines(&self.after) > lines(&self.before) => &self.after,
            _ => &self.before,
        };
        self.out.push_str(gap);
        self.out.push(letter);
        self.before.clear();
        self.after.clear();
        (self.taken, self.begun) = (false, true);
    }
}
