//! A server starts, breaks, comes back and goes.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use secretkit_test_postgres::{Server, database};

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
    let Some(server) = Server::start() else { return };
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
