//! A durable create against one durable insert.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use secretkit::{PutMode, Scope, SecretValue};

use crate::Result;
use crate::fill::{TASK, address};
use crate::measure::{repeat, typical};
use crate::plan::Plan;
use crate::stores::{COLUMNS, OnDisk};
use crate::syncs;
use crate::table::{Table, Target};

const ROUNDS: usize = 1_000;

pub(super) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "durable create, SqliteStore";
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    // Beside the builds and not where temporary files are: that may be memory.
    let folder = tempfile::tempdir_in(concat!(env!("CARGO_MANIFEST_DIR"), "/../target"))?;
    let (theirs, ours) = (folder.path().join("baseline"), folder.path().join("ours"));
    let (theirs, ours) = (OnDisk::filled(&theirs, 1, &[TASK])?, OnDisk::filled(&ours, 1, &[TASK])?);

    let connection = theirs.bare()?;
    let mut row = one_row(&connection)?;
    let placeholders = vec!["?"; row.len()].join(", ");
    let mut insert = connection.prepare(&format!("INSERT INTO secrets ({COLUMNS}) VALUES ({placeholders})"))?;
    let (mut number, mut flushes) = (0_u32, (0, 0));
    let mut baseline = repeat(|| {
        number += 1;
        let before = syncs::so_far();
        // A key of the same length, and an id that sorts as far from the one before as a random one does.
        row[4] = Value::Text(format!("key4-{number:07}"));
        row[5] = Value::Blob(
            u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes().into(),
        );
        insert.execute(params_from_iter(&row))?;
        flushes.0 += syncs::so_far().zip(before).map_or(0, |(after, before)| after - before);
        Ok(())
    });

    let (secrets, _) = ours.open()?;
    let (scope, value) = (TASK.parse::<Scope>()?, SecretValue::init_with(32, |bytes| bytes.fill(7)));
    let mut of_ours = 0;
    let mut number = 0;
    let mut create = repeat(|| {
        number += 1;
        let id = address(&scope, number)?;
        let before = syncs::so_far();
        let info = secrets.put(&id, &value, PutMode::Create)?;
        of_ours += syncs::so_far().zip(before).map_or(0, |(after, before)| after - before);
        Ok(info)
    });

    let pair = typical(ROUNDS, &mut baseline, &mut create)?;
    table.times(OPERATION, "insert", pair, Target::Times(1.5));
    drop((baseline, create));
    flushes.1 = of_ours;
    match syncs::so_far() {
        Some(_) => table.note(format!(
            "{OPERATION}: {ROUNDS} of ours flushed {} times, {ROUNDS} of the baseline {} times.",
            flushes.1, flushes.0
        )),
        None => table.note(format!("{OPERATION}: flushes can be counted on Linux only.")),
    }
    Ok(())
}

fn one_row(connection: &Connection) -> Result<Vec<Value>> {
    let row = connection.query_row(&format!("SELECT {COLUMNS} FROM secrets"), (), |row| {
        (0..23).map(|column| row.get(column)).collect()
    })?;
    Ok(row)
}
