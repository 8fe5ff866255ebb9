//! What differs between two states of the lists, told to those who listen.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    DISCUSSION, EMPLOYEE, MEETING, MEMORY, PIPELINE, Shelves, instructions, segment::encoded, skills::Skills,
};
use crate::{
    catalog::{Identity, Snapshot},
    defs::Employee,
    engine::memory::Holder,
    protocol::Bus,
};

impl Shelves {
    /// Tells on `bus` what is not as it was `before`: the lists, then each resource that reads differently, those that
    /// are new or gone among them.
    pub(in crate::app) fn tell(&self, before: &Self, bus: &Bus) {
        if !Arc::ptr_eq(&self.prompts, &before.prompts) {
            bus.prompts_changed();
        }
        if !Arc::ptr_eq(&self.resources, &before.resources) {
            bus.resources_changed();
        }
        for uri in self.updated(before) {
            bus.resource_updated(&uri);
        }
    }

    /// The addresses of what reads differently, in every spelling a client may have subscribed to.
    fn updated(&self, before: &Self) -> BTreeSet<String> {
        let mut updated = BTreeSet::new();
        if !Arc::ptr_eq(&self.definitions, &before.definitions) {
            let (then, now) = (&before.definitions, &self.definitions);
            let mut add = |prefix: &str, names: BTreeSet<&str>| {
                updated.extend(names.into_iter().flat_map(|name| spellings(prefix, name)));
            };
            add(EMPLOYEE, employees(then, now));
            add(PIPELINE, pipelines(then, now));
            add(DISCUSSION, discussions(then, now));
        }
        updated.extend(skills(&before.skills, &self.skills));
        if !Arc::ptr_eq(&self.records, &before.records) {
            let files = |shelves: &Self| -> HashMap<String, Identity> {
                shelves.records.memories.iter().cloned().collect()
            };
            let files = differing(&files(before), &files(self));
            let remembers =
                |employee: &Employee| Holder::of(employee).stems().iter().any(|name| files.contains(name));
            let employees = self.definitions.employees.values().map(|entry| &*entry.employee);
            let employees =
                employees.filter(|employee| remembers(employee)).map(|employee| employee.name.clone());
            let names: BTreeSet<String> = employees.chain(files.iter().cloned()).collect();
            updated.extend(names.iter().flat_map(|name| spellings(MEMORY, name)));
            let meetings = |shelves: &Self| -> HashMap<String, _> {
                let meetings = shelves.records.meetings.iter();
                meetings.map(|known| (known.0.meeting_id.clone(), known.clone())).collect()
            };
            let meetings = differing(&meetings(before), &meetings(self));
            updated.extend(meetings.iter().map(|id| format!("{MEETING}{id}")));
        }
        updated
    }
}

/// The address as it is listed, and as somebody may write it who does not escape it.
fn spellings(prefix: &str, name: &str) -> BTreeSet<String> {
    [format!("{prefix}{}", encoded(name)), format!("{prefix}{name}")].into()
}

/// The keys under which the two maps hold different things.
fn differing<T: PartialEq>(before: &HashMap<String, T>, now: &HashMap<String, T>) -> BTreeSet<String> {
    let keys = before.keys().chain(now.keys());
    keys.filter(|key| before.get(*key) != now.get(*key)).cloned().collect()
}

/// All names by which another employee is found now, or other instructions.
fn employees<'s>(before: &'s Snapshot, now: &'s Snapshot) -> BTreeSet<&'s str> {
    let all = before.employees.values().chain(now.employees.values()).map(|entry| &entry.employee);
    let names = all.flat_map(|employee| {
        let others = employee.triggers.iter().chain(Some(&employee.character_name));
        others.map(String::as_str).filter(|name| !name.is_empty()).chain([employee.name.as_str()])
    });
    let found =
        |definitions: &'s Snapshot, name: &str| definitions.employee(name).map(|entry| &entry.employee);
    let is_other = |name: &&str| match (found(before, name), found(now, name)) {
        (Some(before), Some(now)) => !Arc::ptr_eq(before, now) && instructions(before) != instructions(now),
        (before, now) => before.is_some() || now.is_some(),
    };
    names.collect::<BTreeSet<_>>().into_iter().filter(is_other).collect()
}

/// The same of pipelines.
fn pipelines<'s>(before: &'s Snapshot, now: &'s Snapshot) -> BTreeSet<&'s str> {
    let all = before.pipelines.iter().chain(&now.pipelines);
    let names = all.flat_map(|(stem, entry)| [stem.as_str(), entry.pipeline.name.as_str()]);
    let found =
        |definitions: &'s Snapshot, name: &str| definitions.pipeline(name).map(|entry| &entry.pipeline);
    names.filter(|name| found(before, name) != found(now, name)).collect()
}

/// The same of discussions.
fn discussions<'s>(before: &'s Snapshot, now: &'s Snapshot) -> BTreeSet<&'s str> {
    let all = before.discussions.iter().chain(&now.discussions);
    let names = all.flat_map(|(stem, entry)| [stem.as_str(), entry.discussion.name.as_str()]);
    let found =
        |definitions: &'s Snapshot, name: &str| definitions.discussion(name).map(|entry| &entry.discussion);
    names.filter(|name| found(before, name) != found(now, name)).collect()
}

/// The addresses of files of skills that differ.
fn skills(before: &Arc<Skills>, now: &Arc<Skills>) -> BTreeSet<String> {
    if Arc::ptr_eq(before, now) { BTreeSet::new() } else { differing(&before.digests(), &now.digests()) }
}
