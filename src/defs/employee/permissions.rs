//! Which of its tools an employee may use, and for which a person is asked; and how tools are named for that.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{
    codes,
    reader::{Fields, Text, Unknown},
    report::Report,
};
use crate::base::text::closest;

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

/// What `permissions` of a definition say: patterns of names of tools, see [`fits`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Permissions {
    /// Sets of tools it may use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Tools it may use beside them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Tools it may not use, whatever else is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// Tools it may use once a person has agreed, each time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approve: Vec<String>,
}

/// Reads `permissions`. `tools` are those that the definition declares.
pub(super) fn permissions(
    fields: &mut Fields<'_>,
    tools: &[String],
    report: &mut Report<'_>,
) -> Option<Permissions> {
    let node = fields.get("permissions")?;
    let mut inner = Fields::of(node, "`permissions`", report)?;
    let [roles, allow, deny] = ["roles", "allow", "deny"].map(|key| inner.strings(key, report));
    let approve = inner.texts("approve", report);
    for pattern in &approve {
        check_approve(pattern, tools, report);
    }
    // A misspelt key must not open what it was meant to close.
    inner.finish(Unknown::Refused, &[], report);
    let approve = approve.into_iter().map(|text| text.value).collect();
    Some(Permissions { roles, allow, deny, approve })
}

/// A pattern that fits nothing asks nobody, which its author must know.
fn check_approve(pattern: &Text, tools: &[String], report: &mut Report<'_>) {
    if tools.iter().any(|declared| may_meet(&pattern.value, declared)) {
        return;
    }
    let shown = pattern.value.escape_debug();
    let message = format!("`approve` names `{shown}`, but `tools` declares nothing that is called so");
    let draft = report.warning(codes::UNKNOWN_TOOL, pattern.span, message);
    match closest(&pattern.value, tools.iter().map(String::as_str)) {
        Some(near) => draft.help(format!("did you mean `{near}`?")),
        None => draft.help("add it to `tools`, by its name or as `mcp__server__*`"),
    };
}

/// Whether one name can fit both patterns. A yes may be wrong where both hold a `*`.
pub fn may_meet(one: &str, other: &str) -> bool {
    let begin = |pattern: &str| plain(pattern).split('*').next().unwrap_or_default().to_owned();
    match (is_pattern(one), is_pattern(other)) {
        (_, false) => fits(one, &canonical(other)),
        (false, true) => fits(other, &canonical(one)),
        (true, true) => {
            let (one, other) = (begin(one), begin(other));
            one.starts_with(&other) || other.starts_with(&one)
        }
    }
}

/// Whether it may stand for more than one name.
pub fn is_pattern(pattern: &str) -> bool {
    pattern.contains('*')
}

/// The name that a tool has here: `Read` and `file_read` are the same.
pub fn canonical(declared: &str) -> String {
    let plain = plain(declared);
    let alias = ALIASES.iter().find(|(alias, _)| *alias == plain);
    alias.map_or(plain, |(_, name)| (*name).to_owned())
}

/// A name or a pattern without what does not count: upper and lower case, hyphens.
pub fn plain(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace('-', "_")
}

/// Whether `pattern` stands for the tool that is called `name` here, by any of the names it goes by. Each `*` in it stands
/// for any number of characters.
pub fn fits(pattern: &str, name: &str) -> bool {
    if !is_pattern(pattern) {
        return canonical(pattern) == name;
    }
    let pattern = plain(pattern);
    let others = ALIASES.iter().filter(|(_, known)| *known == name).map(|(alias, _)| *alias);
    others.chain([name]).any(|name| matches(&pattern, name))
}

fn matches(pattern: &str, name: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(begin) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        // The first place is the best: it leaves most for the parts that follow.
        let Some((_, after)) = left.split_once(part) else { return false };
        left = after;
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_anywhere() {
        #[track_caller]
        fn check(pattern: &str, fitting: &[&str], other: &[&str]) {
            for name in fitting {
                assert!(fits(pattern, name), "{pattern} {name}");
            }
            for name in other {
                assert!(!fits(pattern, name), "{pattern} {name}");
            }
        }
        check("*", &["", "file_read"], &[]);
        check(
            "mcp__*__delete_*",
            &["mcp__a__delete_x", "mcp__a__b__delete_"],
            &["mcp__a__delet", "delete_x"],
        );
        check("MCP--git-hub__*", &["mcp__git_hub__x"], &["mcp__git_hub", "mcp__git__x"]);
        check("*_read", &["file_read"], &["file_read_all"]);
        check("a*a", &["aa", "aba"], &["a", "ab"]);
        check("**b**", &["b", "abc"], &["a"]);
        check("Read", &["file_read"], &["read", "file_reader"]);
        check("read*", &["file_read"], &["grep"]);
        check("", &[""], &["a"]);
    }

    #[test]
    fn patterns_meet_where_one_name_can_fit_both() {
        #[track_caller]
        fn check(one: &str, other: &str, expected: bool) {
            assert_eq!(may_meet(one, other), expected, "{one} {other}");
            assert_eq!(may_meet(other, one), expected, "{other} {one}");
        }
        check("mcp__crew__run_*", "mcp__crew__*", true);
        check("mcp__crew__run_*", "mcp__crew__list_*", false);
        check("*delete*", "mcp__crew__*", true);
        check("Read", "file_read", true);
        check("mcp__a__b", "mcp__*", true);
        check("mcp__a__b", "mcp__a__c", false);
    }
}
