//! `list_meeting_history` and `get_meeting_detail`, under the names of earlier versions.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LIMIT, aside, some, within};
use crate::{
    engine::records::meeting::Record,
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

pub(in crate::tools) struct ListMeetingHistory(pub(in crate::tools) Office);

pub(in crate::tools) struct GetMeetingDetail(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct ListArgs {
    /// Only those in whose name, topic or participants this occurs.
    #[serde(default)]
    keyword: Option<String>,
    /// Most to list, 1 to 200.
    #[serde(default = "some")]
    #[schemars(range(min = 1, max = LIMIT))]
    limit: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct List {
    /// The newest first.
    meetings: Vec<Record>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct GetArgs {
    /// Its id, as `list_meeting_history` tells it.
    meeting_id: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Detail {
    /// As it is listed.
    #[serde(flatten)]
    record: Record,
    /// What was said and what came of it, in Markdown; for one that was only rendered, its prompt.
    content: String,
    /// What is to be said about that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

impl Tool for ListMeetingHistory {
    type Args = ListArgs;
    type Output = List;

    const NAME: &'static str = "list_meeting_history";
    const TITLE: &'static str = "List past discussions";
    const SUMMARY: &'static str = "Lists the discussions that were held in this project, the newest first, or those about \
        something. `get_meeting_detail` tells what was said in one.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, args: ListArgs) -> Result<List, Error> {
        let limit = within(args.limit)?;
        let records = Arc::clone(self.0.crew.records());
        let found = aside(move || {
            let all = records.meetings.all();
            let fits = |record: &&Record| args.keyword.as_ref().is_none_or(|word| record.tells_of(word));
            all.records.iter().filter(fits).take(limit).cloned().collect()
        });
        Ok(List { meetings: found.await? })
    }
}

impl Tool for GetMeetingDetail {
    type Args = GetArgs;
    type Output = Detail;

    const NAME: &'static str = "get_meeting_detail";
    const TITLE: &'static str = "Show a past discussion";
    const SUMMARY: &'static str =
        "Tells what was said in a discussion that was held, and what came of it. Of a long one, the end.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, args: GetArgs) -> Result<Detail, Error> {
        let (records, id) = (Arc::clone(self.0.crew.records()), args.meeting_id.clone());
        let found = aside(move || records.meetings.read(&id)).await?.ok_or_else(|| Error::NotFound {
            what: "meeting",
            name: crate::base::text::truncate(&args.meeting_id, 100),
            hint: Some("see `list_meeting_history`".to_owned()),
        })?;
        Ok(Detail { record: found.record, content: found.text, notes: found.notes })
    }

    fn text(detail: &Detail) -> Option<String> {
        Some(detail.content.clone()).filter(|content| !content.is_empty())
    }
}
