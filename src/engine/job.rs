//! An employee at work: its conversation with its model, and the tools it calls on the way.

use std::{borrow::Cow, ops::ControlFlow};

use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tracing::Instrument as _;

use super::{
    Answer, Crew, Error, Gave,
    clean::{Cleaner, clean},
    prompt::Given,
    skills::Brought,
    structured::Shape,
};
use crate::{
    base::{clock::Stopwatch, text::truncate},
    defs::Employee,
    llm::{Event, Finish, Message, Reply, Request, Said, ToolCall, ToolResult, Usage},
    tasks::{Estimate, Failure, Reservation, Spent, Steps},
};

/// What starts the conversation; the prompt itself is the system's part of it.
const BEGIN: &str = "Begin the task described above.";
/// How often a model is asked before it has to have answered.
pub(super) const MOST_TURNS: usize = 16;
/// How many tools it may call in all.
const MOST_CALLS: usize = 64;
/// Most tokens of an answer when a budget has to be kept and the employee sets no limit: what has no limit cannot be
/// estimated.
pub(super) const BUDGETED_TOKENS: u32 = 8192;
/// Most characters that are kept of what a tool gave.
const RESULT_CHARS: usize = 10_000;

/// One piece of work for one employee.
#[derive(Debug, Clone)]
pub struct Job<'j> {
    /// Who works.
    pub employee: &'j Employee,
    /// The values for its prompt.
    pub given: &'j Given,
    /// The model the run asks for.
    pub model: Option<&'j str>,
    /// What is said to begin with, when it is not the prompt alone that says what to do.
    pub task: Option<&'j str>,
    /// What its model is told to begin with, in place of the prompt of the employee.
    pub system: Option<&'j str>,
    /// Whether it is told its instructions alone, without who it is and what it remembers.
    pub bare: bool,
    /// What it is told of who it is, see `identity`.
    pub identified: Option<&'j str>,
    /// What was said before `task`, the oldest first.
    pub before: &'j [Message],
    /// How many employees have handed it on so far.
    pub depth: u8,
    /// Where the turns of a conversation with tools are recorded.
    pub steps: Steps,
    /// What their names begin with; unique within the task.
    pub name: Cow<'j, str>,
}

impl<'j> Job<'j> {
    /// The work of `employee` with these values, recorded nowhere.
    pub fn new(employee: &'j Employee, given: &'j Given) -> Self {
        let (steps, name) = (Steps::ephemeral(), Cow::Borrowed("answer"));
        Self {
            employee,
            given,
            model: None,
            task: None,
            system: None,
            bare: false,
            identified: None,
            before: &[],
            depth: 0,
            steps,
            name,
        }
    }

    /// The same on the model that is asked for, if one is.
    #[must_use]
    pub fn on(self, model: Option<&'j str>) -> Self {
        Self { model, ..self }
    }

    /// The same, recorded among `steps` under names that begin with `name`.
    #[must_use]
    pub fn recorded(self, steps: &Steps, name: impl Into<Cow<'j, str>>) -> Self {
        Self { steps: steps.clone(), name: name.into(), ..self }
    }

    fn who(&self) -> String {
        self.employee.name.clone()
    }

    /// What the steps of one call are called.
    fn of_call(&self, turn: usize, number: usize) -> Job<'j> {
        Self { name: format!("{}/tool-{turn}.{number}", self.name).into(), ..self.clone() }
    }
}

/// Whoever hears an answer while it comes in.
type Say<'s> = &'s mut (dyn FnMut(&str) -> ControlFlow<()> + Send);

/// What is recorded of a call of a tool: what it gave, and what that took.
#[derive(Debug, Serialize, Deserialize)]
struct Used {
    result: ToolResult,
    usage: Usage,
    cost_usd: Option<f64>,
}

/// What a conversation has taken so far.
#[derive(Debug, Default)]
struct Account {
    usage: Usage,
    /// `None` once something has no known price.
    cost_usd: Option<f64>,
    calls: usize,
}

/// What is traced of an employee at work.
fn span(job: &Job<'_>) -> tracing::Span {
    tracing::info_span!("employee.work", employee = job.employee.name)
}

impl Crew {
    /// Puts an employee to work once. One that has tools may call them, and is told what they give, until it answers.
    ///
    /// # Errors
    /// Missing values, no usable answer from the model, or tools called without end.
    pub async fn answer(&self, job: &Job<'_>) -> Result<Answer, Error> {
        // Boxed, as it is large, and may be inside itself when work is handed on.
        Box::pin(self.converse(job, None).instrument(span(job))).await
    }

    /// The same, told to `say` while it comes in, until that breaks off. For an employee without tools the pieces together
    /// are the output; one with tools may say something before it calls them, too.
    ///
    /// # Errors
    /// As [`Crew::answer`], even after a part was told; [`Error::Unheard`] when `say` broke off.
    pub async fn answer_aloud(
        &self,
        job: &Job<'_>,
        mut say: impl FnMut(&str) -> ControlFlow<()> + Send,
    ) -> Result<Answer, Error> {
        Box::pin(self.converse(job, Some(&mut say)).instrument(span(job))).await
    }

    async fn converse(&self, job: &Job<'_>, mut say: Option<Say<'_>>) -> Result<Answer, Error> {
        let watch = Stopwatch::start();
        let (mut request, brought) = self.request(job).await?;
        self.count_skills(&job.employee.name, &brought, job.steps.task_id()).await;
        let mut account = Account { cost_usd: Some(0.0), ..Account::default() };
        let shape =
            Shape::of(job.employee).map_err(|fault| Error::NoSchema { employee: job.who(), fault })?;
        let mut reply = Box::pin(self.work(job, &mut request, &mut account, &mut say)).await?;
        reply.said.text = for_readers(&reply)?;
        if let Some(shape) = shape {
            let said = std::mem::take(&mut reply.said);
            reply.said.text = self.shaped(job, request, said, &shape, &mut account).await?;
        }
        Ok(conclude(job, reply, &account, watch))
    }

    /// What the model answers once it has all that its tools give.
    async fn work(
        &self,
        job: &Job<'_>,
        request: &mut Request,
        account: &mut Account,
        say: &mut Option<Say<'_>>,
    ) -> Result<Reply, Error> {
        if request.tools.is_empty() {
            let reply = self.turn(job, request, say).await?;
            account.add(&reply);
            return Ok(reply);
        }
        for turn in 1..=MOST_TURNS {
            let name = format!("{}/turn-{turn}", job.name);
            // Boxed, as the stack has other uses for what a call of a model takes.
            let said = Box::pin(self.turn(job, request, say));
            // The last turn is the answer, which whoever asked for the work records.
            let reply = once(&job.steps, &name, |reply| !reply.said.calls.is_empty(), said).await?;
            account.add(&reply);
            if reply.said.calls.is_empty() {
                return Ok(reply);
            }
            account.calls += reply.said.calls.len();
            // Nobody would hear any more what they give.
            if account.calls > MOST_CALLS || turn == MOST_TURNS {
                break;
            }
            let mut results = Vec::new();
            for (number, call) in reply.said.calls.iter().enumerate() {
                let used = self.use_tool(&job.of_call(turn, number), request, call).await?;
                account.take(used.usage, used.cost_usd);
                results.push(used.result);
            }
            request.messages.push(Message::Assistant(reply.said));
            request.messages.push(Message::Tools(results));
        }
        Err(Error::EndlessTools { employee: job.who(), calls: account.calls })
    }

    /// The answer in the shape it has to have; the model is asked once more if it has another.
    async fn shaped(
        &self,
        job: &Job<'_>,
        mut request: Request,
        said: Said,
        shape: &Shape,
        account: &mut Account,
    ) -> Result<String, Error> {
        let fault = match shape.check(&said.text) {
            Ok(json) => return Ok(json),
            Err(fault) => fault,
        };
        tracing::info!(
            employee = job.employee.name,
            fault,
            "the answer has another shape; it is asked for again"
        );
        let again =
            format!("Your answer cannot be used: {fault}. Answer again, with the JSON document alone.");
        request.messages.extend([Message::Assistant(said), Message::User(again)]);
        request.tools.clear();
        let reply = self.turn(job, &request, &mut None).await?;
        account.add(&reply);
        shape.check(&for_readers(&reply)?).map_err(|fault| Error::Shape { employee: job.who(), fault })
    }

    /// Asks once, if the budget of the run allows it, and puts down what that took.
    async fn turn(
        &self,
        job: &Job<'_>,
        request: &Request,
        say: &mut Option<Say<'_>>,
    ) -> Result<Reply, Error> {
        let reserved = self.reserve(job, request).await?;
        let reply = self.ask(request, say).await?;
        let spent = Spent {
            by: job.who(),
            model: reply.model.clone(),
            calls: 1,
            input_tokens: reply.usage.input_tokens,
            cached_input_tokens: reply.usage.cached_input_tokens,
            output_tokens: reply.usage.output_tokens,
            cost_usd: reply.cost_usd,
        };
        job.steps.spend(spent, reserved).await?;
        if reply.finish == Finish::Refused {
            return Err(Error::Refused { model: reply.model });
        }
        Ok(reply)
    }

    async fn reserve(&self, job: &Job<'_>, request: &Request) -> Result<Reservation, Error> {
        let mut next = Estimate { by: job.who(), model: String::new(), tokens: 0, cost_usd: Some(0.0) };
        if job.steps.limits().is_limited() {
            let most = self.llm().estimate(request);
            next.tokens = most.usage.input_tokens.saturating_add(most.usage.output_tokens);
            (next.model, next.cost_usd) = (most.model, most.cost_usd);
        }
        Ok(job.steps.reserve(&next).await?)
    }

    async fn ask(&self, request: &Request, say: &mut Option<Say<'_>>) -> Result<Reply, Error> {
        Ok(match say {
            None => self.llm().complete(request).await?,
            Some(say) => {
                let mut telling = self.llm().stream(request);
                let mut cleaner = Cleaner::default();
                loop {
                    let (text, reply) = match telling.next().await.transpose()? {
                        Some(Event::Text(text)) => (cleaner.push(&text), None),
                        Some(Event::Done(reply)) => (cleaner.finish(), Some(*reply)),
                        // A stream ends with the answer or an error.
                        None => return Err(Error::Unheard),
                    };
                    if !text.is_empty() && say(&text).is_break() {
                        return Err(Error::Unheard);
                    }
                    if let Some(reply) = reply {
                        break reply;
                    }
                }
            }
        })
    }

    /// Calls one tool, as a step. A tool that is not offered is not called.
    async fn use_tool(&self, job: &Job<'_>, request: &Request, call: &ToolCall) -> Result<Used, Error> {
        let offered = request.tools.iter().any(|tool| tool.name == call.name);
        let work = async {
            let tape = self.llm().tape();
            // What an employee does to whom work is handed has exchanges of its own.
            let tape = tape.filter(|_| !self.toolbox().is_some_and(|toolbox| toolbox.hands_on(&call.name)));
            let asked = || json!({"tool": call.name, "arguments": call.arguments});
            let given = match (tape.filter(|tape| tape.plays()), self.toolbox()) {
                (Some(tape), _) => played(tape.play(&request.account, asked())),
                (None, Some(toolbox)) if offered => toolbox.call(job, call).await,
                (None, Some(toolbox)) => Err(toolbox.decline(job, call).await),
                (None, None) => Err(format!("there is no tool `{}`", call.name)),
            };
            // The model must not be told of it, as it cannot do better.
            if let (true, Some(reached)) = (given.is_err(), job.steps.reached()) {
                return Err(reached.into());
            }
            let is_error = given.is_err();
            let Gave { text, usage, cost_usd } = given.unwrap_or_else(Gave::from);
            let text = truncate(&text, RESULT_CHARS);
            if let Some(tape) = tape.filter(|tape| !tape.plays()) {
                tape.record(&request.account, asked(), json!({"text": text, "is_error": is_error}));
            }
            let result = ToolResult { id: call.id.clone(), name: call.name.clone(), text, is_error };
            Ok(Used { result, usage, cost_usd })
        };
        once(&job.steps, &job.name, |_| true, work).await
    }

    /// What a model is asked for `job`, and what skills brought into it.
    pub(super) async fn request(&self, job: &Job<'_>) -> Result<(Request, Brought), Error> {
        let definitions = self.definitions().await;
        let employee = job.employee;
        let (system, brought) = match job.system {
            Some(system) => (system.to_owned(), Brought::default()),
            None if job.bare => self.render_body_for(employee, job.given, job.task).await?,
            None => self.render_for(employee, job.given, job.task, job.identified).await?,
        };
        let last = Message::user(job.task.unwrap_or(BEGIN));
        let limited = job.steps.limits().is_limited();
        let tools = match self.toolbox() {
            Some(toolbox) => toolbox.offered(job).await,
            None => Vec::new(),
        };
        let request = Request {
            model: self.model(&definitions, job.model, employee),
            system,
            messages: job.before.iter().cloned().chain([last]).collect(),
            tools,
            max_tokens: employee.max_tokens.or(limited.then_some(BUDGETED_TOKENS)),
            temperature: employee.temperature,
            thinking: employee.thinking,
            fallback: self.fallback(&definitions, employee),
            account: employee.name.clone(),
        };
        Ok((request, brought))
    }
}

/// What of an answer is for its readers.
///
/// # Errors
/// [`Error::Thoughts`] when it is nothing, although the model said something.
fn for_readers(reply: &Reply) -> Result<String, Error> {
    let text = clean(&reply.said.text);
    if text.trim().is_empty() && !reply.said.text.trim().is_empty() {
        return Err(Error::Thoughts { model: reply.model.clone(), cut: reply.finish == Finish::Length });
    }
    Ok(text)
}

/// What a tool gave when it was recorded.
fn played(given: Option<Value>) -> Result<Gave, String> {
    let given = given.ok_or("the call is not recorded")?;
    let text = given.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
    if given.get("is_error") == Some(&Value::Bool(true)) { Err(text) } else { Ok(text.into()) }
}

/// Does `work` as a step that is recorded if `keep` says so, unless that was done before, and keeps the kind of its error.
async fn once<T: Serialize + DeserializeOwned>(
    steps: &Steps,
    name: &str,
    keep: impl FnOnce(&T) -> bool,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut failed = None;
    let noted = async {
        work.await.map_err(|error| {
            let failure = Failure::new(error.to_string());
            failed = Some(error);
            failure
        })
    };
    let ran = steps.run_keeping(name, keep, || noted).await;
    ran.map_err(|failure| failed.unwrap_or(Error::Step(failure)))
}

impl Account {
    fn add(&mut self, reply: &Reply) {
        self.take(reply.usage, reply.cost_usd);
    }

    fn take(&mut self, usage: Usage, cost_usd: Option<f64>) {
        self.usage.input_tokens += usage.input_tokens;
        self.usage.cached_input_tokens += usage.cached_input_tokens;
        self.usage.output_tokens += usage.output_tokens;
        self.cost_usd = self.cost_usd.zip(cost_usd).map(|(so_far, more)| so_far + more);
    }
}

fn conclude(job: &Job<'_>, reply: Reply, account: &Account, watch: Stopwatch) -> Answer {
    Answer {
        employee: job.employee.name.clone(),
        output: reply.said.text,
        model: reply.model,
        input_tokens: account.usage.input_tokens,
        cached_input_tokens: account.usage.cached_input_tokens,
        output_tokens: account.usage.output_tokens,
        cost_usd: account.cost_usd,
        tool_calls: account.calls,
        duration_ms: watch.elapsed_ms(),
    }
}
