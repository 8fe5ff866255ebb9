//! A message through an incoming webhook of Slack, or of what speaks as Slack does.
//!
//! Source: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>.

use std::fmt::Write as _;

use serde_json::json;

use super::{
    courier::{Courier, Outcome, Parcel},
    post,
};
use crate::defs::EnvText;

/// Most characters of a message.
const CHARS: usize = 3500;

pub(super) async fn send(courier: &Courier, parcel: &Parcel<'_>, url: &EnvText) -> Result<Outcome, String> {
    let message = parcel.message;
    let mut text = format!("*{}*\n{}", tame(&message.title()), tame(&message.main(CHARS)));
    let outline = message.outline();
    if !outline.is_empty() {
        text = message.cut(&format!("{text}\n\n*{}*\n{}", message.words.steps, tame(&outline)), CHARS);
    }
    let _ = write!(text, "\n_{} · {}_", tame(&message.account), message.task_id);
    match post::post(courier, post::json(courier.fill(url)?, &json!({"text": text}))).await {
        Ok(response) => Ok(Outcome::Delivered(format!("HTTP {}", response.status.as_u16()))),
        Err(outcome) => Ok(outcome),
    }
}

/// Text that calls nobody and links nowhere: `<!channel>` and `<@…>` would.
fn tame(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
