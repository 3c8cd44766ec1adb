//! Many connections that write the same few names at once: every write has one winner, and nobody waits for ever.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

use secretkit_core::{ErrorKind, PutItem, PutMode, SecretId, SecretValue, Secrets, Verified};
use secretkit_postgres::PostgresStore;
use support::{Home, id, url};

const WRITERS: usize = 16;
const ROUNDS: usize = 40;
const NAMES: usize = 12;

#[test]
fn mixed_writes_of_the_same_names_leave_dense_revisions_and_no_deadlock() {
    let Some(home) = Home::new() else { return };
    crowd(&home, WRITERS, ROUNDS);
    // A connection counts what it met when it ends.
    let open =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'secretkit' AND datname = current_database();";
    while home.database.sql(open) != "0" {}
    let deadlocks = home.database.sql("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database();");
    assert_eq!(deadlocks, "0");
}

/// Here whoever meets others begins anew, and most do.
#[test]
fn mixed_writes_in_transactions_leave_dense_revisions() {
    let Some(home) = Home::new().map(Home::without_functions) else { return };
    crowd(&home, WRITERS / 2, ROUNDS / 4);
}

fn crowd(home: &Home, writers: usize, rounds: usize) {
    // Four processes, as far as the server can tell, each with fewer connections than threads.
    let address = home.database.address().with("pool_size", "3").with("pool_timeout", "1min");
    let stores: Vec<Arc<Secrets>> =
        (0..4).map(|_| Arc::new(home.secrets(PostgresStore::create(&url(&address)).unwrap()))).collect();
    let names: Vec<SecretId> = (0..NAMES).map(|number| id(&format!("acme/etl:name-{number}"))).collect();
    let (written, barrier) = (AtomicU64::new(0), Barrier::new(writers));
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let (secrets, names, written, barrier) = (&stores[writer % stores.len()], &names, &written, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for round in 0..rounds {
                    let step = writer * 31 + round * 17;
                    written.fetch_add(write(secrets, names, step), Ordering::Relaxed);
                }
            });
        }
    });
    let verified = home.opened();
    let mut kept = 0;
    for name in &names {
        let Ok(history) = verified.history(name) else { continue };
        let numbers: Vec<u64> = history.iter().map(|info| info.revision.number()).collect();
        assert!(numbers.windows(2).all(|pair| pair[1].abs_diff(pair[0]) == 1), "{name}: {numbers:?}");
        kept += 1;
    }
    assert!(kept > 0);
    for step in verified.verify(names[0].org()) {
        for told in step.unwrap() {
            assert!(matches!(told, Verified::Progress(_)), "{told:?}");
        }
    }
    let events = home.database.sql("SELECT count(*) FROM secretkit.events;");
    assert!(events.parse::<u64>().unwrap() > written.load(Ordering::Relaxed), "each write has its event");
}

/// One write of one kind or another, and how many secrets it wrote. Whoever loses is told so.
fn write(secrets: &Secrets, names: &[SecretId], step: usize) -> u64 {
    let name = &names[step % names.len()];
    let value = SecretValue::copied_from(&step.to_be_bytes());
    let (outcome, count) = match step % 7 {
        0 | 1 => (secrets.put(name, &value, PutMode::Overwrite).map(drop), 1),
        2 => (secrets.put(name, &value, PutMode::Create).map(drop), 1),
        3 => (secrets.update(name, &value).map(drop), 1),
        4 => (secrets.delete(name).map(drop), 1),
        // Several at once, in an order of its own.
        _ => {
            let mut several: Vec<PutItem<'_>> = Vec::new();
            for number in 0..4 {
                let name = &names[(step * 5 + number * (1 + step % 5)) % names.len()];
                if several.iter().all(|item| item.id != *name) {
                    several.push(PutItem { id: name.clone(), value: &value });
                }
            }
            let count = several.len() as u64;
            (secrets.put_all(&several, PutMode::Overwrite).map(drop), count)
        }
    };
    match outcome.map_err(|error| error.kind()) {
        Ok(()) => count,
        Err(ErrorKind::NotFound | ErrorKind::AlreadyExists | ErrorKind::Conflict | ErrorKind::Busy) => 0,
        Err(kind) => panic!("step {step}: {kind}"),
    }
}

#[test]
fn a_commit_of_many_takes_each_in_its_turn() {
    let Some(home) = Home::new() else { return };
    many(&home);
}

/// It says far more at once than a connection holds, and so does the server.
#[test]
fn a_transaction_of_many_takes_each_in_its_turn() {
    let Some(home) = Home::new().map(Home::without_functions) else { return };
    many(&home);
}

fn many(home: &Home) {
    let secrets = home.created();
    let value = SecretValue::copied_from(&[7; 32]);
    let named = |number| PutItem { id: id(&format!("acme/etl:name-{number}")), value: &value };
    let items: Vec<_> = (0..MANY).map(named).collect();
    // Within the time-out of one statement, and many times over: were it quadratic, it would not be.
    assert_eq!(secrets.put_all(&items, PutMode::Create).unwrap().len(), MANY);
    assert_eq!(home.database.sql("SELECT count(*) FROM secretkit.events;"), format!("{}", MANY + 1));
    // And whatever the machine is like: one row that is written with each event makes it quadratic.
    drop(secrets);
    let written = || {
        let count = "SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname = 'lanes';";
        home.database.sql(count).parse::<u64>().unwrap()
    };
    // The server counts what a connection did when that ends.
    while written() == 0 {}
    assert!(written() < 10, "{}", written());
}

/// In one commit.
const MANY: usize = 10_000;
