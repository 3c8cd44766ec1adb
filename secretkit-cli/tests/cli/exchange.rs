//! Files in and out: `import` and `export`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use secretkit::{ErrorKind, Secrets};

use crate::bad_input::{refused, refused_with};
use crate::sandbox::{CANARY, Outcome, Sandbox, text};
use crate::terminal::Terminal;

const AT: &str = "acme/etl";

fn import(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    sandbox.ok(["import", "--scope", AT].iter().chain(arguments))
}

fn names(sandbox: &Sandbox, scope: &str) -> Vec<String> {
    let listed = sandbox.ok(["list", "-o", "json", "--scope", scope]).json();
    listed.as_array().unwrap().iter().map(|object| object["name"].as_str().unwrap().to_owned()).collect()
}

/// To a file: on standard output a value would be one that a run gave away.
fn exported(sandbox: &Sandbox, format: &str, arguments: &[&str]) -> Vec<u8> {
    let to = text(&sandbox.path("work/exported"));
    let always = ["export", "--yes", "--overwrite", "--scope", AT, "--format", format, "--to", &to];
    sandbox.ok(always.iter().chain(arguments));
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o7777, 0o600);
    fs::read(&to).unwrap()
}

#[test]
fn every_format_goes_in_and_comes_out_again() {
    let value = |number: u8| format!("{CANARY}-{number} 'quoted' \"twice\" $HOME `id` \\ ä\nline");
    for format in ["dotenv", "json", "nextflow", "directory"] {
        let sandbox = Sandbox::new();
        for number in [1, 2] {
            sandbox.create(&format!("name_{number}"), value(number).as_bytes(), AT);
        }
        let place = text(&sandbox.path("work/out"));
        let written = sandbox.ok(["export", "--yes", "--scope", AT, "--format", format, "--to", &place]);
        assert_eq!(written.stderr, format!("exported 2 secrets from {AT} to {place}\n"));
        let read = sandbox.ok(["import", &place, "--format", format, "--scope", "other", "-o", "json"]).json();
        assert_eq!(read, serde_json::json!({ "created": ["other:name_1", "other:name_2"], "updated": [] }));
        for number in [1, 2] {
            assert_eq!(sandbox.value(&format!("name_{number}"), "other"), value(number).as_bytes(), "{format}");
        }
    }
}

#[test]
fn bytes_and_groups_go_through_json() {
    let sandbox = Sandbox::new();
    let bytes: Vec<u8> = CANARY.bytes().chain(0..=255).collect();
    sandbox.create("db/password", &bytes, AT);
    sandbox.create("tls.key", b"", AT);
    let text = exported(&sandbox, "json", &[]);
    sandbox.file("in.json", text);
    sandbox.ok(["import", "in.json", "--scope", "other"]);
    assert_eq!(names(&sandbox, "other"), ["tls.key", "db/password"]);
    assert_eq!(sandbox.value("db/password", "other"), bytes);
    for format in ["dotenv", "nextflow"] {
        let outcome = refused(
            &sandbox,
            ErrorKind::Undeliverable,
            &["export", "--yes", "--scope", AT, "--format", format, "--to", "out"],
        );
        assert!(outcome.error()["message"].as_str().unwrap().contains("tls.key"), "{outcome:?}");
    }
}

#[test]
fn an_import_is_all_or_nothing() {
    let sandbox = Sandbox::new();
    for name in ["A", "C"] {
        sandbox.create(name, CANARY.as_bytes(), AT);
    }
    let file = format!("A={CANARY}-a\nB={CANARY}-b\nC={CANARY}-c\n");
    sandbox.file("new.env", &file);
    for dry in [&["--dry-run"][..], &[]] {
        let arguments = [&["import", "new.env", "--scope", AT], dry].concat();
        let message = refused(&sandbox, ErrorKind::AlreadyExists, &arguments).error()["message"].to_string();
        assert!(message.contains("acme/etl:A") && message.contains("acme/etl:C") && !message.contains("etl:B"));
    }
    let before = sandbox.state();
    let planned = import(&sandbox, &["new.env", "--overwrite", "--dry-run", "-o", "json"]);
    assert_eq!(sandbox.state(), before);
    let done = import(&sandbox, &["new.env", "--overwrite", "-o", "json"]);
    assert_eq!(planned.json(), done.json());
    assert_eq!(done.json(), serde_json::json!({ "created": ["acme/etl:B"], "updated": ["acme/etl:A", "acme/etl:C"] }));
    assert_eq!(sandbox.value("C", AT), format!("{CANARY}-c").as_bytes());
    let shown = sandbox.ok(["show", "A", "-o", "json", "--scope", AT]).json();
    assert_eq!((shown["revision"].as_u64(), shown["generation"].as_u64()), (Some(2), Some(2)));
}

#[test]
fn a_dry_run_and_a_fault_make_nothing() {
    let sandbox = Sandbox::new();
    sandbox.file("new.env", format!("A={CANARY}\n"));
    sandbox.file("none.env", "# nothing\n");
    sandbox.file("bad.env", format!("A={CANARY}\n{CANARY}\n"));
    let before = sandbox.state();
    let planned = sandbox.ok(["import", "new.env", "--dry-run", "--scope", AT, "-o", "json"]);
    assert_eq!(planned.json(), serde_json::json!({ "created": ["acme/etl:A"], "updated": [] }));
    let nothing = sandbox.ok(["import", "none.env", "--scope", AT]);
    assert_eq!(nothing.stderr, "no secret imported into acme/etl\n");
    assert_eq!(sandbox.state(), before);
    refused(&sandbox, ErrorKind::InvalidInput, &["import", "bad.env"]);
    refused(&sandbox, ErrorKind::FileMissing, &["import", "new.env", "--dry-run", "--key-file", "never"]);
    refused(&sandbox, ErrorKind::NoStore, &["export", "--yes", "--format", "json"]);
}

#[test]
fn standard_input_and_the_names_of_files() {
    let sandbox = Sandbox::new();
    let json = format!("{{\"db\": {{\"password\": \"{CANARY}\"}}}}");
    let outcome = sandbox.run_with(["import", "-", "--format", "json", "--scope", AT], json.as_bytes(), &[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(sandbox.value("db/password", AT), CANARY.as_bytes());
    let usage = refused_with(&sandbox, ErrorKind::Usage, &["import", "-"], json.as_bytes(), &[]);
    assert!(usage.error()["hint"].as_str().unwrap().contains("dotenv, json, nextflow, directory"), "{usage:?}");
    for arguments in [
        &["import", "secrets.txt"][..],
        &["import", "-", "--format", "directory"],
        &["import", "a.env", "--format", CANARY],
        &["import"],
        &["export", "--yes"],
        &["export", "--yes", "--format", "directory"],
        &["export", "--yes", "--to", "secrets.txt"],
        &["export", "--format", "json"],
    ] {
        refused(&sandbox, ErrorKind::Usage, arguments);
    }
}

/// Whatever a file holds that is no file of secrets, none of it is shown and nothing is written.
#[test]
fn hostile_files_are_told_with_their_place_alone() {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), AT);
    let nested = "{\"a\":".repeat(100_000);
    let quoted = format!("\"{CANARY}\"");
    for (format, content) in [
        ("dotenv", format!("A={CANARY}\nA={CANARY}\n")),
        ("dotenv", format!("../{CANARY}={CANARY}\n")),
        ("dotenv", format!("A=\"{CANARY}")),
        ("dotenv", format!("A='{CANARY}' {CANARY}\n")),
        ("dotenv", CANARY.to_owned()),
        ("dotenv", format!("A={CANARY}\u{1b}]0;x\u{7}\"\n")),
        ("json", nested),
        ("json", "[".repeat(100_000)),
        ("json", format!("{{{quoted}: {quoted}, {quoted}: {quoted}}}")),
        ("json", format!("{{\"a/b\": {quoted}, \"a\": {{\"b\": {quoted}}}}}")),
        ("json", format!("{{{quoted}: 1e999}}")),
        ("json", format!("{{\"a\": [{quoted}]}}")),
        ("json", format!("{{\"../a\": {quoted}}}")),
        ("json", format!("{{\"a\": {quoted}}} {CANARY}")),
        ("nextflow", format!("[{{\"name\": {quoted}, \"value\": {quoted}, {quoted}: 1}}]")),
        ("nextflow", format!("{{\"name\": {quoted}}}")),
    ] {
        let arguments = ["import", "-", "--format", format, "--scope", AT];
        let outcome = refused_with(&sandbox, ErrorKind::InvalidInput, &arguments, content.as_bytes(), &[]);
        let message = outcome.error()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("line "), "{message}");
    }
    for huge in ["/dev/zero", "/dev/urandom"] {
        refused(&sandbox, ErrorKind::TooLarge, &["import", huge, "--format", "json"]);
    }
    let long = format!("SHORT=x\nLONG={}\n", CANARY.repeat(Secrets::DEFAULT_VALUE_LIMIT / CANARY.len() + 1));
    let arguments = ["import", "-", "--format", "dotenv", "--scope", AT];
    let outcome = refused_with(&sandbox, ErrorKind::TooLarge, &arguments, long.as_bytes(), &[]);
    assert!(outcome.error()["message"].as_str().unwrap().contains("LONG"), "{outcome:?}");
}

#[test]
fn a_directory_is_read_as_kubernetes_and_flyte_make_it_and_never_left() {
    let sandbox = Sandbox::new();
    let mount = sandbox.path("work/mount");
    fs::create_dir_all(mount.join("db")).unwrap();
    fs::write(mount.join("db/password"), CANARY).unwrap();
    fs::write(mount.join("api_key"), format!("{CANARY}\n")).unwrap();
    fs::write(mount.join(".hidden"), "passed over").unwrap();
    import(&sandbox, &["mount"]);
    assert_eq!(names(&sandbox, AT), ["api_key", "db/password"]);
    assert_eq!(sandbox.value("api_key", AT), format!("{CANARY}\n").as_bytes(), "nothing is stripped");
    sandbox.file("outside", CANARY);
    symlink("../outside", mount.join("leads_out")).unwrap();
    refused(&sandbox, ErrorKind::InvalidInput, &["import", "mount", "--scope", "other"]);
    fs::remove_file(mount.join("leads_out")).unwrap();
    fs::write(mount.join("-refused name"), CANARY).unwrap();
    let outcome = refused(&sandbox, ErrorKind::InvalidInput, &["import", "mount", "--scope", "other"]);
    assert!(outcome.error()["message"].as_str().unwrap().contains("mount/-refused name"), "{outcome:?}");
}

/// Nextflow reads its store only where nobody else can.
#[test]
fn nextflows_own_file_is_made_and_read() {
    let sandbox = Sandbox::new();
    sandbox.create("MY_TOKEN", format!("{CANARY}\"\n").as_bytes(), AT);
    let store = sandbox.path("work/store.json");
    sandbox.ok(["export", "--to", "store.json", "--scope", AT, "--yes"]);
    assert_eq!(fs::metadata(&store).unwrap().permissions().mode() & 0o7777, 0o600);
    let expected =
        format!("[\n    {{\n        \"name\": \"MY_TOKEN\",\n        \"value\": \"{CANARY}\\\"\\n\"\n    }}\n]\n");
    assert_eq!(fs::read_to_string(&store).unwrap(), expected);
    sandbox.ok(["import", "store.json", "--scope", "other"]);
    assert_eq!(sandbox.value("MY_TOKEN", "other"), format!("{CANARY}\"\n").as_bytes());
}

#[test]
fn nothing_that_stands_there_is_replaced_unasked() {
    let sandbox = Sandbox::new();
    sandbox.create("A", CANARY.as_bytes(), AT);
    let there = sandbox.file_with_mode("there.env", "mine", 0o644);
    let target = sandbox.file_with_mode("target", "mine", 0o644);
    symlink("target", sandbox.path("work/link.env")).unwrap();
    for place in ["there.env", "link.env", "."] {
        let arguments = ["export", "--yes", "--format", "dotenv", "--scope", AT, "--to", place];
        refused(&sandbox, ErrorKind::Undeliverable, &arguments);
    }
    for place in ["there.env", "link.env"] {
        sandbox.ok(["export", "--yes", "--overwrite", "--scope", AT, "--to", place]);
        let path = sandbox.path("work").join(place);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("A='{CANARY}'\n"));
        assert_eq!(fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    }
    assert_eq!(fs::read_to_string(target).unwrap(), "mine", "what a link leads to stays");
    assert_eq!(fs::read_dir(sandbox.path("work")).unwrap().count(), 3, "nothing is left beside it");
    drop(there);
}

/// The old values are in plain, wherever they are by now.
#[test]
fn an_old_directory_that_cannot_be_removed_is_told() {
    let sandbox = Sandbox::without_root();
    sandbox.create("group/key", CANARY.as_bytes(), AT);
    let arguments = ["export", "--yes", "--overwrite", "--format", "directory", "--scope", AT, "--to", "out"];
    sandbox.ok(arguments);
    let out = sandbox.path("work/out");
    fs::write(out.join("old"), CANARY).unwrap();
    fs::set_permissions(out.join("group"), fs::Permissions::from_mode(0o500)).unwrap();
    let outcome = sandbox.run(arguments.iter().chain(&["-o", "json"]));
    assert_eq!(outcome.code, i32::from(ErrorKind::Other.exit_code()), "{outcome:?}");
    assert!(!out.join("old").exists() && out.join("group/key").exists(), "the new one is in its place");
    let beside = fs::read_dir(sandbox.path("work")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = beside.filter(|name| name != "out").collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let message = outcome.error()["message"].as_str().unwrap().to_owned();
    assert!(message.contains(left[0].to_str().unwrap()) && message.contains("could not be removed"), "{message}");

    fs::set_permissions(sandbox.path("work").join(&left[0]).join("group"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::remove_dir_all(sandbox.path("work").join(&left[0])).unwrap();
    sandbox.ok(arguments);
    assert_eq!(fs::read_dir(sandbox.path("work")).unwrap().count(), 1, "nothing is left where it can be removed");
}

#[test]
fn what_is_not_given_out_is_never_left_out_silently() {
    let sandbox = Sandbox::new();
    for name in ["A", "B", "C"] {
        sandbox.create(name, CANARY.as_bytes(), AT);
    }
    sandbox.ok(["update", "B", "--inactive", "--scope", AT]);
    let arguments = ["export", "--yes", "--scope", AT, "--format", "json", "--to", "out"];
    let outcome = refused(&sandbox, ErrorKind::Inactive, &arguments);
    assert!(outcome.error()["message"].as_str().unwrap().contains("acme/etl:B"), "{outcome:?}");
    let skipped = sandbox.ok(arguments.iter().chain(&["--skip-unavailable"]));
    assert!(skipped.stderr.starts_with("warning: left out: inactive: acme/etl:B"), "{skipped:?}");
    assert!(!fs::read_to_string(sandbox.path("work/out")).unwrap().contains("\"B\""));
    // Named ones that are given out, and nothing but them.
    let named = String::from_utf8(exported(&sandbox, "dotenv", &["C", "A", "C"])).unwrap();
    assert_eq!(named, format!("A='{CANARY}'\nC='{CANARY}'\n"));
    let missing = ["export", "--yes", "--scope", AT, "--format", "json", "never", "A", "nowhere"];
    let message = refused(&sandbox, ErrorKind::NotFound, &missing).error()["message"].to_string();
    assert!(message.contains("never") && message.contains("nowhere") && !message.contains("A;"), "{message}");
    let nothing = sandbox.ok(["export", "--yes", "--format", "json", "--scope", "acme/empty"]);
    assert_eq!(nothing.text(), "{}\n");
    assert!(nothing.stderr.starts_with("warning: there is no secret to export at exactly acme/empty"), "{nothing:?}");
}

#[test]
fn an_export_counts_as_a_use_and_a_dry_run_does_not() {
    let sandbox = Sandbox::new();
    sandbox.create("A", CANARY.as_bytes(), AT);
    let used = || sandbox.ok(["show", "A", "-o", "json", "--scope", AT]).json()["last_used_at"].clone();
    sandbox.file("a.env", format!("A={CANARY}\n"));
    import(&sandbox, &["a.env", "--overwrite", "--dry-run"]);
    assert!(used().is_null());
    exported(&sandbox, "json", &[]);
    assert!(used().is_string());
}

#[test]
fn an_effective_export_is_what_a_task_would_get() {
    let sandbox = Sandbox::new();
    sandbox.create("A", format!("{CANARY}-org").as_bytes(), "acme");
    sandbox.create("A", format!("{CANARY}-project").as_bytes(), AT);
    sandbox.create("B", format!("{CANARY}-wide").as_bytes(), "acme");
    let narrow = String::from_utf8(exported(&sandbox, "dotenv", &[])).unwrap();
    assert_eq!(narrow, format!("A='{CANARY}-project'\n"));
    let effective = String::from_utf8(exported(&sandbox, "dotenv", &["--effective"])).unwrap();
    assert_eq!(effective, format!("A='{CANARY}-project'\nB='{CANARY}-wide'\n"));
}

#[test]
fn at_a_terminal_it_asks_and_no_means_no() {
    let sandbox = Sandbox::new();
    sandbox.create("A", CANARY.as_bytes(), AT);
    for (answer, made) in [("n", false), ("", false), ("y", true)] {
        let mut terminal = Terminal::start(&sandbox, &["export", "--to", "out.env", "--scope", AT]);
        terminal.expect("Write the plain values of 1 secret to out.env? [y/N] ");
        terminal.type_line(answer);
        let (code, screen) = terminal.finish();
        assert_eq!((code == 0, sandbox.path("work/out.env").exists()), (made, made), "{screen}");
        assert!(!screen.contains(CANARY));
    }
    let mut terminal = Terminal::start(&sandbox, &["export", "--format", "dotenv", "--scope", AT]);
    terminal.expect("to standard output? [y/N] ");
    terminal.type_line("yes");
    let (code, screen) = terminal.finish();
    assert!(code == 0 && screen.contains(&format!("A='{CANARY}'")), "{screen}");
    sandbox.create("B", format!("{CANARY}\u{1b}]0;title\u{7}").as_bytes(), AT);
    let (code, screen) = Terminal::start(&sandbox, &["export", "--format", "dotenv", "--scope", AT, "--yes"]).finish();
    assert_eq!(code, i32::from(ErrorKind::Undeliverable.exit_code()));
    assert!(!screen.contains(CANARY) && screen.contains("control bytes"), "{screen}");
}

#[test]
fn what_takes_over_a_second_shows_how_far_it_is() {
    let sandbox = Sandbox::new();
    // So many that it takes a while everywhere.
    let many: String = (0..20_000).map(|number| format!("K{number}=v\n")).collect();
    sandbox.file("many.env", many);
    let mut terminal = Terminal::start(&sandbox, &["import", "many.env", "--scope", AT]);
    terminal.expect("importing 20000 secrets, ");
    terminal.expect("\r\u{1b}[K");
    terminal.expect("20000 secrets imported into acme/etl");
    let (code, _) = terminal.finish();
    assert_eq!(code, 0);
    sandbox.file("one.env", format!("A={CANARY}\n"));
    assert_eq!(import(&sandbox, &["one.env", "--quiet"]).stderr, "");
}

/// Each file is on the disk before the next is begun, so that many of them take a while.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_in_the_middle_of_an_export_leaves_no_values_behind() {
    let sandbox = Sandbox::new();
    let lines: String = (0..400).map(|number| format!("NAME_{number}={CANARY}\n")).collect();
    let many = sandbox.file("many.env", &lines);
    sandbox.ok(["import", &text(&many), "--scope", "acme"]);
    let place = sandbox.path("work/exported");
    let mut command = sandbox.command();
    command.args(["export", "--yes", "--format", "directory", "--scope", "acme", "--to", &text(&place)]);
    let mut export = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let beside = || -> Vec<String> {
        let names = fs::read_dir(place.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter_map(|name| name.into_string().ok()).filter(|name| name.starts_with(".secretkit-")).collect()
    };
    while beside().is_empty() && export.try_wait().unwrap().is_none() {}
    kill_process(Pid::from_child(&export), Signal::TERM).unwrap();
    assert_eq!(export.wait().unwrap().code(), Some(143));
    assert_eq!(beside(), [""; 0]);
    let exported = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(exported.filter(|name| !name.starts_with('.')).count(), 400);
}
