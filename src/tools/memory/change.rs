//! `correct_memory` and `delete_memory`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::own;
use crate::{
    defs::Scope,
    engine::memory::{Corrected, Entry},
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

pub(in crate::tools) struct CorrectMemory(pub(in crate::tools) Office);
pub(in crate::tools) struct DeleteMemory(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct CorrectArgs {
    /// Name or trigger of the employee.
    employee: String,
    /// Id of the memory that is wrong, or how it begins.
    id: String,
    /// What is right.
    content: String,
    /// What that comes from.
    #[serde(default)]
    source_session: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct CorrectAnswer {
    #[serde(flatten)]
    entry: Entry,
    /// Id of the memory whose place it took. When the one asked for was corrected before, the last of its corrections.
    corrected: String,
}

/// What was told before is told no more, but stays in the file.
const CORRECTS: Annotations = Annotations {
    read_only_hint: false,
    destructive_hint: false,
    idempotent_hint: false,
    open_world_hint: false,
};

impl Tool for CorrectMemory {
    type Args = CorrectArgs;
    type Output = CorrectAnswer;

    const NAME: &'static str = "correct_memory";
    const TITLE: &'static str = "Correct a memory";
    const SUMMARY: &'static str = "Puts what is right in place of something an employee remembers; from then on that alone is \
        told. Kind, tags and who may be told stay as they were. Of a memory that was corrected before, the last correction \
        is corrected.";
    const ANNOTATIONS: Annotations = CORRECTS;

    async fn call(&self, ctx: Ctx, args: CorrectArgs) -> Result<CorrectAnswer, Error> {
        let holder = own(&self.0, &ctx, &args.employee).await?;
        let correct = self
            .0
            .crew
            .remember(move |memory| memory.correct(&holder, &args.id, &args.content, &args.source_session));
        let Corrected { entry, corrected } = correct.await?;
        Ok(CorrectAnswer { entry, corrected })
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct DeleteArgs {
    /// Name or trigger of the employee.
    employee: String,
    /// Id of the memory, or how it begins.
    id: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct DeleteAnswer {
    /// Ids of what is gone: the memory, and what it had corrected.
    deleted: Vec<String>,
}

/// What was there is gone.
const DELETES: Annotations = Annotations {
    read_only_hint: false,
    destructive_hint: true,
    idempotent_hint: true,
    open_world_hint: false,
};

impl Tool for DeleteMemory {
    type Args = DeleteArgs;
    type Output = DeleteAnswer;

    const NAME: &'static str = "delete_memory";
    const TITLE: &'static str = "Forget a memory";
    const SUMMARY: &'static str = "Has an employee forget something for good, with all that it had corrected. What is only \
        wrong is for correct_memory.";
    const ANNOTATIONS: Annotations = DELETES;
    const NEEDS: Scope = Scope::Admin;

    async fn call(&self, ctx: Ctx, args: DeleteArgs) -> Result<DeleteAnswer, Error> {
        let holder = own(&self.0, &ctx, &args.employee).await?;
        let deleted = self.0.crew.remember(move |memory| memory.delete(&holder, &args.id)).await?;
        Ok(DeleteAnswer { deleted })
    }
}
