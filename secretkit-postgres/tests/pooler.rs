//! A store that is reached through a PgBouncer in transaction mode, which lends another connection for each transaction.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use secretkit_core::store::Rating;
use secretkit_core::{ErrorKind, PutMode, SecretStore, SecretValue, conformance};
use secretkit_postgres::{PostgresStore, examine};
use secretkit_test_postgres::{Pooler, database};

use support::{Home, get, id, put, url};

/// Fewer than there are threads, so that each of them meets the statements and settings of the others.
const CONNECTIONS: u32 = 3;

#[test]
fn every_law_holds() {
    let Some(database) = database() else { return };
    let Some(pooler) = Pooler::start(&database.address(), CONNECTIONS) else { return };
    let number = AtomicU32::new(0);
    let fresh = || -> Arc<dyn SecretStore> {
        let schema = format!("store {}", number.fetch_add(1, Ordering::Relaxed));
        let address = pooler.before(&database.address()).with("schema", &schema);
        Arc::new(PostgresStore::create(&url(&address)).unwrap())
    };
    conformance::all(&fresh);
}

#[test]
fn writers_of_the_same_names_meet_behind_it() {
    let Some(home) = Home::new() else { return };
    let Some(pooler) = Pooler::start(&home.database.address(), CONNECTIONS) else { return };
    let address = pooler.before(&home.database.address()).with("pool_timeout", "1min");
    let open = || home.secrets(PostgresStore::create(&url(&address)).unwrap());
    let stores = [open(), open()];
    put(&stores[0], "acme:shared", b"0");
    std::thread::scope(|scope| {
        for writer in 0..8_usize {
            let secrets = &stores[writer % 2];
            scope.spawn(move || {
                for round in 0..25_usize {
                    put(secrets, &format!("acme:own-{writer}"), &[u8::try_from(round).unwrap()]);
                    let shared = secrets.put(&id("acme:shared"), &SecretValue::copied_from(b"x"), PutMode::Overwrite);
                    if let Err(error) = shared {
                        assert!([ErrorKind::Busy, ErrorKind::Conflict].contains(&error.kind()), "{error}");
                    }
                    get(secrets, "acme:shared");
                }
            });
        }
    });
    for writer in 0..8 {
        let info = stores[0].info(&id(&format!("acme:own-{writer}"))).unwrap();
        assert_eq!(info.revision.number(), 25);
    }
    // What ends too long a statement is the server's to know, and a pooler does not tell it.
    let checks = examine(&url(&address)).unwrap();
    let time_outs = checks.iter().find(|check| check.check == "time-outs").unwrap();
    assert!(time_outs.rating == Rating::Weak && time_outs.finding.contains("pooler"), "{time_outs:?}");
    let name = home.database.name();
    home.database
        .sql(&format!("ALTER ROLE {name} SET statement_timeout = '15s'; ALTER ROLE {name} SET lock_timeout = '5s';"));
    home.database.terminate_backends();
    let checks = examine(&url(&address)).unwrap();
    assert!(checks.iter().any(|check| check.check == "time-outs" && check.rating == Rating::Secure), "{checks:?}");
}
