//! `key`: what an operator does with the keys of an org, from status to erasure.

use std::fs;

use rustix::process::Signal;
use secretkit::seal::{KeyUse, RootKeys};
use secretkit::{
    Access, ErrorKind, KeyUrl, ManualClock, PutMode, RootKey, SecretId, SecretValue, Secrets, Settings, SqliteStore,
    StoreUrl, Timestamp,
};
use serde_json::Value;
use std::sync::Arc;

use crate::sandbox::{CANARY, Outcome, Sandbox};
use crate::terminal::Terminal;

fn furnished() -> Sandbox {
    let sandbox = Sandbox::new();
    for name in ["one", "two", "three"] {
        sandbox.create(name, format!("{CANARY}-{name}").as_bytes(), "acme/etl");
    }
    sandbox.create("other", CANARY.as_bytes(), "beta");
    sandbox
}

/// The store as a program opens it.
fn opened(sandbox: &Sandbox) -> Secrets {
    let mut settings = Settings::default();
    settings.store = Some(StoreUrl::Sqlite(sandbox.store()));
    settings.key = Some(KeyUrl::file(sandbox.key()).unwrap());
    settings.open_existing().unwrap()
}

fn status(sandbox: &Sandbox, org: &str) -> Value {
    sandbox.ok(["key", "status", "--org", org, "-o", "json"]).json()[0].clone()
}

/// The keys of an org, of one use: id, state and items.
fn keys(sandbox: &Sandbox, org: &str, used_for: &str) -> Vec<(String, String, u64)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let status = status(sandbox, org);
    let keys = status["keys"].as_array().unwrap().iter().filter(|key| key["use"] == used_for);
    keys.map(|key| (text(&key["id"]), text(&key["state"]), key["items"].as_u64().unwrap())).collect()
}

fn values_are_there(sandbox: &Sandbox) {
    for name in ["one", "two", "three"] {
        assert_eq!(sandbox.value(name, "acme/etl"), format!("{CANARY}-{name}").as_bytes());
    }
    assert_eq!(sandbox.value("other", "beta"), CANARY.as_bytes());
}

/// What comes after a failure: its kind.
fn kind(outcome: &Outcome) -> String {
    outcome.error()["error"].as_str().unwrap_or_else(|| panic!("{outcome:?}")).to_owned()
}

#[test]
fn status_shows_the_keys_of_all_orgs_and_of_one() {
    let sandbox = furnished();
    let all = sandbox.ok(["key", "status", "-o", "json"]);
    let orgs: Vec<_> = all.json().as_array().unwrap().iter().map(|org| org["org"].clone()).collect();
    assert_eq!(orgs, ["acme", "beta"]);
    assert_eq!(all.stderr, "", "there is nothing to do");
    let acme = status(&sandbox, "acme");
    assert_eq!((acme["version"].as_u64(), acme["rewrap_due"].as_bool()), (Some(1), Some(false)));
    let uses: Vec<_> = acme["keys"].as_array().unwrap().iter().map(|key| key["use"].clone()).collect();
    assert_eq!(uses, ["data", "meta", "digest", "audit"]);
    assert!(acme["keys"].as_array().unwrap().iter().all(|key| key["state"] == "primary"), "{acme}");
    assert_eq!(acme["keys"][0]["items"], 3);
    assert_eq!(acme["root_key"].as_str().unwrap().len(), 32);

    let table = sandbox.ok(["key", "status", "--scope", "acme"]).text();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 6, "{table}");
    assert!(lines[0].starts_with("ORG   KEY  ") && lines[1].contains("root    version 1"), "{table}");
    assert!(lines[2].contains(acme["keys"][0]["id"].as_str().unwrap()), "{table}");
    assert!(!table.contains("beta"), "{table}");
}

#[test]
fn a_rotation_in_steps_ends_with_a_destroyed_key() {
    let sandbox = furnished();
    let run = |command: &str| sandbox.run(command.split(' ').chain(["--org", "acme", "-o", "json"]));
    let (old, _, _) = keys(&sandbox, "acme", "data")[0].clone();

    let added = sandbox.ok(["key", "add", "--use", "data", "--org", "acme"]);
    let new = added.text().trim().to_owned();
    assert!(new.len() == 32 && added.stderr.contains("secretkit key promote"), "{added:?}");
    assert_eq!(keys(&sandbox, "acme", "data")[1], (new.clone(), "pending".to_owned(), 0));
    assert_eq!(kind(&run("key add --use data")), "invalid_request", "one at a time");

    let promoted = run(&format!("key promote {}", &new[..8]));
    assert_eq!((promoted.code, promoted.json()["state"].as_str()), (0, Some("primary")), "{promoted:?}");
    assert!(promoted.stderr.contains("secretkit key reencrypt --org acme"), "{promoted:?}");
    values_are_there(&sandbox);
    let refused = run(&format!("key retire {old}"));
    assert_eq!(kind(&refused), "in_use");
    assert!(refused.error()["hint"].as_str().unwrap().contains("secretkit key reencrypt --org acme"));
    let hints = status(&sandbox, "acme")["hints"].to_string();
    assert!(hints.contains("reencrypt due, 3 stored items") && hints.contains("--org acme"), "{hints}");

    let done = run("key reencrypt --batch 2");
    assert_eq!(done.json(), serde_json::json!([{ "org": "acme", "checked": 3, "rewritten": 3 }]));
    assert_eq!(run("key reencrypt").json()[0]["rewritten"], 0, "what was done is passed over");
    assert_eq!(kind(&run(&format!("key destroy {old} --backups-expired-before 2026-01-01 --yes"))), "invalid_request");
    assert_eq!(run(&format!("key retire {old}")).code, 0);
    assert_eq!(keys(&sandbox, "acme", "data")[0], (old.clone(), "retired".to_owned(), 0));

    assert_eq!(kind(&run(&format!("key destroy {old}"))), "usage");
    // Its backups are from today.
    let refused = run(&format!("key destroy {old} --yes --backups-expired-before 2026-01-01"));
    assert_eq!(kind(&refused), "in_use", "{refused:?}");
    let in_future = run(&format!("key destroy {old} --yes --backups-expired-before 2999-01-01"));
    assert_eq!(kind(&in_future), "invalid_metadata");
    let now = secretkit::Clock::now(&secretkit::SystemClock).to_string();
    assert_eq!(kind(&run(&format!("key destroy {old} --backups-expired-before {now}"))), "usage", "nobody to ask");
    let destroyed = run(&format!("key destroy {old} --yes --backups-expired-before {now}"));
    assert_eq!((destroyed.code, destroyed.json()["state"].as_str()), (0, Some("destroyed")), "{destroyed:?}");
    values_are_there(&sandbox);
    assert_eq!(sandbox.ok(["verify", "-o", "json"]).json(), serde_json::json!([]));
}

#[test]
fn rotate_does_all_steps_and_changes_nothing_that_is_seen() {
    let sandbox = furnished();
    let before = sandbox.ok(["list", "--all", "-o", "json", "--org", "acme"]).json();
    let digests = keys(&sandbox, "acme", "digest");
    let done = sandbox.ok(["key", "rotate", "--use", "data", "--use", "meta", "--use", "audit", "--org", "acme"]);
    assert!(done.text().is_empty() && done.stderr.contains("wrote 3 secrets of org acme anew, of 3"), "{done:?}");
    for used_for in ["data", "meta"] {
        let states: Vec<_> = keys(&sandbox, "acme", used_for).into_iter().map(|(_, state, _)| state).collect();
        assert_eq!(states, ["retired", "primary"], "{used_for}");
    }
    let states: Vec<_> = keys(&sandbox, "acme", "audit").into_iter().map(|(_, state, _)| state).collect();
    assert_eq!(states, ["decrypt-only", "primary"], "events stay as they were written");
    assert_eq!(keys(&sandbox, "acme", "digest"), digests);
    let mut after = sandbox.ok(["list", "--all", "-o", "json", "--org", "acme"]).json();
    assert_eq!(after, before);
    values_are_there(&sandbox);
    let beta: Vec<_> = keys(&sandbox, "beta", "data").into_iter().map(|(_, state, _)| state).collect();
    assert_eq!(beta, ["primary"], "another org keeps its keys");

    sandbox.ok(["key", "rotate", "--use", "digest", "--org", "acme"]);
    after = sandbox.ok(["list", "--all", "-o", "json", "--org", "acme"]).json();
    assert_ne!(after[0]["digest"], before[0]["digest"]);
    assert_eq!(after[0]["generation"], before[0]["generation"]);
}

#[test]
fn a_key_is_needed_by_every_backup_from_before_it_was_retired() {
    let sandbox = furnished();
    sandbox.create("late", b"value", "tmp");
    let run = |command: &str| sandbox.run(command.split(' ').chain(["--org", "tmp", "-o", "json"]));
    let now = || secretkit::Clock::now(&secretkit::SystemClock).to_string();
    let (old, _, _) = keys(&sandbox, "tmp", "data")[0].clone();
    let new = run("key add --use data").json()["id"].as_str().unwrap().to_owned();
    // A backup of now holds a record under the old key, which is used for longer than the new one has been there.
    let before = now();
    run(&format!("key promote {new}"));
    run("delete late --yes");
    assert_eq!(run(&format!("key retire {old}")).code, 0);
    let refused = run(&format!("key destroy {old} --yes --backups-expired-before {before}"));
    assert_eq!(kind(&refused), "in_use", "{refused:?}");
    // What is done to other keys later says nothing of this one.
    let after = now();
    run("key rotate --use meta");
    assert_eq!(run(&format!("key destroy {old} --yes --backups-expired-before {after}")).code, 0);
}

#[test]
fn rotate_refuses_a_use_with_a_pending_key_before_it_does_anything() {
    let sandbox = furnished();
    let run = |command: &str| sandbox.run(command.split(' ').chain(["--org", "acme", "-o", "json"]));
    let count = |used_for: &str| keys(&sandbox, "acme", used_for).len();
    assert_eq!(run("key add --use data").code, 0);
    for _ in 0..2 {
        let refused = run("key rotate --use meta --use data");
        assert_eq!(kind(&refused), "invalid_request", "{refused:?}");
        assert!(refused.error()["hint"].as_str().unwrap().contains("secretkit key promote"), "{refused:?}");
        assert_eq!((count("meta"), count("data")), (1, 2));
    }
    let (pending, _, _) = keys(&sandbox, "acme", "data")[1].clone();
    assert_eq!(run(&format!("key retire {pending}")).code, 0);
    let done = run("key rotate --use meta --use data --use meta");
    assert_eq!((done.code, count("meta"), count("data")), (0, 2, 3), "{done:?}");
}

#[test]
fn a_key_is_named_by_enough_of_its_id_and_nothing_else() {
    let sandbox = furnished();
    let (id, _, _) = keys(&sandbox, "acme", "data")[0].clone();
    let promote = |key: &str, org: &str| sandbox.run(["key", "promote", key, "--org", org, "-o", "json"]);
    for wrong in ["", "a", &id[..7], &format!("{id}0"), "zzzzzzzz", CANARY, "--", "*"] {
        let outcome = promote(wrong, "acme");
        assert_eq!(outcome.code, 2, "{wrong:?}: {outcome:?}");
        assert!(wrong.len() < 3 || !outcome.stderr.contains(wrong), "{outcome:?}");
    }
    assert_eq!(kind(&promote("00000000000000000000000000000000", "acme")), "not_found");
    assert_eq!(kind(&promote(&id, "beta")), "not_found", "a key of another org");
    // It is found; only its state does not allow it.
    for right in [id.clone(), id[..8].to_owned(), id.to_uppercase()] {
        assert_eq!(kind(&promote(&right, "acme")), "invalid_request");
    }
}

#[test]
fn what_is_not_understood_is_refused_before_anything_happens() {
    let sandbox = furnished();
    let before = sandbox.state();
    for arguments in [
        "key add --use values",
        "key add",
        "key rotate --use",
        "key reencrypt --batch 0",
        "key reencrypt --batch 1001",
        "key reencrypt --rate x",
        "key status --project etl",
        "key status --scope acme/etl",
        "key rewrap --org acme",
        "key destroy --yes",
        "key destroy --all-keys-of-org acme --backups-expired-before 2026-01-01 --yes",
        "key destroy --all-keys-of-org acme --org beta --yes",
        "key destroy --all-keys-of-org acme",
        "key",
    ] {
        assert_eq!(sandbox.run(arguments.split(' ')).code, 2, "{arguments}");
    }
    for (arguments, code) in [
        ("key status --org nobody", 20),
        ("key add --use data", 20),
        ("key rotate --org nobody", 20),
        ("key destroy --all-keys-of-org nobody --yes", 20),
        ("key destroy 0123456789abcdef --backups-expired-before 90d --org acme --yes", 12),
        ("key destroy --all-keys-of-org no/body --yes", 10),
    ] {
        let outcome = sandbox.run(arguments.split(' '));
        assert_eq!(outcome.code, code, "{arguments}: {outcome:?}");
    }
    assert_eq!(sandbox.state(), before);
    let empty = Sandbox::new();
    for command in ["status", "rewrap", "reencrypt"] {
        assert_eq!(empty.run(["key", command]).code, i32::from(ErrorKind::NoStore.exit_code()));
    }
    assert!(!empty.store().exists() && !empty.key().exists());
}

#[test]
fn an_erased_org_can_be_read_by_nobody_and_the_others_by_all() {
    let sandbox = furnished();
    let arguments = ["key", "destroy", "--all-keys-of-org", "acme"];
    for answer in ["yes", "y", "beta", ""] {
        let mut terminal = Terminal::start(&sandbox, &arguments);
        terminal.expect("nobody can ever read its secrets again, 3 of them");
        terminal.expect("type the name of the org: ");
        terminal.type_line(answer);
        let (code, screen) = terminal.finish();
        assert_eq!(code, 1, "{screen}");
        assert!(screen.contains("not erased"), "{screen}");
    }
    values_are_there(&sandbox);
    let mut terminal = Terminal::start(&sandbox, &arguments);
    terminal.expect("type the name of the org: ");
    terminal.type_line("acme");
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("erased org acme") && screen.contains("backup"), "{screen}");

    for command in ["reveal", "show"] {
        let outcome = sandbox.run([command, "one", "--scope", "acme/etl", "-o", "json"]);
        assert_eq!(kind(&outcome), "unknown_key", "{outcome:?}");
    }
    assert_eq!(sandbox.value("other", "beta"), CANARY.as_bytes());
    let erased = status(&sandbox, "acme");
    assert!(erased["keys"].as_array().unwrap().iter().all(|key| key["state"] == "destroyed"), "{erased}");
    assert!(erased["hints"].to_string().contains("is erased"), "{erased}");
    // And nothing that looks after the store stumbles over it.
    for command in [&["verify"][..], &["key", "reencrypt"], &["key", "rewrap"], &["audit"], &["doctor"]] {
        let outcome = sandbox.ok(command);
        assert!(!outcome.stderr.contains("error"), "{command:?}: {outcome:?}");
    }
    let again = sandbox.ok(["key", "destroy", "--all-keys-of-org", "acme", "--yes", "-o", "json"]);
    assert_eq!(again.json(), serde_json::json!({ "org": "acme", "erased": 0 }));
}

#[test]
fn destroying_one_key_is_asked_for() {
    let sandbox = furnished();
    sandbox.ok(["key", "rotate", "--org", "acme"]);
    let (old, _, _) = keys(&sandbox, "acme", "data")[0].clone();
    let now = secretkit::Clock::now(&secretkit::SystemClock).to_string();
    let arguments = ["key", "destroy", &old[..10], "--backups-expired-before", &now, "--org", "acme"];
    for (answer, code, state) in [("n", 1, "retired"), ("y", 0, "destroyed")] {
        let mut terminal = Terminal::start(&sandbox, &arguments);
        terminal.expect(&format!("Destroy the data key {old} of org acme for ever?"));
        terminal.expect("[y/N] ");
        terminal.type_line(answer);
        let (found, screen) = terminal.finish();
        assert_eq!(found, code, "{screen}");
        assert_eq!(keys(&sandbox, "acme", "data")[0].1, state);
    }
    values_are_there(&sandbox);
}

/// Two processes of an application, of which only one has the new root key so far.
#[test]
fn rewrap_says_when_it_is_due_and_is_refused_without_the_key_of_before() {
    let sandbox = furnished();
    let new = sandbox.other_key("new.key");
    let new_key = |command: &[&str]| {
        let key = format!("file:{}", new.display());
        sandbox.run(command.iter().copied().chain(["-o", "json", "--key", &key]))
    };
    let refused = new_key(&["key", "rewrap"]);
    assert_eq!(kind(&refused), "wrong_root_key", "{refused:?}");
    let shown = new_key(&["key", "status"]);
    assert_eq!(kind(&shown), "wrong_root_key");
    assert_eq!(shown.json()[0]["keys"], Value::Null, "what can be told without the key is told: {shown:?}");
    assert!(shown.json()[1]["org"] == "beta" && shown.stderr.contains("org beta cannot be opened either"), "{shown:?}");

    let (before, after) = (RootKey::from_file(&sandbox.key()).unwrap(), RootKey::from_file(&new).unwrap());
    let both = RootKeys::new(Arc::new(after)).with_previous(Arc::new(before));
    let store = Arc::new(SqliteStore::open(&sandbox.store()).unwrap());
    let secrets = Secrets::new(store, Arc::new(both), Access::Unrestricted);
    let org = "acme:x".parse::<SecretId>().unwrap().org().clone();
    assert_ne!(secrets.keys().root_key_for(&org).unwrap(), secrets.keys().status(&org).unwrap().root_key);
    assert_eq!(secrets.keys().rewrap().unwrap(), 2);
    assert_eq!(secrets.keys().root_key_for(&org).unwrap(), secrets.keys().status(&org).unwrap().root_key);
    assert_eq!(kind(&sandbox.run(["key", "status", "-o", "json"])), "wrong_root_key");
    assert_eq!(new_key(&["key", "status"]).code, 0);
    let rewrapped = new_key(&["key", "rewrap"]);
    assert_eq!((rewrapped.json(), rewrapped.code), (serde_json::json!({ "orgs": 2 }), 0));
    assert!(rewrapped.stderr.contains("secretkit key rotate"), "which of the two is meant when: {rewrapped:?}");
}

#[test]
fn a_key_of_last_year_is_said_to_be_old() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.store().parent().unwrap()).unwrap();
    fs::set_permissions(sandbox.store().parent().unwrap(), std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .unwrap();
    let key = secretkit::create_root_key(&sandbox.key()).unwrap();
    let store = Arc::new(SqliteStore::create(&sandbox.store()).unwrap());
    let now = secretkit::Clock::now(&secretkit::SystemClock);
    let clock = ManualClock::new(Timestamp::from_micros(now.as_micros() - 366 * 24 * 3_600_000_000));
    let secrets = Secrets::new(store, Arc::new(key), Access::Unrestricted).with_clock(Arc::new(clock));
    secrets.put(&"acme:x".parse().unwrap(), &SecretValue::copied_from(b"x"), PutMode::Create).unwrap();
    let shown = sandbox.ok(["key", "status"]);
    let hints: Vec<_> = shown.stderr.lines().collect();
    assert_eq!(hints.len(), 2, "{shown:?}");
    assert!(hints[0].contains("data key") && hints[0].contains("older than 365 days"), "{shown:?}");
    assert!(hints[1].ends_with("run: secretkit key rotate --use meta --org acme"), "{shown:?}");
    assert!(shown.text().contains("366 days"), "{shown:?}");
    sandbox.ok(["key", "rotate", "--use", "data", "--use", "meta", "--org", "acme"]);
    let shown = sandbox.ok(["key", "status", "-o", "json"]).json();
    assert!(!shown[0]["hints"].to_string().contains("older"), "{shown}");
}

#[test]
fn a_reencryption_that_is_stopped_goes_on_where_it_was() {
    let sandbox = Sandbox::new();
    sandbox.create("first", CANARY.as_bytes(), "acme");
    let secrets = opened(&sandbox);
    let id = |number: usize| format!("acme:name-{number}").parse::<SecretId>().unwrap();
    for number in 0..60 {
        secrets.put(&id(number), &SecretValue::copied_from(b"value"), PutMode::Create).unwrap();
    }
    let org = id(0).org().clone();
    let key = secrets.keys().add(&org, KeyUse::Data).unwrap();
    secrets.keys().promote(&org, key.id).unwrap();
    let left = || secrets.keys().status(&org).unwrap().keys[0].1;
    assert_eq!(left(), 61);

    let terminal = Terminal::start(&sandbox, &["key", "reencrypt", "--org", "acme", "--rate", "10"]);
    while left() > 50 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    terminal.signal(&sandbox, Signal::INT);
    let (code, screen) = terminal.finish();
    assert_eq!(code, 130, "{screen}");
    assert!(screen.contains("nothing is lost") && screen.contains("secretkit key reencrypt --org acme"), "{screen}");
    let stopped = left();
    assert!(stopped > 0, "the rate was kept");
    for number in 0..60 {
        assert_eq!(secrets.get(&id(number)).unwrap().value.expose_secret(), b"value");
    }
    let done = sandbox.ok(["key", "reencrypt", "--org", "acme", "-o", "json"]).json();
    assert_eq!((done[0]["checked"].as_u64(), done[0]["rewritten"].as_u64()), (Some(61), Some(stopped)));
    assert_eq!(left(), 0);
}

#[test]
fn a_rate_is_not_exceeded() {
    let sandbox = Sandbox::new();
    for number in 0..4 {
        sandbox.create(&format!("name-{number}"), CANARY.as_bytes(), "acme");
    }
    sandbox.ok(["key", "add", "--use", "meta", "--org", "acme"]);
    let (new, ..) = keys(&sandbox, "acme", "meta")[1].clone();
    sandbox.ok(["key", "promote", &new, "--org", "acme"]);
    let started = std::time::Instant::now();
    let done = sandbox.ok(["key", "reencrypt", "--rate", "2", "-o", "json"]).json();
    assert_eq!(done[0]["rewritten"], 4);
    assert!(started.elapsed().as_millis() >= 1500, "{:?}", started.elapsed());
}
