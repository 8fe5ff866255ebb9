//! MCP over a pair of pipes: one message per line, in both directions.

use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::future::{BoxFuture, join_all};
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, BufWriter},
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    BATCH_LIMIT,
    lines::{Line, Lines},
    rpc::Rpc,
};
use crate::{
    base::Tracker,
    protocol::{
        Context, Era, Error, Host, Server, Session, Version,
        bus::Listening,
        context::Outlet,
        envelope::{self, Envelope, Id, Kind},
        era::{self, Peek},
        headers::Header,
        methods::LISTEN,
    },
};

/// Longest line that is read, in bytes.
const LINE_LIMIT: usize = 4 << 20;
/// Most requests that run at once; when there are more, reading waits.
const REQUEST_LIMIT: u32 = 1024;
/// Most of them that may be streams of changes.
const STREAM_LIMIT: usize = 256;
/// Most messages that wait to be written.
const OUT_LIMIT: usize = 256;
/// What requests that still run at the end of the input may take.
const GRACE: Duration = Duration::from_secs(2);

/// Serves `host` to the one client at the other end of `reader` and `writer`, until the input ends, the output is
/// closed, or `tracker` is asked to stop.
///
/// Requests run side by side, and each is answered as it is done. At the end of the input those still running have
/// two seconds to finish.
///
/// # Errors
/// When reading fails. A client that no longer reads is no error.
pub async fn serve_stdio<R, W>(host: Arc<dyn Host>, reader: R, writer: W, tracker: Tracker) -> io::Result<()>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let (out, inbox) = mpsc::channel(OUT_LIMIT);
    let last = CancellationToken::new();
    let written = tracker.spawn(write(writer, inbox, last.clone()));
    let ending = tracker.stopping().child_token();
    let server = Arc::new(Server::new(host).with_streams(STREAM_LIMIT, ending.clone()));
    let connection = Connection {
        rpc: Rpc::new(Arc::clone(&server)),
        server,
        following: OnceLock::new(),
        ending,
        session: Arc::new(Session::new()),
        slots: Arc::new(Semaphore::new(REQUEST_LIMIT as usize)),
        caller: Arc::from("stdio"),
        out,
        tracker,
    };
    let outcome = connection.read(reader).await;
    connection.finish().await;
    last.cancel();
    if timeout(GRACE, written).await.is_err() {
        tracing::warn!("the client does not read; answers were given up");
    }
    outcome
}

/// The client and what runs for it.
struct Connection {
    server: Arc<Server>,
    rpc: Rpc,
    /// Whether the client is told of changes in the way of the older era.
    following: OnceLock<Option<Listening>>,
    ending: CancellationToken,
    session: Arc<Session>,
    slots: Arc<Semaphore>,
    caller: Arc<str>,
    out: mpsc::Sender<String>,
    tracker: Tracker,
}

/// What to do about one message.
enum Taken {
    /// Nothing: it wants no answer.
    Heard,
    /// Answer at once.
    Answer(String),
    /// Run this; it ends without an answer when the client cancels it.
    Run(BoxFuture<'static, Option<String>>),
}

impl Connection {
    async fn read(&self, reader: impl AsyncRead + Unpin + Send) -> io::Result<()> {
        let mut lines = Lines::new(BufReader::new(reader), LINE_LIMIT);
        loop {
            let line = tokio::select! {
                () = self.tracker.stopping().cancelled() => return Ok(()),
                () = self.out.closed() => return Ok(()),
                line = lines.next() => line?,
            };
            match line {
                Line::End => return Ok(()),
                Line::TooLong => {
                    let error = format!("a line of more than {LINE_LIMIT} bytes; send less at once");
                    self.say(self.refusal(&Error::invalid_request(error))).await;
                }
                Line::Whole(line) if line.trim_ascii().is_empty() => {}
                Line::Whole(line) => match std::str::from_utf8(line) {
                    Ok(text) => self.accept(text).await,
                    Err(error) => self.say(self.refusal(&Error::parse(error))).await,
                },
            }
        }
    }

    /// Lets what runs come to an end, then ends it.
    async fn finish(self) {
        let Self { session, slots, ending, following, .. } = self;
        ending.cancel();
        drop(following);
        if timeout(GRACE, slots.acquire_many(REQUEST_LIMIT)).await.is_err() {
            session.cancel_all();
        }
    }

    /// Takes one line: a message, or an array of them where the revision has that.
    async fn accept(&self, text: &str) {
        let taken = match envelope::batch(text, BATCH_LIMIT) {
            None => self.take(text).await,
            Some(_) if !self.session.version().is_some_and(Version::has_batches) => {
                let error = "this protocol version has no batches; send one message per line";
                Taken::Answer(self.refusal(&Error::invalid_request(error)))
            }
            Some(Err(error)) => Taken::Answer(self.refusal(&error)),
            Some(Ok(messages)) => self.take_batch(&messages).await,
        };
        match taken {
            Taken::Heard => {}
            Taken::Answer(answer) => self.say(answer).await,
            Taken::Run(run) => self.start(run).await,
        }
    }

    async fn take_batch(&self, messages: &[&RawValue]) -> Taken {
        let mut runs: Vec<BoxFuture<'static, Option<String>>> = Vec::new();
        for message in messages {
            match self.take(message.get()).await {
                Taken::Heard => {}
                Taken::Answer(answer) => runs.push(Box::pin(async { Some(answer) })),
                Taken::Run(run) => runs.push(run),
            }
        }
        Taken::Run(Box::pin(async move {
            let answers: Vec<String> = join_all(runs).await.into_iter().flatten().collect();
            (!answers.is_empty()).then(|| format!("[{}]", answers.join(",")))
        }))
    }

    async fn take(&self, text: &str) -> Taken {
        let envelope = match Envelope::parse_text(text) {
            Ok(envelope) => envelope,
            Err(error) => return Taken::Answer(self.refusal(&error)),
        };
        match envelope.kind() {
            Kind::Request(id, method) => match self.prepare(id, method, envelope.params()) {
                Ok(run) => Taken::Run(run),
                Err(error) => Taken::Answer(error.answer(Some(id), self.session.version())),
            },
            Kind::Notification(method) => {
                self.rpc.notify(method, envelope.params(), &self.session).await;
                self.follow();
                Taken::Heard
            }
            Kind::Response(_) => {
                self.session.respond(&envelope);
                Taken::Heard
            }
            Kind::Invalid(id) => {
                let error = Error::invalid_request("neither a request, nor a notification, nor a response");
                Taken::Answer(error.answer(id, self.version()))
            }
        }
    }

    fn prepare(
        &self,
        id: Id<'_>,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<BoxFuture<'static, Option<String>>, Error> {
        let peek = Peek::of(params);
        let caller = Arc::clone(&self.caller);
        let outlet = Arc::new(Pipe(self.out.clone()));
        let context = match era::of(Header::Absent, &peek) {
            Era::Modern => {
                let admitted = era::admit(method, &peek, None, |_| None)?;
                Context::modern(id, &admitted, &peek, caller, outlet)
            }
            Era::Legacy => {
                if method == "initialize" {
                    self.session.negotiate(params.map(RawValue::get))?;
                } else {
                    self.follow();
                }
                Context::legacy(Arc::clone(&self.session), &peek, caller, outlet)
            }
        };
        let running = self.session.begin(id, &context)?;
        let cancelled = context.cancelled().clone();
        let ends_itself = method == LISTEN;
        let call = self.rpc.call(id, method, params, context);
        Ok(Box::pin(async move {
            let answer = tokio::select! {
                biased;
                () = cancelled.cancelled(), if !ends_itself => None,
                answer = call => Some(answer.json),
            };
            drop(running);
            answer
        }))
    }

    /// Tells the client of changes from now on, if it has greeted.
    fn follow(&self) {
        if self.session.version().is_some() {
            let pipe = || Arc::new(Pipe(self.out.clone()));
            self.following.get_or_init(|| self.server.follow(&self.session, pipe()));
        }
    }

    async fn start(&self, run: BoxFuture<'static, Option<String>>) {
        let slot = Arc::clone(&self.slots).acquire_owned().await.expect("the slots are never closed");
        let out = self.out.clone();
        self.tracker.spawn(async move {
            if let Some(answer) = run.await {
                // It fails when the client has gone; then nobody waits for it.
                let _ = out.send(answer).await;
            }
            drop(out);
            drop(slot);
        });
    }

    /// The answer to what has no readable id.
    fn refusal(&self, error: &Error) -> String {
        error.answer(None, self.version())
    }

    /// The revision that errors are written in. Who opened no session speaks the modern era: an older client has
    /// nothing to say before that.
    fn version(&self) -> Option<Version> {
        self.session.version().or(Some(Version::V2026_07_28))
    }

    async fn say(&self, message: String) {
        let _ = self.out.send(message).await;
    }
}

/// The way of notifications into the output.
struct Pipe(mpsc::Sender<String>);

impl Outlet for Pipe {
    fn send(&self, message: String) -> bool {
        let sent = self.0.try_send(message).is_ok();
        if !sent {
            tracing::debug!("the client reads too slowly; a message was dropped");
        }
        sent
    }
}

/// Writes messages until `last` says that there will be no more than those that wait.
async fn write(
    writer: impl AsyncWrite + Unpin,
    mut inbox: mpsc::Receiver<String>,
    last: CancellationToken,
) -> io::Result<()> {
    let mut writer = BufWriter::new(writer);
    loop {
        let message = tokio::select! {
            biased;
            message = inbox.recv() => message,
            () = last.cancelled() => None,
        };
        let Some(message) = message else { return Ok(()) };
        writer.write_all(message.as_bytes()).await?;
        writer.write_all(b"\n").await?;
        while let Ok(message) = inbox.try_recv() {
            writer.write_all(message.as_bytes()).await?;
            writer.write_all(b"\n").await?;
        }
        writer.flush().await?;
    }
}

#[cfg(test)]
mod tests;
