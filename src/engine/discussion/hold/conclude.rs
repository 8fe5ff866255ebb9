//! What comes out of a discussion: one of those who spoke puts it together, with a plan of action if there is to be one.

use super::{
    ActionPlan, Floor,
    record::{HeldRound, Meeting},
    words,
};
use crate::{
    defs::{Employee, Output, Role},
    engine::{Answer, Job, crew::find_employee, discussion::cast::Member, prompt::Given},
    llm::{Message, Said},
    tasks::Failure,
};

impl Floor<'_> {
    /// Has somebody who spoke put it together: the moderator, else the recorder, else the first.
    pub(super) async fn synthesis(&self, meeting: &mut Meeting) -> Result<(), Failure> {
        let spoke = |member: &&Member| {
            let turns = meeting.rounds.iter().flat_map(HeldRound::all_turns);
            turns.into_iter().any(|turn| turn.employee == member.name && turn.error.is_none())
        };
        let role = |role: Role| self.stage.cast.iter().filter(spoke).find(|member| member.part.role == role);
        let by = role(Role::Moderator).or_else(|| role(Role::Recorder));
        let by = by.or_else(|| self.stage.cast.iter().find(spoke));
        let member = by.ok_or_else(|| Failure::new("nobody spoke"))?;
        let employee = find_employee(self.definitions, &member.name)?;
        let writer = Employee { tools: Vec::new(), output: Output::default(), ..Employee::clone(&employee) };
        let (system, message) = words::synthesis(self.stage, &meeting.rounds, &meeting.measures);
        let given = Given::default();
        let name = format!("{}synthesis", self.prefix);
        let job = Job::new(&writer, &given).on(self.model).recorded(self.steps, name.as_str());
        let job = Job { system: Some(&system), task: Some(&message), depth: self.depth, ..job };
        let ask = || async { Ok(self.crew.answer(&job).await?) };
        let answer: Answer = self.steps.run(&name, ask).await?;
        meeting.cost.answer(&answer);
        meeting.synthesis_by.clone_from(&member.name);
        answer.output.trim().clone_into(&mut meeting.synthesis);
        if !self.stage.discussion.action_output {
            return Ok(());
        }
        let read = |said: &str| ActionPlan::read(said, &meeting.participants, self.definitions);
        let mut plan = read(&answer.output);
        if let Err(fault) = &plan {
            let again = words::plan_again(fault, self.stage.language);
            let before =
                [Message::user(message.as_str()), Message::Assistant(Said::from(answer.output.clone()))];
            let job = Job { before: &before, task: Some(&again), ..job.clone() };
            let ask = || async { Ok(self.crew.answer(&job).await?) };
            let better: Answer = self.steps.run(&format!("{}plan", self.prefix), ask).await?;
            meeting.cost.answer(&better);
            plan = read(&better.output);
        }
        match plan {
            Ok(plan) => meeting.action_plan = Some(plan),
            Err(fault) => meeting.action_plan_fault = Some(fault),
        }
        Ok(())
    }
}
