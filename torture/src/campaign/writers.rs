//! Thirty-two connections write the same hundred names, from two processes.

use std::path::Path;
use std::time::{Duration, Instant};

use secretkit_postgres::{Commits, PostgresStore};
use secretkit_test_postgres::{Durability, Options, Server};

use super::{Faults, Size, database_for, named};
use crate::fleet::{BUSY_AFTER, Fleet, Room, end};
use crate::home::Home;

const PROCESSES: usize = 2;
const CONNECTIONS: usize = 16;
/// Threads that share one connection.
const CROWD: usize = 12;

/// Lets writers meet in a PostgreSQL store, and prints how often. `program` is the one that this crate builds.
///
/// # Panics
/// Where a revision is missing or has two winners, a deadlock is met, or a full pool does not answer in time.
pub fn writers(program: &Path, size: Size) {
    let Some(server) = Options::new().durability(Durability::Relaxed).start() else { return };
    let (writes, in_transactions) = if size == Size::Whole { (1000, 100) } else { (15, 3) };
    meet(program, &server, size, Commits::Function, writes);
    meet(program, &server, size, Commits::Transaction, in_transactions);
}

fn meet(program: &Path, server: &Server, size: Size, commits: Commits, writes: usize) {
    let campaign = named("writers", commits);
    let (database, home, mut faults) = (database_for(server, commits), Home::new(), Faults::default());
    let url = database.address().with("statement_timeout", "1min").with("lock_timeout", "1min");
    let url = url.with("pool_timeout", "1min").to_string();
    drop(PostgresStore::create(&url.parse().unwrap()).unwrap());
    let room = Room::make(home.path(), &url);
    let orders = |number: usize, threads: usize, writes: String| {
        let room = room.path().display().to_string();
        vec!["writer".to_owned(), room, number.to_string(), threads.to_string(), writes]
    };
    let started = Instant::now();
    let crowd = Fleet::of(program, &[orders(PROCESSES, CROWD, "crowd".to_owned())]);
    let all: Vec<_> = (0..PROCESSES).map(|number| orders(number, CONNECTIONS, writes.to_string())).collect();
    let writers = Fleet::of(program, &all);
    // However fast the machine is, whoever has the connection waits for a moment, and all others for the connection.
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(300));
        database.sql("BEGIN; LOCK TABLE secretkit.secrets; SELECT pg_sleep(0.2); COMMIT;");
    }
    let ledger = writers.stop(&mut faults);
    let took = started.elapsed();
    let crowd = crowd.stop(&mut faults);
    let secrets = room.open("the judge").unwrap();
    let lost = ledger.compare(&secrets, &room, &mut faults);
    // A connection counts what it met when it ends.
    drop(secrets);
    while server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'secretkit';") != "0" {}
    let deadlocks = server.sql("SELECT sum(deadlocks) FROM pg_stat_database;");
    // Transactions may meet crosswise: then one is undone, and begins anew.
    if commits == Commits::Function && (deadlocks != "0" || server.log().contains("deadlock detected")) {
        faults.add(format!("{deadlocks} deadlocks"));
    }
    crowd.wrong.iter().for_each(|what| faults.add(format!("the crowd says: {what}")));
    let busy = crowd.failed.get("busy").copied().unwrap_or_default();
    let slowest = Duration::from_millis(crowd.most.get("busy").copied().unwrap_or_default());
    // The processor is not theirs alone.
    if busy == 0 || slowest > BUSY_AFTER + Duration::from_secs(5) {
        faults.add(format!("{busy} times a full pool said so, at the latest after {slowest:?}"));
    }
    println!(
        "{campaign}: {} connections, {writes} writes each, {took:.0?}: {} changes acknowledged, {lost} lost, {deadlocks} \
         deadlocks, {} faults; told: {}",
        PROCESSES * CONNECTIONS,
        ledger.acknowledged(),
        faults.count,
        ledger.failures()
    );
    println!(
        "{campaign}: a full pool said so {busy} times, at the latest after {slowest:?}; its time-out is {BUSY_AFTER:?}"
    );
    end(size, &campaign, server, &room, faults);
    ledger.notices_a_second_winner();
}
