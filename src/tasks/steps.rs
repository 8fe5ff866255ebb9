//! The handle through which a body remembers what it has done.

use std::{borrow::Cow, collections::HashSet, fmt, future::Future, sync::Arc};

use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    Code, Decision, Failure, StepRecord, Task, TaskId, Waiting, approval,
    engine::Shared,
    journal::{Event, MAX_DEPTH, nests_deeper_than},
    ledger::Ledger,
};
use crate::base::clock::{self, Stopwatch};

/// The steps of one run. Clones share them; steps may run at the same time.
#[derive(Clone)]
pub struct Steps {
    run: Arc<Run>,
}

struct Run {
    /// Where steps are recorded; nowhere for a run outside any task.
    recorder: Option<(Arc<Shared>, TaskId)>,
    cancel: CancellationToken,
    attempt: u32,
    ledger: Arc<Ledger>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Names used in this attempt.
    begun: HashSet<String>,
    finished: Vec<StepRecord>,
    /// The steps that are being done.
    working: Vec<String>,
    /// The steps that wait for a decision.
    waiting: Vec<String>,
    /// Grows whenever one of the two changes.
    moves: u64,
    /// A step could not be recorded before the program had to end.
    interrupted: bool,
    /// Nothing was left but to wait: the body is dropped.
    parked: bool,
}

impl Steps {
    pub(super) fn of(shared: Arc<Shared>, task: &Task, attempt: u32, cancel: CancellationToken) -> Self {
        let state = State { finished: task.steps.clone(), ..State::default() };
        let recorder = Some((shared, task.task_id.clone()));
        let ledger = Arc::new(Ledger::of(task));
        Self { run: Arc::new(Run { recorder, cancel, attempt, ledger, state: Mutex::new(state) }) }
    }

    /// Steps that are recorded nowhere: for work outside any task, where the caller waits and can start again.
    pub fn ephemeral() -> Self {
        Self::ephemeral_under(CancellationToken::new())
    }

    /// Like [`Steps::ephemeral`]; `cancel` stops the work.
    pub fn ephemeral_under(cancel: CancellationToken) -> Self {
        let (ledger, state) = (Arc::default(), Mutex::default());
        Self { run: Arc::new(Run { recorder: None, cancel, attempt: 1, ledger, state }) }
    }

    /// Does `work` as the step of this name, once: if the step finished in an earlier attempt, `work` is not
    /// started and its recorded output is returned.
    ///
    /// The output is on the disk before this returns. While the disk refuses (it is full, for instance) this waits
    /// and tries again, as repeating the work may be dear. A step that fails is not recorded and will be tried
    /// again by the next attempt.
    ///
    /// # Errors
    /// What `work` answers. Besides: the task was cancelled; the name was used before in this attempt, which is an
    /// error of the program; the output is no JSON or nests deeper than 100 levels; the recorded output is not a
    /// `T`, because the program has changed since.
    pub async fn run<T, F, Fut>(&self, step: &str, work: F) -> Result<T, Failure>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, Failure>>,
    {
        self.run_keeping(step, |_| true, work).await
    }

    /// The same, recorded only if `keep` says so: what the step around this one records anyway need not be kept twice.
    ///
    /// # Errors
    /// As [`Steps::run`].
    pub async fn run_keeping<T, F, Fut>(
        &self,
        step: &str,
        keep: impl FnOnce(&T) -> bool,
        work: F,
    ) -> Result<T, Failure>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, Failure>>,
    {
        if let Some(output) = self.begin(step)? {
            return serde_json::from_value(output).map_err(|error| {
                Failure::new(format!("what step `{step}` gave earlier no longer fits the program: {error}"))
            });
        }
        let _working = Held::begin(&self.run, State::working, step);
        let watch = Stopwatch::start();
        let span = tracing::info_span!("task.step", step);
        let given = tokio::select! {
            biased;
            () = self.run.cancel.cancelled() => return Err(cancelled()),
            given = work().instrument(span) => given?,
        };
        if !keep(&given) {
            return Ok(given);
        }
        let output = serde_json::to_value(&given)
            .map_err(|error| Failure::new(format!("what step `{step}` gave cannot be recorded: {error}")))?;
        if nests_deeper_than(&output, MAX_DEPTH) {
            let message = format!("what step `{step}` gave nests deeper than {MAX_DEPTH} levels");
            return Err(Failure::new(message));
        }
        let record =
            StepRecord { step: step.to_owned(), output, at: clock::now(), duration_ms: watch.elapsed_ms() };
        self.record(record).await?;
        Ok(given)
    }

    /// Asks a person for a decision, once: if it was given in an earlier attempt, it is returned at once.
    ///
    /// Several may be waited for at the same time, also inside of steps: there `name` is that of the step, or begins with
    /// it and a `/`, as the names of steps within steps do. Once nothing else is left to do, the body is dropped and the
    /// task parked: it holds no worker, survives the program, and its body runs again when a decision comes. The steps
    /// around what waits are then begun again, and those that finished within them are not. So whatever a body does while
    /// it may be waiting belongs into a step.
    ///
    /// # Errors
    /// The task was cancelled; nobody can be asked, since this is no task, or too many tasks wait already; as
    /// [`Steps::run`] for a name used twice.
    pub async fn wait(&self, name: &str, question: &str) -> Result<Decision, Failure> {
        let step = approval::step_of(name);
        if let Some(output) = self.begin(&step)? {
            return decision(&step, output);
        }
        let Some((shared, task_id)) = &self.run.recorder else {
            return Err(nobody());
        };
        self.ask(shared, task_id, &step, question).await?;
        let Some(mut task) = shared.table.lock().watch(task_id) else { return Err(cancelled()) };
        let _waiting = Held::begin(&self.run, State::waiting, &step);
        let is_decided = |task: &Arc<Task>| task.steps.iter().any(|done| done.step == step);
        let decided = tokio::select! {
            biased;
            () = self.run.cancel.cancelled() => return Err(cancelled()),
            task = task.wait_for(is_decided) => task.ok().and_then(|task| task.steps.iter().find(|done| done.step == step).cloned()),
        };
        let Some(record) = decided else { return Err(cancelled()) };
        let output = record.output.clone();
        self.run.state.lock().finished.push(record);
        decision(&step, output)
    }

    /// Puts the question on record, unless an earlier attempt did.
    async fn ask(
        &self,
        shared: &Shared,
        task_id: &TaskId,
        step: &str,
        question: &str,
    ) -> Result<(), Failure> {
        let _working = Held::begin(&self.run, State::working, step);
        {
            let table = shared.table.lock();
            let task = table.live(task_id);
            let waiting = task.as_ref().map_or(&[][..], |task| &task.waiting);
            if waiting.iter().any(|known| known.step == step) {
                return Ok(());
            }
            // A task that asks more than one thing counts once.
            if shared.parked == 0 {
                return Err(nobody());
            }
            let asking = table.asking();
            if waiting.is_empty() && asking >= shared.parked {
                return Err(Failure::new(format!("{asking} tasks wait for an approval already")));
            }
        }
        let waiting = Waiting { step: step.to_owned(), question: question.to_owned(), since: clock::now() };
        let event = Event::Waiting { task_id: task_id.clone(), waiting: Cow::Borrowed(&waiting) };
        shared.record(&event, Some(self.run.attempt)).await.map_err(|_| self.interrupted())?;
        Ok(())
    }

    /// Notes that the step is begun, or finds what it gave in an earlier attempt.
    fn begin(&self, step: &str) -> Result<Option<Value>, Failure> {
        let mut state = self.run.state.lock();
        if !state.begun.insert(step.to_owned()) {
            return Err(Failure::new(format!("two steps of one run are called `{step}`")));
        }
        if let Some(known) = state.finished.iter().find(|known| known.step == step) {
            return Ok(Some(known.output.clone()));
        }
        if self.run.cancel.is_cancelled() { Err(cancelled()) } else { Ok(None) }
    }

    async fn record(&self, record: StepRecord) -> Result<(), Failure> {
        // What a step around an interrupted one makes of that is no fact, even if the disk is back by now.
        if self.is_interrupted() {
            return Err(self.interrupted());
        }
        if let Some((shared, task_id)) = &self.run.recorder {
            let event = Event::Step { task_id: task_id.clone(), record: Cow::Borrowed(&record) };
            shared.record(&event, Some(self.run.attempt)).await.map_err(|_| self.interrupted())?;
        }
        self.run.state.lock().finished.push(record);
        Ok(())
    }

    /// Fires when the task is cancelled. Work that outlives its future (a child process, a thread) must heed it.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.run.cancel
    }

    pub(super) fn ledger(&self) -> &Arc<Ledger> {
        &self.run.ledger
    }

    /// Who records what happens, and for which task.
    pub(super) fn recorder(&self) -> Option<&(Arc<Shared>, TaskId)> {
        self.run.recorder.as_ref()
    }

    /// The task these are steps of, if they are recorded at all.
    pub fn task_id(&self) -> Option<&TaskId> {
        self.run.recorder.as_ref().map(|(_, id)| id)
    }

    /// How often work on the task began, this time included; 1 outside any task.
    pub fn attempt(&self) -> u32 {
        self.run.attempt
    }

    /// The steps finished so far, those of earlier attempts included, in the order they finished.
    pub fn finished(&self) -> Vec<StepRecord> {
        self.run.state.lock().finished.clone()
    }

    /// Whether anything was finished within the step of this name, in this attempt or an earlier one.
    pub fn has_within(&self, step: &str) -> bool {
        let is_inner = |name: &str| name.strip_prefix(step).is_some_and(|rest| rest.starts_with('/'));
        self.run.state.lock().finished.iter().any(|done| is_inner(&done.step))
    }

    /// What a body is told when the program ends before something could be recorded, or another replica has the task.
    pub(super) fn interrupted(&self) -> Failure {
        self.run.state.lock().interrupted = true;
        Failure::coded(Code::INTERRUPTED, "the work was cut off before the step could be recorded")
    }

    /// When something is waited for and nothing is being done but the steps it is waited for in: what, and a number that
    /// changes with every move.
    pub(super) fn idle(&self) -> Option<(u64, Vec<String>)> {
        let state = self.run.state.lock();
        let waits = |working: &String| state.waits_in(working);
        let idle = !state.waiting.is_empty() && state.working.iter().all(waits) && !state.interrupted;
        idle.then(|| (state.moves, state.waiting.clone()))
    }

    /// Whether a decision is waited for in the step of this name, or about it.
    pub fn waits_in(&self, step: &str) -> bool {
        self.run.state.lock().waits_in(step)
    }

    /// Whether what was asked about `name` is decided, so that [`Steps::wait`] need not ask.
    pub fn has_decision(&self, name: &str) -> bool {
        let step = approval::step_of(name);
        self.run.state.lock().finished.iter().any(|done| done.step == step)
    }

    /// Whether the body is dropped only to run again once somebody has decided.
    pub fn is_parked(&self) -> bool {
        self.run.state.lock().parked
    }

    pub(super) fn park(&self) {
        self.run.state.lock().parked = true;
    }

    /// Whether the run could not go on because the program ends.
    pub(super) fn is_interrupted(&self) -> bool {
        self.run.state.lock().interrupted
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = self.run.recorder.as_ref().map(|(_, id)| id.as_str());
        f.debug_struct("Steps")
            .field("task", &task)
            .field("attempt", &self.run.attempt)
            .finish_non_exhaustive()
    }
}

impl State {
    fn waits_in(&self, step: &str) -> bool {
        self.waiting.iter().any(|waiting| approval::is_within(waiting, step))
    }

    fn working(&mut self) -> &mut Vec<String> {
        &mut self.working
    }

    fn waiting(&mut self) -> &mut Vec<String> {
        &mut self.waiting
    }
}

/// A step that is being done, or waits for a decision, for as long as it does.
struct Held<'r> {
    run: &'r Run,
    list: fn(&mut State) -> &mut Vec<String>,
    step: String,
}

impl<'r> Held<'r> {
    fn begin(run: &'r Run, list: fn(&mut State) -> &mut Vec<String>, step: &str) -> Self {
        let mut state = run.state.lock();
        list(&mut state).push(step.to_owned());
        state.moves += 1;
        Self { run, list, step: step.to_owned() }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut state = self.run.state.lock();
        (self.list)(&mut state).retain(|step| *step != self.step);
        state.moves += 1;
    }
}

fn decision(step: &str, output: Value) -> Result<Decision, Failure> {
    serde_json::from_value(output)
        .map_err(|error| Failure::new(format!("what was decided in `{step}` cannot be read: {error}")))
}

/// Nobody will be there to decide.
fn nobody() -> Failure {
    Failure::new("an approval can be given to a task only, and this is none")
}

fn cancelled() -> Failure {
    Failure::new("cancelled")
}
