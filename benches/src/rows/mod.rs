//! The rows of the table, by what they measure.

mod durable;
mod memory;
mod peers;
mod processes;
mod python;
mod scale;
mod sealing;
mod sqlite;

use crate::Result;
use crate::plan::Plan;
use crate::table::Table;

pub(crate) use scale::{RESIDENT_PROBE, resident_after_opening};

pub(crate) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    sealing::run(plan, table)?;
    memory::run(plan, table)?;
    sqlite::run(plan, table)?;
    durable::run(plan, table)?;
    scale::run(plan, table)?;
    processes::run(plan, table)?;
    python::run(plan, table)?;
    peers::run(plan, table)
}
