//! An old copy of a store in its place: refused where an anchor is named, and taken where none is.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use secretkit::ErrorKind;

use crate::sandbox::{CANARY, Outcome, Sandbox, text};

struct Anchored {
    sandbox: Sandbox,
    anchor: String,
}

impl Anchored {
    /// A store that was put back to where it was before its last write.
    fn rolled_back() -> Self {
        let sandbox = Sandbox::new();
        let anchor = text(&sandbox.path("work/anchor"));
        let anchored = Self { sandbox, anchor };
        anchored.write("create", "old").expect_success();
        let copy = anchored.copy();
        anchored.write("update", "new").expect_success();
        anchored.put_back(&copy);
        anchored
    }

    /// Stores a value while the anchor is named.
    fn write(&self, command: &str, value: &str) -> Outcome {
        let arguments = [command, "token", "-f", "-", "--org", "acme", "--anchor", &self.anchor];
        self.sandbox.run_with(arguments, format!("{CANARY}-{value}").as_bytes(), &[])
    }

    fn read(&self, anchor: &[&str]) -> Outcome {
        self.sandbox.run(["reveal", "token", "--org", "acme"].iter().chain(anchor))
    }

    /// The whole store as it is now: no process has it open, so all of it is in one file.
    fn copy(&self) -> PathBuf {
        let copy = self.sandbox.path("yesterday.db");
        fs::copy(self.sandbox.store(), &copy).unwrap();
        copy
    }

    fn put_back(&self, copy: &PathBuf) {
        for suffix in ["-wal", "-shm"] {
            assert!(!PathBuf::from(format!("{}{suffix}", self.sandbox.store().display())).exists());
        }
        fs::copy(copy, self.sandbox.store()).unwrap();
    }
}

impl Outcome {
    #[track_caller]
    fn expect_success(&self) {
        assert_eq!(self.code, 0, "{self:?}");
        assert!(!self.stderr.contains("anchor"), "{self:?}");
    }

    #[track_caller]
    fn expect_rolled_back(&self) {
        assert_eq!(self.code, i32::from(ErrorKind::RolledBack.exit_code()), "{self:?}");
        assert!(self.stdout.is_empty() && self.stderr.contains("anchor"), "{self:?}");
    }
}

#[test]
fn an_old_copy_is_refused_by_reads_and_writes() {
    let home = Anchored::rolled_back();
    home.read(&["--anchor", &home.anchor]).expect_rolled_back();
    home.write("update", "newest").expect_rolled_back();
    for command in [
        "verify",
        "export --yes --format json",
        "history token",
        "show token",
        "delete token --yes",
        "key add --use data",
        "list",
        "key status",
    ] {
        let outcome = home.sandbox.run(command.split(' ').chain(["--org", "acme", "--anchor", &home.anchor]));
        assert_eq!(outcome.code, i32::from(ErrorKind::RolledBack.exit_code()), "{command}: {outcome:?}");
    }
    let variables = [("SECRETKIT_ANCHOR", OsStr::new(&home.anchor)), ("SECRETKIT_OUTPUT", OsStr::new("json"))];
    let outcome = home.sandbox.run_with(["reveal", "token", "--org", "acme"], b"", &variables);
    assert_eq!(outcome.error()["error"], "rolled_back");
}

/// `SECURITY.md` says so: an old copy is whole and authentic in itself.
#[test]
fn an_old_copy_is_taken_where_no_anchor_is_named() {
    let home = Anchored::rolled_back();
    assert_eq!(home.read(&[]).stdout, format!("{CANARY}-old").as_bytes());
    home.sandbox.ok(["verify"]);
    // And where the anchor is away, as `docs/operations.md` says of a backup that is put back on purpose.
    fs::remove_file(&home.anchor).unwrap();
    assert_eq!(home.read(&["--anchor", &home.anchor]).stdout, format!("{CANARY}-old").as_bytes());
    assert!(!PathBuf::from(&home.anchor).exists(), "a read makes nothing");
    home.write("update", "newest").expect_success();
    assert!(PathBuf::from(&home.anchor).exists());
}

#[test]
fn an_anchor_that_cannot_be_written_is_a_warning() {
    let home = Anchored::rolled_back();
    let lost = text(&home.sandbox.path("work/unmounted/anchor"));
    let told = |description: &str, arguments: &[&str]| {
        let command = ["update", "token", "--description", description, "--org", "acme"];
        let outcome = home.sandbox.run(command.iter().chain(arguments));
        assert_eq!(outcome.code, 0, "{outcome:?}");
        outcome.stderr
    };
    let warned = told("one", &["--anchor", &lost]);
    assert!(warned.contains("warning: the write took effect, but the anchor does not know of it"), "{warned}");
    assert!(warned.contains("unmounted"), "{warned}");
    assert!(told("two", &["--anchor", &lost, "--output", "json"]).contains("{\"warning\":\"the write took effect"));
    assert_eq!(told("three", &["--anchor", &lost, "--quiet"]), "");
    // A read has nothing to write, and the next write that can remembers all.
    let read = home.read(&["--anchor", &lost]);
    assert!(read.code == 0 && !read.stderr.contains("warning"), "{read:?}");
    let other = text(&home.sandbox.path("work/other"));
    assert!(!told("four", &["--anchor", &other]).contains("warning"));
    home.read(&["--anchor", &other]).expect_success();
}

#[test]
fn what_is_no_anchor_of_this_store_is_refused() {
    let home = Anchored::rolled_back();
    let read = home.read(&["--anchor", ""]);
    assert_eq!(read.code, i32::from(ErrorKind::Usage.exit_code()), "{read:?}");
    fs::write(&home.anchor, "no anchor\n").unwrap();
    for outcome in [home.read(&["--anchor", &home.anchor]), home.write("update", "x")] {
        assert_eq!(outcome.code, i32::from(ErrorKind::UnsafeStore.exit_code()), "{outcome:?}");
    }
    let other = Anchored::rolled_back();
    let outcome = home.read(&["--anchor", &other.anchor]);
    assert!(outcome.stderr.contains("belongs to another store"), "{outcome:?}");
}
