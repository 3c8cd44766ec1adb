//! Runs one worker and keeps what it said.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use secretkit_core::ErrorKind;
use tempfile::TempDir;

use crate::home::Home;
use crate::model::Expected;
use crate::script::Op;
use crate::trap::{Entry, Plan, read};
use crate::worker::{Honesty, NO_TRAP, Orders, Script, kind_named};

/// A worker that has ended, and what it left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) room: TempDir,
    pub(crate) reports: Vec<Report>,
    pub(crate) status: ExitStatus,
    /// What it wrote on standard error: nothing, unless it panicked.
    pub(crate) complaints: String,
    journal: PathBuf,
}

/// What a worker says of an operation, by its number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Report {
    Begin(usize),
    Done(usize),
    Failed(usize, ErrorKind),
}

impl Report {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("= ")?.split(' ');
        let number = words.next()?.parse().ok()?;
        match (words.next()?, words.next()) {
            ("begin", None) => Some(Self::Begin(number)),
            ("done", None) => Some(Self::Done(number)),
            ("failed", Some(kind)) => Some(Self::Failed(number, kind_named(kind))),
            _ => None,
        }
    }

    /// All that were said at once.
    pub(crate) fn all(said: &[u8]) -> Vec<Self> {
        String::from_utf8_lossy(said).lines().filter_map(Self::parse).collect()
    }
}

/// Why a campaign that needs a trap is not run here.
#[derive(Debug)]
pub(crate) struct NoTrap;

/// Runs a worker to its end, whichever that is.
pub(crate) fn run(program: &Path, home: &Home, plan: Plan, script: Script, honesty: Honesty) -> Result<Run, NoTrap> {
    let room = home.room();
    let journal = room.path().with_extension("journal");
    let orders = Orders { room: room.path().to_owned(), keys: home.path().to_owned(), journal, plan, script, honesty };
    let output = Command::new(program).args(orders.arguments()).stdin(Stdio::null()).output().unwrap();
    if output.status.code() == Some(NO_TRAP) {
        return Err(NoTrap);
    }
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    let reports = Report::all(&output.stdout);
    Ok(Run { room, reports, status: output.status, complaints, journal: orders.journal })
}

impl Run {
    /// What it did with its files.
    pub(crate) fn journal(&self) -> Vec<Entry> {
        read(&self.journal)
    }

    /// What its store should hold.
    ///
    /// # Errors
    /// Where it said what cannot be.
    pub(crate) fn expected(&self, ops: &[Op]) -> Result<Expected, String> {
        let mut expected = Expected::nothing();
        for report in &self.reports {
            follow(&mut expected, ops, *report)?;
        }
        Ok(expected)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.journal));
    }
}

/// Takes note of what a worker said.
///
/// # Errors
/// Where it cannot be.
pub(crate) fn follow(expected: &mut Expected, ops: &[Op], report: Report) -> Result<(), String> {
    let (number, outcome) = match report {
        Report::Begin(number) => {
            expected.begin(&ops[number]);
            return Ok(());
        }
        Report::Done(number) => (number, Ok(())),
        Report::Failed(number, kind) => (number, Err(kind)),
    };
    if expected.end(outcome) {
        return Ok(());
    }
    Err(format!("{} (number {number}) cannot have ended with {outcome:?}", ops[number]))
}
