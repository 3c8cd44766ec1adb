//! The processes of a server.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Sends a signal. That the process has ended meanwhile is fine.
pub(crate) fn send(process: Pid, signal: Signal) {
    match kill(process, signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => panic!("cannot send {signal} to process {process}: {error}"),
    }
}

/// Whether a process runs. One that has ended and that nobody has asked about yet does not.
pub(crate) fn runs(process: Pid) -> bool {
    all().into_iter().any(|entry| entry.process == process && !entry.ended)
}

/// What a process has started and what still runs of it.
pub(crate) fn children(parent: Pid) -> Vec<Pid> {
    all().into_iter().filter(|entry| entry.parent == parent && !entry.ended).map(|entry| entry.process).collect()
}

struct Entry {
    process: Pid,
    parent: Pid,
    ended: bool,
}

#[cfg(target_os = "linux")]
fn all() -> Vec<Entry> {
    let names = std::fs::read_dir("/proc").expect("/proc is there").flatten();
    let numbers = names.filter(|name| name.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()));
    numbers
        .filter_map(|name| {
            let text = std::fs::read_to_string(name.path().join("stat")).ok()?;
            let number = text.split(' ').next()?;
            // The command's name stands in parentheses and may itself hold some.
            let mut rest = text.rsplit(')').next()?.split_whitespace();
            let state = rest.next()?;
            entry(number, rest.next()?, state)
        })
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn all() -> Vec<Entry> {
    let output = std::process::Command::new("ps").args(["-A", "-o", "pid=,ppid=,state="]).output();
    let output = output.expect("`ps` can be run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            entry(words.next()?, words.next()?, words.next()?)
        })
        .collect()
}

fn entry(process: &str, parent: &str, state: &str) -> Option<Entry> {
    Some(Entry {
        process: Pid::from_raw(process.parse().ok()?),
        parent: Pid::from_raw(parent.parse().ok()?),
        ended: state.starts_with(['Z', 'X']),
    })
}
