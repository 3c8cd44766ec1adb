//! A hardened process as the kernel sees it. Each test runs in a process of its own, because nothing of it can be undone.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs;
use std::io::Write;
use std::process::Command;

use rustix::process::{DumpableBehavior, Resource, Rlimit, dumpable_behavior, getrlimit, setrlimit};
use secretkit::{Measure, harden_process};

/// Runs one of the tests below in another process.
fn apart(name: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    for line in text.lines().filter(|line| line.starts_with("skipped: ")) {
        std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

#[test]
fn it_does_what_it_says() {
    apart("hardened");
}

#[test]
fn what_is_refused_harms_nothing() {
    apart("hardened_under_limits");
}

/// A line of `/proc/self/limits`: its soft and hard limit.
fn limits(name: &str) -> Vec<String> {
    let text = fs::read_to_string("/proc/self/limits").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().take(2).map(str::to_owned).collect()
}

fn locked_kib() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

#[test]
#[ignore = "run by it_does_what_it_says in a process of its own"]
fn hardened() {
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::Dumpable, "the control");
    assert_eq!(locked_kib(), 0, "the control");
    let done = harden_process();
    assert_eq!(done.no_core_dumps, Measure::Taken);
    assert_eq!(limits("Max core file size"), ["0", "0"]);
    assert_eq!(done.untraceable, Measure::Taken);
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    match &done.locked_memory {
        Measure::Taken => {
            assert!(locked_kib() > 0);
            // And the process goes on: memory that comes into use is locked, and there is enough of it.
            let more = vec![7_u8; 32 << 20];
            assert!(locked_kib() > 32 << 10 && more[more.len() - 1] == 7);
        }
        Measure::NotTaken(why) => {
            assert!(why.contains("RLIMIT_MEMLOCK") && locked_kib() == 0, "{why}");
            std::io::stderr().write_all(format!("skipped: hardened: locked memory: {why}\n").as_bytes()).unwrap();
        }
    }
    assert_eq!(harden_process(), done, "twice is no harm");
}

#[test]
#[ignore = "run by what_is_refused_harms_nothing in a process of its own"]
fn hardened_under_limits() {
    let small = Rlimit { current: Some(64 << 10), maximum: Some(64 << 10) };
    setrlimit(Resource::Memlock, small).unwrap();
    // Without the capability that would lift the limit again.
    let none = rustix::thread::CapabilitySets {
        effective: rustix::thread::CapabilitySet::empty(),
        permitted: rustix::thread::CapabilitySet::empty(),
        inheritable: rustix::thread::CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, none).unwrap();
    let done = harden_process();
    assert!(done.no_core_dumps.is_taken() && done.untraceable.is_taken(), "{done:?}");
    let told = done.locked_memory.to_string();
    assert!(told.contains("RLIMIT_MEMLOCK is 64 KiB") && told.contains("LimitMEMLOCK"), "{told}");
    assert_eq!(getrlimit(Resource::Memlock), small);
    assert_eq!(locked_kib(), 0);
    let more = vec![7_u8; 32 << 20];
    assert_eq!(more[more.len() - 1], 7, "memory is there as before");
}
