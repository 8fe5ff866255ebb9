//! Which tools an employee may use: those it declares, less what its permissions take away.

use serde_json::Value;

use super::external::PREFIX;
use crate::defs::Employee;

/// Other names that tools go by in definitions, among them those of Claude Code.
const ALIASES: [(&str, &str); 8] = [
    ("read", "file_read"),
    ("read_file", "file_read"),
    ("search", "grep"),
    ("file_grep", "grep"),
    ("ls", "glob"),
    ("list_files", "glob"),
    ("check_task", "get_task"),
    ("task", "delegate"),
];

/// What a role of a policy allows. A name that ends in `*` stands for all that begin so.
const ROLES: [(&str, &[&str]); 12] = [
    ("readonly", &["file_read", "grep", "glob", "list_*", "get_*", "detect_project"]),
    ("developer", &["file_read", "grep", "glob", "list_*", "get_*", "detect_project"]),
    ("agent-core", &["delegate", "delegate_async", "get_task", "list_tasks"]),
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
const NO_DELEGATION: &[&str] = &["delegate", "delegate_async"];

/// The tools `employee` declares and may use, by the names they have here, each once. Most of what definitions declare are
/// things that only another program has; those are not among them unless `is_here`.
///
/// Without a policy that is all it declares. With one, it is what a role or `allow` names too; a policy that has neither
/// takes nothing away but what `deny` names, which goes before everything.
pub(super) fn usable(employee: &Employee, is_here: impl Fn(&str) -> bool) -> Vec<String> {
    let mut usable: Vec<String> = Vec::new();
    let policy = Policy::of(employee.permissions.as_ref());
    for declared in &employee.tools {
        let name = canonical(declared);
        if is_here(&name) && policy.allows(&name) && !usable.contains(&name) {
            usable.push(name);
        }
    }
    usable
}

/// Whether `employee` has a use for what a server of others is called `name` by: it declares tools of it.
pub(super) fn wants_server(employee: &Employee, name: &str) -> bool {
    let begin = plain(&format!("{PREFIX}{name}__"));
    employee.tools.iter().map(|declared| plain(declared)).any(|declared| match declared.strip_suffix('*') {
        Some(pattern) => {
            pattern.starts_with(PREFIX) && (pattern.starts_with(&begin) || begin.starts_with(pattern))
        }
        None => declared.starts_with(&begin),
    })
}

/// Whether `employee` may use the tool `name` of a server of others: it declares it, by its name or as `mcp__server__*`,
/// and its permissions let it.
pub(super) fn may_use(employee: &Employee, name: &str) -> bool {
    let name = plain(name);
    let declares = |declared: &String| plain(declared).starts_with(PREFIX) && fits(declared, &name);
    employee.tools.iter().any(declares) && Policy::of(employee.permissions.as_ref()).allows(&name)
}

/// The name that a tool has here: `Read` and `file_read` are the same.
fn canonical(declared: &str) -> String {
    let plain = plain(declared);
    let alias = ALIASES.iter().find(|(alias, _)| *alias == plain);
    alias.map_or(plain, |(_, name)| (*name).to_owned())
}

/// A name or a pattern without what does not count: upper and lower case, hyphens.
fn plain(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace('-', "_")
}

/// What `permissions` of a definition say.
#[derive(Default)]
struct Policy<'p> {
    roles: Vec<&'p str>,
    allow: Vec<&'p str>,
    deny: Vec<&'p str>,
}

impl<'p> Policy<'p> {
    fn of(permissions: Option<&'p Value>) -> Self {
        let Some(permissions) = permissions else { return Self::default() };
        let names = |key: &str| {
            let names = permissions.get(key).and_then(Value::as_array).into_iter().flatten();
            names.filter_map(Value::as_str).collect()
        };
        Self { roles: names("roles"), allow: names("allow"), deny: names("deny") }
    }

    fn allows(&self, name: &str) -> bool {
        let named = |list: &[&str]| list.iter().any(|pattern| fits(pattern, name));
        let sheltered = |role: &&str| matches!(*role, "profile-researcher" | "profile-security");
        if named(&self.deny) || self.roles.iter().any(sheltered) && NO_DELEGATION.contains(&name) {
            return false;
        }
        let of_role = |role: &str| match ROLES.iter().find(|(known, _)| *known == role) {
            Some((_, tools)) => named(tools),
            None => role == "profile-security",
        };
        let open = self.roles.is_empty() && self.allow.is_empty();
        open || named(&self.allow) || self.roles.iter().any(|role| of_role(role))
    }
}

/// Whether `pattern` is the name, by any of its names, or ends in `*` and begins one of them.
fn fits(pattern: &str, name: &str) -> bool {
    let pattern = plain(pattern);
    match pattern.strip_suffix('*') {
        Some(begin) => {
            let others = ALIASES.iter().filter(|(_, known)| *known == name).map(|(alias, _)| *alias);
            others.chain([name]).any(|name| name.starts_with(begin))
        }
        None => canonical(&pattern) == name,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(declared: &[&str], permissions: Value, expected: &[&str]) {
        let tools = declared.iter().map(|name| (*name).to_owned()).collect();
        let employee = Employee { tools, permissions: Some(permissions), ..Employee::default() };
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
}
