//! Stores whose commits are transactions of single statements: every law of the trait, and what is promised beside them, on a
//! real server without PL/pgSQL.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use secretkit_core::{MemoryStore, SecretStore};
use secretkit_postgres::{Commits, PostgresStore};
use secretkit_test_postgres::{Database, skip};
use support::{Home, url};

/// A store in a schema that nobody has used, of one database for all tests, which goes with its server.
fn fresh() -> Arc<dyn SecretStore> {
    static DATABASE: OnceLock<Option<Database>> = OnceLock::new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let Some(database) = DATABASE.get_or_init(|| Some(Home::new()?.without_functions().database)) else {
        skip("there is no server; the law is tried with the store in memory");
        return Arc::new(MemoryStore::new());
    };
    let schema = format!("Store \"{}\"", NUMBER.fetch_add(1, Ordering::Relaxed));
    let store = PostgresStore::create(&url(&database.address().with("schema", &schema))).unwrap();
    assert_eq!(store.commits(), Commits::Transaction);
    Arc::new(store)
}

secretkit_core::conformance_tests!(&fresh);
