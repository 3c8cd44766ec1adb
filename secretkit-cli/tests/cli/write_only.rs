//! A directory that may be written to and not read: nobody can tell when a new name in it is on the disk. That is an error
//! before anything stands there, and not after.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secretkit::ErrorKind;

use crate::sandbox::{CANARY, Sandbox, text};

/// Does this while the directory has that mode, and returns what is in it afterwards.
fn while_write_only(directory: &Path, act: impl FnOnce()) -> Vec<PathBuf> {
    let mode = |mode| fs::set_permissions(directory, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o300);
    act();
    mode(0o700);
    let mut left: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    left.sort();
    left
}

/// A sandbox with a secret, and a directory of the user's own.
fn furnished() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::without_root();
    sandbox.create("token", CANARY.as_bytes(), "acme");
    let directory = sandbox.path("work/outgoing");
    sandbox.owned_directory(&directory);
    (sandbox, directory)
}

#[test]
fn an_export_or_a_rendering_replaces_nothing_there() {
    let (sandbox, directory) = furnished();
    let template = text(&sandbox.file("template", "{{ secret.token }}"));
    let old = directory.join("old");
    fs::write(&old, "old").unwrap();
    let kept = [old.clone()];
    let old = text(&old);
    let folder = text(&directory.join("folder"));
    for arguments in [
        &["export", "--format", "json", "--to", &old, "--overwrite", "--yes"][..],
        &["export", "--format", "directory", "--to", &folder, "--yes"],
        &["render", &template, "--to", &old],
    ] {
        let arguments = [arguments, &["--scope", "acme", "-o", "json"]].concat();
        let left = while_write_only(&directory, || {
            let outcome = sandbox.run(&arguments);
            assert_eq!(outcome.error()["error"], ErrorKind::PermissionDenied.as_str(), "{outcome:?}");
            assert!(outcome.error()["message"].as_str().unwrap().contains("outgoing: "), "{outcome:?}");
        });
        assert_eq!(left, kept, "{arguments:?}");
        assert_eq!(fs::read(&old).unwrap(), b"old", "{arguments:?}");
    }
}

#[test]
fn an_anchor_does_not_move_there() {
    let (sandbox, directory) = furnished();
    let anchor = directory.join("anchor");
    let update = ["update", "token", "-f", "-", "--scope", "acme", "--anchor", anchor.to_str().unwrap()];
    let left = while_write_only(&directory, || {
        let outcome = sandbox.run_with(update, CANARY.as_bytes(), &[]);
        assert!(outcome.code == 0 && outcome.stderr.contains("outgoing: permission denied"), "{outcome:?}");
    });
    assert_eq!(left, [directory.join("anchor.lock")]);
}

#[test]
fn a_first_write_makes_no_store_and_no_key_there() {
    for place in ["home/.local/share/secretkit", "home/.config/secretkit"] {
        let sandbox = Sandbox::without_root();
        let directory = sandbox.path(place);
        sandbox.owned_directory(&directory);
        let left = while_write_only(&directory, || {
            let outcome = sandbox.run_with(["create", "token", "-f", "-"], CANARY.as_bytes(), &[]);
            assert_eq!(outcome.code, i32::from(ErrorKind::PermissionDenied.exit_code()), "{outcome:?}");
        });
        assert!(left.is_empty(), "{left:?}");
        assert!(!sandbox.store().exists() && !sandbox.key().exists(), "{place}");
    }
}
