//! Which tools an employee may use, and for which a person is asked: what it declares, and what its permissions say.

use std::fmt;

use super::external::PREFIX;
use crate::defs::{Employee, Permissions, canonical, fits, is_pattern, plain};

/// What a role of a policy allows. A name that ends in `*` stands for all that begin so.
const ROLES: [(&str, &[&str]); 13] = [
    ("readonly", &["file_read", "grep", "glob", "list_*", "get_*", "detect_project"]),
    ("developer", &["file_read", "grep", "glob", "list_*", "get_*", "detect_project"]),
    ("agent-core", &["delegate", "delegate_async", "get_task", "list_tasks"]),
    ("meeting", &["organize_meeting"]),
    ("all-agent", &["*"]),
    ("all", &["*"]),
    ("profile-base", &["*"]),
    ("profile-data", &["*"]),
    ("profile-engineer", &["*"]),
    ("profile-business", &["*"]),
    ("profile-functions", &["*"]),
    ("profile-infra", &["*"]),
    ("profile-researcher", &["*"]),
];

/// What `profile-researcher` and `profile-security` may not do, whatever else they may.
const NO_DELEGATION: &[&str] = &["delegate", "delegate_async", "organize_meeting"];

/// Whether an employee may use a tool, and what says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may.
    Allowed(Rule),
    /// It may, each time a person has agreed.
    Asks(Rule),
    /// It may not.
    Denied(Rule),
}

impl Verdict {
    pub(super) fn is_denied(&self) -> bool {
        matches!(self, Self::Denied(_))
    }
}

/// What says whether an employee may use a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    /// Nothing says otherwise.
    Open,
    /// One of a list of its permissions.
    Listed { list: &'static str, pattern: String },
    /// One of its roles.
    Role(String),
    /// The tool is destructive, in the words of whoever offers it.
    Destructive,
    /// There are `roles` or `allow`, and none of them names it.
    Unnamed,
    /// No employee may.
    Nobody,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("nothing denies it"),
            Self::Listed { list, pattern } => write!(f, "`{list}` names `{}`", pattern.escape_debug()),
            Self::Role(role) => write!(f, "the role `{}`", role.escape_debug()),
            Self::Destructive => f.write_str("it is destructive, and `allow` does not name it in full"),
            Self::Unnamed => f.write_str("no role and no `allow` names it"),
            Self::Nobody => f.write_str("no employee may use it"),
        }
    }
}

/// Whether `employee`, who declares it, may use the tool that is called `name` here.
///
/// `deny` goes before everything, then what `approve` or `allow` name in full, then what a pattern of `approve` fits; a tool
/// that is destructive asks if nothing of that holds. What `approve` fits is allowed by that.
pub(super) fn verdict(employee: &Employee, name: &str, destructive: bool) -> Verdict {
    let open = Permissions::default();
    let given = employee.permissions.as_ref().unwrap_or(&open);
    let name = &plain(name);
    let found = |list: &'static str, patterns: &[String], exact: bool| {
        let pattern =
            patterns.iter().find(|pattern| fits(pattern, name) && (!exact || !is_pattern(pattern)))?;
        Some(Rule::Listed { list, pattern: pattern.clone() })
    };
    if let Some(rule) = found("deny", &given.deny, false) {
        return Verdict::Denied(rule);
    }
    let sheltered = |role: &&String| matches!(role.as_str(), "profile-researcher" | "profile-security");
    if let Some(role) = given.roles.iter().find(sheltered)
        && NO_DELEGATION.contains(&name.as_str())
    {
        return Verdict::Denied(Rule::Role(role.clone()));
    }
    if let Some(rule) = found("approve", &given.approve, true) {
        return Verdict::Asks(rule);
    }
    if let Some(rule) = found("allow", &given.allow, true) {
        return Verdict::Allowed(rule);
    }
    if let Some(rule) = found("approve", &given.approve, false) {
        return Verdict::Asks(rule);
    }
    let of_role = |role: &&String| match ROLES.iter().find(|(known, _)| *known == role.as_str()) {
        Some((_, tools)) => tools.iter().any(|pattern| fits(pattern, name)),
        None => *role == "profile-security",
    };
    let by_role = || given.roles.iter().find(of_role).map(|role| Rule::Role(role.clone()));
    let is_open = given.roles.is_empty() && given.allow.is_empty();
    let why = found("allow", &given.allow, false).or_else(by_role).or_else(|| is_open.then_some(Rule::Open));
    match why {
        None => Verdict::Denied(Rule::Unnamed),
        Some(_) if destructive => Verdict::Asks(Rule::Destructive),
        Some(why) => Verdict::Allowed(why),
    }
}

/// The tools `employee` declares and is not denied, by the names they have here, each once. Most of what definitions declare
/// are things that only another program has; those are not among them unless `is_here`.
pub(super) fn usable(employee: &Employee, is_here: impl Fn(&str) -> bool) -> Vec<String> {
    let mut usable: Vec<String> = Vec::new();
    for declared in &employee.tools {
        let name = canonical(declared);
        if is_here(&name) && !verdict(employee, &name, false).is_denied() && !usable.contains(&name) {
            usable.push(name);
        }
    }
    usable
}

/// Whether `employee` has a use for what a server of others is called `name` by: it declares tools of it.
pub(super) fn wants_server(employee: &Employee, name: &str) -> bool {
    let begin = plain(&format!("{PREFIX}{name}__"));
    employee.tools.iter().map(|declared| plain(declared)).any(|declared| match declared.split_once('*') {
        Some((pattern, _)) => {
            pattern.starts_with(PREFIX) && (pattern.starts_with(&begin) || begin.starts_with(pattern))
        }
        None => declared.starts_with(&begin),
    })
}

/// Whether `employee` may use the tool `name` of a server of others, or may once a person agreed: it declares it, by its name
/// or as `mcp__server__*`, and its permissions let it.
pub(super) fn may_use(employee: &Employee, name: &str) -> bool {
    let plain_name = plain(name);
    let declares = |declared: &String| plain(declared).starts_with(PREFIX) && fits(declared, &plain_name);
    employee.tools.iter().any(declares) && !verdict(employee, name, false).is_denied()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(declared: &[&str], permissions: Value, expected: &[&str]) {
        let tools = declared.iter().map(|name| (*name).to_owned()).collect();
        let permissions = serde_json::from_value(permissions).unwrap();
        let employee = Employee { tools, permissions, ..Employee::default() };
        let here = ["file_read", "grep", "glob", "delegate", "delegate_async", "get_task", "mcp__web__fetch"];
        assert_eq!(usable(&employee, |name| here.contains(&name)), expected, "{:?}", employee.permissions);
    }

    #[test]
    fn what_is_declared_and_here_may_be_used_once() {
        check(&["Read", "file_read", "bash", "check-task"], Value::Null, &["file_read", "get_task"]);
        check(&[], json!({"roles": ["all"]}), &[]);
    }

    /// Weak spots of the predecessor's policy: `deny` did not reach the tools of other servers, an empty policy took
    /// everything away, and a policy granted what nobody had declared.
    #[test]
    fn denial_goes_before_everything_and_an_empty_policy_takes_nothing() {
        let all = ["file_read", "delegate", "mcp__web__fetch"];
        check(&all, json!({}), &all);
        check(&all, json!({"deny": ["mcp__*"]}), &["file_read", "delegate"]);
        check(&all, json!({"deny": ["Mcp--*", "Read*"]}), &["delegate"]);
        check(
            &all,
            json!({"roles": ["all"], "allow": ["delegate"], "deny": ["delegate", "Read"]}),
            &["mcp__web__fetch"],
        );
        check(&all, json!({"roles": ["readonly"]}), &["file_read"]);
        check(
            &all,
            json!({"roles": ["readonly"], "allow": ["mcp__web__fetch"]}),
            &["file_read", "mcp__web__fetch"],
        );
        check(&all, json!({"roles": ["profile-security"]}), &["file_read", "mcp__web__fetch"]);
        check(&all, json!({"roles": ["unheard-of"]}), &[]);
    }

    #[track_caller]
    fn told(verdict: &Verdict, kind: &str, rule: &str) {
        let (found, why) = match verdict {
            Verdict::Allowed(why) => ("allowed", why),
            Verdict::Asks(why) => ("asks", why),
            Verdict::Denied(why) => ("denied", why),
        };
        assert_eq!((found, why.to_string().as_str()), (kind, rule));
    }

    /// Each line: permissions, whether the tool is destructive, and what comes of it.
    #[test]
    fn the_rule_that_is_nearest_to_the_tool_counts_and_denial_before_all() {
        let name = "mcp__hub__delete_it";
        let verdict = |permissions: Value, destructive| {
            let permissions = serde_json::from_value(permissions).unwrap();
            verdict(&Employee { permissions, ..Employee::default() }, name, destructive)
        };
        let destructive = "it is destructive, and `allow` does not name it in full";
        told(&verdict(Value::Null, false), "allowed", "nothing denies it");
        told(&verdict(Value::Null, true), "asks", destructive);
        told(&verdict(json!({"allow": ["mcp__hub__*"]}), true), "asks", destructive);
        told(&verdict(json!({"roles": ["all"]}), true), "asks", destructive);
        told(&verdict(json!({"allow": ["*", name]}), true), "allowed", "`allow` names `mcp__hub__delete_it`");
        told(
            &verdict(json!({"allow": ["Mcp--Hub--delete-it"]}), true),
            "allowed",
            "`allow` names `Mcp--Hub--delete-it`",
        );
        told(&verdict(json!({"approve": ["*__delete_*"]}), false), "asks", "`approve` names `*__delete_*`");
        let both = json!({"approve": ["mcp__hub__*"], "allow": [name]});
        told(&verdict(both, true), "allowed", "`allow` names `mcp__hub__delete_it`");
        let twice = json!({"approve": [name], "allow": [name]});
        told(&verdict(twice, false), "asks", "`approve` names `mcp__hub__delete_it`");
        told(
            &verdict(json!({"allow": ["grep"], "approve": ["mcp__*"]}), false),
            "asks",
            "`approve` names `mcp__*`",
        );
        told(&verdict(json!({"allow": ["grep"]}), true), "denied", "no role and no `allow` names it");
        let all = json!({"approve": [name], "allow": [name], "roles": ["all"], "deny": ["mcp__hub__*"]});
        told(&verdict(all, true), "denied", "`deny` names `mcp__hub__*`");
    }
}
