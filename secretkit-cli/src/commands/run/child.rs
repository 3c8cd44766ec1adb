//! The child: started without a shell, in our process group, with our standard streams.

use std::io;
use std::process::Command;

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitOptions, WaitStatus};
use secretkit::ErrorKind;

use crate::failure::{Failure, Stop};

/// The exit codes of `env`, `nohup` and `docker run`.
const NOT_EXECUTABLE: u8 = 126;
const NO_SUCH_COMMAND: u8 = 127;

/// Where a child was killed, the signal's number is added, as a shell does.
const KILLED: i32 = 128;

/// Starts it.
///
/// # Errors
/// `file_missing`, `permission_denied`, `undeliverable` or `other`, with what to do. The command is not quoted: in
/// `-- TOKEN=VALUE command` it would be a value.
pub(super) fn start(command: &mut Command) -> Result<Pid, Stop> {
    let started = command.spawn().map_err(|error| refused(&error))?;
    // Dropping the child's handle leaves the child alone; it is waited for by its id.
    let pid = i32::try_from(started.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| Stop::failed(ErrorKind::Other, "the system gave no process id", None))
}

fn refused(error: &io::Error) -> Stop {
    let failure =
        |kind, message: &str, hint: &str| Failure { kind, message: message.to_owned(), hint: Some(hint.to_owned()) };
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT) => {
            let hint = "it is looked for on the PATH; what a shell would do, do with: -- sh -c '...'; and to set other \
                        variables: -- env NAME=VALUE COMMAND";
            let message = "the command, or the interpreter it names, was not found";
            Stop::NotStarted(failure(ErrorKind::FileMissing, message, hint), NO_SUCH_COMMAND)
        }
        Some(Errno::TOOBIG) => {
            let hint = "deliver large values with --file instead of --env";
            let message = "cannot deliver: the arguments and variables together, or one of them, are longer than the \
                           system takes";
            Stop::Failed(failure(ErrorKind::Undeliverable, message, hint))
        }
        Some(Errno::AGAIN | Errno::NOMEM) => {
            let message = "the system has no room for another process";
            Stop::Failed(failure(ErrorKind::Other, message, "try again"))
        }
        Some(Errno::ACCESS | Errno::PERM) => {
            let hint = "is it a directory, or not marked as executable? chmod +x does that";
            let message = "permission denied: the command cannot be executed";
            Stop::NotStarted(failure(ErrorKind::PermissionDenied, message, hint), NOT_EXECUTABLE)
        }
        _ => {
            let message = format!("the command cannot be executed: {error}");
            let hint = "a script begins with #! and the path of its interpreter";
            Stop::NotStarted(failure(ErrorKind::Other, &message, hint), NOT_EXECUTABLE)
        }
    }
}

/// What a child did.
pub(super) enum Change {
    /// It ended: the exit code to pass on.
    Ended(u8),
    /// It was stopped by this signal.
    Stopped(i32),
}

/// Waits until the child ends or stops, and leaves it to be [collected](collect). Until then its id stays its own.
///
/// # Errors
/// Where the child's end was thrown away, because somebody had this process ignore SIGCHLD.
pub(super) fn wait_for_change(child: Pid) -> io::Result<()> {
    let change = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
    loop {
        // The first process of a container inherits those whose parents ended, and nobody else would ever collect them.
        let adopted = rustix::process::getpid().is_init();
        let waited = if adopted {
            rustix::process::waitid(WaitId::All, change)
        } else {
            rustix::process::waitid(WaitId::Pid(child), change)
        };
        match waited {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What the child did, if it did anything yet.
///
/// # Errors
/// As [`wait_for_change`].
pub(super) fn collect(child: Pid) -> io::Result<Option<Change>> {
    let at_once = WaitOptions::NOHANG | WaitOptions::UNTRACED;
    let found = if rustix::process::getpid().is_init() {
        rustix::process::wait(at_once)?
    } else {
        rustix::process::waitpid(Some(child), at_once)?
    };
    Ok(found.filter(|&(of, _)| of == child).and_then(|(_, status)| change(status)))
}

fn change(status: WaitStatus) -> Option<Change> {
    let ended = status.exit_status().or_else(|| status.terminating_signal().map(|signal| KILLED + signal));
    match ended {
        Some(code) => Some(Change::Ended(u8::try_from(code).unwrap_or(u8::MAX))),
        None => status.stopping_signal().map(Change::Stopped),
    }
}
