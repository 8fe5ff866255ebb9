//! The `knowlyr-crew` program; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    crew::cli::main()
}
