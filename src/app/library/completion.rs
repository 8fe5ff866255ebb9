//! Suggests names and ids while a person types.

use futures_util::future::BoxFuture;

use super::{DISCUSSION, EMPLOYEE, Library, MEETING, MEMORY, PIPELINE, TASK};
use crate::{
    protocol::{Asked, Completer, Error, Subject},
    tasks::Filter,
};

/// The template of the resources that begin with `prefix`.
pub(super) fn template(prefix: &str, variable: &str) -> String {
    format!("{prefix}{{{variable}}}")
}

impl Library {
    async fn of_template(&self, uri: &str) -> Result<Vec<String>, Error> {
        let crew = &self.office.crew;
        if uri == template(EMPLOYEE, "name") {
            return Ok(crew.definitions().await.employee_names().map(str::to_owned).collect());
        }
        if uri == template(PIPELINE, "name") {
            return Ok(crew.definitions().await.pipeline_names().map(str::to_owned).collect());
        }
        if uri == template(DISCUSSION, "name") {
            return Ok(crew.definitions().await.discussions.keys().cloned().collect());
        }
        if uri == template(MEMORY, "employee") {
            let definitions = crew.definitions().await;
            let records = self.records().await;
            let others = records.memories.iter().map(|(name, _)| name.as_str());
            let others = others.filter(|name| definitions.employee(name).is_none());
            return Ok(definitions.employee_names().chain(others).map(str::to_owned).collect());
        }
        if uri == template(MEETING, "id") {
            let newest_first = self.records().await;
            return Ok(newest_first.meetings.iter().map(|(record, _)| record.meeting_id.clone()).collect());
        }
        if uri == template(TASK, "id") {
            // Suggestions are no reason to fail: where tasks cannot be had there is nothing to suggest.
            let Ok(tasks) = self.office.tasks().await else { return Ok(Vec::new()) };
            let newest_first = tasks.list(&Filter::default());
            return Ok(newest_first.iter().map(|task| task.task_id.to_string()).collect());
        }
        Err(Error::invalid_params("no such template; `resources/templates/list` tells what there is"))
    }

    /// A definition says no more about the values of an argument than its default.
    async fn of_prompt(&self, name: &str, argument: &str) -> Result<Vec<String>, Error> {
        let employee = self
            .office
            .crew
            .employee(name)
            .await
            .map_err(|error| Error::invalid_params(error.to_string()))?;
        let argument = employee.args.iter().find(|arg| arg.name == argument);
        Ok(argument.and_then(|arg| arg.default.clone()).into_iter().collect())
    }
}

impl Completer for Library {
    fn complete<'a>(&'a self, asked: Asked<'a>) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        Box::pin(async move {
            let known = match asked.subject {
                Subject::Prompt(name) => self.of_prompt(name, asked.argument).await?,
                Subject::Template(uri) => self.of_template(uri).await?,
            };
            Ok(matching(asked.value, known))
        })
    }
}

/// Those of `known` that `typed` may become, best first: what begins with it, what has a word that does, what holds it,
/// what is much like it. Among equals the order stays.
fn matching(typed: &str, known: Vec<String>) -> Vec<String> {
    let typed = typed.trim().to_lowercase();
    let mut rated: Vec<_> = known
        .into_iter()
        .map(|candidate| (rate(&typed, &candidate.to_lowercase()), candidate))
        .filter(|(rating, _)| *rating >= LEAST)
        .collect();
    rated.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    rated.into_iter().map(|(_, candidate)| candidate).collect()
}

/// What is less like it than this is no suggestion.
const LEAST: f64 = 0.75;

/// How well `candidate` goes on from `typed`: likeness counts to 1, and each of the better ways is above that.
fn rate(typed: &str, candidate: &str) -> f64 {
    if candidate.starts_with(typed) {
        return 4.0;
    }
    let mut words = candidate.split(|letter: char| !letter.is_alphanumeric());
    if words.any(|word| word.starts_with(typed)) {
        return 3.0;
    }
    if candidate.contains(typed) {
        return 2.0;
    }
    strsim::jaro_winkler(typed, candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_come_first() {
        #[track_caller]
        fn check(typed: &str, expected: &[&str]) {
            let known = ["review-writer", "code-reviewer", "reviewer", "previewer", "代码审查员"];
            let known = known.map(str::to_owned).into();
            assert_eq!(matching(typed, known), expected, "{typed}");
        }
        check("", &["review-writer", "code-reviewer", "reviewer", "previewer", "代码审查员"]);
        check("review", &["review-writer", "reviewer", "code-reviewer", "previewer"]);
        check(" REVIEWER ", &["reviewer", "code-reviewer", "previewer", "review-writer"]);
        check("code-reviwer", &["code-reviewer", "reviewer", "previewer"]);
        check("审查", &["代码审查员"]);
        check("zzz", &[]);
    }
}
