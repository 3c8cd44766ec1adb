//! Rows that somebody wrote behind secretkit's back: an error, never a wrong value, never a panic.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::fmt::Write as _;

use secretkit_core::conformance::hostile_names;
use secretkit_core::store::{Batch, Expect};
use secretkit_core::{ErrorKind, Generation, SecretStore, SecretValue, Secrets};
use secretkit_postgres::PostgresStore;
use secretkit_test_shared::altered::{ADDRESS, at_revision, furnish, is_refused, listed};
use support::{Home, get, id, put};

const ALTERED: &str = "org = 'acme' AND project = 'etl' AND domain = 'production'";

fn home() -> Option<(Home, Secrets)> {
    let home = Home::new()?;
    let secrets = home.created();
    furnish(&secrets);
    home.database.sql(
        "CREATE TABLE kept_secrets AS TABLE secretkit.secrets; CREATE TABLE kept_revisions AS TABLE secretkit.revisions; \
         CREATE TABLE kept_keyring AS TABLE secretkit.keyring;",
    );
    Some((home, secrets))
}

/// Runs statements as anybody with the database can, with no constraint in the way.
fn alter(home: &Home, statements: &str) {
    home.database.sql(&format!("SET session_replication_role = replica; {statements}"));
}

/// Puts back what was there before.
const RESTORE: &str = "DELETE FROM secretkit.secrets; INSERT INTO secretkit.secrets TABLE kept_secrets; \
                       DELETE FROM secretkit.revisions; INSERT INTO secretkit.revisions TABLE kept_revisions; \
                       DELETE FROM secretkit.keyring; INSERT INTO secretkit.keyring TABLE kept_keyring;";

#[test]
fn every_altered_column_of_a_secret_is_an_error() {
    const COLUMNS: &[(&str, &[&str])] = &[
        ("id", &["decode(md5('x'), 'hex')", "'\\x00'", "''"]),
        ("generation", &["generation + 1", "generation - 1", "0", "-1", "9223372036854775807"]),
        ("revision", &["revision + 1", "1", "0", "-9223372036854775808"]),
        ("first_revision", &["first_revision + 1", "0", "-1"]),
        ("keep", &["0", "-1", "4294967296"]),
        ("inactive_since", &["0", "9223372036854775807"]),
        ("expires_at", &["0", "9223372036854775807"]),
        ("description", &["'harmless'", "chr(27) || '[2J'", "repeat('x', 5000)"]),
        ("tags", &["'a'", "'b' || chr(10) || 'a'", "chr(10)"]),
        ("created_at", &["created_at + 1", "0"]),
        ("created_by", &["'somebody'", "''", "chr(7)"]),
        ("updated_at", &["updated_at - 1"]),
        ("value_by", &["'somebody'", "''"]),
        ("digest", &["sha512('x')", "'\\x01' || substr(digest, 2, 16) || sha256('x')", "''", "head_mac"]),
        ("head_mac", &["'\\x01' || substr(head_mac, 2, 16) || sha256('x')", "''", "digest"]),
        (
            "record",
            &[
                "sha512('x') || sha512('y')",
                "''",
                "substr(record, 1, length(record) - 1)",
                "record || '\\x00'",
                "(SELECT r.record FROM secretkit.revisions AS r WHERE r.revision = 2 AND r.secret_id = secrets.id)",
                "(SELECT s.record FROM secretkit.secrets AS s WHERE s.project = 'web')",
                "set_byte(record, 4, 2)",
                "set_byte(record, length(record) - 1, 255 - get_byte(record, length(record) - 1))",
            ],
        ),
    ];
    let Some((home, secrets)) = home() else { return };
    for (column, values) in COLUMNS {
        for value in *values {
            let what = format!("{column} = {value}");
            alter(&home, &format!("{RESTORE} UPDATE secretkit.secrets SET {what} WHERE {ALTERED};"));
            is_refused(secrets.get(&id(ADDRESS)), &what);
            is_refused(at_revision(&secrets, 3), &what);
            // Beyond its commitment a record's bytes are the business of those who open it.
            if *column != "record" || secrets.info(&id(ADDRESS)).is_err() {
                is_refused(secrets.info(&id(ADDRESS)), &what);
                is_refused(at_revision(&secrets, 2), &what);
                is_refused(listed(&secrets, "acme"), &what);
                is_refused(secrets.update(&id(ADDRESS), &SecretValue::copied_from(b"new")), &what);
            }
            // Its neighbours are not concerned.
            assert_eq!(get(&secrets, "acme/etl:db/near"), b"near");
        }
    }
}

#[test]
fn every_altered_superseded_value_and_keyring_is_an_error() {
    let Some((home, secrets)) = home() else { return };
    let revisions = [
        "secret_id = (SELECT id FROM secretkit.secrets WHERE project = 'web')",
        "revision = 7",
        "value_at = value_at + 1",
        "value_by = ''",
        "digest = ''",
        "mac = digest",
        "record = (SELECT r.record FROM secretkit.revisions AS r WHERE r.revision = 2)",
        "record = ''",
    ];
    for what in revisions {
        alter(&home, &format!("{RESTORE} UPDATE secretkit.revisions SET {what} WHERE revision = 1;"));
        is_refused(at_revision(&secrets, 1), what);
        assert_eq!(at_revision(&secrets, 2).unwrap(), b"second");
    }
    let keyrings = [
        "version = version + 1",
        "version = 0",
        "version = -1",
        "kek_id = ''",
        "wrapped_key = ''",
        "wrapped_key = (SELECT k.wrapped_key FROM secretkit.keyring AS k WHERE k.org = 'other')",
        "keyset = ''",
        "keyset = (SELECT k.keyset FROM secretkit.keyring AS k WHERE k.org = 'other')",
    ];
    for what in keyrings {
        alter(&home, &format!("{RESTORE} UPDATE secretkit.keyring SET {what} WHERE org = 'acme';"));
        let secrets = home.opened();
        is_refused(secrets.get(&id(ADDRESS)), what);
        is_refused(secrets.update(&id(ADDRESS), &SecretValue::copied_from(b"new")), what);
        assert_eq!(get(&secrets, "other/etl/production:db/password"), b"another org's");
    }
}

#[test]
fn a_hostile_name_in_a_row_is_an_error_and_is_not_repeated() {
    let Some(home) = Home::new() else { return };
    let secrets = home.created();
    // Neither a NUL nor more than an index holds can stand in a row.
    let names: Vec<_> = hostile_names().into_iter().filter(|name| !name.contains('\0') && name.len() < 1000).collect();
    assert!(names.len() >= 50);
    for number in 0..names.len() {
        put(&secrets, &format!("org{number}/etl/production:db/password"), b"value");
    }
    for column in ["project", "domain", "grp", "key"] {
        let mut script = String::new();
        for (number, name) in names.iter().enumerate() {
            let hex = name.bytes().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").unwrap();
                hex
            });
            writeln!(
                script,
                "UPDATE secretkit.secrets SET project = 'etl', domain = 'production', grp = 'db', key = 'password' \
                 WHERE org = 'org{number}'; UPDATE secretkit.secrets SET {column} = \
                 convert_from(decode('{hex}', 'hex'), 'UTF8') WHERE org = 'org{number}';"
            )
            .unwrap();
        }
        home.database.sql(&script);
        for (number, name) in names.iter().enumerate() {
            let refused = listed(&secrets, &format!("org{number}")).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Corrupt, "{name:?} as {column}");
            let text = refused.to_string();
            assert!(name.chars().count() < 6 || !text.contains(name.as_str()), "{text}");
            assert!(text.chars().all(|character| !character.is_control()), "{text:?}");
        }
    }
}

#[test]
fn an_expectation_of_a_row_that_makes_no_sense_is_an_error() {
    let Some((home, _)) = home() else { return };
    alter(
        &home,
        "UPDATE secretkit.secrets SET generation = 0 WHERE org = 'acme'; \
         UPDATE secretkit.keyring SET version = -7 WHERE org = 'acme';",
    );
    let store = PostgresStore::open(&home.url()).unwrap();
    let address = id(ADDRESS);
    let stable = home.database.sql(&format!("SELECT encode(id, 'hex') FROM secretkit.secrets WHERE {ALTERED};"));
    let bytes: Vec<u8> =
        (0..16).map(|place| u8::from_str_radix(&stable[place * 2..place * 2 + 2], 16).unwrap()).collect();
    let stable = secretkit_core::StableId::from_bytes(bytes.try_into().unwrap());
    let expectations = [
        Expect::Absent(address.clone()),
        Expect::Generation(address.org().clone(), stable, Generation::FIRST),
        Expect::Keyring(address.org().clone(), None),
        Expect::NoSecrets(address.org().clone()),
    ];
    for expect in expectations {
        let batch = Batch { expectations: vec![expect.clone()], changes: vec![], ..Batch::default() };
        assert_eq!(store.commit(&batch).unwrap_err().kind(), ErrorKind::Corrupt, "{expect:?}");
    }
}
