//! No byte of a value or of a key is in any of the store's files, in any form that a search would find.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::fs;

use secretkit_core::ErrorKind;
use secretkit_core::conformance::Needles;
use secretkit_sqlite::{Existing, SqliteStore};
use support::{Home, get, id, put};

/// Values with enough in them to be found by chance nowhere else.
const NEEDLES: [&[u8]; 4] = [
    b"correct horse battery staple 7391",
    b"\x00\xff\x10binary-needle\xfe\x01\x80\x7f\x00",
    b"-----BEGIN PRIVATE KEY-----MIIEvQIBADANBg",
    b"AKIAIOSFODNN7NEEDLE",
];

#[test]
fn no_value_is_in_any_file() {
    let home = Home::new();
    let secrets = home.created();
    for (number, needle) in NEEDLES.iter().enumerate() {
        let address = format!("acme/etl:needle-{number}");
        // Current, superseded, long and at the start of a page, and deleted again.
        put(&secrets, &address, needle);
        put(&secrets, &address, &needle.repeat(300));
        put(&secrets, &address, needle);
        put(&secrets, &format!("acme:deleted-{number}"), needle);
        secrets.delete(&id(&format!("acme:deleted-{number}"))).unwrap();
        assert_eq!(get(&secrets, &address), *needle);
    }
    let key_text = home.key.to_text();
    let key_line = key_text.expose_secret().strip_suffix(b"\n").unwrap();
    let needles = Needles::of(NEEDLES.into_iter().chain([key_line]));
    // What a listing shows is there: the name, and the other way round a search that finds nothing is no proof.
    let control = Needles::of(["needle-0"]);
    let mut searched = Vec::new();
    // With the log and the shared memory beside it; with a backup, too; and alone, when all is in one file.
    let mut search = |names: &[&str]| {
        for entry in fs::read_dir(home.directory.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            // A copy by another process: this one holds locks on the file.
            let bytes = copied(&path);
            needles.assert_absent(&bytes, &name);
            if names.contains(&&*name) {
                assert!(control.find(&bytes).is_some(), "no name in {name}");
                let planted = [&bytes[..bytes.len() / 2], NEEDLES[1], &bytes[bytes.len() / 2..]].concat();
                assert!(needles.find(&planted).is_some(), "a value that is put into {name} is not found");
            }
            searched.push(name);
        }
    };
    search(&["secrets.db-wal"]);
    let store = SqliteStore::open(&home.path()).unwrap();
    store.backup(&home.directory.path().join("backup.db"), Existing::Refuse).unwrap();
    search(&["secrets.db-wal", "backup.db"]);
    drop((store, secrets));
    search(&["secrets.db", "backup.db"]);
    for name in ["secrets.db", "secrets.db-wal", "secrets.db-shm", "backup.db"] {
        assert!(searched.iter().any(|searched| searched == name), "{name} was not searched: {searched:?}");
    }
}

#[test]
fn a_deleted_secret_is_wiped_from_the_file() {
    let home = Home::new();
    let secrets = home.created();
    let sealed = |address: &str| {
        let raw = home.raw();
        let key = id(address).name().key().to_string();
        raw.query_row("SELECT record FROM secrets WHERE key = ?1", [key], |row| row.get::<_, Vec<u8>>(0)).unwrap()
    };
    put(&secrets, "acme:stays", &[1; 500]);
    put(&secrets, "acme:goes", &[2; 500]);
    let (stays, goes) = (sealed("acme:stays"), sealed("acme:goes"));
    secrets.delete(&id("acme:goes")).unwrap();
    assert_eq!(secrets.get(&id("acme:goes")).unwrap_err().kind(), ErrorKind::NotFound);
    drop(secrets);
    let bytes = fs::read(home.path()).unwrap();
    assert!(contains(&bytes, &stays[100..]), "the search finds a record");
    assert!(!contains(&bytes, &goes[100..]), "the sealed bytes of a deleted secret are still there");
}

fn copied(path: &std::path::Path) -> Vec<u8> {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "print_a_file", "--ignored", "--nocapture", "--quiet"])
        .env("SECRETKIT_TEST", path)
        .output()
        .unwrap();
    assert!(output.status.success());
    output.stdout
}

#[test]
#[ignore = "how the other test reads a file from outside its process"]
fn print_a_file() {
    let path = std::env::var_os("SECRETKIT_TEST").expect("run by the other test of this file");
    std::io::Write::write_all(&mut std::io::stdout(), &fs::read(path).unwrap()).unwrap();
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
