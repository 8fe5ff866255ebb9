//! Which deliveries start what.

use indexmap::IndexMap;
use serde_json::Value;

use super::template;
use crate::{
    base::Secret,
    defs::{Destination, Route},
    engine::delivery::{From, Wish},
};

/// What is known of GitHub's deliveries.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// What deliveries are signed with; without it every one is refused.
    pub secret: Option<Secret>,
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
            Some(own) if own.contains("{{") => Some(template::fill(own, payload, &mut Vec::new())),
            _ => event,
        };
        (repository, about) = (filled(own, repository), filled(number, about));
    }
    let values = [("repository", repository), ("number", about)];
    values.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// Whether all that `route` asks for holds. A condition that is absent fits every delivery; names of repositories are
/// the same in any case.
fn fits(route: &Route, event: &str, payload: &Value) -> bool {
    let action = payload.get("action").and_then(Value::as_str);
    let repository = payload.pointer("/repository/full_name").and_then(Value::as_str);
    (route.event == "*" || route.event == event)
        && (route.actions.is_empty() || route.actions.iter().any(|wanted| Some(wanted.as_str()) == action))
        && route
            .repository
            .as_deref()
            .is_none_or(|wanted| repository.is_some_and(|repository| repository.eq_ignore_ascii_case(wanted)))
        && route.branch.as_deref().is_none_or(|wanted| branch(payload) == Some(wanted))
}

/// The branch a delivery is about, if it is about one. A tag is none.
fn branch(payload: &Value) -> Option<&str> {
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
    use crate::defs::{Span, Target, TargetKind};

    fn route(event: &str) -> Route {
        Route {
            event: event.to_owned(),
            actions: Vec::new(),
            repository: None,
            branch: None,
            target: Target { kind: TargetKind::Pipeline, name: "review".to_owned(), span: Span::default() },
            args: IndexMap::new(),
            deliver: Vec::new(),
        }
    }

    #[test]
    fn the_first_route_that_fits_is_taken() {
        let config = Config { secret: None, routes: vec![route("push"), route("*"), route("issues")] };
        let taken = |event| config.route(event, &json!({})).map(|route| route.event.as_str());
        assert_eq!(taken("push"), Some("push"));
        assert_eq!(taken("issues"), Some("*"));
        assert_eq!(taken("Push"), Some("*"));
        assert_eq!(Config::default().route("push", &json!({})), None);
    }

    #[test]
    fn conditions_must_all_hold() {
        let check = |change: fn(&mut Route), payload: Value, expected: bool| {
            let mut route = route("pull_request");
            change(&mut route);
            assert_eq!(fits(&route, "pull_request", &payload), expected, "{payload}");
        };
        let opened: fn(&mut Route) = |route| route.actions = vec!["opened".to_owned(), "reopened".to_owned()];
        check(opened, json!({"action": "reopened"}), true);
        check(opened, json!({"action": "closed"}), false);
        check(opened, json!({}), false);
        check(opened, json!({"action": 1}), false);
        let repository: fn(&mut Route) = |route| route.repository = Some("Octo/Repo".to_owned());
        check(repository, json!({"repository": {"full_name": "octo/repo"}}), true);
        check(repository, json!({"repository": {"full_name": "octo/other"}}), false);
        check(repository, json!({}), false);
        let main: fn(&mut Route) = |route| route.branch = Some("main".to_owned());
        check(main, json!({"pull_request": {"base": {"ref": "main"}}}), true);
        check(main, json!({"ref": "refs/heads/main"}), true);
        check(main, json!({"ref": "refs/heads/feature/main"}), false);
        check(main, json!({"ref": "refs/tags/main"}), false);
        check(main, json!({"ref": "main", "ref_type": "branch"}), true);
        check(main, json!({"ref": "main", "ref_type": "tag"}), false);
        check(main, json!({"workflow_run": {"head_branch": "main"}}), true);
        check(main, json!({}), false);
    }
}
