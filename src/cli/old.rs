//! Options of earlier versions that are taken, so that scripts go on, and mean less than they did.

use clap::Args;

use super::render;

/// Whether prompts tell of the project.
#[derive(Debug, Args)]
pub(super) struct SmartContext {
    /// Prompts tell of the project anyway
    #[arg(long, hide = true, overrides_with = "no_smart_context")]
    smart_context: bool,
    /// And nobody can have them leave it out
    #[arg(long, hide = true)]
    no_smart_context: bool,
}

impl SmartContext {
    /// Says what is not done.
    pub(super) fn tell(&self) {
        if self.no_smart_context && !self.smart_context {
            render::note(
                "warning: `--no-smart-context` changes nothing: prompts always tell what is known of the project",
            );
        }
    }
}

/// The same, and which agent of the identity service employees are.
#[derive(Debug, Args)]
pub(super) struct Identified {
    #[command(flatten)]
    smart: SmartContext,
    /// Heard by `run` alone
    #[arg(long, hide = true, value_name = "N")]
    agent_id: Option<String>,
}

impl Identified {
    /// Says what is not done.
    pub(super) fn tell(&self) {
        self.smart.tell();
        if self.agent_id.is_some() {
            render::note(
                "warning: `--agent-id` changes nothing here: who an agent is, only `run` asks, for one employee",
            );
        }
    }
}
