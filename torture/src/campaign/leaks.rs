//! A PostgreSQL server that writes down whatever it can is searched for the values that it keeps.

use std::path::Path;
use std::time::{Duration, Instant};

use secretkit_postgres::PostgresStore;
use secretkit_test_postgres::{Durability, Options};

use super::{Faults, Size};
use crate::fleet::{Fleet, Room, look, search};
use crate::home::Home;

/// Searches servers for values, and prints how much. `program` is the one that this crate builds.
///
/// # Panics
/// Where a value is found, or one that was put there is not.
pub fn leaks(program: &Path, size: Size) {
    let options = Options::new().durability(Durability::Relaxed).log_statements();
    let options = options.setting("log_parameter_max_length", "-1").setting("log_parameter_max_length_on_error", "-1");
    let options = options.setting("log_min_error_statement", "info").setting("log_error_verbosity", "verbose");
    let options = options.setting("log_min_duration_statement", "0").setting("log_lock_waits", "on");
    let Some(server) = options.start() else { return };
    let standby = (size == Size::Whole).then(|| server.standby());
    let (database, home, mut faults) = (server.database(), Home::new(), Faults::default());
    let url = database.address().with("lock_timeout", "300ms").with("statement_timeout", "2s").to_string();
    drop(PostgresStore::create(&url.parse().unwrap()).unwrap());
    let room = Room::make(home.path(), &url);
    let fleet = Fleet::start(program, &room, 2, 2);
    fleet.progress(Instant::now(), &mut faults);
    std::thread::sleep(if size == Size::Whole { Duration::from_secs(20) } else { Duration::from_millis(300) });
    // Statements that fail are written down with what they were given.
    database.sql("BEGIN; SELECT pg_advisory_xact_lock(secretkit.lock_key('org', 'acme')); SELECT pg_sleep(1); COMMIT;");
    fleet.progress(Instant::now(), &mut faults);
    server.stop_immediately();
    server.start_again();
    fleet.progress(Instant::now(), &mut faults);
    let ledger = fleet.stop(&mut faults);
    let lost = ledger.compare(&room.open("the judge").unwrap(), &room, &mut faults);
    let mut bytes = search(&server, &room, &mut faults);
    if let Some(standby) = &standby {
        bytes += search(standby, &room, &mut faults);
    }
    let log = server.log();
    let [statements, parameters, failed] =
        ["secretkit\".apply(", "arameters: $1 = ", "canceling statement due to lock timeout"]
            .map(|what| log.matches(what).count());
    if [statements, parameters, failed].contains(&0) {
        faults.add(format!("the log is not what it should be: {statements}, {parameters}, {failed}"));
    }
    println!(
        "leaks: {} writes acknowledged, {lost} lost; {} MiB of data, write-ahead log and logs searched for values, {} \
         faults; the log has {statements} commits, {parameters} lists of parameters and {failed} of the statements that \
         failed",
        ledger.acknowledged(),
        bytes >> 20,
        faults.count
    );
    faults.none("leaks");

    let hex: String = room.sign().iter().map(|byte| format!("{byte:02x}")).collect();
    server.sql(&format!("CREATE TABLE planted (value bytea); INSERT INTO planted VALUES ('\\x{hex}'); CHECKPOINT;"));
    let found = look(&server, &room).found;
    let places = ["/data/base/", "/data/pg_wal/", "/log"];
    for place in places {
        let is_found = found.iter().any(|(path, _)| path.to_string_lossy().contains(place));
        assert!(is_found, "a value that was put into {place} is not found: {found:?}");
    }
    println!("leaks: teeth: a value that was put there is found in {}", places.join(", "));
}
