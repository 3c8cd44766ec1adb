//! Every kind of key URL against what is wrong with it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use secretkit_core::{Error, ErrorKind, RootKey};

use super::*;

const KEY: &str = "cAnArYcAnArYcAnArYcAnArYcAnArYcAnArYcAnA/+0=";

#[track_caller]
fn refusal(text: &str) -> String {
    let error = KeyUrl::from_str(text).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidVariable), "{error:?}");
    format!("{error} {error:?}")
}

#[test]
fn urls_print_as_they_parse() {
    for text in [
        "file:/a/root.key",
        "file:root.key",
        "file:////a",
        "env:ROOT_KEY",
        "credential:secretkit.root-key",
        "exec:/usr/bin/secret-tool",
        "keyring:secretkit/root",
        "keyring:secretkit/with blank/and slash",
        "passphrase:",
        "passphrase:env:PASSPHRASE",
        "passphrase:file:/a/passphrase",
        "passphrase:file:////a",
    ] {
        assert_eq!(text.parse::<KeyUrl>().unwrap().to_string(), text);
    }
    assert_eq!("file:///a/b".parse::<KeyUrl>().unwrap(), KeyUrl::File("/a/b".into()));
}

#[test]
fn what_is_no_url_is_refused() {
    for text in [
        "",
        ":",
        "/etc/root.key",
        "file:",
        "file://host/a",
        "env:",
        "env:1",
        "env:A-B",
        "vault:x",
        "EXEC:x",
        "exec:",
        "exec: \t ",
        "exec:./key",
        "exec:bin/key",
        "exec:../key",
        "exec:a\nb",
        "exec:a\0b",
        "exec:a\u{1b}[0m",
        "credential:",
        "credential:.",
        "credential:..",
        "credential:.hidden",
        "credential:a/b",
        "credential:../a",
        "credential:/etc/passwd",
        "credential:a b",
        "credential:a\0",
        "credential:é",
        "keyring:",
        "keyring:service",
        "keyring:/user",
        "keyring:service/",
        "keyring:a/b\n",
        "passphrase:env:",
        "passphrase:env:1",
        "passphrase:file:",
        "passphrase:file://host/a",
        "passphrase:exec:a",
        "passphrase:passphrase:",
    ] {
        refusal(text);
    }
    refusal(&format!("credential:{}", "a".repeat(256)));
    refusal(&format!("keyring:{}/b", "a".repeat(256)));
}

#[test]
fn a_key_or_passphrase_in_the_place_of_its_name_is_not_printed() {
    for scheme in ["", "file:", "env:", "credential:", "exec:", "exec:tool ", "keyring:", "keyring:a/"] {
        let told = refusal(&format!("{scheme}{KEY}"));
        assert!(!told.contains("cAnArY"), "{told}");
    }
    for place in ["", "env:", "file:", "cAnArY:"] {
        let told = refusal(&format!("passphrase:{place}{KEY}"));
        assert!(!told.contains("cAnArY"), "{told}");
    }
    for passphrase in ["hUnter2-canary", "correct horse battery staple hUnter2-canary", "a:hUnter2-canary"] {
        let told = refusal(&format!("passphrase:{passphrase}"));
        assert!(!told.contains("hUnter2"), "{told}");
    }
    let told = KeyUrl::file(KEY).unwrap_err().to_string();
    assert!(!told.contains("cAnArY"), "{told}");
}

#[test]
fn what_is_handed_to_a_command_is_not_printed() {
    let url: KeyUrl = "exec:vault read  -token=hvs.canary\tkey".parse().unwrap();
    let told = format!("{url} {url:?}");
    assert!(told.contains("vault") && !told.contains("canary"), "{told}");
}

#[test]
fn the_root_key_of_an_org_is_named_with_it() {
    let (org, url) = KeyUrl::of_org("acme=file:/etc/a=b.key").unwrap();
    assert_eq!((org.as_str(), url), ("acme", KeyUrl::File("/etc/a=b.key".into())));
    for text in ["", "acme", "=file:/a", "acme=", "acme=/a", "a/b=file:/a", "file:/etc/a=b.key", "..=file:/a"] {
        assert!(KeyUrl::of_org(text).is_err(), "{text}");
    }
    for text in [KEY.to_owned(), format!("acme={KEY}"), format!("acme:{KEY}")] {
        let error = KeyUrl::of_org(&text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("cAnArY"), "{error}");
    }
    let several = org_keys_from("\n acme=file:/a b.key\n\n  other=exec:tool --key other\r\n").unwrap();
    assert_eq!(several.len(), 2);
    assert_eq!(several[0].1, KeyUrl::File("/a b.key".into()));
    assert_eq!(previous_keys_from("file:/a b\nenv:B\n").unwrap().len(), 2);
    assert!(previous_keys_from("file:/a\nb").is_err());
}

#[test]
fn every_kind_has_a_rating_with_its_reason() {
    for (text, expected) in [
        ("file:/a", KeyRating::Good),
        ("credential:a", KeyRating::Good),
        ("env:A", KeyRating::Weak),
        ("exec:a", KeyRating::Fair),
        ("keyring:a/b", KeyRating::Fair),
        ("passphrase:", KeyRating::Fair),
        ("passphrase:file:/a", KeyRating::Fair),
        ("passphrase:env:A", KeyRating::Weak),
    ] {
        let (rating, why) = text.parse::<KeyUrl>().unwrap().rating();
        assert_eq!(rating, expected, "{text}");
        assert!(why.len() > 30, "{text}: {why}");
    }
    assert!(KeyRating::Weak < KeyRating::Good);
}

/// A script of its own, because a command is a program and its arguments and nothing more.
fn script(folder: &Path, body: &str) -> KeyCommand {
    let path = folder.join("tool");
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    KeyCommand::parse(&format!("/bin/sh {}", path.display())).unwrap()
}

#[track_caller]
fn failed(command: &KeyCommand, kind: ErrorKind) -> String {
    let error = command.run_within(Duration::from_secs(20)).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    let told = format!("{error} {error:?}");
    assert!(!told.contains("cAnArY"), "{told}");
    told
}

#[test]
fn a_command_gives_the_key_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let expected = RootKey::from_text(KEY.as_bytes(), String::new).unwrap().id();
    for body in [
        format!("echo {KEY}"),
        format!("printf %s {KEY}"),
        format!("printf '%s\\r\\n' {KEY}"),
        format!("printf cAnArY; sleep 0.2; echo {}", &KEY[6..]),
        // It closes its output first and ends later.
        format!("echo {KEY}; exec >&-; sleep 0.2"),
        // What it reads is empty and not this process's.
        format!("cat; echo {KEY}"),
        format!(
            "[ -z \"$SECRETKIT_KEY$SECRETKIT_KEY_FILE$SECRETKIT_PREVIOUS_KEYS$SECRETKIT_ORG_KEYS\" ] && echo {KEY}"
        ),
    ] {
        let key = script(folder.path(), &body).run_within(Duration::from_secs(20)).unwrap();
        assert_eq!(key.id(), expected, "{body}");
    }
    let through_path = KeyCommand::parse(&format!("echo\t  {}", &KEY[..43])).unwrap();
    failed(&through_path, ErrorKind::MalformedRootKey);
}

#[test]
fn arguments_are_taken_as_they_are_and_no_shell_sees_them() {
    let folder = tempfile::tempdir().unwrap();
    let touched = folder.path().join("touched");
    let body = format!("[ \"$#\" = 6 ] && [ \"$2\" = \"'b\" ] && [ \"$5\" = ';' ] && echo {KEY}");
    script(folder.path(), &body);
    let tool = folder.path().join("tool");
    let line = format!("{} $HOME 'b c' $(touch={}) ; *", tool.display(), touched.display());
    KeyCommand::parse(&line).unwrap().run_within(Duration::from_secs(20)).unwrap();
    assert!(!touched.exists());
}

#[test]
fn a_command_that_prints_anything_else_gives_no_key() {
    let folder = tempfile::tempdir().unwrap();
    for body in [
        "true".to_owned(),
        "echo".to_owned(),
        "echo cAnArY".to_owned(),
        format!("echo ' {KEY}'"),
        format!("echo {KEY}; echo"),
        format!("echo {KEY}{KEY}"),
        format!("echo {KEY} >&2"),
        "printf '\\377\\000cAnArY'".to_owned(),
    ] {
        let told = failed(&script(folder.path(), &body), ErrorKind::MalformedRootKey);
        assert!(told.contains("/bin/sh"), "{told}");
    }
}

#[test]
fn a_command_that_prints_without_end_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let command = script(folder.path(), "while :; do echo cAnArYcAnArYcAnArYcAnArY; done");
    let begun = Instant::now();
    failed(&command, ErrorKind::MalformedRootKey);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn a_command_that_fails_gives_no_key_whatever_it_printed() {
    let folder = tempfile::tempdir().unwrap();
    let told = failed(&script(folder.path(), &format!("echo {KEY}; exit 3")), ErrorKind::RootKeyUnavailable);
    assert!(told.contains("exit code 3"), "{told}");
    let told = failed(&script(folder.path(), &format!("echo {KEY}; kill -9 $$")), ErrorKind::RootKeyUnavailable);
    assert!(told.contains("signal 9"), "{told}");
    for missing in ["/nonexistent/tool cAnArY", "no-such-program-of-secretkit cAnArY"] {
        let told = failed(&KeyCommand::parse(missing).unwrap(), ErrorKind::RootKeyUnavailable);
        assert!(told.contains("cannot be started"), "{told}");
    }
}

#[test]
fn a_command_that_hangs_is_ended_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    for body in [
        format!("echo $$ > {}; exec sleep 60", pid.display()),
        format!("echo $$ > {}; exec >&-; exec sleep 60", pid.display()),
        // A grandchild keeps the output open.
        format!("echo $$ > {}; sleep 5 & echo {KEY}", pid.display()),
    ] {
        let begun = Instant::now();
        let error = script(folder.path(), &body).run_within(Duration::from_millis(1500)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RootKeyUnavailable, "{error}");
        assert!(error.to_string().contains("in time"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        let gone = fs::read_to_string(&pid).unwrap();
        assert!(!Path::new("/proc").join(gone.trim()).exists() || !Path::new("/proc/self").exists(), "it still runs");
    }
}

struct Credentials(tempfile::TempDir);

impl Credentials {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        mode(folder.path(), 0o700);
        Self(folder)
    }

    fn with(&self, name: &str, text: &str, bits: u32) -> &Self {
        let path = self.0.path().join(name);
        let _ = fs::remove_file(&path);
        fs::write(&path, text).unwrap();
        mode(&path, bits);
        self
    }

    fn read(&self, name: &str) -> Result<RootKey, Error> {
        CredentialName::parse(name).unwrap().read_in(self.0.path())
    }

    #[track_caller]
    fn refused(&self, name: &str, kind: ErrorKind) {
        let error = self.read(name).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!format!("{error} {error:?}").contains("cAnArY"), "{error}");
    }
}

fn mode(path: &Path, bits: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
}

#[test]
fn a_credential_is_a_safe_file_of_its_directory() {
    let credentials = Credentials::new();
    for bits in [0o400, 0o600] {
        credentials.with("root", &format!("{KEY}\n"), bits).read("root").unwrap();
    }
    let is_root = rustix::process::geteuid().is_root();
    // As systemd leaves it where it lets the service in by an access control list.
    match (is_root, credentials.with("root", KEY, 0o440).read("root")) {
        (true, outcome) => drop(outcome.unwrap()),
        (false, outcome) => assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ExposedRootKey),
    }
    for bits in [0o404, 0o420, 0o402, 0o410, 0o444, 0o666, 0o777] {
        credentials.with("root", KEY, bits).refused("root", ErrorKind::ExposedRootKey);
    }
    credentials.with("root", "cAnArY", 0o400).refused("root", ErrorKind::MalformedRootKey);
    credentials.with("root", &format!("{KEY}\n{KEY}"), 0o400).refused("root", ErrorKind::MalformedRootKey);
    credentials.refused("other", ErrorKind::FileMissing);
    fs::create_dir(credentials.0.path().join("folder")).unwrap();
    credentials.refused("folder", ErrorKind::FileIsDirectory);
    credentials.with("target", KEY, 0o400);
    symlink(credentials.0.path().join("target"), credentials.0.path().join("link")).unwrap();
    credentials.refused("link", ErrorKind::ExposedRootKey);
    let pipe = credentials.0.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg("-m").arg("600").arg(&pipe).status().unwrap().success());
    credentials.refused("pipe", ErrorKind::ExposedRootKey);
}

#[test]
fn a_directory_of_credentials_that_others_reach_is_refused() {
    let credentials = Credentials::new();
    credentials.with("root", KEY, 0o400);
    for bits in [0o500, 0o550, 0o750] {
        mode(credentials.0.path(), bits);
        credentials.read("root").unwrap();
    }
    for bits in [0o701, 0o704, 0o720, 0o755, 0o777] {
        mode(credentials.0.path(), bits);
        credentials.refused("root", ErrorKind::ExposedRootKey);
    }
    mode(credentials.0.path(), 0o700);
    let name = CredentialName::parse("root").unwrap();
    assert_eq!(name.read_in(Path::new("relative")).unwrap_err().kind(), ErrorKind::ExposedRootKey);
    assert_eq!(name.read_in(Path::new("/nonexistent/credentials")).unwrap_err().kind(), ErrorKind::FileMissing);
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link");
    symlink(credentials.0.path(), &link).unwrap();
    // NOFOLLOW with DIRECTORY: the system says of a link that it is no directory.
    assert!(name.read_in(&link).is_err());
}
