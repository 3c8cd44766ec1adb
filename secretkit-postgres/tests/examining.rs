//! A look at a store from outside: each finding on a real server that gives cause for it.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use secretkit_core::ErrorKind;
use secretkit_core::store::{Rating, StoreCheck};
use secretkit_postgres::{PostgresStore, examine, migrate};
use secretkit_test_postgres::{Address, Options, Server, database};

use support::{Home, put, url};

fn look(address: &Address) -> Vec<StoreCheck> {
    let checks = examine(&url(address)).unwrap();
    for check in &checks {
        assert_eq!(
            check.rating == Rating::Secure,
            check.advice.is_none(),
            "what is not secure says what to do: {check:?}"
        );
        let password = address.password_text();
        assert!(password.is_empty() || !format!("{check:?}").contains(password), "{check:?}");
    }
    checks
}

#[track_caller]
fn rated(checks: &[StoreCheck], check: &str, rating: Rating, words: &str) {
    let found: Vec<_> = checks.iter().filter(|each| each.check == check).collect();
    assert!(found.iter().any(|each| each.rating == rating && each.finding.contains(words)), "{check}: {found:?}");
}

/// With the password where it belongs.
fn with_password_file(address: &Address) -> (Address, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("*:*:*:*:{}\n", address.password_text())).unwrap();
    (address.clone().password("").with("passfile", file.path().to_str().unwrap()), file)
}

#[test]
fn a_server_that_is_as_it_should_be_gives_nothing_to_do() {
    let Some(server) = Server::start() else { return };
    let home = Home::of(server.database());
    // Whoever makes the tables does no more than that.
    migrate(&home.url()).unwrap();
    let application = home.database.role();
    let name = application.user_name();
    home.database.sql(&format!(
        "GRANT USAGE ON SCHEMA secretkit TO {name}; GRANT SELECT ON ALL TABLES IN SCHEMA secretkit TO {name};"
    ));
    let (address, _file) = with_password_file(&application);
    rated(&look(&address), "transactions", Rating::Weak, "hold up");
    home.database.sql(&format!("ALTER ROLE {name} SET idle_in_transaction_session_timeout = '1min';"));
    let checks = look(&address);
    assert!(checks.iter().all(|check| check.rating == Rating::Secure), "{checks:?}");
    rated(&checks, "TLS", Rating::Secure, "127.0.0.1 had to prove its name (verify-full)");
    rated(&checks, "server", Rating::Secure, "PostgreSQL ");
    rated(&checks, "server", Rating::Secure, "UTF8");
    rated(&checks, "durability", Rating::Secure, "for no standby");
    rated(
        &checks,
        "tables",
        Rating::Secure,
        &format!("version {} in schema secretkit", PostgresStore::schema_version()),
    );
    rated(&checks, "connections", Rating::Secure, "up to 8 of the 97 that the server has");
    rated(&checks, "time-outs", Rating::Secure, "15000 ms");
    rated(&checks, "clock", Rating::Secure, "agrees");

    let standby = server.standby();
    let there = address.port(standby.port()).with("target_session_attrs", "any");
    rated(&look(&there), "primary", Rating::Weak, "a standby was reached");
}

#[test]
fn nothing_is_made_by_looking() {
    let Some(database) = database() else { return };
    rated(&look(&database.address()), "tables", Rating::Secure, "none yet in schema secretkit");
    assert_eq!(PostgresStore::open(&url(&database.address())).unwrap_err().kind(), ErrorKind::NoStore);
}

#[test]
fn who_logs_in_and_how_is_told() {
    let Some(home) = Home::filled() else { return };
    let owner = home.database.address();
    let checks = look(&owner);
    rated(&checks, "login", Rating::Weak, "change and drop the tables, which it owns");
    rated(&checks, "password", Rating::Weak, "stands in the URL");
    let superuser = home.database.superuser();
    rated(&look(&superuser), "login", Rating::Insecure, "a superuser");
    let (hidden, file) = with_password_file(&owner);
    rated(&look(&hidden), "password", Rating::Secure, "not in the URL");
    // One that others can read lets nobody in, and the error says what to do.
    std::fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let refused = examine(&url(&hidden)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::UnsafeStore);
    assert!(refused.to_string().contains("chmod 600"), "{refused}");
    home.database.sql("GRANT USAGE ON SCHEMA secretkit TO PUBLIC;");
    rated(&look(&owner), "schema", Rating::Weak, "every login");
    let stranger = home.database.role();
    let name = stranger.user_name();
    let may_create = |who: &str| rated(&look(&owner), "schema", Rating::Insecure, &format!("may create in it ({who})"));
    home.database.sql("GRANT CREATE ON SCHEMA secretkit TO PUBLIC;");
    may_create("every login");
    home.database.sql(&format!("GRANT CREATE ON SCHEMA secretkit TO {name};"));
    may_create(&format!("every login, {name}"));
    home.database.sql(&format!("REVOKE CREATE ON SCHEMA secretkit FROM PUBLIC, {name};"));
    // Those whose the schema and the tables are, may.
    let (administrator, ours) = (superuser.user_name(), owner.user_name());
    home.database
        .sql(&format!("ALTER SCHEMA secretkit OWNER TO {administrator}; GRANT ALL ON SCHEMA secretkit TO {ours};"));
    assert!(!look(&owner).iter().any(|check| check.check == "schema" && check.rating == Rating::Insecure));
    home.database.sql(&format!("ALTER SCHEMA secretkit OWNER TO {name};"));
    may_create(name);
    home.database.sql(&format!("ALTER SCHEMA secretkit OWNER TO {ours};"));
    home.database.sql(&format!(
        "ALTER ROLE {name} CREATEROLE CREATEDB BYPASSRLS; GRANT SELECT ON secretkit.migrations TO {name};"
    ));
    rated(&look(&stranger), "login", Rating::Weak, "pass by row-level security, make logins, make databases");
}

#[test]
fn what_becomes_of_a_commit_is_told() {
    // This one waits for no disk.
    let Some(home) = Home::filled() else { return };
    if std::env::var_os("SECRETKIT_TEST_POSTGRES").is_none() {
        rated(&look(&home.database.address()), "durability", Rating::Insecure, "fsync is off");
    }
    let Some(server) = Options::new().setting("synchronous_commit", "off").start() else { return };
    let home = Home::of(server.database());
    rated(&look(&home.database.address()), "durability", Rating::Secure, "waits for the disk all the same");
    let Some(server) = Options::new().setting("synchronous_commit", "local").synchronous_standbys("other").start()
    else {
        return;
    };
    let home = Home::of(server.database());
    rated(&look(&home.database.address()), "durability", Rating::Weak, "synchronous_commit is local");
}

#[test]
fn what_the_servers_log_would_show_is_told() {
    let Some(home) = Home::filled() else { return };
    let address = home.database.address();
    let name = address.user_name();
    let set = |name: &str, setting: &str| home.database.sql(&format!("ALTER ROLE {name} SET {setting};"));
    rated(&look(&address), "statement log", Rating::Secure, "no statement of ours is logged");
    set(name, "log_min_duration_statement = 500");
    rated(&look(&address), "statement log", Rating::Weak, "logs slow statements with parameters");
    set(name, "log_statement = 'all'");
    rated(&look(&address), "statement log", Rating::Weak, "logs every statement with parameters: names");
    set(name, "log_parameter_max_length = 0");
    rated(&look(&address), "statement log", Rating::Secure, "without parameters");
    set(name, "log_parameter_max_length_on_error = 100");
    rated(&look(&address), "statement log", Rating::Weak, "logs statements that fail with parameters");
    for (home, rating, words) in [
        (Home::new(), Rating::Secure, "no statement of ours"),
        (
            Home::new().map(Home::without_functions),
            Rating::Weak,
            "logs statements that change something with parameters",
        ),
    ] {
        let Some(home) = home else { return };
        put(&home.created(), "acme:token", b"t0k3n");
        home.database.sql(&format!("ALTER ROLE {} SET log_statement = 'mod';", home.database.name()));
        rated(&look(&home.database.address()), "statement log", rating, words);
    }
}

#[test]
fn room_and_time_outs_are_told() {
    let Some(home) = Home::filled() else { return };
    let address = home.database.address();
    let name = address.user_name();
    home.database.sql(&format!("ALTER ROLE {name} CONNECTION LIMIT 5;"));
    rated(&look(&address), "connections", Rating::Weak, "up to 8 of the 5 that the login has");
    rated(&look(&address.clone().with("pool_size", "5")), "connections", Rating::Weak, "no room for the whole pool");
    home.database.sql(&format!("ALTER ROLE {name} CONNECTION LIMIT -1;"));
    rated(
        &look(&address.with("options", "-c statement_timeout=0")),
        "time-outs",
        Rating::Weak,
        "the server knows of none",
    );
}

#[test]
fn tables_of_another_version_are_told() {
    let Some(home) = Home::filled() else { return };
    home.database
        .sql("DELETE FROM secretkit.migrations WHERE version = (SELECT max(version) FROM secretkit.migrations);");
    rated(&look(&home.database.address()), "tables", Rating::Insecure, "and this secretkit needs");
    home.database.sql("UPDATE secretkit.migrations SET checksum = 'other';");
    assert_eq!(examine(&home.url()).unwrap_err().kind(), ErrorKind::NotAStore);
}
