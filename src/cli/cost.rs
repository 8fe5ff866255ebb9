//! `knowlyr-crew cost`.

use clap::{Args, ValueEnum};

use super::{
    args::{Form, Global},
    exit::{Error, Outcome},
    render,
};
use crate::{
    app::{self, Environment},
    engine::{CostQuery, CostSummary, past, records::Records},
    tasks::{self, History, usd},
    tools,
};

/// The words of `cost`.
#[derive(Debug, Args)]
pub(super) struct CostArgs {
    /// The last how many days
    #[arg(long, default_value_t = CostQuery::DAYS)]
    days: u32,
    /// What to tell it by
    #[arg(long, value_enum, default_value_t = By::Employee)]
    by: By,
    /// Only what this employee took
    #[arg(long, value_name = "NAME")]
    employee: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// Whom calls were made for.
    Employee,
    /// Who answered.
    Model,
    /// What started the work.
    Trigger,
}

/// Tells it from the journal, also while a server works on that.
pub(super) async fn cost(global: &Global, args: &CostArgs, env: &Environment) -> Result<Outcome, Error> {
    let query = CostQuery { days: args.days, employee: args.employee.clone() };
    let query = query.checked().map_err(tools::Error::Arguments)?;
    let records = Records::of(&global.root());
    let summary: CostSummary =
        history(global, env, move |history| past::cost_of(history, &records, &query)).await?;
    if global.form() == Form::Json {
        render::json(&summary)?;
        return Ok(Outcome::Done);
    }
    let (heading, group) = match args.by {
        By::Employee => ("EMPLOYEE", &summary.by_employee),
        By::Model => ("MODEL", &summary.by_model),
        By::Trigger => ("TRIGGER", &summary.by_trigger),
    };
    let CostSummary { period_days, total_cost_usd, total_tasks, .. } = &summary;
    let total = format!("{} USD in {total_tasks} tasks of the last {period_days} days", usd(*total_cost_usd));
    if group.is_empty() {
        render::answer(&total)?;
    } else {
        let rows = group.iter().map(|(name, cost)| {
            let dollars = if cost.unpriced_tokens > 0 { " + ?" } else { "" };
            [
                name.clone(),
                format!("{}{dollars}", usd(cost.cost_usd)),
                cost.tasks.to_string(),
                cost.calls.to_string(),
                cost.input_tokens.to_string(),
                cost.output_tokens.to_string(),
            ]
        });
        let table = render::table([heading, "USD", "TASKS", "CALLS", "TOKENS IN", "TOKENS OUT"], rows);
        render::answer(&format!("{table}\n\n{total}"))?;
    }
    if !summary.unpriced_models.is_empty() {
        let models = summary.unpriced_models.iter().map(|model| format!("`{model}`"));
        let models = models.collect::<Vec<_>>().join(", ");
        render::note(&format!(
            "not among the dollars, as nobody knows the price: {models}; `prices` in .crew/config.yaml sets it"
        ));
    }
    Ok(Outcome::Done)
}

/// What the journal of the project tells, also while a server works on it.
pub(super) async fn history<T: Send + 'static>(
    global: &Global,
    env: &Environment,
    asked: impl FnOnce(&History) -> Result<T, tasks::Error> + Send + 'static,
) -> Result<T, Error> {
    let journal = app::journal(&global.root(), env).map_err(anyhow::Error::from)?;
    let told = tokio::task::spawn_blocking(move || asked(&History::at(&journal)?)).await;
    told.map_err(anyhow::Error::from)?.map_err(super::task::plainly)
}
