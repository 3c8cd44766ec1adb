//! What is kept about a secret beside its value: set, changed, taken away, shown.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use secretkit::{Clock, Expiry, ManualClock, MetadataEdit, Secrets, Setting, SystemClock, Timestamp};

use crate::sandbox::{CANARY, Outcome, Sandbox};
use crate::terminal::Terminal;

/// The façade on the sandbox's own store, with a clock that stands this many days before now.
pub(crate) fn days_ago(sandbox: &Sandbox, days: i64) -> Secrets {
    let (store, key) = (sandbox.store(), sandbox.key());
    let (store, key) = (format!("sqlite:{}", store.display()), format!("file:{}", key.display()));
    let then = SystemClock.now().as_micros() - days * 86_400_000_000;
    secretkit::open(&store, &key).unwrap().with_clock(Arc::new(ManualClock::new(Timestamp::from_micros(then))))
}

/// Lets a secret expire a day after the time of these secrets.
pub(crate) fn expire_after_a_day(secrets: &Secrets, id: &str) {
    let mut edit = MetadataEdit::default();
    let expiry: Expiry = "1d".parse().unwrap();
    edit.expires_at = Setting::Set(expiry.at(secrets.clock().now()).unwrap());
    secrets.edit(&id.parse().unwrap(), &edit, None).unwrap();
}

fn shown(sandbox: &Sandbox, name: &str) -> serde_json::Value {
    sandbox.ok(["show", name, "-o", "json"]).json()
}

/// With a value on standard input.
fn with_value(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    sandbox.run_with(arguments.iter().chain(&["-f", "-"]), CANARY.as_bytes(), &[])
}

#[test]
fn create_takes_all_of_it_and_overwrite_changes_what_is_named() {
    let sandbox = Sandbox::new();
    let all = ["create", "token", "--description", "Zürich, for the payroll", "--tag", "eu", "--tag", "payroll"];
    let outcome = with_value(&sandbox, &[&all[..], &["--expires", "2099-01-31", "--keep", "1"]].concat());
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(!outcome.stderr.contains("expires"), "it has an expiry: {outcome:?}");
    let before = shown(&sandbox, "token");
    assert_eq!(before["description"], "Zürich, for the payroll");
    assert_eq!(before["tags"], serde_json::json!(["eu", "payroll"]));
    assert_eq!(before["expires_at"], "2099-02-01T00:00:00Z", "to the end of that day");
    assert_eq!((&before["active"], &before["keep"], &before["generation"]), (&true.into(), &1.into(), &1.into()));

    let outcome = with_value(&sandbox, &["set", "token", "--overwrite", "--tag", "us", "--inactive"]);
    assert!(outcome.code == 0 && outcome.stderr.contains("updated default:token, revision 2"), "{outcome:?}");
    assert!(!outcome.stderr.contains("good practice"), "{outcome:?}");
    let after = shown(&sandbox, "token");
    assert_eq!(after["tags"], serde_json::json!(["eu", "payroll", "us"]));
    for kept in ["id", "description", "expires_at", "keep"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    assert_eq!((&after["active"], &after["generation"]), (&false.into(), &2.into()));
    assert_eq!(sandbox.run(["reveal", "token"]).code, 24);
    sandbox.ok(["update", "token", "--active"]);
    assert_eq!(sandbox.value("token", "default"), CANARY.as_bytes());
    // One superseded value is kept, the first is not.
    with_value(&sandbox, &["update", "token"]);
    assert_eq!(shown(&sandbox, "token")["first_revision"], 2);
}

#[test]
fn a_new_secret_without_an_expiry_gets_one_hint() {
    let sandbox = Sandbox::new();
    let hint = "an expiry is good practice; to set one, run: secretkit update";
    let outcome = with_value(&sandbox, &["create", "token", "--scope", "acme/*/production"]);
    assert_eq!(outcome.stderr.matches(hint).count(), 1, "{outcome:?}");
    assert!(outcome.stderr.contains("update token --scope 'acme/*/production' --expires 90d"), "{outcome:?}");
    for silent in [&["create", "quiet", "-q"][..], &["create", "other", "--expires", "90d"]] {
        assert!(!with_value(&sandbox, silent).stderr.contains(hint), "{silent:?}");
    }
    for silent in [&["create", "quiet", "--update-only"][..], &["create", "quiet", "--overwrite"], &["update", "quiet"]]
    {
        let outcome = with_value(&sandbox, silent);
        assert!(outcome.code == 0 && !outcome.stderr.contains(hint), "{outcome:?}");
    }
    let outcome = with_value(&sandbox, &["create", "new", "--overwrite", "-o", "json"]);
    assert!(outcome.error()["notice"].as_str().unwrap().contains(hint), "{outcome:?}");
}

#[test]
fn an_edit_asks_for_no_value_and_makes_no_revision() {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), "default");
    let before = shown(&sandbox, "token");
    let edit = |arguments: &[&str], line: &str| {
        let outcome = sandbox.ok([&["update", "token"], arguments].concat());
        assert_eq!(outcome.stderr, format!("{line}\n"), "{arguments:?}");
    };
    edit(&["--description", "one"], "updated default:token, generation 2");
    edit(&["--description", "one"], "unchanged default:token, generation 2");
    edit(&["--tag", "a", "--tag", "b", "--tag", "a"], "updated default:token, generation 3");
    edit(&["--untag", "a", "--untag", "never-there"], "updated default:token, generation 4");
    edit(&["--untag", "never-there"], "unchanged default:token, generation 4");
    edit(&["--expires", "90d", "--inactive", "--keep", "3"], "updated default:token, generation 5");
    let after = shown(&sandbox, "token");
    for kept in ["id", "digest", "revision", "value_at", "created_at"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    assert_eq!((&after["description"], &after["tags"]), (&"one".into(), &serde_json::json!(["b"])));
    assert!(after["inactive_since"].is_string() && after["expires_at"].is_string() && after["keep"] == 3, "{after}");
    edit(
        &["--no-description", "--untag", "b", "--no-expires", "--active", "--keep-default"],
        "updated default:token, generation 6",
    );
    let bare = shown(&sandbox, "token");
    for gone in ["description", "expires_at", "inactive_since", "keep"] {
        assert_eq!(bare[gone], serde_json::Value::Null, "{gone}");
    }
    assert_eq!((&bare["tags"], &bare["active"]), (&serde_json::json!([]), &true.into()));
    assert_eq!(sandbox.value("token", "default"), CANARY.as_bytes());
    // `set --update-only` is `update`.
    sandbox.ok(["set", "token", "--update-only", "--tag", "c"]);
    assert_eq!(shown(&sandbox, "token")["generation"], 7);
    // By its id, and as data.
    let id = bare["id"].as_str().unwrap();
    let outcome = sandbox.ok(["update", "--id", id, "--tag", "d", "-o", "json"]);
    assert_eq!((&outcome.json()["tags"], &outcome.json()["generation"]), (&serde_json::json!(["c", "d"]), &8.into()));
    assert!(outcome.json().get("last_used_at").is_none(), "a write does not know it: {outcome:?}");
    // At a terminal too nobody is asked.
    let (code, screen) = Terminal::start(&sandbox, &["update", "token", "--untag", "d"]).finish();
    assert_eq!((code, screen.as_str()), (0, "updated default:token, generation 9\n"));
}

#[test]
fn a_value_and_metadata_go_in_one_commit() {
    let sandbox = Sandbox::new();
    sandbox.create("token", b"before", "default");
    let outcome = with_value(&sandbox, &["update", "token", "--expires", "2099-01-31", "--if-generation", "1"]);
    assert!(outcome.code == 0 && outcome.stderr.contains("updated default:token, revision 2"), "{outcome:?}");
    let after = shown(&sandbox, "token");
    assert_eq!((&after["generation"], &after["expires_at"]), (&2.into(), &"2099-02-01T00:00:00Z".into()));
    for conflict in [&["update", "token", "--tag", "a"][..], &["update", "token", "-f", "-", "--tag", "a"]] {
        let outcome = sandbox.run_with(conflict.iter().chain(&["--if-generation", "1", "-o", "json"]), b"after", &[]);
        assert_eq!((outcome.code, &outcome.error()["error"]), (22, &"conflict".into()), "{outcome:?}");
    }
    assert_eq!(shown(&sandbox, "token")["tags"], serde_json::json!([]));
    assert_eq!(sandbox.run(["update", "token", "--tag", "a", "--if-generation", "2"]).code, 0);
    assert_eq!(sandbox.run(["update", "gone", "--tag", "a"]).code, 20);
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_asked_for_or_made() {
    let sandbox = Sandbox::new();
    let long = "x".repeat(1025);
    let many: Vec<_> = (0..33).flat_map(|number| ["--tag".to_owned(), format!("tag{number}")]).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["--expires", "2020-01-31"], 12, "it has passed already"),
        (&["--expires", "2020-01-31T10:00:00Z"], 12, "it has passed already"),
        (&["--expires", "tomorrow"], 12, "write a date such as 2027-01-31"),
        (&["--expires", "0d"], 12, "a span such as 90d"),
        (&["--expires", ""], 12, "write a date"),
        (&["--description", ""], 12, "--no-description"),
        (&["--description", &long], 12, "1025"),
        (&["--description", "two\nlines"], 12, "description"),
        (&["--tag", "\u{1b}[31m"], 12, "tag"),
        (&["--tag", ""], 12, "tag"),
        (&many, 12, "at most 32"),
        (&["--keep=-1"], 2, "--keep takes a number"),
        (&["--keep=+1"], 2, "--keep takes a number"),
        (&["--keep", "4294967296"], 2, "--keep takes a number"),
        (&["--expires", "90d", "--expires", "91d"], 2, "more than once"),
    ];
    for (arguments, code, words) in cases {
        for command in ["create", "update"] {
            let outcome = sandbox.run([&[command, "token"], *arguments].concat());
            assert_eq!(outcome.code, *code, "{outcome:?}");
            assert!(outcome.stderr.contains(words), "{words}: {outcome:?}");
        }
    }
    let cases: &[(&[&str], &str)] = &[
        (&["--description", "a", "--no-description"], "contradict each other"),
        (&["--expires", "90d", "--no-expires"], "contradict each other"),
        (&["--active", "--inactive"], "contradict each other"),
        (&["--keep", "1", "--keep-default"], "contradict each other"),
        (&["--tag", "a", "--untag", "a"], "--tag and --untag name the same tag"),
        (&["--tag", "a", "--base64"], "none is given"),
    ];
    for (arguments, words) in cases {
        let outcome = sandbox.run([&["update", "token"], *arguments].concat());
        assert!(outcome.code == 2 && outcome.stderr.contains(words), "{words}: {outcome:?}");
    }
    for option in ["--description", "--tag", "--expires", "--untag"] {
        let outcome =
            sandbox.run([OsStr::new("update"), OsStr::new("token"), OsStr::new(option), OsStr::from_bytes(b"a\xff")]);
        assert!(outcome.code == 12 && outcome.stderr.contains("at offset 1"), "{outcome:?}");
    }
    // What stands in the wrong place may be a value.
    for option in ["--expires", "--keep"] {
        assert_ne!(sandbox.run(["create", "token", option, CANARY]).code, 0);
    }
    assert!(!sandbox.store().exists() && !sandbox.key().exists());
    // Not after a value was typed: nobody is asked.
    let (code, screen) = Terminal::start(&sandbox, &["create", "token", "--expires", "2020-01-31"]).finish();
    assert!(code == 12 && !screen.contains("Enter secret value"), "{screen}");
}

#[test]
fn show_tells_everything() {
    let sandbox = Sandbox::new();
    let full = ["create", "token", "--description", "of the payroll", "--tag", "eu", "--tag", "a b", "--keep", "2"];
    with_value(&sandbox, &[&full[..], &["--expires", "365d"]].concat());
    sandbox.value("token", "default");
    let text = sandbox.ok(["show", "token"]).text();
    for line in [
        "STATE        active\n",
        ", in 364 days\n",
        "DESCRIPTION  of the payroll\n",
        "TAGS         a b, eu\n",
        "KEPT         revision 1; at most 2 superseded\n",
        "VALUE SET    ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let used = text.lines().find(|line| line.starts_with("LAST USED    20")).unwrap_or_else(|| panic!("{text}"));
    assert!(used.contains("Z by tester@"), "{used}");
    let object = shown(&sandbox, "token");
    assert!(object["last_used_at"].is_string() && object["last_used_by"].as_str().unwrap().starts_with("tester@"));
    sandbox.ok(["update", "token", "--inactive"]);
    assert!(sandbox.ok(["show", "token"]).text().contains("STATE        inactive since 20"));

    sandbox.create("old", CANARY.as_bytes(), "default");
    expire_after_a_day(&days_ago(&sandbox, 4), "default:old");
    let text = sandbox.ok(["show", "old"]).text();
    assert!(text.contains("STATE        expired since 20") && text.contains(", passed 3 days ago\n"), "{text}");
    assert_eq!(sandbox.run(["reveal", "old"]).code, 25);
}

#[test]
fn what_could_turn_a_line_around_is_escaped_for_people_and_kept_in_json() {
    let sandbox = Sandbox::new();
    let (description, tag) = ("\u{202e}drowssap", "\u{200b}eu");
    with_value(&sandbox, &["create", "token", "--description", description, "--tag", tag]);
    for command in [&["list"][..], &["show", "token"]] {
        let piped = sandbox.ok(command).text();
        let (_, screen) = Terminal::start(&sandbox, command).finish();
        for text in [piped, screen] {
            assert!(text.contains("\\u{202e}") && text.contains("\\u{200b}eu"), "{text}");
            assert!(!text.contains('\u{202e}') && !text.contains('\u{200b}'), "{text}");
        }
    }
    let object = shown(&sandbox, "token");
    assert_eq!((&object["description"], &object["tags"]), (&description.into(), &serde_json::json!([tag])));
}

/// Whoever gives an expired secret a new value may think that it works again.
#[test]
fn a_new_value_that_stays_refused_draws_a_warning() {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), "acme/*/production");
    let scope = ["--scope", "acme/*/production"];
    let write = |arguments: &[&str]| with_value(&sandbox, &[arguments, &scope].concat()).stderr;
    let refused = "warning: the value is refused all the same, it ";
    assert!(!write(&["update", "token"]).contains(refused));
    assert!(!write(&["update", "token", "--inactive"]).contains(refused), "that is what was asked for");
    let run = "run: secretkit update token --scope 'acme/*/production'";
    for arguments in [&["update", "token"][..], &["create", "token", "--overwrite"]] {
        let told = write(arguments);
        assert!(told.contains(&format!("{refused}was switched off at 20")), "{told}");
        assert!(told.contains(&format!("to switch it on, {run} --active\n")), "{told}");
    }
    assert!(!write(&["update", "token", "--active"]).contains(refused));

    expire_after_a_day(&days_ago(&sandbox, 3), "acme/*/production:token");
    let told = write(&["update", "token"]);
    assert!(told.contains(&format!("{refused}expired at 20")), "{told}");
    assert!(told.contains(&format!("to set another expiry, {run} --expires 90d\n")), "{told}");
    let told = sandbox.ok(["rollback", "token", "--to", "1"].iter().chain(&scope)).stderr;
    assert!(told.contains(&format!("{refused}expired at 20")), "{told}");
    assert!(!write(&["update", "token", "--expires", "90d"]).contains(refused));
}
