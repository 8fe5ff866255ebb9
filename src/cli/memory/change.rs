//! `memory add`, `correct`, `update`, `delete`, `archive`, `restore`, `share`, `feedback`, `approve`, `reject`, `consolidate` and
//! `index`.

use serde_json::json;

use super::{
    Asked,
    args::{AddArgs, ArchiveArgs, CorrectArgs, FeedbackArgs, IdsArgs, ShareArgs, UpdateArgs},
    told,
};
use crate::{
    base::text::visible,
    cli::{
        args::Form,
        exit::{Error, Outcome},
        render,
    },
    engine::memory::{self, Entry, Feedback, Holder, Memory, New, Patch, Traits},
};

/// Who decides on drafts from here.
const HERE: &str = "cli";

pub(super) async fn add(asked: &Asked<'_>, args: &AddArgs) -> Result<Outcome, Error> {
    let holder = asked.employee(&args.employee, args.force).await?;
    let new = New {
        category: args.category,
        content: args.content.clone(),
        source_session: args.source.clone(),
        traits: args.said.traits(args.shared.then_some(true)),
    };
    if args.draft {
        let draft = asked.office.crew.remember(move |memory| memory.draft(&holder, &new)).await?;
        match asked.global.form() {
            Form::Json => render::json(&draft)?,
            Form::Text => render::answer(&format!("waits for approval: {}", told(&draft.entry)))?,
        }
        return Ok(Outcome::Done);
    }
    let added = asked.office.crew.remember(move |memory| memory.add(&holder, &new)).await?;
    match asked.global.form() {
        Form::Json => render::json(&added.entry)?,
        Form::Text => {
            let done = if added.is_new { "added" } else { "known already" };
            render::answer(&format!("{done}: {}", told(&added.entry)))?;
        }
    }
    Ok(Outcome::Done)
}

pub(super) async fn correct(asked: &Asked<'_>, args: &CorrectArgs) -> Result<Outcome, Error> {
    let holder = asked.holder(&args.employee).await?;
    let (id, content, source) = (args.id.clone(), args.content.clone(), args.source.clone());
    let done = asked.office.crew.remember(move |memory| memory.correct(&holder, &id, &content, &source));
    let done = done.await?;
    if !done.corrected.starts_with(&args.id) {
        render::note(&format!("`{}` was corrected before; `{}` is corrected", args.id, done.corrected));
    }
    match asked.global.form() {
        Form::Json => render::json(&done.entry)?,
        Form::Text => render::answer(&format!("corrected: {}", told(&done.entry)))?,
    }
    Ok(Outcome::Done)
}

pub(super) async fn update(asked: &Asked<'_>, args: &UpdateArgs) -> Result<Outcome, Error> {
    let patch = Patch {
        category: args.category,
        content: args.content.clone(),
        traits: args.said.traits(None),
        ..Patch::default()
    };
    let id = args.id.clone();
    let update = move |memory: &Memory, holder: &Holder| Ok(vec![memory.update(holder, &id, &patch)?]);
    entries(asked, &args.employee, "changed", update).await
}

pub(super) async fn share(asked: &Asked<'_>, args: &ShareArgs) -> Result<Outcome, Error> {
    let (ids, shared) = (args.ids.clone(), !args.off);
    let done = if shared { "shared" } else { "no longer shared" };
    let share = move |memory: &Memory, holder: &Holder| {
        let traits = Traits { shared: Some(shared), ..Traits::default() };
        let patch = Patch { traits, ..Patch::default() };
        ids.iter().map(|id| memory.update(holder, id, &patch)).collect()
    };
    entries(asked, &args.employee, done, share).await
}

pub(super) async fn restore(asked: &Asked<'_>, args: &IdsArgs) -> Result<Outcome, Error> {
    let ids = args.ids.clone();
    let restore =
        move |memory: &Memory, holder: &Holder| ids.iter().map(|id| memory.restore(holder, id)).collect();
    entries(asked, &args.employee, "restored", restore).await
}

pub(super) async fn delete(asked: &Asked<'_>, args: &IdsArgs) -> Result<Outcome, Error> {
    let wanted = args.ids.clone();
    let delete = move |memory: &Memory, holder: &Holder| {
        let mut gone = Vec::new();
        for id in wanted {
            gone.extend(memory.delete(holder, &id)?);
        }
        Ok(gone)
    };
    ids(asked, &args.employee, "deleted", delete).await
}

pub(super) async fn archive(asked: &Asked<'_>, args: &ArchiveArgs) -> Result<Outcome, Error> {
    let (wanted, expired) = (args.ids.clone(), args.expired);
    let archive = move |memory: &Memory, holder: &Holder| {
        if expired {
            return Ok(memory.expire(holder)?.archived);
        }
        let mut archived = Vec::new();
        for id in wanted {
            archived.extend(memory.archive(holder, &id)?.archived);
        }
        Ok(archived)
    };
    ids(asked, &args.employee, "archived", archive).await
}

pub(super) async fn feedback(asked: &Asked<'_>, args: &FeedbackArgs) -> Result<Outcome, Error> {
    let holder = asked.holder(&args.employee).await?;
    let ids = args.ids.clone();
    let (useful, recalled) = if args.useful { (ids, Vec::new()) } else { (Vec::new(), ids) };
    let feedback = Feedback { useful, recalled, source: args.source.clone() };
    let rated = asked.office.crew.remember(move |memory| memory.rate(&holder, &feedback)).await?;
    match asked.global.form() {
        Form::Json => render::json(&rated)?,
        Form::Text => {
            let heard = rated.updated.iter().chain(&rated.decayed);
            let lines: Vec<String> = heard
                .map(|entry| format!("[{}] useful to {:.3}", visible(&entry.id), entry.q_value))
                .collect();
            if !lines.is_empty() {
                render::answer(&lines.join("\n"))?;
            }
            for entry in &rated.known {
                render::note(&format!("`{}` was rated from there before", visible(&entry.id)));
            }
        }
    }
    for ignored in &rated.ignored {
        render::note(&ignored.reason);
    }
    Ok(if rated.ignored.is_empty() { Outcome::Done } else { Outcome::Failed })
}

/// Does something to entries of an employee, and tells what they are then.
async fn entries(
    asked: &Asked<'_>,
    employee: &str,
    done: &str,
    work: impl FnOnce(&Memory, &Holder) -> Result<Vec<Entry>, memory::Error> + Send + 'static,
) -> Result<Outcome, Error> {
    let holder = asked.holder(employee).await?;
    let entries = asked.office.crew.remember(move |memory| work(memory, &holder)).await?;
    match asked.global.form() {
        Form::Json => render::json(&entries)?,
        Form::Text => {
            let lines: Vec<String> = entries.iter().map(|entry| format!("{done}: {}", told(entry))).collect();
            render::answer(&lines.join("\n"))?;
        }
    }
    Ok(Outcome::Done)
}

/// Does something to entries of an employee, and tells their ids.
async fn ids(
    asked: &Asked<'_>,
    employee: &str,
    done: &str,
    work: impl FnOnce(&Memory, &Holder) -> Result<Vec<String>, memory::Error> + Send + 'static,
) -> Result<Outcome, Error> {
    let holder = asked.holder(employee).await?;
    let ids = asked.office.crew.remember(move |memory| work(memory, &holder)).await?;
    match asked.global.form() {
        Form::Json => render::json(&json!({ done: ids }))?,
        Form::Text if ids.is_empty() => render::note(&format!("Nothing was {done}.")),
        Form::Text => render::answer(&format!("{done}: {}", ids.join(" ")))?,
    }
    Ok(Outcome::Done)
}

pub(super) async fn approve(asked: &Asked<'_>, id: &str) -> Result<Outcome, Error> {
    let id = id.to_owned();
    decided(asked, "approved", move |memory| memory.approve(&id, HERE)).await
}

pub(super) async fn reject(asked: &Asked<'_>, id: &str, reason: &str) -> Result<Outcome, Error> {
    let (id, reason) = (id.to_owned(), reason.to_owned());
    decided(asked, "rejected", move |memory| memory.reject(&id, HERE, &reason)).await
}

async fn decided(
    asked: &Asked<'_>,
    done: &str,
    decide: impl FnOnce(&Memory) -> Result<Entry, memory::Error> + Send + 'static,
) -> Result<Outcome, Error> {
    let entry = asked.office.crew.remember(decide).await?;
    match asked.global.form() {
        Form::Json => render::json(&json!({"status": done, "memory": entry}))?,
        Form::Text => render::answer(&format!("{done}: {}", told(&entry)))?,
    }
    Ok(Outcome::Done)
}

pub(super) async fn consolidate(asked: &Asked<'_>, employee: &str, dry_run: bool) -> Result<Outcome, Error> {
    let holder = asked.holder(employee).await?;
    let done = asked.office.crew.remember(move |memory| memory.consolidate(&holder, dry_run)).await?;
    match asked.global.form() {
        Form::Json => render::json(&done)?,
        Form::Text if done.merged.is_empty() && done.linked.is_empty() => {
            render::note("Nothing says the same, and nothing new is about the same.");
        }
        Form::Text => {
            let merged = done.merged.iter().map(|one| format!("{} <- {}", one.into, one.from.join(" ")));
            let linked = done.linked.iter().map(|(a, b)| format!("{a} -- {b}"));
            render::answer(&merged.chain(linked).collect::<Vec<_>>().join("\n"))?;
        }
    }
    Ok(Outcome::Done)
}
