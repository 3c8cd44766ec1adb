//! The values that a secret had: `history`, `reveal --revision`, `rollback` and `prune`.

use secretkit::ErrorKind;
use serde_json::Value;

use crate::bad_input::refused;
use crate::sandbox::{CANARY, Sandbox, into_closed_pipe};
use crate::terminal::Terminal;

const AT: [&str; 2] = ["--scope", "acme/etl"];

/// One secret at `acme/etl` with these many values, `CANARY 1` and on.
fn furnished(values: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.create("token", value(1).as_bytes(), AT[1]);
    for number in 2..=values {
        let update = ["update", "token", "-f", "-"].into_iter().chain(AT);
        assert_eq!(sandbox.run_with(update, value(number).as_bytes(), &[]).code, 0);
    }
    sandbox
}

fn value(number: usize) -> String {
    format!("{CANARY} {number}")
}

fn history(sandbox: &Sandbox) -> Vec<Value> {
    let outcome = sandbox.ok(["history", "token", "-o", "json"].iter().chain(&AT));
    outcome.json().as_array().unwrap().clone()
}

fn revisions(sandbox: &Sandbox) -> Vec<u64> {
    history(sandbox).iter().map(|row| row["revision"].as_u64().unwrap()).collect()
}

#[test]
fn history_tells_every_kept_value_by_its_digest() {
    let sandbox = furnished(3);
    let again = ["update", "token", "-f", "-", "--actor", "née"].into_iter().chain(AT);
    assert_eq!(sandbox.run_with(again, value(2).as_bytes(), &[]).code, 0);
    let rows = history(&sandbox);
    assert_eq!(revisions(&sandbox), [4, 3, 2, 1]);
    let keys: Vec<_> = rows[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["current", "digest", "revision", "value_at", "value_by"]);
    let current: Vec<_> = rows.iter().map(|row| row["current"].as_bool().unwrap()).collect();
    assert_eq!(current, [true, false, false, false]);
    assert_eq!((rows[0]["value_by"].as_str(), rows[0]["digest"].as_str()), (Some("née"), rows[2]["digest"].as_str()));
    assert_ne!(rows[0]["digest"], rows[1]["digest"]);
    let shown = sandbox.ok(["show", "token", "-o", "json"].iter().chain(&AT)).json();
    assert_eq!((&shown["digest"], &shown["value_at"]), (&rows[0]["digest"], &rows[0]["value_at"]));
    // By its id, and for people.
    let by_id = sandbox.ok(["history", "--id", shown["id"].as_str().unwrap(), "--org", "acme"]).text();
    assert_eq!(by_id, sandbox.ok(["history", "token"].iter().chain(&AT)).text());
    let lines: Vec<_> = by_id.lines().collect();
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["REVISION", "DIGEST", "SET", "BY"]);
    assert!(lines[1].starts_with("4 (current)  ") && lines[1].ends_with("Z  née"), "{by_id}");
    assert!(lines[4].starts_with("1            ") && lines.len() == 5, "{by_id}");
}

#[test]
fn history_is_exact_and_works_whatever_state_the_secret_is_in() {
    let sandbox = furnished(2);
    let outcome = refused(&sandbox, ErrorKind::NotFound, &["history", "token", "--scope", "acme/etl/production"]);
    assert!(outcome.stderr.contains("searched acme/etl/production\""), "{outcome:?}");
    sandbox.ok(["update", "token", "--inactive"].iter().chain(&AT));
    assert_eq!(revisions(&sandbox), [2, 1]);
    sandbox.ok(["rollback", "token", "--to", "1"].iter().chain(&AT));
    sandbox.ok(["prune", "token", "--keep", "0", "--yes"].iter().chain(&AT));
    assert_eq!(revisions(&sandbox), [3]);
    refused(&sandbox, ErrorKind::Inactive, &[&["reveal", "token", "--revision", "3"][..], &AT].concat());
}

#[test]
fn an_earlier_value_is_revealed_at_the_first_scope_that_has_the_secret() {
    let sandbox = furnished(3);
    let task = ["--scope", "acme/etl/production"];
    let revealed = sandbox.ok(["reveal", "token", "--revision", "2"].iter().chain(&task));
    assert_eq!(revealed.stdout, value(2).as_bytes());
    assert!(revealed.stderr.contains("found acme/etl:token, revision 2"), "{revealed:?}");
    assert_eq!(sandbox.ok(["reveal", "token", "--revision=3"].iter().chain(&task)).stdout, value(3).as_bytes());
    let exact = sandbox.ok(["reveal", "token", "--exact", "--revision", "1"].iter().chain(&AT));
    assert_eq!(exact.stdout, value(1).as_bytes());
    let shown = sandbox.ok(["show", "token", "-o", "json"].iter().chain(&AT)).json();
    let by_id = ["reveal", "--id", shown["id"].as_str().unwrap(), "--org", "acme", "--revision", "1"];
    assert_eq!(sandbox.ok(by_id).stdout, value(1).as_bytes());
    // The narrow secret answers, even where it lacks the revision.
    sandbox.create("token", CANARY.as_bytes(), task[1]);
    let outcome =
        refused(&sandbox, ErrorKind::NotFound, &[&["reveal", "token", "--revision", "2"][..], &task].concat());
    let error = outcome.error();
    assert_eq!(error["message"], "not found: revision 2 of acme/etl/production:token; it keeps 1 to 1");
    assert!(error["hint"].as_str().unwrap().ends_with("secretkit history token --scope acme/etl/production"));
}

#[test]
fn a_rollback_is_a_new_revision_with_the_old_value() {
    let sandbox = furnished(2);
    let before = history(&sandbox);
    let rollback = sandbox.ok(["rollback", "token", "--to", "1", "-o", "json"].iter().chain(&AT));
    let object = rollback.json();
    assert_eq!((object["revision"].as_u64(), object["generation"].as_u64()), (Some(3), Some(3)));
    assert_eq!(object["digest"], before[1]["digest"]);
    assert!(rollback.stderr.contains("rolled back acme/etl:token to the value of revision 1, now revision 3"));
    assert_eq!(sandbox.value("token", AT[1]), value(1).as_bytes());
    let after = history(&sandbox);
    assert_eq!(
        after[1..].iter().map(|row| &row["digest"]).collect::<Vec<_>>(),
        [&before[0]["digest"], &before[1]["digest"]]
    );
    // Only where nobody came in between.
    let at = |generation| [&["rollback", "token", "--to", "2", "--if-generation", generation][..], &AT].concat();
    refused(&sandbox, ErrorKind::Conflict, &at("2"));
    assert_eq!(sandbox.ok(at("3")).stdout, b"");
    assert_eq!(sandbox.value("token", AT[1]), value(2).as_bytes());
    let id = object["id"].as_str().unwrap();
    sandbox.ok(["rollback", "--id", id, "--org", "acme", "--to", "1"]);
    assert_eq!(sandbox.value("token", AT[1]), value(1).as_bytes());
}

#[test]
fn there_is_nothing_to_roll_back_to() {
    let sandbox = furnished(2);
    let rollback = |to| [&["rollback", "token", "--to", to][..], &AT].concat();
    refused(&sandbox, ErrorKind::InvalidRequest, &rollback("2"));
    refused(&sandbox, ErrorKind::NotFound, &rollback("3"));
    refused(&sandbox, ErrorKind::NotFound, &rollback("9223372036854775807"));
    refused(&sandbox, ErrorKind::NotFound, &["rollback", "token", "--to", "1", "--scope", "acme/etl/production"]);
    let missing = sandbox.run(["rollback", "token"].iter().chain(&AT));
    assert!(missing.code == 2 && missing.stderr.contains("--to <NUMBER> is missing"), "{missing:?}");
}

#[test]
fn what_is_no_revision_and_no_number_is_refused() {
    let sandbox = furnished(1);
    let secret = &*format!("{CANARY}-typed");
    let hostile = ["0", "-1", "", " 1", "1.5", "0x1", "９", "9223372036854775808", "99999999999999999999999", secret];
    for number in hostile {
        for command in [&["reveal", "token"][..], &["rollback", "token"]] {
            let option = if command[0] == "reveal" { "--revision" } else { "--to" };
            refused(&sandbox, ErrorKind::Usage, &[command, &[&*format!("{option}={number}")], &AT].concat());
        }
        if number != "0" {
            let keep = &*format!("--keep={number}");
            refused(&sandbox, ErrorKind::Usage, &[&["prune", "token", keep, "--yes"][..], &AT].concat());
        }
    }
    refused(&sandbox, ErrorKind::Usage, &[&["prune", "token", "--keep", "4294967296", "--yes"][..], &AT].concat());
    refused(&sandbox, ErrorKind::Usage, &[&["prune", "token", "--yes"][..], &AT].concat());
    refused(&sandbox, ErrorKind::Usage, &["history"]);
    refused(&sandbox, ErrorKind::Usage, &["history", "token", secret]);
}

#[test]
fn prune_destroys_superseded_values_and_nothing_else() {
    let sandbox = furnished(4);
    let prune = |keep| ["prune", "token", "--yes", "-o", "json", "--keep", keep].into_iter().chain(AT);
    let outcome = sandbox.ok(prune("1"));
    assert!(outcome.stderr.contains("destroyed 2 superseded values of acme/etl:token"), "{outcome:?}");
    assert_eq!((outcome.json()["revision"].as_u64(), outcome.json()["generation"].as_u64()), (Some(4), Some(5)));
    assert_eq!(revisions(&sandbox), [4, 3]);
    for keep in ["1", "7", "4294967295"] {
        let outcome = sandbox.ok(prune(keep));
        assert!(outcome.stderr.contains("nothing to prune: acme/etl:token keeps 1 superseded value"), "{outcome:?}");
        assert_eq!(outcome.json()["generation"], 5, "nothing was changed");
    }
    sandbox.ok(prune("0"));
    assert_eq!(revisions(&sandbox), [4]);
    assert_eq!(sandbox.value("token", AT[1]), value(4).as_bytes());
    refused(&sandbox, ErrorKind::NotFound, &[&["rollback", "token", "--to", "3"][..], &AT].concat());
    // It is a matter of now: the next value supersedes this one as ever.
    sandbox.run_with(["update", "token", "-f", "-"].into_iter().chain(AT), value(5).as_bytes(), &[]);
    assert_eq!(revisions(&sandbox), [5, 4]);
}

#[test]
fn prune_asks_and_takes_only_yes() {
    let sandbox = furnished(3);
    let arguments = ["prune", "token", "--keep", "1", "--scope", "acme/etl"];
    let unasked = refused(&sandbox, ErrorKind::Usage, &arguments);
    assert!(unasked.error()["hint"].as_str().unwrap().contains("--yes"), "{unasked:?}");
    let question = "Destroy 1 superseded value of acme/etl:token, all but the last 1? [y/N] ";
    for (answer, kept) in [("n", 3), ("", 3), ("yess", 3), ("y", 2)] {
        let mut terminal = Terminal::start(&sandbox, &arguments);
        terminal.expect(question);
        terminal.type_line(answer);
        let (code, screen) = terminal.finish();
        assert_eq!(code, i32::from(kept == 3), "{answer:?}: {screen}");
        assert_eq!(revisions(&sandbox).len(), kept, "{answer:?}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_a_long_history_quietly() {
    let sandbox = furnished(1);
    sandbox.ok(["update", "token", "--keep", "4000"].iter().chain(&AT));
    for number in 2..=10 {
        sandbox.run_with(["update", "token", "-f", "-"].into_iter().chain(AT), value(number).as_bytes(), &[]);
    }
    for form in ["table", "json"] {
        let mut command = sandbox.command();
        command.args(["history", "token", "-o", form]).args(AT);
        assert_eq!(into_closed_pipe(command), (Some(141), String::new()), "{form}");
    }
}

#[test]
fn a_variable_says_how_many_values_a_store_keeps() {
    let sandbox = Sandbox::new();
    let kept = |number: &str| {
        for value in ["one", "two", "three", "four"] {
            let arguments = ["set", "token", "--overwrite", "-f", "-"];
            let outcome = sandbox.run_with(
                arguments,
                format!("{CANARY}-{value}").as_bytes(),
                &[("SECRETKIT_KEEP", number.as_ref())],
            );
            assert_eq!(outcome.code, 0, "{outcome:?}");
        }
        sandbox.ok(["history", "token", "-o", "json"]).json().as_array().unwrap().len()
    };
    assert_eq!(kept("2"), 3);
    assert_eq!(kept("0"), 1);
    for wrong in ["-1", "x", "4294967296", "1.5"] {
        let outcome = sandbox.run_with(["list"], b"", &[("SECRETKIT_KEEP", wrong.as_ref())]);
        assert_eq!(outcome.code, 12, "{outcome:?}");
    }
}
