//! Durable writes: each against one durable write of a row of that size, and an edit against a put.

use std::cell::Cell;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use secretkit::{Description, MetadataEdit, PutMode, Scope, SecretId, SecretValue, Setting, StableId};
use tempfile::TempDir;

use crate::Result;
use crate::fill::{TASK, address};
use crate::measure::{far_apart, repeat, typical};
use crate::plan::Plan;
use crate::stores::{BESIDE_THE_BUILDS, COLUMNS, OnDisk};
use crate::syncs::{self, counted};
use crate::table::{Table, Target};

const ROUNDS: usize = 1_000;

/// So many secrets are there for an edit: every one has its turn, and none twice running.
const COUNT: u32 = 1_000;

pub(super) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    create(plan, table)?;
    edit_against_put(plan, table)?;
    edit_against_update(plan, table)
}

fn create(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "durable create, SqliteStore";
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    let (folder, flushes) = (folder()?, (Cell::new(0), Cell::new(0)));
    let (theirs, ours) = stores(&folder, 1)?;

    let connection = theirs.bare()?;
    let mut row = one_row(&connection)?;
    let placeholders = vec!["?"; row.len()].join(", ");
    let mut insert = connection.prepare(&format!("INSERT INTO secrets ({COLUMNS}) VALUES ({placeholders})"))?;
    let mut number = 0_u32;
    let mut baseline = repeat(counted(&flushes.0, || {
        number += 1;
        // A key of the same length, and an id that sorts as far from the one before as a random one does.
        row[4] = Value::Text(format!("key4-{number:07}"));
        row[5] = Value::Blob(
            u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes().into(),
        );
        Ok(insert.execute(params_from_iter(&row))?)
    }));

    let (secrets, _) = ours.open()?;
    let (scope, value) = (TASK.parse::<Scope>()?, value(7));
    let mut number = 0;
    let mut create = repeat(counted(&flushes.1, || {
        number += 1;
        Ok(secrets.put(&address(&scope, number)?, &value, PutMode::Create)?)
    }));

    let pair = typical(ROUNDS, &mut baseline, &mut create)?;
    table.times(OPERATION, "insert", pair, Target::Times(1.5));
    note_flushes(table, OPERATION, (flushes.0.get(), flushes.1.get()));
    Ok(())
}

fn edit_against_put(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "durable edit of metadata, against a put";
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    let (folder, flushes) = (folder()?, (Cell::new(0), Cell::new(0)));
    let (theirs, ours) = stores(&folder, COUNT)?;
    let ids = ids()?;

    let (secrets, _) = theirs.open()?;
    let (values, mut count) = ([value(7), value(8)], 0);
    let mut next = far_apart(&ids);
    let mut baseline = repeat(counted(&flushes.0, || {
        count += 1;
        Ok(secrets.put(next()?, &values[count % 2], PutMode::Overwrite)?)
    }));

    let (secrets, _) = ours.open()?;
    let mut edit = edits(&ids);
    let mut edit = repeat(counted(&flushes.1, || {
        let (id, edit) = edit()?;
        Ok(secrets.edit(id, &edit, None)?)
    }));

    let pair = typical(ROUNDS, &mut baseline, &mut edit)?;
    table.times(OPERATION, "put of the same secret", pair, Target::Times(1.1));
    note_flushes(table, OPERATION, (flushes.0.get(), flushes.1.get()));
    Ok(())
}

fn edit_against_update(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "durable edit of metadata, SqliteStore";
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    let (folder, flushes) = (folder()?, (Cell::new(0), Cell::new(0)));
    let (theirs, ours) = stores(&folder, COUNT)?;
    let ids = ids()?;

    // What an edit changes of the row, and nothing beside.
    let connection = theirs.bare()?;
    let mut update = connection.prepare(
        "UPDATE secrets SET generation = generation + 1, description = ?2, updated_at = ?3, updated_by = ?4, \
         head_mac = ?5 WHERE id = ?1",
    )?;
    let (stable, mac) = (stable_ids(&connection)?, one_row(&connection)?.swap_remove(21));
    let (mut next, mut count) = (far_apart(&stable), 0);
    let mut baseline = repeat(counted(&flushes.0, || {
        count += 1;
        let row = params![next()?.as_bytes(), description(count), i64::from(count), "someone@somewhere", mac];
        Ok(update.execute(row)?)
    }));

    let (secrets, _) = ours.open()?;
    let mut edit = edits(&ids);
    let mut edit = repeat(counted(&flushes.1, || {
        let (id, edit) = edit()?;
        Ok(secrets.edit(id, &edit, None)?)
    }));

    let pair = typical(ROUNDS, &mut baseline, &mut edit)?;
    table.times(OPERATION, "update of the row", pair, Target::Times(1.5));
    note_flushes(table, OPERATION, (flushes.0.get(), flushes.1.get()));
    Ok(())
}

/// One secret after the other, each with a description that it does not have yet.
fn edits<'a>(ids: &'a [SecretId]) -> impl FnMut() -> Result<(&'a SecretId, MetadataEdit)> {
    let (mut next, mut count) = (far_apart(ids), 0);
    move || {
        count += 1;
        let mut edit = MetadataEdit::default();
        edit.description = Setting::Set(Description::parse(&description(count))?);
        Ok((next()?, edit))
    }
}

fn description(count: u32) -> String {
    format!("Password of the reporting database, seen to for time {count:05}")
}

fn folder() -> Result<TempDir> {
    Ok(tempfile::tempdir_in(BESIDE_THE_BUILDS)?)
}

/// Two of the same size.
fn stores(folder: &TempDir, count: u32) -> Result<(OnDisk, OnDisk)> {
    let new = |name: &str| OnDisk::filled(&Path::join(folder.path(), name), count, &[TASK]);
    Ok((new("baseline")?, new("ours")?))
}

fn ids() -> Result<Vec<SecretId>> {
    let scope = TASK.parse()?;
    Ok((0..COUNT).map(|number| address(&scope, number)).collect::<secretkit::Result<_>>()?)
}

fn value(byte: u8) -> SecretValue {
    SecretValue::init_with(32, |bytes| bytes.fill(byte))
}

fn one_row(connection: &Connection) -> Result<Vec<Value>> {
    let row = connection.query_row(&format!("SELECT {COLUMNS} FROM secrets"), (), |row| {
        (0..23).map(|column| row.get(column)).collect()
    })?;
    Ok(row)
}

fn stable_ids(connection: &Connection) -> Result<Vec<StableId>> {
    let mut statement = connection.prepare("SELECT id FROM secrets ORDER BY rowid")?;
    let ids = statement.query_map((), |row| row.get(0).map(StableId::from_bytes))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

fn note_flushes(table: &mut Table, operation: &str, (baseline, ours): (u64, u64)) {
    match syncs::so_far() {
        Some(_) => table.note(format!(
            "{operation}: {ROUNDS} of ours flushed {ours} times, {ROUNDS} of the baseline {baseline} times."
        )),
        None => table.note(format!("{operation}: flushes can be counted on Linux only.")),
    }
}
