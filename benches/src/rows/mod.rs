//! The rows of the table, by what they measure.

mod durable;
mod fleet;
mod fleet_upkeep;
mod fleet_ways;
mod listing;
mod memory;
mod peers;
mod processes;
mod python;
mod scale;
mod sealing;
mod sqlite;
mod upkeep;
mod uses;

use crate::Result;
use crate::plan::Plan;
use crate::table::Table;

pub(crate) use listing::{PEAK_PROBE, peak_while_listing};
pub(crate) use scale::{RESIDENT_PROBE, resident_after_opening};

pub(crate) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    sealing::run(plan, table)?;
    memory::run(plan, table)?;
    sqlite::run(plan, table)?;
    uses::run(plan, table)?;
    durable::run(plan, table)?;
    listing::run(plan, table)?;
    upkeep::run(plan, table)?;
    scale::run(plan, table)?;
    fleet::run(plan, table)?;
    fleet_ways::run(plan, table)?;
    fleet_upkeep::run(plan, table)?;
    processes::run(plan, table)?;
    python::run(plan, table)?;
    peers::run(plan, table)
}
