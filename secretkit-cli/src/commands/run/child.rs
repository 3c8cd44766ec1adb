//! The child: started without a shell, in our process group, with our standard streams.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal};
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitOptions, WaitStatus};
use secretkit::ErrorKind;
use secretkit::deliver::EnvironmentPlan;
use zeroize::Zeroizing;

use crate::failure::{Failure, Stop};

/// The exit codes of `env`, `nohup` and `docker run`.
const NOT_EXECUTABLE: u8 = 126;
const NO_SUCH_COMMAND: u8 = 127;

/// Where a child was killed, the signal's number is added, as a shell does.
const KILLED: i32 = 128;

/// Starts a command with our environment and these variables. It holds back the signals that `mask` says.
///
/// Not by `std::process::Command`, whose child would hold back what we do and whose copies of the values are not wiped.
///
/// # Errors
/// `file_missing`, `permission_denied`, `undeliverable` or `other`, with what to do. The command is not quoted: in
/// `-- TOKEN=VALUE command` it would be a value.
pub(super) fn start(command: Vec<OsString>, plan: Option<&EnvironmentPlan>, mask: &SigSet) -> Result<Pid, Stop> {
    let command = command.into_iter().map(|argument| CString::new(argument.into_vec())).collect::<Result<Vec<_>, _>>();
    // Arguments come from the system, which ends each at a NUL byte.
    let command = command.map_err(|_| refused(nix::errno::Errno::EINVAL))?;
    let program = command.first().ok_or_else(|| refused(nix::errno::Errno::ENOENT))?;
    let started = environment(plan).and_then(|environment| {
        let mut attributes = PosixSpawnAttr::init()?;
        attributes.set_flags(PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF)?;
        attributes.set_sigmask(mask)?;
        // Rust and Python ignore these for themselves, and what is ignored is inherited.
        attributes.set_sigdefault(&SigSet::from_iter([Signal::SIGPIPE, Signal::SIGXFSZ]))?;
        posix_spawnp(program, &PosixSpawnFileActions::init()?, &attributes, &command, &environment)
    });
    let pid = started.map_err(refused)?;
    Pid::from_raw(pid.as_raw()).ok_or_else(|| refused(nix::errno::Errno::EINVAL))
}

/// Ours with the plan's variables in the place of those that have their names. Wiped when it has been handed over.
fn environment(plan: Option<&EnvironmentPlan>) -> nix::Result<Vec<Zeroizing<CString>>> {
    let planned = || plan.into_iter().flat_map(EnvironmentPlan::iter);
    let is_planned = |name: &OsStr| planned().any(|variable| variable.name.as_str() == name);
    let ours = std::env::vars_os().filter(|(name, _)| !is_planned(name));
    let ours = ours.map(|(name, value)| pair(name.as_bytes(), value.as_bytes()));
    let theirs = planned().map(|variable| pair(variable.name.as_str().as_bytes(), variable.value.expose_secret()));
    ours.chain(theirs).collect()
}

fn pair(name: &[u8], value: &[u8]) -> nix::Result<Zeroizing<CString>> {
    // With room for the NUL byte, so that it is never moved and nothing of it stays elsewhere.
    let mut pair = Vec::with_capacity(name.len() + value.len() + 2);
    pair.extend_from_slice(name);
    pair.push(b'=');
    pair.extend_from_slice(value);
    // A plan has refused NUL bytes before, and the system gives none.
    Ok(Zeroizing::new(CString::new(pair).map_err(|_| nix::errno::Errno::EINVAL)?))
}

fn refused(error: nix::errno::Errno) -> Stop {
    use nix::errno::Errno;
    let failure =
        |kind, message: &str, hint: &str| Failure { kind, message: message.to_owned(), hint: Some(hint.to_owned()) };
    match error {
        Errno::ENOENT => {
            let hint = "it is looked for on the PATH; what a shell would do, do with: -- sh -c '...'; and to set other \
                        variables: -- env NAME=VALUE COMMAND";
            let message = "the command, or the interpreter it names, was not found";
            Stop::NotStarted(failure(ErrorKind::FileMissing, message, hint), NO_SUCH_COMMAND)
        }
        Errno::E2BIG => {
            let hint = "deliver large values with --file instead of --env";
            let message = "cannot deliver: the arguments and variables together, or one of them, are longer than the \
                           system takes";
            Stop::Failed(failure(ErrorKind::Undeliverable, message, hint))
        }
        Errno::EAGAIN | Errno::ENOMEM => {
            let message = "the system has no room for another process";
            Stop::Failed(failure(ErrorKind::Other, message, "try again"))
        }
        Errno::EACCES | Errno::EPERM => {
            let hint = "is it a directory, or not marked as executable? chmod +x does that";
            let message = "permission denied: the command cannot be executed";
            Stop::NotStarted(failure(ErrorKind::PermissionDenied, message, hint), NOT_EXECUTABLE)
        }
        _ => {
            let message = format!("the command cannot be executed: {}", error.desc());
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
