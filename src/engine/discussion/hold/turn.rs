//! One turn: what is asked, what comes back, and what is asked again.

use std::collections::BTreeSet;

use super::{
    super::cast::Member,
    Floor,
    ballot::{self, Ballot, Register},
    quota::{self, Asked, Quota},
    record::{Cost, Earlier, HeldRound, Turn},
    words::{self, Setting},
};
use crate::{
    base::text::{is_chinese, truncate},
    defs::{Employee, Output},
    engine::{Answer, Error, Job, crew::find_employee, prompt::Given},
    llm::{Message, Said},
    tasks::Failure,
};

/// Most characters of an error that a turn keeps.
const ERROR_CHARS: usize = 500;

/// What is known before a turn.
pub(super) struct Before<'b> {
    /// What the participant is told.
    pub(super) message: String,
    /// Whom it has contradicted in earlier rounds.
    pub(super) challenged: BTreeSet<String>,
    /// Who objected to it in the round before.
    pub(super) objectors: BTreeSet<String>,
    /// The round it is in; `None` for research, where there is no ballot.
    pub(super) setting: Option<&'b Setting<'b>>,
    /// Whether its quotas count; they do not when it only answers questions.
    pub(super) measured: bool,
}

impl Floor<'_> {
    /// Has `member` take its turn as the step `name`, unless an earlier attempt at the task did. One who cannot speak has a
    /// turn that says why.
    ///
    /// # Errors
    /// The task was cancelled or could not be recorded.
    pub(super) async fn turn(
        &self,
        name: String,
        member: &Member,
        before: Before<'_>,
    ) -> Result<Turn, Failure> {
        let name = format!("{}{name}", self.prefix);
        let work = || async {
            let spoken = self.speak(&name, member, &before).await;
            // With a higher limit it can be spoken, so it must not count as a turn.
            if let (Err(_), Some(reached)) = (&spoken, self.steps.reached()) {
                return Err(Error::from(reached).into());
            }
            Ok(spoken.unwrap_or_else(|error| {
                tracing::warn!(employee = member.name, %error, "a participant could not speak");
                let failure = Failure::from(error);
                Turn {
                    employee: member.name.clone(),
                    error: Some(truncate(&failure.message, ERROR_CHARS)),
                    cost: Cost::ZERO,
                    ..Turn::default()
                }
            }))
        };
        // Not within the step: who waits for a place is not at work.
        let _place = self.width.acquire().await;
        self.steps.run(&name, work).await
    }

    async fn speak(&self, name: &str, member: &Member, before: &Before<'_>) -> Result<Turn, Error> {
        let employee = find_employee(self.definitions, &member.name)?;
        self.crew.count_skills(&member.name, &member.brought, self.steps.task_id()).await;
        let Some(setting) = before.setting else { return self.research(name, &employee, before).await };
        let system = words::standing(self.stage, member);
        // It speaks for itself here: no tools, no form of output of its own.
        let speaker = Employee { tools: Vec::new(), output: Output::default(), ..Employee::clone(&employee) };
        let mut talk =
            Talk { floor: self, speaker: &speaker, system: &system, said: Vec::new(), cost: Cost::ZERO };
        let register = self.register(member, setting);
        let quotas = |text: &str, ballot: Option<&Ballot>| -> Vec<Quota> {
            if !before.measured {
                return Vec::new();
            }
            let asked = Asked {
                round: setting.round,
                is_first: setting.is_first(),
                part: &member.part,
                must_challenge: &self.must_challenge(member),
                challenged: &before.challenged,
                objectors: &before.objectors,
                options: &register.options,
            };
            quota::quotas(&asked, ballot, words_in(text))
        };
        let judge = |said: &str| {
            let (text, block) = ballot::split(said);
            let ballot = ballot::read(block, &register);
            let quotas = quotas(&text, ballot.as_ref().ok());
            (text, ballot, quotas)
        };
        let is_good = |said: &str| {
            let (_, ballot, quotas) = judge(said);
            ballot.is_ok() && quotas.iter().all(|quota| quota.met)
        };
        let first = talk.say(&format!("{name}/first"), &before.message, |said| !is_good(said)).await?;
        let (mut text, mut read, mut met) = judge(&first.output);
        if let Err(fault) = &read {
            let again = words::ballot_again(&fault.to_string(), self.stage.language);
            let second = talk.say(&format!("{name}/ballot"), &again, |_| true).await?;
            let (other, block) = ballot::split(&second.output);
            let speech = if text.is_empty() { other } else { text };
            read = ballot::read(block, &register);
            met = quotas(&speech, read.as_ref().ok());
            text = speech;
        }
        let mut earlier = None;
        let unmet: Vec<&Quota> = met.iter().filter(|quota| !quota.met).collect();
        if let (Ok(ballot), false) = (&read, unmet.is_empty()) {
            let again = words::turn_again(&unmet, self.stage.language);
            let third = talk.say(&format!("{name}/again"), &again, |_| false).await?;
            let (better, block) = ballot::split(&third.output);
            if let (Ok(found), false) = (ballot::read(block, &register), better.is_empty()) {
                let unmet = unmet.into_iter().cloned().collect();
                earlier = Some(Earlier { text: text.clone(), ballot: Some(ballot.clone()), unmet });
                met = quotas(&better, Some(&found));
                (text, read) = (better, Ok(found));
            }
        }
        let (ballot, ballot_fault) = match read {
            Ok(ballot) => (Some(ballot), None),
            Err(fault) => (None, Some(fault.to_string())),
        };
        Ok(Turn {
            employee: member.name.clone(),
            words: words_in(&text),
            text,
            ballot,
            ballot_fault,
            quotas: met,
            earlier,
            error: None,
            model: first.model,
            cost: talk.cost,
        })
    }

    /// Has somebody find things out, with the tools it has.
    async fn research(&self, name: &str, employee: &Employee, before: &Before<'_>) -> Result<Turn, Error> {
        let researcher = Employee { output: Output::default(), ..employee.clone() };
        let given = Given::default();
        let job = Job::new(&researcher, &given).on(self.model).recorded(self.steps, name.to_owned());
        let job = Job { system: Some(&before.message), depth: self.depth, ..job };
        let answer = self.crew.answer(&job).await?;
        let mut cost = Cost::ZERO;
        cost.answer(&answer);
        Ok(Turn {
            employee: employee.name.clone(),
            words: words_in(&answer.output),
            text: answer.output.trim().to_owned(),
            model: answer.model,
            cost,
            ..Turn::default()
        })
    }

    fn register<'r>(&'r self, member: &'r Member, setting: &'r Setting<'_>) -> Register<'r> {
        let names = self.stage.cast.iter().map(|other| {
            let others = vec![other.part.employee.clone(), other.character.clone(), other.title()];
            (other.name.as_str(), others)
        });
        Register {
            me: &member.name,
            names: names.collect(),
            options: setting.options.iter().map(|option| option.id.as_str()).collect(),
        }
    }

    /// Whom `member` must contradict, by the names of employees who take part.
    pub(super) fn must_challenge(&self, member: &Member) -> Vec<String> {
        let names = member.part.must_challenge.iter().filter_map(|other| self.definitions.employee(other));
        let names = names.map(|entry| entry.employee.name.clone());
        names
            .filter(|name| *name != member.name && self.stage.cast.iter().any(|who| who.name == *name))
            .collect()
    }
}

/// A conversation with one participant within one turn.
struct Talk<'t> {
    floor: &'t Floor<'t>,
    speaker: &'t Employee,
    system: &'t str,
    said: Vec<Message>,
    cost: Cost,
}

impl Talk<'_> {
    /// Says `message` and gives the answer; it is a step of its own when `keep` says that more will be asked.
    async fn say(
        &mut self,
        step: &str,
        message: &str,
        keep: impl FnOnce(&str) -> bool,
    ) -> Result<Answer, Error> {
        let given = Given::default();
        let floor = self.floor;
        let job = Job::new(self.speaker, &given).on(floor.model).recorded(floor.steps, step.to_owned());
        let job = Job { system: Some(self.system), before: &self.said, task: Some(message), ..job };
        let job = Job { depth: floor.depth, ..job };
        let mut failed = None;
        let ask = async {
            floor.crew.answer(&job).await.map_err(|error| {
                let failure = Failure::new(error.to_string());
                failed = Some(error);
                failure
            })
        };
        let ran = floor.steps.run_keeping(step, |answer: &Answer| keep(&answer.output), || ask).await;
        let answer = ran.map_err(|failure| failed.unwrap_or(Error::Step(failure)))?;
        self.cost.answer(&answer);
        self.said.push(Message::user(message));
        self.said.push(Message::Assistant(Said::from(answer.output.clone())));
        Ok(answer)
    }
}

/// How much `text` is: words, and each Chinese character for one.
pub(super) fn words_in(text: &str) -> usize {
    let mut count = 0;
    let mut in_word = false;
    for letter in text.chars() {
        if is_chinese(letter.encode_utf8(&mut [0; 4])) {
            count += 1;
            in_word = false;
        } else if letter.is_alphanumeric() {
            count += usize::from(!in_word);
            in_word = true;
        } else if !matches!(letter, '\'' | '’' | '-' | '_') {
            in_word = false;
        }
    }
    count
}

/// Whom `name` has contradicted in `rounds`.
pub(super) fn challenged(name: &str, rounds: &[HeldRound]) -> BTreeSet<String> {
    let turns = rounds.iter().flat_map(HeldRound::all_turns).filter(|turn| turn.employee == name);
    turns
        .flat_map(|turn| turn.ballot.iter().flat_map(|ballot| &ballot.object))
        .map(|to| to.with.clone())
        .collect()
}

/// Who objected to `name` in the last of `rounds`.
pub(super) fn objectors(name: &str, rounds: &[HeldRound]) -> BTreeSet<String> {
    let Some(last) = rounds.last().filter(|round| round.round > 0) else { return BTreeSet::new() };
    let objecting = |ballot: &Ballot| ballot.object.iter().any(|to| to.with == name);
    last.all_turns()
        .filter(|turn| turn.ballot.as_ref().is_some_and(objecting))
        .map(|turn| turn.employee.clone())
        .collect()
}
