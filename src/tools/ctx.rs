//! What a tool knows about the call it serves. Not which surface made it: that it must not know.

use std::{fmt, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::{Answers, Error, WorkKey};
use crate::{defs::Scope, engine::Args};

/// Who is calling, as far as the surface could tell, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    name: Arc<str>,
    scope: Scope,
    /// The employee that calls, when it is one at work.
    employee: Option<Arc<str>>,
}

impl Caller {
    /// A caller known by `name`, for instance `token`, `stdio` or `cli`, who may do everything.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), scope: Scope::Admin, employee: None }
    }

    /// The employee `name`, which uses a tool while it works. It may start work, and no more than that.
    pub fn at_work(name: &str) -> Self {
        let employee = Some(name.into());
        Self { name: format!("employee {name}").into(), scope: Scope::Run, employee }
    }

    /// The employee that calls, when it is one at work.
    pub fn employee(&self) -> Option<&str> {
        self.employee.as_deref()
    }

    /// The same who may do so much.
    #[must_use]
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// The name, for those who keep it.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// The name, as it is recorded with the work this caller starts.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What they may do.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Refuses who may not do what needs `scope`.
    ///
    /// # Errors
    /// [`Error::Denied`], naming what is needed.
    pub fn require(&self, scope: Scope) -> Result<(), Error> {
        if self.scope >= scope {
            return Ok(());
        }
        let (needed, has) = (scope.as_str(), self.scope.as_str());
        Err(Error::Denied(format!("this needs a token with the scope `{needed}`; this one has `{has}`")))
    }
}

/// How far a call has come: `done` of `total` parts, and what is happening.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Parts finished so far; grows from call to call.
    pub done: u32,
    /// Parts in all, when known.
    pub total: Option<u32>,
    /// One line for a person.
    pub message: String,
}

type ProgressSink = Arc<dyn Fn(Progress) + Send + Sync>;

/// The context of one tool call.
#[derive(Clone)]
pub struct Ctx {
    caller: Caller,
    cancel: CancellationToken,
    progress: Option<ProgressSink>,
    answers: Option<Arc<Answers>>,
    key: Option<Arc<WorkKey>>,
}

impl Ctx {
    /// A context without progress that is never cancelled, of a caller who cannot be asked.
    pub fn new(caller: Caller) -> Self {
        Self { caller, cancel: CancellationToken::new(), progress: None, answers: None, key: None }
    }

    /// The same, cancelled by `token`.
    #[must_use]
    pub fn with_cancel(mut self, token: CancellationToken) -> Self {
        self.cancel = token;
        self
    }

    /// The same, reporting progress to `sink`.
    #[must_use]
    pub fn with_progress(mut self, sink: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(sink));
        self
    }

    /// The same of a caller who can be asked, and who answered this so far.
    #[must_use]
    pub fn with_answers(mut self, answers: Answers) -> Self {
        self.answers = Some(Arc::new(answers));
        self
    }

    /// The same of a call whose work is done once, however often it is made.
    #[must_use]
    pub fn with_key(mut self, key: WorkKey) -> Self {
        self.key = Some(Arc::new(key));
        self
    }

    /// The key under which the work of this call is done once.
    pub(super) fn key(&self) -> Option<&WorkKey> {
        self.key.as_deref()
    }

    /// What was answered so far, by a caller who can be asked.
    pub(super) fn answers(&self) -> Option<&Answers> {
        self.answers.as_deref()
    }

    /// Adds to `args` what the caller was asked for.
    ///
    /// # Errors
    /// [`Error::Denied`] when they would not say.
    pub fn complete(&self, args: &mut Args) -> Result<(), Error> {
        for (name, value) in self.answers().map_or_else(|| Ok(Vec::new()), Answers::arguments)? {
            let given = args.entry(name).or_default();
            if given.trim().is_empty() {
                *given = value;
            }
        }
        Ok(())
    }

    /// Turns questions that cannot be asked, or were asked often enough, into [`Error::Arguments`].
    ///
    /// # Errors
    /// Those of `ended`.
    pub fn settle<T>(&self, ended: Result<T, Error>) -> Result<T, Error> {
        ended.map_err(|error| match error {
            Error::NeedInput(inquiry) if self.answers().is_none_or(|said| said.rounds >= inquiry.rounds) => {
                Error::Arguments(inquiry.lacking)
            }
            error => error,
        })
    }

    /// Who is calling.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Fires when the caller no longer wants the answer.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Reports progress, if anyone listens.
    pub fn report(&self, progress: Progress) {
        if let Some(sink) = &self.progress {
            sink(progress);
        }
    }
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx").field("caller", &self.caller).finish_non_exhaustive()
    }
}
