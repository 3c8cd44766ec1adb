//! The paved path, on a real file.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use secretkit_core::store::Within;
use secretkit_core::{Access, ErrorKind, PutMode, RootKey, Scope, SecretId, SecretRequest, SecretValue, Secrets};
use secretkit_sqlite::SqliteStore;
use support::{Home, get, id, put};

#[test]
fn a_value_is_put_got_listed_and_deleted_and_survives_a_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("inner/secrets.db");
    let key = Arc::new(RootKey::generate().unwrap());
    let open =
        || Secrets::new(Arc::new(SqliteStore::open(&path).unwrap()), Arc::clone(&key) as _, Access::Unrestricted);
    let store = SqliteStore::create(&path).unwrap();
    assert!(store.is_empty().unwrap());

    let secrets = Secrets::new(Arc::new(store), Arc::clone(&key) as _, Access::Unrestricted);
    let id: SecretId = "acme/etl:db/password".parse().unwrap();
    let near: SecretId = "acme/etl/production:db/password".parse().unwrap();
    secrets.put(&id, &SecretValue::copied_from(b"one"), PutMode::Create).unwrap();
    secrets.put(&id, &SecretValue::copied_from(b"two"), PutMode::Overwrite).unwrap();
    secrets.put(&near, &SecretValue::copied_from(b"near"), PutMode::Create).unwrap();

    let again = open();
    assert_eq!(again.get(&id).unwrap().value.expose_secret(), b"two");
    let task: Scope = "acme/etl/production".parse().unwrap();
    let request = SecretRequest::new("db/password".parse().unwrap());
    assert_eq!(again.resolve(&task, &request).unwrap().value.expose_secret(), b"near");
    let listed: Vec<_> = again.list(Within::Org(id.org().clone()), 1).flat_map(Result::unwrap).collect();
    let addresses: Vec<_> = listed.iter().map(|info| info.address.to_string()).collect();
    assert_eq!(addresses, ["acme/etl:db/password", "acme/etl/production:db/password"]);

    again.delete(&near).unwrap();
    assert_eq!(secrets.resolve(&task, &request).unwrap().value.expose_secret(), b"two");
    assert_eq!(secrets.get(&near).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_new_store_is_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b/secrets.db");
    assert_eq!(SqliteStore::open(&path).unwrap_err().kind(), ErrorKind::NoStore);
    assert!(!path.parent().unwrap().exists(), "opening made a directory");
    let store = SqliteStore::create(&path).unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    for inner in ["a", "a/b"] {
        assert_eq!(mode(&directory.path().join(inner)), 0o700);
    }
    let mut files = std::fs::read_dir(path.parent().unwrap()).unwrap().peekable();
    assert!(files.peek().is_some());
    for file in files {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
    drop(store);
    let left: Vec<_> =
        std::fs::read_dir(path.parent().unwrap()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["secrets.db"], "the last one out leaves one file");
}

/// Whoever opens it all the while finds nothing, and then it: never one that was put in the place of another.
#[test]
fn a_store_is_opened_in_the_very_moment_that_it_is_there() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..100 {
        let path = directory.path().join(format!("{number}.db"));
        let until_it_is_there = || loop {
            match SqliteStore::open(&path) {
                Err(error) if error.kind() == ErrorKind::NoStore => {}
                opened => break opened.unwrap(),
            }
        };
        std::thread::scope(|scope| {
            let opening = scope.spawn(until_it_is_there);
            SqliteStore::create(&path).unwrap();
            assert!(opening.join().unwrap().is_empty().unwrap());
        });
    }
}

#[test]
fn a_lock_that_is_never_given_back_is_waited_for_and_then_reported() {
    let home = Home::filled();
    let secrets = home.opened();
    let raw = home.raw();
    raw.execute_batch("BEGIN IMMEDIATE; UPDATE keyring SET version = version").unwrap();
    let started = std::time::Instant::now();
    let value = SecretValue::copied_from(b"late");
    let refused = secrets.put(&id("acme:token"), &value, PutMode::Overwrite).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Busy, "{refused}");
    let waited = started.elapsed().as_secs_f64();
    assert!((4.9..8.0).contains(&waited), "{waited} s");
    // Readers do not wait for it.
    let started = std::time::Instant::now();
    assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
    assert!(started.elapsed().as_secs_f64() < 1.0);
    raw.execute_batch("ROLLBACK").unwrap();
    put(&secrets, "acme:token", b"now");
    assert_eq!(get(&secrets, "acme:token"), b"now");
}
