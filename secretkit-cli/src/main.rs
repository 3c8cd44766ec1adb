//! The `secretkit` command.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    keep_out_of_dumps();
    secretkit_cli::run(std::env::args_os()).into()
}

/// Neither a core dump nor another process of the same user gets at the memory of this one. It ends where `run` starts
/// another program; the limits that such a program inherits are its own business and stay as they are.
#[cfg(target_os = "linux")]
fn keep_out_of_dumps() {
    // Where the system refuses it, the command works all the same.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

#[cfg(not(target_os = "linux"))]
const fn keep_out_of_dumps() {}
