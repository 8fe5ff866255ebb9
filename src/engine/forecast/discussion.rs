//! What holding a discussion would take.

use super::{ForecastCost, ForecastStep, ONCE, Range, Telling, spread};
use crate::{
    defs::{Discussion, Employee, Interaction, Output},
    engine::{
        Args, DISCUSSION_RUN, Error, Job,
        crew::find_employee,
        discussion::{SYNTHESIS_CHARS, TOLD_CHARS},
        job::{BUDGETED_TOKENS, MOST_TURNS},
        prompt::Given,
    },
    tasks::{Status, Task},
};

/// How often a participant is asked in one turn: once more without a ballot, and once more with a quota that is not met.
const TURN_CALLS: u64 = 3;

impl Telling<'_> {
    /// Every turn of it, named as the steps of its task are, and what puts them together.
    pub(super) async fn turns(
        &mut self,
        discussion: &Discussion,
        args: &Args,
    ) -> Result<Vec<(ForecastStep, Range)>, Error> {
        let mut args = args.clone();
        for name in discussion.required_args() {
            args.entry(name.clone()).or_insert_with(|| format!("<{name}>"));
        }
        let plan = self.crew.plan_discussion(discussion, &args).await?;
        let rounds = if discussion.is_meeting() { 1 } else { plan.rounds.len() };
        let mut told = Vec::new();
        // What others have said comes with every question, as far as it is told.
        let mut spoken = 0;
        for round in plan.rounds.iter().filter(|round| round.round_number <= rounds) {
            for prompt in &round.participant_prompts {
                let (number, name) = (round.round_number, &prompt.employee_name);
                // Research is the work of the employee itself, with its tools.
                let most = if number == 0 { MOST_TURNS as u64 } else { TURN_CALLS };
                let before = spoken.min(most_tokens(TOLD_CHARS));
                let turn = Turn { who: name, prompt: &prompt.prompt, researches: number == 0, most, before };
                told.push((self.turn(&turn, &format!("{number}:{name}")).await?, ONCE));
                if round.interaction == Interaction::CrossExamine && number > 1 {
                    let answers = Range { least: 0, most: 1 };
                    let mut step = self.turn(&turn, &format!("{number}:{name}:answers")).await?;
                    step.times = answers;
                    told.push((step, answers));
                }
            }
            for prompt in &round.participant_prompts {
                let employee = find_employee(self.definitions, &prompt.employee_name)?;
                spoken += u64::from(employee.max_tokens.unwrap_or(BUDGETED_TOKENS));
            }
        }
        if let Some(first) = plan.rounds.last().and_then(|round| round.participant_prompts.first()) {
            let most = if discussion.action_output { 2 } else { 1 };
            let (who, prompt) = (&first.employee_name, &plan.synthesis_prompt);
            let turn = Turn {
                who,
                prompt,
                researches: false,
                most,
                before: spoken.min(most_tokens(SYNTHESIS_CHARS)),
            };
            told.push((self.turn(&turn, "synthesis").await?, ONCE));
        }
        Ok(told)
    }

    async fn turn(&mut self, turn: &Turn<'_>, id: &str) -> Result<ForecastStep, Error> {
        let employee = find_employee(self.definitions, turn.who)?;
        let mut speaker = Employee { output: Output::default(), ..Employee::clone(&employee) };
        if !turn.researches {
            speaker.tools.clear();
        }
        let given = Given::default();
        let job = Job { system: Some(turn.prompt), ..Job::new(&speaker, &given) };
        let most = if turn.researches && !self.offers_tools(&job).await { 1 } else { turn.most };
        self.weigh(&job, id, most, turn.before).await
    }
}

/// At most this many tokens are so many characters: a Chinese one may be two.
fn most_tokens(chars: usize) -> u64 {
    chars as u64 * 2
}

struct Turn<'t> {
    who: &'t str,
    prompt: &'t str,
    researches: bool,
    most: u64,
    /// At most this many tokens of what was said before come with it.
    before: u64,
}

/// What it took when it was held before, as a whole; nothing when that was too seldom.
pub(super) fn recorded(name: &str, past: &[&Task]) -> Option<ForecastCost> {
    let held = past.iter().filter(|task| {
        task.kind == DISCUSSION_RUN && task.target_name == name && task.status == Status::Completed
    });
    let cost = |task: &&Task| task.spent.iter().map(|spent| spent.cost_usd).sum::<Option<f64>>();
    let mut costs: Vec<f64> = held.filter_map(cost).collect();
    spread(&mut costs)
}
