//! What a task pays that is written in Python. The ratios are against peers, so here are times.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::measure::fastest_alone;
use crate::plan::Plan;
use crate::stores::OnDisk;
use crate::table::Table;
use crate::worker::Worker;

pub(super) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    for (operation, measured) in
        [("Python get, second in a task", "second-get"), ("Python task with one secret + get", "enter-and-get")]
    {
        if !plan.wants(operation) {
            continue;
        }
        let Some(python) = &plan.python else {
            table.note(format!("{operation}: needs --python, which benches/run gives."));
            continue;
        };
        let mut worker = start(python)?;
        let ours = fastest_alone(&mut |times| worker.measure(measured, times))?;
        table.alone(operation, "see bench-peers", ours);
    }
    Ok(())
}

/// An interpreter that has the release wheel, and reads from a store of a thousand.
pub(super) fn start(python: &Path) -> Result<Worker> {
    let place = OnDisk::kept(1_000)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/ours.py");
    Worker::start(Command::new(python).arg(script).arg(&place.store).arg(&place.key))
}
