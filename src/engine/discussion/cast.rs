//! The participants of a discussion as their prompts speak of them.

use std::fmt::Write as _;

use crate::{
    catalog::Snapshot,
    defs::{Employee, ExecutionRole, Participant, Role},
    engine::{Args, Crew, Error, crew::find_employee, skills::Brought, surroundings::Language},
};

/// A participant and the employee behind it.
pub(super) struct Member {
    /// Its place in the discussion.
    pub(super) part: Participant,
    /// Name of the employee.
    pub(super) name: String,
    /// What people call the person; may be empty.
    pub(super) character: String,
    display: String,
    pub(super) description: String,
    summary: String,
    tags: Vec<String>,
    pub(super) tools: Vec<String>,
    pub(super) context: Vec<String>,
    pub(super) research: String,
    /// All instructions, filled.
    pub(super) background: String,
    /// What it remembers of what the discussion is about; for itself alone.
    pub(super) memory: Option<String>,
    /// What its skills bring for that; likewise.
    pub(super) brought: Brought,
}

impl Member {
    /// Finds the employee of `part`; its instructions are filled from `args`. What they need and is not given stands
    /// there by its name, as in `<target>`: they are told as background, not to be followed.
    pub(super) async fn resolve(
        crew: &Crew,
        definitions: &Snapshot,
        part: &Participant,
        args: &Args,
        about: &str,
        language: Language,
    ) -> Result<Self, Error> {
        let employee = find_employee(definitions, &part.employee)?;
        let background = crew.render_background(&employee, args, language).await;
        let memory = crew.experience(&employee, about).await;
        let brought = crew.brought(&employee, about, memory.as_deref()).await;
        Ok(Self {
            part: part.clone(),
            name: employee.name.clone(),
            character: employee.character_name.clone(),
            display: employee.title().to_owned(),
            description: employee.description.clone(),
            summary: employee.summary.clone(),
            tags: employee.tags.clone(),
            tools: employee.tools.clone(),
            context: employee.context.clone(),
            research: employee.research_instructions.clone(),
            background,
            memory,
            brought,
        })
    }

    /// `person·role`, or the role alone.
    pub(super) fn title(&self) -> String {
        if self.character.is_empty() {
            self.display.clone()
        } else {
            format!("{}·{}", self.character, self.display)
        }
    }

    /// The title with what it does in the discussion.
    pub(super) fn heading(&self, language: Language) -> String {
        let role = role(self.part.role, language);
        match language {
            Language::Chinese => format!("{}（{role}）", self.title()),
            Language::English => format!("{} ({role})", self.title()),
        }
    }

    /// A line or two on who it is.
    pub(super) fn brief(&self) -> &str {
        if self.summary.is_empty() { &self.description } else { &self.summary }
    }

    /// Whether it can find something out before the discussion begins.
    pub(super) fn can_research(&self) -> bool {
        !self.tools.is_empty() || !self.research.is_empty()
    }

    /// What it looks at, stands for and must do, a line each.
    pub(super) fn settings(&self, language: Language) -> String {
        let pick = |english, chinese| language.pick(english, chinese);
        let colon = pick(": ", "：");
        let mut text = String::new();
        let part = &self.part;
        let rows = [
            (pick("Focus", "关注点"), part.focus.clone()),
            (pick("Stance", "立场"), part.stance.clone()),
            (pick("Must challenge", "必须质疑"), part.must_challenge.join(pick(", ", "、"))),
            (pick("May agree with at most", "同意比例上限"), share(part.max_agree_ratio)),
            (pick("Afterwards", "会后角色"), execution_role(part.execution_role, language).to_owned()),
        ];
        for (label, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = writeln!(text, "**{label}**{colon}{value}");
        }
        text
    }

    /// The tags, a line.
    pub(super) fn tags(&self, language: Language) -> String {
        if self.tags.is_empty() {
            return String::new();
        }
        format!(
            "**{}**{}{}\n",
            language.pick("Tags", "标签"),
            language.pick(": ", "："),
            self.tags.join(", ")
        )
    }
}

/// Whether such an employee can find something out before the discussion begins.
pub(super) fn can_research(employee: &Employee) -> bool {
    !employee.tools.is_empty() || !employee.research_instructions.is_empty()
}

/// A share below the whole, in per cent.
fn share(ratio: f64) -> String {
    if ratio >= 1.0 { String::new() } else { format!("{:.0}%", ratio * 100.0) }
}

pub(super) fn role(role: Role, language: Language) -> &'static str {
    match role {
        Role::Moderator => language.pick("moderator", "主持人"),
        Role::Speaker => language.pick("speaker", "发言人"),
        Role::Recorder => language.pick("recorder", "记录员"),
    }
}

fn execution_role(role: ExecutionRole, language: Language) -> &'static str {
    match role {
        ExecutionRole::Executor => language.pick("carries it out", "执行"),
        ExecutionRole::Reviewer => language.pick("reviews it", "评审"),
        ExecutionRole::Monitor => language.pick("watches over it", "跟踪"),
        ExecutionRole::Idle => "",
    }
}
