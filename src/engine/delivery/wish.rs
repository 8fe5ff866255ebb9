//! What a task is asked to do with its result: kept with the task, and never more than where to look it up.
//!
//! Definitions may hold secrets, and tasks are shown to everybody who may see them. So a task names the entry of a
//! definition its result goes to, and the entry is looked up again when something is sent.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{
    catalog::Snapshot,
    defs::{Delivery, Destination, Span, Told},
    tasks::{NewTask, Status, Summary, Task},
};

/// The option of a task that holds its wishes.
pub const DELIVER: &str = "deliver";

/// One place a result is to go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// The list it stands in.
    pub from: From,
    /// Its place in that list, from 0.
    pub index: usize,
    /// The way it goes.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where to, without what is secret.
    pub target: String,
    /// Which endings are told; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<Ending>,
    /// What the event that started the run says of where to: `repository` and `number`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub values: IndexMap<String, String>,
}

/// An ending, as it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// It was done.
    Completed,
    /// It was not.
    Failed,
}

/// The definition a delivery stands in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// A schedule of `cron.yaml`, by its name.
    Schedule(String),
    /// The routes of `webhook.yaml`, all their deliveries in one list.
    Webhook,
    /// A pipeline, by its name.
    Pipeline(String),
    /// Whoever asked for the run; only what has a name can be asked for.
    Caller,
}

/// The name of a destination that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`.crew/config.yaml` has no destination `{name}`{}", near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
pub struct UnknownDestination {
    /// The name.
    pub name: String,
    /// The name most likely meant.
    pub near: Option<String>,
}

impl Wish {
    fn new(from: From, index: usize, delivery: &Delivery) -> Self {
        let only = delivery.only.iter().map(|told| match told {
            Told::Completed => Ending::Completed,
            Told::Failed => Ending::Failed,
        });
        Self {
            from,
            index,
            kind: delivery.to.kind().to_owned(),
            target: delivery.to.target(),
            only: only.collect(),
            values: IndexMap::new(),
        }
    }

    /// Those of a list of deliveries.
    pub fn all(from: &From, deliveries: &[Delivery]) -> Vec<Self> {
        let wish = |(index, delivery)| Self::new(from.clone(), index, delivery);
        deliveries.iter().enumerate().map(wish).collect()
    }

    /// Those of somebody who asks for destinations by their names.
    ///
    /// # Errors
    /// The first name that is none.
    pub fn named(names: &[String], definitions: &Snapshot) -> Result<Vec<Self>, UnknownDestination> {
        let wish = |(index, name): (usize, &String)| {
            let known = &definitions.destinations;
            if !known.contains_key(name.as_str()) {
                let near = crate::base::text::closest(name, known.keys().map(String::as_str));
                return Err(UnknownDestination { name: name.clone(), near: near.map(str::to_owned) });
            }
            let delivery =
                Delivery { to: Destination::Named(name.clone()), only: Vec::new(), span: Span::default() };
            Ok(Self::new(From::Caller, index, &delivery))
        };
        let distinct: indexmap::IndexSet<_> = names.iter().collect();
        distinct.into_iter().enumerate().map(wish).collect()
    }

    /// Adds `wishes` to those of a task that is about to be submitted; what goes the same way twice goes once.
    pub fn add(wishes: Vec<Self>, task: &mut NewTask) {
        let mut all = task.options.get(DELIVER).map(read).unwrap_or_default();
        for wish in wishes {
            let same = |other: &Self| {
                (&other.kind, &other.target, &other.values) == (&wish.kind, &wish.target, &wish.values)
                    && other.from != wish.from
                    // Several secret addresses of one host look the same.
                    && matches!(wish.kind.as_str(), "named" | "email")
            };
            if !all.iter().any(same) {
                all.push(wish);
            }
        }
        if !all.is_empty() {
            let value = serde_json::to_value(all).unwrap_or_default();
            task.options.insert(DELIVER.to_owned(), value);
        }
    }

    /// Has what does `task` again go where that went, too: its caller's wishes, those of its schedule and of the route of its
    /// event. What the pipeline wants is of today, and for whoever plans it to add.
    pub fn hand_on(task: &Task, new: &mut NewTask) {
        let of_others = |wish: &Self| !matches!(wish.from, From::Pipeline(_));
        Self::add(Self::of(task).into_iter().filter(of_others).collect(), new);
    }

    /// Those of a task.
    pub fn of(task: &Task) -> Vec<Self> {
        task.options.get(DELIVER).map(read).unwrap_or_default()
    }

    /// The same of a task in brief.
    pub fn of_summary(task: &Summary) -> Vec<Self> {
        task.option(DELIVER).as_ref().map(read).unwrap_or_default()
    }

    /// Whether the end of `task` is one that is told. One that somebody stopped is none.
    pub fn holds(&self, status: Status) -> bool {
        let ending = match status {
            Status::Completed => Ending::Completed,
            Status::Failed => Ending::Failed,
            _ => return false,
        };
        self.only.is_empty() || self.only.contains(&ending)
    }

    /// The entry as it is defined now: the same where it stands or beside it, else what stands in its place and goes the
    /// same way, as somebody may have corrected it.
    pub fn resolve<'d>(&self, definitions: &'d Snapshot) -> Option<&'d Delivery> {
        if self.kind == "named" {
            return definitions.destinations.get(&self.target);
        }
        let list = self.list(definitions);
        let same =
            |delivery: &&&Delivery| delivery.to.kind() == self.kind && delivery.to.target() == self.target;
        let there = list.get(self.index);
        let found = there.filter(same).or_else(|| list.iter().find(same));
        let found = found.or_else(|| there.filter(|delivery| delivery.to.kind() == self.kind)).copied()?;
        match &found.to {
            Destination::Named(name) => definitions.destinations.get(name),
            _ => Some(found),
        }
    }

    fn list<'d>(&self, definitions: &'d Snapshot) -> Vec<&'d Delivery> {
        match &self.from {
            From::Caller => Vec::new(),
            From::Pipeline(name) => {
                { definitions.pipeline(name).map(|entry| entry.pipeline.deliver.iter().collect()) }
                    .unwrap_or_default()
            }
            From::Webhook => {
                let routes = definitions.webhook.iter().flat_map(|webhook| &webhook.routes);
                routes.flat_map(|route| &route.deliver).collect()
            }
            From::Schedule(name) => {
                let mut schedules = definitions.cron.iter().flat_map(|cron| &cron.schedules);
                schedules
                    .find(|schedule| schedule.name == *name)
                    .map(|schedule| schedule.delivery.iter().collect())
                    .unwrap_or_default()
            }
        }
    }
}

/// Wishes of a version that knew other ways are left out.
fn read(value: &serde_json::Value) -> Vec<Wish> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(|item| serde_json::from_value(item.clone()).ok()).collect()
}
