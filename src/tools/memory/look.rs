//! `query_memory` and `search_memory`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Told, clearance, holder};
use crate::{
    engine::{
        SessionHit, SessionWish,
        memory::{Category, Classification, Order, Query, Searched},
    },
    tools::{Annotations, Ctx, Error, Tool, names_of, office::Office},
};

pub(in crate::tools) struct QueryMemory(pub(in crate::tools) Office);
pub(in crate::tools) struct SearchMemory(pub(in crate::tools) Office);

/// Most entries that are told at a time.
const MOST: usize = 1000;
/// Most runs that are told at a time: each is read.
const MOST_SESSIONS: usize = 100;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct QueryArgs {
    /// Name or trigger of the employee.
    employee: String,
    /// Only memories of this kind; `correction` also finds what corrects something else.
    #[serde(default)]
    category: Option<Category>,
    /// Only memories with one of these tags.
    #[serde(default)]
    tags: Vec<String>,
    /// Only memories of at least this importance, from 1 to 5.
    #[serde(default)]
    min_importance: i64,
    /// Only memories that are at least this sure now, from 0 to 1.
    #[serde(default)]
    min_confidence: f64,
    /// The newest, the most important or the surest first.
    #[serde(default)]
    sort_by: SortBy,
    /// The most closed class of memories; more than `internal` needs the scope `admin`.
    #[serde(default)]
    max_classification: Classification,
    /// Whether private memories are told, too; needs the scope `admin`.
    #[serde(default)]
    include_private: bool,
    /// At most this many, from 1 to 1000.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
}

/// Which memories come first.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SortBy {
    /// The newest.
    #[default]
    CreatedAt,
    /// The most important.
    Importance,
    /// The surest.
    Confidence,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct QueryAnswer {
    /// Name of the employee.
    employee: String,
    /// What it remembers.
    memories: Vec<Told>,
    /// How many memories the caller may not be told, of those that would have been among these.
    #[serde(skip_serializing_if = "is_zero")]
    held_back: usize,
    /// Lines of its file that are no memories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn twenty() -> usize {
    20
}

fn limited(limit: usize) -> Result<usize, Error> {
    if (1..=MOST).contains(&limit) {
        return Ok(limit);
    }
    Err(Error::Arguments(format!("`limit` must be from 1 to {MOST}, not {limit}")))
}

impl Tool for QueryMemory {
    type Args = QueryArgs;
    type Output = QueryAnswer;

    const NAME: &'static str = "query_memory";
    const TITLE: &'static str = "Look at what an employee remembers";
    const SUMMARY: &'static str = "Lists what an employee remembers and what still holds, the newest first. To find memories by \
        what they say, use search_memory.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, ctx: Ctx, args: QueryArgs) -> Result<QueryAnswer, Error> {
        let limit = limited(args.limit)?;
        let clearance = clearance(&ctx, args.max_classification, args.include_private)?;
        let holder = holder(&self.0, &args.employee).await?;
        let employee = holder.name().to_owned();
        let order = match args.sort_by {
            SortBy::CreatedAt => Order::Newest,
            SortBy::Importance => Order::Importance,
            SortBy::Confidence => Order::Confidence,
        };
        let query = Query {
            category: args.category,
            tags: args.tags,
            min_importance: args.min_importance,
            min_confidence: args.min_confidence,
            order,
            limit,
            ..Query::default()
        };
        let found = self.0.crew.remember(move |memory| memory.query(&holder, &query, &clearance)).await?;
        let notes = found.broken.iter().map(|(file, broken)| {
            format!("line {} of `{file}` is no memory: {}", broken.line, broken.reason)
        });
        Ok(QueryAnswer {
            employee,
            notes: notes.collect(),
            memories: found.entries.into_iter().map(|entry| Told { entry }).collect(),
            held_back: found.held_back,
        })
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct SearchArgs {
    /// Words to look for, or a question; taken as it is written.
    query: String,
    /// Name or trigger of the employee; all employees, unless given.
    #[serde(default)]
    employee: Option<String>,
    /// Whether memories are searched, or what came of runs, or both.
    #[serde(default)]
    kind: SearchKind,
    /// Only memories of this kind.
    #[serde(default)]
    category: Option<Category>,
    /// The most closed class of memories; more than `internal` needs the scope `admin`.
    #[serde(default)]
    max_classification: Classification,
    /// Whether private memories are told, too; needs the scope `admin`.
    #[serde(default)]
    include_private: bool,
    /// At most this many, from 1 to 1000.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
}

fn ten() -> usize {
    10
}

/// What is searched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SearchKind {
    /// What employees remember.
    #[default]
    Memory,
    /// What came of runs: the beginnings of answers, and why runs failed.
    Session,
    /// Both.
    All,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct SearchAnswer {
    /// The memories that fit, the best first.
    memories: Vec<Hit>,
    /// The runs that fit, the best first; absent when runs were not searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions: Option<Vec<SessionHit>>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Hit {
    /// How well it fits; counts within this answer only.
    score: f64,
    #[serde(flatten)]
    told: Told,
}

impl Tool for SearchMemory {
    type Args = SearchArgs;
    type Output = SearchAnswer;

    const NAME: &'static str = "search_memory";
    const TITLE: &'static str = "Search what employees remember";
    const SUMMARY: &'static str = "Finds memories that hold by what they say, of one employee or of all, the best first. \
        With `kind`, also what came of runs; `get_session` tells the whole of one.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, ctx: Ctx, args: SearchArgs) -> Result<SearchAnswer, Error> {
        let limit = limited(args.limit)?;
        let clearance = clearance(&ctx, args.max_classification, args.include_private)?;
        let holder = match &args.employee {
            Some(name) => Some(holder(&self.0, name).await?),
            None => None,
        };
        let (kind, text) = (args.kind, args.query);
        let sessions = match kind {
            SearchKind::Memory => None,
            // Answers may hold what their prompts were told in confidence, and are not marked.
            _ if ctx.caller().employee().is_some() => {
                return Err(Error::Denied("an employee at work searches memories alone".to_owned()));
            }
            _ => Some(self.sessions(args.employee.as_deref(), text.clone(), limit).await?),
        };
        if kind == SearchKind::Session {
            return Ok(SearchAnswer { memories: Vec::new(), sessions });
        }
        let query = Query { category: args.category, limit, ..Query::default() };
        let found = self.0.crew.recall(&text, move |memory, question| {
            memory.search(holder.as_ref(), question, &query, &clearance)
        });
        let told = |Searched { score, entry, .. }| Hit { score, told: Told { entry } };
        Ok(SearchAnswer { memories: found.await?.into_iter().map(told).collect(), sessions })
    }
}

impl SearchMemory {
    /// What came of runs, of one employee or of all.
    async fn sessions(
        &self,
        employee: Option<&str>,
        text: String,
        limit: usize,
    ) -> Result<Vec<SessionHit>, Error> {
        let names = match employee {
            Some(name) => names_of(&self.0, name).await,
            None => Vec::new(),
        };
        let wish = SessionWish { text, names, limit: limit.min(MOST_SESSIONS) };
        let records = Arc::clone(self.0.crew.records());
        Ok(self.0.crew.remember(move |_| records.sessions.search(&wish)).await?)
    }
}
