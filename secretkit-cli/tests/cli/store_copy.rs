//! `store copy`: the secrets of one store in another, under other keys.

use std::fs;

use serde_json::{Value, json};

use crate::sandbox::{CANARY, Outcome, Sandbox, text};

fn furnished() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.create("db/password", CANARY.as_bytes(), "acme/etl");
    sandbox.ok(["update", "db/password", &format!("{CANARY}-two"), "--scope", "acme/etl", "--tag", "eu"]);
    sandbox.ok(["use", "add", "db/password", "payroll", "--scope", "acme/etl"]);
    sandbox.create("token", CANARY.as_bytes(), "acme");
    sandbox.create("token", CANARY.as_bytes(), "beta");
    sandbox
}

fn at(sandbox: &Sandbox, name: &str) -> String {
    format!("sqlite:{}", sandbox.path(name).display())
}

/// From the sandbox's own store into `new.db`.
fn copy(sandbox: &Sandbox, more: &[&str]) -> Outcome {
    let (from, to) = (format!("sqlite:{}", sandbox.store().display()), at(sandbox, "new.db"));
    sandbox.run(["store", "copy", "--from", &from, "--to", &to].iter().chain(more))
}

fn shown(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let mut shown = sandbox.ok(["show", "-o", "json"].iter().chain(arguments)).json();
    // Each store's own.
    shown.as_object_mut().unwrap().remove("digest").unwrap();
    shown
}

#[test]
fn everything_is_in_the_new_store_under_its_own_key() {
    let sandbox = furnished();
    let key = text(&sandbox.other_key("new.key"));
    let new = at(&sandbox, "new.db");
    let (old_key, new_key) = (format!("file:{}", sandbox.key().display()), format!("file:{key}"));
    let outcome = copy(&sandbox, &["--from-key", &old_key, "--key", &new_key, "-o", "json"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.json(), json!({ "orgs": 2, "secrets": 3, "copied": 3, "equal": 3, "left": [] }));
    assert!(outcome.stderr.contains("made the store"), "{outcome:?}");
    let there = ["--store", &new, "--key-file", &key];
    for secret in [["db/password", "--scope", "acme/etl"], ["token", "--scope", "acme"], ["token", "--scope", "beta"]] {
        let before = shown(&sandbox, &secret);
        assert_eq!(before, shown(&sandbox, &[&secret[..], &there].concat()));
    }
    let reveal = |more: &[&str]| {
        let arguments = ["reveal", "db/password", "--scope", "acme/etl"].iter().chain(&there).chain(more);
        sandbox.ok(arguments).text()
    };
    assert_eq!(reveal(&[]), format!("{CANARY}-two"));
    assert_eq!(reveal(&["--revision", "1"]), CANARY);
    let used = sandbox.run(["delete", "db/password", "--scope", "acme/etl", "--yes"].iter().chain(&there));
    assert_eq!(used.code, 23, "{used:?}");
    let verified = sandbox.ok(["verify"].iter().chain(&there));
    assert!(verified.stderr.contains("2 orgs, 3 secrets and 5 events"), "{verified:?}");
    let audited = sandbox.ok(["audit", "--org", "beta"].iter().chain(&there)).text();
    assert!(audited.contains("copy") && !audited.contains(" create "), "{audited}");
    // The root key of the old store opens nothing there.
    assert_eq!(sandbox.run(["verify", "--store", &new]).code, 31);
    for file in ["new.db", "new.db-wal"] {
        let bytes = fs::read(sandbox.path(file)).unwrap_or_default();
        assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()), "{file}");
    }
}

#[test]
fn a_second_run_copies_what_is_new() {
    let sandbox = furnished();
    let outcome = copy(&sandbox, &["--org", "acme", "-o", "json"]);
    assert_eq!(outcome.json(), json!({ "orgs": 1, "secrets": 2, "copied": 2, "equal": 2, "left": [] }));
    let outcome = copy(&sandbox, &[]);
    assert_eq!((outcome.code, outcome.text()), (0, String::new()), "{outcome:?}");
    assert_eq!(outcome.stderr.trim(), "copied 1 secret of 2 orgs; 3 are equal in both stores");
    let outcome = copy(&sandbox, &[]);
    assert_eq!(outcome.stderr.trim(), "copied 0 secrets of 2 orgs; 3 are equal in both stores");
    sandbox.ok(["update", "token", &format!("{CANARY}-new"), "--org", "acme"]);
    let outcome = copy(&sandbox, &[]);
    assert_eq!(outcome.stderr.trim(), "copied 1 secret of 2 orgs; 3 are equal in both stores");
    let new = at(&sandbox, "new.db");
    assert_eq!(sandbox.ok(["reveal", "token", "--org", "acme", "--store", &new]).text(), format!("{CANARY}-new"));
}

#[test]
fn what_is_in_the_way_is_told_and_stays() {
    let sandbox = furnished();
    let new = at(&sandbox, "new.db");
    sandbox.ok(["create", "token", &format!("{CANARY}-other"), "--org", "acme", "--store", &new]);
    let outcome = copy(&sandbox, &["-o", "json"]);
    assert_eq!((outcome.code, outcome.error()["error"].as_str()), (22, Some("conflict")), "{outcome:?}");
    let report = outcome.json();
    assert_eq!((&report["copied"], &report["equal"]), (&json!(2), &json!(2)));
    let left = &report["left"][0];
    assert_eq!(
        (&left["finding"], &left["address"], &left["org"]),
        (&json!("taken"), &json!("acme:token"), &json!("acme"))
    );
    let outcome = copy(&sandbox, &[]);
    assert_eq!(outcome.code, 22);
    assert!(outcome.text().starts_with("acme: name taken: acme:token ("), "{outcome:?}");
    assert_eq!(sandbox.ok(["reveal", "token", "--org", "acme", "--store", &new]).text(), format!("{CANARY}-other"));
}

/// What is deleted must not live on in the other store unnoticed.
#[test]
fn what_was_deleted_between_two_copies_is_told() {
    let sandbox = furnished();
    let new = at(&sandbox, "new.db");
    assert_eq!(copy(&sandbox, &[]).code, 0);
    let id = sandbox.ok(["show", "token", "--org", "beta", "-o", "json"]).json()["id"].clone();
    sandbox.ok(["delete", "token", "--org", "beta", "--yes"]);
    for _ in 0..2 {
        let outcome = copy(&sandbox, &["-o", "json"]);
        assert_eq!((outcome.code, outcome.error()["error"].as_str()), (22, Some("conflict")), "{outcome:?}");
        assert!(outcome.stderr.contains("secretkit delete --id ID"), "{outcome:?}");
        let left = &outcome.json()["left"];
        assert_eq!(left.as_array().unwrap().len(), 1, "{left}");
        let left = &left[0];
        assert_eq!(
            (&left["finding"], &left["address"], &left["org"], &left["id"]),
            (&json!("gone"), &json!("beta:token"), &json!("beta"), &id)
        );
    }
    // Under its name there is another by now: both are told, and the value of before is nobody's mistake.
    sandbox.create("token", format!("{CANARY}-anew").as_bytes(), "beta");
    let outcome = copy(&sandbox, &["-o", "json"]);
    let found: Vec<_> = outcome.json()["left"].as_array().unwrap().iter().map(|left| left["finding"].clone()).collect();
    assert_eq!((outcome.code, found), (22, vec![json!("taken"), json!("gone")]));
    sandbox.ok(["delete", "--id", id.as_str().unwrap(), "--org", "beta", "--yes", "--store", &new]);
    let outcome = copy(&sandbox, &[]);
    assert_eq!((outcome.code, outcome.text()), (0, String::new()), "{outcome:?}");
    assert_eq!(sandbox.ok(["reveal", "token", "--org", "beta", "--store", &new]).text(), format!("{CANARY}-anew"));
}

#[test]
fn consumers_are_recorded_and_do_not_come_back() {
    let sandbox = furnished();
    let new = at(&sandbox, "new.db");
    let there = |arguments: &[&str]| {
        let place = ["--org", "acme", "--store", &new];
        sandbox.ok(arguments.iter().chain(&place)).text()
    };
    assert_eq!(copy(&sandbox, &[]).code, 0);
    for name in ["job", "cron"] {
        sandbox.ok(["use", "add", "token", name, "--org", "acme"]);
    }
    assert_eq!(copy(&sandbox, &[]).code, 0);
    let audited = there(&["audit"]);
    assert_eq!(audited.matches("add-consumer").count(), 2, "{audited}");
    there(&["use", "remove", "token", "job"]);
    sandbox.ok(["use", "remove", "token", "cron", "--org", "acme"]);
    let outcome = copy(&sandbox, &[]);
    assert_eq!((outcome.code, outcome.text()), (0, String::new()), "{outcome:?}");
    let used = there(&["use", "list", "token"]);
    assert!(used.contains("cron") && !used.contains("job"), "{used}");
}

#[test]
fn an_org_that_fails_keeps_no_other_from_being_copied() {
    let sandbox = furnished();
    let new = at(&sandbox, "new.db");
    sandbox.ok(["create", "own", CANARY, "--org", "acme", "--store", &new]);
    sandbox.ok(["key", "destroy", "--all-keys-of-org", "acme", "--yes", "--store", &new]);
    let outcome = copy(&sandbox, &["-o", "json"]);
    assert_eq!((outcome.code, outcome.error()["error"].as_str()), (34, Some("unknown_key")), "{outcome:?}");
    assert!(outcome.stderr.contains("org acme: --to: its keys are destroyed"), "{outcome:?}");
    let report = outcome.json();
    assert_eq!((&report["orgs"], &report["copied"], &report["equal"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!((&report["left"][0]["finding"], &report["left"][0]["org"]), (&json!("failed"), &json!("acme")));
    assert_eq!(sandbox.ok(["reveal", "token", "--org", "beta", "--store", &new]).text(), CANARY);
    // One that does not open here fails alone, too.
    let own = format!("own=file:{}", text(&sandbox.other_key("own.key")));
    sandbox.ok(["create", "token", CANARY, "--org", "own", "--org-key", &own]);
    let third = at(&sandbox, "third.db");
    let arguments = ["store", "copy", "--from", &format!("sqlite:{}", sandbox.store().display()), "--to", &third];
    let outcome = sandbox.run(arguments);
    assert_eq!(outcome.code, 31, "{outcome:?}");
    assert!(outcome.stderr.contains("org own: --from: wrong root key"), "{outcome:?}");
    assert!(outcome.text().starts_with("own: failed: --from: wrong root key"), "{outcome:?}");
    assert_eq!(sandbox.ok(["reveal", "token", "--org", "beta", "--store", &third]).text(), CANARY);
}

#[test]
fn an_org_that_was_erased_here_and_not_there_is_told() {
    let sandbox = furnished();
    assert_eq!(copy(&sandbox, &[]).code, 0);
    sandbox.ok(["key", "destroy", "--all-keys-of-org", "acme", "--yes"]);
    let outcome = copy(&sandbox, &["-o", "json"]);
    assert_eq!(outcome.code, 22, "{outcome:?}");
    let report = outcome.json();
    assert_eq!((&report["orgs"], &report["equal"]), (&json!(1), &json!(1)));
    assert_eq!((&report["left"][0]["finding"], &report["left"][0]["org"]), (&json!("erased"), &json!("acme")));
}

#[test]
fn a_wrong_key_says_of_which_store() {
    let sandbox = furnished();
    let wrong = text(&sandbox.other_key("wrong.key"));
    let own = text(&sandbox.key());
    // Without a key of its own, the store to read is opened with that of the other.
    let outcome = copy(&sandbox, &["--key-file", &wrong]);
    assert_eq!(outcome.code, 31, "{outcome:?}");
    assert!(outcome.stderr.contains("--from: wrong root key"), "{outcome:?}");
    assert!(outcome.stderr.contains("named by --from-key or --from-key-file"), "{outcome:?}");
    assert_eq!(copy(&sandbox, &[]).code, 0);
    let outcome = copy(&sandbox, &["--key-file", &wrong, "--from-key-file", &own]);
    assert_eq!(outcome.code, 31, "{outcome:?}");
    assert!(outcome.stderr.contains("--to: wrong root key"), "{outcome:?}");
    assert!(outcome.stderr.contains("named by --key or --key-file"), "{outcome:?}");
}

#[test]
fn an_anchor_of_another_store_makes_nothing() {
    let sandbox = furnished();
    let anchor = text(&sandbox.path("work/anchor"));
    sandbox.ok(["update", "token", CANARY, "--org", "acme", "--anchor", &anchor]);
    let outcome = copy(&sandbox, &["--anchor", &anchor]);
    assert_eq!(outcome.code, 47, "{outcome:?}");
    assert!(outcome.stderr.contains("hint: an anchor remembers one store"), "{outcome:?}");
    assert!(!outcome.stderr.contains("made the store") && !sandbox.path("new.db").exists(), "{outcome:?}");
    // One that is there is not written to either, and the same is said.
    sandbox.ok(["create", "own", CANARY, "--org", "acme", "--store", &at(&sandbox, "new.db")]);
    let outcome = copy(&sandbox, &["--anchor", &anchor, "--org", "acme"]);
    assert_eq!(outcome.code, 47, "{outcome:?}");
    assert!(outcome.stderr.contains("hint: an anchor remembers one store"), "{outcome:?}");
    let other = text(&sandbox.path("work/other"));
    assert_eq!(copy(&sandbox, &["--anchor", &other]).code, 0);
    assert!(sandbox.path("work/other").exists());
}

#[test]
fn what_cannot_be_read_makes_nothing() {
    let sandbox = furnished();
    let wrong = text(&sandbox.other_key("wrong.key"));
    let outcome = copy(&sandbox, &["--from-key-file", &wrong]);
    assert_eq!(outcome.code, 31, "{outcome:?}");
    let missing = sandbox.run(["store", "copy", "--from", &at(&sandbox, "none.db"), "--to", &at(&sandbox, "new.db")]);
    assert_eq!(missing.code, 45, "{missing:?}");
    assert_eq!(copy(&sandbox, &["--org", "nobody"]).code, 20);
    assert!(!sandbox.path("new.db").exists());
}

#[test]
fn a_store_is_not_copied_into_itself_or_its_backup() {
    let sandbox = furnished();
    let own = format!("sqlite:{}", sandbox.store().display());
    let backup = text(&sandbox.path("backup.db"));
    sandbox.ok(["backup", &backup]);
    for to in [own.clone(), format!("sqlite:{backup}")] {
        let outcome = sandbox.run(["store", "copy", "--from", &own, "--to", &to]);
        assert_eq!((outcome.code, outcome.text()), (48, String::new()), "{outcome:?}");
        // Once, whatever orgs there are, and without advice that would not help.
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
        assert!(outcome.stderr.ends_with("these are one, or one is a backup of the other\n"), "{outcome:?}");
    }
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    let sandbox = furnished();
    let own = format!("sqlite:{}", sandbox.store().display());
    let key = format!("file:{}", sandbox.key().display());
    for (more, code) in [
        (&["--store", &own][..], 2),
        (&["--project", "etl"], 2),
        (&["--from-key", &key, "--from-key-file", "x"], 2),
        (&["--from-key", "what:is-this"], 48),
        (&["--from-org-key", "acme"], 48),
        (&[CANARY], 2),
    ] {
        let outcome = copy(&sandbox, more);
        assert_eq!(outcome.code, code, "{more:?}: {outcome:?}");
    }
    for (from, to) in [("memory:", own.as_str()), (&own, "memory:"), (&own, "what:is-this")] {
        assert_eq!(sandbox.run(["store", "copy", "--from", from, "--to", to]).code, 48, "{from} {to}");
    }
    assert_eq!(sandbox.run(["store", "copy", "--from", &own]).code, 2);
}
