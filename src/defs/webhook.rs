//! What deliveries from GitHub start.

use indexmap::IndexMap;

use super::{
    codes,
    delivery::{self, Delivery, Destination},
    diagnostic::{Diagnostic, Source},
    reader::{self, Fields, Text, Unknown},
    report::Report,
    target::{self, Target},
    yaml::{Kind, Node, Value},
};
use crate::base::Secret;

/// `webhook.yaml`.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// What deliveries are signed with; without it none can be trusted.
    pub github_secret: Option<SecretRef>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Name of the event, for instance `pull_request`; `*` for all.
    pub event: String,
    /// Values of the delivery's `action` it is for; all when empty.
    pub actions: Vec<String>,
    /// `owner/name` of the only repository it is for.
    pub repository: Option<String>,
    /// The only branch it is for.
    pub branch: Option<String>,
    /// What is started.
    pub target: Target,
    /// Values for it, with `{{path.in.the.delivery}}` places to fill.
    pub args: IndexMap<String, String>,
    /// Where the result goes.
    pub deliver: Vec<Delivery>,
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
        return Some(WebhookConfig { github_secret: None, routes: Vec::new() });
    }
    let mut fields = Fields::of(node, "`webhook.yaml`", report)?;
    let github_secret = fields.get("github_secret").and_then(|node| secret(node, "github_secret", report));
    let nodes = fields.list("routes", report);
    let routes = nodes.iter().filter_map(|node| route(node, report)).collect();
    fields.finish(Unknown::Refused, &[], report);
    Some(WebhookConfig { github_secret, routes })
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
    let event = fields.required_text("event", report);
    if let Some(event) = &event {
        check_event(event, report);
    }
    let actions = actions(&mut fields, report);
    let repository = fields.text("repository", report);
    if let Some(repository) = &repository {
        check_repository(repository, report);
    }
    let branch = fields.optional("branch", report);
    let target = fields.require("target", report).and_then(|node| {
        let mut fields = Fields::of(node, "a target", report)?;
        let target = target::read(&mut fields, "type", "name", report);
        let args = fields.text_map("args", report);
        fields.finish(Unknown::Refused, &[], report);
        args.values().for_each(|text| check_template(text, report));
        Some((target?, args))
    });
    let deliver = delivery::read(&mut fields, "deliver", delivery::Place::Route, report);
    if let Some(event) = &event {
        check_comments(event, &deliver, report);
    }
    fields.finish(Unknown::Refused, &[], report);
    let (target, args) = target?;
    Some(Route {
        event: event?.value.trim().to_owned(),
        actions,
        repository: repository.map(|text| text.value.trim().to_owned()),
        branch,
        target,
        args: args.into_iter().map(|(name, text)| (name, text.value)).collect(),
        deliver,
    })
}

/// Events that are about an issue or a pull request.
const NUMBERED: [&str; 7] = [
    "*",
    "issue_comment",
    "issues",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
];

/// A comment needs something to comment on.
fn check_comments(event: &Text, deliver: &[Delivery], report: &mut Report<'_>) {
    for delivery in deliver {
        if let Destination::GithubComment { number: None, .. } = delivery.to
            && !NUMBERED.contains(&event.value.trim())
        {
            let message = format!(
                "an event `{}` is about no issue and no pull request; this needs a `number`",
                event.value.trim()
            );
            report.error(codes::INVALID_DELIVERY, delivery.span, message);
        }
    }
}

/// One action or a list of them.
fn actions(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Vec<String> {
    let one = |node: &&Node| matches!(node.value, Value::Scalar { kind: Kind::Text, .. });
    match fields.get("action").filter(one) {
        Some(_) => fields.optional("action", report).into_iter().collect(),
        None => fields.strings("action", report),
    }
}

fn check_event(event: &Text, report: &mut Report<'_>) {
    let value = event.value.trim();
    if value == "*" || value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
        return;
    }
    let draft = report.error(
        codes::INVALID_VALUE,
        event.span,
        format!("GitHub sends no event `{}`", value.escape_debug()),
    );
    let near = value.to_lowercase().replace(['-', ' ', '.'], "_");
    if near.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
        draft.help(format!("did you mean `{near}`?"));
    }
}

fn check_repository(repository: &Text, report: &mut Report<'_>) {
    let value = repository.value.trim();
    let parts: Vec<&str> = value.split('/').collect();
    if parts.len() != 2 || parts.iter().any(|part| part.is_empty() || part.contains(char::is_whitespace)) {
        let message = format!("`{}` is no repository", value.escape_debug());
        report.error(codes::INVALID_VALUE, repository.span, message).help("write `owner/name`");
    }
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
