//! Every law of the trait, kept by a login that is writer and rotator of the orgs that the laws speak of, and owns nothing.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use secretkit_core::{MemoryStore, SecretStore};
use secretkit_postgres::{PostgresStore, PostgresUrl, StoreRole, roles_sql};
use secretkit_test_postgres::{Address, Database, database, skip};

/// The orgs of the laws.
const ORGS: [&str; 18] = [
    "Acme", "B", "a", "acm", "acme", "acme-", "acme-2", "acme0", "acmee", "b", "beta", "c", "one", "other", "second",
    "third", "three", "two",
];

/// A store in a schema of its own, as its login sees it.
fn fresh() -> Arc<dyn SecretStore> {
    static PLACE: OnceLock<Option<(Database, Address)>> = OnceLock::new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let Some((database, login)) = PLACE.get_or_init(place) else {
        skip("there is no server; the law is tried with the store in memory");
        return Arc::new(MemoryStore::new());
    };
    let schema = format!("restricted_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let url =
        |address: &Address| -> PostgresUrl { address.clone().with("schema", &schema).to_string().parse().unwrap() };
    let owner = url(&database.address());
    PostgresStore::create(&owner).unwrap();
    let rights = roles_sql(&owner, Some(database.name())).unwrap();
    let rights = &rights[rights.find("\nINSERT").unwrap()..];
    let (user, orgs) = (login.user_name(), ORGS.join("', '"));
    let seen = format!("INSERT INTO {schema}.logins SELECT '{user}', org FROM unnest(ARRAY['{orgs}']) AS org;");
    database.sql(&format!("{rights}\n{seen}"));
    Arc::new(PostgresStore::open(&url(login)).unwrap())
}

/// A database, and a login in two groups, into which no command of ours takes one.
fn place() -> Option<(Database, Address)> {
    let database = database()?;
    let (name, login) = (database.name(), database.role());
    let groups = StoreRole::ALL.map(|role| format!("CREATE ROLE {name}_{role};")).join(" ");
    database.sql(&format!("{groups} GRANT {name}_writer, {name}_rotator TO {};", login.user_name()));
    Some((database, login))
}

secretkit_core::conformance_tests!(&fresh);
