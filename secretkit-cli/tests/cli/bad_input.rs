//! Bad input: each kind has its own error and exit code, says what to do, and changes nothing.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use secretkit::{ErrorKind, Secrets};

use crate::sandbox::{CANARY, Outcome, Sandbox, text};

/// A sandbox with one secret, at `acme/etl`.
fn furnished() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), "acme/etl");
    sandbox
}

/// Runs with JSON errors, and checks the kind, the exit code, and that everything is as it was.
#[track_caller]
pub(crate) fn refused(sandbox: &Sandbox, kind: ErrorKind, arguments: &[&str]) -> Outcome {
    refused_with(sandbox, kind, arguments, b"", &[])
}

#[track_caller]
pub(crate) fn refused_with(
    sandbox: &Sandbox,
    kind: ErrorKind,
    arguments: &[&str],
    input: &[u8],
    variables: &[(&str, &OsStr)],
) -> Outcome {
    let before = sandbox.state();
    let outcome = sandbox.run_with(arguments.iter().chain(&["-o", "json"]), input, variables);
    assert_eq!(outcome.error()["error"], kind.as_str(), "{arguments:?}: {outcome:?}");
    assert_eq!(outcome.code, i32::from(kind.exit_code()), "{arguments:?}: {outcome:?}");
    assert_eq!(outcome.stdout, b"", "{arguments:?}");
    assert_eq!(sandbox.state(), before, "{arguments:?} changed something");
    outcome
}

#[test]
fn values_over_the_limit() {
    let sandbox = furnished();
    let limit = Secrets::DEFAULT_VALUE_LIMIT;
    let long = CANARY.repeat(limit / CANARY.len() + 1);
    let file = text(&sandbox.file("long", &long));
    refused(&sandbox, ErrorKind::TooLarge, &["create", "new", "-f", &file]);
    refused(&sandbox, ErrorKind::TooLarge, &["create", "new", &long]);
    let outcome = refused_with(&sandbox, ErrorKind::TooLarge, &["create", "new", "-f", "-"], long.as_bytes(), &[]);
    assert!(outcome.error()["message"].as_str().unwrap().contains("more than 65536 bytes"), "{outcome:?}");
    let base64 = "AAAA".repeat(limit / 3 + 2);
    refused_with(&sandbox, ErrorKind::TooLarge, &["set", "new", "-f", "-", "--base64"], base64.as_bytes(), &[]);
    // Neither a file without an end nor one of a terabyte is read into memory.
    refused(&sandbox, ErrorKind::TooLarge, &["create", "new", "-f", "/dev/zero"]);
    let huge = sandbox.path("work/huge");
    fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
    let outcome = sandbox.run(["create", "new", "-f", &text(&huge)]);
    assert_eq!(outcome.code, i32::from(ErrorKind::TooLarge.exit_code()));
}

#[test]
fn invalid_base64_gives_the_offset_and_not_the_text() {
    let sandbox = furnished();
    let typed = format!("{}!{CANARY}", "QUJD".repeat(2));
    let outcome = refused(&sandbox, ErrorKind::InvalidEncoding, &["set", "new", &typed, "--base64"]);
    assert!(outcome.error()["message"].as_str().unwrap().contains("offset 8"), "{outcome:?}");
    let outcome =
        refused_with(&sandbox, ErrorKind::InvalidEncoding, &["set", "new", "-f", "-", "--base64"], b"QUJD\n", &[]);
    assert!(outcome.error()["hint"].as_str().unwrap().contains("--trim-newline"), "{outcome:?}");
}

#[test]
fn files_that_cannot_be_read() {
    let sandbox = furnished();
    let outcome = refused(&sandbox, ErrorKind::FileMissing, &["create", "new", "-f", "gone"]);
    assert_eq!(outcome.error()["message"], "gone: no such file");
    refused(&sandbox, ErrorKind::FileIsDirectory, &["create", "new", "-f", "."]);
}

#[test]
fn a_file_without_permission() {
    let sandbox = Sandbox::without_root();
    let file = text(&sandbox.file_with_mode("locked", CANARY, 0o000));
    let outcome = refused(&sandbox, ErrorKind::PermissionDenied, &["create", "new", "-f", &file]);
    assert!(outcome.error()["message"].as_str().unwrap().ends_with("locked: permission denied"), "{outcome:?}");
}

#[test]
fn root_keys_that_do_not_fit() {
    let sandbox = furnished();
    let create = ["create", "new", "-f", "-"];
    let show = ["show", "token", "--scope", "acme/etl"];
    let mut cases = Vec::new();
    let other = text(&sandbox.other_key("other.key"));
    cases.push((ErrorKind::WrongRootKey, other));
    let own = fs::read_to_string(sandbox.key()).unwrap();
    cases.push((ErrorKind::ExposedRootKey, text(&sandbox.file_with_mode("shared.key", &own, 0o644))));
    let link = sandbox.path("work/link.key");
    symlink(sandbox.key(), &link).unwrap();
    cases.push((ErrorKind::ExposedRootKey, text(&link)));
    for (name, content) in [
        ("empty", String::new()),
        ("short", own[..40].to_owned()),
        ("long", format!("{own}\n")),
        ("letters", "!".repeat(44)),
        ("hex", CANARY.repeat(6)),
    ] {
        cases.push((ErrorKind::MalformedRootKey, text(&sandbox.file_with_mode(name, content, 0o600))));
    }
    cases.push((ErrorKind::FileMissing, text(&sandbox.path("work/no.key"))));
    cases.push((ErrorKind::FileIsDirectory, text(&sandbox.path("work"))));
    for (kind, path) in cases {
        for command in [&create[..], &show[..]] {
            let command = [command, &["--scope", "acme/etl"][..2 * usize::from(command == create)]].concat();
            let outcome = refused_with(&sandbox, kind, &[&command[..], &["--key-file", &path]].concat(), b"x", &[]);
            assert!(!outcome.stderr.contains(own.trim()), "the key is in the message");
        }
    }
}

#[test]
fn no_root_key_where_there_are_secrets() {
    let sandbox = furnished();
    let kept = fs::read(sandbox.key()).unwrap();
    fs::remove_file(sandbox.key()).unwrap();
    for arguments in [&["create", "new", "-f", "-"][..], &["list"], &["update", "token", "-f", "-", "--org", "acme"]] {
        let outcome = sandbox.run_with(arguments.iter().chain(&["-o", "json"]), b"x", &[]);
        assert_eq!(outcome.error()["error"], "no_root_key", "{outcome:?}");
        assert_eq!(outcome.code, i32::from(ErrorKind::NoRootKey.exit_code()));
        assert!(!sandbox.key().exists(), "no new key is ever made for a store that holds secrets");
    }
    let outcome = sandbox.run(["list", "--key", "env:NOT_SET"]);
    assert_eq!(outcome.code, i32::from(ErrorKind::NoRootKey.exit_code()), "{outcome:?}");
    fs::write(sandbox.key(), kept).unwrap();
    fs::set_permissions(sandbox.key(), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(sandbox.value("token", "acme/etl"), CANARY.as_bytes());
}

#[test]
fn places_of_an_unknown_kind() {
    let sandbox = furnished();
    let password = format!("user:{CANARY}@host/db?sslcrl=x");
    for url in ["redis://", "postgres://", "postgresql://", "mysql://", "", "SQLITE:", "sqlite://", "x y:", "memory:"] {
        let url = format!("{url}{password}");
        refused(&sandbox, ErrorKind::Unsupported, &["list", "--store", &url]);
        let variable = [("SECRETKIT_STORE", OsStr::new(&url))];
        refused_with(&sandbox, ErrorKind::Unsupported, &["list"], b"", &variable);
    }
    for url in ["vault://", "", "FILE:", "file://"] {
        refused(&sandbox, ErrorKind::Unsupported, &["list", "--key", &format!("{url}{password}")]);
    }
    // A root key itself, where the place of one belongs.
    let key = "cAnArY-7fZq".replace('-', "A").repeat(4)[..43].to_owned() + "=";
    for (name, arguments) in
        [("SECRETKIT_KEY", ""), ("SECRETKIT_KEY", "file:"), ("SECRETKIT_KEY", "env:"), ("SECRETKIT_KEY_FILE", "")]
    {
        let value = format!("{arguments}{key}");
        let outcome = refused_with(&sandbox, ErrorKind::Unsupported, &["list"], b"", &[(name, OsStr::new(&value))]);
        assert!(!outcome.stderr.contains("cAnArY") && outcome.stderr.contains("file:PATH"), "{outcome:?}");
    }
    let both = [("SECRETKIT_KEY", OsStr::new("env:A")), ("SECRETKIT_KEY_FILE", OsStr::new("a"))];
    refused_with(&sandbox, ErrorKind::Unsupported, &["list"], b"", &both);
    refused(&sandbox, ErrorKind::InvalidVariable, &["list", "--key", "env:NO-NAME"]);
}

#[test]
fn files_that_are_no_store() {
    let sandbox = furnished();
    let url = |name: &str| format!("sqlite:{}", sandbox.path("work").join(name).display());
    sandbox.file_with_mode("text.db", "not a database at all, but a text of some length".repeat(100), 0o600);
    refused(&sandbox, ErrorKind::NotAStore, &["list", "--store", &url("text.db")]);
    refused(&sandbox, ErrorKind::NotAStore, &["create", "new", "x", "--store", &url("text.db")]);
    for arguments in [
        &["list"][..],
        &["show", "token"],
        &["reveal", "token"],
        &["delete", "token", "--yes"],
        &["update", "token", "x"],
    ] {
        let outcome = refused(&sandbox, ErrorKind::NoStore, &[arguments, &["--store", &url("none.db")]].concat());
        assert!(outcome.error()["message"].as_str().unwrap().contains("secretkit create"), "{outcome:?}");
    }
}

#[test]
fn secrets_that_are_not_there_or_there_already() {
    let sandbox = furnished();
    let scope = ["--org", "acme", "--project", "etl", "--domain", "production"];
    let outcome = refused(&sandbox, ErrorKind::NotFound, &[&["reveal", "missing"][..], &scope].concat());
    assert_eq!(
        outcome.error()["message"],
        "not found: missing; searched acme/etl/production, acme/etl, acme/*/production, acme"
    );
    for command in [
        &["show", "token"][..],
        &["reveal", "token", "--exact"],
        &["delete", "token", "--yes"],
        &["update", "token", "x"],
        &["set", "token", "x", "--update-only"],
    ] {
        // Exact: what is there for the project is not there for its production.
        let outcome = refused(&sandbox, ErrorKind::NotFound, &[command, &scope].concat());
        assert!(outcome.stderr.contains("searched acme/etl/production\""), "{outcome:?}");
    }
    let outcome = refused(&sandbox, ErrorKind::AlreadyExists, &["create", "token", "x", "--scope", "acme/etl"]);
    assert_eq!(outcome.error()["message"], "already exists: acme/etl:token");
    let hint = outcome.error()["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("secretkit update token --scope acme/etl"), "{hint}");
    refused(&sandbox, ErrorKind::Conflict, &["update", "token", "x", "--scope", "acme/etl", "--if-generation", "2"]);
    let id = "0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f";
    for command in [&["show"][..], &["reveal"], &["delete", "--yes"], &["update", "-v", "x"]] {
        refused(&sandbox, ErrorKind::NotFound, &[command, &["--id", id, "--org", "acme"]].concat());
    }
    refused(&sandbox, ErrorKind::InvalidMetadata, &["show", "--id", CANARY]);
    refused(&sandbox, ErrorKind::InvalidMetadata, &["list", "--actor", ""]);
    refused(&sandbox, ErrorKind::InvalidScope, &["list", "--scope", "acme/*"]);
}

#[test]
fn no_value_without_a_terminal() {
    let sandbox = furnished();
    for arguments in [&["create", "new"][..], &["update", "token", "--scope", "acme/etl"], &["set", "new", "--base64"]]
    {
        // Not even where something waits on standard input: it must be asked for.
        let outcome = refused_with(&sandbox, ErrorKind::NoValue, arguments, CANARY.as_bytes(), &[]);
        assert!(outcome.error()["hint"].as_str().unwrap().contains("-f -"), "{outcome:?}");
    }
}

#[test]
fn command_lines_that_make_no_sense() {
    let sandbox = furnished();
    let secret = &*format!("{CANARY}-typed");
    let dashed = &*format!("--{CANARY}");
    let short = &*format!("-{CANARY}");
    let attached = &*format!("--base64={CANARY}");
    let unknown = &*format!("--no-such={CANARY}");
    let lines: [&[&str]; 34] = [
        &["create", "new", secret, secret],
        &["create", "new", dashed],
        &["create", "new", short],
        &["create", "new", attached],
        &["create", "new", unknown],
        &["create", "new", "--yes=x", secret],
        &["create"],
        &["create", "new", secret, "-v", secret],
        &["create", "new", secret, "-f", "x"],
        &["create", "new", "-f", "a", "-f", "b"],
        &["create", "-n", "new", secret],
        &["create", "new", "-n", "new", "-v", secret],
        &["create", "new", "--overwrite", "--update-only", secret],
        &["create", "new", secret, "-f"],
        &["create", "new", "-v"],
        &["create", "new", secret, "--scope", "a", "--org", "b"],
        &["create", "new", secret, "-w", "a/b", "--project", "b"],
        &["create", "new", secret, "-w", "12345"],
        &["create", "new", secret, "-w", "name"],
        &["create", "new", secret, "--key", "env:A", "--key-file", "b"],
        &["update", "token", secret, "--if-generation", secret],
        &["update", "token", secret, "--if-generation", "0"],
        &["update", "--id", "x", secret],
        &["show", "token", "--id", "x"],
        &["show"],
        &["list", "--all", "--project", "p"],
        &["list", "--all", "--scope", "acme"],
        &["list", secret],
        &["delete", "token", "--scope", "acme/etl"],
        &["show", "token", "--output", secret],
        &[secret],
        &["creat", "new", secret],
        &["reveal", "token", secret],
        &[dashed],
    ];
    for line in lines {
        let outcome = sandbox.run(line);
        assert_eq!(outcome.code, i32::from(ErrorKind::Usage.exit_code()), "{line:?}: {outcome:?}");
        assert!(outcome.stderr.contains("error: ") && outcome.stdout.is_empty(), "{line:?}: {outcome:?}");
    }
    assert_eq!(sandbox.ok(["list", "--org", "acme", "-o", "json"]).json().as_array().unwrap().len(), 1);
    let numeric = sandbox.run(["list", "-w", "12345"]);
    assert!(numeric.stderr.contains("ORG/WORKSPACE") && !numeric.stderr.contains("12345"), "{numeric:?}");
    refused(&sandbox, ErrorKind::Usage, &["list", "--no-such-option"]);
}

#[test]
fn a_store_that_can_only_be_read() {
    let sandbox = Sandbox::without_root();
    sandbox.create("token", CANARY.as_bytes(), "acme/etl");
    let folder = sandbox.store().parent().unwrap().to_owned();
    let mode = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    // The file, its directory, and both.
    for (file_mode, folder_mode) in [(0o400, 0o700), (0o600, 0o500), (0o400, 0o500)] {
        mode(&sandbox.store(), file_mode);
        mode(&folder, folder_mode);
        assert_eq!(sandbox.value("token", "acme/etl"), CANARY.as_bytes());
        let token = ["--scope", "acme/etl"];
        for command in [&["create", "new", "x"][..], &["update", "token", "x"], &["delete", "token", "--yes"]] {
            refused(&sandbox, ErrorKind::ReadOnly, &[command, &token[..]].concat());
        }
    }
    mode(&folder, 0o700);
}
