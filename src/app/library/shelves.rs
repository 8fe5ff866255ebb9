//! The lists made from one state of the definitions and of what was written down.

use std::{path::Path, sync::Arc};

use super::{DISCUSSION, EMPLOYEE, PIPELINE, records::Records, segment::encoded, skills::Skills};
use crate::{
    catalog::Snapshot,
    defs::Employee,
    protocol::{
        prompt::{Argument, Prompt},
        resource::Resource,
    },
};

/// The lists made from one state of all files. They are handed out as long as it is the newest; a list that came out
/// as before is the same slice as before.
#[derive(Clone)]
pub(in crate::app) struct Shelves {
    pub(super) definitions: Arc<Snapshot>,
    pub(super) records: Arc<Records>,
    pub(super) prompts: Arc<[Prompt]>,
    pub(super) resources: Arc<[Resource]>,
    pub(super) skills: Arc<Skills>,
}

impl Shelves {
    /// Makes the lists, taking over what has not changed since `before`.
    pub(super) async fn make(
        root: &Path,
        definitions: Arc<Snapshot>,
        records: Arc<Records>,
        before: Option<&Self>,
    ) -> Self {
        let skills = match before {
            Some(before) if Arc::ptr_eq(&before.definitions, &definitions) => Arc::clone(&before.skills),
            _ => {
                let before = before.map(|before| &*before.skills);
                Arc::new(Skills::collect(root, Arc::clone(&definitions)).await.taking_over(before))
            }
        };
        let fresh = Self::of(definitions, records, skills);
        match before {
            None => fresh,
            Some(before) => Self {
                prompts: older(&before.prompts, fresh.prompts),
                resources: older(&before.resources, fresh.resources),
                ..fresh
            },
        }
    }

    fn of(definitions: Arc<Snapshot>, records: Arc<Records>, skills: Arc<Skills>) -> Self {
        let employees = || definitions.employees.values().map(|entry| entry.employee.as_ref());
        let prompts = employees().map(prompt).collect();
        let of_pipelines =
            definitions.pipelines.iter().map(|(name, entry)| (PIPELINE, name, &entry.pipeline.description));
        let of_discussions = definitions
            .discussions
            .iter()
            .map(|(name, entry)| (DISCUSSION, name, &entry.discussion.description));
        let plans = of_pipelines.chain(of_discussions).map(|(prefix, name, description)| Resource {
            uri: uri(prefix, name),
            name: name.clone(),
            description: Some(description.clone()).filter(|text| !text.is_empty()),
            mime_type: Some("application/json".to_owned()),
            ..Resource::default()
        });
        let written = records.resources(uri);
        let resources =
            employees().map(resource).chain(plans).chain(skills.resources()).chain(written).collect();
        Self { definitions, records, prompts, resources, skills }
    }

    /// Whether they were made from these.
    pub(super) fn are_of(&self, definitions: &Arc<Snapshot>, records: &Arc<Records>) -> bool {
        Arc::ptr_eq(&self.definitions, definitions) && Arc::ptr_eq(&self.records, records)
    }
}

/// The slice that was there before, if `now` says the same.
pub(super) fn older<T: PartialEq>(before: &Arc<[T]>, now: Arc<[T]>) -> Arc<[T]> {
    if **before == *now { Arc::clone(before) } else { now }
}

/// The address of what is called `name`.
fn uri(prefix: &str, name: &str) -> String {
    format!("{prefix}{}", encoded(name))
}

fn prompt(employee: &Employee) -> Prompt {
    let arguments = employee.args.iter().map(|arg| Argument {
        name: arg.name.clone(),
        description: describe(&arg.description, arg.default.as_deref()),
        required: arg.required && arg.default.is_none(),
        ..Argument::default()
    });
    Prompt {
        name: employee.name.clone(),
        title: Some(employee.title().to_owned()),
        description: Some(employee.description.clone()),
        arguments: arguments.collect(),
        ..Prompt::default()
    }
}

/// A prompt's argument has no field for its default, so it is said in words.
fn describe(description: &str, default: Option<&str>) -> Option<String> {
    match (description, default) {
        ("", None) => None,
        (text, None) => Some(text.to_owned()),
        ("", Some(default)) => Some(format!("default: {default}")),
        (text, Some(default)) => Some(format!("{text} (default: {default})")),
    }
}

fn resource(employee: &Employee) -> Resource {
    Resource {
        uri: uri(EMPLOYEE, &employee.name),
        name: employee.name.clone(),
        title: Some(employee.title().to_owned()),
        description: Some(employee.description.clone()),
        mime_type: Some("text/markdown".to_owned()),
        ..Resource::default()
    }
}
