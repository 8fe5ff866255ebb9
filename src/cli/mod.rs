//! Floor 7: the command line: arguments in, text and an exit code out.

mod access;
mod args;
mod author;
mod backup;
mod budget;
mod changelog;
mod check;
mod clipboard;
mod config;
mod cost;
mod cron;
mod delete;
mod deliveries;
mod discuss;
mod doctor;
mod eval;
mod execute;
mod exit;
mod export;
mod files;
mod gone;
mod lint;
mod list;
mod log;
mod mcp;
mod meetings;
mod memory;
mod old;
mod output;
mod permissions;
mod pipeline;
mod plan;
mod records;
mod render;
mod run;
mod schema;
mod serve;
mod session;
mod show;
mod skill;
mod task;
mod test;
mod validate;

use std::{io, process::ExitCode};

use clap::Parser as _;

use self::args::{CatalogCommand, Cli, Command, Transport};
use crate::{
    app::{self, Environment},
    defs::{Diagnostic, Source},
};

/// A finding about `source` as the program shows it, without colours: the text it is about, and a caret under the place.
pub fn drawn(diagnostic: &Diagnostic, source: &Source) -> String {
    render::plain(diagnostic, source)
}

/// Runs the program with the words and the environment of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if let Some(told) = gone::instead(&error) {
                render::error(&told, std::iter::empty());
                return ExitCode::from(exit::USAGE);
            }
            // clap knows whether this is help (stdout, 0) or a usage error (stderr, 2).
            let code = u8::try_from(error.exit_code()).unwrap_or(exit::USAGE);
            return match error.print() {
                Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(exit::FAILED),
                _ => ExitCode::from(code),
            };
        }
    };
    let env = Environment::of_process();
    // What a command for one person has to say, it says itself.
    let quiet_level = match &cli.command {
        command if serves(command) => "info",
        // Who is to be asked and cannot tell is not told anywhere else.
        Command::Run(args) if args.agent_id.is_some() => "error,crew::engine::identity=warn",
        _ => "error",
    };
    let telemetry = app::start_telemetry(&env, cli.global.verbose, quiet_level);
    let code = exit::code(run(&cli, &env));
    telemetry.end();
    code
}

/// Whether a command has an address, and whoever comes there as its clients.
fn serves(command: &Command) -> bool {
    match command {
        Command::Serve(_) => true,
        Command::Mcp(args) => args.transport != Transport::Stdio,
        _ => false,
    }
}

fn run(cli: &Cli, env: &Environment) -> Result<exit::Outcome, exit::Error> {
    // A misspelt folder is no empty project.
    if let Some(folder) = cli.global.project_dir.as_deref().filter(|folder| !folder.is_dir()) {
        let message = format!("there is no folder `{}`", folder.display());
        return Err(crate::tools::Error::Arguments(message).into());
    }
    // A command that talks to one person needs one thread; a server uses what there is.
    let mut runtime = if serves(&cli.command) {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let runtime = runtime.enable_all().build().map_err(anyhow::Error::from)?;
    runtime.block_on(async {
        match &cli.command {
            Command::Serve(args) => serve::serve(&cli.global, args, env).await,
            Command::Mcp(args) => mcp::mcp(&cli.global, args, env).await,
            Command::List(args) => list::list(&cli.global, args, env).await,
            Command::Show(args) => show::show(&cli.global, args, env).await,
            Command::Permissions(args) => permissions::permissions(&cli.global, args, env).await,
            Command::Run(args) => run::run(&cli.global, args, env).await,
            Command::Pipeline(args) => pipeline::pipeline(&cli.global, args, env).await,
            Command::Task(args) => task::task(&cli.global, args, env).await,
            Command::Deliveries(args) => deliveries::deliveries(&cli.global, args, env).await,
            Command::Session(args) => session::session(&cli.global, args),
            Command::Log(args) => log::log(&cli.global, args, env).await,
            Command::Meetings(args) => meetings::meetings(&cli.global, args),
            Command::Records(args) => records::records(&cli.global, args, env).await,
            Command::Memory(args) => memory::memory(&cli.global, args, env).await,
            Command::Skill(args) => skill::skill(&cli.global, args, env).await,
            Command::Eval(args) => eval::eval(&cli.global, args, env).await,
            Command::Plan(args) => plan::plan(&cli.global, args, env).await,
            Command::Cost(args) => cost::cost(&cli.global, args, env).await,
            Command::Cron(args) => cron::cron(&cli.global, args, env).await,
            Command::Test(args) => test::test(&cli.global, args, env).await,
            Command::Discuss(args) => discuss::discuss(&cli.global, args, env).await,
            Command::Lint { paths } => lint::lint(&cli.global, paths, env).await,
            Command::Schema { name } => schema::schema(&cli.global, name, env),
            Command::Check(args) => check::check(&cli.global, args, env).await,
            Command::Validate(args) => validate::validate(&cli.global, args),
            Command::Init(args) => author::init(&cli.global, args),
            Command::Template(args) => author::template(&cli.global, args),
            Command::Catalog(args) => match &args.command {
                CatalogCommand::List(args) => list::list(&cli.global, args, env).await,
                CatalogCommand::Show(args) => show::as_json(&cli.global, args, env).await,
            },
            Command::Export(args) => export::export(&cli.global, args, env).await,
            Command::ExportAll(args) => export::export_all(&cli.global, args, env).await,
            Command::Sync(args) => export::sync(&cli.global, args, env).await,
            Command::Config(args) => config::config(&cli.global, args, env),
            Command::Doctor(args) => doctor::doctor(&cli.global, args, env).await,
            Command::Backup(args) => backup::backup(&cli.global, args, env).await,
            Command::Restore(args) => backup::restore(&cli.global, args, env).await,
            Command::Bump(args) => author::bump(&cli.global, args, env).await,
            Command::Delete(args) => delete::delete(&cli.global, args, env).await,
            Command::Changelog(args) => changelog::changelog(&cli.global, args).await,
        }
    })
}
