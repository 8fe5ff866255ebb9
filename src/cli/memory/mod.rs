//! `knowlyr-crew memory`: what employees remember.

mod args;
mod carry;
mod change;
mod index;
mod look;

pub(super) use args::MemoryArgs;

use self::args::Command;
use super::{
    args::Global,
    exit::{Error, Outcome},
    run,
};
use crate::{
    app::Environment,
    base::text::visible,
    engine::{
        self,
        memory::{Entry, Holder},
    },
    tools::{self, Office},
};

pub(super) async fn memory(global: &Global, args: &MemoryArgs, env: &Environment) -> Result<Outcome, Error> {
    let office = run::crew(global, env);
    let asked = Asked { global, office: &office };
    match &args.command {
        Command::List => look::list(&asked).await,
        Command::Show(args) => look::show(&asked, args).await,
        Command::Search(args) => look::search(&asked, args).await,
        Command::Shared(args) => look::shared(&asked, args).await,
        Command::Drafts { employee, all } => look::drafts(&asked, employee.as_deref(), *all).await,
        Command::Add(args) => change::add(&asked, args).await,
        Command::Correct(args) => change::correct(&asked, args).await,
        Command::Update(args) => change::update(&asked, args).await,
        Command::Delete(args) => change::delete(&asked, args).await,
        Command::Archive(args) => change::archive(&asked, args).await,
        Command::Restore(args) => change::restore(&asked, args).await,
        Command::Share(args) => change::share(&asked, args).await,
        Command::Feedback(args) => change::feedback(&asked, args).await,
        Command::Approve { id } => change::approve(&asked, id).await,
        Command::Reject { id, reason } => change::reject(&asked, id, reason).await,
        Command::Consolidate { employee, dry_run } => change::consolidate(&asked, employee, *dry_run).await,
        Command::Import(args) => carry::import(&asked, args).await,
        Command::Export(args) => carry::export(&asked, args).await,
        Command::Index(args) => index::index(&asked, args).await,
        Command::Config(args) => carry::config(&asked, args, env),
    }
}

/// A command, and the project it is about.
struct Asked<'a> {
    global: &'a Global,
    office: &'a Office,
}

impl Asked<'_> {
    /// Whose memory is meant, to look at it: an employee by name or trigger, or whoever else has one.
    ///
    /// # Errors
    /// When there is neither.
    async fn holder(&self, name: &str) -> Result<Holder, Error> {
        match self.office.crew.employee(name).await {
            Ok(employee) => Ok(Holder::of(&employee)),
            Err(unknown) => {
                let owners = self.office.crew.remember(engine::memory::Memory::owners).await?;
                let has_one = owners.iter().any(|owner| owner.employee == name);
                has_one.then(|| Holder::named(name)).ok_or_else(|| unknown.into())
            }
        }
    }

    /// Whose memory is meant, to add to it: an employee, or with `force` anybody.
    ///
    /// # Errors
    /// When there is no such employee.
    async fn employee(&self, name: &str, force: bool) -> Result<Holder, Error> {
        match self.office.crew.employee(name).await {
            Ok(employee) => Ok(Holder::of(&employee)),
            Err(_) if force && !name.trim().is_empty() => Ok(Holder::named(name)),
            Err(engine::Error::UnknownEmployee { name, hint }) => {
                let hint = hint.unwrap_or_else(|| "--force writes it all the same".to_owned());
                Err(tools::Error::NotFound { what: "employee", name, hint: Some(hint) }.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// `[id] (category) content`, on one line.
fn told(entry: &Entry) -> String {
    format!("[{}] ({}) {}", visible(&entry.id), entry.category.as_str(), visible(&entry.content))
}
