//! `doctor`: rates and changes nothing.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::sandbox::{CANARY, Outcome, Sandbox, text};

fn furnished() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), "acme");
    sandbox
}

fn doctor(sandbox: &Sandbox, variables: &[(&str, &OsStr)]) -> Outcome {
    sandbox.run_with(["doctor", "-o", "json"], b"", variables)
}

/// The ratings of a check, with the finding of each.
fn ratings(outcome: &Outcome, check: &str) -> Vec<(String, String)> {
    let report = outcome.json();
    let rows = report["checks"].as_array().unwrap().iter().filter(|row| row["check"] == check);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.map(|row| {
        assert_eq!(row["rating"] == "secure", row["advice"].is_null(), "what is not secure says what to do: {row}");
        (text(&row["rating"]), text(&row["finding"]))
    })
    .collect()
}

#[track_caller]
fn rated(outcome: &Outcome, check: &str, rating: &str, words: &str) {
    let found = ratings(outcome, check);
    assert!(found.iter().any(|(is, finding)| is == rating && finding.contains(words)), "{check}: {found:?}");
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn it_works_where_there_is_nothing_yet() {
    let sandbox = Sandbox::new();
    let before = sandbox.state();
    let outcome = doctor(&sandbox, &[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    rated(&outcome, "store", "secure", "none yet");
    rated(&outcome, "root key", "secure", "none yet");
    assert_eq!(sandbox.state(), before, "it makes nothing");
}

#[test]
fn a_store_as_the_first_write_makes_it_is_not_insecure() {
    let sandbox = furnished();
    let before = sandbox.state();
    let outcome = doctor(&sandbox, &[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    rated(&outcome, "store", "secure", "mode 600, yours");
    rated(&outcome, "directory", "secure", "mode 700, yours");
    rated(&outcome, "root key", "secure", "mode 600, yours");
    rated(&outcome, "key and store", "secure", "different directories");
    rated(&outcome, "keys", "secure", "1 org with nothing to do");
    rated(&outcome, "anchor", "weak", "none");
    rated(&outcome, "variables", "secure", "no SECRETKIT_ variable");
    rated(&outcome, "versions", "secure", concat!("secretkit ", env!("CARGO_PKG_VERSION"), ", SQLite 3."));
    for check in ["file system", "swap", "core dumps", "secret files", "tasks", "root key age"] {
        assert_eq!(ratings(&outcome, check).len(), 1, "{check}");
    }
    assert_eq!(sandbox.state(), before);
    let table = sandbox.ok(["doctor"]).text();
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with("secure    store           "), "{table}");
    assert!(lines.last().unwrap().starts_with("weak: "), "{table}");
    assert!(table.contains("\n                          do: "), "{table}");
    assert_eq!(outcome.json()["rating"], "weak");
}

#[test]
fn what_others_could_read_or_replace_is_insecure() {
    type Change = fn(&Sandbox);
    let changes: [(&str, &str, Change); 7] = [
        ("store", "chmod 600", |sandbox| chmod(&sandbox.store(), 0o644)),
        ("root key", "chmod 600", |sandbox| chmod(&sandbox.key(), 0o640)),
        ("directory", "mode 777", |sandbox| chmod(sandbox.store().parent().unwrap(), 0o777)),
        ("directory", "directory of your own", |sandbox| chmod(sandbox.store().parent().unwrap(), 0o1777)),
        ("root key", "not there", |sandbox| fs::remove_file(sandbox.key()).unwrap()),
        ("root key", "", |sandbox| fs::write(sandbox.key(), "no key").unwrap()),
        ("store", "", |sandbox| fs::write(sandbox.store(), "no store").unwrap()),
    ];
    for (check, words, change) in changes {
        let sandbox = furnished();
        change(&sandbox);
        let outcome = doctor(&sandbox, &[]);
        rated(&outcome, check, "insecure", words);
        assert_eq!((outcome.code, outcome.error()["error"].as_str()), (47, Some("unsafe_store")), "{outcome:?}");
        assert_eq!(outcome.json()["rating"], "insecure");
    }
}

#[test]
fn a_key_that_does_not_fit_is_told() {
    let sandbox = furnished();
    let other = sandbox.other_key("other.key");
    let outcome = doctor(&sandbox, &[("SECRETKIT_KEY_FILE", other.as_os_str())]);
    rated(&outcome, "keys", "weak", "org acme cannot be opened");
    assert_eq!(outcome.code, 0);
}

#[test]
fn a_key_beside_the_store_or_in_a_variable_is_weak() {
    let sandbox = furnished();
    let beside = sandbox.store().with_file_name("root.key");
    fs::copy(sandbox.key(), &beside).unwrap();
    let outcome = doctor(&sandbox, &[("SECRETKIT_KEY_FILE", beside.as_os_str())]);
    rated(&outcome, "key and store", "weak", "who copies one copies both");
    rated(&outcome, "variables", "secure", "says otherwise: SECRETKIT_KEY_FILE");

    let key = fs::read_to_string(sandbox.key()).unwrap();
    let variables: [(&str, &OsStr); 2] = [("SECRETKIT_KEY", "env:MY_KEY".as_ref()), ("MY_KEY", key.trim().as_ref())];
    let outcome = doctor(&sandbox, &variables);
    assert_eq!(outcome.code, 0);
    rated(&outcome, "root key", "weak", "env:MY_KEY");
    assert!(!outcome.text().contains(key.trim()), "the value of a variable");
}

#[test]
fn keys_of_before_and_of_orgs_are_rated_too() {
    let sandbox = furnished();
    let (exposed, fine) = (sandbox.store().with_file_name("prev.key"), sandbox.other_key("fine.key"));
    fs::copy(sandbox.key(), &exposed).unwrap();
    chmod(&exposed, 0o644);
    let previous = format!("file:{}\nfile:{}", text(&exposed), text(&fine));
    let orgs = format!("acme=env:ACME_KEY\nbeta=file:{}\ngone=file:/nowhere/gone.key", text(&fine));
    let key = fs::read_to_string(sandbox.key()).unwrap();
    let outcome = doctor(
        &sandbox,
        &[
            ("SECRETKIT_PREVIOUS_KEYS", previous.as_ref()),
            ("SECRETKIT_ORG_KEYS", orgs.as_ref()),
            ("ACME_KEY", key.trim().as_ref()),
        ],
    );
    rated(&outcome, "previous key", "insecure", "chmod 600");
    rated(&outcome, "previous key", "secure", "fine.key: mode 600");
    rated(&outcome, "key and store", "weak", "a root key of before lies in");
    rated(&outcome, "key of an org", "weak", "acme: env:ACME_KEY");
    rated(&outcome, "key of an org", "secure", "beta: file ");
    rated(&outcome, "key of an org", "weak", "gone: file /nowhere/gone.key: it is not there");
    rated(&outcome, "root key", "secure", "mode 600, yours");
    assert_eq!(outcome.code, 47, "{outcome:?}");
    assert!(!outcome.text().contains(key.trim()), "the value of a variable");
}

#[test]
fn a_key_of_any_kind_that_others_can_read_or_that_is_not_there_is_told() {
    let sandbox = Sandbox::new();
    let exposed = sandbox.file_with_mode("phrase", "correct horse battery staple", 0o644);
    let exposed = format!("passphrase:file:{}", text(&exposed));
    let of_org = format!("acme={exposed}");
    for (variable, value, check, words) in [
        ("SECRETKIT_KEY", "credential:none", "root key", "credential:none: "),
        ("SECRETKIT_KEY", "env:NO_SUCH_VARIABLE", "root key", "NO_SUCH_VARIABLE"),
        ("SECRETKIT_KEY", "passphrase:file:/nowhere/phrase", "root key", "/nowhere/phrase"),
        ("SECRETKIT_KEY", &exposed, "root key", "chmod 600"),
        ("SECRETKIT_PREVIOUS_KEYS", &exposed, "previous key", "chmod 600"),
        ("SECRETKIT_ORG_KEYS", &of_org, "key of an org", "chmod 600"),
    ] {
        let outcome = doctor(&sandbox, &[(variable, value.as_ref())]);
        rated(&outcome, check, "insecure", words);
        assert_eq!(outcome.code, 47, "{outcome:?}");
        assert!(!outcome.text().contains("horse"), "{outcome:?}");
    }
    let gone = doctor(&sandbox, &[("SECRETKIT_PREVIOUS_KEYS", "passphrase:file:/nowhere/phrase".as_ref())]);
    rated(&gone, "previous key", "weak", "/nowhere/phrase");
    // Nothing is run, and nobody is asked.
    let made = sandbox.path("work/made");
    let command = format!("exec:touch {}", text(&made));
    for key in [command.as_str(), "passphrase:"] {
        rated(&doctor(&sandbox, &[("SECRETKIT_KEY", key.as_ref())]), "root key", "secure", "");
    }
    assert!(!made.exists());
}

#[test]
fn a_variable_that_nothing_reads_is_not_in_effect() {
    let sandbox = furnished();
    let key = fs::read_to_string(sandbox.key()).unwrap();
    let variables: [(&str, &OsStr); 4] = [
        ("SECRETKIT_STROE", "sqlite:elsewhere.db".as_ref()),
        ("SECRETKIT_ORG", "acme".as_ref()),
        ("SECRETKIT_KEY", "env:SECRETKIT_OWN_KEY".as_ref()),
        ("SECRETKIT_OWN_KEY", key.trim().as_ref()),
    ];
    let outcome = doctor(&sandbox, &variables);
    rated(&outcome, "variables", "weak", "nothing reads them: SECRETKIT_STROE");
    let of_command = "says otherwise: SECRETKIT_KEY, SECRETKIT_ORG, SECRETKIT_OWN_KEY";
    rated(&outcome, "variables", "secure", of_command);
    assert_eq!(ratings(&outcome, "variables").len(), 2);
}

/// As the commands that ask take it.
#[test]
fn an_agreement_is_judged_by_what_the_variable_says() {
    let sandbox = furnished();
    for (value, words) in [("1", "nothing asks"), ("true", "nothing asks"), ("maybe", "neither yes nor no")] {
        let outcome = doctor(&sandbox, &[("SECRETKIT_YES", value.as_ref())]);
        rated(&outcome, "variables", "weak", words);
    }
    for value in ["0", "no", "false"] {
        let found = ratings(&doctor(&sandbox, &[("SECRETKIT_YES", value.as_ref())]), "variables");
        assert!(found.len() == 1 && found[0].0 == "secure", "{value}: {found:?}");
    }
}

#[test]
fn variables_that_other_programs_refuse_are_told() {
    let sandbox = furnished();
    for (name, value) in [("SECRETKIT_CACHE", "5m"), ("SECRETKIT_CACHE_STALE", "5min")] {
        let outcome = doctor(&sandbox, &[(name, value.as_ref())]);
        rated(&outcome, "variables", "weak", &format!("{name}: "));
        assert_eq!(outcome.code, 0, "the command itself has no cache: {outcome:?}");
    }
    let both: [(&str, &OsStr); 2] = [("SECRETKIT_CACHE", "30s".as_ref()), ("SECRETKIT_CACHE_STALE", "off".as_ref())];
    rated(
        &doctor(&sandbox, &both),
        "variables",
        "secure",
        "not in this command: SECRETKIT_CACHE, SECRETKIT_CACHE_STALE",
    );
}

#[test]
fn an_anchor_is_worth_something_elsewhere() {
    let sandbox = furnished();
    let beside = sandbox.store().with_file_name("anchor");
    let outcome = doctor(&sandbox, &[("SECRETKIT_ANCHOR", beside.as_os_str())]);
    rated(&outcome, "anchor", "weak", "beside the store");
    let elsewhere = sandbox.path("work/anchor");
    let variables: [(&str, &OsStr); 1] = [("SECRETKIT_ANCHOR", elsewhere.as_os_str())];
    rated(&doctor(&sandbox, &variables), "anchor", "weak", "work/anchor, which is not there");
    assert!(!beside.exists() && !elsewhere.exists(), "it makes nothing");
    // A store that is older than its anchor.
    fs::copy(sandbox.store(), sandbox.path("old.db")).unwrap();
    sandbox.run_with(["update", "token", "new", "--org", "acme"], b"", &variables);
    rated(&doctor(&sandbox, &variables), "anchor", "secure", "work/anchor: mode 600, yours");
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", sandbox.store().display()));
    }
    fs::copy(sandbox.path("old.db"), sandbox.store()).unwrap();
    let outcome = doctor(&sandbox, &variables);
    assert_eq!(outcome.json()["rating"], "insecure", "{outcome:?}");
}

#[test]
fn steps_that_are_due_and_what_was_left_behind_are_told() {
    let sandbox = furnished();
    sandbox.ok(["key", "add", "--use", "data", "--org", "acme"]);
    fs::write(sandbox.store().with_file_name(".secretkit-backup-AbCdEf"), "").unwrap();
    fs::write(sandbox.key().with_file_name(".root-key-AbCdEf"), "").unwrap();
    let runtime = sandbox.path("runtime");
    let user = rustix::process::geteuid().as_raw();
    let task = runtime.join(format!("secretkit-{user}/task-0123456789abcdef"));
    fs::create_dir_all(&task).unwrap();
    fs::write(task.join("lock"), "").unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let now = doctor(&sandbox, &[("XDG_RUNTIME_DIR", runtime.as_os_str())]);
    rated(&now, "tasks", "secure", "none that began more than a minute ago has left files");
    fs::File::open(&task).unwrap().set_modified(long_ago).unwrap();
    let outcome = doctor(&sandbox, &[("XDG_RUNTIME_DIR", runtime.as_os_str()), ("SECRETKIT_YES", "1".as_ref())]);
    rated(&outcome, "keys", "weak", "is pending");
    assert_eq!(ratings(&outcome, "left-overs").len(), 2);
    rated(&outcome, "tasks", "weak", &text(&task));
    rated(&outcome, "variables", "weak", "SECRETKIT_YES");
    // One that runs holds its lock.
    let lock = fs::File::open(task.join("lock")).unwrap();
    lock.lock().unwrap();
    let outcome = doctor(&sandbox, &[("XDG_RUNTIME_DIR", runtime.as_os_str())]);
    rated(&outcome, "tasks", "secure", "none");
    assert!(task.join("lock").exists());
}
