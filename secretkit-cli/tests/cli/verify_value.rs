//! `verify-value`: is it the value, without a look at it.

use secretkit::{ErrorKind, Secrets};

use crate::bad_input::{refused, refused_with};
use crate::sandbox::{CANARY, Outcome, Sandbox, into_closed_pipe, text};
use crate::terminal::Terminal;

const AT: [&str; 2] = ["--scope", "acme/etl"];

fn furnished() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), AT[1]);
    sandbox
}

/// Compares what comes on standard input.
fn compare(sandbox: &Sandbox, input: &[u8], more: &[&str]) -> Outcome {
    let arguments = ["verify-value", "-f", "-"].iter().chain(more);
    sandbox.run_with(arguments, input, &[])
}

#[test]
fn the_same_value_matches_and_another_is_an_exit_code_of_its_own() {
    let sandbox = furnished();
    let named = ["token", "--scope", AT[1]];
    let same = compare(&sandbox, CANARY.as_bytes(), &named);
    assert_eq!((same.code, same.text().as_str(), same.stderr.as_str()), (0, "matches\n", ""));
    let same = compare(&sandbox, CANARY.as_bytes(), &[&named[..], &["-o", "json"]].concat());
    assert_eq!((same.code, same.text().as_str(), same.stderr.as_str()), (0, "{\"matches\":true}\n", ""));
    let all: Vec<u8> = (0..=255).collect();
    for other in [&b"x"[..], &CANARY.as_bytes()[1..], &all, format!("{CANARY} ").as_bytes()] {
        let differs = compare(&sandbox, other, &named);
        assert_eq!((differs.code, differs.text().as_str()), (28, ""), "{differs:?}");
        assert_eq!(differs.stderr, "error: mismatch: this is not the current value of acme/etl:token\n");
        let differs = compare(&sandbox, other, &[&named[..], &["-o", "json"]].concat());
        assert_eq!((differs.code, differs.text().as_str()), (28, "{\"matches\":false}\n"), "{differs:?}");
        assert_eq!(differs.error()["error"], ErrorKind::Mismatch.as_str());
    }
}

#[test]
fn an_empty_value_is_compared_only_where_it_is_meant() {
    let sandbox = furnished();
    let named = ["token", "--scope", AT[1], "--output", "json"];
    let refused = compare(&sandbox, b"", &named);
    assert_eq!((refused.code, refused.text().as_str()), (16, ""), "{refused:?}");
    let differs = compare(&sandbox, b"", &[&named[..], &["--allow-empty"]].concat());
    assert_eq!((differs.code, differs.text().as_str()), (28, "{\"matches\":false}\n"), "{differs:?}");
}

#[test]
fn the_value_comes_from_where_one_is_created_from() {
    let sandbox = furnished();
    let id = sandbox.ok(["show", "token", "-o", "json"].iter().chain(&AT)).json()["id"].as_str().unwrap().to_owned();
    let ended = text(&sandbox.file("ended", format!("{CANARY}\n")));
    let file = text(&sandbox.file("value", CANARY));
    let base64 = text(&sandbox.file("value.b64", "Y0FuQXJZLTdmWnE=\n"));
    for arguments in [
        &["token", "-f", &*file, "--scope", AT[1]][..],
        &["token", CANARY, "--scope", AT[1]],
        &["--name", "token", "--value", CANARY, "--scope", AT[1]],
        &["--id", &*id, "-f", &*file, "--org", "acme"],
        &["token", "-f", &*base64, "--base64", "--trim-newline", "--scope", AT[1]],
        &["token", "-f", &*ended, "--trim-newline", "--scope", AT[1]],
    ] {
        let outcome = sandbox.ok(["verify-value"].iter().chain(arguments));
        assert_eq!(outcome.text(), "matches\n", "{arguments:?}");
        let typed = arguments.contains(&CANARY);
        assert_eq!(outcome.stderr.contains("warning: a value on the command line"), typed, "{outcome:?}");
    }
    // A line end is a byte, and said to be one where that may be the reason.
    let outcome = sandbox.run(["verify-value", "token", "-f", &ended].iter().chain(&AT));
    assert!(
        outcome.code == 28 && outcome.stderr.contains("\nhint: what was given ends in a newline, which counts"),
        "{outcome:?}"
    );
    let by_id = compare(&sandbox, b"x", &["--id", &id, "--org", "acme"]);
    assert!(by_id.code == 28 && by_id.stderr.contains(&id), "{by_id:?}");
}

#[test]
fn it_asks_and_shows_nothing() {
    let sandbox = furnished();
    for (typed, code, said) in [(CANARY, 0, "matches"), ("cAnArY-7fZ", 28, "error: mismatch")] {
        let mut terminal = Terminal::start(&sandbox, &["verify-value", "token", "--scope", AT[1]]);
        terminal.expect("Enter secret value: ");
        terminal.type_line(typed);
        let (ended, screen) = terminal.finish();
        assert!(ended == code && screen.contains(said) && !screen.contains(typed), "{screen}");
    }
    refused(&sandbox, ErrorKind::NoValue, &[&["verify-value", "token"][..], &AT].concat());
}

#[test]
fn only_the_current_value_at_exactly_this_scope_counts() {
    let sandbox = furnished();
    let update = ["update", "token", "-f", "-", "--scope", AT[1]];
    assert_eq!(sandbox.run_with(update, format!("{CANARY} 2").as_bytes(), &[]).code, 0);
    assert_eq!(compare(&sandbox, CANARY.as_bytes(), &["token", "--scope", AT[1]]).code, 28);
    assert_eq!(compare(&sandbox, format!("{CANARY} 2").as_bytes(), &["token", "--scope", AT[1]]).code, 0);
    let arguments = ["verify-value", "token", "-f", "-", "--scope", "acme/etl/production"];
    refused_with(&sandbox, ErrorKind::NotFound, &arguments, CANARY.as_bytes(), &[]);
    let other = text(&sandbox.other_key("other.key"));
    let arguments = ["verify-value", "token", "-f", "-", "--scope", AT[1], "--key-file", &other];
    refused_with(&sandbox, ErrorKind::WrongRootKey, &arguments, CANARY.as_bytes(), &[]);
    let long = vec![b'x'; Secrets::DEFAULT_VALUE_LIMIT + 1];
    let arguments = ["verify-value", "token", "-f", "-", "--scope", AT[1]];
    refused_with(&sandbox, ErrorKind::TooLarge, &arguments, &long, &[]);
    refused_with(&sandbox, ErrorKind::InvalidEncoding, &[&arguments[..], &["--base64"]].concat(), b"!", &[]);
}

#[test]
fn it_works_for_an_inactive_secret_and_is_no_use() {
    let sandbox = furnished();
    let used = |sandbox: &Sandbox| {
        let shown = sandbox.ok(["show", "token", "-o", "json"].iter().chain(&AT)).json();
        assert_eq!(shown["generation"], 2);
        shown["last_used_at"].clone()
    };
    sandbox.ok(["update", "token", "--inactive"].iter().chain(&AT));
    assert_eq!(compare(&sandbox, CANARY.as_bytes(), &["token", "--scope", AT[1]]).code, 0);
    assert!(used(&sandbox).is_null());
    // A look at it would be one.
    sandbox.ok(["update", "token", "--active"].iter().chain(&AT));
    sandbox.value("token", AT[1]);
    let shown = sandbox.ok(["show", "token", "-o", "json"].iter().chain(&AT)).json();
    assert!(shown["last_used_at"].is_string(), "{shown}");
}

#[test]
fn a_reader_that_goes_away_is_told_by_the_exit_code() {
    let sandbox = furnished();
    let file = text(&sandbox.file("value", CANARY));
    let mut command = sandbox.command();
    command.args(["verify-value", "token", "-f", &file]).args(AT);
    assert_eq!(into_closed_pipe(command), (Some(141), String::new()));
}
