//! Discussions: one prompt for a single reader, a plan whose prompts somebody runs in turn, or held here, see [`hold`].
//!
//! What is rendered is a preview: no model is called and nothing is recorded until one is held. The prompts of a plan
//! hold places that whoever runs it fills as it goes, and nobody else does:
//!
//! | place | in | stands for |
//! |---|---|---|
//! | `{research_findings}` | round 1, for those who researched in round 0 | what they found |
//! | `{previous_rounds}` | rounds after the first | all that was said before |
//! | `{all_rounds}` | the synthesis | all that was said |

mod cast;
mod files;
mod filled;
mod formats;
mod hold;
mod plan;
mod prompt;
mod words;

use std::{fmt::Write as _, sync::Arc};

pub(crate) use hold::run;
pub use hold::{
    Action, ActionPlan, Afterwards, Attendee, Ballot, Choice, Cost as TurnCost, Dissent, Earlier, HeldRound,
    Holding, InRound, Measures, Meeting, OfMember, OfOption, OfRound, Outcome as VoteOutcome, Phase,
    Priority, Question, Quota, Response, Rule, Side, Stance, Tally, Turn, TurnOrder, Verdict, Vote, measure,
    pipeline_of,
};
pub(super) use hold::{SYNTHESIS_CHARS, TOLD_CHARS, fingerprint, made_up};
pub use plan::{DiscussionPlan, ParticipantPrompt, PlannedRound};

use super::{Args, Crew, Error, surroundings::Language};
use crate::defs::{Discussion, TargetKind};

impl Crew {
    /// Finds a discussion by name.
    ///
    /// # Errors
    /// [`Error::UnknownDiscussion`].
    pub async fn discussion(&self, name: &str) -> Result<Arc<Discussion>, Error> {
        let definitions = self.definitions().await;
        definitions.discussion(name).map(|entry| Arc::clone(&entry.discussion)).ok_or_else(|| {
            Error::UnknownDiscussion {
                name: name.to_owned(),
                hint: definitions.hint(TargetKind::Discussion, name),
            }
        })
    }

    /// Renders the one prompt by which a single reader plays the whole discussion.
    ///
    /// # Errors
    /// Missing values, an unknown employee, or a participant twice.
    pub async fn render_discussion(&self, discussion: &Discussion, args: &Args) -> Result<String, Error> {
        let stage = self.stage(discussion, args).await?;
        Ok(prompt::render(&stage))
    }

    /// Plans the discussion as rounds of prompts, one for each participant, and a synthesis.
    ///
    /// # Errors
    /// As [`Crew::render_discussion`].
    pub async fn plan_discussion(
        &self,
        discussion: &Discussion,
        args: &Args,
    ) -> Result<DiscussionPlan, Error> {
        let stage = self.stage(discussion, args).await?;
        Ok(plan::render(&stage))
    }

    async fn stage(&self, discussion: &Discussion, args: &Args) -> Result<Stage, Error> {
        let discussion = filled::fill(discussion, args)?;
        let definitions = self.definitions().await;
        let language =
            Language::of(&format!("{}{}{}", discussion.description, discussion.topic, discussion.goal));
        let about = format!("{}\n{}\n{}", discussion.topic, discussion.goal, discussion.description);
        let mut cast = Vec::with_capacity(discussion.participants.len());
        for participant in &discussion.participants {
            cast.push(cast::Member::resolve(self, &definitions, participant, args, &about, language).await?);
        }
        let project = definitions.project.display_label();
        let known = definitions.project.project_type != crate::catalog::ProjectType::Unknown;
        let file = files::path(&discussion, args, &self.now());
        Ok(Stage { discussion, cast, language, project: known.then_some(project), file })
    }
}

/// Everything a prompt is made of, all places filled.
struct Stage {
    discussion: Discussion,
    /// In the order of the participants.
    cast: Vec<cast::Member>,
    language: Language,
    /// The kind of project, if it is known.
    project: Option<String>,
    /// Where the result is to be kept.
    file: Option<String>,
}

impl Stage {
    /// What stands above everything.
    fn title(&self) -> &str {
        let discussion = &self.discussion;
        if discussion.description.is_empty() { &discussion.name } else { &discussion.description }
    }

    /// The heading and what the discussion is about.
    fn header(&self) -> String {
        let pick = |english, chinese| self.language.pick(english, chinese);
        let colon = pick(": ", "：");
        let mut text = format!("# {}{colon}{}\n\n", pick("Discussion", "讨论会"), self.title());
        let rows = [
            (pick("Topic", "议题"), self.discussion.topic.as_str()),
            (pick("Goal", "目标"), self.discussion.goal.as_str()),
            (pick("Project type", "项目类型"), self.project.as_deref().unwrap_or_default()),
        ];
        for (label, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = writeln!(text, "**{label}**{colon}{value}");
        }
        text
    }
}
