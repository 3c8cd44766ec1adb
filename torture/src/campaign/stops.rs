//! A PostgreSQL server is stopped and killed under load, over and over.

use std::path::Path;
use std::time::{Duration, Instant};

use secretkit_postgres::{Commits, PostgresStore};
use secretkit_test_postgres::{Database, Options, Server};

use super::{Faults, Size, database_for, named};
use crate::fleet::{Fleet, Ledger, Room, end};
use crate::home::Home;
use crate::script::Random;

/// Stops servers while processes write, and prints how often. `program` is the one that this crate builds.
///
/// # Panics
/// Where an acknowledged write is lost, an outcome is told wrong, or a client does not go on.
pub fn stops(program: &Path, size: Size) {
    // All files of the server are flushed when it starts again: at once, and not one by one.
    let Some(server) = Options::new().setting("recovery_init_sync_method", "syncfs").start() else { return };
    let (rounds, in_transactions) = if size == Size::Whole { (50, 20) } else { (3, 1) };
    stopped(program, &server, size, Commits::Transaction, in_transactions);
    stopped(program, &server, size, Commits::Function, rounds);
    teeth(program, &server, if size == Size::Whole { 5 } else { 1 });
}

fn stopped(program: &Path, server: &Server, size: Size, commits: Commits, rounds: usize) {
    let campaign = named("stops", commits);
    let database = database_for(server, commits);
    let home = Home::new();
    let room = room(&home, &database);
    let mut faults = Faults::default();
    let (ledger, slowest) = put_through(program, server, &database, &room, rounds, &mut faults);
    let secrets = room.open("the judge").unwrap();
    let lost = ledger.compare(&secrets, &room, &mut faults);
    println!(
        "{campaign}: {rounds} times, {PROCESSES} processes: {}, {} faults; slowest client back after {slowest:.1?}; errors: {}",
        ledger.summary(lost),
        faults.count,
        ledger.failures()
    );
    end(size, &campaign, server, &room, faults);
    drop(secrets);
}

/// Where commits do not wait for the disk, the same is a loss.
fn teeth(program: &Path, server: &Server, rounds: usize) {
    let room = Home::new();
    let database = server.database();
    let room = self::room(&room, &database);
    weaken(server, &database);
    let mut noticed = Faults::default();
    let (ledger, _) = put_through(program, server, &database, &room, rounds, &mut noticed);
    let lost = ledger.compare(&room.open("the judge").unwrap(), &room, &mut noticed);
    println!(
        "stops: teeth: where commits do not wait for the disk, {lost} acknowledged writes of {} were found lost after \
         {rounds} stops",
        ledger.acknowledged()
    );
    assert!(lost > 0, "a stop that loses what was acknowledged goes unnoticed");
}

const PROCESSES: usize = 2;
const THREADS: usize = 3;

fn room(home: &Home, database: &Database) -> Room {
    let url =
        database.address().with("statement_timeout", "5s").with("lock_timeout", "2s").with("connect_timeout", "2");
    let url = url.with("pool_size", &THREADS.to_string()).to_string();
    drop(PostgresStore::create(&url.parse().unwrap()).unwrap());
    Room::make(home.path(), &url)
}

/// Lets clients work and stops the server under them. Returns what they were told, and how long it took after a start
/// until each had written something again.
fn put_through(
    program: &Path,
    server: &Server,
    database: &Database,
    room: &Room,
    rounds: usize,
    faults: &mut Faults,
) -> (Ledger, Duration) {
    let fleet = Fleet::start(program, room, PROCESSES, THREADS);
    let (mut random, mut slowest) = (Random::new(rounds as u64), Duration::ZERO);
    let mut since = Instant::now();
    for round in 0..rounds {
        slowest = fleet.progress(since, faults).max(slowest);
        std::thread::sleep(Duration::from_millis(20 + random.below(400) as u64));
        // What a role has by default must make no difference: a commit is as durable as it has to be.
        let waits = if round % 4 < 2 { "on" } else { "off" };
        server.sql(&format!("ALTER ROLE {} SET synchronous_commit = {waits};", database.name()));
        if round % 2 == 0 {
            server.stop_immediately()
        } else {
            server.kill()
        }
        server.start_again();
        since = Instant::now();
    }
    slowest = fleet.progress(since, faults).max(slowest);
    (fleet.stop(faults), slowest)
}

/// Takes out of the store's own function what makes a commit wait for the disk.
fn weaken(server: &Server, database: &Database) {
    server.set("wal_writer_delay", Some("10s"));
    let mut function = database.sql("SELECT pg_get_functiondef(p.oid) FROM pg_proc AS p WHERE proname = 'apply';");
    for (strong, weak) in [
        ("set_config('synchronous_commit', 'on', true)", "set_config('synchronous_commit', 'off', true)"),
        ("current_setting('synchronous_commit') = 'off'", "current_setting('synchronous_commit') <> 'off'"),
    ] {
        assert!(function.contains(strong), "the function sees to durability in another way by now");
        function = function.replace(strong, weak);
    }
    database.sql(&format!("{function};"));
}
