//! `render`: templates that are filled, from a terminal and from a hook.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;

use secretkit::ErrorKind;

use crate::sandbox::{CANARY, Sandbox, into_closed_pipe, run, text};

const TASK: [&str; 6] = ["--org", "acme", "-p", "etl", "-d", "production"];

fn furnished() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), "acme");
    sandbox.create("db/password", format!("{CANARY}\"'`$\n").as_bytes(), "acme/etl");
    sandbox
}

#[test]
fn every_way_to_name_a_secret_prints_it_as_a_task_would_get_it() {
    let sandbox = furnished();
    sandbox.create("token", format!("{CANARY}-nearer").as_bytes(), "acme/etl");
    let source =
        "a={{ secret.token }}\nb={{.secret.token}}\nc={{ secret.db.password }}d={{ secret['db/password'] }}e\n";
    let template = text(&sandbox.file("app.conf.template", source));
    let outcome = sandbox.ok(["render", &template].iter().chain(&TASK));
    let password = format!("{CANARY}\"'`$\n");
    let expected = format!("a={CANARY}-nearer\nb={CANARY}-nearer\nc={password}d={password}e\n");
    assert_eq!(outcome.text(), expected);
    assert_eq!(outcome.stderr, "");
    let piped = sandbox.run_with(["render", "-"].iter().chain(&TASK), source.as_bytes(), &[]);
    assert_eq!((piped.code, piped.text()), (0, expected));
}

#[test]
fn a_file_is_for_its_owner_and_replaced_whole() {
    let sandbox = furnished();
    let template = text(&sandbox.file("template", "{{ secret.token }}"));
    let target = sandbox.path("app.conf");
    for round in 0..2 {
        let outcome = sandbox.ok(["render", &template, "--to", &text(&target)].iter().chain(&TASK));
        assert_eq!((outcome.text().as_str(), outcome.stderr.as_str()), ("", &*format!("wrote {}\n", target.display())));
        assert_eq!(fs::read(&target).unwrap(), CANARY.as_bytes(), "round {round}");
        assert_eq!(fs::metadata(&target).unwrap().mode() & 0o777, 0o600);
    }
    // Where it fails, what was there stays.
    let broken = text(&sandbox.file("broken", "{{ secret.token }} {{ secret.missing }}"));
    let outcome = sandbox.run(["render", &broken, "--to", &text(&target)].iter().chain(&TASK));
    assert_eq!(outcome.code, i32::from(ErrorKind::NotFound.exit_code()));
    assert_eq!(fs::read(&target).unwrap(), CANARY.as_bytes());
    // A link is replaced and not followed.
    let (link, elsewhere) = (sandbox.path("link"), sandbox.file("elsewhere", "untouched"));
    symlink(&elsewhere, &link).unwrap();
    sandbox.ok(["render", &template, "--to", &text(&link)].iter().chain(&TASK));
    assert_eq!(fs::read(&elsewhere).unwrap(), b"untouched");
}

#[test]
fn a_dry_run_opens_nothing_and_needs_no_store() {
    let sandbox = Sandbox::new();
    let before = sandbox.state();
    let template = text(&sandbox.file("template", "x={{ secret.never }} {{ .secret['g/n'] }}\n"));
    let state = sandbox.state();
    let outcome = sandbox.ok(["render", &template, "--dry-run"]);
    assert_eq!(outcome.text(), "x=<SECRET:never> <SECRET:g/n>\n");
    assert_eq!(sandbox.state(), state);
    assert_ne!(before, state);
    let refused = sandbox.run(["render", &template]);
    assert_eq!(refused.code, i32::from(ErrorKind::NoStore.exit_code()));
    assert_eq!(sandbox.state(), state, "what only reads makes nothing");
}

#[test]
fn all_that_is_missing_is_named_with_its_line() {
    let sandbox = furnished();
    let template = text(&sandbox.file("template", "{{ secret.token }}\n{{ secret.one }}\n\n{{ .secret.two }}\n"));
    let outcome = sandbox.run(["render", &template].iter().chain(&TASK));
    assert_eq!((outcome.code, outcome.text().as_str()), (i32::from(ErrorKind::NotFound.exit_code()), ""));
    assert!(
        outcome.stderr.contains("one (searched acme/etl/production, acme/etl, acme/*/production, acme)"),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("line 2 names one, line 4 names two"), "{outcome:?}");
    sandbox.ok(["update", "token", "--inactive", "--org", "acme"]);
    let template = text(&sandbox.file("template", "\n{{ secret.token }}"));
    let outcome = sandbox.run(["render", &template].iter().chain(&TASK));
    assert_eq!(outcome.code, i32::from(ErrorKind::Inactive.exit_code()));
    assert!(outcome.stderr.contains("line 2 names token"), "{outcome:?}");
}

#[test]
fn a_template_that_cannot_be_understood_is_not_quoted() {
    let sandbox = furnished();
    for (line, source) in [
        (1, format!("{{{{ {CANARY} }}}}")),
        (2, format!("\n{{{{ secret.token | {CANARY} }}}}")),
        (1, format!("{{{{ secret.token == '{CANARY}' }}}}")),
        (1, format!("{{% include '{CANARY}' %}}")),
        (3, format!("\n\n{{{{ '{CANARY}")),
    ] {
        let template = text(&sandbox.file("template", &source));
        let outcome = sandbox.run(["render", &template].iter().chain(&TASK));
        assert_eq!((outcome.code, outcome.text().as_str()), (19, ""), "{source}: {outcome:?}");
        assert!(outcome.stderr.contains(&format!("line {line}:")), "{outcome:?}");
        assert!(!outcome.stderr.contains(CANARY));
    }
    sandbox.create("binary", b"\xff\xfe", "acme");
    let template = text(&sandbox.file("template", "{{ secret.binary }}"));
    let outcome = sandbox.run(["render", &template].iter().chain(&TASK));
    assert_eq!(outcome.code, i32::from(ErrorKind::Undeliverable.exit_code()));
    for (code, source) in [(19, &b"\xff"[..]), (15, &vec![b'x'; (1 << 20) + 1])] {
        let template = text(&sandbox.file("template", source));
        assert_eq!(sandbox.run(["render", &template]).code, code);
    }
    assert_eq!(sandbox.run(["render", &text(&sandbox.path("never"))]).code, 50);
}

#[test]
fn a_reader_that_went_away_is_no_error_to_report() {
    let sandbox = furnished();
    let template = text(&sandbox.file("template", "{{ secret.token }}\n".repeat(20_000)));
    let mut command = sandbox.command();
    command.args(["render", &template]).args(TASK);
    let (code, stderr) = into_closed_pipe(command);
    assert_eq!((code, stderr.as_str()), (Some(141), ""));
}

/// `examples/hooks/post-checkout`, as git runs it.
#[test]
fn the_hook_of_the_examples_renders_what_was_checked_out() {
    let sandbox = furnished();
    let hook = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/hooks/post-checkout");
    let work = sandbox.path("checkout");
    fs::create_dir_all(work.join("my conf")).unwrap();
    fs::write(work.join("app.conf.template"), "token={{ secret.token }}\n").unwrap();
    fs::write(work.join("my conf/db.ini.template"), "password={{ .secret.db.password }}\n").unwrap();
    let mut command = Command::new("sh");
    sandbox.isolate(&mut command);
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_secretkit")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    command.arg(hook).current_dir(&work).env("PATH", path);
    command.envs([("SECRETKIT_ORG", "acme"), ("SECRETKIT_PROJECT", "etl"), ("SECRETKIT_DOMAIN", "production")]);
    let outcome = run(&mut command, b"");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    assert_eq!(fs::read_to_string(work.join("app.conf")).unwrap(), format!("token={CANARY}\n"));
    assert_eq!(fs::metadata(work.join("my conf/db.ini")).unwrap().mode() & 0o777, 0o600);
    fs::write(work.join("b.template"), "{{ secret.missing }}").unwrap();
    let mut command = Command::new("sh");
    sandbox.isolate(&mut command);
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    command.arg(hook).current_dir(&work).env("PATH", path).env("SECRETKIT_ORG", "acme");
    let outcome = run(&mut command, b"");
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("not found: missing"), "{outcome:?}");
}
