//! Commands of earlier versions that are no more, and what does their work now.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// By name.
const GONE: [(&str, &str); 8] = [
    ("agent", "employees work with their own tools: `run NAME --execute`; there is no sandbox of containers"),
    (
        "agents",
        "`list` and `show` tell who is there and their `agent_id`; `run NAME --agent-id N` tells an employee who it is. Nothing \
         is written to the identity service, and nobody is frozen: to have an employee not found, move its file away",
    ),
    ("avatar", "no picture is painted here; `avatar_prompt` stays in the definition"),
    (
        "register",
        "nothing is written to the identity service; write the `agent_id` it gave into the definition",
    ),
    (
        "rollback",
        "versions are those of git: `git log -- FILE`, then `git restore --source COMMIT -- FILE`; `show` tells the file",
    ),
    (
        "route",
        "write a pipeline: `.crew/pipelines/NAME.yaml`, then `pipeline run NAME`; `list` tells who can be in it",
    ),
    (
        "trajectory",
        "nothing is kept to train models; `session list` and `session show` tell what was said in runs",
    ),
    (
        "ingest",
        "only discussions held here are kept; `memory import` takes what employees are to know of others",
    ),
];

/// What to do in place of a command that is no more, if that is what `error` is about.
pub(super) fn instead(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let (_, told) =
        GONE.iter().find(|(name, _)| error.kind() == ErrorKind::InvalidSubcommand && name == word)?;
    Some(format!("there is no `{word}` any more: {told}"))
}
