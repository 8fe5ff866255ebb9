//! `knowlyr-crew run`.

use std::path::PathBuf;

use clap::{Args, builder::NonEmptyStringValueParser};
use serde::Serialize;

use super::{
    args::{Form, Global, named_value},
    budget::Granted,
    clipboard,
    execute::execute,
    exit::{Error, Outcome},
    old::SmartContext,
    output::Output,
    render, task,
    test::{Recording, record},
};
use crate::{
    app::{self, Environment, Journal, Recorded, Settings},
    base::{Tracker, text::closest},
    catalog::Project,
    defs::Employee,
    engine::{Answer, Beginning, Given},
    tasks::Lane,
    tools::Office,
};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(super) struct RunArgs {
    /// Name or trigger
    pub(super) name: String,
    /// Values for its arguments, in their order
    pub(super) args: Vec<String>,
    /// A value by name: --arg target=src/main.rs
    #[arg(long = "arg", value_name = "NAME=VALUE", value_parser = named_value)]
    pub(super) named: Vec<(String, String)>,
    /// The instructions alone, without the heading that says who the employee is and without what it remembers
    #[arg(long)]
    pub(super) raw: bool,
    /// File to write the prompt or the answer to, in place of printing it
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Put the prompt or the answer into the clipboard, in place of printing it
    #[arg(long)]
    pub(super) copy: bool,
    /// Call the model
    #[arg(short = 'x', long)]
    pub(super) execute: bool,
    /// With --execute: what is said to begin with, in place of "begin"
    #[arg(short, long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(super) message: Option<String>,
    /// With --execute: print the answer when it is complete, not while it comes in
    #[arg(long)]
    pub(super) no_stream: bool,
    /// Model to use in place of the employee's own
    #[arg(long)]
    pub(super) model: Option<String>,
    /// Tell the employee who it is: this agent of the identity service (`KNOWLYR_ID_TOKEN`)
    #[arg(long, value_name = "N", conflicts_with = "record")]
    pub(super) agent_id: Option<u64>,
    /// Tell on stderr what is known of the project
    #[arg(long)]
    pub(super) debug_context: bool,
    #[command(flatten)]
    smart: SmartContext,
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
            run.beginning = args.beginning();
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
    args.tell(&office);
    if args.debug_context {
        render::note(&context(&office.crew.project().await));
    }
    let output = Output::begin(args.output.as_deref())?;
    let given = args.given();
    if !args.execute {
        let prompt = match args.agent_id {
            _ if args.raw => office.crew.render_body(&employee, &given).await?,
            Some(agent) => office.crew.render_as(&employee, &given, agent).await?,
            None => office.crew.render(&employee, &given).await?,
        };
        let document = serde_json::json!({"employee": employee.name, "prompt": prompt});
        hand_out(global, args, output, &prompt, &document, false).await?;
        return Ok(Outcome::Done);
    }
    let aloud = global.form() == Form::Text && !args.no_stream && !output.is_file() && !args.copy;
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
    let Some(answer) = ended.answer else {
        if ended.outcome == Outcome::Waiting && (output.is_file() || args.copy) {
            render::note("the answer is printed by `task approve`, once there is one");
        }
        return Ok(ended.outcome);
    };
    let handed = hand_out(global, args, output, &answer.output, &answer, aloud).await;
    if global.form() == Form::Text {
        render::note(&account(&answer));
    }
    handed.map(|()| ended.outcome)
}

/// Hands `text` to where it is to go: to a file, to the clipboard, else to stdout, there as `document` when JSON is asked
/// for and not at all when it `was_told`. What does not get into the clipboard is printed: it may have cost something.
async fn hand_out(
    global: &Global,
    args: &RunArgs,
    output: Output,
    text: &str,
    document: &impl Serialize,
    was_told: bool,
) -> Result<(), Error> {
    let is_filed = output.is_file();
    if is_filed {
        output.give(text)?;
    }
    let copied = if args.copy { Some(clipboard::copy(text).await) } else { None };
    let has_it = is_filed || was_told || matches!(copied, Some(Ok(_)));
    match global.form() {
        Form::Json if !is_filed => render::json(document)?,
        Form::Text if !has_it => render::answer(text)?,
        _ => {}
    }
    if let Some(program) = copied.transpose()? {
        render::note(&format!("copied to the clipboard by {program}"));
    }
    Ok(())
}

impl RunArgs {
    pub(super) fn given(&self) -> Given {
        Given { named: self.named.iter().cloned().collect(), positional: self.args.clone() }
    }

    pub(super) fn beginning(&self) -> Beginning {
        Beginning { message: self.message.clone(), raw: self.raw }
    }

    /// Says what of it is not done.
    fn tell(&self, office: &Office) {
        self.smart.tell();
        if self.message.is_some() && !self.execute {
            render::note("warning: `--message` is said with `--execute` alone");
        }
        if self.agent_id.is_some() && self.raw {
            render::note(
                "warning: with `--raw` an employee is not told who it is: `--agent-id` changes nothing",
            );
        } else if let Some(agent) = self.agent_id.filter(|_| !office.crew.knows_agents()) {
            render::note(&format!(
                "warning: nobody can tell who agent {agent} is: KNOWLYR_ID_TOKEN is not set, or not as it must be (see `doctor`)"
            ));
        }
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

/// Whether a person has to be asked for some of its tools.
pub(super) fn asks(employee: &Employee) -> bool {
    employee.permissions.as_ref().is_some_and(|given| !given.approve.is_empty())
}

/// What is known of the project, a line each.
fn context(project: &Project) -> String {
    let Project { framework, test_framework, package_manager, lint_tools, .. } = project;
    let lint_tools = lint_tools.join(", ");
    let rows = [
        ("project type", project.project_type.as_str()),
        ("framework", framework),
        ("test framework", test_framework),
        ("package manager", package_manager),
        ("lint tools", &lint_tools),
    ];
    let lines =
        rows.map(|(what, value)| format!("[Context] {what}: {}", if value.is_empty() { "-" } else { value }));
    lines.join("\n")
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
