//! The `secretkit` command.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    secretkit_cli::keep_out_of_dumps();
    secretkit_cli::run(std::env::args_os()).into()
}
