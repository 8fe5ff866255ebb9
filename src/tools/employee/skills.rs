//! `list_employee_skills` and `try_employee_skills`. They are about the skills that employees have, not about employees that
//! are offered as skills.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    engine::{SkillAnswer, SkillTrial},
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

/// Longest task that is looked at, in characters.
const LONGEST: usize = 100_000;

pub(in crate::tools) struct ListEmployeeSkills(pub(in crate::tools) Office);
pub(in crate::tools) struct TryEmployeeSkills(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct ListArgs {
    /// Name or trigger of an employee; all of them, unless given.
    #[serde(default)]
    employee: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Listed {
    /// The skills, by employee.
    skills: Vec<SkillAnswer>,
}

impl Tool for ListEmployeeSkills {
    type Args = ListArgs;
    type Output = Listed;

    const NAME: &'static str = "list_employee_skills";
    const TITLE: &'static str = "List what employees are brought";
    const SUMMARY: &'static str = "Lists the skills of employees: checklists, memories, files and documents that are laid before \
        them when a task calls for it, with how often that was.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, args: ListArgs) -> Result<Listed, Error> {
        Ok(Listed { skills: self.0.crew.skills_with_counts(args.employee.as_deref()).await? })
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct TryArgs {
    /// Name or trigger of the employee.
    employee: String,
    /// What it would be asked to do.
    task: String,
}

impl Tool for TryEmployeeSkills {
    type Args = TryArgs;
    type Output = SkillTrial;

    const NAME: &'static str = "try_employee_skills";
    const TITLE: &'static str = "Try the skills of an employee";
    const SUMMARY: &'static str = "Tells which skills of an employee a task calls for, why, and what they would bring into its \
        prompt. Nothing is executed or counted.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, args: TryArgs) -> Result<SkillTrial, Error> {
        if args.task.trim().is_empty() || args.task.chars().nth(LONGEST).is_some() {
            return Err(Error::Arguments(format!("`task` must hold from 1 to {LONGEST} characters")));
        }
        let employee = self.0.crew.employee(&args.employee).await?;
        Ok(self.0.crew.try_skills(&employee, &args.task).await)
    }
}
