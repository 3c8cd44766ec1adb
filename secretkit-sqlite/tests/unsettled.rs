//! A commit whose bytes stand in the log and do not count: what a flush that failed leaves behind.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use secretkit_core::store::{EventRecord, Lane, Token};
use secretkit_core::{Error, Secrets};
use secretkit_sqlite::SqliteStore;
use support::{Home, get, id, put};

const LATE: &str = "acme:late";

fn log(home: &Home) -> PathBuf {
    home.directory.path().join("secrets.db-wal")
}

/// The files as a kill leaves them, in a place of their own.
fn after_a_kill(home: &Home) -> Home {
    let copy = Home { directory: tempfile::tempdir().unwrap(), key: Arc::clone(&home.key) };
    for name in ["secrets.db", "secrets.db-wal"] {
        let to = copy.directory.path().join(name);
        fs::copy(home.directory.path().join(name), &to).unwrap();
        fs::set_permissions(&to, Permissions::from_mode(0o600)).unwrap();
    }
    copy
}

/// A store in use, in whose log the commit of [`LATE`] stands behind the end of what counts; and the token of that.
fn unsettled() -> (Home, Secrets, Token) {
    let twin = Home::new();
    let writer = twin.created();
    put(&writer, "acme:token", b"t0k3n");
    let home = after_a_kill(&twin);
    let secrets = home.opened();
    assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
    let before = fs::metadata(log(&twin)).unwrap().len() as usize;
    put(&writer, LATE, b"of unknown outcome");
    let bytes = fs::read(log(&twin)).unwrap();
    fs::File::options().append(true).open(log(&home)).unwrap().write_all(&bytes[before..]).unwrap();
    let event = last_event(&writer);
    (home, secrets, event.token)
}

fn last_event(secrets: &Secrets) -> EventRecord {
    let org = id(LATE).org().clone();
    let all = |lane: &Lane| secrets.store().events(&org, *lane, 0, 100).unwrap();
    let lanes = secrets.store().lanes(&org).unwrap();
    lanes.iter().flat_map(|(lane, _)| all(lane)).max_by_key(|event| (event.at, event.seq)).unwrap()
}

#[test]
fn it_counts_once_the_log_is_read_anew() {
    let (home, secrets, token) = unsettled();
    assert!(secrets.get(&id(LATE)).is_err(), "nobody sees it");
    // Which shows that the other tests here could fail.
    let later = after_a_kill(&home).opened();
    assert!(later.outcome(id(LATE).org(), &token).unwrap());
}

#[test]
fn a_no_to_whether_it_took_effect_holds_for_ever() {
    let (home, secrets, token) = unsettled();
    assert!(!secrets.outcome(id(LATE).org(), &token).unwrap());
    let killed = after_a_kill(&home);
    let later = killed.opened();
    assert!(!later.outcome(id(LATE).org(), &token).unwrap());
    assert!(later.get(&id(LATE)).is_err());
    assert_eq!(get(&later, "acme:token"), b"t0k3n");
    assert_eq!(SqliteStore::open(&killed.path()).unwrap().examine().unwrap(), [""; 0]);
    put(&later, LATE, b"again");
    assert_eq!(get(&later, LATE), b"again");
}

#[test]
fn no_is_not_said_where_nothing_can_be_written() {
    let (home, secrets, token) = unsettled();
    // Somebody else is writing, for longer than anybody waits.
    let other = home.raw();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(secrets.outcome(id(LATE).org(), &token), Err(Error::Busy { .. })));
    other.execute_batch("ROLLBACK").unwrap();
    assert!(!secrets.outcome(id(LATE).org(), &token).unwrap());
}

#[test]
fn what_was_left_in_a_log_is_written_back_before_anything_is_put_behind_it() {
    let home = Home::new();
    let writer = home.created();
    put(&writer, "acme:token", b"in the log");
    let killed = after_a_kill(&home);
    // Nobody knows what of that log would outlive a power cut.
    let next = killed.opened();
    put(&next, "acme:behind", b"acknowledged");
    let main_file_alone = after_a_kill(&killed);
    fs::remove_file(log(&main_file_alone)).unwrap();
    assert_eq!(get(&main_file_alone.opened(), "acme:token"), b"in the log");
}
