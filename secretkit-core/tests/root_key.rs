//! A root key comes from a file that only its owner reads, or from a variable, and from nothing that looks like one.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use secretkit_core::{ErrorKind, RootKey};

struct Place {
    directory: tempfile::TempDir,
    file: PathBuf,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("root.key");
    Place { directory, file }
}

fn write(file: &Path, text: &[u8], mode: u32) {
    let _ = fs::remove_file(file);
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn refused(file: &Path, kind: ErrorKind) -> String {
    let error = RootKey::from_file(file).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    error.to_string()
}

#[test]
fn the_text_form_returns_with_and_without_its_line_end() {
    let (place, key) = (place(), RootKey::generate().unwrap());
    let text = key.to_text().expose_secret().to_vec();
    assert_eq!(text.len(), 45);
    for text in [&text[..], &text[..44]] {
        for mode in [0o600, 0o400] {
            write(&place.file, text, mode);
            let again = RootKey::from_file(&place.file).unwrap();
            assert_eq!((again.id(), format!("{again:?}")), (key.id(), format!("RootKey({})", key.id())));
        }
    }
}

#[test]
fn a_file_that_others_reach_is_refused_with_what_to_do() {
    let (place, key) = (place(), RootKey::generate().unwrap());
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o666, 0o777] {
        write(&place.file, key.to_text().expose_secret(), mode);
        assert!(refused(&place.file, ErrorKind::ExposedRootKey).contains("chmod 600"), "{mode:o}");
    }
}

#[test]
fn links_directories_and_pipes_are_refused() {
    let (place, key) = (place(), RootKey::generate().unwrap());
    let real = place.file.with_extension("real");
    write(&real, key.to_text().expose_secret(), 0o600);
    symlink(&real, &place.file).unwrap();
    assert!(refused(&place.file, ErrorKind::ExposedRootKey).contains("link"));
    fs::remove_file(&place.file).unwrap();
    refused(&place.file, ErrorKind::FileMissing);
    refused(place.file.parent().unwrap(), ErrorKind::FileIsDirectory);
    let pipe = place.file.with_extension("pipe");
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status().unwrap().success());
    assert!(refused(&pipe, ErrorKind::ExposedRootKey).contains("regular file"));
}

#[test]
fn a_file_of_another_user_is_refused() {
    let (place, key) = (place(), RootKey::generate().unwrap());
    write(&place.file, key.to_text().expose_secret(), 0o600);
    match chown(&place.file, Some(12_345), None) {
        Ok(()) => assert!(refused(&place.file, ErrorKind::ExposedRootKey).contains("another user")),
        Err(error) => println!("skipped: giving a file to another user needs root ({error})"),
    }
}

const FILE: &str = "SECRETKIT_TEST_ROOT_KEY_FILE";

/// Run by the test below in a process of another user.
#[test]
fn child_reads_the_file() {
    let Some(file) = std::env::var_os(FILE) else { return };
    match RootKey::from_file(Path::new(&file)) {
        Ok(key) => println!("id={}", key.id()),
        Err(error) => println!("kind={}", error.kind()),
    }
}

/// To root every owner that is allowed is one and the same, so it has to be somebody else who reads.
#[test]
fn whoever_is_not_root_reads_their_own_file() {
    let (place, key) = (place(), RootKey::generate().unwrap());
    write(&place.file, key.to_text().expose_secret(), 0o600);
    for path in [&place.file, place.directory.path()] {
        if let Err(error) = chown(path, Some(12_345), None) {
            return println!("skipped: giving a file to another user needs root ({error})");
        }
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child_reads_the_file", "--nocapture"]).env(FILE, &place.file).uid(12_345);
    match child.output() {
        Ok(output) => assert!(String::from_utf8(output.stdout).unwrap().contains(&format!("id={}", key.id()))),
        Err(error) => println!("skipped: another user does not reach this program ({error})"),
    }
}

#[test]
fn anything_but_one_line_of_base64_is_malformed() {
    let (place, key) = (place(), RootKey::generate().unwrap());
    let text = key.to_text().expose_secret().to_vec();
    let line = &text[..44];
    let malformed: [Vec<u8>; 11] = [
        Vec::new(),
        b"\n".to_vec(),
        line[..43].to_vec(),
        [line, b"\n\n"].concat(),
        [line, b"\r\n"].concat(),
        [b" ", line].concat(),
        [line, line].concat(),
        [&line[..43], b"-"].concat(),
        [b"-_", &line[2..]].concat(),
        // As many characters, and a byte less.
        [&line[..41], b"A=="].concat(),
        vec![b'A'; 1 << 20],
    ];
    for text in malformed {
        write(&place.file, &text, 0o600);
        let words = refused(&place.file, ErrorKind::MalformedRootKey);
        assert!(words.contains("root.key") && words.contains("44 characters"), "{words}");
    }
}

const VARIABLE: &str = "SECRETKIT_TEST_ROOT_KEY";

/// Run by the test below in a process of its own, since a process must not change its environment while it has threads.
#[test]
fn child_reads_the_variable() {
    match RootKey::from_variable(VARIABLE) {
        Ok(key) => println!("id={}", key.id()),
        Err(error) => println!("kind={} words={error}", error.kind()),
    }
}

#[test]
fn a_variable_holds_the_same_text() {
    let key = RootKey::generate().unwrap();
    let text = String::from_utf8(key.to_text().expose_secret().to_vec()).unwrap();
    let child = |value: Option<&str>| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child_reads_the_variable", "--nocapture"]).env_remove(VARIABLE);
        command.envs(value.map(|value| (VARIABLE, value)));
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(child(Some(text.trim())).contains(&format!("id={}", key.id())));
    assert!(child(None).contains("kind=no_root_key"));
    let malformed = child(Some("not-a-key-cAnArY"));
    assert!(malformed.contains("kind=malformed_root_key") && !malformed.contains("cAnArY"), "{malformed}");
}
