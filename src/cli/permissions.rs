//! `knowlyr-crew permissions`.

use std::fmt::Write as _;

use super::{
    args::{Form, Global, ShowArgs},
    exit::{Error, Outcome},
    render,
    run::crew,
};
use crate::{
    app::Environment,
    tools::{self, May, Standing, ToolStanding},
};

/// Tells what an employee may use. No server of others is contacted for it.
pub(super) async fn permissions(
    global: &Global,
    args: &ShowArgs,
    env: &Environment,
) -> Result<Outcome, Error> {
    let standing = tools::standing(&crew(global, env), &args.name).await?;
    match global.form() {
        Form::Json => render::json(&standing)?,
        Form::Text => render::answer(&text(&standing))?,
    }
    Ok(Outcome::Done)
}

fn text(standing: &Standing) -> String {
    let mut text = format!("{}\n", standing.employee);
    let lists = &standing.permissions;
    let lists = [
        ("roles", &lists.roles),
        ("allow", &lists.allow),
        ("deny", &lists.deny),
        ("approve", &lists.approve),
    ];
    for (name, patterns) in lists.into_iter().filter(|(_, patterns)| !patterns.is_empty()) {
        let _ = writeln!(text, "{name:<8} {}", plain(&patterns.join(", ")));
    }
    if standing.tools.is_empty() {
        text.push_str("\nit declares no tools");
        return text;
    }
    let rows = standing.tools.iter().map(|tool| [plain(&tool.tool), may(tool.may).to_owned(), because(tool)]);
    let _ = write!(text, "\n{}", render::table(["TOOL", "MAY", "BECAUSE"], rows));
    text
}

fn because(tool: &ToolStanding) -> String {
    let also = if tool.asks_if_destructive { "; asks first if its server calls it destructive" } else { "" };
    format!("{}{also}", tool.because)
}

fn may(may: May) -> &'static str {
    match may {
        May::Allowed => "yes",
        May::Asks => "asks first",
        May::Denied => "no",
        May::Absent => "-",
    }
}

fn plain(text: &str) -> String {
    text.escape_debug().to_string()
}
