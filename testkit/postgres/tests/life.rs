//! A server starts, breaks, comes back and goes.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use secretkit_test_postgres::{Durability, Options, Pid, Server, database};

fn quick() -> Option<Server> {
    Options::new().durability(Durability::Relaxed).start()
}

#[test]
fn databases_are_separate_and_their_owners_are_no_superusers() {
    let (Some(one), Some(other)) = (database(), database()) else { return };
    one.sql_as(&one.address(), "CREATE TABLE things (name text); INSERT INTO things VALUES ('mine');").unwrap();
    let error = other.sql_as(&other.address(), "SELECT * FROM things;").unwrap_err();
    assert!(error.contains("does not exist"), "{error}");
    let error = one.sql_as(&one.address(), "CREATE ROLE somebody;").unwrap_err();
    assert!(error.contains("permission denied"), "{error}");
    assert_eq!(one.sql_as(&one.role(), "SELECT current_user <> 'postgres';").unwrap(), "t");
}

#[test]
fn what_was_committed_survives_an_immediate_stop_and_a_kill() {
    let Some(server) = quick() else { return };
    let database = server.database();
    database.sql("CREATE TABLE things (number int);");
    let port = server.port();
    for number in 0..4 {
        database.sql(&format!("INSERT INTO things VALUES ({number});"));
        if number % 2 == 0 {
            server.stop_immediately()
        } else {
            server.kill()
        }
        assert!(database.sql_as(&database.address(), "SELECT 1;").is_err(), "it answers");
        server.start_again();
    }
    assert_eq!(server.port(), port);
    assert_eq!(database.sql_as(&database.superuser(), "SELECT count(*) FROM things;").unwrap(), "4");
}

#[test]
fn a_standby_follows_and_takes_over() {
    let Some(primary) = quick() else { return };
    let standby = primary.standby();
    primary.set("synchronous_standby_names", Some("standby"));
    let database = primary.database();
    database.sql("CREATE TABLE things (number int); INSERT INTO things VALUES (7);");
    let both = format!("127.0.0.1:{},127.0.0.1:{}", primary.port(), standby.port());
    let writer = database.superuser().hosts(&both).with("target_session_attrs", "read-write");
    primary.kill();
    assert!(database.sql_as(&writer, "SELECT 1;").is_err(), "a standby takes writes");
    standby.promote();
    database.sql_as(&writer, "INSERT INTO things VALUES (8);").unwrap();
    assert_eq!(database.sql_as(&writer, "SELECT sum(number) FROM things;").unwrap(), "15");
}

/// At whatever moment it is killed: while the data directory is being made, while the server starts, when it runs.
#[test]
fn nothing_is_left_of_a_test_that_is_killed() {
    // Each in a temporary directory that every account may use, as the system's is.
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o1777)).unwrap();
    let homes = || fs::read_dir(place.path()).unwrap().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
    let mut postmasters = Vec::new();
    let moments =
        [("password", ""), ("data/PG_VERSION", ""), ("data/postmaster.pid", ""), ("data/postmaster.pid", "ready")];
    for (file, text) in moments {
        let mut test = Command::new(env!("CARGO_BIN_EXE_test-postgres"))
            .env("TMPDIR", place.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut skipped = false;
        wait_until(|| {
            skipped = test.try_wait().unwrap().is_some();
            skipped
                || homes()
                    .iter()
                    .any(|home| fs::read_to_string(home.join(file)).is_ok_and(|found| found.contains(text)))
        });
        if skipped {
            // It said why there can be no server.
            return;
        }
        let lock = homes().first().and_then(|home| fs::read_to_string(home.join("data/postmaster.pid")).ok());
        postmasters.extend(lock.and_then(|text| text.lines().next()?.parse().ok()).map(Pid::from_raw));
        test.kill().unwrap();
        test.wait().unwrap();
        wait_until(|| homes().is_empty());
    }
    assert!(!postmasters.is_empty(), "no server was started");
    wait_until(|| !postmasters.iter().any(|process| runs(*process)));
}

fn runs(process: Pid) -> bool {
    nix::sys::signal::kill(process, None).is_ok()
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < end, "it does not come to that");
        std::thread::sleep(Duration::from_millis(2));
    }
}
