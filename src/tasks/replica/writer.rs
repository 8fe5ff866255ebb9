//! The one that writes: takes the turn, hears what others did, and adds what still goes together with that.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

use super::State;
use crate::{
    base::{Tracker, clock::Stopwatch},
    store::{
        self,
        postgres::{Addition, Brief, Line, Readers, SharedLog},
    },
    tasks::{Status, TaskId, engine::Shared, home::Unkept, journal::Event, replay, table::Heard},
};

/// A turn adds no further line once it has this many, or this many bytes.
const MOST: (usize, usize) = (500, 4 << 20);

/// How often it is looked for news that nobody told of.
const LOOK: Duration = Duration::from_secs(1);

/// How long a database that refused is left alone.
const PAUSE: Duration = Duration::from_millis(500);

/// What the writer is asked for.
pub(super) enum Request {
    Add(Proposal),
    /// These replicas may be gone.
    LookAfter(Vec<Arc<str>>),
    /// What others did by now is to be known here.
    CatchUp(oneshot::Sender<Result<(), store::Error>>),
    /// This one is to leave; it has once the other end is dropped.
    Leave(oneshot::Sender<()>),
}

/// Something that is to happen.
pub(super) struct Proposal {
    id: TaskId,
    text: String,
    attempt: Option<u32>,
    ticket: i64,
    done: Option<oneshot::Sender<Result<Heard, Unkept>>>,
}

impl Proposal {
    pub(super) fn new(
        event: &Event<'_>,
        attempt: Option<u32>,
        ticket: i64,
        done: oneshot::Sender<Result<Heard, Unkept>>,
    ) -> Self {
        Self { id: event.task_id().clone(), text: event.text(), attempt, ticket, done: Some(done) }
    }

    fn answer(self, answer: Result<Heard, Unkept>) {
        // Whoever asked may have gone; it has happened, or not, all the same.
        let _ = self.done.map(|done| done.send(answer));
    }
}

fn parse(text: &str) -> Result<Event<'static>, serde_json::Error> {
    serde_json::from_str(text)
}

/// Something may have to be begun, or tried again later.
fn stir(shared: &Arc<Shared>) {
    shared.stir_all();
    shared.later.notify_one();
}

/// What the writer owns.
pub(super) struct Writer {
    pub(super) me: Arc<str>,
    pub(super) readers: Arc<Readers>,
    pub(super) shared: Weak<Shared>,
    pub(super) tracker: Tracker,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) state: Arc<State>,
    pub(super) log: Option<SharedLog>,
    /// The last line that was heard.
    pub(super) heard: i64,
    pub(super) waiting: VecDeque<Proposal>,
    /// Those that want to know what others did.
    pub(super) curious: Vec<oneshot::Sender<Result<(), store::Error>>>,
    /// Replicas that may be gone.
    pub(super) missed: Vec<Arc<str>>,
    /// What was committed without an answer: it may have happened, or not.
    pub(super) unsure: HashSet<i64>,
    /// Of those, what turned out to have happened and is proposed again by whoever has had no answer.
    pub(super) known: HashSet<i64>,
    /// Since when the database refuses.
    pub(super) refused: Option<Stopwatch>,
}

/// What a turn adds.
struct Batch {
    additions: Vec<Addition>,
    proposals: Vec<Option<Proposal>>,
    bytes: usize,
    busy: HashSet<TaskId>,
}

impl Writer {
    /// Writes until this replica is to leave, or nobody is there any more who could propose anything.
    pub(super) async fn run(mut self) {
        let mut leaving = None;
        while leaving.is_none() {
            let open = tokio::select! {
                biased;
                request = self.requests.recv() => self.take(request, &mut leaving),
                () = self.readers.news().notified() => true,
                () = tokio::time::sleep(LOOK) => true,
            };
            while let Ok(request) = self.requests.try_recv() {
                self.take(Some(request), &mut leaving);
            }
            let Some(shared) = self.shared.upgrade().filter(|_| open) else { break };
            self.serve(&shared).await;
        }
        self.leave().await;
    }

    fn take(&mut self, request: Option<Request>, leaving: &mut Option<oneshot::Sender<()>>) -> bool {
        match request {
            Some(Request::Add(proposal)) => self.waiting.push_back(proposal),
            Some(Request::LookAfter(replicas)) => self.missed = replicas,
            Some(Request::CatchUp(done)) => self.curious.push(done),
            Some(Request::Leave(left)) => *leaving = Some(left),
            None => return false,
        }
        true
    }

    /// Serves all that waits, or tells everybody why not.
    async fn serve(&mut self, shared: &Arc<Shared>) {
        let is_patient = self.refused.as_ref().is_some_and(|since| since.elapsed() < PAUSE);
        if is_patient {
            let trouble = self.state.trouble.lock().as_ref().map(store::Error::again);
            if let Some(error) = trouble {
                return self.refuse(&error);
            }
        }
        match self.round(shared).await {
            Ok(()) => {
                self.refused = None;
                self.state.note(None);
                for curious in self.curious.drain(..) {
                    // Whoever asked may have gone.
                    let _ = curious.send(Ok(()));
                }
            }
            Err(error) => {
                self.log = None;
                self.refused = Some(Stopwatch::start());
                self.refuse(&error);
                self.state.note(Some(error));
            }
        }
    }

    fn refuse(&mut self, error: &store::Error) {
        for proposal in self.waiting.drain(..) {
            proposal.answer(Err(error.again().into()));
        }
        for curious in self.curious.drain(..) {
            let _ = curious.send(Err(error.again()));
        }
    }

    async fn round(&mut self, shared: &Arc<Shared>) -> Result<(), store::Error> {
        let mut log = match self.log.take() {
            Some(log) => log,
            None => SharedLog::connect(self.readers.target(), &self.me, &self.tracker).await?,
        };
        if self.waiting.is_empty() && self.missed.is_empty() {
            loop {
                let lines = log.after(self.heard).await?;
                if lines.is_empty() {
                    break;
                }
                self.hear(shared, lines).await?;
            }
        }
        while !self.waiting.is_empty() || !self.missed.is_empty() {
            self.turn(shared, &mut log).await?;
        }
        self.log = Some(log);
        Ok(())
    }

    async fn turn(&mut self, shared: &Arc<Shared>, log: &mut SharedLog) -> Result<(), store::Error> {
        let mut turn = log.turn(self.heard).await?;
        self.hear(shared, std::mem::take(&mut turn.news)).await?;
        // Whoever has the turn sees all that was ever committed.
        self.unsure.clear();
        let mut batch =
            Batch { additions: Vec::new(), proposals: Vec::new(), bytes: 0, busy: HashSet::new() };
        if !self.missed.is_empty() {
            let gone = turn.gone(&self.missed).await?;
            let events = shared.table.lock().after(&gone);
            if !gone.is_empty() {
                tracing::warn!(
                    replicas = gone.len(),
                    tasks = events.len(),
                    "replicas are gone; others go on with their tasks"
                );
            }
            for event in events.into_iter().take(MOST.0) {
                batch.push(shared, &event, event.text(), 0, None);
            }
            // What did not fit is found again.
            self.missed.clear();
        }
        self.choose(shared, &mut batch);
        let forgotten = shared.table.lock().take_forgotten(MOST.0);
        if !forgotten.is_empty() {
            let subjects: Vec<Arc<str>> = forgotten.iter().map(|id| id.as_str().into()).collect();
            turn.forget(&subjects).await?;
        }
        self.unsure
            .extend(batch.additions.iter().map(|addition| addition.ticket).filter(|ticket| *ticket > 0));
        let first = turn.head + 1;
        if let Err(error) = turn.commit(&batch.additions).await {
            for proposal in batch.proposals.into_iter().flatten() {
                proposal.answer(Err(error.again().into()));
            }
            return Err(error);
        }
        let Batch { additions, proposals, .. } = batch;
        for ((n, addition), proposal) in (first..).zip(additions).zip(proposals) {
            let Addition { subject, ticket, text, .. } = addition;
            let line = Line { n, subject, writer: Arc::clone(&self.me), ticket, text };
            // One that cannot be heard now is heard once the database is back.
            let heard = self.hear_one(shared, &line).await?;
            self.known.remove(&ticket);
            if let Some(proposal) = proposal {
                proposal.answer(Ok(heard));
            }
        }
        stir(shared);
        Ok(())
    }

    /// Puts into the batch what may happen, refuses what may not, and leaves the rest for the next turn: of each task one
    /// event at a time, so that each is judged by what came before it.
    fn choose(&mut self, shared: &Shared, batch: &mut Batch) {
        for mut proposal in std::mem::take(&mut self.waiting) {
            if self.known.remove(&proposal.ticket) {
                let task = shared.table.lock().live(&proposal.id);
                let is_parked = task.is_some_and(|task| task.status == Status::AwaitingApproval);
                proposal.answer(Ok(Heard { is_parked }));
                continue;
            }
            if batch.is_full() || batch.busy.contains(&proposal.id) {
                self.waiting.push_back(proposal);
                continue;
            }
            // It was made of an event, and is what others will read.
            let Ok(event) = parse(&proposal.text) else {
                proposal.answer(Err(Unkept::Refused));
                continue;
            };
            if !shared.table.lock().admits(&event, proposal.attempt) {
                proposal.answer(Err(Unkept::Refused));
                continue;
            }
            let text = std::mem::take(&mut proposal.text);
            batch.push(shared, &event, text, proposal.ticket, Some(proposal));
        }
    }

    /// Hears lines, in order.
    async fn hear(&mut self, shared: &Arc<Shared>, lines: Vec<Line>) -> Result<(), store::Error> {
        let any = !lines.is_empty();
        for line in lines {
            self.hear_one(shared, &line).await?;
        }
        if any {
            stir(shared);
        }
        Ok(())
    }

    async fn hear_one(&mut self, shared: &Arc<Shared>, line: &Line) -> Result<Heard, store::Error> {
        let ours = line.writer == self.me;
        let heard = match parse(&line.text) {
            Ok(Event::Created { task, by }) => {
                let known = replay::Known { owner: by, ..task.into_owned().into() };
                shared.table.lock().insert_known(known, ours);
                Heard::default()
            }
            Ok(Event::Resumed { task_id, again }) => {
                if shared.table.lock().must_read(&task_id) {
                    let lines = self.readers.read(&line.subject).await?;
                    let then = lines.iter().filter(|other| other.n <= line.n);
                    let known = replay::rebuild(then.map(|line| line.text.as_bytes()));
                    if let Some(known) = known {
                        shared.table.lock().insert_known(known, ours);
                    }
                } else {
                    shared.table.lock().hear_resumed(&task_id, again.into_owned(), ours);
                }
                Heard::default()
            }
            Ok(event) => {
                let heard = shared.table.lock().hear(&event, ours);
                if let Event::Stop { task_id } = &event {
                    self.stop(shared, task_id);
                }
                heard
            }
            Err(error) => {
                tracing::warn!(n = line.n, %error, "a line of the journal of tasks means nothing to this version");
                Heard::default()
            }
        };
        self.heard = line.n;
        if ours && self.unsure.remove(&line.ticket) {
            self.known.insert(line.ticket);
        }
        Ok(heard)
    }

    /// A task of this replica is to be stopped; one that only waits here ends at once.
    fn stop(&self, shared: &Arc<Shared>, id: &TaskId) {
        if shared.table.lock().waits_here(id) {
            let (shared, id) = (Arc::clone(shared), id.clone());
            self.tracker.spawn(async move {
                if let Err(error) = shared.cancel(&id).await {
                    tracing::debug!(task.id = id.as_str(), %error, "a task that was to be stopped was not");
                }
            });
        }
    }

    /// Says farewell: what this replica still has waits for others.
    async fn leave(mut self) {
        self.requests.close();
        self.refuse(&store::Error::Closed { path: self.readers.target().to_string().into() });
        let left = match (&self.log, self.shared.upgrade()) {
            (Some(_), Some(shared)) => self.farewell(&shared).await,
            (Some(log), None) => log.leave().await,
            (None, _) => Ok(()),
        };
        if let Err(error) = left {
            // Its lease ends soon.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "a replica could not say that it leaves"
            );
        }
        self.readers.close();
    }

    async fn farewell(&mut self, shared: &Arc<Shared>) -> Result<(), store::Error> {
        let Some(mut log) = self.log.take() else { return Ok(()) };
        let mut turn = log.turn(self.heard).await?;
        // It has by now what others left to it, and has not what they took over.
        for line in std::mem::take(&mut turn.news) {
            self.hear_one(shared, &line).await?;
        }
        // Deliveries are taken over once others see that this replica is none any more.
        let events = shared.table.lock().held();
        let mut batch =
            Batch { additions: Vec::new(), proposals: Vec::new(), bytes: 0, busy: HashSet::new() };
        for event in events {
            batch.push(shared, &event, event.text(), 0, None);
        }
        turn.commit(&batch.additions).await?;
        log.leave().await
    }
}

impl Batch {
    fn is_full(&self) -> bool {
        self.additions.len() >= MOST.0 || self.bytes >= MOST.1
    }

    fn push(
        &mut self,
        shared: &Shared,
        event: &Event<'_>,
        text: String,
        ticket: i64,
        proposal: Option<Proposal>,
    ) {
        let brief = match shared.table.lock().brief_after(event) {
            None => Brief::Same,
            Some(None) => Brief::None,
            Some(Some(brief)) => Brief::Is(brief),
        };
        let id = event.task_id();
        self.bytes += text.len();
        self.busy.insert(id.clone());
        self.additions.push(Addition { subject: id.as_str().into(), ticket, text, brief });
        self.proposals.push(proposal);
    }
}
