//! A verification, the events and a copy of a file that somebody changed behind secretkit's back.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use secretkit_core::{Copied, CopyFinding, ErrorKind, Finding, SecretStore, Secrets, Verified};
use secretkit_sqlite::SqliteStore;
use support::{Home, id, put};

/// Twelve secrets, of which one has a history and one was deleted; in several lanes.
fn home() -> Home {
    let home = Home::new();
    let secrets = home.created();
    for number in 0..12 {
        put(&secrets, &format!("acme/etl:k{number}"), b"value");
    }
    for value in [b"two", b"six"] {
        put(&secrets, "acme/etl:k0", value);
    }
    secrets.delete(&id("acme/etl:k11")).unwrap();
    assert_eq!(findings(&secrets), []);
    home
}

fn findings(secrets: &Secrets) -> Vec<Finding> {
    let told = secrets.verify(id("acme:a").org()).flat_map(Result::unwrap);
    told.filter_map(|told| match told {
        Verified::Wrong(finding) => Some(finding),
        _ => None,
    })
    .collect()
}

fn alter(home: &Home, statement: &str) -> usize {
    let raw = home.raw();
    raw.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    raw.execute(statement, ()).unwrap()
}

#[test]
fn e1_every_altered_event_breaks_its_chain() {
    for change in [
        "at = at + 1",
        "token = randomblob(16)",
        "token = x''",
        "body = randomblob(100)",
        "body = x''",
        "body = CAST(body || x'00' AS BLOB)",
        "mac = randomblob(49)",
        "mac = x''",
        "seq = seq + 1000",
        "lane = lane + 16",
        "org = 'other'",
    ] {
        let home = home();
        let last = "(org, lane, seq) = (SELECT org, lane, max(seq) FROM events GROUP BY lane ORDER BY 3 DESC LIMIT 1)";
        let events = || home.opened().events(id("acme:a").org()).filter(Result::is_ok).count();
        let all = events();
        assert_eq!(alter(&home, &format!("UPDATE events SET {change} WHERE {last}")), 1);
        let found = findings(&home.opened());
        assert!(found.iter().any(|finding| matches!(finding, Finding::BrokenChain { .. })), "{change}: {found:?}");
        assert_eq!(events(), all - 1, "{change}: those before it are given all the same");
    }
}

#[test]
fn a_copy_tells_every_row_that_makes_no_sense() {
    let (source, target) = (home(), Home::new());
    let (old, new) = (source.created(), target.created());
    let damaged = |from: &Secrets, to: &Secrets| {
        let told = to.copy_from(from, id("acme:a").org(), 100).flat_map(Result::unwrap);
        told.filter(|told| matches!(told, Copied::Left(CopyFinding::Damaged(_)))).count()
    };
    assert_eq!(damaged(&old, &new), 0);
    put(&old, "acme/etl:k0", b"later");
    for home in [&target, &source] {
        let of = |key: &str| format!("(SELECT id FROM secrets WHERE key = '{key}')");
        for statement in [
            "UPDATE secrets SET head_mac = x'' WHERE key = 'k1'".to_owned(),
            format!("UPDATE revisions SET mac = x'' WHERE secret_id = {}", of("k0")),
            format!("INSERT INTO consumers VALUES ({}, 'job', 1, 'x', x'')", of("k2")),
        ] {
            assert!(alter(home, &statement) > 0, "{statement}");
        }
        let (old, new) = (source.opened(), target.opened());
        assert_eq!(damaged(&old, &new), 3);
        assert_eq!(new.get(&id("acme/etl:k3")).unwrap().value.expose_secret(), b"value");
    }
}

#[test]
fn e2_events_that_are_gone_are_found() {
    // From the middle of a lane, and from its end.
    for which in ["seq = 1", "seq = (SELECT seq FROM lanes WHERE lane = events.lane)"] {
        let home = home();
        assert!(alter(&home, &format!("DELETE FROM events WHERE {which}")) > 0);
        let found = findings(&home.opened());
        assert!(found.iter().any(|finding| matches!(finding, Finding::BrokenChain { .. })), "{which}: {found:?}");
    }
    // With the end of the lane moved back, so that the chain itself is whole: the secrets tell.
    let home = home();
    let longest = "(SELECT lane FROM lanes WHERE seq > 1 ORDER BY seq DESC LIMIT 1)";
    assert_eq!(
        alter(
            &home,
            &format!(
                "DELETE FROM events WHERE lane = {longest} AND seq = (SELECT seq FROM lanes WHERE lane = events.lane)"
            )
        ),
        1
    );
    let back =
        "UPDATE lanes SET (seq, mac) = (SELECT seq, mac FROM events WHERE lane = lanes.lane ORDER BY seq DESC LIMIT 1)";
    assert!(alter(&home, back) > 0);
    let found = findings(&home.opened());
    assert!(
        found.iter().all(|finding| matches!(
            finding,
            Finding::OutOfStep { .. } | Finding::CameBack { .. } | Finding::Vanished { .. }
        )),
        "{found:?}"
    );
    // The last event of that lane may have been the keyring's or the deletion: then nothing tells but an anchor.
    assert!(found.len() <= 1, "{found:?}");
}

#[test]
fn every_damaged_row_is_named_and_the_rest_is_checked() {
    let home = home();
    alter(&home, "UPDATE secrets SET description = 'altered' WHERE key = 'k3'");
    alter(&home, "UPDATE secrets SET record = randomblob(200) WHERE key = 'k4'");
    alter(&home, "UPDATE secrets SET grp = 'no such' || char(10) || 'name' WHERE key = 'k5'");
    alter(&home, "DELETE FROM revisions WHERE revision = 1");
    alter(&home, "DELETE FROM secrets WHERE key = 'k6'");
    alter(&home, "UPDATE secrets SET org = 'other' WHERE key = 'k7'");
    let secrets = home.opened();
    let found = findings(&secrets);
    let told: Vec<_> = found.iter().map(ToString::to_string).collect();
    let damaged = found.iter().filter(|finding| matches!(finding, Finding::Damaged(_))).count();
    let vanished: Vec<_> = found
        .iter()
        .filter_map(|finding| match finding {
            Finding::Vanished { address, .. } => Some(address.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(damaged, 4, "{told:?}");
    assert_eq!(vanished.len(), 2, "{told:?}");
    for name in ["acme/etl:k6", "acme/etl:k7"] {
        assert!(vanished.iter().any(|address| address == name), "{told:?}");
    }
    assert_eq!(found.len(), 6, "{told:?}");
    assert!(told.iter().all(|line| line.chars().all(|character| !character.is_control())), "{told:?}");
}

#[test]
fn a_whole_row_put_back_is_found() {
    let home = home();
    let raw = home.raw();
    raw.execute_batch("CREATE TEMP TABLE old AS SELECT * FROM secrets WHERE key = 'k1'").unwrap();
    put(&home.opened(), "acme/etl:k1", b"newer");
    raw.execute_batch(
        "PRAGMA foreign_keys = OFF; DELETE FROM secrets WHERE key = 'k1'; INSERT INTO secrets SELECT * FROM old",
    )
    .unwrap();
    drop(raw);
    let found = findings(&home.opened());
    assert!(matches!(&found[..], [Finding::OutOfStep { found, recorded, .. }] if found < recorded), "{found:?}");
}

/// What stands in the index is what a name is looked up by; the rows themselves are as they were.
#[test]
fn an_index_that_hides_a_secret_is_found_by_looking_at_the_file() {
    let home = home();
    let index = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_secrets_2'";
    let number = |query: &str| home.raw().query_row(query, (), |row| row.get::<_, u32>(0)).unwrap() as usize;
    let (page, size) = (number(index), number("PRAGMA page_size"));
    let mut bytes = std::fs::read(home.path()).unwrap();
    let entries = &mut bytes[(page - 1) * size..page * size];
    let at = entries.windows(2).position(|entry| entry == b"k3").unwrap();
    entries[at] = b'j';
    std::fs::write(home.path(), bytes).unwrap();

    let secrets = home.opened();
    assert_eq!(secrets.get(&id("acme/etl:k3")).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(findings(&secrets), [], "its row and its events are there");
    let found = SqliteStore::open(&home.path()).unwrap().examine().unwrap();
    assert!(found.iter().any(|line| line.contains("missing from index")), "{found:?}");
}

/// What SQLite takes for text may be any bytes.
#[test]
fn an_org_without_a_valid_name_is_corrupt_and_hides_no_other() {
    for name in ["CAST(x'61ff' AS TEXT)", "'a b'", "''"] {
        let home = home();
        let row = format!("SELECT {name}, version, kek_id, wrapped_key, keyset FROM keyring");
        assert_eq!(alter(&home, &format!("INSERT INTO keyring {row}")), 1);
        assert_eq!(alter(&home, &format!("UPDATE secrets SET org = {name} WHERE key = 'k1'")), 1);
        let store = SqliteStore::open(&home.path()).unwrap();
        assert_eq!(store.keyrings().unwrap_err().kind(), ErrorKind::Corrupt, "{name}");
        let (named, nameless): (Vec<_>, Vec<_>) = store.orgs().unwrap().into_iter().partition(Result::is_ok);
        assert_eq!((named.len(), nameless.len()), (1, 1), "{name}");
        assert_eq!(&named.into_iter().next().unwrap().unwrap(), id("acme:a").org());
        assert_eq!(nameless.into_iter().next().unwrap().unwrap_err().kind(), ErrorKind::Corrupt);
        let found = store.examine().unwrap();
        assert_eq!(found, ["an org that has no valid name has secrets"], "{name}");
    }
}
