//! What the host's monitoring hears of connections, waits and second attempts, and what it must never hear.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use secretkit_core::{ErrorKind, PutMode, SecretValue};
use secretkit_postgres::{PostgresStore, describe};
use secretkit_test_postgres::{Durability, Options, Proxy};
use secretkit_test_shared::log::Log;

use support::{Home, get, id, put, url};

const VALUE: &[u8] = b"cAnArY-of-what-is-counted";

/// Held by each test: whether anybody listens at some place of the program is kept for all threads of it, and is wrong for a
/// moment where one begins to listen while another comes there for the first time.
static ALONE: Mutex<()> = Mutex::new(());

/// What was heard of some work: numbers by name and label, how often something was timed, and the log.
fn heard(work: impl FnOnce()) -> (BTreeMap<String, f64>, String) {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    metrics::with_local_recorder(&recorder, || {
        tracing::subscriber::with_default(subscriber, || {
            describe();
            work();
        });
    });
    let mut numbers = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels: String = key.key().labels().map(|label| format!(" {}", label.value())).collect();
        let number = match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(number) => number.into_inner(),
            DebugValue::Histogram(taken) => taken.len() as f64,
        };
        let name = key.key().name().strip_prefix("secretkit_postgres_").unwrap_or(key.key().name());
        numbers.insert(format!("{name}{labels}"), number);
    }
    let log = log.text();
    (numbers, log)
}

#[test]
fn connections_waits_and_second_attempts_are_heard_and_no_value_or_name() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(home) = Home::filled() else { return };
    let port = home.database.address().hosts_text().rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::to(port);
    let through = home.database.address().port(proxy.port());
    let (numbers, log) = heard(|| {
        let secrets = home.secrets(PostgresStore::open(&url(&through)).unwrap());
        put(&secrets, "acme:hidden-name", VALUE);
        assert_eq!(get(&secrets, "acme:hidden-name"), VALUE);
        proxy.lose_next_answer();
        assert_eq!(get(&secrets, "acme:hidden-name"), VALUE);
    });
    // One connection did all, until it was broken.
    assert_eq!(numbers["connections_made_total ok"], 2.0, "{numbers:?}");
    assert_eq!(numbers["retries_total lost"], 1.0, "{numbers:?}");
    assert_eq!(numbers["pool_taken_total ok"], numbers["pool_wait_seconds"], "{numbers:?}");
    assert!(numbers["pool_taken_total ok"] >= 4.0, "{numbers:?}");
    // Everything is closed and given back.
    assert_eq!((numbers["connections_open"], numbers["connections_in_use"]), (0.0, 0.0), "{numbers:?}");
    assert!(log.contains("connected to the secret store's server") && log.contains("made once more"), "{log}");
    let address = home.database.address();
    let hidden =
        ["hidden-name", "acme", std::str::from_utf8(VALUE).unwrap(), address.password_text(), address.user_name()];
    for needle in hidden {
        assert!(!log.contains(needle) && !format!("{numbers:?}").contains(needle), "{needle}: {log}");
    }
}

/// Holds up every write to org `acme` while `work` runs, which is told how to wait until somebody waits for it.
fn while_locked(home: &Home, work: impl FnOnce(&(dyn Fn() + Sync))) {
    let ours = "locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let wait_for = |what: &str| {
        while home.database.sql(&format!("SELECT count(*) FROM pg_locks WHERE {ours} AND {what};")) == "0" {}
    };
    std::thread::scope(|scope| {
        let locking = scope.spawn(|| {
            let owner = home.database.address().with("application_name", "locks");
            let lock = "BEGIN; SELECT pg_advisory_xact_lock(secretkit.lock_key('org', 'acme')); SELECT pg_sleep(600);";
            let _ = home.database.sql_as(&owner, lock);
        });
        wait_for("granted");
        work(&|| wait_for("NOT granted"));
        home.database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'locks';");
        locking.join().unwrap();
    });
}

#[test]
fn what_is_held_open_and_a_crowded_pool_are_heard() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(home) = Home::filled() else { return };
    let address = home.database.address().with("pool_size", "1").with("pool_timeout", "50ms");
    let (numbers, log) = heard(|| {
        let secrets = home.secrets(PostgresStore::open(&url(&address)).unwrap());
        assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
        std::thread::scope(|scope| {
            while_locked(&home, |until_somebody_waits| {
                scope.spawn(|| put(&secrets, "acme:token", b"later"));
                until_somebody_waits();
                assert_eq!(secrets.get(&id("acme:token")).unwrap_err().kind(), ErrorKind::Busy);
            });
        });
        // What is open now.
        std::mem::forget(secrets);
    });
    assert_eq!(numbers["pool_taken_total crowded"], 1.0, "{numbers:?}");
    assert_eq!((numbers["connections_open"], numbers["connections_in_use"]), (1.0, 0.0), "{numbers:?}");
    assert!(log.contains("WARN") && log.contains("were in use"), "{log}");
}

#[test]
fn failures_to_connect_and_unknown_outcomes_are_heard() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(server) = Options::new().durability(Durability::Relaxed).start() else { return };
    let home = Home::of(server.database());
    home.created();
    let proxy = Proxy::to(server.port());
    let address = home.database.address().port(proxy.port()).with("connect_timeout", "2");
    // The client gives up, and the server does not.
    let address =
        address.with("options", "-c statement_timeout=0 -c lock_timeout=0").with("statement_timeout", "100ms");
    let (numbers, log) = heard(|| {
        let secrets = home.secrets(PostgresStore::open(&url(&address)).unwrap());
        put(&secrets, "acme:token", b"1");
        while_locked(&home, |until_somebody_waits| {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    until_somebody_waits();
                    // From here on no answer comes through.
                    proxy.stall();
                });
                let unknown = secrets.put(&id("acme:token"), &SecretValue::copied_from(b"2"), PutMode::Overwrite);
                assert_eq!(unknown.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
            });
        });
        proxy.refuse();
        assert_eq!(secrets.get(&id("acme:token")).unwrap_err().kind(), ErrorKind::Unavailable);
    });
    assert_eq!(numbers["outcome_unknown_total"], 1.0, "{numbers:?}");
    assert!(numbers["connections_made_total unavailable"] >= 1.0, "{numbers:?}");
    assert!(log.contains("WARN") && log.contains("kind=\"unavailable\""), "{log}");
    assert!(log.contains("not known whether a commit"), "{log}");
}
