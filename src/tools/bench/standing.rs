//! What an employee may use and why, as far as that can be told without asking anybody.

use serde::Serialize;

use super::{
    DELEGATE, DELEGATE_ASYNC, MEETING, NEVER,
    external::PREFIX,
    rights::{Rule, Verdict, verdict},
    tools,
};
use crate::{
    defs::{Employee, McpServers, Permissions, canonical, fits, is_pattern, may_meet, plain},
    tools::{Error, Office, Registry},
};

/// Which tools an employee may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Name of the employee.
    pub employee: String,
    /// What its definition says.
    #[serde(flatten)]
    pub permissions: Lists,
    /// What it declares, and what comes of it.
    pub tools: Vec<ToolStanding>,
}

/// The lists of a definition, empty ones too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lists {
    /// Sets of tools it may use.
    pub roles: Vec<String>,
    /// Tools it may use beside them.
    pub allow: Vec<String>,
    /// Tools it may not use.
    pub deny: Vec<String>,
    /// Tools it may use once a person has agreed.
    pub approve: Vec<String>,
}

/// Whether one tool may be used, or all that a pattern stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolStanding {
    /// The name it has here, or a pattern for the tools of a server.
    pub tool: String,
    /// What comes of it.
    pub may: May,
    /// What says so.
    pub because: String,
    /// Whether a person is asked all the same if the server of the tool calls it destructive.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub asks_if_destructive: bool,
}

/// Whether a tool may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum May {
    /// It may.
    Allowed,
    /// It may, each time a person has agreed.
    Asks,
    /// It may not.
    Denied,
    /// It is not there.
    Absent,
}

/// What the employee of this name or trigger may use. No server is contacted for it.
///
/// # Errors
/// [`Error::NotFound`] when there is no such employee.
pub async fn standing(office: &Office, name: &str) -> Result<Standing, Error> {
    let employee = office.crew.employee(name).await?;
    let servers = &office.crew.definitions().await.mcp_servers;
    Ok(of(&employee, servers, &tools(office)))
}

fn of(employee: &Employee, servers: &McpServers, here: &Registry) -> Standing {
    let mut told: Vec<ToolStanding> = Vec::new();
    for declared in &employee.tools {
        let rows = if plain(declared).starts_with(PREFIX) {
            of_servers(employee, declared, servers)
        } else {
            vec![own(employee, declared, here)]
        };
        for row in rows {
            if told.iter().all(|known| known.tool != row.tool) {
                told.push(row);
            }
        }
    }
    let Permissions { roles, allow, deny, approve } = employee.permissions.clone().unwrap_or_default();
    let permissions = Lists { roles, allow, deny, approve };
    Standing { employee: employee.name.clone(), permissions, tools: told }
}

/// A tool of crew.
fn own(employee: &Employee, declared: &str, here: &Registry) -> ToolStanding {
    let name = canonical(declared);
    let spec = here.spec(&name);
    if NEVER.contains(&name.as_str()) {
        return row(name, Verdict::Denied(Rule::Nobody), false);
    }
    if spec.is_none() && ![DELEGATE, DELEGATE_ASYNC, MEETING].contains(&name.as_str()) {
        return absent(declared.to_owned(), "there is no such tool here".to_owned());
    }
    let is_destructive = spec.is_some_and(|spec| spec.annotations.destructive_hint);
    row(name.clone(), verdict(employee, &name, is_destructive), false)
}

/// What `declared` stands for among the tools of servers: what a server may offer is told by name where its whitelist
/// names it, else by pattern, with the patterns of permissions that reach a part of it.
fn of_servers(employee: &Employee, declared: &str, servers: &McpServers) -> Vec<ToolStanding> {
    let mut rows = Vec::new();
    for (server, definition) in &servers.servers {
        let prefix = format!("{PREFIX}{server}__");
        let names: Vec<String> = match definition.whitelist.as_slice() {
            [] if is_pattern(declared) => {
                vec![narrower(declared, &format!("{prefix}*"))].into_iter().flatten().collect()
            }
            [] => Some(declared.to_owned())
                .filter(|name| fits(&format!("{prefix}*"), &plain(name)))
                .into_iter()
                .collect(),
            known => known
                .iter()
                .map(|tool| format!("{prefix}{tool}"))
                .filter(|name| fits(declared, &plain(name)))
                .collect(),
        };
        for name in names {
            if is_pattern(&name) {
                rows.extend(parts(employee, &name).into_iter().map(|part| of_server(employee, &part)));
            }
            rows.push(of_server(employee, &name));
        }
    }
    if rows.is_empty() {
        let reason = "no server of `.crew/mcp_servers.yaml` offers it".to_owned();
        rows.push(absent(declared.to_owned(), reason));
    }
    rows
}

fn of_server(employee: &Employee, name: &str) -> ToolStanding {
    let usual = verdict(employee, name, false);
    // The server may say so of any of its tools; what is asked about anyway, or never, is told already.
    let differs = matches!(usual, Verdict::Allowed(_)) && verdict(employee, name, true) != usual;
    row(name.to_owned(), usual, differs)
}

/// The one of two patterns that stands for what both stand for, where that can be said by one of them.
fn narrower(one: &str, other: &str) -> Option<String> {
    // A pattern that fits another as if that were a name fits all that it stands for.
    if fits(other, &plain(one)) {
        return Some(one.to_owned());
    }
    fits(one, &plain(other)).then(|| other.to_owned())
}

/// What permissions say of a part of what `pattern` stands for.
fn parts(employee: &Employee, pattern: &str) -> Vec<String> {
    let Some(given) = &employee.permissions else { return Vec::new() };
    let named = given.deny.iter().chain(&given.approve).chain(&given.allow);
    let is_part = |named: &&String| may_meet(pattern, named) && !fits(named, &plain(pattern));
    named.filter(is_part).cloned().collect()
}

fn row(tool: String, verdict: Verdict, asks_if_destructive: bool) -> ToolStanding {
    let (may, rule) = match verdict {
        Verdict::Allowed(rule) => (May::Allowed, rule),
        Verdict::Asks(rule) => (May::Asks, rule),
        Verdict::Denied(rule) => (May::Denied, rule),
    };
    ToolStanding { tool, may, because: rule.to_string(), asks_if_destructive }
}

fn absent(tool: String, because: String) -> ToolStanding {
    ToolStanding { tool, may: May::Absent, because, asks_if_destructive: false }
}
