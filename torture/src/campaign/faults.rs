//! Every call that can fail does, each at every place: a full disk, a broken one, an interrupted call, no descriptor
//! left, a disk that became read-only.

use std::path::Path;

use super::kill::all_succeeded;
use super::power::lay_out;
use super::{Faults, Size, counted, undisturbed};
use crate::disk::{Disk, Fate, Trust};
use crate::home::{Home, on_all_processors};
use crate::model::Expected;
use crate::observe::check;
use crate::run::{Report, follow, run};
use crate::script::Op;
use crate::trap::{Entry, Event, FAULTS, Fault, Kind, Plan};
use crate::worker::{Honesty, Script};

/// Makes calls fail, and prints how often. `program` is the one that this crate builds.
///
/// # Panics
/// Where a call panics, is acknowledged and not done, or leaves a store that is of no use.
pub fn faults(program: &Path, size: Size) {
    faults_among(program, size, &FAULTS.map(|(name, _)| name));
}

/// As [`faults`], of these kinds alone.
pub(crate) fn faults_among(program: &Path, size: Size, names: &[&str]) {
    let home = Home::new();
    let Some(calm) = undisturbed(program, &home, Script::Short, "I/O errors") else { return };
    let ops = Script::Short.ops();
    all_succeeded(&calm.reports, &ops);
    let journal = calm.journal();
    let (mut all, mut total, mut wrong) = (Vec::new(), 0, Faults::default());
    for (name, fault) in FAULTS.into_iter().filter(|(name, _)| names.contains(name)) {
        let calls = if fault.kind == Kind::Read { READS } else { of_kind(&journal, fault.kind) };
        let step = if size == Size::Whole { 1 } else { (calls / 8).max(1) };
        let once = (1..=calls).step_by(step).map(|from| (from, 1));
        // A fault that stays for a while, and then goes: space is freed, a disk is mounted anew.
        let lasting = (1..=calls).step_by(step * 5).map(|from| (from, 12));
        let points: Vec<_> = once.chain(lasting).collect();
        let outcomes = on_all_processors(&points, |point| strike(program, &home, &ops, fault, *point));
        for (point, outcome) in points.iter().zip(outcomes) {
            match outcome {
                Ok(kinds) => all.extend(kinds.into_iter().map(|kind| format!("{name}: {kind}"))),
                Err(what) => wrong.add(format!("{name} at {point:?}: {what}")),
            }
        }
        println!("I/O errors: {name}: {} points over {calls} calls, {} faults by now", points.len(), wrong.count);
        total += points.len();
    }
    println!("I/O errors: {total} points, {} faults; what the first caller was told: {}", wrong.count, counted(all));
    wrong.none("I/O errors");

    let fault = FAULTS[0].1;
    let points: Vec<_> = (1..=of_kind(&journal, Kind::Sync)).step_by(9).collect();
    let lies = on_all_processors(&points, |at| {
        let Ok(run) = run(program, &home, fails(fault, (*at, 12)), Script::Short, Honesty::Liar) else { return false };
        run.expected(&ops).map_or(true, |expected| check(&home, run.room.path(), &expected).is_err())
    });
    let noticed = lies.iter().filter(|noticed| **noticed).count();
    println!("I/O errors: teeth: false acknowledgements were caught at {noticed} of {} points", lies.len());
    assert!(noticed > 0, "a false acknowledgement goes unnoticed");
}

/// The first so many reads; there are thousands, and they repeat themselves.
const READS: usize = 300;

fn fails(fault: Fault, (from, times): (usize, u64)) -> Plan {
    Plan::Fail { fault, from: from as u64, times }
}

fn of_kind(journal: &[Entry], kind: Kind) -> usize {
    let is = |entry: &&Entry| match &entry.event {
        Event::Open { .. } => kind == Kind::Open,
        Event::Write { .. } => kind == Kind::Write,
        Event::Truncate { .. } => kind == Kind::Truncate,
        Event::Sync { .. } => kind == Kind::Sync,
        Event::Unlink { .. } => kind == Kind::Unlink,
        Event::Rename { .. } | Event::Link { .. } => kind == Kind::Rename,
        _ => false,
    };
    journal.iter().filter(is).count()
}

/// Runs one worker through a fault. Returns the kind of the first error that its callers saw, if any.
fn strike(program: &Path, home: &Home, ops: &[Op], fault: Fault, point: (usize, u64)) -> Result<Vec<String>, String> {
    let run =
        run(program, home, fails(fault, point), Script::Short, Honesty::Honest).map_err(|_| "no trap any more")?;
    if !run.status.success() || !run.complaints.is_empty() {
        return Err(format!("it did not end well: {}{}", run.status, run.complaints));
    }
    let mut failed = Vec::new();
    for report in &run.reports {
        if let Report::Failed(number, kind) = report {
            failed.push((*number, kind.as_str().to_owned()));
        }
    }
    let expected = run.expected(ops)?;
    check(home, run.room.path(), &expected).map_err(|what| format!("{what} ({failed:?})"))?;
    // A fault that has gone is over: the last call of the script succeeds again, unless it is the one that met it.
    if point.1 == 1 && failed.len() > 1 && run.reports.last() != Some(&Report::Done(ops.len() - 1)) {
        return Err(format!("the store did not recover: {failed:?}"));
    }
    if fault.kind == Kind::Sync {
        after_a_power_cut(home, &run.journal(), run.room.path(), ops)?;
    }
    // The later ones may only follow from the first: what was not created is not found.
    Ok(failed.into_iter().take(1).map(|(_, kind)| kind).collect())
}

/// What failed to be flushed may never reach the disk. What was acknowledged afterwards must all the same.
fn after_a_power_cut(home: &Home, journal: &[Entry], room: &Path, ops: &[Op]) -> Result<(), String> {
    let mut disk = Disk::new(room, Trust::All);
    let mut expected = Expected::nothing();
    let (mut failed, mut checked) = (false, 0);
    for entry in journal {
        disk.apply(entry);
        failed |= matches!(entry.event, Event::Sync { .. }) && entry.outcome < 0;
        let Event::Said { bytes } = &entry.event else { continue };
        for report in Report::all(bytes) {
            follow(&mut expected, ops, report)?;
        }
        if !failed || checked == 3 {
            continue;
        }
        checked += 1;
        for fate in [Fate::Dropped, Fate::Kept] {
            let room = home.room();
            lay_out(room.path(), &disk.image(|_| fate, |_| true));
            check(home, room.path(), &expected).map_err(|what| format!("after a power cut ({fate:?}): {what}"))?;
        }
    }
    Ok(())
}
