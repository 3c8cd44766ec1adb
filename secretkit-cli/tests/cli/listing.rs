//! What `list` and `show` print, to programs and to people.

use std::ffi::OsStr;
use std::process::Stdio;

use crate::sandbox::{CANARY, Outcome, Sandbox};
use crate::terminal::Terminal;

const SCOPES: [&str; 4] = ["acme", "acme/etl", "acme/*/production", "acme/etl/production"];

/// One secret of one name at each of the four kinds of scope, and one of another name.
fn furnished() -> Sandbox {
    let sandbox = Sandbox::new();
    for scope in SCOPES {
        sandbox.create("db/password", format!("{CANARY} of {scope}").as_bytes(), scope);
    }
    sandbox.create("api_key", CANARY.as_bytes(), "acme/etl");
    sandbox
}

fn scopes(outcome: &Outcome) -> Vec<String> {
    let of = |object: &serde_json::Value| {
        let part = |key: &str| object[key].as_str().map(str::to_owned);
        [part("org"), part("project"), part("domain")].map(|part| part.unwrap_or("-".to_owned())).join("/")
            + ":"
            + object["name"].as_str().unwrap()
    };
    outcome.json().as_array().unwrap().iter().map(of).collect()
}

#[test]
fn list_is_all_of_the_org_or_exactly_one_scope() {
    let sandbox = furnished();
    let list = |arguments: &[&str], variables: &[(&str, &str)]| {
        let variables: Vec<_> = variables.iter().map(|&(name, value)| (name, OsStr::new(value))).collect();
        let outcome = sandbox.run_with(["ls", "-o", "json"].iter().chain(arguments), b"", &variables);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        scopes(&outcome)
    };
    let all = [
        "acme/etl/-:api_key",
        "acme/-/-:db/password",
        "acme/-/production:db/password",
        "acme/etl/-:db/password",
        "acme/etl/production:db/password",
    ];
    let project = ["acme/etl/-:api_key", "acme/etl/-:db/password"];
    assert_eq!(list(&["--org", "acme"], &[]), all);
    assert_eq!(list(&[], &[("SECRETKIT_ORG", "acme")]), all);
    assert_eq!(list(&["--org", "acme", "--project", "etl"], &[]), project);
    assert_eq!(list(&["-w", "acme/etl"], &[]), project);
    assert_eq!(list(&["--org", "acme", "--domain", "production"], &[]), ["acme/-/production:db/password"]);
    assert_eq!(list(&["--scope", "acme"], &[]), ["acme/-/-:db/password"]);
    assert_eq!(list(&["--org", "other"], &[]), [""; 0]);
    let variables = [("SECRETKIT_ORG", "acme"), ("SECRETKIT_PROJECT", "etl"), ("SECRETKIT_DOMAIN", "")];
    assert_eq!(list(&[], &variables), project);
    assert_eq!(list(&["--all"], &variables), all);
    // Any option of the scope puts the variables for project and domain aside.
    assert_eq!(list(&["--domain", "production"], &variables), ["acme/-/production:db/password"]);
    assert_eq!(list(&["--org", "acme"], &variables), all);
    let everything = [("SECRETKIT_OUTPUT", OsStr::new("json"))];
    let outcome = sandbox.run_with(["list", "--org", "acme"], b"", &everything);
    assert_eq!(scopes(&outcome), all);
}

#[test]
fn list_all_goes_with_no_scope_in_the_org() {
    let sandbox = furnished();
    for arguments in [["--scope", "acme"], ["--project", "etl"], ["--domain", "production"], ["-w", "acme/etl"]] {
        let outcome = sandbox.run(["list", "--all"].iter().chain(&arguments));
        assert_eq!(outcome.code, 2, "{outcome:?}");
        assert!(outcome.stderr.contains("without --scope, --workspace, --project and --domain"), "{outcome:?}");
    }
    sandbox.ok(["list", "--all", "--org", "acme"]);
}

#[test]
fn reveal_resolves_and_says_which_scope_answered() {
    let sandbox = furnished();
    let task = ["--org", "acme", "--project", "etl", "--domain", "production"];
    for scope in SCOPES.iter().rev() {
        let outcome = sandbox.ok(["reveal", "db/password"].iter().chain(&task));
        let nearest = match *scope {
            "acme/*/production" => "acme/etl",
            "acme/etl" => "acme/*/production",
            other => other,
        };
        assert_eq!(outcome.stdout, format!("{CANARY} of {nearest}").as_bytes());
        assert!(outcome.stderr.contains(&format!("found {nearest}:db/password, revision 1")), "{outcome:?}");
        sandbox.ok(["delete", "db/password", "--yes", "--scope", nearest]);
    }
}

#[test]
fn list_json_has_the_documented_keys() {
    let sandbox = furnished();
    let listed = sandbox.ok(["list", "--org", "acme", "--output", "json"]).json();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 5);
    for object in listed {
        let keys: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
        for key in
            ["id", "name", "org", "project", "domain", "revision", "generation", "digest", "created_at", "updated_at"]
        {
            assert!(keys.contains(&key), "{key} in {keys:?}");
        }
        assert_eq!(object["digest"].as_str().unwrap().len(), 44);
        assert_eq!((&object["revision"], &object["generation"]), (&1.into(), &1.into()));
        assert!(object["created_at"].as_str().unwrap().ends_with('Z'));
        let id = object["id"].as_str().unwrap();
        let by_id = sandbox.ok(["show", "--id", id, "--org", "acme", "--output", "json"]);
        let mut shown = by_id.json();
        assert_eq!(shown.as_object_mut().unwrap().remove("consumers").unwrap(), serde_json::json!([]));
        assert_eq!(shown, *object);
    }
    let exact = sandbox.ok(["view", "api_key", "--scope", "acme/etl", "--output", "json"]).json();
    assert_eq!((&exact["project"], &exact["domain"]), (&"etl".into(), &serde_json::Value::Null));
}

#[test]
fn ids_work_for_every_command_that_takes_one() {
    let sandbox = furnished();
    let id =
        sandbox.ok(["show", "api_key", "--scope", "acme/etl", "-o", "json"]).json()["id"].as_str().unwrap().to_owned();
    let with_id = |command: &[&str]| sandbox.ok(command.iter().chain(&["--id", &id, "--org", "acme"]));
    with_id(&["update", "-v", "by id"]);
    assert_eq!(with_id(&["reveal"]).stdout, b"by id");
    with_id(&["update", "-v", "by id again", "--if-generation", "2"]);
    assert!(with_id(&["show"]).text().contains("REVISION     3"));
    // An id does not reach across orgs.
    assert_eq!(sandbox.run(["show", "--id", &id]).code, 20);
    assert!(with_id(&["delete", "--yes"]).stderr.contains("deleted acme/etl:api_key, revision 3"));
    assert_eq!(sandbox.run(["show", "api_key", "--scope", "acme/etl"]).code, 20);
}

#[test]
fn the_table_fits_80_columns_and_colours_follow_the_rules() {
    let sandbox = furnished();
    let (code, screen) = Terminal::start(&sandbox, &["list", "--org", "acme"]).finish();
    assert_eq!(code, 0);
    let (heading, lines) = screen.split_once('\n').unwrap();
    assert!(heading.starts_with("\u{1b}[1mNAME") && heading.ends_with("STATE\u{1b}[0m"), "{heading:?}");
    assert_eq!(lines.lines().count(), 5);
    for line in screen.lines() {
        let line = line.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
        assert!(line.chars().count() <= 80, "{line:?}");
    }
    for scope in SCOPES {
        assert!(lines.contains(&format!("  {scope} ")), "scopes are never cut: {lines}");
    }
    for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let (_, screen) = Terminal::start_with(&sandbox, &["list", "--org", "acme"], &[variable]).finish();
        assert!(!screen.contains('\u{1b}'), "{variable:?}");
    }
    // To a pipe nothing is cut and nothing coloured.
    let piped = sandbox.ok(["list", "--org", "acme"]).text();
    let digests = sandbox.ok(["list", "--org", "acme", "-o", "json"]).json();
    for object in digests.as_array().unwrap() {
        assert!(piped.contains(object["digest"].as_str().unwrap()), "{piped}");
    }
    assert!(!piped.contains('\u{1b}'));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = Sandbox::new();
    // More than a pipe holds.
    for number in 0..600 {
        let name = format!("{}{number}", "n".repeat(100));
        sandbox.create(&name, CANARY.as_bytes(), "acme");
    }
    let listed = sandbox.ok(["list", "--org", "acme", "-o", "json"]).json();
    assert_eq!(listed.as_array().unwrap().len(), 600, "more than one page");
    for form in ["table", "json"] {
        let mut command = sandbox.command();
        command.args(["list", "--org", "acme", "-o", form]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(141), "{output:?}");
        assert_eq!(output.stderr, b"", "nothing is said");
    }
}

/// The command cannot tell it from an output that was closed: Python's `subprocess.DEVNULL` is one.
#[test]
#[cfg(target_os = "linux")]
fn an_output_that_takes_nothing_is_told_and_one_that_takes_all_is_not() {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), "default");
    let list = |place: &str| {
        let place = std::fs::OpenOptions::new().read(true).write(true).open(place).unwrap();
        let mut command = sandbox.command();
        command.arg("list").stdout(place).stderr(Stdio::piped());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(list("/dev/null"), (Some(0), String::new()));
    let (code, told) = list("/dev/full");
    assert_eq!(code, Some(i32::from(secretkit::ErrorKind::Full.exit_code())));
    assert!(told.starts_with("error: standard output: "), "{told}");
}
