//! The words of `knowlyr-crew discuss`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::{
    cli::{args::named_value, budget::Granted, old::Identified},
    defs::OutputFormat,
};

#[derive(Debug, Args)]
pub(in crate::cli) struct DiscussArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: DiscussCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DiscussCommand {
    /// List the discussions
    List,
    /// Show one discussion
    Show {
        /// Name
        name: String,
    },
    /// Print the prompt of a discussion, or with --orchestrated its plan, or with --execute hold it
    Run(DiscussRunArgs),
    /// The same for a discussion made up on the spot
    Adhoc(AdHocArgs),
    /// List the discussions that were held, the newest first
    History {
        /// Most to list
        #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// Only those with this in their name, topic or participants
        #[arg(long)]
        keyword: Option<String>,
    },
    /// Print the plan of action of a discussion that was held as a pipeline, or with -o write it
    PlanToPipeline {
        /// Id of the discussion, or how that begins
        id: String,
        /// Write it to this file, which must not be there yet
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Show what was said in a discussion that was held
    View {
        /// Its id, or how that begins
        id: String,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DiscussRunArgs {
    /// Name, or its file in .crew/discussions
    pub(in crate::cli) name: String,
    /// A value by name: --arg target=src
    #[arg(long = "arg", value_name = "NAME=VALUE", value_parser = named_value)]
    pub(in crate::cli) named: Vec<(String, String)>,
    #[command(flatten)]
    pub(in crate::cli) how: HowToDiscuss,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AdHocArgs {
    /// Who talks, by name or trigger, with commas between; the first leads
    #[arg(short, long, required = true, value_name = "NAMES", value_delimiter = ',')]
    pub(in crate::cli) employees: Vec<String>,
    /// What they talk about
    #[arg(short, long)]
    pub(in crate::cli) topic: String,
    /// What is to come out of it
    #[arg(short, long)]
    pub(in crate::cli) goal: Option<String>,
    /// How many rounds; two, unless given
    #[arg(short, long, conflicts_with = "round_template")]
    pub(in crate::cli) rounds: Option<u32>,
    /// A template in place of a number: standard, brainstorm-to-decision, adversarial, deep-adversarial,
    /// discuss-then-execute
    #[arg(long, value_name = "TEMPLATE")]
    pub(in crate::cli) round_template: Option<String>,
    /// What comes out of it
    #[arg(long, value_enum, default_value_t = ResultForm::Summary)]
    pub(in crate::cli) output_format: ResultForm,
    /// A value for the instructions of the employees: --arg target=src
    #[arg(long = "arg", value_name = "NAME=VALUE", value_parser = named_value)]
    pub(in crate::cli) named: Vec<(String, String)>,
    #[command(flatten)]
    pub(in crate::cli) how: HowToDiscuss,
}

/// What becomes of a discussion.
#[derive(Debug, Args)]
pub(in crate::cli) struct HowToDiscuss {
    /// File to write it to, in place of printing it
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Print a plan as JSON: a prompt for each participant in each round
    #[arg(long)]
    pub(in crate::cli) orchestrated: bool,
    /// Hold it: the models of the participants speak, and what they agree on is counted
    #[arg(long, conflicts_with = "orchestrated")]
    pub(in crate::cli) execute: bool,
    /// With --execute: a model to use in place of every other choice
    #[arg(short, long, requires = "execute")]
    pub(in crate::cli) model: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) limits: Granted,
    /// With --execute: record every exchange with models and tools in this folder, for `test`
    #[arg(long, value_name = "DIR", requires = "execute")]
    pub(in crate::cli) record: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) old: Identified,
}

/// What comes out of a discussion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ResultForm {
    /// Decisions, and who does what.
    Decision,
    /// All that was said.
    Transcript,
    /// What matters of it.
    Summary,
}

impl From<ResultForm> for OutputFormat {
    fn from(form: ResultForm) -> Self {
        match form {
            ResultForm::Decision => Self::Decision,
            ResultForm::Transcript => Self::Transcript,
            ResultForm::Summary => Self::Summary,
        }
    }
}
