//! `knowlyr-crew pipeline`.

mod show;

use std::path::Path;

use serde_json::json;

use super::{
    args::{CheckpointCommand, Form, Global, PipelineArgs, PipelineCommand, PipelineRunArgs},
    budget, deliveries,
    exit::{Error, Outcome},
    files,
    output::Output,
    render,
    run::{crew, open_in},
    task,
    test::{approved, record},
};
use crate::{
    app::{Environment, Journal, Recorded},
    defs::TargetKind,
    engine::{self, Order, PipelineRun, StepRun},
    tasks::{self, Status, Task, Trigger},
    tools::{self, Office},
};

pub(super) async fn pipeline(
    global: &Global,
    args: &PipelineArgs,
    env: &Environment,
) -> Result<Outcome, Error> {
    if let PipelineCommand::Run(args) = &args.command {
        args.old.tell();
        let name = &files::name_of(global, env, TargetKind::Pipeline, &args.name).await?;
        if !args.execute {
            return run(global, &crew(global, env), name, args, env).await;
        }
        let Some(folder) = &args.record else {
            let office = open_in(global, env, Journal::None, args.limits.parallel)?;
            return run(global, &office, name, args, env).await;
        };
        let mut recorded = Recorded::new(&global.root(), "pipeline", name);
        (recorded.args, recorded.model) = (args.named.iter().cloned().collect(), args.model.clone());
        recorded.approve = args.approve;
        let (office, recording) = record(global, env, folder, recorded)?;
        let outcome = run(global, &office, name, args, env).await?;
        recording.end()?;
        return Ok(outcome);
    }
    let office = crew(global, env);
    match &args.command {
        PipelineCommand::List => list(global, &office).await,
        PipelineCommand::Show { name } => show::show(global, &office, name).await,
        PipelineCommand::Graph { name, output } => graph(global, &office, name, output.as_deref()).await,
        PipelineCommand::Run(args) => run(global, &office, &args.name, args, env).await,
        PipelineCommand::Checkpoint(args) => match &args.command {
            CheckpointCommand::List => task::checkpoints(global, env).await,
            CheckpointCommand::Resume(args) => task::resume(global, args, env).await,
        },
    }
}

async fn list(global: &Global, office: &Office) -> Result<Outcome, Error> {
    let definitions = office.crew.definitions().await;
    render::findings_on(render::Topic::Pipelines, &definitions.findings);
    let entries = definitions.pipelines.iter();
    match global.form() {
        Form::Json => {
            let rows: Vec<_> = entries
                .map(|(name, entry)| {
                    json!({
                        "name": name,
                        "description": entry.pipeline.description,
                        "args": entry.pipeline.required_args(),
                        "steps": entry.pipeline.steps().count(),
                        "path": entry.path,
                    })
                })
                .collect();
            render::json(&rows)?;
        }
        Form::Text if definitions.pipelines.is_empty() => {
            render::note("There are no pipelines here yet; they are files in `.crew/pipelines`.");
        }
        Form::Text => {
            let rows = entries.map(|(name, entry)| {
                [
                    name.clone(),
                    entry.pipeline.steps().count().to_string(),
                    entry.pipeline.required_args().join(", "),
                    entry.pipeline.description.clone(),
                ]
            });
            render::answer(&render::table(["NAME", "STEPS", "ARGUMENTS", "DESCRIPTION"], rows))?;
        }
    }
    Ok(Outcome::Done)
}

async fn graph(
    global: &Global,
    office: &Office,
    name: &str,
    output: Option<&Path>,
) -> Result<Outcome, Error> {
    let pipeline = office.crew.pipeline(name).await?;
    let output = Output::begin(output)?;
    let graph = engine::mermaid(&pipeline);
    match global.form() {
        Form::Json => output.give_json(&json!({"name": pipeline.name, "mermaid": graph}))?,
        Form::Text => output.give(&graph)?,
    }
    Ok(Outcome::Done)
}

async fn run(
    global: &Global,
    office: &Office,
    name: &str,
    args: &PipelineRunArgs,
    env: &Environment,
) -> Result<Outcome, Error> {
    let values = args.named.iter().cloned().collect();
    let output = Output::begin(args.output.as_deref())?;
    if !args.execute {
        let run = office.crew.preview_pipeline(name, &values).await?;
        tell(global, &run, output, |step| Some(step.prompt.as_deref().unwrap_or_default()))?;
        return Ok(Outcome::Done);
    }
    let order = Order {
        kind: TargetKind::Pipeline,
        target: name.to_owned(),
        args: values,
        model: args.model.clone(),
        trigger: Trigger::CLI,
        caller: Some("cli".to_owned()),
        idempotency_key: None,
    };
    let mut new = office.crew.plan(order).await?;
    let budget = args.limits.budget();
    budget.put(&mut new.options);
    if args.no_fail_fast {
        new.options.insert(engine::FAIL_FAST.to_owned(), false.into());
    }
    let pipeline = office.crew.pipeline(name).await?;
    let asks = pipeline.steps().any(|step| step.approval.is_some());
    if asks && args.record.is_some() && !args.approve {
        let message = "this pipeline asks for approvals, and nobody could give them later: add `--approve` to record it \
            with a yes to each";
        return Err(tools::Error::Arguments(message.to_owned()).into());
    }
    // What may have to wait for a person or for money must outlive this process, and so must what is to be sent; all else
    // is over when it ends.
    let is_recorded = args.record.is_some();
    let waits = (asks || budget.is_limited()) && !is_recorded;
    let sends = !pipeline.deliver.is_empty() && !is_recorded;
    let mut keeping =
        (waits || sends).then(|| task::kept_in(global, env, args.limits.parallel)).transpose()?;
    // Where a server keeps the tasks, what is to be sent is sent from here, and not kept.
    if let (Some(kept), false) = (&keeping, waits)
        && matches!(kept.tasks().await, Err(tasks::Error::Owned { .. }))
    {
        keeping = None;
    }
    let office = keeping.as_ref().unwrap_or(office);
    let tasks = office.tasks().await.map_err(|error| task::elsewhere(error, "POST /run/pipeline/<name>"))?;
    let id = tasks.submit(new).await?.id;
    if args.approve {
        approved(tasks, &id).await?;
    }
    let outcome = task::see_through_to(output, global, tasks, &id).await?;
    Ok(deliveries::see_off(office, tasks, &id, outcome).await)
}

/// Tells what became of a run.
pub(super) fn ended(global: &Global, task: &Task, output: Output) -> Result<Outcome, Error> {
    if let Some(result) = &task.result {
        let run: PipelineRun = serde_json::from_value(result.clone()).map_err(anyhow::Error::from)?;
        tell(global, &run, output, |step| {
            if !step.error {
                return Some(&step.output);
            }
            // What ended the run is told below.
            let is_told = budget::is_reached(task) && task.error.as_ref() == Some(&step.error_message);
            (!is_told).then_some(&step.error_message)
        })?;
    }
    if let Some(error) = &task.error {
        render::error(error, std::iter::empty());
    }
    if budget::is_reached(task) {
        return Ok(Outcome::Budget);
    }
    Ok(if task.status == Status::Completed { Outcome::Done } else { Outcome::Failed })
}

/// Tells of each step what `content` gives, and of a step that gives nothing not a word.
fn tell<'r>(
    global: &Global,
    run: &'r PipelineRun,
    output: Output,
    content: impl Fn(&'r StepRun) -> Option<&'r str>,
) -> Result<(), Error> {
    if global.form() == Form::Json {
        return output.give_json(run);
    }
    let ruler = "─".repeat(60);
    let parts: Vec<String> = run
        .step_runs()
        .filter_map(|step| Some((step, content(step)?)))
        .map(|(step, content)| {
            let branch = step.branch.as_deref().map(|branch| format!(" ({branch})")).unwrap_or_default();
            let skipped = if step.skipped { ", skipped" } else { "" };
            let heading = format!("{}. {}{branch}{skipped}", step.step_index + 1, step.employee);
            format!("{ruler}\n{heading}\n{ruler}\n\n{content}")
        })
        .collect();
    if parts.is_empty() { Ok(()) } else { output.give(&parts.join("\n\n")) }
}
