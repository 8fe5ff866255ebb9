//! What deliveries start.

mod names;
mod places;

pub use names::Names;
pub use places::{PlaceFault, Places};

use indexmap::IndexMap;
use schemars::JsonSchema;

use super::{
    budget::{self, Budget},
    codes,
    delivery::{self, Delivery, Destination},
    diagnostic::{Diagnostic, Source},
    reader::{self, Fields, Text, Unknown},
    report::Report,
    retry::{self, Retry},
    target::{self, Target},
    yaml::{Node, Value},
};
use crate::base::{Priority, Secret};

/// `webhook.yaml`.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// What deliveries of GitHub are signed with; without it none can be trusted.
    pub github_secret: Option<SecretRef>,
    /// What calls of the generic webhook may be signed with in place of a bearer token, as Standard Webhooks are.
    pub webhook_secret: Option<SecretRef>,
    /// The first that fits a delivery is taken.
    pub routes: Vec<Route>,
}

/// A secret, or where it is to be found.
#[derive(Debug, Clone)]
pub enum SecretRef {
    /// In this environment variable.
    Env(String),
    /// In the file itself.
    Literal(Secret),
}

/// Which deliveries start what.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Names of the events, for instance `pull_request`.
    pub events: Names,
    /// Values of the delivery's `action` it is for.
    pub actions: Names,
    /// The repositories it is for, `owner/name`.
    pub repositories: Names,
    /// The branches it is for.
    pub branches: Names,
    /// The logins whose doings it is for.
    pub senders: Names,
    /// Whether a newer delivery about the same pull request, issue or branch takes the place of older ones that are not done.
    pub supersede: bool,
    /// What becomes of a delivery that lacks a value.
    pub on_missing: OnMissing,
    /// How soon what is started is begun.
    pub priority: Priority,
    /// What is started.
    pub target: Target,
    /// Values for it.
    pub args: IndexMap<String, Places>,
    /// How often a run is tried that fails with something that may pass.
    pub retry: Option<Retry>,
    /// How much a run may take.
    pub budget: Budget,
    /// Where the result goes.
    pub deliver: Vec<Delivery>,
}

impl Route {
    /// What it starts, and the names of the values it gives.
    pub fn starts(&self) -> (&Target, Vec<&str>) {
        (&self.target, self.args.keys().map(String::as_str).collect())
    }
}

/// What becomes of a delivery that lacks a value a route asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum OnMissing {
    /// It is refused, so that whoever looks at the deliveries sees it.
    #[default]
    Error,
    /// The value is empty.
    Empty,
    /// It starts nothing.
    Skip,
}

/// Reads `webhook.yaml`. A key without meaning is an error: a misspelt one must not switch off the verification.
pub fn parse_webhook(source: &Source) -> (Option<WebhookConfig>, Vec<Diagnostic>) {
    let mut report = Report::new(source);
    let config = reader::document(source, &mut report).and_then(|node| config(&node, &mut report));
    let usable = !report.has_errors();
    (config.filter(|_| usable), report.finish())
}

fn config(node: &Node, report: &mut Report<'_>) -> Option<WebhookConfig> {
    if node.value == Value::Null {
        return Some(WebhookConfig { github_secret: None, webhook_secret: None, routes: Vec::new() });
    }
    let mut fields = Fields::of(node, "`webhook.yaml`", report)?;
    let github_secret = fields.get("github_secret").and_then(|node| secret(node, "github_secret", report));
    let webhook_secret = fields.get("webhook_secret").and_then(|node| secret(node, "webhook_secret", report));
    if let Some(SecretRef::Literal(secret)) = &webhook_secret
        && !secret.expose().starts_with("whsec_")
    {
        let message = "`webhook_secret` does not begin with `whsec_`";
        let help = "a secret of Standard Webhooks is `whsec_` and at least 24 bytes in base64";
        report.error_in_file(codes::INVALID_SECRET, message).help(help);
    }
    let nodes = fields.list("routes", report);
    let routes = nodes.iter().filter_map(|node| route(node, report)).collect();
    fields.finish(Unknown::Refused, &[], report);
    Some(WebhookConfig { github_secret, webhook_secret, routes })
}

/// Never points at the line it is about, as the line would be shown.
pub(super) fn secret(node: &Node, name: &str, report: &mut Report<'_>) -> Option<SecretRef> {
    const REFERENCE: &str = "write `${NAME}` to take it from the environment variable `NAME`";
    let Value::Scalar { text, .. } = &node.value else {
        let message = format!("`{name}` must be a text, not {}", node.describe());
        report.error_in_file(codes::INVALID_SECRET, message).help(REFERENCE);
        return None;
    };
    let text = text.trim();
    let variable = text.strip_prefix("${").and_then(|text| text.strip_suffix('}'));
    if let Some(variable) = variable
        && is_variable(variable)
    {
        return Some(SecretRef::Env(variable.to_owned()));
    }
    if text.contains("${") || text.strip_prefix('$').is_some_and(is_variable) {
        let message = format!("`{name}` is neither a secret nor a whole `${{NAME}}`");
        report.error_in_file(codes::INVALID_SECRET, message).help(REFERENCE);
        return None;
    }
    Secret::new(text).map(SecretRef::Literal)
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn route(node: &Node, report: &mut Report<'_>) -> Option<Route> {
    let mut fields = Fields::of(node, "a route", report)?;
    let events = one_or_more(&mut fields, "event", report);
    if events.is_empty() {
        fields.required_text("event", report);
    }
    for event in &events {
        check_event(event, report);
    }
    let actions = one_or_more(&mut fields, "action", report);
    let repositories = one_or_more(&mut fields, "repository", report);
    for repository in &repositories {
        check_repository(repository, report);
    }
    let branches = one_or_more(&mut fields, "branch", report);
    let senders = one_or_more(&mut fields, "sender", report);
    let supersede = fields.flag("supersede", report).unwrap_or_default();
    let priority = target::priority(&mut fields, report);
    let on_missing = fields.choice("on_missing", "way to deal with what is missing", &ON_MISSING, report);
    let retry = retry::read(&mut fields, report);
    let target = fields.require("target", report).and_then(|node| {
        let mut fields = Fields::of(node, "a target", report)?;
        let target = target::read(&mut fields, "type", "name", report);
        let args = fields.text_map("args", report);
        let budget = budget::read(&mut fields, report);
        fields.finish(Unknown::Refused, &[], report);
        let args = args.into_iter().map(|(name, text)| (name, places(&text, report)));
        Some((target, args.collect(), budget))
    });
    let deliver = delivery::read(&mut fields, "deliver", delivery::Place::Route, report);
    check_comments(&events, &deliver, report);
    fields.finish(Unknown::Refused, &[], report);
    let (target, args, budget) = target?;
    Some(Route {
        events: names(events),
        actions: names(actions),
        repositories: names(repositories).in_any_case(),
        branches: names(branches),
        senders: names(senders).in_any_case(),
        supersede,
        on_missing: on_missing.unwrap_or_default(),
        priority,
        target: target?,
        args,
        retry,
        budget,
        deliver,
    })
}

const ON_MISSING: [(&str, OnMissing); 3] =
    [("error", OnMissing::Error), ("empty", OnMissing::Empty), ("skip", OnMissing::Skip)];

fn names(patterns: Vec<Text>) -> Names {
    Names::new(patterns.into_iter().map(|pattern| pattern.value.trim().to_owned()).collect())
}

/// One text or a list of them.
fn one_or_more(fields: &mut Fields<'_>, key: &'static str, report: &mut Report<'_>) -> Vec<Text> {
    let one = |node: &&Node| matches!(node.value, Value::Scalar { .. });
    let filled = |text: &Text| !text.value.trim().is_empty();
    match fields.get(key).filter(one) {
        Some(_) => fields.text(key, report).into_iter().filter(filled).collect(),
        None => fields.texts(key, report),
    }
}

/// Events that are about an issue or a pull request.
const NUMBERED: [&str; 6] = [
    "issue_comment",
    "issues",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
];

/// A comment needs something to comment on. Of patterns, one that takes any event that is about something will do.
fn check_comments(events: &[Text], deliver: &[Delivery], report: &mut Report<'_>) {
    let wanted = names(events.to_vec());
    if events.is_empty() || NUMBERED.iter().any(|event| wanted.fits(Some(event))) {
        return;
    }
    for delivery in deliver {
        if let Destination::GithubComment { number: None, .. } = delivery.to {
            let events: Vec<_> = events.iter().map(|event| format!("`{}`", event.value.trim())).collect();
            let message = format!(
                "an event {} is about no issue and no pull request; this needs a `number`",
                events.join(", ")
            );
            report.error(codes::INVALID_DELIVERY, delivery.span, message);
        }
    }
}

fn check_event(event: &Text, report: &mut Report<'_>) {
    let known = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'*' | b'?');
    let value = event.value.trim();
    let value = value.strip_prefix('!').unwrap_or(value);
    if value.bytes().all(known) {
        return;
    }
    let draft = report.error(
        codes::INVALID_VALUE,
        event.span,
        format!("GitHub sends no event `{}`", value.escape_debug()),
    );
    let near = value.to_lowercase().replace(['-', ' ', '.'], "_");
    if near.bytes().all(known) {
        draft.help(format!("did you mean `{near}`?"));
    }
}

fn check_repository(repository: &Text, report: &mut Report<'_>) {
    let value = repository.value.trim();
    let value = value.strip_prefix('!').unwrap_or(value);
    let parts: Vec<&str> = value.split('/').collect();
    let odd = parts.iter().any(|part| part.is_empty() || part.contains(char::is_whitespace));
    if value != "**" && (parts.len() != 2 || odd) {
        let message = format!("`{}` is no repository", value.escape_debug());
        report.error(codes::INVALID_VALUE, repository.span, message).help("write `owner/name` or `owner/*`");
    }
}

/// The places of a text, which is told when it cannot be read.
fn places(text: &Text, report: &mut Report<'_>) -> Places {
    check_template(text, report);
    Places::parse(&text.value).unwrap_or_else(|fault| {
        let help = "write `{{pull_request.title}}`, or `{{pull_request.body | default(\"none\")}}`";
        report.error(codes::INVALID_TEMPLATE, text.span, fault.to_string()).help(help);
        Places::default()
    })
}

fn check_template(text: &Text, report: &mut Report<'_>) {
    let opened = text.value.rfind("{{");
    let closed = text.value.rfind("}}");
    if opened.is_some_and(|opened| closed.is_none_or(|closed| closed < opened)) {
        report
            .warning(codes::UNCLOSED_TEMPLATE, text.span, "a `{{` without its `}}` stays as it is")
            .help("write `{{pull_request.title}}`");
    }
}
