//! `knowlyr-crew plan`.

use std::fmt::Write as _;

use clap::Args;

use super::{
    args::{Form, Global, named_value},
    cost::history,
    exit::{Error, Outcome},
    render, run,
};
use crate::{
    app::{Environment, Journal},
    engine::{Forecast, ForecastCost, Range, past},
    tasks::usd,
};

/// The words of `plan`.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// An employee, by name or trigger, or a pipeline or a discussion
    name: String,
    /// A value by name: --arg target=src
    #[arg(long = "arg", value_name = "NAME=VALUE", value_parser = named_value)]
    named: Vec<(String, String)>,
}

pub(super) async fn plan(global: &Global, args: &PlanArgs, env: &Environment) -> Result<Outcome, Error> {
    let office = run::open(global, env, Journal::None)?;
    let values = args.named.iter().cloned().collect();
    let past = history(global, env, past::recent_of).await?;
    let forecast = office.crew.forecast(None, &args.name, &values, &past).await?;
    match global.form() {
        Form::Json => render::json(&forecast)?,
        Form::Text => render::answer(&text(&forecast))?,
    }
    Ok(Outcome::Done)
}

fn text(forecast: &Forecast) -> String {
    let mut text = format!("{} {}\n\n", forecast.target_type, forecast.target_name);
    if let Some(graph) = &forecast.graph {
        let _ = writeln!(text, "{graph}");
    }
    let rows = forecast.steps.iter().enumerate().map(|(index, step)| {
        let id = if step.step_id.is_empty() { index.to_string() } else { step.step_id.clone() };
        let fallback = step.fallback.as_ref().map(|model| format!(", else {model}")).unwrap_or_default();
        [
            id,
            step.employee.clone(),
            format!("{}{fallback}", step.model),
            range(step.times),
            range(step.calls),
            cost(&step.cost),
            step.tools.join(", "),
        ]
    });
    let header = ["STEP", "EMPLOYEE", "MODEL", "TIMES", "CALLS EACH", "USD EACH", "TOOLS"];
    let _ = writeln!(text, "{}\n", render::table(header, rows));
    for model in &forecast.models {
        let provider = model.provider.as_deref().unwrap_or("nobody");
        let address = model.address.as_ref().map(|address| format!(" at {address}")).unwrap_or_default();
        let _ = writeln!(text, "model {}: {provider}{address}", model.model);
        if let Some(fault) = &model.fault {
            let _ = writeln!(text, "  cannot be asked: {fault}");
        }
    }
    for (variable, is_set) in &forecast.secrets {
        let _ = writeln!(text, "secret {variable}: {}", if *is_set { "set" } else { "not set" });
    }
    let _ = writeln!(text, "calls of models: {}", range(forecast.calls));
    let _ = write!(text, "cost: {} USD", cost(&forecast.cost));
    text
}

fn range(range: Range) -> String {
    if range.least == range.most {
        return range.least.to_string();
    }
    format!("{}-{}", range.least, range.most)
}

/// From and to, and how that is known.
fn cost(cost: &ForecastCost) -> String {
    if !cost.unpriced_models.is_empty() {
        return format!("unknown (no price of {})", cost.unpriced_models.join(", "));
    }
    let known = match cost.runs {
        0 => "estimate".to_owned(),
        runs => format!("{runs} runs"),
    };
    let high = cost.high_usd.map_or_else(|| "?".to_owned(), usd);
    format!("{}-{high} ({known})", usd(cost.low_usd))
}
