//! Where results go when a task has ended: mail, webhooks, groups and comments, through an outbox that outlives the process.
//!
//! A delivery never changes what became of its task: it has a state of its own.

mod courier;
mod feishu;
mod github;
mod log;
mod mail;
mod message;
mod outbox;
mod parting;
mod patience;
mod post;
mod record;
mod slack;
mod standing;
mod table;
mod webhook;
mod wish;

pub use courier::{Courier, Github, Outcome};
pub use log::history;
pub use mail::{Fault as MailFault, Mail, Parts as MailParts};
pub use outbox::{Options, Outbox, Refused, Which, newest};
pub use patience::Patience;
pub use record::{DeliveryId, DeliveryStatus, NotADeliveryId, Sending};
pub use standing::{Attempts, Standing};
pub use wish::{DELIVER, From, UnknownDestination, Wish};
