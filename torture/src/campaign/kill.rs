//! A process is killed at every call that changes a file: before it, in the middle of a write, and after it.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use super::{Faults, Size, counted, undisturbed};
use crate::home::{Home, on_all_processors};
use crate::observe::check;
use crate::run::{Report, run};
use crate::script::Op;
use crate::trap::{Entry, Event, Moment, Plan};
use crate::worker::{Honesty, Script};

/// Kills workers, and prints how often. `program` is the one that this crate builds.
///
/// # Panics
/// Where an acknowledged write is lost, a change is there by half, a record does not open, or a store is of no use.
pub fn kill(program: &Path, size: Size) {
    let home = Home::new();
    let Some(run) = undisturbed(program, &home, Script::Short, "kill") else { return };
    let ops = Script::Short.ops();
    all_succeeded(&run.reports, &ops);
    let calls = run.journal().iter().filter(|entry| changes(entry)).count() as u64;
    let moments = [Moment::Before, Moment::Within, Moment::After];
    let points = (1..=calls).flat_map(|at| moments.map(|moment| (at, moment)));
    let step = if size == Size::Whole { 1 } else { calls as usize * 3 / 90 };
    let points: Vec<_> = points.step_by(step.max(1)).collect();
    let killed = on_all_processors(&points, |point| strike(program, &home, &ops, *point, Honesty::Honest));

    let mut faults = Faults::default();
    let mut slowest = Duration::ZERO;
    for (point, (_, outcome)) in points.iter().zip(&killed) {
        match outcome {
            Ok(took) => slowest = slowest.max(*took),
            Err(what) => faults.add(format!("{point:?}: {what}")),
        }
    }
    // Ids are random, and so are the pages that they fall on: a run has some calls more or fewer than another.
    let missed = killed.iter().filter(|(op, _)| op == MISSED).count();
    let during = counted(killed.iter().filter(|(op, _)| op != MISSED).map(|(op, _)| op.clone()));
    println!("kill: {} points, {} faults, slowest reopen {slowest:?}", points.len() - missed, faults.count);
    println!("kill: {calls} calls in the script, {missed} points not reached; killed during {during}");
    assert!(missed <= 2 + points.len() / 50, "the points are not where they should be");
    faults.none("kill");

    let late: Vec<_> = points.iter().step_by(points.len() / 20).copied().collect();
    let lies = on_all_processors(&late, |point| strike(program, &home, &ops, *point, Honesty::Liar).1);
    let noticed = lies.iter().filter(|outcome| outcome.is_err()).count();
    println!("kill: teeth: a worker that acknowledges too early was caught at {noticed} of {} points", lies.len());
    assert!(noticed > 0, "a kill that loses what was acknowledged goes unnoticed");
}

/// What a worker was doing that came to its end before the call it was to be killed at.
const MISSED: &str = "nothing, it was done";

/// Kills one worker and checks what it leaves. Says during which operation that was.
fn strike(
    program: &Path,
    home: &Home,
    ops: &[Op],
    (at, moment): (u64, Moment),
    honesty: Honesty,
) -> (String, Result<Duration, String>) {
    let Ok(run) = run(program, home, Plan::Kill { at, moment }, Script::Short, honesty) else {
        return (String::new(), Err("no trap any more".to_owned()));
    };
    let expected = match run.expected(ops) {
        Ok(expected) => expected,
        Err(what) => return (String::new(), Err(what)),
    };
    let during = expected.under_way().map_or_else(|| "the end".to_owned(), ToString::to_string);
    if run.status.success() && expected.under_way().is_none() {
        return (MISSED.to_owned(), check(home, run.room.path(), &expected));
    }
    if run.status.signal() != Some(libc::SIGKILL) {
        return (during, Err(format!("it was not killed: {}{}", run.status, run.complaints)));
    }
    (during, check(home, run.room.path(), &expected))
}

/// Whether a call counts as a point to be killed at.
pub(super) fn changes(entry: &Entry) -> bool {
    match &entry.event {
        Event::Open { flags, .. } => flags & libc::O_CREAT != 0,
        Event::Close { .. } | Event::Read | Event::Said { .. } => false,
        _ => true,
    }
}

/// Undisturbed, every operation of a script is done.
pub(super) fn all_succeeded(reports: &[Report], ops: &[Op]) {
    let failed: Vec<_> = reports.iter().filter(|report| matches!(report, Report::Failed(..))).collect();
    assert!(failed.is_empty(), "operations of the script fail by themselves: {failed:?}");
    assert_eq!(reports.last(), Some(&Report::Done(ops.len() - 1)), "the script was not done to its end");
}
