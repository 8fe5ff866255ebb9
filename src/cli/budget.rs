//! How much a run may take: the words for it, and what is said once it is spent.

use clap::Args;

use super::render;
use crate::tasks::{Budget, Code, Limits, Task};

/// What a run may take in all.
#[derive(Debug, Args)]
pub(super) struct Granted {
    /// Most US dollars that models may cost; a call that could cost more is not made, and the run can be resumed
    #[arg(long, value_name = "USD", value_parser = dollars)]
    max_cost: Option<f64>,
    /// Most tokens that models may use, read and written, in the same way
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_tokens: Option<u64>,
    /// Do not wait until others have left the lane of the same (`tasks.lanes` of .crew/config.yaml)
    #[arg(long)]
    pub(super) parallel: bool,
}

impl Granted {
    pub(super) fn budget(&self) -> Budget {
        Budget { max_cost_usd: self.max_cost, max_tokens: self.max_tokens }
    }
}

fn dollars(text: &str) -> Result<f64, String> {
    let dollars = text.parse().ok().filter(|dollars: &f64| dollars.is_finite() && *dollars > 0.0);
    dollars.ok_or_else(|| "write US dollars, more than 0: 0.5".to_owned())
}

/// Whether `task` stopped as what it may take is spent.
pub(super) fn is_reached(task: &Task) -> bool {
    task.code == Some(Code::BUDGET_REACHED)
}

/// Says how such a task goes on; one that is not kept can only be started again. The error has told whose budget it was.
pub(super) fn told(task: &Task, is_kept: bool) {
    let limits = Limits::among(&task.options);
    let error = task.error.as_deref().unwrap_or_default();
    let id = &task.task_id;
    let set = limits.set_by_files().find(|of| error.contains(&format!("the budget of {of} is reached")));
    let text = match (set, is_kept) {
        (Some(of), true) => {
            format!("raise the `budget` of {of}, then go on: knowlyr-crew task resume {id}")
        }
        (Some(of), false) => format!("raise the `budget` of {of}, then start it again"),
        (None, true) => {
            let cost = limits.cost_usd.as_ref().filter(|limit| limit.of.is_none()).map(|_| " --max-cost USD");
            let tokens = limits.tokens.as_ref().filter(|limit| limit.of.is_none()).map(|_| " --max-tokens N");
            let flags: String = [cost, tokens].into_iter().flatten().collect();
            format!("go on with a higher limit: knowlyr-crew task resume {id}{flags}")
        }
        // The price of a model is not known, and the error tells what to do.
        (None, false) => return,
    };
    render::note(&text);
}
