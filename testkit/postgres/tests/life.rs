//! A server starts, breaks, comes back and goes.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
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

#[test]
fn nothing_is_left_of_a_test_that_is_killed() {
    let mut test =
        Command::new(env!("CARGO_BIN_EXE_test-postgres")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(test.stdout.take().unwrap()).lines();
    // Nothing comes where there can be no server, and then it said why.
    let Some(url) = lines.next() else {
        test.wait().unwrap();
        return;
    };
    let url = url.unwrap();
    let (_, authority) = url.split_once("sslrootcert=").unwrap();
    let home = Path::new(authority).parent().unwrap().parent().unwrap().to_owned();
    let postmaster = fs::read_to_string(home.join("data/postmaster.pid")).unwrap();
    let postmaster = Pid::from_raw(postmaster.lines().next().unwrap().parse().unwrap());
    assert!(runs(postmaster));
    test.kill().unwrap();
    test.wait().unwrap();
    wait_until(|| !runs(postmaster) && !home.exists());
}

fn runs(process: Pid) -> bool {
    nix::sys::signal::kill(process, None).is_ok()
}

fn wait_until(holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "something is left");
        std::thread::sleep(Duration::from_millis(20));
    }
}
