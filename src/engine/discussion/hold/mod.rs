//! A discussion that is held: rounds of turns, each a step of the task, then what comes out of it, and the minutes.
//!
//! Steps are named after the round and the employee (`2:code-reviewer`), so an interrupted discussion goes on with the
//! turns that nobody had taken yet. A turn that failed is recorded like any other: the others go on without it.
//!
//! The first round is blind, whatever it asks for: all speak before anybody has heard the others, for whoever speaks
//! first would else set what the others think. In later rounds everybody knows what was said in those before; in a
//! round-robin also what was said before them in the same one.

mod action;
mod ballot;
mod conclude;
mod measures;
mod minutes;
mod post;
mod quota;
mod record;
mod said;
#[cfg(test)]
mod tests;
mod transcript;
mod turn;
mod words;

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

pub use action::{Action, ActionPlan, Phase, Priority, pipeline_of};
pub use ballot::{Ballot, Question, Response, Side, Stance, Verdict, Vote};
pub use measures::{Dissent, InRound, Measures, OfMember, OfOption, OfRound, Outcome, Tally, measure};
pub use post::Afterwards;
pub use quota::{Quota, Rule};
pub use record::{Attendee, Choice, Cost, Earlier, HeldRound, Meeting, Order as TurnOrder, Turn};
pub(in crate::engine) use said::{SYNTHESIS_CHARS, TOLD_CHARS};

use super::{Stage, cast::Member, plan, words as usual};
use crate::{
    base::clock,
    catalog::Snapshot,
    defs::{AdHoc, Budget, Discussion, Interaction, Round},
    engine::{Args, Crew, DISCUSSION_RUN, Error, Order, budget::ceilings, crew::find_employee, run::option},
    llm::Tape,
    tasks::{Ceiling, Code, Failure, NewTask, Steps, Task},
};
use turn::Before;
use words::Setting;

/// How many participants speak at the same time.
const WIDTH: usize = 8;
/// Most options of a vote.
const MOST_OPTIONS: usize = 12;
/// The option of a task that says what is discussed, when that was made up on the spot.
const AD_HOC: &str = "discussion";

/// A discussion to be held.
#[derive(Debug)]
pub struct Holding<'h> {
    /// Which.
    pub discussion: &'h Discussion,
    /// Values for it.
    pub args: &'h Args,
    /// The model the run asks for.
    pub model: Option<&'h str>,
    /// Where its turns are recorded.
    pub steps: &'h Steps,
    /// What their names begin with; unique within the task, and empty when the task is this very discussion.
    pub prefix: String,
    /// How many employees have handed it on so far.
    pub depth: u8,
}

/// The body of a `discussion.run` task.
///
/// # Errors
/// The discussion cannot be held any more, all participants failed in one round, or nobody could put it together; what
/// was said so far goes with it.
pub(crate) async fn run(crew: Arc<Crew>, task: Arc<Task>, steps: Steps) -> Result<Value, Failure> {
    let discussion = wanted(&crew, &task).await?;
    if steps.attempt() > 1 && option(&task, "definition").is_some_and(|then| then != fingerprint(&discussion))
    {
        let message = format!(
            "discussion `{}` was changed while this run was interrupted or waited; start it again, or resume it with `force`",
            discussion.name
        );
        return Err(Failure::coded(Code::DEFINITION_CHANGED, message));
    }
    let holding = Holding {
        discussion: &discussion,
        args: &task.args,
        model: option(&task, "model"),
        steps: &steps,
        prefix: String::new(),
        depth: 0,
    };
    let meeting = crew.hold(&holding).await?;
    serde_json::to_value(meeting).map_err(|error| Failure::new(error.to_string()))
}

/// What the task is to discuss.
async fn wanted(crew: &Crew, task: &Task) -> Result<Arc<Discussion>, Failure> {
    match made_up(task)? {
        Some(made_up) => made_up.discussion().map(Arc::new).map_err(Failure::new),
        None => Ok(crew.discussion(&task.target_name).await?),
    }
}

/// What was made up on the spot for the task to discuss, if it was.
///
/// # Errors
/// It cannot be read any more.
pub(in crate::engine) fn made_up(task: &Task) -> Result<Option<AdHoc>, Error> {
    let unread = |error| Error::Discussion(format!("what is to be discussed cannot be read: {error}"));
    task.options.get(AD_HOC).map(|kept| serde_json::from_value(kept.clone()).map_err(unread)).transpose()
}

/// A short name for this very definition, to tell whether it changed while a run was interrupted.
pub(in crate::engine) fn fingerprint(discussion: &Discussion) -> String {
    // With more to spend it is the same discussion.
    let discussion = Discussion { budget: Budget::default(), ..discussion.clone() };
    let text = serde_json::to_vec(&discussion).unwrap_or_default();
    hex::encode(Sha256::digest(text)).chars().take(16).collect()
}

impl Crew {
    /// Checks that a discussion can be held, and describes it as a task to submit.
    pub(in crate::engine) async fn plan_holding(&self, order: Order) -> Result<NewTask, Error> {
        let discussion = self.discussion(&order.target).await?;
        self.check_holding(&discussion, &order.args, order.model.as_deref()).await?;
        let definition = Value::String(fingerprint(&discussion));
        let options = Map::from_iter([("definition".to_owned(), definition)]);
        let mut task = order.into_task(DISCUSSION_RUN, discussion.name.clone(), options);
        let own = (format!("discussion `{}`", discussion.name), discussion.budget);
        Ceiling::put(&ceilings(&*self.definitions().await, Some(own)), &mut task.options);
        Ok(task)
    }

    /// The same for one that is made up on the spot; `target` of the order does not count.
    ///
    /// # Errors
    /// What is missing or does not fit; as [`Crew::plan`].
    pub async fn plan_ad_hoc(&self, made_up: AdHoc, order: Order) -> Result<NewTask, Error> {
        let kept = serde_json::to_value(&made_up).unwrap_or_default();
        let discussion = made_up.discussion().map_err(Error::Discussion)?;
        self.check_holding(&discussion, &order.args, order.model.as_deref()).await?;
        let options = Map::from_iter([(AD_HOC.to_owned(), kept)]);
        let mut task = order.into_task(DISCUSSION_RUN, discussion.name, options);
        Ceiling::put(&ceilings(&*self.definitions().await, None), &mut task.options);
        Ok(task)
    }

    /// Checks all that can be known before: values, employees, models.
    ///
    /// # Errors
    /// What is missing or unknown.
    pub async fn check_holding(
        &self,
        discussion: &Discussion,
        args: &Args,
        model: Option<&str>,
    ) -> Result<(), Error> {
        let stage = self.stage(discussion, args).await?;
        let definitions = self.definitions().await;
        for (place, member) in stage.cast.iter().enumerate() {
            if stage.cast.iter().take(place).any(|other| other.name == member.name) {
                return Err(Error::Discussion(format!(
                    "`{}` takes part twice; whoever holds a discussion needs different employees",
                    member.name
                )));
            }
            let employee = find_employee(&definitions, &member.name)?;
            self.llm().check(&self.model(&definitions, model, &employee))?;
        }
        Ok(())
    }

    /// How many steps holding it takes, as far as that can be known before: an answer to questions is one more.
    pub fn steps_of_holding(discussion: &Discussion, definitions: &Snapshot) -> usize {
        let rounds = if discussion.is_meeting() { 1 } else { discussion.rounds.len() };
        let researches = |name: &str| {
            let entry = definitions.employee(name);
            entry.is_some_and(|entry| super::cast::can_research(&entry.employee))
        };
        let research = discussion.participants.iter().filter(|who| researches(&who.employee)).count();
        // It is opened, put together, and written down.
        rounds * discussion.participants.len() + research + 3
    }

    /// Holds a discussion to its end and writes its minutes.
    ///
    /// # Errors
    /// As the body of a `discussion.run` task.
    pub async fn hold(&self, holding: &Holding<'_>) -> Result<Meeting, Failure> {
        let stage = self.stage(holding.discussion, holding.args).await?;
        let definitions = self.definitions().await;
        let open = || async { Ok(minutes::Opened::now(self.root(), holding.steps.task_id())) };
        let opened: minutes::Opened = holding.steps.run(&format!("{}opened", holding.prefix), open).await?;
        let opened = opened.of(holding.steps.task_id());
        let floor = Floor {
            crew: self,
            definitions: &definitions,
            stage: &stage,
            model: holding.model,
            steps: holding.steps,
            prefix: &holding.prefix,
            depth: holding.depth,
            width: Semaphore::new(WIDTH),
        };
        // Boxed, as it is large, and may be inside itself when an employee has others discuss.
        let mut held = Vec::new();
        let ended = Box::pin(floor.rounds(&mut held)).await;
        let names: Vec<String> = stage.cast.iter().map(|member| member.name.clone()).collect();
        let measures = measure(&held, &names);
        let mut meeting = begun(&opened, holding, &stage, held, measures);
        let concluded = match ended {
            Ok(()) => Box::pin(floor.synthesis(&mut meeting)).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = concluded {
            // With a higher limit it goes on.
            let failure = holding.steps.reached().map_or(failure, |reached| Error::from(reached).into());
            let partial = serde_json::to_value(&meeting).ok();
            return Err(Failure { partial: partial.map(Box::new), ..failure });
        }
        meeting.afterwards = Box::pin(floor.begin_afterwards(&meeting)).await?;
        // Once it is written down it has ended, whatever the clock says when that is looked up again.
        meeting.ended_at = minutes::local(clock::now());
        let write = || async {
            // What is only played again has come of nothing.
            if self.llm().tape().is_some_and(Tape::plays) {
                return Ok(meeting.ended_at.clone());
            }
            minutes::write(self.root(), &meeting, stage.language).await?;
            Ok(meeting.ended_at.clone())
        };
        let ended_at = holding.steps.run(&format!("{}minutes", holding.prefix), write).await?;
        Ok(Meeting { ended_at, ..meeting })
    }
}

/// The record of a discussion of which the rounds are over.
fn begun(
    opened: &minutes::Opened,
    holding: &Holding<'_>,
    stage: &Stage,
    rounds: Vec<HeldRound>,
    measures: Measures,
) -> Meeting {
    let discussion = &stage.discussion;
    let mut cost = Cost::ZERO;
    rounds.iter().flat_map(HeldRound::all_turns).for_each(|turn| cost.add(&turn.cost));
    Meeting {
        meeting_id: opened.meeting_id.clone(),
        task_id: holding.steps.task_id().cloned(),
        name: discussion.name.clone(),
        topic: discussion.topic.clone(),
        goal: discussion.goal.clone(),
        mode: if discussion.is_meeting() { "meeting" } else { "discussion" }.to_owned(),
        output_format: discussion.output_format,
        started_at: opened.started_at.clone(),
        ended_at: String::new(),
        args: holding.args.clone(),
        participants: stage.cast.iter().map(attendee).collect(),
        rounds,
        measures,
        synthesis_by: String::new(),
        synthesis: String::new(),
        action_plan: None,
        action_plan_fault: None,
        afterwards: None,
        cost,
    }
}

fn attendee(member: &Member) -> Attendee {
    Attendee {
        employee: member.name.clone(),
        title: member.title(),
        role: member.part.role,
        focus: member.part.focus.clone(),
        stance: member.part.stance.clone(),
        must_challenge: member.part.must_challenge.clone(),
        max_agree_ratio: member.part.max_agree_ratio,
        execution_role: member.part.execution_role,
    }
}

/// Where a discussion is being held.
struct Floor<'f> {
    crew: &'f Crew,
    definitions: &'f Snapshot,
    stage: &'f Stage,
    model: Option<&'f str>,
    steps: &'f Steps,
    prefix: &'f str,
    depth: u8,
    width: Semaphore,
}

impl Floor<'_> {
    /// Holds every round, research first; those that are over are in `held` even if a later one cannot be held.
    async fn rounds(&self, held: &mut Vec<HeldRound>) -> Result<(), Failure> {
        held.extend(self.research_round().await?);
        let mut rounds = usual::rounds(self.stage, true);
        if self.stage.discussion.is_meeting() {
            // There is nobody to answer what is said.
            rounds.truncate(1);
        }
        let last_vote = rounds.iter().rposition(|round| round.interaction == Interaction::Vote);
        for (place, round) in rounds.iter().enumerate() {
            let round = if place == 0 { blind(round) } else { round.clone() };
            let options = match round.interaction {
                Interaction::Vote => options(held, &self.stage.discussion),
                _ => Vec::new(),
            };
            let setting = Setting {
                stage: self.stage,
                round: &round,
                number: place + 1,
                count: rounds.len(),
                options: &options,
                votes_later: last_vote.is_some_and(|last| place < last),
            };
            let done = self.round(&setting, held).await?;
            let failed = done.turns.iter().find_map(|turn| turn.error.clone());
            let all_failed = done.turns.iter().all(|turn| turn.error.is_some());
            held.push(done);
            if let (true, Some(error)) = (all_failed, failed) {
                let message =
                    format!("nobody could speak in round {} (`{}`): {error}", place + 1, round.name);
                return Err(Failure::new(message));
            }
        }
        Ok(())
    }

    /// Round 0, for those who can find something out.
    async fn research_round(&self) -> Result<Option<HeldRound>, Failure> {
        let members: Vec<&Member> = self.stage.cast.iter().filter(|member| member.can_research()).collect();
        if members.is_empty() {
            return Ok(None);
        }
        let turns = members.into_iter().map(|member| {
            let before = Before {
                message: plan::research_message(self.stage, member),
                challenged: std::collections::BTreeSet::new(),
                objectors: std::collections::BTreeSet::new(),
                setting: None,
                measured: false,
            };
            self.turn(format!("0:{}", member.name), member, before)
        });
        Ok(Some(HeldRound {
            round: 0,
            name: self.stage.language.pick("Research", "调研").to_owned(),
            interaction: Interaction::Free,
            order: TurnOrder::Blind,
            options: Vec::new(),
            turns: all(turns).await?,
            answers: Vec::new(),
        }))
    }

    async fn round(&self, setting: &Setting<'_>, held: &[HeldRound]) -> Result<HeldRound, Failure> {
        let interaction = setting.round.interaction;
        let order = match (setting.is_first(), interaction) {
            (true, _) => TurnOrder::Blind,
            (false, Interaction::RoundRobin) => TurnOrder::InTurn,
            (false, _) => TurnOrder::Together,
        };
        let mut round = HeldRound {
            round: setting.number,
            name: setting.round.name.clone(),
            interaction,
            order,
            options: setting.options.to_vec(),
            turns: Vec::new(),
            answers: Vec::new(),
        };
        let members = || self.stage.cast.iter().enumerate();
        if order == TurnOrder::InTurn {
            for (place, member) in members() {
                let so_far: Vec<HeldRound> = held.iter().cloned().chain([round.clone()]).collect();
                let known = if round.turns.is_empty() { held } else { &so_far };
                round.turns.push(self.speech(setting, member, place, known, held).await?);
            }
        } else {
            let turns = members().map(|(place, member)| self.speech(setting, member, place, held, held));
            round.turns = all(turns).await?;
        }
        if interaction == Interaction::CrossExamine && !setting.is_first() {
            let asked = members().filter(|(_, member)| !said::put_to(&member.name, &round).is_empty());
            let answers = asked.map(|(_, member)| {
                let before = Before {
                    message: words::answers(setting, member, &round),
                    challenged: std::collections::BTreeSet::new(),
                    objectors: std::collections::BTreeSet::new(),
                    setting: Some(setting),
                    measured: false,
                };
                self.turn(format!("{}:{}:answers", setting.number, member.name), member, before)
            });
            round.answers = all(answers).await?;
        }
        Ok(round)
    }

    /// The turn of one participant who knows what was said in `known`; `held` are the rounds before this one.
    async fn speech(
        &self,
        setting: &Setting<'_>,
        member: &Member,
        place: usize,
        known: &[HeldRound],
        held: &[HeldRound],
    ) -> Result<Turn, Failure> {
        let before = Before {
            message: words::turn(setting, member, place, known),
            challenged: turn::challenged(&member.name, held),
            objectors: turn::objectors(&member.name, held),
            setting: Some(setting),
            measured: true,
        };
        self.turn(format!("{}:{}", setting.number, member.name), member, before).await
    }
}

/// Waits for all, even when one of them ends the discussion: what is being said is paid for, so it must be on record.
async fn all(
    turns: impl Iterator<Item = impl Future<Output = Result<Turn, Failure>>>,
) -> Result<Vec<Turn>, Failure> {
    join_all(turns).await.into_iter().collect()
}

/// A round in which nobody has heard anybody: what asks for others asks for nothing.
fn blind(round: &Round) -> Round {
    let interaction = match round.interaction {
        Interaction::Challenge
        | Interaction::Response
        | Interaction::CrossExamine
        | Interaction::SteelmanThenAttack
        | Interaction::RoundRobin => Interaction::Free,
        own => own,
    };
    Round { interaction, min_disagreements: 0, require_direct_reply: false, ..round.clone() }
}

/// What is voted on: what was proposed, the newest rounds first, each once; or what the discussion is for.
fn options(rounds: &[HeldRound], discussion: &Discussion) -> Vec<Choice> {
    let plain = |text: &str| text.trim_end_matches(['.', '。']).to_lowercase();
    let mut options: Vec<Choice> = Vec::new();
    for round in rounds.iter().rev() {
        for turn in round.all_turns() {
            for proposal in turn.ballot.iter().flat_map(|ballot| &ballot.proposals) {
                if options.len() < MOST_OPTIONS
                    && !options.iter().any(|known| plain(&known.text) == plain(proposal))
                {
                    let id = format!("O{}", options.len() + 1);
                    options.push(Choice { id, text: proposal.clone(), by: Some(turn.employee.clone()) });
                }
            }
        }
    }
    if options.is_empty() {
        let text = if discussion.goal.is_empty() { &discussion.topic } else { &discussion.goal };
        options.push(Choice { id: "O1".to_owned(), text: text.clone(), by: None });
    }
    options
}
