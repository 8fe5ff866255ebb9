//! `get_employee`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    defs::Employee,
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

pub(in crate::tools) struct GetEmployee(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {
    /// Name or trigger of the employee.
    name: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    #[serde(flatten)]
    employee: Arc<Employee>,
}

impl Tool for GetEmployee {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "get_employee";
    const TITLE: &'static str = "Show an employee";
    const SUMMARY: &'static str = "Shows the whole definition of one employee: its instructions, its arguments \
        and its settings.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, args: Args) -> Result<Answer, Error> {
        Ok(Answer { employee: self.0.crew.employee(&args.name).await? })
    }
}
