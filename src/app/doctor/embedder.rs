//! The row of what turns memories into vectors; asked once when the network may be touched.

use super::{Row, Verdict};
use crate::{base::text::chain, engine::Crew};

pub(super) async fn row(crew: &Crew, online: bool) -> Row {
    let (id, place) = ("embedder", "`memory.embedder` of .crew/config.yaml");
    let Some(embedder) = crew.embedder() else {
        return Row::new(id, Verdict::Skip, place, "none: memories are searched by their words alone");
    };
    if let Err(error) = embedder.check() {
        return Row::new(id, Verdict::Fail, place, chain(&error))
            .fix("mend it, or remove it: until then memories are searched by their words alone");
    }
    let told = if embedder.is_told_all() {
        "it is told of all memories"
    } else {
        "it is told of no memories that are restricted, confidential or private"
    };
    if !online {
        let found = format!("{}; {told}; not asked, --online does", embedder.name());
        return Row::new(id, Verdict::Pass, place, found);
    }
    match embedder.try_out().await {
        Ok(length) => {
            let found = format!("{}; {told}; answers with vectors of {length} dimensions", embedder.name());
            Row::new(id, Verdict::Pass, place, found)
        }
        Err(error) => Row::new(id, Verdict::Fail, place, chain(&error)).fix(
            "see to it that it runs and has the model: until then memories are searched by their words alone",
        ),
    }
}
