//! A process that has no more files to open.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use secretkit_core::{Access, ErrorKind, PutMode, RootKey, SecretValue, Secrets};
use secretkit_sqlite::SqliteStore;
use support::{Home, get, id};

#[test]
fn a_process_without_files_to_open_is_told_so() {
    let home = Home::filled();
    home.write_key();
    // In a process of its own: the limit is the whole process's.
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child", "--ignored", "--nocapture"]);
    let output = child.env("SECRETKIT_TEST_HOME", home.directory.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(get(&home.opened(), "acme:late"), b"late");
}

#[test]
#[ignore = "the other process of the test above"]
fn child() {
    let Ok(directory) = std::env::var("SECRETKIT_TEST_HOME") else { return };
    let (path, key) = (Path::new(&directory).join("secrets.db"), Path::new(&directory).join("key"));
    let key = Arc::new(RootKey::from_file(&key).unwrap());
    let opened = |store| Secrets::new(Arc::new(store), Arc::clone(&key) as _, Access::Unrestricted);
    let secrets = opened(SqliteStore::open(&path).unwrap());
    assert_eq!(get(&secrets, "acme:token"), b"t0k3n");
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..getrlimit(Resource::Nofile) }).unwrap();
    let value = SecretValue::copied_from(b"late");
    let write = || secrets.put(&id("acme:late"), &value, PutMode::Create);

    // With no file left, with one, and so on: each file that SQLite opens is the one that it does not get.
    let mut taken = all_that_are_left();
    let mut refused = 0;
    let mut outcome = write();
    while let Err(error) = outcome {
        assert_eq!(error.kind(), ErrorKind::Other, "{error}");
        assert!(error.to_string().contains("Too many open files"), "{error}");
        assert_eq!(get(&secrets, "acme:token"), b"t0k3n", "a reader that is open needs no more of them");
        refused += 1;
        taken.pop().expect("a write with files to spare");
        outcome = write();
    }
    assert!(refused > 0);

    taken.extend(all_that_are_left());
    while let Err(error) = SqliteStore::open(&path) {
        assert!(error.to_string().contains("Too many open files"), "{error}");
        taken.pop().expect("an open with files to spare");
    }
}

fn all_that_are_left() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}
