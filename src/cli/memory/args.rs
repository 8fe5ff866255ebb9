//! The words of `memory`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use crate::{
    cli::args::at_most,
    engine::memory::{Category, Classification, Clearance, Private, Traits, Visibility},
};

/// The words of `memory`.
#[derive(Debug, Args)]
pub(in crate::cli) struct MemoryArgs {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List who remembers how much
    List,
    /// Show what an employee remembers, the newest first
    Show(ShowArgs),
    /// Have an employee remember something
    Add(AddArgs),
    /// Find memories by what they say
    Search(SearchArgs),
    /// Put what is right in place of what is wrong
    Correct(CorrectArgs),
    /// Change what is said about a memory
    Update(UpdateArgs),
    /// Forget memories for good, with what they had corrected
    Delete(IdsArgs),
    /// Put memories away, or with --expired all whose days are over
    Archive(ArchiveArgs),
    /// Bring memories back from the archive
    Restore(IdsArgs),
    /// Let other employees be told of memories
    Share(ShareArgs),
    /// Say whether memories that were told were useful
    Feedback(FeedbackArgs),
    /// List what employees share
    Shared(SharedArgs),
    /// Put together what says the same, and link what is about the same
    Consolidate {
        /// Name or trigger
        employee: String,
        /// Only tell what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// List drafts: what waits for approval
    Drafts {
        /// Name or trigger; all, unless given
        employee: Option<String>,
        /// Also those that were decided
        #[arg(long)]
        all: bool,
    },
    /// Make a draft a memory
    Approve {
        /// Id of the draft
        id: String,
    },
    /// Refuse a draft
    Reject {
        /// Id of the draft
        id: String,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Add the memories in a file: JSON lines, a list in Markdown, or what Mem0 or Letta hold
    Import(ImportArgs),
    /// Print or write the memories of an employee
    Export(ExportArgs),
    /// Make the search index anew, and vectors where an embedder is set; it is kept up to date by itself
    Index(IndexArgs),
    /// Show how memories are kept in this project, or set it
    Config(ConfigArgs),
}

/// How much may be shown.
#[derive(Debug, Args)]
pub(super) struct Told {
    /// The most closed class of memories: public, internal, restricted, confidential
    #[arg(long, value_name = "LEVEL", value_parser = level, default_value = "internal")]
    pub(super) clearance: Classification,
    /// Also private memories
    #[arg(long)]
    pub(super) private: bool,
}

impl Told {
    /// The same for the filter.
    pub(super) fn clearance(&self) -> Clearance {
        let private = if self.private { Private::Everybody } else { Private::Nobody };
        Clearance::up_to(self.clearance, private)
    }
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Name or trigger
    pub(super) employee: String,
    /// The one memory to show, whole
    pub(super) id: Option<String>,
    /// Only this kind: decision, estimate, finding, correction, pattern
    #[arg(short, long, value_parser = category)]
    pub(super) category: Option<Category>,
    /// Only those with one of these tags
    #[arg(long, value_delimiter = ',')]
    pub(super) tags: Vec<String>,
    /// At most this many
    #[arg(short = 'n', long, default_value_t = 20, value_parser = at_most)]
    pub(super) limit: usize,
    /// Also those that were corrected or are over
    #[arg(long, alias = "include-expired")]
    pub(super) all: bool,
    /// Those in the archive
    #[arg(long, conflicts_with_all = ["all", "id"])]
    pub(super) archived: bool,
    #[command(flatten)]
    pub(super) told: Told,
}

#[derive(Debug, Args)]
pub(super) struct SearchArgs {
    /// Words to look for
    pub(super) query: String,
    /// Name or trigger; all employees, unless given
    #[arg(long)]
    pub(super) employee: Option<String>,
    /// Search memories, or what came of runs, or both
    #[arg(long, value_enum, default_value_t = SearchKind::Memory)]
    pub(super) kind: SearchKind,
    /// Only this kind of memory
    #[arg(short, long, value_parser = category)]
    pub(super) category: Option<Category>,
    /// At most this many
    #[arg(short = 'n', long, default_value_t = 5, value_parser = at_most)]
    pub(super) limit: usize,
    /// Say why each was found: the parts its score is the sum of
    #[arg(long)]
    pub(super) explain: bool,
    #[command(flatten)]
    pub(super) told: Told,
}

/// What is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SearchKind {
    /// What employees remember
    Memory,
    /// What came of runs
    Session,
    /// Both
    All,
}

#[derive(Debug, Args)]
pub(super) struct IndexArgs {
    /// Make all vectors anew, too; those of texts that are as they were are kept otherwise
    #[arg(long)]
    pub(super) rebuild: bool,
    /// Only tell how the index stands; it is an error when it is behind
    #[arg(long, conflicts_with = "rebuild")]
    pub(super) check: bool,
    /// The same as without
    #[arg(long, hide = true)]
    pub(super) repair: bool,
}

#[derive(Debug, Args)]
pub(super) struct SharedArgs {
    /// Only those with, or for, one of these tags
    #[arg(long, value_delimiter = ',')]
    pub(super) tags: Vec<String>,
    /// At most this many
    #[arg(short = 'n', long, default_value_t = 10, value_parser = at_most)]
    pub(super) limit: usize,
    #[command(flatten)]
    pub(super) told: Told,
}

/// What is said about a memory.
#[derive(Debug, Args)]
pub(super) struct Said {
    /// How sure it is, from 0 to 1
    #[arg(long)]
    confidence: Option<f64>,
    /// From 1 to 5
    #[arg(long)]
    importance: Option<i64>,
    /// How many days it holds; 0 for ever
    #[arg(long = "ttl", value_name = "DAYS")]
    ttl_days: Option<i64>,
    /// For grouping and finding: a,b
    #[arg(long, value_delimiter = ',')]
    tags: Option<Vec<String>>,
    /// Words it is found by: a,b
    #[arg(long, value_delimiter = ',')]
    keywords: Option<Vec<String>>,
    /// How far it may be told: public, internal, restricted, confidential
    #[arg(long, value_parser = level)]
    classification: Option<Classification>,
    /// For what is restricted, to whom: a,b
    #[arg(long, value_delimiter = ',')]
    domain: Option<Vec<String>>,
    /// Who may read it: open, private
    #[arg(long, value_parser = visibility)]
    visibility: Option<Visibility>,
    /// When it is worth remembering
    #[arg(long)]
    trigger: Option<String>,
    /// For whom it is worth remembering, by tags and domains: a,b
    #[arg(long, value_delimiter = ',')]
    applicability: Option<Vec<String>>,
}

impl Said {
    /// The same as the engine takes it.
    pub(super) fn traits(&self, shared: Option<bool>) -> Traits {
        Traits {
            confidence: self.confidence,
            importance: self.importance,
            ttl_days: self.ttl_days,
            tags: self.tags.clone(),
            keywords: self.keywords.clone(),
            classification: self.classification,
            domain: self.domain.clone(),
            visibility: self.visibility,
            shared,
            trigger_condition: self.trigger.clone(),
            applicability: self.applicability.clone(),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// Name or trigger
    pub(super) employee: String,
    /// decision, estimate, finding, correction, pattern
    #[arg(short, long, value_parser = category)]
    pub(super) category: Category,
    /// What is to be remembered
    #[arg(short = 'm', long)]
    pub(super) content: String,
    /// What it comes from
    #[arg(long, default_value = "")]
    pub(super) source: String,
    /// Let other employees be told
    #[arg(long)]
    pub(super) shared: bool,
    /// Only as a draft, which waits for approval
    #[arg(long)]
    pub(super) draft: bool,
    /// Also for a name that is no employee here
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) said: Said,
}

#[derive(Debug, Args)]
pub(super) struct CorrectArgs {
    /// Name or trigger
    pub(super) employee: String,
    /// Id of what is wrong, or how it begins
    pub(super) id: String,
    /// What is right
    #[arg(short = 'm', long)]
    pub(super) content: String,
    /// What that comes from
    #[arg(long, default_value = "")]
    pub(super) source: String,
}

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    /// Name or trigger
    pub(super) employee: String,
    /// Id of the memory, or how it begins
    pub(super) id: String,
    /// Another kind
    #[arg(short, long, value_parser = category)]
    pub(super) category: Option<Category>,
    /// Another wording of the same; what is wrong is for `correct`
    #[arg(short = 'm', long)]
    pub(super) content: Option<String>,
    #[command(flatten)]
    pub(super) said: Said,
}

#[derive(Debug, Args)]
pub(super) struct IdsArgs {
    /// Name or trigger
    pub(super) employee: String,
    /// Ids, or how they begin
    #[arg(required = true)]
    pub(super) ids: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct ArchiveArgs {
    /// Name or trigger
    pub(super) employee: String,
    /// Ids, or how they begin
    #[arg(required_unless_present = "expired")]
    pub(super) ids: Vec<String>,
    /// All whose days are over
    #[arg(long, conflicts_with = "ids")]
    pub(super) expired: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShareArgs {
    /// Name or trigger
    pub(super) employee: String,
    /// Ids, or how they begin
    #[arg(required = true)]
    pub(super) ids: Vec<String>,
    /// No longer
    #[arg(long)]
    pub(super) off: bool,
}

/// How answers are printed, as everywhere, or in which form memories are carried.
const FORMATS: [&str; 6] = ["text", "json", "jsonl", "markdown", "mem0", "letta"];

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Name or trigger
    pub(super) employee: String,
    /// The file; `-` for stdin. One that ends in .md is Markdown
    pub(super) file: PathBuf,
    /// It is a list in Markdown
    #[arg(long)]
    pub(super) markdown: bool,
    /// In which form they are: jsonl, unless the name of the file says otherwise, markdown, mem0 or letta
    #[arg(short, long, value_parser = FORMATS)]
    pub(super) format: Option<String>,
    /// Also for a name that is no employee here
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Name or trigger
    pub(super) employee: String,
    /// File to write, in place of printing
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// As a list in Markdown, of what holds
    #[arg(long)]
    pub(super) markdown: bool,
    /// In which form: jsonl, unless the name of the file says otherwise, markdown, mem0 or letta
    #[arg(short, long, value_parser = FORMATS)]
    pub(super) format: Option<String>,
    #[command(flatten)]
    pub(super) told: Told,
}

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// How many days memories hold that say nothing about it; 0 for ever
    #[arg(long = "ttl", value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=36_500))]
    pub(super) ttl_days: Option<u32>,
    /// Most memories that hold of each employee; 0 for no limit
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(super) max_entries: Option<u32>,
    /// After how many days half of a confidence is left; 0 for never
    #[arg(long, value_name = "DAYS")]
    pub(super) half_life: Option<f64>,
    /// Only show it
    #[arg(long, conflicts_with_all = ["ttl_days", "max_entries", "half_life"])]
    pub(super) show: bool,
}

fn category(text: &str) -> Result<Category, String> {
    let known = Category::ALL.into_iter().find(|category| category.as_str() == text);
    known.ok_or_else(|| format!("there are {}", Category::ALL.map(Category::as_str).join(", ")))
}

fn level(text: &str) -> Result<Classification, String> {
    let known = Classification::ALL.into_iter().find(|level| level.as_str() == text);
    known.ok_or_else(|| format!("there are {}", Classification::ALL.map(Classification::as_str).join(", ")))
}

fn visibility(text: &str) -> Result<Visibility, String> {
    match text {
        "open" => Ok(Visibility::Open),
        "private" => Ok(Visibility::Private),
        _ => Err("there are open, private".to_owned()),
    }
}

#[derive(Debug, Args)]
#[group(skip)]
#[command(group = ArgGroup::new("verdict").required(true).args(["useful", "not_useful"]))]
pub(super) struct FeedbackArgs {
    /// Name or trigger
    pub(super) employee: String,
    /// Ids of the memories, or how they begin
    #[arg(required = true)]
    pub(super) ids: Vec<String>,
    /// They were: they come a little sooner from now on
    #[arg(long)]
    pub(super) useful: bool,
    /// They were told and were not: they come a little later
    #[arg(long)]
    pub(super) not_useful: bool,
    /// What says so, a task or a session; it is heard once about each memory
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(super) source: String,
}
