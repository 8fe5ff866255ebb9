//! `.crew/mcp_servers.yaml`: servers of others whose tools employees may use.

use indexmap::IndexMap;

use super::{
    codes,
    diagnostic::{Diagnostic, Source, Span},
    reader::{self, Fields, Text, Unknown},
    report::Report,
    variable_name,
    yaml::{Node, Value},
};

/// How long a server may take, unless it is told.
const USUAL_SECONDS: u32 = 30;
/// Longest name of a server: what models take for the name of a tool has 64 letters in all.
const MOST_LETTERS: usize = 24;

/// `mcp_servers.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct McpServers {
    /// By name.
    pub servers: IndexMap<String, McpServer>,
}

/// A server of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpServer {
    /// How it is reached.
    pub way: McpWay,
    /// The only tools of it that are offered; all when empty.
    pub whitelist: Vec<String>,
    /// Seconds that it may take to begin, and for each call.
    pub timeout: u32,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum McpWay {
    /// A program that is started, over its stdin and stdout.
    Command {
        /// The program.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Variables it is given beside the few that every program needs; `${NAME}` in a value stands for a variable.
        env: IndexMap<String, String>,
    },
    /// Over HTTP.
    Url {
        /// Where it is.
        url: String,
        /// Headers of each request; `${NAME}` in a value stands for a variable.
        headers: IndexMap<String, String>,
    },
}

/// Reads `.crew/mcp_servers.yaml`. A key without meaning is an error, as it may have been meant to keep something out.
pub fn parse_mcp_servers(source: &Source) -> (Option<McpServers>, Vec<Diagnostic>) {
    let mut report = Report::new(source);
    let servers = reader::document(source, &mut report).and_then(|node| all(&node, &mut report));
    let usable = !report.has_errors();
    (servers.filter(|_| usable), report.finish())
}

fn all(node: &Node, report: &mut Report<'_>) -> Option<McpServers> {
    if node.value == Value::Null {
        return Some(McpServers::default());
    }
    let mut fields = Fields::of(node, "`mcp_servers.yaml`", report)?;
    let entries = fields.get("servers").and_then(|node| Fields::of(node, "`servers`", report));
    let mut servers = IndexMap::new();
    for (name, node) in entries.iter().flat_map(Fields::entries) {
        check_name(name, entries.as_ref().and_then(|entries| entries.key(name)), report);
        if let Some(server) = server(node, report) {
            servers.insert(name.to_owned(), server);
        }
    }
    fields.finish(Unknown::Refused, &[], report);
    Some(McpServers { servers })
}

fn check_name(name: &str, place: Option<Span>, report: &mut Report<'_>) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let fits =
        !name.is_empty() && name.len() <= MOST_LETTERS && name.bytes().all(plain) && !name.contains("__");
    if let Some(place) = place.filter(|_| !fits) {
        let message = format!("`{}` cannot be the name of a server", name.escape_debug());
        report
            .error(codes::INVALID_NAME, place, message)
            .help("up to 24 of a-z, A-Z, 0-9, `-` and single `_`; its tools are called `mcp__NAME__tool`");
    }
}

fn server(node: &Node, report: &mut Report<'_>) -> Option<McpServer> {
    let mut fields = Fields::of(node, "a server", report)?;
    let command = fields.text("command", report).filter(|text| !text.value.trim().is_empty());
    let args = fields.strings("args", report);
    let env = values(&mut fields, "env", report);
    let url = fields.text("url", report).filter(|text| !text.value.trim().is_empty());
    let headers = values(&mut fields, "headers", report);
    let whitelist = fields.strings("whitelist", report);
    let timeout = fields.whole("timeout", 1..=600, report).unwrap_or(USUAL_SECONDS);
    fields.text("description", report);
    if !fields.texts("allowed_tenants", report).is_empty()
        && let Some(place) = fields.key("allowed_tenants")
    {
        report
            .error(codes::INVALID_VALUE, place, "there are no tenants, so `allowed_tenants` keeps nobody out")
            .help("take it out, and say in `tools` and `permissions` of employees who may use the server");
    }
    let place = fields.place();
    fields.finish(Unknown::Refused, &["$schema"], report);
    let way = match (command, url) {
        (Some(command), None) => McpWay::Command { command: command.value.trim().to_owned(), args, env },
        (None, Some(url)) => McpWay::Url { url: address(&url, report)?, headers },
        (None, None) => {
            report.error(codes::MISSING_FIELD, place, "a server needs `command` or `url`");
            return None;
        }
        (Some(_), Some(url)) => {
            report.error(codes::INVALID_VALUE, url.span, "a server has either a `command` or a `url`");
            return None;
        }
    };
    Some(McpServer { way, whitelist, timeout })
}

fn address(url: &Text, report: &mut Report<'_>) -> Option<String> {
    let value = url.value.trim();
    let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    match host {
        Some(host) if !host.is_empty() && !host.contains('@') => Some(value.to_owned()),
        _ => {
            let help = "it begins with `https://` or `http://`; a key goes into `headers`, as `${NAME}`";
            if value.contains('@') {
                // Its line is not shown: it may show a password.
                report
                    .error_in_file(codes::SECRET_IN_CLEAR, "`url` holds a user name or a password")
                    .help(help);
            } else {
                report.error(codes::INVALID_VALUE, url.span, "`url` is no address on the web").help(help);
            }
            None
        }
    }
}

/// A map of texts of which none may be a secret in clear.
fn values(fields: &mut Fields<'_>, key: &'static str, report: &mut Report<'_>) -> IndexMap<String, String> {
    let values = fields.text_map(key, report);
    for (name, text) in &values {
        if is_secret(name) && !text.value.trim().is_empty() && references(&text.value).next().is_none() {
            // Its line is not shown: it would show the secret.
            let message = format!("`{key}.{}` holds a secret in clear", name.escape_debug());
            report
                .error_in_file(codes::SECRET_IN_CLEAR, message)
                .help("write `${NAME}` and set the variable NAME where crew runs");
        }
    }
    values.into_iter().map(|(name, text)| (name, text.value)).collect()
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["key", "token", "secret", "passw", "auth", "cookie", "credential"].iter().any(|part| name.contains(part))
}

/// The variables that `text` names as `${NAME}`.
fn references(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("${").filter_map(|(at, _)| {
        let rest = text.get(at..)?;
        let reference = rest.get(..=rest.find('}')?)?;
        let name = variable_name(reference);
        (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
            .then_some(name)
    })
}

/// `text` with the values of the variables it names, each looked up once; what comes out is not looked at again.
///
/// # Errors
/// The name of a variable that has no value.
pub fn with_variables(text: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    for name in references(text) {
        let reference = format!("${{{name}}}");
        let Some((before, after)) = rest.split_once(&reference) else { continue };
        filled.push_str(before);
        filled.push_str(&value(name).ok_or_else(|| name.to_owned())?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_once() {
        let value = |name: &str| (name != "GONE").then(|| "${A}".to_owned());
        assert_eq!(with_variables("Bearer ${A}/${B}!", value).unwrap(), "Bearer ${A}/${A}!");
        assert_eq!(with_variables("$A ${} ${a b} ${", value).unwrap(), "$A ${} ${a b} ${");
        assert_eq!(with_variables("${A} ${GONE}", value), Err("GONE".to_owned()));
    }
}
