//! Root keys by URL, several at once, and the prompt for a passphrase.

use std::ffi::OsStr;
use std::process::Command;

use secretkit::ErrorKind;

use crate::sandbox::{CANARY, Outcome, Sandbox, run};
use crate::terminal::Terminal;

fn text(path: &std::path::Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[track_caller]
fn assert_kind(outcome: &Outcome, kind: ErrorKind) {
    assert_eq!(outcome.code, i32::from(kind.exit_code()), "{outcome:?}");
}

#[test]
fn a_store_under_a_command_a_credential_and_a_file_is_one_store() {
    let sandbox = Sandbox::new();
    let key = sandbox.other_key("root.key");
    let credentials = text(key.parent().unwrap());
    std::fs::set_permissions(&credentials, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let command = format!("exec:cat {}", text(&key));
    let created = sandbox.run_with(["create", "a", "-f", "-", "--key", &command], CANARY.as_bytes(), &[]);
    assert_eq!(created.code, 0, "{created:?}");
    for (url, variable) in [
        (format!("file:{}", text(&key)), ("UNUSED", "")),
        (command.clone(), ("UNUSED", "")),
        ("credential:root.key".to_owned(), ("CREDENTIALS_DIRECTORY", credentials.as_str())),
    ] {
        let variables = [(variable.0, OsStr::new(variable.1)), ("SECRETKIT_KEY", OsStr::new(&url))];
        let revealed = sandbox.run_with(["reveal", "a"], b"", &variables);
        assert_eq!(revealed.stdout, CANARY.as_bytes(), "{url}: {revealed:?}");
    }
    assert_kind(&sandbox.run(["reveal", "a", "--key", "exec:false"]), ErrorKind::RootKeyUnavailable);
    assert_kind(&sandbox.run(["reveal", "a", "--key", "exec:true"]), ErrorKind::MalformedRootKey);
    assert_kind(&sandbox.run(["reveal", "a", "--key", "credential:root.key"]), ErrorKind::NoRootKey);
    assert_kind(&sandbox.run(["reveal", "a", "--key", "keyring:secretkit/root"]), ErrorKind::Unsupported);
}

/// Whoever ignores the end of children never learns whether the command failed: what it printed is no key then.
#[cfg(target_os = "linux")]
#[test]
fn a_command_whose_end_is_thrown_away_gives_no_key_and_is_told_why() {
    let sandbox = Sandbox::new();
    let ignoring = |arguments: &[&str]| {
        let mut command = Command::new("env");
        sandbox.isolate(&mut command);
        command.arg("--ignore-signal=CHLD").args(arguments);
        command
    };
    if !ignoring(&["true"]).status().unwrap().success() {
        eprintln!("skipped: env is not the one of GNU, which takes --ignore-signal");
        return;
    }
    let key = format!("exec:cat {}", text(&sandbox.other_key("root.key")));
    let binary = env!("CARGO_BIN_EXE_secretkit");
    let created = run(&mut ignoring(&[binary, "create", "a", "-f", "-", "--key", &key]), CANARY.as_bytes());
    assert_kind(&created, ErrorKind::RootKeyUnavailable);
    assert!(created.stderr.contains("SIGCHLD") && created.stderr.contains("default"), "{created:?}");
    assert!(!sandbox.store().exists());
}

#[test]
fn what_stands_in_a_key_url_by_mistake_is_not_printed() {
    let sandbox = Sandbox::new();
    sandbox.create("a", b"x", "default");
    for url in [
        format!("passphrase:{CANARY}"),
        format!("passphrase:{CANARY}:x"),
        format!("credential:{CANARY}/"),
        format!("keyring:{CANARY}"),
        format!("{CANARY}:x"),
        format!("exec:./{CANARY}"),
        format!("exec:false {CANARY}"),
    ] {
        for option in ["--key", "--previous-key", "--org-key"] {
            // The sandbox sees to it that no canary is on standard error.
            let outcome = sandbox.run(["show", "a", option, &url]);
            assert!(option != "--key" || outcome.code != 0, "{outcome:?}");
        }
    }
}

#[test]
fn a_previous_key_opens_and_an_org_has_its_own() {
    let sandbox = Sandbox::new();
    let (old, new, own) = (sandbox.other_key("old.key"), sandbox.other_key("new.key"), sandbox.other_key("own.key"));
    let [old, new, own] = [&old, &new, &own].map(|key| format!("file:{}", text(key)));
    let created = sandbox.run_with(["create", "a", "-f", "-", "--key", &old], CANARY.as_bytes(), &[]);
    assert_eq!(created.code, 0, "{created:?}");
    assert_kind(&sandbox.run(["reveal", "a", "--key", &new]), ErrorKind::WrongRootKey);
    let both = sandbox.run(["reveal", "a", "--key", &new, "--previous-key", &own, "--previous-key", &old]);
    assert_eq!(both.stdout, CANARY.as_bytes(), "{both:?}");
    let lines = format!("{own}\n{old}\n");
    let variables = [("SECRETKIT_PREVIOUS_KEYS", OsStr::new(&lines)), ("SECRETKIT_KEY", OsStr::new(&new))];
    assert_eq!(sandbox.run_with(["reveal", "a"], b"", &variables).stdout, CANARY.as_bytes());
    // An option wins over its variable.
    let outcome = sandbox.run_with(["reveal", "a", "--previous-key", &own], b"", &variables);
    assert_kind(&outcome, ErrorKind::WrongRootKey);

    let of_org = format!("acme={own}");
    let arguments = ["create", "b", "-f", "-", "--org", "acme", "--key", &old, "--org-key", &of_org];
    assert_eq!(sandbox.run_with(arguments, CANARY.as_bytes(), &[]).code, 0);
    let reveal = ["reveal", "b", "--org", "acme"];
    assert_kind(&sandbox.run([&reveal[..], &["--key", &old]].concat()), ErrorKind::WrongRootKey);
    assert_eq!(sandbox.run([&reveal[..], &["--key", &own]].concat()).stdout, CANARY.as_bytes());
    let variables = [("SECRETKIT_ORG_KEYS", OsStr::new(&of_org)), ("SECRETKIT_KEY", OsStr::new(&old))];
    assert_eq!(sandbox.run_with(reveal, b"", &variables).stdout, CANARY.as_bytes());
    // One that was under the key of all is moved, and told how.
    let moved = format!("moved={own}");
    let with_own = ["--org", "moved", "--key", &old, "--org-key", &moved];
    let arguments = ["create", "c", "-f", "-", "--org", "moved", "--key", &old];
    assert_eq!(sandbox.run_with(arguments, CANARY.as_bytes(), &[]).code, 0);
    let early = sandbox.run([&["reveal", "c"], &with_own[..]].concat());
    assert_kind(&early, ErrorKind::WrongRootKey);
    assert!(early.stderr.contains("--previous-key") && early.stderr.contains("secretkit key rewrap"), "{early:?}");
    let rewrap = ["key", "rewrap", "--key", &old, "--org-key", &moved, "--org-key", &of_org, "--previous-key", &old];
    assert_eq!(sandbox.run(rewrap).code, 0);
    assert_eq!(sandbox.run([&["reveal", "c"], &with_own[..]].concat()).stdout, CANARY.as_bytes());

    let twice = ["list", "--key", &old, "--org-key", &of_org, "--org-key", &of_org];
    assert_kind(&sandbox.run(twice), ErrorKind::Unsupported);
}

const PASSPHRASE: &str = "correct horse battery staple";

#[test]
fn a_passphrase_is_asked_for_twice_when_it_is_new_and_once_after_that() {
    let sandbox = Sandbox::new();
    let file = text(&sandbox.file("value", CANARY));
    let mut terminal = Terminal::start(&sandbox, &["create", "a", "-f", &file, "--key", "passphrase:"]);
    terminal.expect("New passphrase: ");
    terminal.type_line(PASSPHRASE);
    terminal.expect("The same again: ");
    terminal.type_line(PASSPHRASE);
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("horse"), "what was typed is on the screen: {screen}");

    let mut terminal = Terminal::start(&sandbox, &["verify-value", "a", "-f", &file, "--key", "passphrase:"]);
    terminal.expect("Passphrase: ");
    terminal.type_line(PASSPHRASE);
    let (code, screen) = terminal.finish();
    assert_eq!((code, screen.contains("again")), (0, false), "{screen}");

    let mut terminal = Terminal::start(&sandbox, &["show", "a", "--key", "passphrase:"]);
    terminal.expect("Passphrase: ");
    terminal.type_line("another one");
    let (code, screen) = terminal.finish();
    assert_eq!(code, i32::from(ErrorKind::WrongRootKey.exit_code()), "{screen}");

    // The same from a file.
    let kept = sandbox.file_with_mode("passphrase", format!("{PASSPHRASE}\n"), 0o600);
    let outcome = sandbox.run(["reveal", "a", "--key", &format!("passphrase:file:{}", text(&kept))]);
    assert_eq!(outcome.stdout, CANARY.as_bytes(), "{outcome:?}");
}

#[test]
fn nothing_is_made_where_the_two_differ_or_nobody_answers() {
    let sandbox = Sandbox::new();
    let file = text(&sandbox.file("value", CANARY));
    let arguments = ["create", "a", "-f", &file, "--key", "passphrase:"];
    let mut terminal = Terminal::start(&sandbox, &arguments);
    terminal.expect("New passphrase: ");
    terminal.type_line(PASSPHRASE);
    terminal.expect("The same again: ");
    terminal.type_line("correct horse battery stapel");
    let (code, screen) = terminal.finish();
    assert_eq!(code, i32::from(ErrorKind::InvalidMetadata.exit_code()), "{screen}");
    assert!(!sandbox.store().exists() && !screen.contains("horse"), "{screen}");

    let mut terminal = Terminal::start(&sandbox, &arguments);
    terminal.expect("New passphrase: ");
    terminal.type_keys("correct\u{3}");
    let (code, screen) = terminal.finish();
    assert_eq!(code, 130, "{screen}");
    assert!(!sandbox.store().exists(), "{screen}");

    // Without any terminal at all.
    let mut command = Command::new("setsid");
    command.arg("--wait").arg(env!("CARGO_BIN_EXE_secretkit")).args(arguments);
    sandbox.isolate(&mut command);
    if Command::new("setsid").arg("--version").output().is_err() {
        eprintln!("skipped: there is no setsid here to run the command without a terminal");
        return;
    }
    assert_kind(&run(&mut command, b""), ErrorKind::NoRootKey);
    assert!(!sandbox.store().exists());
}

/// Two orgs, of which acme has a root key of its own: that and the store's, as URLs.
fn with_own_key() -> (Sandbox, String, String) {
    let sandbox = Sandbox::new();
    let [main, own] = ["main.key", "acme.key"].map(|name| format!("file:{}", sandbox.other_key(name).display()));
    let of_org = format!("acme={own}");
    for org in ["acme", "default", "zeta"] {
        let arguments = ["create", "b", "-f", "-", "--org", org, "--key", &main, "--org-key", &of_org];
        assert_eq!(sandbox.run_with(arguments, CANARY.as_bytes(), &[]).code, 0);
    }
    (sandbox, main, own)
}

#[test]
fn an_org_without_its_root_key_keeps_no_other_from_its_audit_and_its_rotation() {
    let (sandbox, main, _) = with_own_key();
    let audit = sandbox.run(["audit", "--key", &main, "-o", "json"]);
    assert_eq!((audit.code, audit.error()["error"].as_str()), (31, Some("wrong_root_key")), "{audit:?}");
    for (org, is_shown) in [("default:b", true), ("zeta:b", true), ("acme:b", false)] {
        assert_eq!(audit.text().contains(org), is_shown, "{org}: {audit:?}");
    }
    assert!(audit.error()["message"].as_str().unwrap().starts_with("org acme: "), "{audit:?}");
    let rotated = sandbox.run(["key", "reencrypt", "--key", &main, "-o", "json"]);
    assert_eq!(rotated.code, 31, "{rotated:?}");
    let done = rotated.json();
    let orgs: Vec<_> = done.as_array().unwrap().iter().map(|done| done["org"].as_str().unwrap()).collect();
    assert_eq!(orgs, ["default", "zeta"], "{rotated:?}");
    assert!(rotated.error()["message"].as_str().unwrap().starts_with("org acme: "), "{rotated:?}");
}

/// `docs/operations.md`, "Erasing a tenant".
#[test]
fn an_erased_org_needs_its_root_key_no_more_once_it_is_wrapped_with_that_of_the_store() {
    let (sandbox, main, own) = with_own_key();
    let of_org = format!("acme={own}");
    sandbox.ok(["key", "destroy", "--all-keys-of-org", "acme", "--yes", "--key", &main, "--org-key", &of_org]);
    sandbox.ok(["key", "rewrap", "--key", &main, "--previous-key", &own]);
    std::fs::remove_file(own.strip_prefix("file:").unwrap()).unwrap();
    for command in [&["verify"][..], &["audit"], &["key", "status"], &["key", "reencrypt"]] {
        sandbox.ok(command.iter().chain(&["--key", main.as_str()]));
    }
    let new = format!("file:{}", sandbox.other_key("new.key").display());
    sandbox.ok(["key", "rewrap", "--key", &new, "--previous-key", &main]);
    assert_eq!(sandbox.ok(["reveal", "b", "--org", "zeta", "--key", &new]).stdout, CANARY.as_bytes());
    assert_ne!(sandbox.run(["reveal", "b", "--org", "acme", "--key", &new]).code, 0);
}
