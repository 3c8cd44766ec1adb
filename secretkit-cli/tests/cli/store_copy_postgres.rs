//! `store copy` into, out of and between PostgreSQL stores: whole, under other keys, and where it is cut off.

use std::fmt::Write as _;

use rustix::process::Signal;
use secretkit_test_postgres::{Database, Proxy, database};
use serde_json::{Value, json};

use crate::sandbox::{CANARY, Sandbox, text};
use crate::terminal::Terminal;

/// A store with all that there is about secrets: kept values, metadata, consumers, uses, inactive and expiring ones.
fn furnished() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.create("db/password", CANARY.as_bytes(), "acme/etl");
    let described =
        ["--description", "of the reporting role", "--tag", "eu", "--tag", "reports", "--expires", "2099-01-01"];
    for number in 2..=4 {
        let value = format!("{CANARY}-{number}");
        sandbox.ok(["update", "db/password", &value, "--scope", "acme/etl"].iter().chain(&described));
    }
    sandbox.ok(["use", "add", "db/password", "payroll", "--scope", "acme/etl"]);
    sandbox.ok(["run", "--scope", "acme/etl", "--env", "db/password=PW", "--", "true"]);
    sandbox.create("binary", b"one\xff\0\n", "acme/etl/production");
    sandbox.create("token", CANARY.as_bytes(), "acme");
    sandbox.ok(["update", "token", "--inactive", "--scope", "acme"]);
    sandbox.create("token", CANARY.as_bytes(), "beta");
    sandbox
}

/// Where to find each secret of [`furnished`].
const SECRETS: [[&str; 3]; 4] = [
    ["db/password", "--scope", "acme/etl"],
    ["binary", "--scope", "acme/etl/production"],
    ["token", "--scope", "acme"],
    ["token", "--scope", "beta"],
];

/// All that a store tells of its secrets, but for digests, which are each store's own.
fn told(sandbox: &Sandbox, store: &[&str]) -> Vec<Value> {
    let mut told = Vec::new();
    for secret in SECRETS {
        for command in [&["show"][..], &["history"], &["use", "list"]] {
            let mut rows = sandbox.ok(command.iter().chain(&secret).chain(&["-o", "json"]).chain(store)).json();
            for row in rows.as_array_mut().into_iter().flatten() {
                row.as_object_mut().unwrap().remove("digest");
            }
            rows.as_object_mut().map(|object| object.remove("digest"));
            told.push(rows);
        }
    }
    told
}

/// Every value that is kept. To read one is to use it, which the store remembers.
fn values(sandbox: &Sandbox, store: &[&str]) -> Vec<Vec<u8>> {
    let kept =
        ["1", "2", "3", "4"].map(|revision| ["db/password", "--scope", "acme/etl", "--revision", revision].to_vec());
    let binary = ["binary", "--scope", "acme/etl/production"].to_vec();
    let reveal = |of: Vec<&str>| sandbox.ok(["reveal"].iter().chain(&of).chain(store)).stdout;
    kept.into_iter().chain([binary]).map(reveal).collect()
}

#[test]
fn nothing_is_lost_on_the_way_through_two_servers_and_back() {
    let (Some(first), Some(second)) = (database(), database()) else { return };
    let sandbox = furnished();
    let keys: Vec<String> = ["a.key", "b.key"].map(|name| text(&sandbox.other_key(name))).into();
    let file = |name: &str| format!("sqlite:{}", sandbox.path(name).display());
    let own = text(&sandbox.key());
    // Each under other keys than the one before.
    let places = [
        (format!("sqlite:{}", sandbox.store().display()), own.clone()),
        (first.url(), keys[0].clone()),
        (second.url(), keys[1].clone()),
        (file("back.db"), own),
    ];
    let read = values(&sandbox, &[]);
    for pair in places.windows(2) {
        let [(from, from_key), (to, key)] = pair else { unreachable!() };
        let copy = ["store", "copy", "--from", from, "--from-key-file", from_key, "--to", to, "--key-file", key];
        let before = told(&sandbox, &["--store", from, "--key-file", from_key]);
        let copied = sandbox.ok(copy.iter().chain(&["-o", "json"])).json();
        assert_eq!(copied, json!({ "orgs": 2, "secrets": 4, "copied": 4, "equal": 4, "left": [] }));
        let there = ["--store", to.as_str(), "--key-file", key];
        assert_eq!(told(&sandbox, &there), before);
        assert_eq!(values(&sandbox, &there), read);
        let verified = sandbox.ok(["verify"].iter().chain(&there));
        assert!(verified.stderr.contains("nothing is wrong"), "{verified:?}");
        // Events are what happened in a store; in this one it was copied.
        let audited = sandbox.ok(["audit", "--org", "beta"].iter().chain(&there)).text();
        assert!(audited.contains(" copy ") && !audited.contains(" create "), "{audited}");
        // Who is used is not deleted there either.
        let used = sandbox.run(["delete", "db/password", "--scope", "acme/etl", "--yes"].iter().chain(&there));
        assert_eq!(used.code, 23, "{used:?}");
        // A second time there is nothing to do.
        let again = sandbox.ok(copy.iter().chain(&["-o", "json"])).json();
        assert_eq!((&again["copied"], &again["equal"]), (&json!(0), &json!(4)));
        // The key of the store before opens nothing here.
        assert_eq!(sandbox.run(["verify", "--store", to, "--key-file", from_key]).code, 31);
    }
}

#[test]
fn a_server_that_has_what_others_made_keeps_it() {
    let Some(database) = database() else { return };
    let sandbox = furnished();
    let url = database.url();
    sandbox.ok(["create", "token", "other", "--org", "beta", "--store", &url]);
    let copy =
        ["store", "copy", "--from", &format!("sqlite:{}", sandbox.store().display()), "--to", &url, "-o", "json"];
    let copied = sandbox.run(copy);
    assert_eq!(
        (copied.code, &copied.json()["copied"], &copied.json()["left"][0]["finding"]),
        (22, &json!(3), &json!("taken"))
    );
    assert_eq!(sandbox.ok(["reveal", "token", "--org", "beta", "--store", &url]).text(), "other");
}

/// Makes the server refuse what fits the condition, as if it had taken longer than its time.
fn refusing(database: &Database, table: &str, condition: &str) {
    database.sql(&format!(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'not that one' USING ERRCODE = 'query_canceled'; END $$;\
         CREATE TRIGGER refuse BEFORE INSERT ON secretkit.{table} FOR EACH ROW WHEN ({condition}) \
         EXECUTE FUNCTION public.refuse();",
    ));
}

#[test]
fn a_secret_with_many_values_is_sent_once_with_all_of_them() {
    let Some(database) = database() else { return };
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), "acme");
    for number in 0..8 {
        sandbox.ok(["update", "token", &format!("{CANARY}-{number}"), "--org", "acme"]);
    }
    let url = database.url();
    sandbox.ok(["store", "migrate", "--store", &url]);
    database.sql(
        "CREATE TABLE public.written (revision bigint); GRANT INSERT ON public.written TO PUBLIC;\
         CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN INSERT INTO public.written VALUES (NEW.revision); RETURN NEW; END $$;\
         CREATE TRIGGER note AFTER UPDATE ON secretkit.secrets FOR EACH ROW EXECUTE FUNCTION public.note();",
    );
    let from = format!("sqlite:{}", sandbox.store().display());
    let copied = sandbox.ok(["store", "copy", "--from", &from, "--to", &url, "-o", "json"]).json();
    assert_eq!(copied, json!({ "orgs": 1, "secrets": 1, "copied": 1, "equal": 1, "left": [] }));
    assert_eq!(database.sql("SELECT count(*) FROM secretkit.revisions;"), "8");
    assert_eq!(database.sql("SELECT count(*) FROM public.written;"), "1");
}

#[test]
fn a_secret_that_is_too_large_for_the_server_is_left_out_alone() {
    let Some(database) = database() else { return };
    let sandbox = Sandbox::new();
    let large = format!("{CANARY}{}", "x".repeat(64_000));
    sandbox.create("first", CANARY.as_bytes(), "acme");
    sandbox.create("large", large.as_bytes(), "acme");
    // More than 4 MiB together.
    for number in 0..70 {
        let arguments = ["update", "large", "-f", "-", "--keep", "100", "--org", "acme", "-q"];
        let outcome = sandbox.run_with(arguments, format!("{large}{number}").as_bytes(), &[]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
    }
    sandbox.create("last", CANARY.as_bytes(), "acme");
    let url = database.url();
    sandbox.ok(["store", "migrate", "--store", &url]);
    refusing(&database, "revisions", "NEW.revision = 70");
    let from = format!("sqlite:{}", sandbox.store().display());
    let copy = ["store", "copy", "--from", &from, "--to", &url, "-o", "json"];
    let outcome = sandbox.run(copy);
    assert_eq!(outcome.code, 22, "{outcome:?}");
    let report = outcome.json();
    assert_eq!((&report["copied"], &report["equal"]), (&json!(2), &json!(2)), "{report}");
    let left = &report["left"][0];
    assert_eq!((&left["finding"], &left["address"]), (&json!("too_large"), &json!("acme:large")));
    assert!(left["message"].as_str().unwrap().contains("its 71 values have"), "{left}");
    assert!(outcome.stderr.contains("statement_timeout"), "{outcome:?}");
    sandbox.ok(["prune", "large", "--keep", "5", "--org", "acme", "--yes"]);
    database.sql("DROP TRIGGER refuse ON secretkit.revisions;");
    assert_eq!(sandbox.ok(copy).json()["equal"], json!(3));
}

#[test]
fn a_copy_that_fails_in_the_middle_tells_how_far_it_came() {
    let Some((sandbox, database, _proxy)) = many() else { return };
    let url = database.url();
    sandbox.ok(["store", "migrate", "--store", &url]);
    database.sql(
        "CREATE FUNCTION public.filled() RETURNS boolean LANGUAGE sql AS \
         $$ SELECT count(*) >= 300 FROM secretkit.secrets $$;",
    );
    refusing(&database, "secrets", "public.filled()");
    let from = format!("sqlite:{}", sandbox.store().display());
    let copy = ["store", "copy", "--from", &from, "--to", &url, "-o", "json"];
    let outcome = sandbox.run(copy);
    assert_eq!((outcome.code, outcome.error()["error"].as_str()), (41, Some("busy")), "{outcome:?}");
    assert!(outcome.stderr.contains("run the same command again"), "{outcome:?}");
    let report = outcome.json();
    assert_eq!((&report["secrets"], &report["copied"]), (&json!(300), &json!(300)), "{report}");
    assert_eq!((&report["left"][0]["finding"], &report["left"][0]["org"]), (&json!("failed"), &json!("acme")));
    database.sql("DROP TRIGGER refuse ON secretkit.secrets;");
    let again = sandbox.ok(copy).json();
    assert_eq!((&again["copied"], &again["equal"]), (&json!(MANY - 300), &json!(MANY)));
}

const MANY: usize = 1000;

/// A thousand secrets in a file, and a server for them that is reached by a wire which can be stopped.
fn many() -> Option<(Sandbox, Database, Proxy)> {
    let database = database()?;
    let sandbox = Sandbox::new();
    let lines = (0..MANY).fold(String::new(), |mut lines, number| {
        let _ = writeln!(lines, "NAME_{number}={CANARY}-{number}");
        lines
    });
    let path = text(&sandbox.file_with_mode("many.env", lines, 0o600));
    sandbox.ok(["import", &path, "--org", "acme"]);
    let port = database.address().hosts_text().rsplit(':').next()?.parse().ok()?;
    Some((sandbox, database, Proxy::to(port)))
}

/// Stops the wire in the middle: after the first commits, long before the last. Returns how many secrets arrived.
fn stop_in_the_middle(proxy: &Proxy, database: &Database) -> usize {
    let count = || {
        let there = database.sql("SELECT to_regclass('secretkit.secrets') IS NOT NULL;") == "t";
        if there { database.sql("SELECT count(*) FROM secretkit.secrets;").parse().unwrap() } else { 0 }
    };
    // Until it is known that something was committed, the wire flows for a few round trips at a time only.
    loop {
        let before = proxy.round_trips();
        while proxy.round_trips() < before + 2 {
            std::thread::yield_now();
        }
        proxy.stall();
        match count() {
            0 => proxy.flow(),
            arrived => return arrived,
        }
    }
}

#[test]
fn a_copy_that_is_killed_goes_on_where_it_was() {
    let Some((sandbox, database, proxy)) = many() else { return };
    let through = database.address().port(proxy.port()).to_string();
    let from = format!("sqlite:{}", sandbox.store().display());
    let mut child = sandbox.command().args(["store", "copy", "--from", &from, "--to", &through, "-q"]).spawn().unwrap();
    let arrived = stop_in_the_middle(&proxy, &database);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!((1..MANY).contains(&arrived), "{arrived}");
    proxy.refuse();
    // What was on its way may still have taken effect.
    let again = sandbox.ok(["store", "copy", "--from", &from, "--to", &database.url(), "-o", "json"]).json();
    assert_eq!((&again["equal"], &again["left"]), (&json!(MANY), &json!([])));
    let copied = again["copied"].as_u64().unwrap();
    assert!(copied > 0 && copied <= (MANY - arrived) as u64, "{again}, {arrived} were there");
    let verified = sandbox.ok(["verify", "--store", &database.url()]);
    assert!(verified.stderr.contains("nothing is wrong"), "{verified:?}");
}

#[test]
fn a_person_sees_how_far_it_is_and_may_stop_it() {
    let Some((sandbox, database, proxy)) = many() else { return };
    let through = database.address().port(proxy.port()).to_string();
    let from = format!("sqlite:{}", sandbox.store().display());
    let mut terminal = Terminal::start(&sandbox, &["store", "copy", "--from", &from, "--to", &through]);
    stop_in_the_middle(&proxy, &database);
    terminal.expect("copying org acme");
    terminal.signal(&sandbox, Signal::INT);
    proxy.flow();
    let (code, screen) = terminal.finish();
    assert_eq!(code, 130, "{screen}");
    assert!(screen.contains("nothing is lost"), "{screen}");
    let again = sandbox.ok(["store", "copy", "--from", &from, "--to", &database.url(), "-o", "json"]).json();
    assert_eq!((&again["equal"], &again["left"]), (&json!(MANY), &json!([])));
    assert!(again["copied"].as_u64().unwrap() > 0, "{again}");
}
