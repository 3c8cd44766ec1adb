//! No byte of a value or of a key is in any of the store's files, in any form that a search would find.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::fs;

use secretkit_core::ErrorKind;
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
    let mut searched = 0;
    // With the log and the shared memory beside it, then alone.
    for secrets in [Some(secrets), None] {
        for entry in fs::read_dir(home.directory.path()).unwrap() {
            let path = entry.unwrap().path();
            // A copy by another process: this one holds locks on the file.
            let bytes = copied(&path);
            searched += 1;
            for needle in NEEDLES.iter().chain([&key_line]) {
                for (form, text) in forms(needle) {
                    assert!(!contains(&bytes, &text), "{form} of a needle is in {}", path.display());
                }
            }
            if path.ends_with("secrets.db") && secrets.is_none() {
                assert!(contains(&bytes, b"needle-0"), "the search finds a name, which is there");
            }
        }
        drop(secrets);
    }
    assert!(searched >= 4, "{searched} files");
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

fn forms(needle: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hex: String = needle.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        ("the raw form", needle.to_vec()),
        ("the raw beginning", needle[..12].to_vec()),
        ("the reverse", needle.iter().rev().copied().collect()),
        ("hex", hex.clone().into_bytes()),
        ("upper-case hex", hex.to_uppercase().into_bytes()),
        ("UTF-16, little end first", needle.iter().flat_map(|&byte| [byte, 0]).collect()),
        ("UTF-16, big end first", needle.iter().flat_map(|&byte| [0, byte]).collect()),
    ];
    // At each of the three places in a longer text that is in base64; its ends depend on the neighbours.
    for skipped in 0..3 {
        let whole = &needle[skipped..needle.len() - (needle.len() - skipped) % 3];
        forms.push(("base64", base64(whole, b'+', b'/')));
        forms.push(("base64 for URLs", base64(whole, b'-', b'_')));
    }
    forms
}

fn base64(bytes: &[u8], plus: u8, slash: u8) -> Vec<u8> {
    let alphabet: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain([plus, slash]).collect();
    let three = |group: &[u8]| u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
    let four = |bits: u32| [18, 12, 6, 0].map(|shift| alphabet[(bits >> shift & 63) as usize]);
    bytes.chunks_exact(3).flat_map(|group| four(three(group))).collect()
}
