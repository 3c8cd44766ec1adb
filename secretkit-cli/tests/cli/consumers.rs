//! Who uses a secret: `use add`, `remove`, `list` and `prune`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use secretkit::{ErrorKind, Settings, StoreUrl};
use serde_json::Value;

use crate::bad_input::refused;
use crate::sandbox::{CANARY, Sandbox, into_closed_pipe};
use crate::terminal::Terminal;

const AT: [&str; 2] = ["--scope", "acme/etl"];

fn furnished() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), AT[1]);
    sandbox
}

fn consumers(sandbox: &Sandbox) -> Vec<Value> {
    let outcome = sandbox.ok(["use", "list", "token", "-o", "json"].iter().chain(&AT));
    outcome.json().as_array().unwrap().clone()
}

fn names(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["name"].as_str().unwrap()).collect()
}

fn id(sandbox: &Sandbox) -> String {
    let shown = sandbox.ok(["show", "token", "-o", "json"].iter().chain(&AT)).json();
    shown["id"].as_str().unwrap().to_owned()
}

#[test]
fn consumers_are_added_listed_and_removed() {
    let sandbox = furnished();
    let none = sandbox.ok(["use", "list", "token"].iter().chain(&AT));
    assert_eq!(
        (none.text().as_str(), none.stderr.trim()),
        ("CONSUMER  LAST SEEN  BY\n", "the secret has no consumers")
    );
    let added = sandbox.ok(["use", "add", "token", "web site"].iter().chain(&AT));
    assert_eq!((added.text().as_str(), added.stderr.trim()), ("", "web site uses acme/etl:token"));
    let added =
        sandbox.ok(["use", "add", "token", "payroll.jobs:nightly", "--actor", "née", "-o", "json"].iter().chain(&AT));
    assert_eq!((added.json()["name"].as_str(), added.json()["generation"].as_u64()), (Some("token"), Some(1)));
    let rows = consumers(&sandbox);
    assert_eq!(names(&rows), ["payroll.jobs:nightly", "web site"]);
    assert_eq!(rows[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["name", "seen_at", "seen_by"]);
    assert_eq!(rows[0]["seen_by"], "née");
    // Seen again: one row, with the time and the actor of now.
    sandbox.ok(["use", "add", "token", "payroll.jobs:nightly", "--actor", "zoe"].iter().chain(&AT));
    let again = consumers(&sandbox);
    assert_eq!((again.len(), again[0]["seen_by"].as_str()), (2, Some("zoe")));
    assert!(again[0]["seen_at"].as_str() > rows[0]["seen_at"].as_str(), "{again:?}");
    let table = sandbox.ok(["use", "list", "token"].iter().chain(&AT)).text();
    assert!(
        table.lines().nth(1).unwrap().starts_with("payroll.jobs:nightly  20") && table.contains("Z  zoe\n"),
        "{table}"
    );
    let removed = sandbox.ok(["use", "remove", "token", "web site"].iter().chain(&AT));
    assert_eq!(removed.stderr.trim(), "web site no longer uses acme/etl:token");
    let gone = refused(&sandbox, ErrorKind::NotFound, &[&["use", "remove", "token", "web site"][..], &AT].concat());
    assert!(gone.error()["hint"].as_str().unwrap().contains("use list token --scope acme/etl"), "{gone:?}");
    assert_eq!(names(&consumers(&sandbox)), ["payroll.jobs:nightly"]);
}

#[test]
fn a_secret_is_named_by_its_id_or_an_option_too() {
    let sandbox = furnished();
    let id = &*id(&sandbox);
    let by_id = ["--id", id, "--org", "acme"];
    sandbox.ok(["use", "add", "by-id"].iter().chain(&by_id));
    sandbox.ok(["use", "add", "-n", "token", "by-option"].iter().chain(&AT));
    assert_eq!(names(&consumers(&sandbox)), ["by-id", "by-option"]);
    let listed = sandbox.ok(["use", "list", "-o", "json"].iter().chain(&by_id)).json();
    assert_eq!(names(listed.as_array().unwrap()), ["by-id", "by-option"]);
    sandbox.ok(["use", "remove", "by-option"].iter().chain(&by_id));
    sandbox.ok(["use", "prune", "--unseen-since", "1m"].iter().chain(&by_id));
    assert_eq!(names(&consumers(&sandbox)), ["by-id"]);
    let typed = &*format!("{CANARY}-typed");
    for arguments in [
        &["use", "add", "token"][..],
        &["use", "add"],
        &["use", "add", "token", typed, "--id", id],
        &["use", "add", "token", typed, "-n", "token"],
        &["use", "add", "--id", id],
        &["use", "add", "token", typed, typed],
        &["use", "list", "token", typed],
        &["use", "list"],
        &["use", "prune", "token"],
        &["use", "dance", "token"],
        &["use", typed],
    ] {
        refused(&sandbox, ErrorKind::Usage, arguments);
    }
    assert_eq!(sandbox.run(["use"]).code, 2);
    refused(&sandbox, ErrorKind::InvalidMetadata, &["use", "add", "--id", typed, "consumer"]);
}

#[test]
fn a_secret_in_use_is_not_deleted() {
    let sandbox = furnished();
    sandbox.ok(["use", "add", "token", "payroll"].iter().chain(&AT));
    sandbox.ok(["use", "add", "token", "web site"].iter().chain(&AT));
    let outcome = refused(&sandbox, ErrorKind::InUse, &[&["delete", "token", "--yes"][..], &AT].concat());
    assert!(outcome.stderr.contains("acme/etl:token is used by payroll, web site"), "{outcome:?}");
    for consumer in ["payroll", "web site"] {
        sandbox.ok(["use", "remove", "token", consumer].iter().chain(&AT));
    }
    sandbox.ok(["delete", "token", "--yes"].iter().chain(&AT));
    refused(&sandbox, ErrorKind::NotFound, &[&["use", "list", "token"][..], &AT].concat());
}

#[test]
fn those_that_were_not_seen_lately_are_pruned() {
    let sandbox = furnished();
    sandbox.ok(["use", "add", "token", "today"].iter().chain(&AT));
    add_a_hundred_days_ago(&sandbox, "stale");
    let prune = |span| ["use", "prune", "token", "--unseen-since", span, "-o", "json"].into_iter().chain(AT);
    let none = sandbox.ok(prune("101d"));
    assert_eq!((none.text().as_str(), none.error()["notice"].as_str()), ("[]\n", Some("no consumer was removed")));
    let one = sandbox.ok(prune("90d"));
    assert_eq!(names(one.json().as_array().unwrap()), ["stale"]);
    assert_eq!(one.error()["notice"], "removed 1 consumer");
    assert_eq!(names(&consumers(&sandbox)), ["today"]);
    for span in ["", "0d", "90", "-1d", "90 d", "1y", "99999999999999999999d", &format!("{CANARY}d")] {
        let option = &*format!("--unseen-since={span}");
        refused(&sandbox, ErrorKind::InvalidMetadata, &[&["use", "prune", "token", option][..], &AT].concat());
    }
}

/// As a host with the clock of that day would have done it.
fn add_a_hundred_days_ago(sandbox: &Sandbox, consumer: &str) {
    use secretkit::{Clock, ManualClock, SystemClock};
    let now = SystemClock.now().saturating_sub("100d".parse().unwrap());
    let mut settings = Settings::default();
    settings.store = Some(format!("sqlite:{}", sandbox.store().display()).parse::<StoreUrl>().unwrap());
    settings.key = Some(format!("file:{}", sandbox.key().display()).parse().unwrap());
    let secrets = settings.open_existing().unwrap().with_clock(std::sync::Arc::new(ManualClock::new(now)));
    let secret: secretkit::SecretId = "acme/etl:token".parse().unwrap();
    secrets.add_consumer(&secret, &consumer.parse().unwrap()).unwrap();
}

#[test]
fn hostile_names_of_consumers_are_refused_and_not_quoted() {
    let sandbox = furnished();
    let long = "x".repeat(300);
    for consumer in ["", "\u{1b}[2J", "a\nb", "tab\there", "bell\u{7}", "\u{85}", "\u{7f}", &long] {
        for command in ["add", "remove"] {
            let arguments = ["use", command, "token", consumer, "--scope", AT[1]];
            let outcome = refused(&sandbox, ErrorKind::InvalidMetadata, &arguments);
            assert!(consumer.is_empty() || !outcome.stderr.contains(consumer), "{consumer:?}: {outcome:?}");
        }
    }
    let bytes = OsStr::from_bytes(b"ab\xff");
    let arguments = ["use", "add", "token"].map(OsStr::new).into_iter().chain([bytes]).chain(AT.map(OsStr::new));
    let outcome = sandbox.run(arguments);
    assert_eq!(outcome.code, i32::from(ErrorKind::InvalidMetadata.exit_code()), "{outcome:?}");
    assert!(outcome.stderr.contains("offset 2"), "{outcome:?}");
    assert!(consumers(&sandbox).is_empty());
    for consumer in ["--like-an-option", "x".repeat(256).as_str(), " ", "東京", "a\u{202e}b", "'; DROP TABLE consumers"]
    {
        sandbox.ok(["use", "add", "--scope", AT[1], "--", "token", consumer]);
        assert_eq!(names(&consumers(&sandbox)), [consumer]);
        // What would turn the line around is shown as what it is.
        let table = sandbox.ok(["use", "list", "token"].iter().chain(&AT)).text();
        assert_eq!(table.contains("a\\u{202e}b"), consumer.contains('\u{202e}'), "{table}");
        assert!(!table.contains('\u{202e}'));
        sandbox.ok(["use", "remove", "--scope", AT[1], "--", "token", consumer]);
    }
}

#[test]
fn only_a_store_that_is_there_has_consumers() {
    let sandbox = Sandbox::new();
    for arguments in [
        &["use", "add", "token", "payroll"][..],
        &["use", "remove", "token", "payroll"],
        &["use", "list", "token"],
        &["use", "prune", "token", "--unseen-since", "90d"],
        &["history", "token"],
        &["rollback", "token", "--to", "1"],
        &["prune", "token", "--keep", "1", "--yes"],
        &["verify-value", "token", "x"],
    ] {
        refused(&sandbox, ErrorKind::NoStore, arguments);
        assert!(!sandbox.store().exists() && !sandbox.key().exists(), "{arguments:?} made something");
    }
}

#[test]
fn a_narrow_terminal_shortens_the_time_and_never_the_name() {
    let sandbox = furnished();
    let consumer = "x".repeat(70);
    sandbox.ok(["use", "add", "token", &consumer].iter().chain(&AT));
    let (code, screen) = Terminal::start(&sandbox, &["use", "list", "token", "--scope", AT[1]]).finish();
    let line = screen.lines().find(|line| line.starts_with(&consumer)).unwrap_or_else(|| panic!("{screen}"));
    let date = line.split_whitespace().nth(1).unwrap();
    assert_eq!((code, date.len()), (0, "2026-11-21".len()), "{screen}");
    assert!(screen.contains("\u{1b}[1mCONSUMER"), "{screen:?}");
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let sandbox = furnished();
    for arguments in [&["use", "add", "token", "a", "-o", "json", "-q"][..], &["use", "list", "token", "-q"]] {
        let mut command = sandbox.command();
        command.args(arguments).args(AT);
        assert_eq!(into_closed_pipe(command), (Some(141), String::new()), "{arguments:?}");
    }
    assert_eq!(names(&consumers(&sandbox)), ["a"], "what was done is done");
}
