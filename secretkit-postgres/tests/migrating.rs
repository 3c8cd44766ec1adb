//! How a store comes to be on a server, and which ones are refused.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::process::Command;
use std::sync::Barrier;

use secretkit_core::store::Expect;
use secretkit_core::{Error, ErrorKind, SecretStore, store::Batch};
use secretkit_postgres::{Commits, PostgresStore, StoreRole, grant, grants, migrate, revoke, roles_sql, status};
use support::{Home, get, id, put, url};

/// Set in the processes that the first test starts: the URL of the store that they make.
const CHILD: &str = "TEST_MIGRATES";

#[test]
fn of_fifty_processes_that_start_at_once_one_makes_the_store() {
    if let Ok(url) = std::env::var(CHILD) {
        let store = PostgresStore::create(&url.parse().unwrap()).unwrap();
        println!("born {:?}", store.info().unwrap());
        return;
    }
    let Some(home) = Home::new() else { return };
    let processes: Vec<_> = (0..50)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "of_fifty_processes_that_start_at_once_one_makes_the_store", "--nocapture"])
                .env(CHILD, home.database.url())
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let born: std::collections::BTreeSet<String> = processes
        .into_iter()
        .map(|process| {
            let output = process.wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{text}");
            text.lines().find(|line| line.contains("born")).unwrap().to_owned()
        })
        .collect();
    assert_eq!(born.len(), 1, "{born:?}");
    assert_eq!(home.database.sql("SELECT count(*) FROM secretkit.store;"), "1");
    assert!(status(&home.url()).unwrap().is_current());
}

#[test]
fn threads_that_migrate_at_once_all_succeed() {
    let Some(home) = Home::new() else { return };
    let (barrier, url) = (Barrier::new(8), home.url());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                assert!(migrate(&url).unwrap().is_current());
            });
        }
    });
    assert!(PostgresStore::open(&url).unwrap().is_empty().unwrap());
}

#[test]
fn a_store_is_made_when_asked_for_and_not_before() {
    let Some(home) = Home::new() else { return };
    assert_eq!(status(&home.url()).unwrap().version, None);
    assert_eq!(PostgresStore::open(&home.url()).unwrap_err().kind(), ErrorKind::NoStore);
    assert_eq!(home.database.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'secretkit';"), "0");
    let made = PostgresStore::create(&home.url()).unwrap();
    assert!(made.is_empty().unwrap());
    let again = PostgresStore::create(&home.url()).unwrap();
    assert_eq!(made.info().unwrap(), again.info().unwrap());
    assert_eq!(status(&home.url()).unwrap().version, Some(PostgresStore::schema_version()));
    assert_eq!(migrate(&home.url()).unwrap(), status(&home.url()).unwrap());
}

#[test]
fn stores_in_schemas_of_any_name_do_not_see_each_other() {
    let Some(home) = Home::new() else { return };
    let names =
        ["plain", "With \"quotes\" and 'more'", "semi; DROP SCHEMA plain CASCADE; --", "ä€", "$$", "$body$", "@name@"];
    let address = |name| home.database.address().with("schema", name);
    for name in names {
        let secrets = home.secrets(PostgresStore::create(&url(&address(name))).unwrap());
        put(&secrets, "acme:token", name.as_bytes());
    }
    for name in names {
        let secrets = home.secrets(PostgresStore::open(&url(&address(name))).unwrap());
        assert_eq!(get(&secrets, "acme:token"), name.as_bytes());
        put(&secrets, "acme:token", b"second");
    }
    // A search path that names one schema is understood as well.
    let searched = home.database.address().with("options", "-c search_path=plain");
    let secrets = home.secrets(PostgresStore::open(&url(&searched)).unwrap());
    assert_eq!(get(&secrets, "acme:token"), b"second");
}

#[test]
fn it_takes_no_rights_but_those_in_a_schema_that_is_there() {
    let Some(home) = Home::new() else { return };
    let role = home.database.role();
    let refused = PostgresStore::create(&url(&role)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied, "{refused}");
    home.database.sql(&format!("CREATE SCHEMA secretkit AUTHORIZATION {};", role.user_name()));
    let secrets = home.secrets(PostgresStore::create(&url(&role)).unwrap());
    put(&secrets, "acme:token", b"t0k3n");
    assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
    // Nobody else is let in.
    let refused = PostgresStore::open(&url(&home.database.role())).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied, "{refused}");
}

#[test]
fn what_no_version_of_ours_made_is_refused() {
    let Some(home) = Home::filled() else { return };
    let refusal = |change: &str, back: &str| {
        home.database.sql(&format!("UPDATE secretkit.migrations SET {change};"));
        let errors = [
            PostgresStore::open(&home.url()).unwrap_err(),
            PostgresStore::create(&home.url()).unwrap_err(),
            migrate(&home.url()).unwrap_err(),
            status(&home.url()).unwrap_err(),
        ];
        home.database.sql(&format!("UPDATE secretkit.migrations SET {back};"));
        assert!(errors.iter().all(|error| error.kind() == ErrorKind::NotAStore), "{change}: {errors:?}");
        errors[0].to_string()
    };
    let newer = refusal("version = version + 10", "version = version - 10");
    assert!(newer.contains("knows up to") && newer.contains("upgrade"), "{newer}");
    refusal("checksum = reverse(checksum)", "checksum = reverse(checksum)");
    assert_eq!(get(&home.opened(), "acme:token"), b"t0k3n");

    home.database.sql("CREATE SCHEMA theirs; CREATE TABLE theirs.secrets (name text);");
    let theirs = url(&home.database.superuser().with("schema", "theirs"));
    let error = PostgresStore::create(&theirs).unwrap_err();
    assert!(error.kind() == ErrorKind::NotAStore && error.to_string().contains("schema="), "{error}");
    assert_eq!(home.database.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'theirs'::regnamespace;"), "1");
    for more in ["CREATE TABLE theirs.migrations (name text);", "CREATE TABLE theirs.store (name text);"] {
        home.database.sql(more);
        for error in [PostgresStore::create(&theirs).unwrap_err(), migrate(&theirs).unwrap_err()] {
            assert!(error.kind() == ErrorKind::NotAStore && error.to_string().contains("schema="), "{more} {error}");
        }
    }
}

#[test]
fn a_database_whose_texts_are_not_utf_8_is_refused() {
    let Some(home) = Home::new() else { return };
    let name = format!("{}_latin", home.database.name());
    home.database.sql(&format!("CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0;"));
    let error = PostgresStore::create(&url(&home.database.superuser().database(&name))).unwrap_err();
    home.database.sql(&format!("DROP DATABASE {name} WITH (FORCE);"));
    assert!(error.kind() == ErrorKind::Unsupported && error.to_string().contains("UTF-8"), "{error}");
}

/// A real server on which a function or a view says what it says elsewhere.
fn elsewhere(says: &str) -> Option<Home> {
    let home = Home::new()?;
    home.database.sql(&format!("SET allow_system_table_mods = on; CREATE OR REPLACE {says};"));
    Some(home)
}

fn calls_itself(words: &str) -> Option<Home> {
    elsewhere(&format!("FUNCTION pg_catalog.version() RETURNS text LANGUAGE sql RETURN '{words}'"))
}

#[test]
fn a_server_that_is_another_product_or_too_old_is_refused_before_anything_is_made() {
    for (name, words) in
        [("Materialize 26.0 (PostgreSQL 9.5)", "this server is not PostgreSQL"), ("", "this server is not PostgreSQL")]
    {
        let Some(home) = calls_itself(name) else { return };
        let error = PostgresStore::create(&home.url()).unwrap_err();
        assert!(error.kind() == ErrorKind::Unsupported && error.to_string().contains(words), "{words}: {error}");
        assert!(error.to_string().contains("use PostgreSQL 14 or newer"), "{error}");
        assert_eq!(home.database.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'secretkit';"), "0");
    }
}

#[test]
fn a_server_that_has_no_locks_or_functions_for_it_gets_a_store_without_functions() {
    let without_locks = |kind: &str| {
        elsewhere(&format!(
            "VIEW pg_catalog.pg_locks AS SELECT * FROM pg_lock_status() AS l WHERE locktype <> '{kind}'"
        ))
    };
    for home in [
        without_locks("advisory"),
        without_locks("relation"),
        Home::new().map(Home::without_functions),
        calls_itself("CockroachDB CCL v25.2.0 (x86_64-pc-linux-gnu, built 2025/05/09)"),
        calls_itself("PostgreSQL 15.2-YB-2025.1.0.0-b0 on arm64"),
    ] {
        let Some(home) = home else { return };
        let made = migrate(&home.url()).unwrap();
        assert!(made.is_current() && made.commits == Commits::Transaction, "{made:?}");
        assert_eq!(status(&home.url()).unwrap(), made);
        let store = PostgresStore::open(&home.url()).unwrap();
        assert!(store.commits() == Commits::Transaction && store.is_empty().unwrap());
        let secrets = home.secrets(store);
        put(&secrets, "acme:token", b"t0k3n");
        put(&secrets, "acme:token", b"second");
        assert_eq!(get(&home.opened(), "acme:token"), b"second");
        let functions = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'secretkit'::regnamespace;";
        assert_eq!(home.database.sql(functions), "0");
        let checks = secretkit_postgres::examine(&home.url()).unwrap();
        let tables = checks.iter().find(|check| check.check == "tables").unwrap();
        assert!(tables.finding.contains("without functions") && tables.advice.is_some(), "{tables:?}");
        let server = checks.iter().find(|check| check.check == "server").unwrap();
        assert_eq!(server.advice, None, "{server:?}");
    }
}

#[test]
fn stores_without_functions_have_no_roles() {
    let Some(home) = Home::new().map(Home::without_functions) else { return };
    put(&home.created(), "acme:token", b"t0k3n");
    let login = home.database.role();
    let org = id("acme:a").org().clone();
    for refused in [
        grant(&home.url(), login.user_name(), StoreRole::Reader, &org, None).unwrap_err(),
        revoke(&home.url(), login.user_name(), Some(&org)).unwrap_err(),
        grants(&home.url()).unwrap_err(),
        roles_sql(&home.url(), None).unwrap_err(),
    ] {
        assert!(refused.kind() == ErrorKind::Unsupported && refused.to_string().contains("has no roles"), "{refused}");
    }
}

#[test]
fn whoever_makes_a_store_at_once_where_no_lock_is_held_finds_the_same() {
    let Some(home) = calls_itself("CockroachDB CCL v25.2.0 (x86_64-pc-linux-gnu)") else { return };
    let (barrier, url) = (Barrier::new(8), home.url());
    let born: Vec<_> = std::thread::scope(|scope| {
        let make = || {
            barrier.wait();
            PostgresStore::create(&url).unwrap().info().unwrap()
        };
        let making: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        making.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(born.iter().all(|each| *each == born[0]), "{born:?}");
    assert_eq!(home.database.sql("SELECT count(*) FROM secretkit.store;"), "1");
}

#[test]
fn a_store_without_functions_can_be_used_where_there_are_some() {
    let Some(home) = Home::new().map(Home::without_functions) else { return };
    put(&home.created(), "acme:token", b"t0k3n");
    home.database.sql("CREATE EXTENSION plpgsql;");
    let secrets = home.opened();
    put(&secrets, "acme:token", b"second");
    assert_eq!(get(&secrets, "acme:token"), b"second");
    assert_eq!(migrate(&home.url()).unwrap().commits, Commits::Transaction);
    // And another one beside it has them.
    let beside = PostgresStore::create(&url(&home.database.address().with("schema", "beside"))).unwrap();
    assert_eq!(beside.commits(), Commits::Function);
}

#[test]
fn a_store_that_was_brought_to_another_product_is_not_opened() {
    let Some(home) = Home::new() else { return };
    put(&home.created(), "acme:token", b"t0k3n");
    let says = |words: &str| {
        home.database.sql(&format!(
            "CREATE OR REPLACE FUNCTION pg_catalog.version() RETURNS text LANGUAGE sql RETURN '{words}';"
        ));
    };
    says("PostgreSQL 15.2-YB-2025.1.0.0-b0 on arm64");
    let error = PostgresStore::open(&home.url()).unwrap_err();
    assert!(error.kind() == ErrorKind::Unsupported && error.to_string().contains("YugabyteDB"), "{error}");
    let checks = secretkit_postgres::examine(&home.url()).unwrap();
    let server = checks.iter().find(|check| check.check == "server").unwrap();
    assert!(server.finding.contains("it is YugabyteDB") && server.advice.is_some(), "{server:?}");
    says("PostgreSQL 17.10 on arm64");
    assert_eq!(get(&home.opened(), "acme:token"), b"t0k3n");
}

#[test]
fn a_role_that_defaults_to_weaker_promises_gets_none() {
    let Some(home) = Home::new() else { return };
    let user = home.database.name();
    home.database.sql(&format!(
        "ALTER ROLE {user} SET synchronous_commit = off; ALTER ROLE {user} SET default_transaction_isolation = 'serializable'; \
         ALTER ROLE {user} SET search_path = pg_temp;"
    ));
    let secrets = home.created();
    put(&secrets, "acme:token", b"1");
    assert_eq!(get(&secrets, "acme:token"), b"1");
    let Some(plain) = Home::new().map(Home::without_functions) else { return };
    plain.database.sql(&format!(
        "ALTER ROLE {0} SET synchronous_commit = off; ALTER ROLE {0} SET default_transaction_isolation = 'read committed';",
        plain.database.name()
    ));
    put(&plain.created(), "acme:token", b"1");
    assert_eq!(get(&plain.opened(), "acme:token"), b"1");
    // What somebody says in the URL wins, and a commit that could not see what it waited for is refused.
    let options = "-c default_transaction_isolation=serializable";
    let store = PostgresStore::open(&url(&home.database.address().with("options", options))).unwrap();
    let batch = Batch { expectations: vec![Expect::Absent(id("acme:other"))], ..Batch::default() };
    let refused = store.commit(&batch).unwrap_err();
    assert!(matches!(&refused, Error::Store { .. }) && refused.to_string().contains("READ COMMITTED"), "{refused}");
}
