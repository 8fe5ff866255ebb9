//! A comment on an issue or a pull request.
//!
//! Source: <https://docs.github.com/en/rest/issues/comments>.

use std::fmt::{self, Write as _};

use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::{
    courier::{Courier, Github, Outcome, Parcel},
    message::Message,
    post,
    record::DeliveryId,
    wish::Wish,
};
use crate::{
    base::{clock, retry::retry_after},
    defs::is_repository,
    engine::outbound::Request,
    tasks::Task,
};

/// Most characters of a comment; GitHub takes 65,536.
const CHARS: usize = 60_000;

/// Where a comment goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    repository: String,
    number: u64,
}

impl Place {
    /// The place that is written, filled with the values of the run; else that of the event.
    ///
    /// # Errors
    /// What is missing, or is no place: what comes in from outside is never part of a path unlooked at.
    pub(super) fn of(
        repository: Option<&str>,
        number: Option<&str>,
        wish: &Wish,
        task: &Task,
    ) -> Result<Self, String> {
        let value = |key: &str, written: Option<&str>| {
            let written = written.filter(|written| !written.contains("{{"));
            written.map(|written| fill(written, task)).or_else(|| wish.values.get(key).cloned())
        };
        let repository = value("repository", repository).ok_or("no repository is told to comment in")?;
        let number = value("number", number).ok_or("no issue or pull request is told to comment on")?;
        let repository = repository.trim().to_owned();
        if !is_repository(&repository) {
            return Err(format!("`{}` is no repository", repository.escape_debug()));
        }
        let number = number.trim();
        let number =
            number.parse().map_err(|_| format!("`{}` is no number of an issue", number.escape_debug()))?;
        Ok(Self { repository, number })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.repository, self.number)
    }
}

/// `$name` alone, or part of `owner/$name`: filled with a value of the run, once.
fn fill(written: &str, task: &Task) -> String {
    let part = |part: &str| {
        let name = part.strip_prefix('$').map(|name| name.trim_start_matches('{').trim_end_matches('}'));
        name.and_then(|name| task.args.get(name)).cloned().unwrap_or_else(|| part.to_owned())
    };
    written.split('/').map(part).collect::<Vec<_>>().join("/")
}

pub(super) async fn send(
    courier: &Courier,
    parcel: &Parcel<'_>,
    place: Result<Place, String>,
) -> Result<Outcome, String> {
    let place = place?;
    let github = &courier.github;
    let address = format!(
        "{}/repos/{}/issues/{}/comments",
        github.api_url.trim().trim_end_matches('/'),
        place.repository,
        place.number
    );
    let marker = marker(parcel.id);
    // Of an attempt that broke off nobody knows whether it arrived.
    if parcel.before > 0 {
        let since = parcel.task.completed_at.unwrap_or(parcel.task.created_at);
        let since = since.strftime("%Y-%m-%dT%H:%M:%SZ");
        let mut look = Request::get(format!("{address}?per_page=100&since={since}"));
        look.redirects = 0;
        match ask(courier, signed(look, github)?).await {
            Ok(comments) if holds(&comments, &marker) => {
                return Ok(Outcome::Delivered("the comment is there".to_owned()));
            }
            Ok(_) => {}
            Err(outcome) => return Ok(outcome),
        }
    }
    let body = json!({"body": comment(parcel.message, &marker)});
    match ask(courier, signed(post::json(address, &body), github)?).await {
        Ok(_) => Ok(Outcome::Delivered(format!("commented on {place}"))),
        Err(outcome) => Ok(outcome),
    }
}

/// The token goes to this address and nowhere else: no redirect is followed.
fn signed(request: Request, github: &Github) -> Result<Request, String> {
    let token = github.token.as_ref().ok_or("the variable GITHUB_TOKEN is not set")?;
    let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
    let mut bearer = bearer.map_err(|_| "GITHUB_TOKEN holds what no header can")?;
    bearer.set_sensitive(true);
    Ok(request
        .header(header::AUTHORIZATION, bearer)
        .header(header::ACCEPT, HeaderValue::from_static("application/vnd.github+json"))
        .header(
            http::HeaderName::from_static("x-github-api-version"),
            HeaderValue::from_static("2022-11-28"),
        ))
}

async fn ask(courier: &Courier, request: Request) -> Result<Value, Outcome> {
    let response = match courier.outbound.send(request).await {
        Ok(response) => response,
        Err(error) if error.is_transient() => return Err(Outcome::again(error.chain())),
        Err(error) => return Err(Outcome::Never(error.chain())),
    };
    let after = retry_after(&response.headers, clock::now());
    let spent = response.headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
    // GitHub says so, too, when it is asked too often.
    if response.status == StatusCode::FORBIDDEN && (spent || after.is_some()) {
        return Err(Outcome::Again { detail: "HTTP 403: asked too often".to_owned(), after });
    }
    match post::judge(response.status, &response.headers) {
        Some(outcome) => Err(outcome),
        None => Ok(serde_json::from_slice(&response.body).unwrap_or_default()),
    }
}

/// What a comment is known by, invisible in it.
fn marker(id: &DeliveryId) -> String {
    format!("<!-- crew:delivery {id} -->")
}

fn holds(comments: &Value, marker: &str) -> bool {
    let body = |comment: &Value| {
        comment.get("body").and_then(Value::as_str).is_some_and(|body| body.contains(marker))
    };
    comments.as_array().is_some_and(|comments| comments.iter().any(body))
}

fn comment(message: &Message, marker: &str) -> String {
    let mut text = format!("### {}\n\n{}\n", quiet(&message.title()), quiet(&message.main(CHARS / 2)));
    if !message.steps.is_empty() {
        let _ = write!(text, "\n<details><summary>{}</summary>\n\n", message.words.steps);
        for step in &message.steps {
            let _ = writeln!(text, "- {} {}", step.state.mark(), quiet(&step.line(message.words)));
        }
        text.push_str("\n</details>\n");
    }
    let text = message.cut(&text, CHARS);
    format!("{text}\n<sub>{} · {}</sub>\n{marker}", quiet(&message.account), message.task_id)
}

/// Text that calls nobody: outside of code, an `@` is set apart from the name behind it. No comment of HTML is left open or
/// closed, in which the rest would disappear.
fn quiet(text: &str) -> String {
    let mut quiet = String::with_capacity(text.len());
    let mut fenced = false;
    for line in text.split_inclusive('\n') {
        let is_fence = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        fenced ^= is_fence;
        if fenced || is_fence {
            quiet.push_str(line);
            continue;
        }
        let mut in_code = false;
        let mut before = ' ';
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            in_code ^= letter == '`';
            let names = letters.peek().is_some_and(char::is_ascii_alphanumeric);
            match letter {
                '@' if !in_code && names && !before.is_alphanumeric() => quiet.push_str("@<span></span>"),
                '<' if !in_code && letters.peek() == Some(&'!') => quiet.push_str("&lt;"),
                letter => quiet.push(letter),
            }
            before = letter;
        }
    }
    quiet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_and_nothing_hidden() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(quiet(text), expected);
        }
        check("thanks @octocat, mail a@b.c", "thanks @<span></span>octocat, mail a@b.c");
        check(
            "`@Override` @x\n```\n@Test\n```\n@y",
            "`@Override` @<span></span>x\n```\n@Test\n```\n@<span></span>y",
        );
        check("a <!-- b", "a &lt;!-- b");
        check("@ 评审 @", "@ 评审 @");
    }
}
