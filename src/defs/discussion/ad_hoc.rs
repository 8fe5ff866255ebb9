//! Discussions that are made up on the spot.

use serde::{Deserialize, Serialize};

use super::{
    super::budget::Budget, Background, Discussion, ExecutionRole, Mode, OutputFormat, Participant,
    ROUND_TEMPLATES, Role, Rounds, parse::MOST_ROUNDS, rounds,
};
use crate::base::text::{closest, is_chinese, truncate};

/// What somebody wants to have discussed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdHoc {
    /// Names or triggers; the first leads when there is more than one.
    pub employees: Vec<String>,
    /// What it is about.
    pub topic: String,
    /// What is to come out of it; may be empty.
    pub goal: String,
    /// How many rounds; two, unless given.
    pub rounds: Option<u32>,
    /// A template in place of a number of rounds.
    pub round_template: Option<String>,
    /// What comes out of it.
    pub output_format: OutputFormat,
}

impl AdHoc {
    /// The discussion that is meant.
    ///
    /// # Errors
    /// What is missing or does not fit, in words.
    pub fn discussion(self) -> Result<Discussion, String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.employees.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
            if names.iter().any(|known| known == name) {
                return Err(format!("`{name}` takes part twice"));
            }
            names.push(name.to_owned());
        }
        if names.is_empty() {
            return Err("a discussion needs at least one employee".to_owned());
        }
        let topic = self.topic.trim();
        if topic.is_empty() {
            return Err("a discussion needs a topic".to_owned());
        }
        let template = self.round_template.filter(|template| !template.trim().is_empty());
        let rounds = rounds_of(template.as_deref(), self.rounds, topic)?;
        let several = names.len() > 1;
        let title = names.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("-");
        let prefix = if is_chinese(topic) { "临时讨论：" } else { "Ad hoc: " };
        Ok(Discussion {
            name: format!("adhoc-{title}"),
            description: format!("{prefix}{}", truncate(topic, 50)),
            topic: topic.to_owned(),
            goal: self.goal.trim().to_owned(),
            participants: names
                .into_iter()
                .enumerate()
                .map(|(place, name)| participant(name, several && place == 0))
                .collect(),
            rounds,
            round_template: template,
            mode: Mode::Auto,
            rules: None,
            background_mode: Background::Auto,
            output_format: self.output_format,
            output: None,
            tension_seeds: Vec::new(),
            action_output: false,
            post_pipeline: None,
            budget: Budget::default(),
            is_ad_hoc: true,
        })
    }
}

fn rounds_of(template: Option<&str>, count: Option<u32>, topic: &str) -> Result<Rounds, String> {
    if let Some(template) = template {
        return rounds::of(template, is_chinese(topic)).map(Rounds::Listed).ok_or_else(|| {
            let help = closest(template, ROUND_TEMPLATES).map_or_else(
                || format!("there is {}", ROUND_TEMPLATES.map(|name| format!("`{name}`")).join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            format!("there is no round template `{template}`; {help}")
        });
    }
    let count = count.unwrap_or(2);
    if (1..=MOST_ROUNDS).contains(&count) {
        Ok(Rounds::Count(count))
    } else {
        Err(format!("a discussion has 1 to {MOST_ROUNDS} rounds, not {count}"))
    }
}

fn participant(employee: String, leads: bool) -> Participant {
    Participant {
        employee,
        role: if leads { Role::Moderator } else { Role::Speaker },
        focus: String::new(),
        stance: String::new(),
        must_challenge: Vec::new(),
        max_agree_ratio: 1.0,
        execution_role: ExecutionRole::Idle,
    }
}
