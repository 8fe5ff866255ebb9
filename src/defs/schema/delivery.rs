//! The shapes of deliveries.

#![expect(dead_code, reason = "these types are never made, only their schemas")]

use indexmap::IndexMap;
use schemars::JsonSchema;

use super::piece::{FullText, Name, Text, Texts};
use crate::defs::Told;

/// Where a result goes: the name of one of the `destinations` of `.crew/config.yaml`, or a destination itself.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum Delivery {
    Named(Name),
    Own(Destination),
}

/// Where a result goes.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum Destination {
    Webhook(Webhook),
    Email(Email),
    Feishu(Feishu),
    Slack(Slack),
    GithubComment(GithubComment),
}

/// Declares the one word that tells a kind of delivery.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(JsonSchema)]
            #[schemars(inline)]
            enum $name {
                #[schemars(rename = $word)]
                It,
            }
        )*
    };
}

kinds! {
    /// Posted as JSON.
    WebhookKind = "webhook";
    /// Mailed.
    EmailKind = "email";
    /// To a group of Feishu.
    FeishuKind = "feishu";
    /// To Slack, or to what speaks as Slack does.
    SlackKind = "slack";
    /// To an issue or a pull request.
    GithubCommentKind = "github-comment";
}

/// Posted as JSON.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Webhook {
    /// The way it goes.
    #[schemars(rename = "type")]
    kind: WebhookKind,
    /// Where to; `${NAME}` stands for a variable.
    #[schemars(regex(pattern = r"^\s*(https?://|\$\{)"))]
    url: String,
    /// Headers that go along; `${NAME}` stands for a variable.
    headers: Option<IndexMap<String, Option<Text>>>,
    /// What it is signed with, in the way of Standard Webhooks; better `${NAME}`.
    secret: Option<Text>,
    /// The endings that are told; all, unless given.
    only: Option<Only>,
}

/// Mailed.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Email {
    /// The way it goes.
    #[schemars(rename = "type")]
    kind: EmailKind,
    /// Who gets it: `name@example.com`, `Name <name@example.com>`, several of them, or `${NAME}`.
    to: Recipients,
    /// The subject, with `{name}`, `{status}`, `{date}`, `{target}` and `{task_id}` filled in.
    subject: Option<Text>,
    /// The endings that are told; all, unless given.
    only: Option<Only>,
}

/// To a group of Feishu.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("anyOf" = [
    {"required": ["url"]}, {"required": ["webhook_url"]}, {"required": ["webhook"]}, {"required": ["chat_id"]},
]))]
pub(super) struct Feishu {
    /// The way it goes.
    #[schemars(rename = "type")]
    kind: FeishuKind,
    /// The address of the robot; better `${NAME}`.
    url: Option<FullText>,
    /// Another name of `url`.
    webhook_url: Option<FullText>,
    /// Another name of `url`.
    webhook: Option<FullText>,
    /// A chat; it is reached through a robot alone.
    chat_id: Option<Text>,
    /// What the robot wants messages signed with; better `${NAME}`.
    secret: Option<Text>,
    /// The endings that are told; all, unless given.
    only: Option<Only>,
}

/// To Slack, or to what speaks as Slack does.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("anyOf" = [{"required": ["url"]}, {"required": ["webhook_url"]}]))]
pub(super) struct Slack {
    /// The way it goes.
    #[schemars(rename = "type")]
    kind: SlackKind,
    /// The address of the incoming webhook; better `${NAME}`.
    url: Option<FullText>,
    /// Another name of `url`.
    webhook_url: Option<FullText>,
    /// The endings that are told; all, unless given.
    only: Option<Only>,
}

/// To an issue or a pull request, with the token in `GITHUB_TOKEN`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct GithubComment {
    /// The way it goes.
    #[schemars(rename = "type")]
    kind: GithubCommentKind,
    /// `owner/name`, with `$name` or (for webhooks) `{{path}}` filled in; that of the event, unless given.
    repository: Option<Text>,
    /// The number, filled in the same way; that of the event, unless given.
    number: Option<Text>,
    /// The endings that are told; all, unless given.
    only: Option<Only>,
}

/// One ending or several.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Only {
    One(Told),
    Several(Vec<Told>),
}

/// One text or several.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Recipients {
    One(FullText),
    Several(Texts),
}
