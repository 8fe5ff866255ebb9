//! Which deliveries start what.

use indexmap::IndexMap;
use serde_json::Value;

use crate::{
    base::Secret,
    defs::{Destination, Places, Route},
    engine::delivery::{From, Wish},
};

/// What is known of those who call.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// What deliveries of GitHub are signed with; without it every one is refused.
    pub secret: Option<Secret>,
    /// What calls of the generic webhook may be signed with; without it a signed one is refused.
    pub generic_secret: Option<Secret>,
    /// The first that fits a delivery is taken.
    pub routes: Vec<Route>,
}

impl Config {
    /// The first route that fits.
    pub(super) fn route(&self, event: &str, payload: &Value) -> Option<&Route> {
        self.routes.iter().find(|route| fits(route, event, payload))
    }

    /// Where the result of what `route` starts goes, with what the payload says of it.
    pub(super) fn wishes(&self, route: &Route, payload: &Value) -> Vec<Wish> {
        // All routes share one list.
        let before = self.routes.iter().take_while(|other| !std::ptr::eq(*other, route));
        let offset: usize = before.map(|other| other.deliver.len()).sum();
        let mut wishes = Wish::all(&From::Webhook, &route.deliver);
        for wish in &mut wishes {
            if matches!(wish.kind.as_str(), "github-comment" | "named") {
                wish.values = place(route, wish.index, payload);
            }
            wish.index += offset;
        }
        wishes
    }
}

/// The place an event is about: the repository, and the issue or pull request.
fn place(route: &Route, index: usize, payload: &Value) -> IndexMap<String, String> {
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let number = |pointer: &str| payload.pointer(pointer).and_then(Value::as_u64).map(|n| n.to_string());
    let (mut repository, mut about) =
        (text("/repository/full_name"), number("/pull_request/number").or_else(|| number("/issue/number")));
    if let Some(Destination::GithubComment { repository: own, number }) =
        route.deliver.get(index).map(|d| &d.to)
    {
        // What leads nowhere is no place; the delivery says so.
        let filled = |own: &Option<String>, event: Option<String>| match own {
            Some(own) if own.contains("{{") => {
                Some(Places::parse(own).map(|own| own.fill(payload, &mut Vec::new())).unwrap_or_default())
            }
            _ => event,
        };
        (repository, about) = (filled(own, repository), filled(number, about));
    }
    let values = [("repository", repository), ("number", about)];
    values.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// Whether all that `route` asks for holds. A condition that is absent fits every delivery.
fn fits(route: &Route, event: &str, payload: &Value) -> bool {
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
    route.events.fits(Some(event))
        && route.actions.fits(text("/action"))
        && route.repositories.fits(text("/repository/full_name"))
        && route.branches.fits(branch(payload))
        && route.senders.fits(text("/sender/login"))
}

/// The branch a delivery is about, if it is about one. A tag is none.
pub(super) fn branch(payload: &Value) -> Option<&str> {
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
    if let Some(reference) = text("/ref") {
        let created = text("/ref_type") == Some("branch");
        return reference.strip_prefix("refs/heads/").or_else(|| created.then_some(reference));
    }
    text("/pull_request/base/ref")
        .or_else(|| text("/workflow_run/head_branch"))
        .or_else(|| text("/check_suite/head_branch"))
        .or_else(|| text("/check_run/check_suite/head_branch"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::defs::{Source, parse_webhook};

    fn routes(lines: &[&str]) -> Config {
        let routes: Vec<_> =
            lines.iter().map(|line| format!("- {{{line}, target: {{type: pipeline, name: p}}}}\n")).collect();
        let (config, found) =
            parse_webhook(&Source::new("webhook.yaml", format!("routes:\n{}", routes.concat())));
        Config { routes: config.unwrap_or_else(|| panic!("{found:?}")).routes, ..Config::default() }
    }

    #[test]
    fn the_first_route_that_fits_is_taken() {
        let config = routes(&["event: push", "event: 'pull_request*'", "event: '*'", "event: issues"]);
        let taken = |event| {
            let route = config.route(event, &json!({})).unwrap();
            config.routes.iter().position(|other| std::ptr::eq(other, route)).unwrap()
        };
        assert_eq!(
            [taken("push"), taken("pull_request_review"), taken("issues"), taken("Push")],
            [0, 1, 2, 2]
        );
        assert_eq!(Config::default().route("push", &json!({})), None);
    }

    #[test]
    fn conditions_must_all_hold() {
        let check = |line: &str, payload: Value, expected: bool| {
            let config = routes(&[&format!("event: [push, pull_request], {line}")]);
            assert_eq!(config.route("pull_request", &payload).is_some(), expected, "{line} {payload}");
        };
        let opened = "action: [opened, reopened]";
        check(opened, json!({"action": "reopened"}), true);
        check(opened, json!({"action": "closed"}), false);
        check(opened, json!({}), false);
        check(opened, json!({"action": 1}), false);
        let repository = "repository: Octo/*";
        check(repository, json!({"repository": {"full_name": "octo/repo"}}), true);
        check(repository, json!({"repository": {"full_name": "hub/repo"}}), false);
        check(repository, json!({}), false);
        let main = "branch: main";
        check(main, json!({"pull_request": {"base": {"ref": "main"}}}), true);
        check(main, json!({"ref": "refs/heads/main"}), true);
        check(main, json!({"ref": "refs/heads/feature/main"}), false);
        check(main, json!({"ref": "refs/tags/main"}), false);
        check(main, json!({"ref": "main", "ref_type": "branch"}), true);
        check(main, json!({"ref": "main", "ref_type": "tag"}), false);
        check(main, json!({"workflow_run": {"head_branch": "main"}}), true);
        check(main, json!({}), false);
        check("branch: [main, 'release/**']", json!({"ref": "refs/heads/release/1/x"}), true);
        let people = "sender: '!*[bot]'";
        check(people, json!({"sender": {"login": "octocat"}}), true);
        check(people, json!({"sender": {"login": "Dependabot[bot]"}}), false);
        check(
            &format!("{people}, {main}"),
            json!({"ref": "refs/heads/main", "sender": {"login": "a[bot]"}}),
            false,
        );
    }
}
