//! Who uses a secret, and what that stops.

use std::sync::Arc;

use secretkit::{Actor, Consumer, ManualClock, Secrets};

use crate::metadata::days_ago;
use crate::sandbox::{CANARY, Sandbox};
use crate::terminal::Terminal;

fn secrets(sandbox: &Sandbox) -> Secrets {
    days_ago(sandbox, 0)
}

fn consumer(name: &str) -> Consumer {
    name.parse().unwrap()
}

fn used() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), "acme/etl");
    for name in ["payroll.jobs:nightly", "reports"] {
        secrets(&sandbox).add_consumer(&"acme/etl:token".parse().unwrap(), &consumer(name)).unwrap();
    }
    sandbox
}

#[test]
fn a_secret_in_use_is_not_deleted_whatever_is_said() {
    let sandbox = used();
    let before = sandbox.state();
    let delete = ["delete", "token", "--scope", "acme/etl"];
    let refused = "error: in use: acme/etl:token is used by payroll.jobs:nightly, reports";
    let outcome = sandbox.run(delete.iter().chain(&["--yes"]));
    assert!(outcome.code == 23 && outcome.stderr.contains(refused), "{outcome:?}");
    assert!(
        outcome.stderr.contains("hint: to see them, run: secretkit use list token --scope acme/etl"),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("secretkit update token --scope acme/etl --inactive"), "{outcome:?}");
    let outcome = sandbox.run(delete.iter().chain(&["--yes", "-o", "json"]));
    assert_eq!((outcome.code, &outcome.error()["error"]), (23, &"in_use".into()));
    assert_eq!(sandbox.state(), before);
    // Nobody is asked what could not be done.
    let (code, screen) = Terminal::start(&sandbox, &delete).finish();
    assert!(code == 23 && screen.contains(refused) && !screen.contains("[y/N]"), "{screen}");
    assert_eq!(sandbox.value("token", "acme/etl"), CANARY.as_bytes());
    for name in ["payroll.jobs:nightly", "reports"] {
        secrets(&sandbox).remove_consumer(&"acme/etl:token".parse().unwrap(), &consumer(name)).unwrap();
    }
    sandbox.ok(delete.iter().chain(&["--yes"]));
}

#[test]
fn a_consumer_that_comes_while_the_question_is_asked_still_stops_it() {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), "default");
    let mut terminal = Terminal::start(&sandbox, &["delete", "token"]);
    terminal.expect("(no use is recorded)? [y/N] ");
    secrets(&sandbox).add_consumer(&"default:token".parse().unwrap(), &consumer("late")).unwrap();
    terminal.type_line("y");
    let (code, screen) = terminal.finish();
    assert!(code == 23 && screen.contains("is used by late"), "{screen}");
    assert_eq!(sandbox.value("token", "default"), CANARY.as_bytes());
}

#[test]
fn delete_names_who_used_it_lately() {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), "default");
    let then = days_ago(&sandbox, 3);
    let clock = ManualClock::new(then.clock().now());
    // The text of an actor comes from outside too.
    let reader = then.with_actor(Actor::parse("nightly\u{202e}@host").unwrap()).with_clock(Arc::new(clock));
    reader.get(&"default:token".parse().unwrap()).unwrap();
    drop(reader);
    let mut terminal = Terminal::start(&sandbox, &["delete", "token", "-q"]);
    terminal.expect("Delete default:token with its 1 revision (last used 3 days ago by nightly\\u{202e}@host)? [y/N] ");
    terminal.type_line("yes");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn switching_off_is_always_allowed_and_names_the_consumers() {
    let sandbox = used();
    let update = ["update", "token", "--scope", "acme/etl"];
    let outcome = sandbox.ok(update.iter().chain(&["--inactive"]));
    let warning = "warning: acme/etl:token is still used by payroll.jobs:nightly, reports\n";
    assert_eq!(outcome.stderr, format!("{warning}updated acme/etl:token, generation 2\n"));
    let outcome = sandbox.ok(update.iter().chain(&["--tag", "leaked"]));
    assert!(!outcome.stderr.contains("still used"), "{outcome:?}");
    let arguments = ["set", "token", "--scope", "acme/etl", "--overwrite", "--inactive", "-f", "-"];
    let outcome = sandbox.run_with(arguments, CANARY.as_bytes(), &[]);
    assert!(outcome.code == 0 && outcome.stderr.contains(warning), "{outcome:?}");
    assert_eq!(sandbox.run(["reveal", "token", "--scope", "acme/etl"]).code, 24);
}

#[test]
fn show_lists_the_consumers() {
    let sandbox = used();
    let shown = sandbox.ok(["show", "token", "--scope", "acme/etl"]).text();
    assert!(shown.contains("\nUSED BY      payroll.jobs:nightly, last seen 20"), "{shown}");
    assert!(shown.contains("\n             reports, last seen 20"), "{shown}");
    let object = sandbox.ok(["show", "token", "--scope", "acme/etl", "-o", "json"]).json();
    let names: Vec<_> = object["consumers"].as_array().unwrap().iter().map(|consumer| &consumer["name"]).collect();
    assert_eq!(names, ["payroll.jobs:nightly", "reports"]);
    assert!(object["consumers"][0]["seen_at"].is_string() && object["consumers"][0]["seen_by"].is_string());
}
