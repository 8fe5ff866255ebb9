//! Reads deliveries.

use indexmap::IndexMap;

use super::{
    super::{
        codes,
        diagnostic::Span,
        employee::is_name,
        reader::{Fields, Text, Unknown, text},
        report::Report,
        yaml::{Node, Value},
    },
    Delivery, Destination, EnvText, Subject, Told,
};

/// Most deliveries of one run from one place.
const MOST: usize = 20;
/// Most recipients of one mail.
const MOST_RECIPIENTS: usize = 50;

const ENV: &str = "write `${NAME}` and set the variable NAME where crew runs";

/// The file a delivery stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::defs) enum Place {
    /// A pipeline or a schedule.
    Run,
    /// A route of `webhook.yaml`, for an event of this name.
    Route,
    /// The settings of the project.
    Config,
}

type Read = fn(&mut Fields<'_>, Place, &mut Report<'_>) -> Option<Destination>;

/// The ways there are.
const KINDS: [(&str, Read); 5] = [
    ("webhook", webhook),
    ("email", email),
    ("feishu", feishu),
    ("slack", slack),
    ("github-comment", |fields, place, report| Some(github_comment(fields, place, report))),
];

/// Reads a list of deliveries.
pub(in crate::defs) fn read(
    fields: &mut Fields<'_>,
    key: &'static str,
    place: Place,
    report: &mut Report<'_>,
) -> Vec<Delivery> {
    let nodes = fields.list(key, report);
    if let Some(node) = nodes.get(MOST) {
        report.error(codes::INVALID_DELIVERY, node.span, format!("a run has at most {MOST} deliveries"));
    }
    nodes.iter().take(MOST).filter_map(|node| one(node, place, report)).collect()
}

/// Reads one delivery: its fields, or the name of one that the settings of the project describe.
pub(in crate::defs) fn one(node: &Node, place: Place, report: &mut Report<'_>) -> Option<Delivery> {
    if let Value::Scalar { text, .. } = &node.value
        && place != Place::Config
    {
        return named(text.trim(), node.span, report);
    }
    let mut fields = Fields::of(node, "a delivery", report)?;
    let only = only(&mut fields, report);
    let kind = fields.required_text("type", report)?;
    let word = kind.value.trim();
    let Some((_, read)) = KINDS.iter().find(|(name, _)| *name == word) else {
        report
            .error(
                codes::INVALID_VALUE,
                kind.span,
                format!("there is no type of delivery `{}`", word.escape_debug()),
            )
            .suggest(word, KINDS.iter().map(|(name, _)| *name));
        return None;
    };
    let to = read(&mut fields, place, report);
    fields.finish(Unknown::Warned, &[], report);
    Some(Delivery { to: to?, only, span: kind.span })
}

fn named(name: &str, span: Span, report: &mut Report<'_>) -> Option<Delivery> {
    if is_name(name) {
        return Some(Delivery { to: Destination::Named(name.to_owned()), only: Vec::new(), span });
    }
    let message = "a delivery is a map of fields, or the name of one in `.crew/config.yaml`";
    report
        .error(codes::INVALID_DELIVERY, span, message)
        .help("write `{type: webhook, url: …}`, or a name under `destinations`");
    None
}

/// One ending or a list of them.
fn only(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Vec<Told> {
    const WORDS: [(&str, Told); 2] = [("completed", Told::Completed), ("failed", Told::Failed)];
    let texts = match fields.get("only") {
        Some(node) if matches!(node.value, Value::List(_)) => fields.texts("only", report),
        Some(node) => text(node, "only", report).into_iter().collect(),
        None => return Vec::new(),
    };
    let mut told = Vec::new();
    for text in texts {
        let word = text.value.trim();
        match WORDS.iter().find(|(known, _)| *known == word) {
            Some((_, ending)) => told.push(*ending),
            None => {
                let message = format!("there is no ending `{}`", word.escape_debug());
                report
                    .error(codes::INVALID_VALUE, text.span, message)
                    .suggest(word, WORDS.iter().map(|(word, _)| *word));
            }
        }
    }
    told
}

fn webhook(fields: &mut Fields<'_>, _: Place, report: &mut Report<'_>) -> Option<Destination> {
    let mut headers = IndexMap::new();
    for (name, value) in fields.text_map("headers", report) {
        if !is_header(&name) {
            let message = format!("`{}` is no name of a header", name.escape_debug());
            report.error(codes::INVALID_DELIVERY, value.span, message);
            continue;
        }
        if value.value.contains(['\r', '\n']) {
            let message = format!("the header `{name}` is more than one line");
            report.error(codes::INVALID_DELIVERY, value.span, message);
            continue;
        }
        let Some(filled) = env_text(&value, &name, report) else { continue };
        if carries_a_secret(&name) && filled.literal().is_some_and(|literal| !literal.is_empty()) {
            in_clear(&format!("the header `{name}`"), report);
        }
        headers.insert(name, filled);
    }
    let secret = secret(fields, report);
    let url = address(fields, &["url"], "webhook", false, report)?;
    Some(Destination::Webhook { url, headers, secret })
}

fn feishu(fields: &mut Fields<'_>, _: Place, report: &mut Report<'_>) -> Option<Destination> {
    const KEYS: [&str; 3] = ["url", "webhook_url", "webhook"];
    let secret = secret(fields, report);
    if let Some(chat) = fields.get("chat_id")
        && KEYS.iter().all(|key| fields.get(key).is_none_or(is_blank))
    {
        report
            .warning(
                codes::INVALID_DELIVERY,
                chat.span,
                "a chat of Feishu is reached through a robot in it; this is sent nowhere",
            )
            .help("add a robot to the chat, and give its address as `url: ${FEISHU_ROBOT}`");
        return None;
    }
    let url = address(fields, &KEYS, "feishu", true, report)?;
    Some(Destination::Feishu { url, secret })
}

fn slack(fields: &mut Fields<'_>, _: Place, report: &mut Report<'_>) -> Option<Destination> {
    let url = address(fields, &["url", "webhook_url"], "slack", true, report)?;
    Some(Destination::Slack { url })
}

fn email(fields: &mut Fields<'_>, _: Place, report: &mut Report<'_>) -> Option<Destination> {
    let texts = match fields.get("to") {
        Some(node) if matches!(node.value, Value::List(_)) => fields.texts("to", report),
        _ => fields.text("to", report).into_iter().collect(),
    };
    let mut to = Vec::new();
    let mut sound = true;
    for text in &texts {
        for address in addresses(&text.value) {
            match recipient(address, text.span, report) {
                Some(address) => to.push(address),
                None => sound = false,
            }
        }
    }
    let subject = fields.text("subject", report).filter(|text| !text.value.trim().is_empty());
    let subject = subject.map(|text| Subject::read(&text, report));
    let place = fields.key("to").unwrap_or(fields.place());
    if to.is_empty() && sound {
        report
            .error(codes::INVALID_DELIVERY, place, "a delivery by email needs `to`")
            .help("write `to: team@example.com`, or a list");
    }
    if to.len() > MOST_RECIPIENTS {
        let message = format!("a mail goes to at most {MOST_RECIPIENTS} recipients");
        report.error(codes::INVALID_DELIVERY, place, message);
    }
    (sound && !to.is_empty()).then_some(Destination::Email { to, subject })
}

/// The parts between commas or semicolons that are neither quoted nor in brackets.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let ends = move |letter: char| {
        quoted ^= letter == '"';
        !quoted && matches!(letter, ',' | ';')
    };
    text.split(ends).map(str::trim).filter(|part| !part.is_empty())
}

fn recipient(address: &str, span: Span, report: &mut Report<'_>) -> Option<EnvText> {
    let filled = EnvText::parse(address).ok();
    let sound = match filled.as_ref().map(EnvText::literal) {
        Some(Some(literal)) => is_address(literal),
        Some(None) => !address.contains(char::is_control),
        None => false,
    };
    if !sound {
        let message = format!("`{}` is no address of mail", address.escape_debug());
        report
            .error(codes::INVALID_DELIVERY, span, message)
            .help("write `name@example.com`, or `Name <name@example.com>`");
        return None;
    }
    filled
}

/// Whether a text may be an address: `name@host`, perhaps in `<>` behind a name. The mail library looks closer.
fn is_address(text: &str) -> bool {
    let inner = match text.rsplit_once('<') {
        Some((_, inner)) => match inner.trim_end().strip_suffix('>') {
            Some(inner) => inner,
            None => return false,
        },
        None => text,
    };
    let fits = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control());
    !text.contains(char::is_control)
        && inner.split_once('@').is_some_and(|(name, host)| fits(name) && fits(host) && !host.contains('@'))
}

fn github_comment(fields: &mut Fields<'_>, place: Place, report: &mut Report<'_>) -> Destination {
    let repository = fields.text("repository", report).filter(|text| !text.value.trim().is_empty());
    let number = fields.text("number", report).filter(|text| !text.value.trim().is_empty());
    let has_places = |text: &Text| text.value.contains('$') || text.value.contains("{{");
    if let Some(text) = &repository
        && !has_places(text)
        && !is_repository(text.value.trim())
    {
        let message = format!("`{}` is no repository", text.value.trim().escape_debug());
        report.error(codes::INVALID_DELIVERY, text.span, message).help("write `owner/name`");
    }
    if let Some(text) = &number
        && !has_places(text)
        && text.value.trim().parse::<u64>().is_err()
    {
        let message = format!("`{}` is no number of an issue", text.value.trim().escape_debug());
        report.error(codes::INVALID_DELIVERY, text.span, message);
    }
    for text in [&repository, &number].into_iter().flatten() {
        if text.value.contains("{{") && place != Place::Route {
            report
                .error(codes::INVALID_DELIVERY, text.span, "`{{…}}` is filled in for webhooks alone")
                .help("write `$name` for a value the run is given");
        }
    }
    if place == Place::Run && (repository.is_none() || number.is_none()) {
        let message = "a comment on GitHub needs `repository` and `number` where no event tells them";
        report
            .error(codes::INVALID_DELIVERY, fields.place(), message)
            .help("write `number: $number` for a value the run is given");
    }
    let value = |text: Option<Text>| text.map(|text| text.value.trim().to_owned());
    Destination::GithubComment { repository: value(repository), number: value(number) }
}

/// `owner/name`, neither of which leads elsewhere in a path.
pub(crate) fn is_repository(text: &str) -> bool {
    let fits = |part: &str| {
        !part.is_empty()
            && !part.bytes().all(|byte| byte == b'.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    text.split_once('/').is_some_and(|(owner, name)| fits(owner) && fits(name))
}

/// An address on the web: under the first of `keys` that is filled. `is_secret` for one that nobody else may know.
fn address(
    fields: &mut Fields<'_>,
    keys: &[&'static str],
    kind: &str,
    is_secret: bool,
    report: &mut Report<'_>,
) -> Option<EnvText> {
    let filled: Vec<_> =
        keys.iter().filter(|key| fields.get(key).is_some_and(|node| !is_blank(node))).collect();
    let Some(key) = filled.first() else {
        let key = keys.first().copied().unwrap_or_default();
        let place = fields.key(key).unwrap_or(fields.place());
        report.error(codes::INVALID_DELIVERY, place, format!("a delivery by {kind} needs `{key}`"));
        return None;
    };
    let text = fields.text(key, report)?;
    let value = text.value.trim();
    if value.contains("{{") {
        report
            .error(codes::INVALID_DELIVERY, text.span, "an address is not filled from what comes in")
            .help(ENV);
        return None;
    }
    let url = env_text(&Text { value: value.to_owned(), span: text.span }, key, report)?;
    let known = ["http://", "https://", "${"].iter().any(|start| value.starts_with(start));
    if !known || value.contains(char::is_whitespace) {
        report
            .error(codes::INVALID_DELIVERY, text.span, "this is no address on the web")
            .help("it begins with `https://`");
        return None;
    }
    let has_password = value.split_once("://").is_some_and(|(_, rest)| {
        rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
    });
    if has_password {
        let message = format!("`{key}` holds a user name or a password; send a header instead");
        report.error_in_file(codes::SECRET_IN_CLEAR, message).help(ENV);
        return None;
    }
    if is_secret && url.literal().is_some() {
        in_clear(&format!("`{key}`, by which anybody could write there,"), report);
    }
    Some(url)
}

fn secret(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<EnvText> {
    let text = fields.text("secret", report).filter(|text| !text.value.trim().is_empty())?;
    let secret = env_text(&Text { value: text.value.trim().to_owned(), span: text.span }, "secret", report)?;
    if secret.literal().is_some() {
        in_clear("`secret`", report);
    }
    Some(secret)
}

/// Never points at the line it is about, as the line would be shown.
fn env_text(text: &Text, key: &str, report: &mut Report<'_>) -> Option<EnvText> {
    let read = EnvText::parse(&text.value);
    if read.is_err() {
        let message = format!("a `${{` in `{key}` names no variable");
        report.error_in_file(codes::INVALID_SECRET, message).help(ENV);
    }
    read.ok()
}

fn in_clear(what: &str, report: &mut Report<'_>) {
    let message = format!("{what} stands in clear; a definition is no place for it");
    report.warning_in_file(codes::SECRET_IN_CLEAR, message).help(ENV);
}

fn is_header(name: &str) -> bool {
    // RFC 9110, "token".
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn carries_a_secret(header: &str) -> bool {
    let header = header.to_ascii_lowercase();
    ["authorization", "cookie", "token", "secret", "api-key", "apikey", "password"]
        .iter()
        .any(|word| header.contains(word))
}

fn is_blank(node: &Node) -> bool {
    match &node.value {
        Value::Scalar { text, .. } => text.trim().is_empty(),
        Value::List(items) => items.is_empty(),
        _ => false,
    }
}
