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
    one(process).is_some_and(|entry| !entry.ended)
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
fn one(process: Pid) -> Option<Entry> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The command's name stands in parentheses and may itself hold some.
    let mut rest = text.rsplit(')').next()?.split_whitespace();
    let state = rest.next()?;
    Some(Entry { process, parent: number(rest.next()?)?, ended: state.starts_with(['Z', 'X']) })
}

#[cfg(target_os = "linux")]
fn all() -> Vec<Entry> {
    let names = std::fs::read_dir("/proc").expect("/proc is there").flatten();
    names.filter_map(|name| one(number(name.file_name().to_str()?)?)).collect()
}

#[cfg(not(target_os = "linux"))]
fn one(process: Pid) -> Option<Entry> {
    all().into_iter().find(|entry| entry.process == process)
}

#[cfg(not(target_os = "linux"))]
fn all() -> Vec<Entry> {
    let output = std::process::Command::new("ps").args(["-A", "-o", "pid=,ppid=,state="]).output();
    let output = output.expect("`ps` can be run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        let (process, parent) = (number(words.next()?)?, number(words.next()?)?);
        Some(Entry { process, parent, ended: words.next()?.starts_with('Z') })
    };
    text.lines().filter_map(entry).collect()
}

fn number(text: &str) -> Option<Pid> {
    text.parse().ok().map(Pid::from_raw)
}
