//! What is offered at the end of a command line: the words that `secretkit complete` answers to the scripts of the
//! shells. The shells themselves are in `completions_in_shells.rs`.
//!
//! No hostile name can be offered, because there is none: what is offered is a `SecretName`, whose one constructor
//! refuses everything but letters, digits, `_`, `.`, `-` and one `/`, for a row of the store too.

use std::ffi::OsStr;
use std::fs;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, fcntl_lock};
use secretkit::{PutItem, PutMode, SecretId, SecretValue, Settings};

use crate::sandbox::{CANARY, Outcome, Sandbox, text};

/// The words of the answer, of which the last is the one that is being typed.
fn complete(sandbox: &Sandbox, words: &[&str], variables: &[(&str, &OsStr)]) -> Outcome {
    let input: String = words.iter().map(|word| format!("{word}\0")).collect();
    let outcome = sandbox.run_with(["complete"], input.as_bytes(), variables);
    assert_eq!((outcome.code, &*outcome.stderr), (0, ""), "{words:?}: {outcome:?}");
    outcome
}

/// The kind of the answer, and the words without what they mean.
#[track_caller]
fn offered(sandbox: &Sandbox, words: &[&str]) -> (String, Vec<String>) {
    let text = complete(sandbox, words, &[]).text();
    let mut lines = text.lines().map(|line| line.split('\t').next().unwrap().to_owned());
    (lines.next().unwrap_or_default(), lines.collect())
}

#[track_caller]
fn assert_offered(sandbox: &Sandbox, words: &[&str], expected: &[&str]) {
    assert_eq!(offered(sandbox, words).1, expected, "{words:?}");
}

#[track_caller]
fn assert_nothing(sandbox: &Sandbox, words: &[&str]) {
    assert_eq!(complete(sandbox, words, &[]).stdout, b"", "{words:?}");
}

/// Names at every kind of scope.
fn stocked() -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, scope) in [
        ("everywhere", "acme"),
        ("db/password", "acme/etl"),
        ("shared", "acme/*/production"),
        ("shared", "acme"),
        ("narrow", "acme/etl/production"),
        ("other", "default"),
        ("elsewhere", "acme/web"),
    ] {
        sandbox.create(name, CANARY.as_bytes(), scope);
    }
    sandbox
}

#[test]
fn commands_options_and_fixed_values_are_offered() {
    let sandbox = Sandbox::new();
    let (kind, commands) = offered(&sandbox, &[""]);
    assert_eq!(kind, "words");
    for command in ["create", "list", "run", "completions", "man", "help"] {
        assert!(commands.iter().any(|word| word == command), "{command}: {commands:?}");
    }
    assert!(!commands.iter().any(|word| word == "complete"), "it is for the scripts alone");
    assert_offered(&sandbox, &["cr"], &["create"]);
    assert_offered(&sandbox, &["vi"], &["view"]);
    assert_offered(&sandbox, &["--quiet", "help", "sho"], &["show"]);
    assert_offered(&sandbox, &["create", "a", "--base"], &["--base64"]);
    assert_offered(&sandbox, &["reveal", "--sco"], &["--scope"]);
    assert_offered(&sandbox, &["reveal", "--scope", "acme", "--sco"], &[]);
    let (_, options) = offered(&sandbox, &["run", "--env", "a", "--"]);
    assert!(options.contains(&"--env".to_owned()), "it may be given again: {options:?}");
    assert_offered(&sandbox, &["list", "--output", ""], &["json", "table"]);
    assert_offered(&sandbox, &["list", "-oj"], &["-ojson"]);
    assert_offered(&sandbox, &["list", "-qo", "j"], &["json"]);
    assert_offered(&sandbox, &["list", "--output=t"], &["--output=table"]);
    assert_offered(&sandbox, &["completions", ""], &["bash", "fish", "zsh"]);
    assert_nothing(&sandbox, &["list", "--org", ""]);
    assert_nothing(&sandbox, &["show", "a", "b"]);
    assert_nothing(&sandbox, &["create", "a", "b", "--", ""]);
}

#[test]
fn files_are_left_to_the_shell() {
    let sandbox = Sandbox::new();
    for (words, expected) in [
        (&["create", "a", "--file", "x"][..], "files\t\n"),
        (&["create", "a", "--file=x"], "files\t--file=\n"),
        (&["create", "a", "-fx"], "files\t-f\n"),
        (&["list", "--key-file", ""], "files\t\n"),
        (&["list", "--store", "sqlite:/a"], "files\tsqlite:\n"),
        (&["list", "--store=sqlite:"], "files\t--store=sqlite:\n"),
        (&["list", "--store", "s"], "open\t\nsqlite:\n"),
        (&["list", "--key", ""], "open\t\ncredential:\nenv:\nexec:\nfile:\nkeyring:\npassphrase:\n"),
        (&["list", "--key", "file:/"], "files\tfile:\n"),
        (&["list", "--key", "env:"], ""),
        (&["man", ""], "directories\t\n"),
        (&["run", "--", "ca"], "commands\t\n"),
        (&["run", "--", "cat", "--num"], "files\t\n"),
    ] {
        assert_eq!(complete(&sandbox, words, &[]).text(), expected, "{words:?}");
    }
}

#[test]
fn names_are_those_of_the_scope_that_is_typed() {
    let sandbox = stocked();
    assert_offered(&sandbox, &["show", ""], &["other"]);
    assert_offered(&sandbox, &["show", "--scope", "acme", ""], &["everywhere", "shared"]);
    assert_offered(&sandbox, &["--org=acme", "show", "-p", "etl", ""], &["db/password"]);
    assert_offered(&sandbox, &["show", "-w", "acme/etl", "db/"], &["db/password"]);
    assert_offered(&sandbox, &["show", "--org", "acme", "-detl"], &[]);
    assert_offered(&sandbox, &["show", "--scope", "acme", "EVERY"], &[]);
    assert_offered(&sandbox, &["show", "--scope", "acme", "--name=ever"], &["--name=everywhere"]);
    assert_offered(&sandbox, &["delete", "--scope=acme", "-n", "s"], &["shared"]);
    assert_offered(&sandbox, &["set", "--scope=acme", "s"], &["shared"]);
    let task = ["--org", "acme", "-p", "etl", "-d", "production"];
    let seen = ["db/password", "everywhere", "narrow", "shared"];
    assert_offered(&sandbox, &[&["reveal"], &task[..], &[""]].concat(), &seen);
    assert_offered(&sandbox, &[&["run"], &task[..], &["--env", "n"]].concat(), &["narrow"]);
    assert_offered(&sandbox, &[&["run"], &task[..], &["--file=e"]].concat(), &["--file=everywhere="]);
    assert_offered(&sandbox, &[&["reveal", "--exact"], &task[..], &[""]].concat(), &["narrow"]);
    // A store or key that is typed, and variables where nothing is.
    let (store, key) = (format!("sqlite:{}", text(&sandbox.store())), text(&sandbox.key()));
    let elsewhere = [("HOME", OsStr::new("/nonexistent")), ("SECRETKIT_ORG", OsStr::new("acme"))];
    for words in [&["show", "--store", &store, "--key-file", &key, ""][..], &["show", ""]] {
        let outcome = complete(&sandbox, words, &elsewhere);
        assert_eq!(outcome.text().contains("everywhere"), words.len() > 2, "{words:?}");
    }
    assert_offered(&sandbox, &["show", "--key-file", "~/.config/secretkit/root.key", ""], &["other"]);
    let (variables, acme) = ([("SECRETKIT_ORG", OsStr::new("acme")), ("SECRETKIT_PROJECT", OsStr::new("web"))], "acme");
    assert_eq!(complete(&sandbox, &["show", ""], &variables).text(), "words\t\nelsewhere\n");
    assert_eq!(complete(&sandbox, &["show", "--org", acme, "s"], &variables).text(), "words\t\nshared\n");
}

#[test]
fn scopes_are_those_that_hold_secrets() {
    let sandbox = stocked();
    assert_offered(&sandbox, &["list", "--org", "acme", "--project", ""], &["etl", "web"]);
    assert_offered(&sandbox, &["list", "--org", "acme", "-p", "etl", "--domain="], &["--domain=production"]);
    assert_offered(&sandbox, &["list", "--scope", "acme/e"], &["acme/etl", "acme/etl/production"]);
    assert_offered(&sandbox, &["list", "--scope", ""], &["default"]);
}

/// Every place where the help says NAME. The unit test beside the engine looks at the definition in the same way.
#[test]
fn every_name_that_the_help_speaks_of_is_completed() {
    let sandbox = Sandbox::new();
    sandbox.create("the-only-one", CANARY.as_bytes(), "default");
    let mut places = 0;
    let mut open = vec![vec![]];
    while let Some(command) = open.pop() {
        let help = sandbox.ok(command.iter().map(String::as_str).chain(["--help"])).text();
        let mut heading = "";
        for line in help.lines() {
            if !line.starts_with(' ') {
                heading = line;
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let names = |word: &&&str| word.trim_matches(['<', '>', '[', ']', '.']).starts_with("NAME");
            let mut typed: Vec<&str> = command.iter().map(String::as_str).collect();
            match (heading, words.first()) {
                ("Commands:", Some(name)) if line.starts_with("  ") && !line.starts_with("   ") && *name != "help" => {
                    open.push([&command[..], &[(*name).to_owned()]].concat());
                    continue;
                }
                ("Arguments:", Some(first)) if names(&first) => {}
                ("Arguments:" | "Commands:" | "Examples:" | "", _) => continue,
                (_, Some(first)) if first.starts_with('-') && words.iter().take(3).any(|word| names(&word)) => {
                    let option = words.iter().find(|word| word.starts_with("--")).unwrap();
                    if *option == "--actor" {
                        continue;
                    }
                    typed.push(option);
                }
                _ => continue,
            }
            typed.push("the-");
            let (_, found) = offered(&sandbox, &typed);
            assert_eq!(found.len(), 1, "{typed:?} offers {found:?}: {line}");
            assert!(found[0].starts_with("the-only-one"), "{typed:?} offers {found:?}: {line}");
            places += 1;
        }
    }
    assert!(places >= 12, "{places}");
}

#[test]
fn completing_makes_nothing_and_asks_nothing() {
    let sandbox = Sandbox::new();
    let before = sandbox.state();
    for words in [&["show", ""][..], &["create", ""], &["run", "--file", ""], &["list", "--project", ""], &["use", ""]]
    {
        complete(&sandbox, words, &[]);
    }
    assert_offered(&sandbox, &["show", ""], &[]);
    for (name, value) in [
        ("SECRETKIT_ORG", "a b"),
        ("SECRETKIT_STORE", "memory:"),
        ("SECRETKIT_STORE", "postgres://nowhere"),
        ("SECRETKIT_OUTPUT", "xml"),
        ("SECRETKIT_QUIET", "perhaps"),
        ("SECRETKIT_KEY", "env:NOT_SET"),
        ("HOME", ""),
    ] {
        let outcome = complete(&sandbox, &["show", ""], &[(name, OsStr::new(value))]);
        assert!(outcome.stdout.is_empty() || outcome.text() == "words\t\n", "{name}={value}: {outcome:?}");
    }
    assert_eq!(sandbox.state(), before);
    // Whatever may come on standard input: no end, nothing at all, no text.
    for input in
        [&b""[..], b"show\0x", b"\0", b"\0\0\0", b"show\0\xff\0", b"-\xff\0-\xff\0", b"--\xff=\0", b"show\0-n\xff\0"]
    {
        let outcome = sandbox.run_with(["complete"], input, &[]);
        assert_eq!((outcome.code, &*outcome.stderr), (0, ""), "{input:?}");
        assert!(!outcome.stdout.contains(&0xff), "{input:?}: {outcome:?}");
    }
    assert_eq!(sandbox.state(), before);
    // And nothing that is typed comes back.
    complete(&sandbox, &["create", "a", CANARY, "-v", CANARY, "--fi"], &[]);
    complete(&sandbox, &["create", "a", &format!("-v{CANARY}")], &[]);
    complete(&sandbox, &["create", "a", "--", CANARY], &[]);
}

#[test]
fn a_store_that_does_not_answer_offers_nothing() {
    let sandbox = stocked();
    let words = ["show", "--scope", "acme", ""];
    let state = sandbox.state();
    assert_offered(&sandbox, &words, &["everywhere", "shared"]);

    let other = sandbox.other_key("other.key");
    assert_nothing(&sandbox, &["show", "--scope", "acme", "--key-file", &text(&other), ""]);
    assert_nothing(&sandbox, &["show", "--scope", "acme", "--key-file", "/nonexistent", ""]);
    // What provides the key would be run at each press of Tab.
    let ran = sandbox.path("work/ran");
    let command = format!("exec:touch {}", text(&ran));
    assert_nothing(&sandbox, &["show", "--scope", "acme", "--key", &command, ""]);
    assert_nothing(&sandbox, &["show", "--scope", "acme", "--previous-key", &command, ""]);
    assert!(!ran.exists());
    let malformed = sandbox.file_with_mode("malformed.key", "not a key", 0o600);
    assert_nothing(&sandbox, &["show", "--scope", "acme", "--key-file", &text(&malformed), ""]);
    let exposed = sandbox.file_with_mode("exposed.key", fs::read(sandbox.key()).unwrap(), 0o644);
    assert_nothing(&sandbox, &["show", "--scope", "acme", "--key-file", &text(&exposed), ""]);
    let no_store = sandbox.file_with_mode("no-store", "just a file", 0o600);
    assert_nothing(&sandbox, &["show", "--scope", "acme", "--store", &format!("sqlite:{}", text(&no_store)), ""]);
    for file in [other, malformed, exposed, no_store] {
        fs::remove_file(file).unwrap();
    }
    assert_eq!(sandbox.state(), state);

    // Locked by somebody who keeps it.
    let file = fs::File::options().read(true).write(true).open(sandbox.store()).unwrap();
    fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    let began = Instant::now();
    let (_, names) = offered(&sandbox, &words);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(names, [""; 0], "the store is locked");
    fcntl_lock(&file, FlockOperation::Unlock).unwrap();
    assert_offered(&sandbox, &words, &["everywhere", "shared"]);

    // Rows that were altered, into another name and into one that nobody may have.
    for name in [&b"somewhere!"[..], b"\x1b[2J$(id)`", b"everywherf"] {
        let store = fs::read(sandbox.store()).unwrap();
        let mut altered = store.clone();
        let at: Vec<_> = store.windows(10).enumerate().filter(|(_, bytes)| bytes == b"everywhere").collect();
        assert!(!at.is_empty(), "the name is in the file");
        for (at, _) in at {
            altered[at..at + 10].copy_from_slice(name);
        }
        fs::write(sandbox.store(), altered).unwrap();
        assert_nothing(&sandbox, &words);
        fs::write(sandbox.store(), store).unwrap();
    }
    assert_offered(&sandbox, &words, &["everywhere", "shared"]);
}

#[test]
fn of_many_names_some_thousand_are_offered_quickly() {
    let sandbox = Sandbox::new();
    sandbox.create("first", CANARY.as_bytes(), "acme");
    let mut settings = Settings::default();
    settings.store = Some(format!("sqlite:{}", text(&sandbox.store())).parse().unwrap());
    settings.key = Some(format!("file:{}", text(&sandbox.key())).parse().unwrap());
    let secrets = settings.open_existing().unwrap();
    let value = SecretValue::copied_from(CANARY.as_bytes());
    let ids: Vec<SecretId> = (0..3000).map(|n| format!("acme:many/n{n:04}").parse().unwrap()).collect();
    let items: Vec<_> = ids.into_iter().map(|id| PutItem { id, value: &value }).collect();
    secrets.put_all(&items, PutMode::Create).unwrap();
    let began = Instant::now();
    let (_, all) = offered(&sandbox, &["show", "--scope", "acme", "many/"]);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert!(all.len() <= 2000 && all.len() >= 500, "{}", all.len());
    assert_offered(&sandbox, &["show", "--scope", "acme", "many/n2999"], &["many/n2999"]);
}
