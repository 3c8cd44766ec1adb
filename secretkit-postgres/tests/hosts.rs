//! The processes and threads that a store lives in.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use secretkit_cache::{CacheOptions, CachedStore};
use secretkit_core::{Access, ErrorKind, SecretStore, Secrets};
use secretkit_postgres::PostgresStore;
use secretkit_test_shared::forks::{fork, wait};
use support::{Home, get, id, put, url};

#[test]
fn it_works_inside_and_outside_an_asynchronous_host() {
    let Some(home) = Home::filled() else { return };
    let secrets = home.opened();
    // More often than a task has turns before its runtime expects it to let others have one.
    let ask_often = || {
        for round in 0..300_u32 {
            if round % 50 == 0 {
                put(&secrets, "acme:token", &round.to_be_bytes());
            }
            assert_eq!(get(&secrets, "acme:token"), (round / 50 * 50).to_be_bytes());
        }
    };
    ask_often();
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    one.block_on(async {
        ask_often();
        tokio::time::sleep(Duration::from_millis(1)).await;
        ask_often();
        // And opened and closed there.
        assert_eq!(get(&home.opened(), "other:token"), b"another");
    });
    std::thread::scope(|scope| {
        scope.spawn(|| one.block_on(async { ask_often() })).join().unwrap();
    });
}

#[test]
fn both_sides_of_a_fork_go_on() {
    let Some(home) = Home::filled() else { return };
    // One connection, which both would use.
    let address = home.database.address().with("pool_size", "1");
    let store = PostgresStore::open(&url(&address)).unwrap();
    let secrets = home.secrets(store);
    assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
    let connection = || {
        home.database.sql(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'secretkit';",
        )
    };
    let before = connection();
    assert_eq!(before.lines().count(), 1);
    for round in 0..4_u8 {
        let address = format!("acme:child-{round}");
        let child = fork(|| {
            // The façade is inherited too; the store beneath it makes connections of its own.
            assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
            put(&secrets, &address, &[round]);
            // A grandchild as well.
            wait(fork(|| assert_eq!(get(&secrets, &address), [round])));
            assert_eq!(get(&secrets, &address), [round]);
        });
        put(&secrets, "acme:parent", &[round]);
        wait(child);
        assert_eq!(get(&secrets, &address), [round]);
    }
    assert_eq!(connection(), before, "the parent's connection is the one of before, and the children's are gone");
}

#[test]
fn a_child_that_closes_the_store_leaves_the_parents_connections_alone() {
    let Some(home) = Home::filled() else { return };
    let mut kept = Some(home.opened());
    assert_eq!(get(kept.as_ref().unwrap(), "acme:token"), b"t0k3n");
    wait(fork(|| drop(kept.take())));
    assert_eq!(get(kept.as_ref().unwrap(), "acme:token"), b"t0k3n");
    home.database.sql("SELECT 1;");
    assert_eq!(
        home.database.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'secretkit';"),
        "1"
    );
}

#[test]
fn a_child_has_a_cache_and_a_listener_of_its_own() {
    let Some(home) = Home::filled() else { return };
    let store = Arc::new(PostgresStore::open(&home.url()).unwrap());
    let options = CacheOptions::default().with_max_age(Duration::from_secs(600));
    let cached = Arc::new(CachedStore::new(Arc::clone(&store) as _, options));
    store.tell(cached.listener()).unwrap();
    let near = Secrets::new(Arc::clone(&cached) as _, Arc::clone(&home.key) as _, Access::Unrestricted).without_usage();
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        }
    };
    until("the parent is told", &|| cached.is_told());
    let far = home.opened();
    put(&far, "acme:token", b"0");
    until("the parent sees it", &|| get(&near, "acme:token") == b"0");
    for round in 1..4_u8 {
        let child = fork(|| {
            assert!(!cached.is_told());
            // What its parent kept is not its own.
            until("the child sees what was committed since", &|| get(&near, "acme:token") == [round]);
            until("the child is told", &|| cached.is_told());
            put(&far, "acme:answer", &[round]);
            until("the child is told of it", &|| get(&near, "acme:token") == [round + 100]);
        });
        put(&far, "acme:token", &[round]);
        until("the parent sees the child", &|| {
            near.get(&id("acme:answer")).is_ok_and(|found| found.value.expose_secret() == [round])
        });
        put(&far, "acme:token", &[round + 100]);
        wait(child);
        until("the parent is told still", &|| get(&near, "acme:token") == [round + 100]);
        assert!(cached.is_told());
    }
}

#[test]
fn a_full_pool_and_a_lock_that_is_held_are_busy() {
    let Some(home) = Home::filled() else { return };
    let one = home.database.address().with("pool_size", "1").with("pool_timeout", "100ms");
    let crowded =
        PostgresStore::open(&url(&one.with("lock_timeout", "1min").with("statement_timeout", "1min"))).unwrap();
    let impatient = home.database.address().with("lock_timeout", "100ms");
    let impatient = PostgresStore::open(&url(&impatient)).unwrap();
    let hasty = home.database.address().with("statement_timeout", "100ms");
    let hasty = PostgresStore::open(&url(&hasty)).unwrap();
    let org = id("acme:a").org().clone();
    std::thread::scope(|scope| {
        let locking = scope.spawn(|| {
            let _ = home.database.sql_as(
                &home.database.address().with("application_name", "locks"),
                "BEGIN; LOCK TABLE secretkit.keyring; SELECT pg_sleep(600); COMMIT;",
            );
        });
        let waits = |what: &str| while home.database.sql(what) == "0" {};
        waits(
            "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'secretkit.keyring'::regclass;",
        );
        let waiting = scope.spawn(|| crowded.keyring(&org).unwrap().is_some());
        waits("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'secretkit.keyring'::regclass;");
        assert_eq!(crowded.keyring(&org).unwrap_err().kind(), ErrorKind::Busy);
        assert_eq!(impatient.keyring(&org).unwrap_err().kind(), ErrorKind::Busy);
        assert_eq!(hasty.keyring(&org).unwrap_err().kind(), ErrorKind::Busy);
        assert!(!waiting.is_finished());
        home.database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'locks' AND datname = current_database();");
        assert!(waiting.join().unwrap());
        locking.join().unwrap();
    });
    for store in [&crowded, &impatient, &hasty] {
        assert!(store.keyring(&org).unwrap().is_some());
    }
}
