//! What a delete leaves behind on the disk, as `docs/lifecycle.md` tells it: sealed bytes only, and none after a close.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use secretkit_core::{MetadataEdit, Secrets, Setting};
use support::{Home, files, get, id, put};

/// Values of one cell, of a page, and of many overflow pages.
const LENGTHS: [usize; 4] = [20, 500, 5_000, 60_000];

/// Sealed bytes of each value that goes, and of those that stay.
struct Records {
    gone: Vec<Vec<u8>>,
    kept: Vec<Vec<u8>>,
}

/// Writes, supersedes, prunes and deletes values of each length, between others that stay.
fn write_and_delete(home: &Home, secrets: &Secrets) -> Records {
    let mut records = Records { gone: Vec::new(), kept: Vec::new() };
    for length in LENGTHS {
        put(secrets, &format!("acme:before-{length}"), &vec![1; length]);
        put(secrets, &format!("acme:deleted-{length}"), &vec![2; length]);
        put(secrets, &format!("acme:pruned-{length}"), &vec![3; length]);
        put(secrets, &format!("acme:after-{length}"), &vec![4; length]);
    }
    // Into the file itself, so that it is there too that they have to go.
    home.raw().execute_batch("PRAGMA wal_checkpoint(PASSIVE)").unwrap();
    for length in LENGTHS {
        records.gone.extend(["deleted", "pruned"].map(|name| current(home, &format!("{name}-{length}"))));
        put(secrets, &format!("acme:deleted-{length}"), &vec![5; length]);
        put(secrets, &format!("acme:pruned-{length}"), &vec![6; length]);
        records.gone.push(current(home, &format!("deleted-{length}")));
        records.kept.extend(["before", "pruned", "after"].map(|name| current(home, &format!("{name}-{length}"))));
    }
    for length in LENGTHS {
        secrets.delete(&id(&format!("acme:deleted-{length}"))).unwrap();
        secrets.prune(&id(&format!("acme:pruned-{length}")), 0).unwrap();
    }
    assert_eq!((records.gone.len(), records.kept.len()), (12, 12));
    records
}

fn current(home: &Home, key: &str) -> Vec<u8> {
    home.raw().query_row("SELECT record FROM secrets WHERE key = ?1", [key], |row| row.get(0)).unwrap()
}

#[test]
fn after_the_last_close_no_record_is_left_in_any_file() {
    let home = Home::new();
    let secrets = home.created();
    let records = write_and_delete(&home, &secrets);
    drop(secrets);
    assert_eq!(files(home.directory.path()), ["secrets.db"], "the last one out removes the log");
    no_trace(&home, &records);
}

#[test]
fn while_the_store_is_open_sealed_bytes_may_be_left() {
    let home = Home::new();
    let secrets = home.created();
    let records = write_and_delete(&home, &secrets);
    // Not a promise but the reason for what the document says: were they gone at once, it could say more.
    assert_ne!(found(&copied(&home.path()), &records.gone), 0, "none in the file");
    assert_ne!(found(&copied(&log_of(&home.path())), &records.gone), 0, "none in the log");
    // A checkpoint cleans the file, and leaves the log until it is written over.
    home.raw().execute_batch("PRAGMA wal_checkpoint(PASSIVE)").unwrap();
    assert_eq!(found(&copied(&home.path()), &records.gone), 0, "in the file after a checkpoint");
    assert_ne!(found(&copied(&log_of(&home.path())), &records.gone), 0, "none in the log");
    drop(secrets);
}

#[test]
fn what_a_kill_leaves_the_next_close_removes() {
    let home = Home::new();
    let secrets = home.created();
    let records = write_and_delete(&home, &secrets);
    // The files as they are: what a kill, a snapshot or a backup of both finds.
    let after = Home { directory: tempfile::tempdir().unwrap(), key: Arc::clone(&home.key) };
    for (from, to) in [(home.path(), after.path()), (log_of(&home.path()), log_of(&after.path()))] {
        fs::write(&to, copied(&from)).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        assert_ne!(found(&fs::read(&to).unwrap(), &records.gone), 0, "none in {}", to.display());
    }
    drop(secrets);
    let secrets = after.opened();
    assert_eq!(get(&secrets, "acme:after-500"), [4; 500]);
    drop(secrets);
    assert_eq!(files(after.directory.path()), ["secrets.db"]);
    no_trace(&after, &records);
}

#[test]
fn a_value_that_is_not_kept_any_more_is_wiped() {
    let home = Home::new();
    let secrets = home.created();
    let mut keep = MetadataEdit::default();
    keep.keep = Setting::Set(1);
    put(&secrets, "acme:rotated", &[9; 3_000]);
    secrets.edit(&id("acme:rotated"), &keep, None).unwrap();
    let mut gone = vec![current(&home, "rotated")];
    for round in 0..4 {
        put(&secrets, "acme:rotated", &[round; 3_000]);
        gone.push(current(&home, "rotated"));
    }
    drop(secrets);
    let kept = gone.split_off(3);
    no_trace(&home, &Records { gone, kept });
}

/// No piece of what is gone, and all that is kept, which shows that the search finds it.
#[track_caller]
fn no_trace(home: &Home, records: &Records) {
    let bytes = fs::read(home.path()).unwrap();
    assert_eq!(found(&bytes, &records.kept), records.kept.len(), "the search does not find what is kept");
    assert_eq!(found(&bytes, &records.gone), 0, "sealed bytes are left");
}

/// Of how many of these records a piece is there; a long one lies in pieces on pages of its own.
fn found(bytes: &[u8], records: &[Vec<u8>]) -> usize {
    const PIECE: usize = 24;
    let mut pieces = HashMap::new();
    for (number, record) in records.iter().enumerate() {
        let end = record.len() - PIECE;
        // Behind the header, which many records share: salt, commitment, and the ciphertext from page to page.
        for at in [30, 80, end].into_iter().chain((1_000..end).step_by(1_500)) {
            pieces.insert(&record[at..at + PIECE], number);
        }
    }
    bytes.windows(PIECE).filter_map(|window| pieces.get(window)).collect::<HashSet<_>>().len()
}

fn log_of(store: &Path) -> std::path::PathBuf {
    store.with_file_name("secrets.db-wal")
}

/// Read by another process: this one holds locks on the file, which closing it would let go.
fn copied(path: &Path) -> Vec<u8> {
    let output = Command::new("cat").arg(path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}
