//! Webhooks and schedules: read with the other definitions, checked against them, and kept as they were when a file comes to
//! have errors, or to be empty. A typing mistake must not stop what ran well, nor what is running.

use std::{collections::HashSet, sync::Arc};

use super::{
    check, codes,
    load::{Loader, Read, note},
    snapshot::Snapshot,
};
use crate::defs::{self, CronConfig, Diagnostic, Route, Schedule, Severity, Source, WebhookConfig};

/// The routes of webhooks.
const WEBHOOK: &str = ".crew/webhook.yaml";
/// The schedules that people write.
const CRON: &str = ".crew/cron.yaml";
/// The schedules that were added while a server ran, in the same form.
const ADDED: &str = ".crew/schedules.json";

/// The files as they were read.
pub(super) struct Triggers {
    webhook: Read<WebhookConfig>,
    cron: Read<CronConfig>,
    added: Read<CronConfig>,
}

impl Triggers {
    pub(super) fn read(loader: &mut Loader, last: Option<&Snapshot>) -> Self {
        let webhook = last.and_then(|last| last.webhook.as_ref());
        let routed = webhook.is_some_and(|last| last.github_secret.is_some() || !last.routes.is_empty());
        let cron = last.and_then(|last| last.cron.as_ref());
        let due = |added| cron.is_some_and(|last| last.schedules.iter().any(|one| one.added == added));
        Self {
            webhook: loader.standing(WEBHOOK, defs::parse_webhook, routed),
            cron: loader.standing(CRON, defs::parse_cron, due(false)),
            added: loader.standing(ADDED, defs::parse_cron, due(true)),
        }
    }

    /// Checks them against the other definitions, and puts them in `snapshot`; what cannot be used stays as in `last`.
    pub(super) fn settle(self, snapshot: &mut Snapshot, last: Option<&Snapshot>) {
        match self.webhook {
            Read::Absent => {}
            Read::Unusable => {
                snapshot.unusable.push(WEBHOOK.to_owned());
                snapshot.webhook = last.and_then(|last| last.webhook.clone());
            }
            Read::Good(config, source) => {
                let found = check::targets(config.routes.iter().map(Route::starts), &source, snapshot);
                note(&mut snapshot.findings, found, &source);
                let deliveries = config.routes.iter().flat_map(|route| &route.deliver);
                let found = check::deliveries(deliveries, &source, snapshot);
                note(&mut snapshot.findings, found, &source);
                snapshot.webhook = Some(Arc::new(config));
            }
        }
        let before = last.and_then(|last| last.cron.as_deref());
        let written = schedules(self.cron, CRON, before, false, snapshot);
        let added = schedules(self.added, ADDED, before, true, snapshot);
        let merged = merged(written, added, snapshot);
        // Those who watch schedules compare what they know by its address.
        let unchanged =
            last.and_then(|last| last.cron.as_ref()).filter(|last| Some(&***last) == merged.as_ref());
        snapshot.cron = unchanged.cloned().or_else(|| merged.map(Arc::new));
    }
}

/// The schedules of one of the files, with the source when they are of now.
fn schedules(
    read: Read<CronConfig>,
    path: &str,
    before: Option<&CronConfig>,
    added: bool,
    snapshot: &mut Snapshot,
) -> Option<(CronConfig, Option<Source>)> {
    match read {
        Read::Absent => None,
        Read::Unusable => {
            snapshot.unusable.push(path.to_owned());
            let before = before?;
            let schedules = before.schedules.iter().filter(|schedule| schedule.added == added).cloned();
            let timezone = before.timezone.clone().filter(|_| !added);
            Some((CronConfig { timezone, schedules: schedules.collect() }, None))
        }
        Read::Good(mut config, source) => {
            let found = check::targets(config.schedules.iter().map(Schedule::starts), &source, snapshot);
            note(&mut snapshot.findings, found, &source);
            let deliveries = config.schedules.iter().flat_map(|schedule| &schedule.delivery);
            let found = check::deliveries(deliveries, &source, snapshot);
            note(&mut snapshot.findings, found, &source);
            config.schedules.iter_mut().for_each(|schedule| schedule.added = added);
            Some((config, Some(source)))
        }
    }
}

/// All schedules; of two that share a name, the one that a person wrote.
fn merged(
    written: Option<(CronConfig, Option<Source>)>,
    added: Option<(CronConfig, Option<Source>)>,
    snapshot: &mut Snapshot,
) -> Option<CronConfig> {
    let Some((added, source)) = added else { return written.map(|(config, _)| config) };
    let Some((mut all, _)) = written else { return Some(added) };
    let known: HashSet<String> = all.schedules.iter().map(|schedule| schedule.name.clone()).collect();
    let (twice, new): (Vec<Schedule>, Vec<Schedule>) =
        added.schedules.into_iter().partition(|schedule| known.contains(&schedule.name));
    if let Some(source) = source {
        let found = twice.iter().map(|schedule| {
            let message = format!("there is a schedule `{}` in `{CRON}`, which counts", schedule.name);
            Diagnostic::new(codes::SHADOWED_SCHEDULE, Severity::Warning, &source, None, message)
        });
        let found = found.collect();
        note(&mut snapshot.findings, found, &source);
    }
    all.schedules.extend(new);
    Some(all)
}
