//! Consumers and uses: altered behind secretkit's back, and recorded without anybody's having to wait.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use secretkit_core::store::{UsageRecord, Within};
use secretkit_core::{Consumer, Error, ErrorKind, SecretInfo, SecretStore, Verified};
use secretkit_sqlite::SqliteStore;
use support::{Home, get, id, put};

const ADDRESS: &str = "acme/etl:token";

/// A secret that was used, and has two consumers; and another one beside it.
fn home() -> Home {
    let home = Home::new();
    let secrets = home.created();
    put(&secrets, ADDRESS, b"value");
    put(&secrets, "acme/etl:beside", b"beside");
    for name in ["job", "report"] {
        secrets.add_consumer(&id(ADDRESS), &consumer(name)).unwrap();
        secrets.add_consumer(&id("acme/etl:beside"), &consumer(name)).unwrap();
    }
    assert_eq!(get(&secrets, ADDRESS), b"value");
    assert_eq!(get(&secrets, "acme/etl:beside"), b"beside");
    home
}

fn consumer(name: &str) -> Consumer {
    name.parse().unwrap()
}

fn alter(home: &Home, statement: &str) {
    let raw = home.raw();
    raw.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    assert_eq!(raw.execute(statement, ()).unwrap(), 1, "{statement}");
}

const OURS: &str = "(SELECT id FROM secrets WHERE key = 'token')";
const OTHERS: &str = "(SELECT id FROM secrets WHERE key = 'beside')";

#[test]
fn u1_every_altered_column_of_a_consumer_is_an_error() {
    for change in [
        "name = 'somebody'".to_owned(),
        "name = ''".to_owned(),
        "name = 'a' || char(10) || 'b'".to_owned(),
        "name = CAST(x'ff' AS TEXT)".to_owned(),
        "seen_at = seen_at + 1".to_owned(),
        "seen_by = 'somebody'".to_owned(),
        "seen_by = ''".to_owned(),
        "mac = randomblob(49)".to_owned(),
        "mac = x''".to_owned(),
        format!("mac = (SELECT mac FROM consumers WHERE secret_id = {OTHERS} AND name = 'job')"),
        "mac = (SELECT mac FROM usage LIMIT 1)".to_owned(),
    ] {
        let home = home();
        alter(&home, &format!("UPDATE consumers SET {change} WHERE secret_id = {OURS} AND name = 'job'"));
        let secrets = home.opened();
        let kind = secrets.consumers(&id(ADDRESS)).unwrap_err().kind();
        assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::UnknownKey), "{change}: {kind}");
        // It still stands against a deletion, and its secret is not concerned.
        assert!(matches!(secrets.delete(&id(ADDRESS)).unwrap_err().kind(), ErrorKind::InUse | ErrorKind::Corrupt));
        assert_eq!(get(&secrets, ADDRESS), b"value");
        assert_eq!(secrets.consumers(&id("acme/etl:beside")).unwrap().len(), 2);
    }
    // One whose name can still be read can be removed: that is the way out.
    let home = home();
    alter(&home, &format!("UPDATE consumers SET seen_at = 0 WHERE secret_id = {OURS} AND name = 'job'"));
    let secrets = home.opened();
    secrets.remove_consumer(&id(ADDRESS), &consumer("job")).unwrap();
    assert_eq!(secrets.consumers(&id(ADDRESS)).unwrap().len(), 1);
    alter(&home, &format!("UPDATE consumers SET secret_id = {OTHERS}, name = 'moved' WHERE secret_id = {OURS}"));
    assert_eq!(secrets.consumers(&id("acme/etl:beside")).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn u2_a_use_of_which_a_column_was_altered_is_none_and_is_found() {
    for change in [
        "used_at = used_at + 1".to_owned(),
        "used_by = 'somebody'".to_owned(),
        "used_by = ''".to_owned(),
        "mac = randomblob(49)".to_owned(),
        "mac = zeroblob(48)".to_owned(),
        format!("(used_at, used_by, mac) = (SELECT used_at, used_by, mac FROM usage WHERE secret_id = {OTHERS})"),
    ] {
        let home = home();
        alter(&home, &format!("UPDATE usage SET {change} WHERE secret_id = {OURS}"));
        let secrets = home.opened();
        assert!(secrets.info(&id(ADDRESS)).unwrap().last_used().is_none(), "{change}");
        let listed = secrets.list(Within::Exactly("acme/etl".parse().unwrap()), 10).next().unwrap().unwrap();
        let used = |info: &SecretInfo| (info.address.to_string(), info.last_used().is_some());
        assert!(listed.iter().map(used).all(|(address, used)| used == (address != ADDRESS)), "{change}: {listed:?}");
        secrets.add_consumer(&id(ADDRESS), &consumer("late")).unwrap();
        secrets.keys().status(id(ADDRESS).org()).unwrap();
        let told = secrets.verify(id(ADDRESS).org()).flat_map(Result::unwrap);
        let found: Vec<_> = told.filter(|told| matches!(told, Verified::Wrong(_))).collect();
        assert_eq!(found.len(), 1, "{change}: {found:?}");
        assert_eq!(get(&secrets, ADDRESS), b"value", "a task gets its value all the same");
        assert!(secrets.info(&id("acme/etl:beside")).is_ok());
    }
}

#[test]
fn a_use_waits_for_nobody() {
    let home = home();
    let writer = home.raw();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let started = Instant::now();
    let secrets = home.opened();
    assert_eq!(get(&secrets, ADDRESS), b"value");
    secrets.record_uses();
    drop(secrets);
    assert!(started.elapsed() < Duration::from_secs(4), "a writer would have waited five seconds");
    let store = SqliteStore::open(&home.path()).unwrap();
    let info = home.opened().info(&id(ADDRESS)).unwrap();
    let used = store.uses(info.address.org(), &[info.id]).unwrap();
    let keyring = store.keyring(info.address.org()).unwrap().unwrap().stamp();
    let refused = store.touch(info.address.org(), keyring, &used.into_iter().flatten().collect::<Vec<UsageRecord>>());
    assert!(matches!(refused, Err(Error::Busy { .. })));
    writer.execute_batch("ROLLBACK").unwrap();
    // Whoever writes next waits for its turn again.
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| home.secrets(store).update(&id(ADDRESS), &b"next"[..].to_vec().into()));
        std::thread::sleep(Duration::from_millis(200));
        writer.execute_batch("COMMIT").unwrap();
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn a_store_that_can_only_be_read_is_read_all_the_same() {
    let home = home();
    let before = home.opened().info(&id(ADDRESS)).unwrap().last_used().cloned();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o400)).unwrap();
    let secrets = home.opened();
    assert_eq!(get(&secrets, ADDRESS), b"value");
    secrets.record_uses();
    if fs::OpenOptions::new().write(true).open(home.path()).is_ok() {
        support::skip("that nothing is recorded in a read-only file", &"this user may write one");
        return;
    }
    assert_eq!(secrets.info(&id(ADDRESS)).unwrap().last_used().cloned(), before);
}

#[test]
fn a_use_does_not_stay_under_a_key_of_before_because_somebody_was_writing() {
    let home = home();
    let secrets = home.opened();
    get(&secrets, ADDRESS);
    secrets.record_uses();
    let (address, meta) = (id(ADDRESS), secretkit_core::seal::KeyUse::Meta);
    let (keys, org) = (secrets.keys(), address.org());
    let old = keys.status(org).unwrap().in_state(meta, secretkit_core::seal::KeyState::Primary).next().unwrap().id;
    keys.promote(org, keys.add(org, meta).unwrap().id).unwrap();
    let other = home.raw();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let reencrypting =
            scope.spawn(|| keys.reencrypt(org, 10).for_each(|batch| assert!(batch.is_ok(), "{batch:?}")));
        std::thread::sleep(Duration::from_millis(300));
        other.execute_batch("ROLLBACK").unwrap();
        reencrypting.join().unwrap();
    });
    keys.retire(org, old).unwrap();
    assert!(secrets.info(&address).unwrap().last_used().is_some());
}
