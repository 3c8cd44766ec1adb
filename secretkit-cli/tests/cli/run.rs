//! `secretkit run`: what the command gets, what stays behind, and how it ends.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secretkit::ErrorKind;

use crate::sandbox::{CANARY, Outcome, Sandbox, run, text};

/// What would be changed, cut or run by anything that is not careful. None holds a NUL byte.
fn hostile_values() -> Vec<Vec<u8>> {
    let mut values: Vec<Vec<u8>> = [
        "",
        " ",
        "plain",
        "'",
        "\"",
        "it's \"quoted\"",
        "`touch run-by-back-ticks`",
        "$(touch run-by-dollar)",
        "$HOME ${HOME} $$ $?",
        "two\nlines",
        "ends with a line end\n",
        "\n\n",
        "\r\n\t\x0b\x0c",
        "FOO=",
        "x\nFOO=1",
        "=",
        "a=b=c",
        "; touch run-by-semicolon",
        "| & > < * ? [a] {b,c} ~ # !",
        "\\n \\0 \\",
        "%s%n%x",
        "() { :; }; touch run-by-function",
        "\x1b[2J\x07",
        "--version",
        "é ü 🔑",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    values.push((1..=255).collect());
    values.push(b"\xff\xfe not UTF-8 \xc3\x28".to_vec());
    values.push(vec![b'x'; 65_536]);
    values
}

/// The variables that a child printed, each up to its NUL byte.
fn variable<'a>(dump: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let prefix = [name.as_bytes(), b"="].concat();
    dump.split(|&byte| byte == 0).find_map(|line| line.strip_prefix(prefix.as_slice()))
}

/// A sandbox whose secret files are made in a folder of its own, with the arguments that say so.
pub(crate) fn mounting() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    let base = sandbox.path("runtime");
    fs::create_dir(&base).unwrap();
    (sandbox, base)
}

/// The folders of tasks under a place for secret files.
pub(crate) fn left_in(base: &Path) -> Vec<String> {
    let Ok(homes) = fs::read_dir(base) else { return Vec::new() };
    homes
        .flat_map(|home| fs::read_dir(home.unwrap().path()).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("task-"))
        .collect()
}

#[test]
fn every_value_arrives_exactly_in_a_variable_and_in_a_file() {
    let (sandbox, base) = mounting();
    let runtime = [("XDG_RUNTIME_DIR", base.as_os_str())];
    let values = hostile_values();
    assert!(values.len() >= 28);
    let mut arguments = vec!["run".to_owned()];
    for (number, value) in values.iter().enumerate() {
        sandbox.create(&format!("key{number}"), value, "acme");
        arguments.extend(["--env".to_owned(), format!("key{number}=VALUE_{number}")]);
        arguments.extend(["--file".to_owned(), format!("key{number}=FILE_{number}")]);
    }
    arguments.extend(["--scope", "acme/etl/production", "--", "env", "-0"].map(str::to_owned));
    let before = fs::read_dir(sandbox.path("work")).unwrap().count();
    let outcome = sandbox.run_with(&arguments, b"", &runtime);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{:?}", outcome.stderr);
    for (number, value) in values.iter().enumerate() {
        let arrived = variable(&outcome.stdout, &format!("VALUE_{number}"));
        assert!(arrived == Some(value), "value {number} arrived otherwise");
        let script = format!("cat \"$FILE_{number}\"");
        let length = arguments.len();
        arguments.splice(length - 2.., ["sh".to_owned(), "-c".to_owned(), script]);
        let read = sandbox.run_with(&arguments, b"", &runtime);
        assert!(read.code == 0 && read.stdout == *value, "file {number} holds something else");
        arguments.splice(length - 2.., ["env".to_owned(), "-0".to_owned()]);
    }
    assert_eq!(fs::read_dir(sandbox.path("work")).unwrap().count(), before, "a value was run");
    assert_eq!(left_in(&base), [""; 0]);
}

#[test]
fn a_value_that_no_variable_can_hold_is_refused_and_a_file_takes_it() {
    let sandbox = Sandbox::new();
    sandbox.create("token", b"before\0after", "default");
    let outcome = failed(&sandbox, ErrorKind::Undeliverable, 125, &["--env", "token", "--", "true"]);
    let message = outcome.error()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("default:token in variable token") && message.contains("NUL"), "{message}");
    let outcome = sandbox.ok(["run", "--file", "token=TOKEN", "--", "sh", "-c", "cat \"$TOKEN\""]);
    assert_eq!(outcome.stdout, b"before\0after");
}

/// Linux takes 128 KiB for one variable; the most that a store takes is more.
#[cfg(target_os = "linux")]
#[test]
fn more_than_the_system_takes_is_refused_with_what_to_do() {
    let sandbox = Sandbox::new();
    let mut arguments = vec!["run".to_owned(), "-o".to_owned(), "json".to_owned()];
    sandbox.create("long", CANARY.repeat(5_000).as_bytes(), "default");
    for number in 0..200 {
        arguments.extend(["--env".to_owned(), format!("long=LONG_{number}")]);
    }
    arguments.extend(["--".to_owned(), "true".to_owned()]);
    let outcome = sandbox.run(&arguments);
    assert_eq!(outcome.code, 125, "{outcome:?}");
    assert_eq!(outcome.error()["error"], "undeliverable");
    assert!(outcome.error()["hint"].as_str().unwrap().contains("--file"), "{outcome:?}");
}

#[test]
fn without_a_variable_it_is_called_like_the_key() {
    let sandbox = Sandbox::new();
    sandbox.create("API_KEY", b"1", "default");
    sandbox.create("db/password", b"2", "default");
    let outcome = sandbox.ok(["run", "-e", "API_KEY", "-e", "db/password", "--", "env", "-0"]);
    assert_eq!(variable(&outcome.stdout, "API_KEY"), Some(&b"1"[..]));
    assert_eq!(variable(&outcome.stdout, "password"), Some(&b"2"[..]));
}

#[test]
fn each_is_the_one_that_a_task_there_would_get() {
    let sandbox = Sandbox::new();
    sandbox.create("token", b"org", "acme");
    sandbox.create("token", b"of the domain", "acme/*/production");
    sandbox.create("other", b"other", "acme");
    for (scope, expected) in [("acme/etl/production", "of the domain"), ("acme/etl/staging", "org"), ("acme", "org")] {
        let outcome = sandbox.ok(["run", "-e", "token=T", "-e", "other=O", "--scope", scope, "--", "env", "-0"]);
        assert_eq!(variable(&outcome.stdout, "T"), Some(expected.as_bytes()));
        assert_eq!(variable(&outcome.stdout, "O"), Some(&b"other"[..]));
    }
}

#[test]
fn a_variable_that_was_there_is_replaced_and_all_others_stay() {
    let sandbox = Sandbox::new();
    sandbox.create("token", b"new", "default");
    let variables = [("TOKEN", OsStr::new("old")), ("KEPT", OsStr::new("kept"))];
    let outcome = sandbox.run_with(["run", "-e", "token=TOKEN", "--", "env", "-0"], b"", &variables);
    assert_eq!(variable(&outcome.stdout, "TOKEN"), Some(&b"new"[..]));
    assert_eq!(variable(&outcome.stdout, "KEPT"), Some(&b"kept"[..]));
    assert_eq!(outcome.stdout.windows(6).filter(|window| window == b"TOKEN=").count(), 1);
}

/// What the system shows of a process is the environment that it was started with and its arguments.
#[cfg(target_os = "linux")]
#[test]
fn the_parent_never_has_them() {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), "default");
    let script = "test -n \"$TOKEN\" && cat /proc/$PPID/environ /proc/$PPID/cmdline && echo looked";
    let outcome = sandbox.ok(["run", "--env", "token=TOKEN", "--", "sh", "-c", script]);
    assert!(outcome.text().contains("HOME=") && outcome.text().ends_with("looked\n"), "{outcome:?}");
    assert!(!outcome.text().contains(CANARY));
    // The control: the child's own shows it.
    let mut command = sandbox.command();
    command.args(["run", "--env", "token=TOKEN", "--", "cat", "/proc/self/environ"]);
    let child = command.output().unwrap().stdout;
    assert_eq!(variable(&child, "TOKEN"), Some(CANARY.as_bytes()));
}

#[test]
fn the_streams_are_the_childs_own() {
    let sandbox = Sandbox::new();
    sandbox.create("token", b"t", "default");
    let arguments = ["run", "--env", "token", "--", "sh", "-c", "cat; echo to standard error >&2"];
    let outcome = sandbox.run_with(arguments, b"from standard input\0\xff", &[]);
    assert_eq!(outcome.stdout, b"from standard input\0\xff");
    assert_eq!(outcome.stderr, "to standard error\n");
}

#[test]
fn what_stands_behind_the_dashes_is_the_commands() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.ok(["run", "--", "printf", "%s|", "--env", "--help", "-q", "", "a b", "--", "$HOME"]);
    assert_eq!(outcome.text(), "--env|--help|-q||a b|--|$HOME|");
    let outcome = sandbox.ok(["run", "--output", "json", "--", "echo", "as it is"]);
    assert_eq!((outcome.text().as_str(), outcome.stderr.as_str()), ("as it is\n", ""));
}

#[test]
fn the_exit_code_is_the_childs() {
    let sandbox = Sandbox::new();
    for code in [0, 1, 2, 20, 53, 125, 126, 127, 255] {
        let outcome = sandbox.run(["run", "--", "sh", "-c", &format!("exit {code}")]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (code, ""));
    }
    for (name, number) in [("KILL", 9), ("TERM", 15), ("ABRT", 6), ("INT", 2), ("PIPE", 13)] {
        let outcome = sandbox.run(["run", "--", "sh", "-c", &format!("kill -{name} $$; sleep 5")]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (128 + number, ""), "{name}");
    }
}

/// Runs with JSON errors, and checks the kind, the exit code, and that everything is as it was.
#[track_caller]
fn failed(sandbox: &Sandbox, kind: ErrorKind, code: i32, arguments: &[&str]) -> Outcome {
    let before = sandbox.state();
    let outcome = sandbox.run(["run", "-o", "json"].iter().chain(arguments));
    assert_eq!(outcome.error()["error"], kind.as_str(), "{arguments:?}: {outcome:?}");
    assert_eq!(outcome.code, code, "{arguments:?}: {outcome:?}");
    assert_eq!(outcome.stdout, b"", "{arguments:?}");
    assert_eq!(sandbox.state(), before, "{arguments:?} changed something");
    outcome
}

#[test]
fn its_own_failures_are_told_from_the_childs() {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), "default");
    let plain = text(&sandbox.file_with_mode("plain", "", 0o644));
    let binary = text(&sandbox.file_with_mode("binary", b"\x7fELF but not quite", 0o755));
    let script = text(&sandbox.file_with_mode("script", "#!/no/such/interpreter\n", 0o755));
    let assigned = format!("TOKEN={CANARY}");
    for (kind, code, arguments) in [
        (ErrorKind::FileMissing, 127, &["--", "no-such-command"][..]),
        (ErrorKind::FileMissing, 127, &["--", &assigned, "true"]),
        (ErrorKind::FileMissing, 127, &["--", ""]),
        (ErrorKind::FileMissing, 127, &["--", &script]),
        (ErrorKind::PermissionDenied, 126, &["--", "/"]),
        (ErrorKind::PermissionDenied, 126, &["--", &plain]),
        (ErrorKind::Other, 126, &["--", &binary]),
        (ErrorKind::Usage, 125, &[]),
        (ErrorKind::Usage, 125, &["--"]),
        (ErrorKind::Usage, 125, &["true"]),
        (ErrorKind::Usage, 125, &["--env", "token", "--no-such", "--", "true"]),
        (ErrorKind::Usage, 125, &["--file", "token", "--", "true"]),
        (ErrorKind::Usage, 125, &["--task", "a.py:b", "--env", "token"]),
        (ErrorKind::Usage, 125, &["--task", "a.py"]),
        (ErrorKind::Unsupported, 125, &["--task", "a.py:b"]),
        (ErrorKind::InvalidName, 125, &["--env", "../token=T", "--", "true"]),
        (ErrorKind::InvalidVariable, 125, &["--env", &assigned.replace('Y', "!"), "--", "true"]),
        (ErrorKind::InvalidVariable, 125, &["--env", "tls.key", "--", "true"]),
        (ErrorKind::InvalidScope, 125, &["--scope", "a/b/c/d", "--", "true"]),
        (ErrorKind::NotFound, 125, &["--env", "nowhere", "--", "true"]),
        (ErrorKind::NoStore, 125, &["--store", "sqlite:gone.db", "--env", "token", "--", "true"]),
        (ErrorKind::FileMissing, 125, &["--key-file", "gone.key", "--env", "token", "--", "true"]),
    ] {
        let outcome = failed(&sandbox, kind, code, arguments);
        assert!(!outcome.stderr.contains("cAnArY"), "{outcome:?}");
    }
    let outcome = run(sandbox.command().args(["run", "-o", "xml", "--", "true"]), b"");
    assert_eq!(outcome.code, 125, "{outcome:?}");
}

#[test]
fn all_that_are_missing_are_named_at_once() {
    let (sandbox, base) = mounting();
    sandbox.create("token", CANARY.as_bytes(), "default");
    let arguments = ["-e", "gone", "-f", "token=FILE", "-f", "db/lost=LOST", "-p", "etl", "--", "touch", "ran"];
    let outcome = failed(&sandbox, ErrorKind::NotFound, 125, &arguments);
    let message = outcome.error()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("gone (searched default/etl, default)") && message.contains("db/lost"), "{message}");
    assert_eq!(left_in(&base), [""; 0]);
}

#[test]
fn two_requests_for_one_variable_are_refused_with_both_names() {
    let sandbox = Sandbox::new();
    for name in ["first", "group/password", "other/password"] {
        sandbox.create(name, CANARY.as_bytes(), "default");
    }
    for (one, option, other) in [
        ("group/password", "--env", "other/password"),
        ("first=X", "--file", "group/password=X"),
        ("first", "--env", "first"),
    ] {
        let outcome =
            failed(&sandbox, ErrorKind::InvalidVariable, 125, &["--env", one, option, other, "--", "touch", "ran"]);
        let message = outcome.error()["message"].as_str().unwrap().to_owned();
        for name in [one, other].map(|text| format!("default:{}", text.split('=').next().unwrap())) {
            assert!(message.contains(&name), "{message}");
        }
    }
}

#[test]
fn files_are_for_their_owner_and_are_gone_afterwards() {
    let (sandbox, base) = mounting();
    sandbox.create("db/password", CANARY.as_bytes(), "default");
    let runtime = [("XDG_RUNTIME_DIR", base.as_os_str())];
    let script = "cp \"$SECRET\" copy && ls -l \"$SECRET\" && dirname \"$SECRET\" && exit 9";
    let arguments = ["run", "--file", "db/password=SECRET", "--", "sh", "-c", script];
    let outcome = sandbox.run_with(arguments, b"", &runtime);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (9, ""));
    assert_eq!(fs::read(sandbox.path("work/copy")).unwrap(), CANARY.as_bytes());
    let text = outcome.text();
    assert!(text.starts_with("-r--------") && text.contains(base.to_str().unwrap()), "{text}");
    let folder = PathBuf::from(text.lines().last().unwrap());
    assert!(!folder.exists());
    assert_eq!(left_in(&base), [""; 0]);
    let home = fs::read_dir(&base).unwrap().next().unwrap().unwrap();
    assert_eq!(home.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

/// The XDG Base Directory Specification has a relative place passed over, and the working directory is no place for values.
#[test]
fn a_relative_runtime_directory_is_passed_over() {
    let (sandbox, base) = mounting();
    sandbox.create("token", CANARY.as_bytes(), "default");
    let relative = sandbox.path("work/runtime");
    fs::create_dir(&relative).unwrap();
    let script = ["run", "--file", "token=SECRET", "--", "sh", "-c", "echo \"$SECRET\""];
    let place_under = |runtime: &OsStr| {
        let outcome = sandbox.run_with(script, b"", &[("XDG_RUNTIME_DIR", runtime)]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
        let told = sandbox.run_with(["doctor"], b"", &[("XDG_RUNTIME_DIR", runtime)]).text();
        let told = told.lines().find(|line| line.contains("secret files")).unwrap().to_owned();
        (PathBuf::from(outcome.text().trim_end()), told)
    };
    let (place, told) = place_under("runtime".as_ref());
    assert!(place.is_absolute() && !place.starts_with(sandbox.path("work")), "{}", place.display());
    // BASE/secretkit-UID/task-…/N/NAME
    assert!(told.contains(&text(place.ancestors().nth(4).unwrap())), "{} {told}", place.display());
    assert_eq!(fs::read_dir(&relative).unwrap().count(), 0);
    let (place, told) = place_under(base.as_os_str());
    assert!(place.starts_with(&base) && told.contains(&text(&base)), "{} {told}", place.display());
}

#[test]
fn a_run_without_secrets_needs_no_store_and_makes_none() {
    let sandbox = Sandbox::new();
    let before = sandbox.state();
    sandbox.ok(["run", "--", "true"]);
    assert_eq!(sandbox.state(), before);
    let outcome = sandbox.run(["run", "--env", "token", "--", "true"]);
    assert_eq!(outcome.code, 125, "{outcome:?}");
    assert_eq!(sandbox.state(), before);
}
