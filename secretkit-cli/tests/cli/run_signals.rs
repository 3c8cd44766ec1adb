//! `secretkit run` and signals: they are the child's, and no file outlives it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::run::{left_in, mounting};
use crate::sandbox::{CANARY, Sandbox};

/// A command that runs until a signal ends it, with a secret in a file.
struct Running {
    sandbox: Sandbox,
    base: PathBuf,
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    /// Starts this script, and waits until it says `ready`.
    fn start(script: &str) -> Self {
        let (sandbox, base) = mounting();
        sandbox.create("token", CANARY.as_bytes(), "default");
        let mut command = sandbox.command();
        command.env("XDG_RUNTIME_DIR", &base);
        command.args(["run", "--file", "token=TOKEN", "--", "sh", "-c", script]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        assert_eq!(left_in(&base).len(), 1);
        Self { sandbox, base, child, output }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The exit code and the rest of what it printed.
    fn end(&mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

/// Whether a signal that these tests send is ignored from the start, as for what nohup or a shell's `&` starts: it stays
/// so for every child, and nobody would hear it.
fn some_are_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    let sent = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2, Signal::ALARM];
    let is_ignored = sent.iter().any(|signal| mask >> (signal.as_raw() - 1) & 1 == 1);
    if is_ignored {
        // Not by `eprintln!`, which the harness keeps to itself when the test passes.
        let said = b"\nSKIPPED tests of signals: whoever started these ignores some of those that they send\n";
        let _ = std::io::stderr().write_all(said);
    }
    is_ignored
}

/// Says which signals came; USR1 ends it after the others.
const TELLING: &str = "for name in HUP INT QUIT TERM USR2 ALRM WINCH CONT TSTP; do trap \"echo $name\" $name; done
trap 'exit 3' USR1; echo ready; while :; do sleep 0.05; done";

#[test]
fn signals_reach_the_child_and_only_the_child_decides() {
    if some_are_ignored() {
        return;
    }
    for (signal, name) in [
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::TERM, "TERM"),
        (Signal::USR2, "USR2"),
        (Signal::ALARM, "ALRM"),
        (Signal::WINCH, "WINCH"),
        (Signal::CONT, "CONT"),
        (Signal::TSTP, "TSTP"),
    ] {
        let mut running = Running::start(TELLING);
        running.signal(signal);
        let mut line = String::new();
        running.output.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), name);
        running.signal(Signal::USR1);
        assert_eq!(running.end(), (Some(3), String::new()), "{name}");
        assert_eq!(left_in(&running.base), [""; 0]);
    }
}

#[test]
fn a_child_that_a_signal_ends_gives_its_number_and_leaves_no_file() {
    if some_are_ignored() {
        return;
    }
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)] {
        // `exec`, so that the signal ends the command itself.
        let mut running = Running::start("echo ready; exec sleep 60");
        running.signal(signal);
        assert_eq!(running.end(), (Some(code), String::new()));
        assert_eq!(left_in(&running.base), [""; 0]);
        assert!(fs::read_dir(&running.base).unwrap().count() == 1, "the folder for files was another");
    }
}

#[test]
fn what_a_kill_left_is_cleared_up_by_the_next() {
    let mut running = Running::start("echo ready; read line; exec sleep 0.2");
    running.signal(Signal::KILL);
    running.child.wait().unwrap();
    assert_eq!(left_in(&running.base).len(), 1, "nobody was there to remove them");
    let mut next = running.sandbox.command();
    next.env("XDG_RUNTIME_DIR", &running.base).args(["run", "--file", "token=TOKEN", "--", "true"]);
    assert!(next.status().unwrap().success());
    assert_eq!(left_in(&running.base), [""; 0]);
}

#[test]
fn two_at_once_do_not_touch_each_others_files() {
    let mut running =
        Running::start("echo ready; trap 'cat \"$TOKEN\" | wc -c; exit 4' USR1; while :; do sleep 0.05; done");
    let mut other = running.sandbox.command();
    other.env("XDG_RUNTIME_DIR", &running.base).args(["run", "--file", "token=TOKEN", "--", "true"]);
    assert!(other.status().unwrap().success());
    running.signal(Signal::USR1);
    let (code, counted) = running.end();
    assert_eq!((code, counted.trim()), (Some(4), CANARY.len().to_string().as_str()));
}

/// `secretkit run -- true` by a parent that did this to the signals; `None` where nothing can do it here.
#[cfg(target_os = "linux")]
fn started_with(option: &str) -> Option<std::process::Output> {
    let sandbox = Sandbox::new();
    let with = |arguments: &[&str]| {
        let mut command = Command::new("timeout");
        sandbox.isolate(&mut command);
        command.args(["20", "env", option]).args(arguments).output().unwrap()
    };
    if !with(&["true"]).status.success() {
        eprintln!("skipped: env is not the one of GNU, which takes {option}");
        return None;
    }
    Some(with(&[env!("CARGO_BIN_EXE_secretkit"), "run", "--", "sh", "-c", "echo ran; exit 3"]))
}

/// Whoever ignores the end of children never learns how they ended; that must be an error and no wait without end.
#[cfg(target_os = "linux")]
#[test]
fn an_end_that_is_thrown_away_is_said() {
    let Some(output) = started_with("--ignore-signal=CHLD") else { return };
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert_eq!(output.stdout, b"ran\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("SIGCHLD"), "{output:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn signals_that_the_parent_held_back_hold_nothing_up() {
    for option in ["--block-signal=TERM", "--block-signal", "--ignore-signal=TERM", "--ignore-signal=HUP"] {
        let Some(output) = started_with(option) else { return };
        assert_eq!(output.status.code(), Some(3), "{option}: {output:?}");
    }
}

/// The first process of a container has to collect those whose parents ended.
#[cfg(target_os = "linux")]
#[test]
fn as_the_first_process_it_collects_orphans() {
    let unshared = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--"]).args(arguments);
        command.output()
    };
    match unshared(&["true"]) {
        Ok(output) if output.status.success() => {}
        refused => {
            eprintln!("skipped: this machine lets nobody make a process namespace: {refused:?}");
            return;
        }
    }
    let script = "(sleep 0.1 &); (sh -c 'exit 1' &); sleep 0.6; cat /proc/[0-9]*/stat; kill -TERM 1; sleep 5; exit 1";
    let output =
        unshared(&[env!("CARGO_BIN_EXE_secretkit"), "run", "--", "sh", "-c", &format!("trap 'exit 6' TERM; {script}")])
            .unwrap();
    let stat = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    assert!(stat.contains("(secretkit)") && !stat.contains(" Z "), "{stat}");
}

/// The child does not inherit what is held back here.
#[cfg(target_os = "linux")]
#[test]
fn the_child_holds_no_signal_back() {
    if some_are_ignored() {
        return;
    }
    let sandbox = Sandbox::new();
    let outcome = sandbox.ok(["run", "--", "grep", "SigBlk", "/proc/self/status"]);
    assert_eq!(outcome.text(), "SigBlk:\t0000000000000000\n");
    let mut ignoring = Command::new("/bin/sh");
    sandbox.isolate(&mut ignoring);
    let script = "trap '' HUP; exec \"$@\"";
    let binary = env!("CARGO_BIN_EXE_secretkit");
    ignoring.args(["-c", script, "sh", binary, "run", "--", "grep", "SigIgn", "/proc/self/status"]);
    let text = String::from_utf8(ignoring.output().unwrap().stdout).unwrap();
    assert!(text.trim_end().ends_with('1'), "under nohup HUP stays ignored: {text}");
}

/// A shell with job control, which runs the command and says how it got the terminal back each time.
fn at_a_shell(sandbox: &Sandbox, script: &str) -> rexpect::session::PtySession {
    let mut shell = Command::new("/bin/sh");
    sandbox.isolate(&mut shell);
    let jobs = "set -m; \"$@\"; printf '<back %s>' $?; fg >fg.txt; printf '<back %s>' $?; read end";
    shell.arg0("sh").args(["-c", jobs, "sh", env!("CARGO_BIN_EXE_secretkit"), "run", "--", "sh", "-c", script]);
    rexpect::session::spawn_command(shell, Some(20_000)).unwrap()
}

#[test]
fn ctrl_c_reaches_the_child_once() {
    if some_are_ignored() {
        return;
    }
    let sandbox = Sandbox::new();
    let script = "trap 'echo interrupted' INT; echo ready; sleep 1; sleep 0.3; echo over; exit 4";
    let mut session = at_a_shell(&sandbox, script);
    session.exp_string("ready").unwrap();
    session.send_control('c').unwrap();
    let screen = session.exp_string("over").unwrap();
    session.exp_string("<back 4>").unwrap();
    assert_eq!(screen.matches("interrupted").count(), 1, "{screen}");
}

#[test]
fn ctrl_z_stops_both_and_fg_continues_both() {
    let sandbox = Sandbox::new();
    let mut session = at_a_shell(&sandbox, "echo ready; read line; echo \"got $line\"; exit 5");
    session.exp_string("ready").unwrap();
    session.send_control('z').unwrap();
    session.exp_regex("<back 14[78]>").unwrap();
    session.send_line("typed").unwrap();
    session.exp_string("got typed").unwrap();
    session.exp_string("<back 5>").unwrap();
}

#[test]
fn a_child_that_stops_itself_gives_the_terminal_back() {
    let sandbox = Sandbox::new();
    // As a pager does that takes the key itself.
    let mut session = at_a_shell(&sandbox, "echo ready; kill -TSTP $$; read line; echo \"got $line\"; exit 5");
    session.exp_string("ready").unwrap();
    session.exp_regex("<back 14[78]>").unwrap();
    session.send_line("typed").unwrap();
    session.exp_string("got typed").unwrap();
    session.exp_string("<back 5>").unwrap();
}
