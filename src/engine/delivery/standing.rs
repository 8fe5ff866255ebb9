//! How many deliveries there are and how long they have waited, to be measured.

use std::time::Duration;

use serde::Serialize;

use super::record::{DeliveryStatus, Event, Sending};
use crate::base::{clock, metric};

/// How many deliveries there are, by status, and how long the oldest has waited that is not over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Those that wait for an attempt.
    pub pending: usize,
    /// Those on their way.
    pub sending: usize,
    /// Those that were taken.
    pub delivered: usize,
    /// Those that were given up.
    pub dead: usize,
    /// Since when the oldest waits of those that are not over.
    pub age: Duration,
}

/// What came of the attempts to deliver, since the program began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Attempts {
    /// How many were taken.
    pub sent: u64,
    /// How many came to nothing and were to be made again.
    pub retry: u64,
    /// How many deliveries were given up.
    pub dead: u64,
}

impl Attempts {
    /// What may come of one.
    pub const OUTCOMES: [&str; 3] = ["sent", "retry", "dead"];

    /// Counts an attempt, here and in what is measured. A name that leads nowhere any more is the type `named`; all types
    /// are known beforehand.
    pub(super) fn count(&mut self, kind: &str, event: &Event) {
        let (outcome, count) = match event {
            Event::Delivered { .. } => ("sent", &mut self.sent),
            Event::Failed { .. } => ("retry", &mut self.retry),
            Event::Dead { .. } => ("dead", &mut self.dead),
            Event::Created { .. } | Event::Begun { .. } | Event::Asked { .. } => return,
        };
        *count += 1;
        metrics::counter!(metric::DELIVERIES, "type" => kind.to_owned(), "outcome" => outcome).increment(1);
    }
}

impl Standing {
    pub(super) fn of<'d>(deliveries: impl Iterator<Item = &'d Sending>) -> Self {
        let mut standing = Self::default();
        let mut oldest = None;
        for delivery in deliveries {
            let count = match delivery.status {
                DeliveryStatus::Pending => &mut standing.pending,
                DeliveryStatus::Sending => &mut standing.sending,
                DeliveryStatus::Delivered => &mut standing.delivered,
                DeliveryStatus::Dead => &mut standing.dead,
            };
            *count += 1;
            if !delivery.is_over() {
                oldest = Some(oldest.map_or(delivery.since, |oldest| delivery.since.min(oldest)));
            }
        }
        let age = oldest.and_then(|oldest| Duration::try_from(clock::now().duration_since(oldest)).ok());
        Self { age: age.unwrap_or_default(), ..standing }
    }
}
