//! The campaigns. Each prints what it counted, and ends with a panic that says what is wrong.

mod crowd;
mod failover;
mod faults;
mod flips;
mod kill;
mod leaks;
mod memory;
mod power;
mod stalls;
mod stops;
mod writers;

use std::collections::BTreeMap;
use std::path::Path;

use secretkit_postgres::Commits;
use secretkit_test_postgres::{Database, Server};

use crate::home::Home;
use crate::run::{NoTrap, Run, run};
use crate::trap::Plan;
use crate::worker::{Honesty, Script};

pub use crowd::crowd;
pub(crate) use crowd::member;
pub use failover::failover;
pub use faults::faults;
pub(crate) use faults::faults_among;
pub use flips::flips;
pub use kill::kill;
pub use leaks::leaks;
pub use memory::memory;
pub(crate) use memory::scan_own_memory;
pub use power::power;
pub use stalls::stalls;
pub use stops::stops;
pub use writers::writers;

/// How much of a campaign is run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "with every other test, or by itself")]
pub enum Size {
    /// Some seconds, as a test among others.
    Short,
    /// All of it, as often as its figure in `docs/reliability.md` says.
    Whole,
}

/// What was found wrong. An empty list is what everybody wants.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    count: usize,
    first: Vec<String>,
}

impl Faults {
    pub(crate) fn add(&mut self, what: String) {
        self.count += 1;
        if self.first.len() < 10 {
            self.first.push(what);
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn none(&self, campaign: &str) {
        assert!(self.count == 0, "{campaign}: {} faults, the first of them:\n{}", self.count, self.first.join("\n"));
    }
}

/// A fresh database, in which a store's commits will be made so.
fn database_for(server: &Server, commits: Commits) -> Database {
    let database = server.database();
    if commits == Commits::Transaction {
        database.sql("DROP EXTENSION plpgsql;");
    }
    database
}

/// A campaign's name, where a store's commits are made so.
fn named(campaign: &str, commits: Commits) -> String {
    if commits == Commits::Transaction { format!("{campaign} (without functions)") } else { campaign.to_owned() }
}

/// How often each word was met, as a report shows it.
fn counted(words: impl IntoIterator<Item = String>) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    let counts: Vec<_> = counts.into_iter().map(|(word, count)| format!("{word} {count}")).collect();
    counts.join(", ")
}

/// A worker that nothing happens to; `None`, with the reason printed, where it cannot be watched.
fn undisturbed(program: &Path, home: &Home, script: Script, campaign: &str) -> Option<Run> {
    match run(program, home, Plan::Watch, script, Honesty::Honest) {
        Ok(run) => {
            assert!(run.status.success(), "the worker failed by itself: {}", run.complaints);
            Some(run)
        }
        Err(NoTrap) => {
            println!("skipped: {campaign}: this machine lets no process filter its own calls (seccomp)");
            None
        }
    }
}
