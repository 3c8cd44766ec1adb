//! What a store is put through before anybody trusts it: kills, power cuts, broken disks, flipped bits and crowds.
//!
//! Each campaign runs the real store in a process of its own, knows from a model in plain maps what must be there
//! afterwards, and shows in every run that it would notice if it were not. `docs/reliability.md` says what is
//! simulated and what is not, and has the figures. The program `torture` runs all of them whole; the tests of this
//! crate run each for some seconds.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a harness is a test: a panic is its report, and standard output where its counts go"
)]
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod disk;
mod script;
mod trap;

mod home;
mod model;

mod observe;
mod run;
mod worker;

mod fleet;

mod campaign;

// The public interface is:
pub use campaign::{Size, crowd, failover, faults, flips, kill, leaks, memory, power, stalls, stops, writers};

/// What the program does: one campaign or all of them, or one of the processes that they run.
#[must_use]
pub fn main(arguments: &[String]) -> i32 {
    let Some((first, rest)) = arguments.split_first() else { return all() };
    match (first.as_str(), rest) {
        ("worker", rest) => worker::Orders::parse(rest).map_or(2, |orders| orders.carry_out()),
        ("member", rest) => campaign::member(rest),
        ("client", rest) => fleet::client(rest),
        ("writer", rest) => fleet::writer(rest),
        ("scan", rest) => campaign::scan_own_memory(rest),
        (name, []) if CAMPAIGNS.iter().any(|(known, _)| *known == name) => {
            run_named(name);
            0
        }
        ("faults", names) if !names.is_empty() => {
            run_faults(names);
            0
        }
        _ => {
            let names: Vec<_> = CAMPAIGNS.iter().map(|(name, _)| *name).collect();
            println!("usage: torture [{}], or torture faults KIND…", names.join("|"));
            2
        }
    }
}

/// The program, and how much.
type Campaign = fn(&std::path::Path, Size);

const CAMPAIGNS: [(&str, Campaign); 11] = [
    ("kill", kill),
    ("power", power),
    ("faults", faults),
    ("flips", flips),
    ("crowd", crowd),
    ("memory", memory),
    ("stops", stops),
    ("failover", failover),
    ("stalls", stalls),
    ("writers", writers),
    ("leaks", leaks),
];

fn all() -> i32 {
    CAMPAIGNS.iter().for_each(|(name, _)| run_named(name));
    0
}

fn run_faults(names: &[String]) {
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    campaign::faults_among(&std::env::current_exe().unwrap(), Size::Whole, &names);
}

fn run_named(name: &str) {
    let program = std::env::current_exe().unwrap();
    let started = std::time::Instant::now();
    for (_, campaign) in CAMPAIGNS.iter().filter(|(known, _)| *known == name) {
        campaign(&program, Size::Whole);
    }
    println!("{name}: done in {:.0} s", started.elapsed().as_secs_f64());
}
