//! What goes over a whole store: writing it anew under other keys, and verifying it. And opening one.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use secretkit::seal::KeyUse;
use secretkit::store::{EventRecord, Lane, Query, Target as Which, Want, Within};
use secretkit::{SecretRecord, Secrets, Verified};
use secretkit_core::internals::Keys;

use crate::Result;
use crate::fill::{ORG, TASK, address, org};
use crate::measure::{repeat, typical};
use crate::plan::Plan;
use crate::stores::{BESIDE_THE_BUILDS, COLUMNS, EXACT, OnDisk, read_rows};
use crate::table::{Table, Target};

const COUNT: u32 = 100_000;

pub(super) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    reencrypt(plan, table)?;
    verify(plan, table)?;
    open(plan, table)
}

fn reencrypt(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "reencrypt of 100,000";
    const ROUNDS: usize = 3;
    const BATCH: usize = 100;
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    let (kept, folder) = (OnDisk::kept(COUNT)?, tempfile::tempdir_in(BESIDE_THE_BUILDS)?);
    let (theirs, ours) = (kept.copied(&folder.path().join("baseline"))?, kept.copied(&folder.path().join("ours"))?);

    let (secrets, root) = theirs.open()?;
    let (keys, records) = (Keys::of(secrets.store(), &org()?, &*root)?, records(&secrets)?);
    drop(secrets);
    let mut connection = theirs.bare()?;
    let mut baseline =
        repeat(|| records.chunks(BATCH).try_for_each(|records| rewrite(&mut connection, &keys, records)));

    let (secrets, _) = ours.open()?;
    let mut ours = |_| {
        let added = secrets.keys().add(&org()?, KeyUse::Data)?;
        secrets.keys().promote(&org()?, added.id)?;
        let (start, mut rewritten) = (Instant::now(), 0);
        for progress in secrets.keys().reencrypt(&org()?, BATCH) {
            rewritten = progress?.rewritten;
        }
        let taken = start.elapsed();
        if rewritten == u64::from(COUNT) { Ok(taken) } else { Err(format!("{rewritten} were written").into()) }
    };
    let pair = typical(ROUNDS, &mut baseline, &mut ours)?;
    table.times(OPERATION, "select + open + seal + update", pair, Target::Times(2.0));
    Ok(())
}

/// One batch, rewritten in one transaction: read, opened, sealed, written where it stands.
fn rewrite(connection: &mut Connection, keys: &Keys, records: &[SecretRecord]) -> Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    {
        let mut select = transaction.prepare_cached(&format!("SELECT {COLUMNS} FROM secrets WHERE id = ?1"))?;
        let mut update = transaction.prepare_cached("UPDATE secrets SET head_mac = ?2, record = ?3 WHERE id = ?1")?;
        for record in records {
            let SecretRecord { head, mac, .. } = record;
            read_rows(&mut select, [head.id.as_bytes()], 1)?;
            let value = keys.check_and_open(record)?;
            let sealed = keys.seal(&head.address, &head.id, head.revision, &value)?;
            update.execute(params![head.id.as_bytes(), mac.to_bytes(), sealed.as_bytes()])?;
        }
    }
    Ok(transaction.commit()?)
}

fn verify(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "verify of 100,000";
    const WITH_EVENTS: &str = "verify of 100,000, against its events, too";
    const ROUNDS: usize = 5;
    if !plan.wants(OPERATION) && !plan.wants(WITH_EVENTS) {
        return Ok(());
    }
    let place = OnDisk::kept(COUNT)?;
    let (secrets, root) = place.open()?;
    let (keys, records, events) = (Keys::of(secrets.store(), &org()?, &*root)?, records(&secrets)?, events(&secrets)?);
    let bare = place.bare()?;
    let mut rows = || -> Result<()> {
        // In the order of the table. The plus keeps the planner from the index, after which it would sort.
        read_rows(
            &mut bare.prepare(&format!("SELECT {COLUMNS} FROM secrets WHERE +org = ?1 ORDER BY rowid"))?,
            [ORG],
            records.len(),
        )?;
        records.iter().try_for_each(|record| keys.check_and_open(record).map(drop).map_err(Into::into))
    };
    let chains = || -> Result<()> {
        let count = events.iter().map(Vec::len).sum();
        let select = "SELECT lane, seq, token, at, body, mac FROM events WHERE org = ?1 ORDER BY lane, seq";
        read_rows(&mut bare.prepare(select)?, [ORG], count)?;
        for lane in &events {
            let mut previous = None;
            for event in lane {
                keys.check_event(previous.as_ref(), event)?;
                previous = Some(event.head());
            }
        }
        Ok(())
    };
    let ours = || -> Result<()> {
        for step in secrets.verify(&org()?) {
            for told in step? {
                if let Verified::Wrong(finding) = told {
                    return Err(finding.to_string().into());
                }
            }
        }
        Ok(())
    };
    if plan.wants(OPERATION) {
        let pair = typical(ROUNDS, &mut repeat(&mut rows), &mut repeat(ours))?;
        table.times(OPERATION, "rows + open", pair, Target::Times(1.5));
    }
    if plan.wants(WITH_EVENTS) {
        let mut both = repeat(|| rows().and_then(|()| chains()));
        let pair = typical(ROUNDS, &mut both, &mut repeat(ours))?;
        table.times(WITH_EVENTS, "rows + open + events + chains", pair, Target::Times(1.5));
    }
    Ok(())
}

fn records(secrets: &Secrets) -> Result<Vec<SecretRecord>> {
    let listed = secrets.store().list(&Query::first(Within::Org(org()?), COUNT as usize))?;
    let wants: Vec<_> =
        listed.into_iter().map(|row| Want { target: Which::Exact(row.head.address), revision: None }).collect();
    let found: Option<Vec<_>> = secrets.store().fetch(&wants)?.into_iter().collect();
    Ok(found.ok_or("the store has lost a secret")?.into_iter().map(|fetched| fetched.record).collect())
}

fn events(secrets: &Secrets) -> Result<Vec<Vec<EventRecord>>> {
    Ok(Lane::all()
        .map(|lane| secrets.store().events(&org()?, lane, 0, usize::MAX))
        .collect::<secretkit::Result<_>>()?)
}

fn open(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "open with a key file + first get";
    const ROUNDS: usize = 400;
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    let place = OnDisk::kept(1_000)?;
    let id = address(&TASK.parse()?, 500)?;
    let (store, key) = (format!("sqlite:{}", place.store.display()), format!("file:{}", place.key.display()));
    let mut baseline = |_| {
        let start = Instant::now();
        let bare = place.bare()?;
        let key = [ORG, "etl", "production", "db", id.name().key().as_str()];
        let record: Vec<u8> =
            bare.query_row(&format!("SELECT record FROM secrets WHERE {EXACT}"), key, |row| row.get(0))?;
        std::hint::black_box(record);
        Ok(start.elapsed())
    };
    let mut ours = |_| -> Result<Duration> {
        let start = Instant::now();
        let secrets = secretkit::open(&store, &key)?;
        std::hint::black_box(secrets.get(&id)?);
        // Its end writes down who used it, and is no part of the opening.
        let taken = start.elapsed();
        drop(secrets);
        Ok(taken)
    };
    table.times(OPERATION, "SQLite + one select", typical(ROUNDS, &mut baseline, &mut ours)?, Target::Millis(5.0));
    Ok(())
}
