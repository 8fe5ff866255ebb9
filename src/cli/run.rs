//! `knowlyr-crew run`.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;

use super::{
    args::{Form, Global, named_value},
    budget::Granted,
    execute::execute,
    exit::{Error, Outcome},
    render, task,
    test::{Recording, record},
};
use crate::{
    app::{self, Environment, Journal, Recorded, Settings},
    base::{Tracker, text::closest},
    defs::Employee,
    engine::{Answer, Given},
    store::document::Replacement,
    tasks::Lane,
    tools::Office,
};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Name or trigger
    pub(super) name: String,
    /// Values for its arguments, in their order
    pub(super) args: Vec<String>,
    /// A value by name: --arg target=src/main.rs
    #[arg(long = "arg", value_name = "NAME=VALUE", value_parser = named_value)]
    pub(super) named: Vec<(String, String)>,
    /// Print the instructions alone, without the heading that says who the employee is
    #[arg(long, conflicts_with = "execute")]
    pub(super) raw: bool,
    /// File to write the prompt or the answer to, in place of printing it
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Call the model
    #[arg(short = 'x', long)]
    pub(super) execute: bool,
    /// With --execute: print the answer when it is complete, not while it comes in
    #[arg(long)]
    pub(super) no_stream: bool,
    /// Model to use in place of the employee's own
    #[arg(long)]
    pub(super) model: Option<String>,
    #[command(flatten)]
    pub(super) limits: Granted,
    /// With --execute: record every exchange with models and tools in this folder, for `test`
    #[arg(long, value_name = "DIR", requires = "execute")]
    pub(super) record: Option<PathBuf>,
}

/// The project as a command sees it that asks no model: settings that cannot be used do not hide the rest.
pub(super) fn crew(global: &Global, env: &Environment) -> Office {
    let root = global.root();
    app::open(&root, Settings::read_or_default(env, &root), Journal::None, &Tracker::new())
}

/// The project as a command sees it that asks models, its tasks kept as `journal` says.
///
/// # Errors
/// When its settings cannot be used.
pub(super) fn open(global: &Global, env: &Environment, journal: Journal) -> Result<Office, Error> {
    open_in(global, env, journal, false)
}

/// The same; with `parallel`, its runs wait for no lane.
///
/// # Errors
/// When its settings cannot be used.
pub(super) fn open_in(
    global: &Global,
    env: &Environment,
    journal: Journal,
    parallel: bool,
) -> Result<Office, Error> {
    let root = global.root();
    let mut settings = Settings::read(env, &root).map_err(anyhow::Error::from)?;
    settings.tasks.lanes = settings.tasks.lanes.filter(|_| !parallel);
    if journal == Journal::None {
        // What is over with this process cannot wait for a person.
        settings.tasks.parked = 0;
    }
    Ok(app::open(&root, settings, journal, &Tracker::new()))
}

pub(super) async fn run(global: &Global, args: &RunArgs, env: &Environment) -> Result<Outcome, Error> {
    let mut recording = None;
    let is_limited = args.execute && args.limits.budget().is_limited();
    let mut office = match &args.record {
        Some(folder) => {
            let mut run = Recorded::new(&global.root(), "employee", &args.name);
            run.args = args.named.iter().cloned().collect();
            (run.positional, run.model) = (args.args.clone(), args.model.clone());
            let (office, begun) = record(global, env, folder, run)?;
            recording = Some(begun);
            office
        }
        // What may have to wait for more to spend must outlive this process; all else is over when it ends.
        None if is_limited => task::kept_in(global, env, args.limits.parallel)?,
        None if args.execute => open_in(global, env, Journal::None, true)?,
        None => crew(global, env),
    };
    let employee = office.crew.employee(&args.name).await?;
    for (name, _) in &args.named {
        warn_of_stranger(&employee, name);
    }
    let file = args.output.as_deref().map(File::begin).transpose()?;
    let given = args.given();
    if !args.execute {
        let prompt = if args.raw {
            office.crew.render_body(&employee, &given).await?
        } else {
            office.crew.render(&employee, &given).await?
        };
        match (file, global.form()) {
            (Some(file), _) => file.end(&prompt)?,
            (None, Form::Json) => {
                render::json(&serde_json::json!({"employee": employee.name, "prompt": prompt}))?;
            }
            (None, Form::Text) => render::answer(&prompt)?,
        }
        return Ok(Outcome::Done);
    }
    let aloud = global.form() == Form::Text && !args.no_stream && file.is_none();
    // What a person may be asked about is kept until they answer.
    let asks = !is_limited && args.record.is_none() && asks(&employee);
    if asks {
        office = task::kept_in(global, env, args.limits.parallel)?;
    }
    // What is kept waits for its lane as tasks do.
    let _lane = if is_limited || asks { None } else { enter_lane(global, env, args, &employee).await? };
    let ended = execute(global, &office, &employee, args, aloud).await?;
    if ended.outcome != Outcome::Interrupted {
        // A failure is recorded, too.
        recording.map(Recording::end).transpose()?;
    }
    let Some(answer) = ended.answer else { return Ok(ended.outcome) };
    match (file, global.form()) {
        (Some(file), _) => file.end(&answer.output)?,
        (None, Form::Json) => render::json(&answer)?,
        (None, Form::Text) if aloud => {}
        (None, Form::Text) => render::answer(&answer.output)?,
    }
    if global.form() == Form::Text {
        render::note(&account(&answer));
    }
    Ok(ended.outcome)
}

impl RunArgs {
    pub(super) fn given(&self) -> Given {
        Given { named: self.named.iter().cloned().collect(), positional: self.args.clone() }
    }
}

/// A place among the runs of the employee, where a project has lanes.
async fn enter_lane(
    global: &Global,
    env: &Environment,
    args: &RunArgs,
    employee: &Employee,
) -> Result<Option<Lane>, Error> {
    let settings = Settings::read(env, &global.root()).map_err(anyhow::Error::from)?;
    let Some(lanes) = settings.tasks.lanes.filter(|_| !args.limits.parallel) else { return Ok(None) };
    let name = &employee.name;
    let waiting = || {
        render::note(&format!("other runs of `{name}` go on; waiting for them (--parallel does not wait)"));
    };
    Ok(Some(lanes.enter("employee", name, waiting).await.map_err(anyhow::Error::from)?))
}

/// A file that gets what would have been printed, whole or not at all.
struct File {
    path: PathBuf,
    new: Replacement,
}

impl File {
    /// Begins it before any work is done, so that a place that cannot be written costs nothing.
    fn begin(path: &Path) -> Result<Self, Error> {
        let told = || format!("`{}` cannot be written", path.display());
        Ok(Self { path: path.to_owned(), new: Replacement::begin_shared(path).with_context(told)? })
    }

    /// Writes it, and says so.
    fn end(mut self, text: &str) -> Result<(), Error> {
        self.new.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            self.new.write_all(b"\n")?;
        }
        self.new.commit().with_context(|| format!("`{}` cannot be written", self.path.display()))?;
        render::note(&format!("written {}", self.path.display()));
        Ok(())
    }
}

/// Whether a person has to be asked for some of its tools.
fn asks(employee: &Employee) -> bool {
    employee.permissions.as_ref().is_some_and(|given| !given.approve.is_empty())
}

fn account(answer: &Answer) -> String {
    let cost = answer.cost_usd.map(|cost| format!(", {cost:.6} USD")).unwrap_or_default();
    let Answer { model, input_tokens, output_tokens, duration_ms, .. } = answer;
    format!("{model}: {input_tokens} tokens in, {output_tokens} out{cost}, {duration_ms} ms")
}

/// A value nobody takes is most likely misspelt.
fn warn_of_stranger(employee: &Employee, name: &str) {
    let known = || employee.args.iter().map(|arg| arg.name.as_str());
    if known().any(|arg| arg == name) {
        return;
    }
    let hint = closest(name, known()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    render::note(&format!("warning: `{}` takes no argument `{name}`{hint}", employee.name));
}
