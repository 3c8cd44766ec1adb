//! `verify`, `audit` and `backup`: looking after a store with the command.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::sandbox::{CANARY, Outcome, Sandbox, text};

fn furnished() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.create("db/password", CANARY.as_bytes(), "acme/etl");
    sandbox.create("token", CANARY.as_bytes(), "acme");
    sandbox.create("token", CANARY.as_bytes(), "beta");
    sandbox
}

fn store_at(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

/// Somebody who can write the file, and has no key.
fn meddle(sandbox: &Sandbox, sql: &str) {
    rusqlite::Connection::open(sandbox.store()).unwrap().execute_batch(sql).unwrap();
}

fn findings(outcome: &Outcome) -> Vec<(String, Value)> {
    let array = outcome.json();
    let rows = array.as_array().unwrap().iter();
    rows.map(|row| (row["finding"].as_str().unwrap().to_owned(), row.clone())).collect()
}

#[test]
fn nothing_is_wrong_with_a_store_that_nobody_meddled_with() {
    let sandbox = furnished();
    let outcome = sandbox.ok(["verify"]);
    assert_eq!(outcome.text(), "");
    assert_eq!(outcome.stderr.trim(), "nothing is wrong with 2 orgs, 3 secrets and 5 events");
    let outcome = sandbox.ok(["verify", "--org", "beta", "-o", "json"]);
    assert_eq!(outcome.json(), serde_json::json!([]));
    assert!(outcome.stderr.contains("1 org, 1 secret and 2 events"), "{outcome:?}");
    assert_eq!(sandbox.run(["verify", "--org", "nobody"]).code, 20);
    assert_eq!(sandbox.run(["verify", "--project", "etl"]).code, 2);
    assert_eq!(sandbox.run(["verify", CANARY]).code, 2);
}

#[test]
fn every_kind_of_meddling_is_found_and_named() {
    for (sql, finding, address) in [
        ("UPDATE secrets SET description = 'x' WHERE grp = 'db'", "damaged", Value::Null),
        ("DELETE FROM secrets WHERE grp = 'db'", "vanished", "acme/etl:db/password".into()),
        ("DELETE FROM events WHERE org = 'acme' AND seq = 2", "broken-chain", Value::Null),
        ("DELETE FROM keyring WHERE org = 'beta'", "file", Value::Null),
    ] {
        let sandbox = furnished();
        meddle(&sandbox, sql);
        let outcome = sandbox.run(["verify", "-o", "json"]);
        let found = findings(&outcome);
        let (_, row) = found.iter().find(|(kind, _)| kind == finding).unwrap_or_else(|| panic!("{sql}: {outcome:?}"));
        assert_eq!(row["address"], address, "{sql}");
        assert_eq!((outcome.code, outcome.error()["error"].as_str()), (40, Some("corrupt")), "{sql}: {outcome:?}");
        let keys: Vec<_> = row.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["address", "finding", "found", "id", "message", "org", "recorded"]);

        let lines = sandbox.run(["verify"]);
        assert_eq!(lines.code, 40);
        assert_eq!(lines.text().lines().count(), found.len(), "a line each: {lines:?}");
        assert!(lines.stderr.contains("wrong with the store, see above"), "{lines:?}");
    }
}

#[test]
fn the_other_orgs_are_verified_where_one_cannot_be_opened() {
    let sandbox = furnished();
    let other = sandbox.other_key("other.key");
    let outcome = sandbox.run(["verify", "-o", "json", "--key-file", &text(&other)]);
    assert_eq!((outcome.code, outcome.json()), (31, serde_json::json!([])), "{outcome:?}");
    assert!(outcome.stderr.contains("org beta: wrong root key"), "{outcome:?}");
    meddle(&sandbox, "UPDATE keyring SET keyset = randomblob(200) WHERE org = 'acme'");
    let outcome = sandbox.run(["verify"]);
    assert_eq!(outcome.code, 40, "{outcome:?}");
}

#[test]
fn what_is_wrong_decides_the_exit_code_whatever_could_not_be_looked_at() {
    let sandbox = furnished();
    let other = sandbox.other_key("other.key");
    let org_key = format!("beta=file:{}", text(&other));
    let verify = || sandbox.run(["verify", "-o", "json", "--org-key", &org_key]);
    assert_eq!(verify().code, 31);
    meddle(&sandbox, "UPDATE secrets SET description = 'forged' WHERE grp = 'db'");
    let outcome = verify();
    assert_eq!((outcome.code, outcome.error()["error"].as_str()), (40, Some("corrupt")), "{outcome:?}");
    assert!(outcome.stderr.contains("org beta has a root key of its own"), "{outcome:?}");
    assert!(!findings(&outcome).is_empty(), "{outcome:?}");
}

/// Whoever can write the store must not be able to hide a change behind another.
#[test]
fn no_row_keeps_verify_from_the_others() {
    const KEYRING: &str = "INSERT INTO keyring SELECT {}, version, kek_id, wrapped_key, keyset FROM keyring";
    // What SQLite takes for text may be any bytes.
    for (name, shown) in [("CAST(x'6576fffe' AS TEXT)", "ev"), ("'b ad'", "b ad")] {
        for (sql, finding) in [
            (format!("UPDATE secrets SET org = {name} WHERE org = 'beta'"), "file"),
            (KEYRING.replace("{}", name) + " WHERE org = 'beta'", "damaged"),
        ] {
            let sandbox = furnished();
            meddle(&sandbox, "UPDATE secrets SET description = 'forged' WHERE grp = 'db'");
            meddle(&sandbox, &sql);
            let outcome = sandbox.run(["verify", "-o", "json"]);
            let found = findings(&outcome);
            let forged = |row: &Value| row["org"] == "acme" && row["finding"] == "damaged";
            assert!(found.iter().any(|(_, row)| forged(row)), "{sql}: {outcome:?}");
            let nameless = found.iter().find(|(_, row)| row["org"].is_null()).unwrap_or_else(|| panic!("{sql}"));
            assert_eq!(nameless.0, finding, "{sql}");
            let message = nameless.1["message"].as_str().unwrap();
            assert!(message.contains("no valid name") && !message.contains(shown), "{message}");
            assert_eq!((outcome.code, outcome.error()["error"].as_str()), (40, Some("corrupt")), "{outcome:?}");
            let lines = sandbox.run(["verify"]).text();
            assert_eq!(lines.lines().count(), found.len(), "{lines}");

            // Where an org is named, no other is in its way.
            let named = findings(&sandbox.run(["verify", "--org", "acme", "-o", "json"]));
            assert!(named.iter().any(|(_, row)| forged(row)), "{sql}: {named:?}");
            sandbox.ok(["key", "status", "--org", "acme"]);
            let all = sandbox.run(["key", "status"]);
            assert_eq!(all.code, if finding == "damaged" { 40 } else { 0 }, "{all:?}");
        }
    }
}

#[test]
fn no_secret_keeps_verify_from_those_beside_it() {
    for change in ["record = x''", "head_mac = x''", "digest = x''", "id = x'00'"] {
        let sandbox = furnished();
        meddle(&sandbox, &format!("UPDATE secrets SET {change} WHERE grp = 'db'"));
        meddle(&sandbox, "UPDATE secrets SET description = 'forged' WHERE org = 'acme' AND key = 'token'");
        let outcome = sandbox.run(["verify", "-o", "json"]);
        let forged = |row: &Value| row["message"].as_str().unwrap().contains("acme:token");
        let (of_forged, of_others): (Vec<_>, Vec<_>) = findings(&outcome).into_iter().partition(|(_, row)| forged(row));
        assert!(of_forged.len() == 1 && !of_others.is_empty() && outcome.code == 40, "{change}: {outcome:?}");
    }
}

#[test]
fn an_org_whose_keyring_makes_no_sense_is_a_finding() {
    for change in ["keyset = x'00'", "keyset = randomblob(200)"] {
        let sandbox = furnished();
        meddle(&sandbox, &format!("UPDATE keyring SET {change} WHERE org = 'acme'"));
        meddle(&sandbox, "UPDATE secrets SET description = 'forged' WHERE org = 'beta'");
        let outcome = sandbox.run(["verify", "-o", "json"]);
        let damaged: Vec<_> = findings(&outcome).into_iter().map(|(kind, row)| (kind, row["org"].clone())).collect();
        let expected = ["acme", "beta"].map(|org| ("damaged".to_owned(), Value::from(org)));
        assert_eq!((outcome.code, &damaged[..]), (40, &expected[..]), "{change}: {outcome:?}");
    }
}

#[test]
fn the_audit_tells_who_did_what_in_its_order() {
    let sandbox = furnished();
    sandbox.ok(["update", "token", "new", "--org", "acme", "--actor", "née"]);
    sandbox.ok(["use", "add", "token", "payroll", "--org", "acme"]);
    sandbox.ok(["delete", "db/password", "--scope", "acme/etl", "--yes"]);
    let events: Vec<Value> = json_lines(&sandbox.ok(["audit", "-o", "json", "--org", "acme"]));
    let told: Vec<_> = events.iter().map(|event| (event["action"].as_str().unwrap(), &event["address"])).collect();
    let address = |text: &str| Value::String(text.to_owned());
    let (password, token) = (&address("acme/etl:db/password"), &address("acme:token"));
    assert_eq!(
        told,
        [
            ("create-keyring", &Value::Null),
            ("create", password),
            ("create", token),
            ("update", token),
            ("add-consumer", token),
            ("delete", password),
        ]
    );
    assert_eq!(
        (&events[3]["by"], &events[3]["generation"], &events[3]["revision"]),
        (&"née".into(), &2.into(), &2.into())
    );
    assert_eq!((&events[4]["consumer"], &events[0]["keyring_version"]), (&"payroll".into(), &1.into()));
    // Without the Z they sort as text, whatever the number of digits.
    let times: Vec<_> = events.iter().map(|event| event["at"].as_str().unwrap().trim_end_matches('Z')).collect();
    assert!(times.is_sorted(), "{times:?}");

    let named = |arguments: &[&str]| json_lines(&sandbox.ok(["audit", "-o", "json"].iter().chain(arguments))).len();
    assert_eq!(named(&[]), 8, "all orgs");
    assert_eq!(named(&["--name", "token"]), 4, "of this name at every scope");
    assert_eq!(named(&["--name", "token", "--org", "beta"]), 1);
    assert_eq!(named(&["--scope", "acme/etl"]), 2);
    assert_eq!(named(&["--since", "1h"]), 8);
    assert_eq!(named(&["--name", "missing"]), 0);
    let table = sandbox.ok(["audit", "--org", "acme"]).text();
    assert!(table.starts_with("TIME  ") && table.contains("  née\n"), "{table}");
    assert!(table.contains("acme:token for payroll") && table.contains("keyring of acme, version 1"), "{table}");
    for (arguments, code) in [(["--since", "yesterday"], 12), (["--name", "../x"], 10), (["--org", "nobody"], 20)] {
        assert_eq!(sandbox.run(["audit"].iter().chain(&arguments)).code, code, "{arguments:?}");
    }
}

fn json_lines(outcome: &Outcome) -> Vec<Value> {
    outcome.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_audit_of_a_broken_chain_shows_what_holds_and_says_so() {
    for sql in [
        "UPDATE events SET body = randomblob(64) WHERE org = 'acme' AND seq = 2",
        "DELETE FROM events WHERE org = 'acme' AND seq = (SELECT max(seq) FROM events WHERE org = 'acme')",
    ] {
        let sandbox = furnished();
        for _ in 0..3 {
            sandbox.ok(["update", "token", "more", "--org", "acme"]);
        }
        let all = json_lines(&sandbox.ok(["audit", "-o", "json"])).len();
        meddle(&sandbox, sql);
        let outcome = sandbox.run(["audit", "-o", "json"]);
        assert_eq!((outcome.code, outcome.error()["error"].as_str()), (40, Some("corrupt")), "{sql}: {outcome:?}");
        assert!(outcome.error()["message"].as_str().unwrap().contains("org acme is broken"), "{outcome:?}");
        let held = json_lines(&outcome);
        assert!(held.len() < all && held.iter().any(|event| event["org"] == "beta"), "{outcome:?}");
    }
}

#[test]
fn a_backup_opens_with_the_same_key_and_is_whole() {
    let sandbox = furnished();
    let target = sandbox.path("work/copy.db");
    let outcome = sandbox.ok(["backup", "copy.db", "-o", "json"]);
    assert_eq!(outcome.json()["path"], "copy.db");
    assert_eq!(outcome.json()["bytes"], fs::metadata(&target).unwrap().len());
    assert!(outcome.stderr.contains("the root key is not in it"), "{outcome:?}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&target).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(!fs::read(&target).unwrap().windows(CANARY.len()).any(|bytes| bytes == CANARY.as_bytes()));
    let verified = sandbox.ok(["verify", "--store", &store_at(&target)]);
    assert!(verified.stderr.contains("nothing is wrong with 2 orgs, 3 secrets and 5 events"), "{verified:?}");
    let revealed = sandbox.ok(["reveal", "token", "--org", "beta", "--store", &store_at(&target)]);
    assert_eq!(revealed.stdout, CANARY.as_bytes());
}

#[test]
fn a_backup_is_restored_by_putting_it_in_place() {
    let sandbox = furnished();
    sandbox.ok(["backup", "copy.db"]);
    sandbox.ok(["delete", "token", "--org", "beta", "--yes"]);
    // As docs/operations.md has it: nothing runs, the old files go away together.
    for suffix in ["", "-wal", "-shm"] {
        let mut old = sandbox.store().into_os_string();
        old.push(suffix);
        let _ = fs::rename(&old, format!("{}.before{suffix}", sandbox.store().display()));
    }
    fs::copy(sandbox.path("work/copy.db"), sandbox.store()).unwrap();
    fs::set_permissions(sandbox.store(), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(sandbox.value("token", "beta"), CANARY.as_bytes());
    sandbox.ok(["verify"]);
    sandbox.create("later", CANARY.as_bytes(), "beta");
    sandbox.ok(["verify"]);
}

#[test]
fn a_backup_goes_over_nothing_unasked_and_needs_no_root_key() {
    let sandbox = furnished();
    sandbox.file_with_mode("copy.db", "precious", 0o600);
    let outcome = sandbox.run(["backup", "copy.db", "-o", "json"]);
    assert_eq!((outcome.code, outcome.error()["error"].as_str()), (21, Some("already_exists")), "{outcome:?}");
    assert!(outcome.error()["hint"].as_str().unwrap().contains("--overwrite"), "{outcome:?}");
    assert_eq!(fs::read(sandbox.path("work/copy.db")).unwrap(), b"precious");
    fs::rename(sandbox.key(), sandbox.path("root.key")).unwrap();
    sandbox.ok(["backup", "copy.db", "--overwrite"]);
    fs::rename(sandbox.path("root.key"), sandbox.key()).unwrap();
    sandbox.ok(["verify", "--store", &store_at(&sandbox.path("work/copy.db"))]);

    let itself = sandbox.run(["backup", &text(&sandbox.store()), "--overwrite", "-o", "json"]);
    assert_eq!(itself.error()["error"], "unsafe_store", "{itself:?}");
    assert_eq!(sandbox.run(["backup", "missing/copy.db"]).code, 50);
    assert_eq!(sandbox.run(["backup", "."]).code, 51);
    assert_eq!(sandbox.run(["backup"]).code, 2);
    let empty = Sandbox::new();
    assert_eq!(empty.run(["backup", "copy.db"]).code, 45);
    assert!(!empty.path("work/copy.db").exists() && !empty.store().exists());
}

#[test]
fn no_memory_of_the_command_goes_into_a_dump() {
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: no_memory_of_the_command_goes_into_a_dump: only Linux has /proc");
        return;
    }
    let sandbox = Sandbox::without_root();
    let mut command = sandbox.command();
    command
        .args(["create", "waiting", "-f", "-"])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    // What cannot be dumped or traced by its own user belongs to root there.
    let owner = || {
        let metadata = fs::symlink_metadata(format!("/proc/{}/environ", child.id())).unwrap();
        std::os::unix::fs::MetadataExt::uid(&metadata)
    };
    let started = std::time::Instant::now();
    let mut owners = std::collections::BTreeSet::new();
    while !owners.contains(&0) && started.elapsed().as_secs() < 10 {
        owners.insert(owner());
    }
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(owners.contains(&0), "{owners:?}");
}
