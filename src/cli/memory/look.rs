//! `memory list`, `show`, `search`, `shared` and `drafts`.

use std::time::Duration;

use serde_json::json;

use super::{
    Asked,
    args::{SearchArgs, SearchKind, SharedArgs, ShowArgs},
};
use crate::{
    base::{
        clock,
        text::{truncate, visible},
    },
    cli::{
        args::Form,
        exit::{Error, Outcome},
        render,
    },
    engine::{
        SessionHit, SessionWish,
        memory::{Entry, Filled, Holder, Memory, Query, Question, Searched},
    },
    tools,
};

/// Most characters of a memory in a table; `show EMPLOYEE ID` and `--json` give the whole.
const SHOWN: usize = 200;
/// Most lines without meaning that are told one by one.
const TOLD: usize = 3;
/// Most memories that a search gives their vectors first, and how long it takes for that.
const FILLED: usize = 512;
const FILLING: Duration = Duration::from_secs(5);

pub(super) async fn list(asked: &Asked<'_>) -> Result<Outcome, Error> {
    let owners = asked.office.crew.remember(crate::engine::memory::Memory::owners).await?;
    match asked.global.form() {
        Form::Json => render::json(&owners)?,
        Form::Text if owners.is_empty() => render::note("Nobody remembers anything here."),
        Form::Text => {
            let rows = owners.iter().map(|owner| {
                let counts = [owner.entries, owner.superseded, owner.expired, owner.broken_lines];
                let [entries, superseded, expired, broken] = counts.map(|count| count.to_string());
                [visible(&owner.employee), entries, superseded, expired, broken]
            });
            let heads = ["EMPLOYEE", "MEMORIES", "CORRECTED", "OVER", "BROKEN LINES"];
            render::answer(&render::table(heads, rows))?;
        }
    }
    Ok(Outcome::Done)
}

pub(super) async fn show(asked: &Asked<'_>, args: &ShowArgs) -> Result<Outcome, Error> {
    let holder = asked.holder(&args.employee).await?;
    let clearance = args.told.clearance();
    if let Some(id) = args.id.clone() {
        let entry = asked.office.crew.remember(move |memory| memory.get(&holder, &id, &clearance)).await?;
        // One document, whole, is JSON either way.
        render::json(&entry)?;
        return Ok(Outcome::Done);
    }
    let query = Query {
        category: args.category,
        tags: args.tags.clone(),
        limit: args.limit,
        all: args.all,
        ..Query::default()
    };
    let archived = args.archived;
    let found = asked.office.crew.remember(move |memory| {
        if archived {
            return memory.archived(&holder, &Query { all: true, ..query }, &clearance);
        }
        memory.query(&holder, &query, &clearance)
    });
    let found = found.await?;
    for (file, broken) in found.broken.iter().take(TOLD) {
        render::note(&format!("line {} of `{file}` is no memory: {}", broken.line, visible(&broken.reason)));
    }
    if found.broken_count > TOLD {
        render::note(&format!("{} lines in all are no memories; they stay as they are", found.broken_count));
    }
    if found.held_back > 0 && !archived {
        let count = found.held_back;
        render::note(&format!(
            "{count} that would be among these are not shown; --clearance and --private show them"
        ));
    }
    match asked.global.form() {
        Form::Json => render::json(&found.entries)?,
        Form::Text if found.entries.is_empty() => render::note("Nothing of the kind is remembered."),
        Form::Text => render::answer(&table(&found.entries))?,
    }
    Ok(Outcome::Done)
}

pub(super) async fn search(asked: &Asked<'_>, args: &SearchArgs) -> Result<Outcome, Error> {
    let holder = match &args.employee {
        Some(name) => Some(asked.holder(name).await?),
        None => None,
    };
    let clearance = args.told.clearance();
    let query = Query { category: args.category, limit: args.limit, ..Query::default() };
    let mut found: Vec<Hit> = Vec::new();
    if args.kind != SearchKind::Session {
        let crew = &asked.office.crew;
        // Nobody else may be there to do it; what takes longer is for `memory index`.
        let filling = tokio::time::timeout(FILLING, crew.embed(FILLED, &mut |_| {})).await;
        if let Ok(Some(Filled { error: Some(error), .. })) = &filling {
            render::note(&format!("some memories are found by their words alone: {error}"));
        } else if matches!(&filling, Err(_) | Ok(Some(Filled { is_complete: false, .. }))) {
            render::note(
                "some memories are found by their words alone until `memory index` has made their vectors",
            );
        }
        let search = move |memory: &Memory, question: Question<'_>| {
            memory.search(holder.as_ref(), question, &query, &clearance)
        };
        found.extend(
            crew.recall(&args.query, search).await?.into_iter().map(|hit| Hit::Memory(Box::new(hit))),
        );
    }
    if args.kind != SearchKind::Memory {
        found.extend(sessions(asked, args).await?.into_iter().map(Hit::Session));
    }
    found.sort_by(|a, b| b.score().total_cmp(&a.score()));
    found.truncate(args.limit);
    let explain = args.explain;
    match asked.global.form() {
        Form::Json => render::json(&found.iter().map(|hit| hit.json(explain)).collect::<Vec<_>>())?,
        Form::Text if found.is_empty() => render::note("Nothing of the kind is remembered."),
        Form::Text => {
            let rows = found.iter().map(|hit| hit.row(explain));
            render::answer(&render::table(["ID", "EMPLOYEE", "KIND", "MEMORY"], rows))?;
        }
    }
    Ok(Outcome::Done)
}

/// What came of runs.
async fn sessions(asked: &Asked<'_>, args: &SearchArgs) -> Result<Vec<SessionHit>, Error> {
    let names = match &args.employee {
        Some(name) => tools::names_of(asked.office, name).await,
        None => Vec::new(),
    };
    let wish = SessionWish { text: args.query.clone(), names, limit: args.limit };
    let records = std::sync::Arc::clone(asked.office.crew.records());
    Ok(asked.office.crew.remember(move |_| records.sessions.search(&wish)).await?)
}

/// What was found.
enum Hit {
    Memory(Box<Searched>),
    Session(SessionHit),
}

impl Hit {
    fn score(&self) -> f64 {
        match self {
            Self::Memory(hit) => hit.score,
            Self::Session(hit) => hit.score,
        }
    }

    fn json(&self, explain: bool) -> serde_json::Value {
        let (told, kind) = match self {
            Self::Memory(hit) => (serde_json::to_value(&hit.entry), "memory"),
            Self::Session(hit) => (serde_json::to_value(hit), "session"),
        };
        let mut told = told.unwrap_or_default();
        if let Some(fields) = told.as_object_mut() {
            fields.insert("score".to_owned(), json!(self.score()));
            fields.insert("kind".to_owned(), json!(kind));
            if let (true, Self::Memory(hit)) = (explain, self) {
                fields.insert("parts".to_owned(), json!(hit.parts));
            }
        }
        told
    }

    fn row(&self, explain: bool) -> [String; 4] {
        match self {
            Self::Memory(hit) => {
                let Entry { id, employee, category, content, .. } = &hit.entry;
                let mut content = truncate(&visible(content), SHOWN);
                if explain {
                    let parts = hit.parts.iter().map(|part| format!("{} {:.3}", part.name, part.score));
                    let parts = parts.collect::<Vec<_>>().join(", ");
                    content = format!("{content}\n= {:.3}: {parts}", hit.score);
                }
                [visible(id), visible(employee), category.as_str().to_owned(), content]
            }
            Self::Session(hit) => {
                let summary = truncate(&visible(&hit.summary), SHOWN);
                [
                    visible(&hit.row.session_id),
                    visible(&hit.employees.join(", ")),
                    "session".to_owned(),
                    summary,
                ]
            }
        }
    }
}

pub(super) async fn shared(asked: &Asked<'_>, args: &SharedArgs) -> Result<Outcome, Error> {
    let (tags, limit, clearance) = (args.tags.clone(), args.limit, args.told.clearance());
    let nobody = Holder::named("\0");
    let pool = asked.office.crew.remember(move |memory| memory.shared(&nobody, &tags, limit, &clearance));
    let pool = pool.await?;
    match asked.global.form() {
        Form::Json => render::json(&pool)?,
        Form::Text if pool.is_empty() => render::note("Nothing of the kind is shared."),
        Form::Text => {
            let rows = pool.iter().map(|entry| {
                let content = truncate(&visible(&entry.content), SHOWN);
                let [id, employee] = [&entry.id, &entry.employee].map(|text| visible(text));
                [id, employee, entry.category.as_str().to_owned(), entry.tags.join(", "), content]
            });
            render::answer(&render::table(["ID", "EMPLOYEE", "KIND", "TAGS", "MEMORY"], rows))?;
        }
    }
    Ok(Outcome::Done)
}

pub(super) async fn drafts(asked: &Asked<'_>, employee: Option<&str>, all: bool) -> Result<Outcome, Error> {
    let holder = match employee {
        Some(name) => Some(asked.employee(name, true).await?),
        None => None,
    };
    let drafts = asked.office.crew.remember(move |memory| memory.drafts(holder.as_ref(), all)).await?;
    match asked.global.form() {
        Form::Json => render::json(&drafts)?,
        Form::Text if drafts.is_empty() => render::note("No draft waits."),
        Form::Text => {
            let rows = drafts.iter().map(|draft| {
                let Entry { id, employee, category, content, .. } = &draft.entry;
                let content = truncate(&visible(content), SHOWN);
                let [id, employee] = [id, employee].map(|text| visible(text));
                [id, employee, category.as_str().to_owned(), draft.status.as_str().to_owned(), content]
            });
            render::answer(&render::table(["ID", "EMPLOYEE", "KIND", "STATUS", "MEMORY"], rows))?;
        }
    }
    Ok(Outcome::Done)
}

fn table(entries: &[Entry]) -> String {
    let now = clock::now();
    let rows = entries.iter().map(|entry| {
        let state = if !entry.is_live() {
            format!("corrected by {}", entry.superseded_by)
        } else if entry.is_expired(now) {
            "over".to_owned()
        } else {
            format!("{:.0}%", entry.confidence * 100.0)
        };
        let written = entry.created_at.get(..10).unwrap_or_default();
        [
            visible(&entry.id),
            entry.category.as_str().to_owned(),
            visible(written),
            visible(&state),
            entry.tags.join(", "),
            truncate(&visible(&entry.content), SHOWN),
        ]
    });
    render::table(["ID", "KIND", "WRITTEN", "SURE", "TAGS", "MEMORY"], rows)
}
