//! The prompts of a pipeline, rendered without running anything.

use std::sync::Arc;

use super::{
    super::{Args, Crew, Error, crew::find_employee, prompt::Given, wiring},
    Mode, PipelineRun, StepRun, blank, check_args,
};
use crate::{
    catalog::Snapshot,
    defs::{Item, Pipeline, Work},
};

impl Crew {
    /// Renders the prompts of a pipeline without running anything; references to outputs stay as they are written. Of
    /// a condition the way `then` is shown, of a loop one round.
    ///
    /// # Errors
    /// An unknown pipeline or employee, or missing values.
    pub async fn preview_pipeline(&self, name: &str, args: &Args) -> Result<PipelineRun, Error> {
        let pipeline = self.pipeline(name).await?;
        self.preview_of(&pipeline, args).await
    }

    async fn preview_of(&self, pipeline: &Arc<Pipeline>, args: &Args) -> Result<PipelineRun, Error> {
        let args = pipeline.complete(args.clone());
        check_args(pipeline, &args)?;
        let definitions = self.definitions().await;
        let mut shown = PipelineRun::new(pipeline, Mode::Prompt);
        let mut first = 0;
        for item in &pipeline.items {
            let (works, branch) = match item {
                Item::Work(work) => (std::slice::from_ref(work), None),
                Item::Condition(condition) => (condition.then.as_slice(), Some("then")),
                Item::Loop(again) => (again.steps.as_slice(), Some("loop-0")),
            };
            let place = (pipeline.name.as_str(), first, branch);
            let runs = self.preview_works(works, place, &args, &definitions).await?;
            shown.push(item, runs);
            first += item.steps().count();
        }
        Ok(shown)
    }

    async fn preview_works(
        &self,
        works: &[Work],
        (pipeline, first, branch): (&str, usize, Option<&str>),
        args: &Args,
        definitions: &Snapshot,
    ) -> Result<Vec<StepRun>, Error> {
        let mut runs = Vec::new();
        for (index, step) in (first..).zip(works.iter().flat_map(Work::steps)) {
            let employee = find_employee(definitions, &step.employee)?;
            let given = Given::named(wiring::preview(step, args));
            let prompt = self.render(&employee, &given).await;
            let prompt = prompt.map_err(|error| error.at_step(pipeline, index))?;
            let mut shown = blank(step, index);
            shown.employee.clone_from(&employee.name);
            shown.branch = branch.map(str::to_owned);
            shown.args = given.named;
            shown.prompt = Some(prompt);
            runs.push(shown);
        }
        Ok(runs)
    }
}
