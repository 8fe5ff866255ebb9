//! The words of the command line.

use std::path::{Path, PathBuf};

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser},
};

use super::{access::Access, discuss::DiscussArgs};
use crate::catalog::Layer;

/// Crews of AI employees: defined in YAML and Markdown, served over MCP and HTTP.
#[derive(Debug, Parser)]
#[command(name = "knowlyr-crew", version, max_term_width = 100)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Where help tells the options of every command: after those of the command itself.
const LAST: usize = 900;

/// Options of every command.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// Root of the project; where you are, unless given
    #[arg(short = 'd', long, global = true, value_name = "DIR", display_order = LAST)]
    pub(super) project_dir: Option<PathBuf>,
    /// Tell on stderr what is going on
    #[arg(short, long, global = true, display_order = LAST)]
    pub(super) verbose: bool,
    /// Print one JSON document; the same as `-f json`
    #[arg(long, global = true, display_order = LAST)]
    json: bool,
    /// How to print answers
    // A text, as a command that has more forms takes the place of this.
    #[arg(
        short, long, global = true, display_order = LAST,
        value_parser = forms(), default_value = "text", hide_default_value = true
    )]
    format: String,
}

impl Global {
    /// The root of the project.
    pub(super) fn root(&self) -> PathBuf {
        let given = self.project_dir.as_deref().unwrap_or(Path::new("."));
        // A prompt that says `{cwd}`, and a log, are read elsewhere too. Without a current folder it stays as it is.
        std::path::absolute(given).unwrap_or_else(|_| given.to_owned())
    }

    /// How to print answers.
    pub(super) fn form(&self) -> Form {
        if self.json || self.format == "json" { Form::Json } else { Form::Text }
    }
}

/// The forms of an answer; what is for a person was called `table` before.
fn forms() -> PossibleValuesParser {
    PossibleValuesParser::new([PossibleValue::new("text").alias("table"), PossibleValue::new("json")])
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For a person.
    Text,
    /// For a program: one JSON document.
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve this project: MCP, webhooks, runs, tasks and schedules, over HTTP
    Serve(ServeArgs),
    /// Serve this project over MCP: to one client over stdin and stdout, or with -t http or sse over HTTP, beside all else
    /// that `serve` answers, without the clock
    Mcp(McpArgs),
    /// List the employees
    List(ListArgs),
    /// Show one employee
    Show(ShowArgs),
    /// Tell which tools an employee may use, for which a person is asked, and why
    Permissions(ShowArgs),
    /// Print the prompt of an employee, or with --execute have its model do the work
    Run(super::run::RunArgs),
    /// List, show and run pipelines
    Pipeline(PipelineArgs),
    /// List, show, stop and repeat tasks, and approve or refuse what they wait for
    Task(super::task::TaskArgs),
    /// List where results went, and send them once more
    Deliveries(super::deliveries::DeliveriesArgs),
    /// Play recorded runs with the network off, and tell what differs
    Test(super::test::TestArgs),
    /// List schedules, print when they run next, or run one now
    Cron(super::cron::CronArgs),
    /// List and show what came of runs
    Session(super::session::SessionArgs),
    /// List and show work logs: who did what, how it went, and what it took
    Log(super::log::LogArgs),
    /// List, show and carry out what was discussed
    Meetings(super::meetings::MeetingsArgs),
    /// Remove what was written down of runs and discussions and is kept no longer
    Records(super::records::RecordsArgs),
    /// Show and change what employees remember
    Memory(super::memory::MemoryArgs),
    /// List, show and try what is laid before employees when a task calls for it
    Skill(super::skill::SkillArgs),
    /// Track what employees decide, evaluate what came of it, and tell how well they expect
    Eval(super::eval::EvalArgs),
    /// Tell what a run would do and cost, before it is done
    Plan(super::plan::PlanArgs),
    /// Tell what finished work has cost
    Cost(super::cost::CostArgs),
    /// List and show discussions, print their prompts, or hold them
    Discuss(DiscussArgs),
    /// Check pipelines, discussions and other definitions wherever they lie
    Lint {
        /// Files, or folders to search; the pipelines, discussions and settings of the project, unless given
        paths: Vec<PathBuf>,
    },
    /// Print the JSON Schema of a kind of file, or the list of tools
    Schema {
        /// employee, pipeline, discussion, webhook, cron, organization, config, tokens, mcp-servers, employee-skill or tools
        name: String,
    },
    /// Check every definition of the project, and with --logs how its work went
    Check(super::check::CheckArgs),
    /// Check the definitions in a file or a folder, wherever it is
    Validate(ValidateArgs),
    /// Begin: make the folder for employees, or with --employee a first one
    Init(super::author::InitArgs),
    /// List templates, or begin an employee from one
    Template(TemplateArgs),
    /// The employees with all their settings, for programs
    Catalog(CatalogArgs),
    /// Write an employee as a skill or a subagent
    Export(ExportArgs),
    /// Write all employees as skills or subagents
    ExportAll(ExportAllArgs),
    /// Bring the skills or subagents of this project up to date with its employees
    Sync(SyncArgs),
    /// Raise the version of an employee that changed
    Bump(BumpArgs),
    /// Remove an employee
    Delete(super::delete::DeleteArgs),
    /// Write what git says has changed into a draft of a changelog
    Changelog(super::changelog::ChangelogArgs),
    /// Show every setting as it is in force, and who said so
    Config(super::config::ConfigArgs),
    /// Look at what a deployment needs, row by row, and say what to do
    Doctor(super::doctor::DoctorArgs),
    /// Put all that a project cannot make again into one file, while it is served or not
    Backup(super::backup::BackupArgs),
    /// Put a project back from such a file
    Restore(super::backup::RestoreArgs),
}

#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// A definition, or a folder of them
    pub(super) path: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct TemplateArgs {
    #[command(subcommand)]
    pub(super) command: TemplateCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum TemplateCommand {
    /// List the templates
    List,
    /// Begin an employee from a template
    Apply(TemplateApplyArgs),
}

#[derive(Debug, Args)]
pub(super) struct TemplateApplyArgs {
    /// Name of the template
    pub(super) template: String,
    /// Name of the employee; fills in what follows from it
    #[arg(long, value_name = "NAME")]
    pub(super) employee: Option<String>,
    /// A value: --var description="Reviews code"
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = named_value)]
    pub(super) vars: Vec<(String, String)>,
    /// File to write, private/employees/NAME.md unless given
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Write over what is there
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct CatalogArgs {
    #[command(subcommand)]
    pub(super) command: CatalogCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum CatalogCommand {
    /// List the employees
    List(ListArgs),
    /// Show one employee, as JSON
    Show(ShowArgs),
}

/// What other programs are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Target {
    /// `.claude/skills/NAME/SKILL.md`.
    Skills,
    /// `.claude/agents/NAME.md`.
    Agents,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Name or trigger
    pub(super) name: String,
    /// Root of the project that gets the file; `-` prints it
    #[arg(short, long, alias = "dir", value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value_t = Target::Skills)]
    pub(super) target: Target,
    /// Write over a file that was edited since
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExportAllArgs {
    /// Root of the project that gets the files
    #[arg(short, long, alias = "dir", value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value_t = Target::Skills)]
    pub(super) target: Target,
    /// Write over files that were edited since
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct SyncArgs {
    /// Root of the project that gets the files
    #[arg(short, long, alias = "dir", value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value_t = Target::Skills)]
    pub(super) target: Target,
    /// Also remove files that were written for employees who are gone
    #[arg(long)]
    pub(super) clean: bool,
    /// Only tell what would be done
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Write over files that were edited since
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(super) struct BumpArgs {
    /// Name or trigger
    pub(super) name: String,
    /// Raise the first number
    #[arg(long, conflicts_with_all = ["minor", "patch"])]
    pub(super) major: bool,
    /// Raise the second number
    #[arg(long, conflicts_with = "patch")]
    pub(super) minor: bool,
    /// Raise the third number; done unless another is asked for
    #[arg(long)]
    pub(super) patch: bool,
    /// Raise it even if nothing changed
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub(super) host: String,
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8765)]
    pub(super) port: u16,
    #[command(flatten)]
    pub(super) access: Access,
    /// Do not start the schedules of .crew/cron.yaml
    #[arg(long)]
    pub(super) no_cron: bool,
}

#[derive(Debug, Args)]
pub(super) struct McpArgs {
    /// How clients talk to it
    #[arg(short, long, value_enum, default_value_t = Transport::Stdio)]
    pub(super) transport: Transport,
    /// Address to listen on (http, sse)
    #[arg(long, default_value = "127.0.0.1")]
    pub(super) host: String,
    /// Port to listen on (http, sse); 0 takes a free one
    #[arg(long, default_value_t = 8000)]
    pub(super) port: u16,
    #[command(flatten)]
    pub(super) access: Access,
    /// Serve only these toolsets: employees, pipelines, discussions, schedules, memory, decisions, project, tasks
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) toolsets: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Transport {
    /// One client, messages on stdin and stdout, one a line.
    Stdio,
    /// Streamable HTTP at /mcp.
    #[value(alias = "streamable-http")]
    Http,
    /// The same, and beside it the transport of 2024-11-05 at /sse, for clients that know no other.
    Sse,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only employees with this tag
    #[arg(long)]
    pub(super) tag: Option<String>,
    /// Only employees from this layer
    #[arg(long, value_parser = layer)]
    pub(super) layer: Option<Layer>,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Name or trigger
    pub(super) name: String,
}

#[derive(Debug, Args)]
pub(super) struct PipelineArgs {
    #[command(subcommand)]
    pub(super) command: PipelineCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum PipelineCommand {
    /// List the pipelines
    List,
    /// Show one pipeline
    Show {
        /// Name
        name: String,
    },
    /// Draw one pipeline as a Mermaid graph
    Graph {
        /// Name
        name: String,
        /// File to write, in place of printing
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Print the prompts of a pipeline, or with --execute run it
    Run(PipelineRunArgs),
    /// Pipelines that did not come to their end
    Checkpoint(CheckpointArgs),
}

#[derive(Debug, Args)]
pub(super) struct CheckpointArgs {
    #[command(subcommand)]
    pub(super) command: CheckpointCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum CheckpointCommand {
    /// List the pipelines that did not come to their end
    List,
    /// Go on with one of them; the same as `task resume`
    Resume(super::task::ResumeArgs),
}

#[derive(Debug, Args)]
pub(super) struct PipelineRunArgs {
    /// Name, or its file in .crew/pipelines
    pub(super) name: String,
    /// A value by name: --arg target=src
    #[arg(long = "arg", value_name = "NAME=VALUE", value_parser = named_value)]
    pub(super) named: Vec<(String, String)>,
    /// Call the models
    #[arg(short = 'x', long)]
    pub(super) execute: bool,
    /// Model to use in place of every other choice
    #[arg(long)]
    pub(super) model: Option<String>,
    /// File to write the prompts or the outputs to, in place of printing them
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// With --execute: go on with the other steps when one fails, whatever the pipeline says
    #[arg(long, requires = "execute")]
    pub(super) no_fail_fast: bool,
    #[command(flatten)]
    pub(super) limits: super::budget::Granted,
    /// With --execute: record every exchange with models and tools in this folder, for `test`
    #[arg(long, value_name = "DIR", requires = "execute")]
    pub(super) record: Option<PathBuf>,
    /// With --record: say yes to every step that asks for an approval, now and whenever `test` plays the run
    #[arg(long, requires = "record")]
    pub(super) approve: bool,
    #[command(flatten)]
    pub(super) old: super::old::Identified,
}

fn layer(text: &str) -> Result<Layer, String> {
    let known = Layer::ALL.into_iter().find(|layer| layer.as_str() == text);
    let built_in = if text == "builtin" { "no employee is built in; " } else { "" };
    known.ok_or_else(|| format!("{built_in}there are {}", Layer::ALL.map(Layer::as_str).join(", ")))
}

/// How many are listed at most.
pub(super) fn at_most(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|limit| *limit > 0).ok_or_else(|| "write a whole number, more than 0".to_owned())
}

/// `NAME=VALUE`.
pub(super) fn named_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}
