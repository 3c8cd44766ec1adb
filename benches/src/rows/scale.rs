//! What a great many secrets cost whoever wants one of them.

use std::path::Path;
use std::process::Command;

use secretkit::{Scope, SecretId, SqliteStore};

use crate::Result;
use crate::fill::{TASK, address, org};
use crate::measure::{far_apart, fastest, repeat};
use crate::plan::Plan;
use crate::stores::OnDisk;
use crate::table::{Table, Target};

const FEW: u32 = 1_000;
const MANY: u32 = 1_000_000;

pub(super) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    get(plan, table)?;
    resident(plan, table)
}

fn get(plan: &Plan, table: &mut Table) -> Result<()> {
    let rows = [("get, 1,000,000 secrets, 1,000 in use", FEW), ("get, 1,000,000 secrets, all in use", MANY)];
    for (operation, used) in rows {
        if !plan.wants(operation) {
            continue;
        }
        let ((few, _), (many, _)) = (OnDisk::kept(FEW)?.open()?, OnDisk::kept(MANY)?.open()?);
        let (near, far) = (scattered(FEW, FEW)?, scattered(MANY, used)?);
        let (mut near, mut far) = (far_apart(&near), far_apart(&far));
        let mut baseline = repeat(|| Ok(few.get(near()?)?));
        let mut ours = repeat(|| Ok(many.get(far()?)?));
        table.times(operation, "1,000 secrets", fastest(&mut baseline, &mut ours)?, Target::Times(1.5));
    }
    Ok(())
}

/// Addresses from all over a store of `count`, of which `used` are asked for; at the most so many that no cache of the
/// store's holds what they are read from.
fn scattered(count: u32, used: u32) -> Result<Vec<SecretId>> {
    const STEP: u32 = 617_239;
    let scope: Scope = TASK.parse()?;
    let numbers = (0..used.min(50_000)).scan(0, |at, _| {
        *at = (*at + STEP) % count;
        Some(*at)
    });
    Ok(numbers.map(|number| address(&scope, number)).collect::<secretkit::Result<_>>()?)
}

fn resident(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "memory after opening 1,000,000 secrets";
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    if !cfg!(target_os = "linux") {
        table.note(format!("{OPERATION}: read from /proc, which is not here."));
        return Ok(());
    }
    let (empty, many) = (OnDisk::kept(0)?, OnDisk::kept(MANY)?);
    let measured = |place: &OnDisk| -> Result<f64> {
        let output = Command::new(std::env::current_exe()?).arg(RESIDENT_PROBE).arg(&place.store).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    };
    table.memory(OPERATION, "empty store", measured(&empty)?, measured(&many)?, Target::MoreMegabytes(10.0));
    Ok(())
}

/// With this before the path of a store the program is the one whose memory is measured.
pub(crate) const RESIDENT_PROBE: &str = "--resident-after-opening";

/// The bytes that this process holds once it has opened the store and looked into it.
pub(crate) fn resident_after_opening(store: &Path) -> Result<u64> {
    use secretkit::SecretStore;

    let store = SqliteStore::open(store)?;
    store.keyring(&org()?)?;
    let pages: u64 = std::fs::read_to_string("/proc/self/statm")?.split(' ').nth(1).ok_or("no pages")?.parse()?;
    Ok(pages * rustix::param::page_size() as u64)
}
