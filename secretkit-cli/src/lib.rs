//! The `secretkit` command as a library: what the binary runs, and the console script of the Python package too.
//!
//! [`run`] is all of it. What it reads, prints and returns is described in `docs/cli.md`.

#![forbid(unsafe_code)]

mod arguments;
mod global;
mod usage;

mod console;
mod failure;
mod input;
mod signals;
mod table;
mod terminal;

mod commands;
mod json;

use std::ffi::OsString;

use clap::Parser;

use crate::arguments::Arguments;
use crate::console::Console;
use crate::failure::Stop;

/// Runs one command line, whose first argument is the program's own name, and returns the exit code.
///
/// 0 is success, 1 to 125 are [`ErrorKind::exit_code`](secretkit::ErrorKind::exit_code), 129 to 143 are a
/// signal at a prompt, 130 for Ctrl-C, and 141 a reader that went away. Nothing is left behind in the process but what it printed: it may run in
/// somebody else's.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let parsed = match Arguments::try_parse_from(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => return usage::answer(&error, &arguments),
    };
    let console = match parsed.global.console() {
        Ok(console) => console,
        Err(stop) => return stop.end(&Console::from_raw(&arguments)),
    };
    match commands::run(parsed, &console) {
        Ok(()) => 0,
        Err(stop) => stop.end(&console),
    }
}

/// The exit code after a signal at a prompt, less the signal's number: what a shell shows for a process it ended.
const SIGNALLED: u8 = 128;

/// The exit code where whoever read standard output went away: what a shell shows for a broken pipe.
const CLOSED_PIPE: u8 = 141;

impl Stop {
    /// Says what there is to say, and gives the exit code.
    fn end(self, console: &Console) -> u8 {
        match self {
            Self::Failed(failure) => {
                console.failure(&failure);
                failure.kind.exit_code()
            }
            Self::Signalled(signal) => SIGNALLED + signal,
            Self::ClosedPipe => CLOSED_PIPE,
        }
    }
}
