//! The store and the root key that the first write makes, and nothing before or beside it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Stdio;

use secretkit::ErrorKind;

use crate::sandbox::{CANARY, Sandbox, run, text};

#[test]
fn the_first_write_makes_both_and_says_so() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.run_with(["create", "token", "-f", "-"], CANARY.as_bytes(), &[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for (what, path) in [("store", sandbox.store()), ("root key", sandbox.key())] {
        let announced = format!("made the {what} {}", path.canonicalize().unwrap().display());
        assert!(outcome.stderr.contains(&announced), "{announced}: {outcome:?}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700, "{path:?}");
    }
    assert_eq!(fs::metadata(sandbox.key()).unwrap().len(), 45);
    let again = sandbox.run_with(["create", "token2", "-f", "-"], CANARY.as_bytes(), &[]);
    assert!(!again.stderr.contains("made the"), "{again:?}");
}

#[test]
fn the_user_s_directories_are_those_of_the_variables() {
    let sandbox = Sandbox::new();
    let (data, configuration) = (sandbox.path("data"), sandbox.path("configuration"));
    let variables = [("XDG_DATA_HOME", data.as_os_str()), ("XDG_CONFIG_HOME", configuration.as_os_str())];
    let outcome = sandbox.run_with(["create", "token", "-f", "-"], CANARY.as_bytes(), &variables);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(data.join("secretkit/secrets.db").exists() && configuration.join("secretkit/root.key").exists());
    assert!(!sandbox.store().exists() && !sandbox.key().exists());
}

#[test]
fn nothing_but_a_write_makes_anything() {
    let sandbox = Sandbox::new();
    let before = sandbox.state();
    let commands: [&[&str]; 8] = [
        &["list"],
        &["show", "token"],
        &["reveal", "token"],
        &["delete", "token", "--yes"],
        &["update", "token", "x"],
        &["set", "token", "x", "--update-only"],
        &["create", "a b", "x"],
        &["create", "token"],
    ];
    for command in commands {
        assert_ne!(sandbox.run(command).code, 0);
        assert_eq!(sandbox.state(), before, "{command:?} made something");
    }
}

#[test]
fn a_named_key_must_exist_before_a_store_is_made() {
    let sandbox = Sandbox::new();
    let missing = text(&sandbox.path("work/no.key"));
    let outcome = sandbox.run(["create", "token", "x", "--key-file", &missing]);
    assert_eq!(outcome.code, i32::from(ErrorKind::FileMissing.exit_code()), "{outcome:?}");
    assert!(outcome.stderr.contains("hint: a root key that is named has to be there"), "{outcome:?}");
    assert!(!sandbox.store().exists() && !sandbox.key().exists());
    let rated = sandbox.run(["doctor", "--key-file", &missing]);
    assert!(rated.text().contains(&format!("file {missing}: it is not there")), "{rated:?}");
    let key = sandbox.other_key("mine.key");
    let store = sandbox.path("work/mine.db");
    let url = format!("sqlite:{}", store.display());
    let variables = [("SECRETKIT_STORE", OsStr::new(&url)), ("SECRETKIT_KEY_FILE", key.as_os_str())];
    let outcome = sandbox.run_with(["create", "token", "-f", "-"], CANARY.as_bytes(), &variables);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(store.exists() && !sandbox.store().exists() && !sandbox.key().exists());
    let key_text = fs::read_to_string(key).unwrap();
    let variables = [
        ("SECRETKIT_STORE", OsStr::new(&url)),
        ("SECRETKIT_KEY", OsStr::new("env:ROOT_KEY")),
        ("ROOT_KEY", OsStr::new(key_text.trim())),
    ];
    assert_eq!(sandbox.run_with(["reveal", "token"], b"", &variables).stdout, CANARY.as_bytes());
}

#[test]
fn sixteen_first_writes_at_once_end_with_one_key() {
    for _ in 0..5 {
        let sandbox = Sandbox::new();
        let children: Vec<_> = (0..16)
            .map(|number| {
                let mut command = sandbox.command();
                command.args(["create", &format!("token{number}"), &format!("value {number}")]);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap()
            })
            .collect();
        let mut made = 0;
        for child in children {
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{stderr}");
            made += usize::from(stderr.contains("made the root key"));
        }
        assert_eq!(made, 1, "one of them made the key");
        for number in 0..16 {
            assert_eq!(sandbox.value(&format!("token{number}"), "default"), format!("value {number}").as_bytes());
        }
        let left: HashSet<_> = fs::read_dir(sandbox.key().parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(left, HashSet::from(["root.key".to_owned()]), "nothing else is left there");
    }
}

#[test]
fn a_home_of_somebody_else_is_refused() {
    let sandbox = Sandbox::new();
    let home = sandbox.path("home");
    let other = Some(65_534);
    if std::os::unix::fs::chown(&home, other, other).is_err() {
        eprintln!(
            "skipped: only root can give a directory to somebody else, and this is user {}",
            fs::metadata(&home).unwrap().uid()
        );
        return;
    }
    // As `sudo secretkit …` finds it: the home is the caller's, the process is root's.
    for arguments in [&["create", "token", "x"][..], &["list"], &["reveal", "token"]] {
        let outcome = sandbox.run(arguments);
        assert_eq!(outcome.code, i32::from(ErrorKind::UnsafeStore.exit_code()), "{outcome:?}");
        assert!(outcome.stderr.contains("sudo") && outcome.stderr.contains("SECRETKIT_STORE"), "{outcome:?}");
    }
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0, "nothing was made there");
    // The same where the variables lead into it.
    let inside = home.join("data");
    let mut command = sandbox.command();
    command.env("HOME", sandbox.path("work")).env("XDG_DATA_HOME", &inside);
    let outcome = run(command.args(["create", "token", "x"]), b"");
    assert_eq!(outcome.code, i32::from(ErrorKind::UnsafeStore.exit_code()), "{outcome:?}");
    // A store and a key that are named go around it.
    let key = text(&sandbox.other_key("mine.key"));
    let url = format!("sqlite:{}", sandbox.path("work/mine.db").display());
    sandbox.ok(["create", "token", "x", "--store", &url, "--key-file", &key]);
}

#[test]
fn no_home_at_all_is_an_error_that_says_what_to_do() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command();
    let outcome = run(command.env("HOME", "relative").args(["list"]), b"");
    assert_eq!(outcome.code, i32::from(ErrorKind::UnsafeStore.exit_code()), "{outcome:?}");
    assert!(outcome.stderr.contains("HOME") && outcome.stderr.contains("SECRETKIT_STORE"), "{outcome:?}");
}

#[test]
fn where_one_of_the_two_cannot_be_made_none_is() {
    for (variable, what) in [("XDG_CONFIG_HOME", "root key"), ("XDG_DATA_HOME", "store")] {
        let sandbox = Sandbox::new();
        // There is nothing there, and nothing can be made there either.
        let blocked = sandbox.path("work/blocked");
        std::os::unix::fs::symlink("nowhere", &blocked).unwrap();
        let outcome =
            sandbox.run_with(["create", "token", "-f", "-"], CANARY.as_bytes(), &[(variable, blocked.as_os_str())]);
        assert_ne!(outcome.code, 0, "{outcome:?}");
        assert!(!sandbox.store().exists() && !sandbox.key().exists(), "without a {what}: {:?}", sandbox.state());
        let left = sandbox.state().into_keys().find(|path| path.to_string_lossy().contains("root-key"));
        assert_eq!(left, None);
        // Once it can be made, both are, and both are announced.
        let outcome = sandbox.run_with(["create", "token", "-f", "-"], CANARY.as_bytes(), &[]);
        assert!(
            outcome.stderr.contains("made the store") && outcome.stderr.contains("made the root key"),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_store_in_memory_is_refused() {
    let sandbox = Sandbox::new();
    let unsupported = i32::from(ErrorKind::Unsupported.exit_code());
    for command in [&["create", "token", "x"][..], &["list"], &["reveal", "token"]] {
        let as_option = sandbox.run(command.iter().chain(&["--store", "memory:"]));
        let as_variable = sandbox.run_with(command, b"", &[("SECRETKIT_STORE", OsStr::new("memory:"))]);
        for outcome in [as_option, as_variable] {
            assert_eq!(outcome.code, unsupported, "{outcome:?}");
            assert!(outcome.stderr.contains("inside one process"), "{outcome:?}");
        }
    }
    assert!(!sandbox.store().exists() && !sandbox.key().exists());
}
