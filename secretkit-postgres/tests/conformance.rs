//! Every law of the trait, each against schemas of its own on a real server.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use secretkit_core::{MemoryStore, SecretStore};
use secretkit_postgres::{PostgresStore, PostgresUrl};
use secretkit_test_postgres::{Database, database, skip};

/// A store in a schema that nobody has used, of one database for all tests, which goes with its server.
fn fresh() -> Arc<dyn SecretStore> {
    static DATABASE: OnceLock<Option<Database>> = OnceLock::new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let Some(database) = DATABASE.get_or_init(database) else {
        skip("there is no server; the law is tried with the store in memory");
        return Arc::new(MemoryStore::new());
    };
    let schema = format!("Store \"{}\"", NUMBER.fetch_add(1, Ordering::Relaxed));
    let url: PostgresUrl = database.address().with("schema", &schema).to_string().parse().unwrap();
    Arc::new(PostgresStore::create(&url).unwrap())
}

secretkit_core::conformance_tests!(&fresh);
