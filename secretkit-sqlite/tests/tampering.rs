//! Rows that somebody wrote behind secretkit's back: an error, never a wrong value, never a panic.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::fs;

use secretkit_core::conformance::hostile_names;
use secretkit_core::store::{Batch, Expect};
use secretkit_core::{ErrorKind, Result, SecretStore, SecretValue};
use secretkit_sqlite::SqliteStore;
use secretkit_test_shared::altered::{ADDRESS, at_revision, furnish, is_refused, listed};
use support::{Home, get, id, put};

fn home() -> Home {
    let home = Home::new();
    let secrets = home.created();
    furnish(&secrets);
    home
}

/// Runs a statement as anybody with the file can, with no constraint in the way. Returns how many rows it changed.
fn alter(home: &Home, statement: &str, parameters: impl rusqlite::Params) -> usize {
    let raw = home.raw();
    raw.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    raw.execute(statement, parameters).unwrap()
}

const ALTERED: &str = "org = 'acme' AND project = 'etl' AND domain = 'production'";

/// Each column that is no part of the address, with values that look right and values that do not.
const COLUMNS: &[(&str, &[&str])] = &[
    ("id", &["randomblob(16)", "zeroblob(16)", "zeroblob(15)", "zeroblob(17)", "x''"]),
    ("generation", &["generation + 1", "generation - 1", "0", "-1", "9223372036854775807"]),
    ("revision", &["revision + 1", "revision - 1", "1", "0", "-9223372036854775808"]),
    ("first_revision", &["first_revision + 1", "0", "-1"]),
    ("keep", &["0", "5", "-1", "4294967296"]),
    ("inactive_since", &["0", "-1", "9223372036854775807"]),
    ("expires_at", &["0", "9223372036854775807"]),
    ("description", &["'harmless'", "char(27) || '[2J'", "CAST(x'ff' AS TEXT)", "hex(zeroblob(600))"]),
    ("tags", &["'a'", "'b' || char(10) || 'a'", "char(10)", "CAST(x'c3' AS TEXT)"]),
    ("created_at", &["created_at + 1", "0"]),
    ("created_by", &["'somebody'", "''", "char(7)"]),
    ("updated_at", &["updated_at - 1"]),
    ("updated_by", &["'somebody'", "''"]),
    ("value_at", &["value_at + 1"]),
    ("value_by", &["'somebody'", "''"]),
    ("digest", &["randomblob(49)", "CAST(x'01' || randomblob(48) AS BLOB)", "zeroblob(48)", "x''", "head_mac"]),
    (
        "head_mac",
        &[
            "randomblob(49)",
            "CAST(x'01' || substr(head_mac, 2, 16) || randomblob(32) AS BLOB)",
            "zeroblob(48)",
            "x''",
            "digest",
        ],
    ),
    (
        "record",
        &[
            "randomblob(200)",
            "zeroblob(200)",
            "x''",
            "substr(record, 1, length(record) - 1)",
            "CAST(record || x'00' AS BLOB)",
            "substr(record, 1, 99)",
            "CAST(CAST('SKR1' AS BLOB) || zeroblob(112) AS BLOB)",
            "(SELECT record FROM revisions WHERE revision = 2 AND secret_id = secrets.id)",
            "(SELECT record FROM secrets AS other WHERE other.project = 'web')",
            "CAST(substr(record, 1, 4) || x'02' || substr(record, 6) AS BLOB)",
            "CAST(substr(record, 1, 8) || randomblob(16) || substr(record, 25) AS BLOB)",
        ],
    ),
];

#[test]
fn every_altered_column_of_a_secret_is_an_error() {
    let names: Vec<String> = {
        let home = home();
        let raw = home.raw();
        let mut statement = raw.prepare("SELECT name FROM pragma_table_info('secrets')").unwrap();
        statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let address = ["org", "project", "domain", "grp", "key"];
    assert_eq!(names.len(), COLUMNS.len() + address.len(), "a column is not altered here");
    for (column, values) in COLUMNS {
        assert!(names.iter().any(|name| name == column));
        for value in *values {
            let home = home();
            let what = format!("{column} = {value}");
            assert_eq!(alter(&home, &format!("UPDATE secrets SET {what} WHERE {ALTERED}"), ()), 1);
            let secrets = home.opened();
            is_refused(secrets.get(&id(ADDRESS)), &what);
            is_refused(at_revision(&secrets, 3), &what);
            // Beyond its commitment a record's bytes are the business of those who open it.
            if *column != "record" || secrets.info(&id(ADDRESS)).is_err() {
                is_refused(secrets.info(&id(ADDRESS)), &what);
                is_refused(at_revision(&secrets, 2), &what);
                is_refused(listed(&secrets, "acme"), &what);
                is_refused(secrets.update(&id(ADDRESS), &SecretValue::copied_from(b"new")), &what);
            } else {
                // A write does not launder it: it becomes a superseded value that does not open either.
                put(&secrets, ADDRESS, b"new");
                is_refused(at_revision(&secrets, 3), &what);
            }
            // Its neighbours are not concerned.
            assert_eq!(get(&secrets, "acme/etl:db/near"), b"near");
            assert_eq!(get(&secrets, "other/etl/production:db/password"), b"another org's");
        }
    }
}

#[test]
fn a_secret_moved_to_another_address_does_not_open_there() {
    let moves = [
        ("org = 'new'", "new/etl/production:db/password"),
        ("project = 'web'", "acme/web/production:db/password"),
        ("project = ''", "acme/*/production:db/password"),
        ("domain = 'staging'", "acme/etl/staging:db/password"),
        ("project = '', domain = ''", "acme:db/password"),
        ("grp = ''", "acme/etl/production:password"),
        ("grp = 'password', key = 'db'", "acme/etl/production:password/db"),
        ("key = 'Password'", "acme/etl/production:db/Password"),
    ];
    for (change, address) in moves {
        let home = home();
        assert_eq!(alter(&home, &format!("UPDATE secrets SET {change} WHERE {ALTERED}"), ()), 1);
        let secrets = home.opened();
        is_refused(secrets.get(&id(address)), change);
        is_refused(listed(&secrets, id(address).org().as_str()), change);
        assert_eq!(secrets.get(&id(ADDRESS)).unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[test]
fn rows_that_trade_places_are_errors_in_both() {
    let other = "acme/web/production:token";
    for columns in ["record", "record, head_mac", "record, head_mac, digest", "head_mac", "id"] {
        let home = home();
        let raw = home.raw();
        raw.execute_batch("PRAGMA foreign_keys = OFF; CREATE TEMP TABLE old AS SELECT * FROM secrets").unwrap();
        if columns == "id" {
            raw.execute_batch("UPDATE secrets SET id = randomblob(16) WHERE org = 'acme' AND project = 'web'").unwrap();
        }
        let trade = |from: &str, to: &str| {
            let set = format!("UPDATE secrets SET ({columns}) = (SELECT {columns} FROM old WHERE {from}) WHERE {to}");
            assert_eq!(raw.execute(&set, ()).unwrap(), 1);
        };
        let web = "org = 'acme' AND project = 'web'";
        trade(web, ALTERED);
        trade(ALTERED, web);
        drop(raw);
        let secrets = home.opened();
        is_refused(secrets.get(&id(ADDRESS)), columns);
        is_refused(secrets.get(&id(other)), columns);
        is_refused(listed(&secrets, "acme"), columns);
    }
}

#[test]
fn every_altered_column_of_a_superseded_value_is_an_error() {
    let changes: &[(&str, &[&str])] = &[
        ("secret_id", &["randomblob(16)", "x''", "(SELECT id FROM secrets WHERE project = 'web')"]),
        ("revision", &["7", "0", "-1"]),
        ("value_at", &["value_at + 1"]),
        ("value_by", &["'somebody'", "''", "CAST(x'ff' AS TEXT)"]),
        ("digest", &["randomblob(49)", "CAST(x'01' || randomblob(48) AS BLOB)", "x''", "mac"]),
        (
            "mac",
            &["randomblob(49)", "digest", "zeroblob(48)", "(SELECT mac FROM revisions AS other WHERE revision = 2)"],
        ),
        (
            "record",
            &[
                "randomblob(200)",
                "x''",
                "CAST(record || x'00' AS BLOB)",
                "(SELECT record FROM revisions AS other WHERE revision = 2)",
                "(SELECT record FROM secrets WHERE id = secret_id)",
            ],
        ),
    ];
    for (column, values) in changes {
        for value in *values {
            let home = home();
            let what = format!("{column} = {value}");
            assert_eq!(alter(&home, &format!("UPDATE revisions SET {what} WHERE revision = 1"), ()), 1);
            let secrets = home.opened();
            is_refused(at_revision(&secrets, 1), &what);
            assert_eq!(at_revision(&secrets, 2).unwrap(), b"second");
            assert_eq!(get(&secrets, ADDRESS), b"third");
        }
    }
    let home = home();
    assert_eq!(alter(&home, "DELETE FROM revisions WHERE revision = 1", ()), 1);
    is_refused(at_revision(&home.opened(), 1), "a revision that is gone");
    alter(&home, "UPDATE revisions SET revision = 1", ());
    is_refused(at_revision(&home.opened(), 1), "a revision in the place of another");
}

#[test]
fn every_altered_column_of_a_keyring_is_an_error() {
    let changes = [
        "org = 'new'",
        "version = version + 1",
        "version = 0",
        "version = -1",
        "kek_id = 'somebody-elses'",
        "kek_id = ''",
        "kek_id = CAST(x'ff' AS TEXT)",
        "wrapped_key = randomblob(148)",
        "wrapped_key = x''",
        "wrapped_key = zeroblob(100000)",
        "wrapped_key = (SELECT wrapped_key FROM keyring AS other WHERE org = 'other')",
        "keyset = randomblob(200)",
        "keyset = x''",
        "keyset = CAST(keyset || x'00' AS BLOB)",
        "keyset = (SELECT keyset FROM keyring AS other WHERE org = 'other')",
        "(wrapped_key, keyset) = (SELECT wrapped_key, keyset FROM keyring AS other WHERE org = 'other')",
    ];
    for change in changes {
        let home = home();
        assert_eq!(alter(&home, &format!("UPDATE keyring SET {change} WHERE org = 'acme'"), ()), 1);
        let secrets = home.opened();
        is_refused(secrets.get(&id(ADDRESS)), change);
        is_refused(listed(&secrets, "acme"), change);
        is_refused(secrets.update(&id(ADDRESS), &SecretValue::copied_from(b"new")), change);
        assert_eq!(get(&secrets, "other/etl/production:db/password"), b"another org's");
    }
    let home = home();
    alter(&home, "DELETE FROM keyring", ());
    is_refused(home.opened().get(&id(ADDRESS)), "a keyring that is gone");
}

#[test]
fn rows_of_another_store_under_the_same_root_key_do_not_open() {
    let (ours, theirs) = (home(), home());
    let theirs = Home { key: std::sync::Arc::clone(&ours.key), ..theirs };
    let raw = theirs.raw();
    raw.execute("ATTACH ?1 AS ours", [ours.path().to_str().unwrap()]).unwrap();
    raw.execute_batch(
        "PRAGMA foreign_keys = OFF;
         DELETE FROM secrets; INSERT INTO secrets SELECT * FROM ours.secrets;
         DELETE FROM revisions; INSERT INTO revisions SELECT * FROM ours.revisions;
         DELETE FROM keyring; INSERT INTO keyring SELECT * FROM ours.keyring",
    )
    .unwrap();
    drop(raw);
    let secrets = theirs.opened();
    is_refused(secrets.get(&id(ADDRESS)), "a row of another store");
    is_refused(listed(&secrets, "acme"), "a row of another store");
    assert_eq!(get(&ours.opened(), ADDRESS), b"third");
}

#[test]
fn a_hostile_name_in_a_row_is_an_error_and_is_not_repeated() {
    let home = home();
    let secrets = home.opened();
    let names = hostile_names();
    assert!(names.len() >= 60);
    for name in &names {
        for column in ["project", "domain", "grp", "key"] {
            alter(&home, &format!("UPDATE secrets SET {column} = ?1 WHERE generation = 3"), [name]);
            let refused = listed(&secrets, "acme").unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Corrupt, "{name:?} as {column}");
            let text = refused.to_string();
            assert!(name.chars().count() < 6 || !text.contains(name.as_str()), "{text}");
            assert!(text.chars().all(|character| !character.is_control()), "{text:?}");
            assert_eq!(secrets.get(&id(ADDRESS)).unwrap_err().kind(), ErrorKind::NotFound);
            let original = "UPDATE secrets SET project = 'etl', domain = 'production', grp = 'db', key = 'password' \
                            WHERE generation = 3";
            alter(&home, original, ());
        }
        alter(&home, "UPDATE secrets SET org = ?1 WHERE generation = 3", [name]);
        assert_eq!(listed(&secrets, "acme").unwrap().len(), 2, "it is in no org that anybody can name");
        alter(&home, "UPDATE secrets SET org = 'acme' WHERE generation = 3", ());
    }
    assert_eq!(get(&secrets, ADDRESS), b"third");
}

#[test]
fn an_expectation_of_a_row_that_makes_no_sense_is_an_error() {
    let home = home();
    alter(&home, "UPDATE secrets SET generation = 0 WHERE org = 'acme'", ());
    alter(&home, "UPDATE keyring SET version = -7 WHERE org = 'acme'", ());
    let store = SqliteStore::open(&home.path()).unwrap();
    let address = id(ADDRESS);
    let stable =
        home.raw().query_row(&format!("SELECT id FROM secrets WHERE {ALTERED}"), (), |row| row.get(0)).unwrap();
    let stable = secretkit_core::StableId::from_bytes(stable);
    let expectations = [
        Expect::Absent(address.clone()),
        Expect::Generation(address.org().clone(), stable, secretkit_core::Generation::FIRST),
        Expect::Keyring(address.org().clone(), None),
    ];
    for expect in expectations {
        let batch = Batch { expectations: vec![expect.clone()], changes: vec![], ..Batch::default() };
        assert_eq!(store.commit(&batch).unwrap_err().kind(), ErrorKind::Corrupt, "{expect:?}");
    }
}

/// Bit rot, and an attacker without patience: every answer is true, or an error, or that there is no such secret.
#[test]
fn no_flipped_bit_of_the_file_changes_an_answer() {
    let home = home();
    let truth = [
        (ADDRESS, &b"third"[..]),
        ("acme/etl:db/near", b"near"),
        ("acme/web/production:token", b"beside"),
        ("other/etl/production:db/password", b"another org's"),
    ];
    let genuine: Vec<_> = {
        let secrets = home.opened();
        truth.iter().map(|(address, _)| format!("{:?}", secrets.info(&id(address)).unwrap())).collect()
    };
    let whole = fs::read(home.path()).unwrap();
    let (mut answers, mut errors, mut state) = (0, 0, 0x2545_f491_4f6c_dd1d_u64);
    for _ in 0..3_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let bit = usize::try_from(state).unwrap() % (whole.len() * 8);
        let mut altered = whole.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        fs::write(home.path(), &altered).unwrap();
        let Ok(store) = SqliteStore::open(&home.path()) else {
            errors += 1;
            continue;
        };
        let secrets = home.secrets(store);
        for ((address, value), genuine) in truth.iter().zip(&genuine) {
            match secrets.get(&id(address)) {
                Ok(found) => {
                    assert!(found.value.expose_secret() == *value, "bit {bit} changed the value of {address}");
                    assert_eq!(format!("{:?}", found.info), *genuine, "bit {bit} changed the head of {address}");
                    answers += 1;
                }
                Err(_) => errors += 1,
            }
        }
        if let Ok(addresses) = listed(&secrets, "acme") {
            assert!(addresses.iter().all(|listed| truth.iter().any(|(address, _)| address == listed)), "{addresses:?}");
        }
        drop(secrets);
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(home.directory.path().join(format!("secrets.db{suffix}")));
        }
    }
    assert!(answers > 1_000 && errors > 100, "{answers} answers, {errors} errors");
}
