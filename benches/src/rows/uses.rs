//! What it costs that uses are recorded.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secretkit::deliver::{Delivery, DeliveryOptions};
use secretkit::{Clock, ManualClock, PutMode, Scope, SecretId, SecretRequest, SecretValue, SystemClock};

use crate::Result;
use crate::fill::{TASK, address};
use crate::measure::{far_apart, fastest, repeat, typical};
use crate::plan::Plan;
use crate::stores::{BESIDE_THE_BUILDS, OnDisk};
use crate::syncs::{self, counted};
use crate::table::{Table, Target};

const ROUNDS: usize = 1_000;

pub(super) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    for (operation, count) in [("get, its use recorded", 1_000), ("get, its use recorded, 10,000 in use", 10_000)] {
        if plan.wants(operation) {
            get(operation, count, table)?;
        }
    }
    task(plan, table)
}

/// Within the minute in which a use is recorded once.
fn get(operation: &str, count: u32, table: &mut Table) -> Result<()> {
    let place = OnDisk::kept(count)?;
    let ((without, _), (with, _)) = (place.open()?, place.open()?);
    let without = without.without_usage();
    let ids = ids(count)?;
    let mut next = far_apart(&ids);
    let mut baseline = repeat(|| Ok(without.get(next()?)?));
    let mut next = far_apart(&ids);
    let mut ours = repeat(|| Ok(with.get(next()?)?));
    table.times(operation, "without_usage()", fastest(&mut baseline, &mut ours)?, Target::Times(1.1));
    Ok(())
}

fn task(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "task with 5 secrets, uses recorded at its end";
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    let folder = tempfile::tempdir_in(BESIDE_THE_BUILDS)?;
    let place = OnDisk::filled(&folder.path().join("ours"), 1_000, &[TASK])?;
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let ((without, _), (with, _)) = (place.open()?, place.open()?);
    let (without, with) = (without.without_usage(), with.with_clock(Arc::clone(&clock) as Arc<dyn Clock>));
    // A store that is in use has a log; the first write makes one, and flushes its head.
    let value = SecretValue::init_with(32, |bytes| bytes.fill(7));
    with.put(&address(&TASK.parse()?, 0)?, &value, PutMode::Overwrite)?;

    let (scope, options) = (TASK.parse::<Scope>()?, DeliveryOptions::default());
    let ids = ids(1_000)?;
    let requests: Vec<Vec<_>> =
        ids.chunks(5).map(|ids| ids.iter().map(|id| SecretRequest::new(id.name().clone())).collect()).collect();
    let mut next = far_apart(&requests);
    let mut baseline = repeat(|| Ok(Delivery::prepare(&without, &scope, next()?, &options)?.close()?));
    let (mut next, flushes) = (far_apart(&requests), Cell::new(0));
    let mut ours = counted(&flushes, || {
        // Every task's are due: no two are of the same minute.
        clock.advance(Duration::from_secs(61));
        let start = Instant::now();
        Delivery::prepare(&with, &scope, next()?, &options)?.close()?;
        Ok(start.elapsed())
    });
    let pair = typical(ROUNDS, &mut baseline, &mut |_| ours())?;
    drop(ours);
    table.times(OPERATION, "without_usage()", pair, Target::MoreMillis(0.5));
    match syncs::so_far() {
        Some(_) => table.note(format!("{OPERATION}: {ROUNDS} tasks flushed {} times.", flushes.get())),
        None => table.note(format!("{OPERATION}: flushes can be counted on Linux only.")),
    }
    let recorded = with.info(ids.first().ok_or("no secret")?)?;
    recorded.last_used().map(drop).ok_or_else(|| "no use was recorded".into())
}

fn ids(count: u32) -> Result<Vec<SecretId>> {
    let scope = TASK.parse()?;
    Ok((0..count).map(|number| address(&scope, number)).collect::<secretkit::Result<_>>()?)
}
