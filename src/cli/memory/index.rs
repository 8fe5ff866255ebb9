//! `memory index`: makes the search index anew, or tells how it stands.

use std::fmt::Write as _;

use serde_json::json;

use super::{Asked, args::IndexArgs};
use crate::{
    cli::{
        args::Form,
        exit::{Error, Outcome},
        render,
    },
    engine::memory::{Filled, Memory},
};

/// Memories with new vectors after which it is told how far it is.
const PART: usize = 5_000;

pub(super) async fn index(asked: &Asked<'_>, args: &IndexArgs) -> Result<Outcome, Error> {
    if args.check { check(asked).await } else { make(asked, args.rebuild).await }
}

async fn make(asked: &Asked<'_>, rebuild: bool) -> Result<Outcome, Error> {
    let crew = &asked.office.crew;
    let (entries, files) = crew
        .remember(move |memory| {
            if rebuild {
                memory.discard_vectors()?;
            }
            memory.reindex()
        })
        .await?;
    let mut told = 0;
    let mut progress = |filled: &Filled| {
        if filled.embedded / PART > told / PART {
            render::note(&format!("{} of {entries} memories have a new vector", filled.embedded));
        }
        told = filled.embedded;
    };
    let filled = crew.embed(usize::MAX, &mut progress).await;
    let error = filled.as_ref().and_then(|filled| filled.error.clone());
    match asked.global.form() {
        Form::Json => render::json(&json!({"entries": entries, "files": files, "vectors": filled}))?,
        Form::Text => {
            let files = counted(u64::try_from(files).unwrap_or(u64::MAX), "file", "files");
            let mut text = format!("indexed: {} of {files}", counted(entries, "memory", "memories"));
            if let Some(Filled { embedded, withheld, refused, .. }) = &filled {
                let _ = write!(text, "\nvectors: {embedded} made anew");
                if *withheld > 0 {
                    let _ =
                        write!(text, ", {withheld} memories not sent (restricted, confidential or private)");
                }
                if *refused > 0 {
                    let _ = write!(text, ", {refused} refused by the embedder");
                }
            }
            render::answer(&text)?;
        }
    }
    let Some(error) = error else { return Ok(Outcome::Done) };
    render::note(&format!("some memories have no vector yet: {error}"));
    Ok(Outcome::Failed)
}

/// So many, with the word for one of them or that for more.
fn counted(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

async fn check(asked: &Asked<'_>) -> Result<Outcome, Error> {
    let crew = &asked.office.crew;
    let (behind, coverage) =
        crew.remember(|memory: &Memory| Ok((memory.behind()?, memory.coverage()?))).await?;
    let wanted = crew.embedder().map(|embedder| embedder.name().to_owned());
    let coverage = coverage.unwrap_or_default();
    let is_other = wanted.is_some() && coverage.model != wanted;
    // Without an embedder nobody makes vectors, and none are missed.
    let waiting = match &wanted {
        None => 0,
        Some(_) if is_other => coverage.entries,
        Some(_) => coverage.waiting,
    };
    let is_stale = behind > 0 || waiting > 0;
    match asked.global.form() {
        Form::Json => render::json(&json!({
            "entries": coverage.entries, "files_behind": behind, "embedder": wanted, "model": coverage.model,
            "dimensions": coverage.dimensions, "vectors": coverage.vectors, "waiting": waiting, "stale": is_stale,
        }))?,
        Form::Text => {
            let of_vectors = match (&wanted, &coverage.model) {
                (None, None) => "no embedder is set: memories are searched by their words alone".to_owned(),
                (None, Some(model)) => {
                    format!("{} vectors by {model}, which are not used: no embedder is set", coverage.vectors)
                }
                (Some(wanted), _) if is_other => format!("no vector by {wanted} yet"),
                (Some(wanted), _) => format!(
                    "{} of {} dimensions by {wanted}; {} for theirs",
                    counted(coverage.vectors, "vector", "vectors"),
                    coverage.dimensions,
                    counted(waiting, "memory waits", "memories wait")
                ),
            };
            let entries = counted(coverage.entries, "memory is", "memories are");
            let files = counted(u64::try_from(behind).unwrap_or(u64::MAX), "file is", "files are");
            let text = format!("{entries} in the index; {files} behind\n{of_vectors}");
            render::answer(&text)?;
            if is_stale {
                render::note(
                    "the index is behind; `memory index` brings it up to date, and so does the next search",
                );
            }
        }
    }
    Ok(if is_stale { Outcome::Failed } else { Outcome::Done })
}
