//! The `secretkit` command as a library: what the binary runs, and the console script of the Python package too.
//!
//! [`run`] is all of it. What it reads, prints and returns is described in `docs/cli.md`.

#![forbid(unsafe_code)]

mod arguments;
mod global;
mod usage;

mod console;
mod dumps;
mod failure;
mod input;
mod metadata;
mod passphrase;
mod progress;
mod rows;
mod signals;
mod table;
mod task;
mod terminal;
mod times;
mod visible;

mod commands;
mod completion;
mod json;
mod manual;

#[doc(hidden)]
#[cfg(feature = "internals")]
pub mod internals;

use std::ffi::OsString;

use clap::Parser;
use secretkit::ErrorKind;

pub use crate::dumps::keep_out_of_dumps;
pub use crate::task::PythonTask;

use crate::arguments::{Arguments, Command, Shell};
use crate::console::Console;
use crate::failure::Stop;

/// Runs one command line, whose first argument is the program's own name, and returns the exit code.
///
/// 0 is success, 1 to 124 are [`ErrorKind::exit_code`](secretkit::ErrorKind::exit_code), 129 to 143 are a
/// signal at a prompt, 130 for Ctrl-C, and 141 a reader that went away. Nothing is left behind in the process but what it printed: it may run in
/// somebody else's.
///
/// Of `run` it is the exit code of what was run, or 125 to 127, see `docs/cli.md`.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    match run_up_to_a_task(arguments) {
        Ending::Code(code) => code,
        Ending::Task(task) => task.unsupported(),
    }
}

/// The same for a program that can run Python tasks: it is given the one that `run --task` names.
#[must_use]
pub fn run_up_to_a_task(arguments: impl IntoIterator<Item = OsString>) -> Ending {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let parsed = match Arguments::try_parse_from(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => return Ending::Code(usage::answer(&error, &arguments)),
    };
    if matches!(parsed.command, Command::Shell(Shell::Complete)) {
        // Whatever the variables say: nobody looks at an error while a line is being typed.
        completion::answer();
        return Ending::Code(0);
    }
    let codes = if matches!(parsed.command, Command::Run(_)) { Codes::OfRun } else { Codes::OfKinds };
    let console = match parsed.global.console() {
        Ok(console) => console,
        Err(stop) => return Ending::Code(stop.end(&Console::from_raw(&arguments), codes)),
    };
    match commands::run(parsed, &console) {
        Ok(()) => Ending::Code(0),
        Err(Stop::Task(task)) => Ending::Task(task),
        Err(stop) => Ending::Code(stop.end(&console, codes)),
    }
}

/// How a command line ended.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a caller has to handle both")]
pub enum Ending {
    /// With this exit code.
    Code(u8),
    /// Not yet: this task is to be run.
    Task(Box<PythonTask>),
}

/// The exit code where `run` itself failed: that of `env`, `nohup` and `docker run`, so that it can be told from those
/// of what was run.
const RUN_FAILED: u8 = 125;

/// Which exit codes errors have.
#[derive(Clone, Copy)]
enum Codes {
    /// Those of their kinds.
    OfKinds,
    /// [`RUN_FAILED`].
    OfRun,
}

impl Codes {
    const fn of(self, kind: ErrorKind) -> u8 {
        match self {
            Self::OfKinds => kind.exit_code(),
            Self::OfRun => RUN_FAILED,
        }
    }
}

/// The exit code after a signal at a prompt, less the signal's number: what a shell shows for a process it ended.
const SIGNALLED: u8 = 128;

/// The exit code where whoever read standard output went away: what a shell shows for a broken pipe.
const CLOSED_PIPE: u8 = 141;

impl Stop {
    /// Says what there is to say, and gives the exit code.
    fn end(self, console: &Console, codes: Codes) -> u8 {
        match self {
            Self::Failed(failure) => {
                console.failure(&failure);
                codes.of(failure.kind)
            }
            Self::Signalled(signal) => SIGNALLED + signal,
            Self::ClosedPipe => CLOSED_PIPE,
            Self::Ended(code) => code,
            Self::NotStarted(failure, code) => {
                console.failure(&failure);
                code
            }
            Self::Task(task) => task.unsupported(),
        }
    }
}
