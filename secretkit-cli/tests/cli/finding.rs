//! `list` by what is kept about secrets, and as a task would see them.

use crate::metadata::{days_ago, expire_after_a_day};
use crate::sandbox::{CANARY, Sandbox};
use crate::terminal::Terminal;

fn furnished() -> Sandbox {
    let sandbox = Sandbox::new();
    let create = |arguments: &[&str]| {
        let arguments = [&["create", "-f", "-", "-q", "--scope"], arguments].concat();
        let outcome = sandbox.run_with(arguments, CANARY.as_bytes(), &[]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
    };
    create(&["acme", "API_KEY", "--tag", "eu", "--description", "100 % of the Payroll"]);
    create(&["acme/etl", "db/password", "--tag", "eu", "--tag", "payroll", "--expires", "20d"]);
    create(&["acme/etl/production", "db/password", "--expires", "40d"]);
    create(&["acme/*/production", "db/password"]);
    create(&["acme/etl", "off", "--inactive"]);
    create(&["acme/web", "old"]);
    expire_after_a_day(&days_ago(&sandbox, 4), "acme/web:old");
    sandbox
}

/// What a listing of the org shows.
#[track_caller]
fn listed(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let all = [&["list", "-o", "json"], arguments].concat();
    let outcome = sandbox.ok(all);
    let address = |object: &serde_json::Value| {
        let [project, domain] = ["project", "domain"].map(|part| object[part].as_str());
        let scope = match (project, domain) {
            (project, Some(domain)) => format!("{}/{domain}", project.unwrap_or("*")),
            (project, None) => project.unwrap_or("-").to_owned(),
        };
        format!("{scope}:{}", object["name"].as_str().unwrap())
    };
    outcome.json().as_array().unwrap().iter().map(address).collect()
}

#[test]
fn each_condition_finds_what_it_says() {
    let sandbox = furnished();
    let cases: &[(&[&str], &[&str])] = &[
        (&["--search", "payroll"], &["-:API_KEY", "etl:db/password"]),
        (&["--search", "api"], &["-:API_KEY"]),
        (&["--search", "0 %"], &["-:API_KEY"]),
        (&["--search", "b/pass", "--tag", "eu"], &["etl:db/password"]),
        (&["--search", ".*"], &[]),
        (&["--tag", "eu"], &["-:API_KEY", "etl:db/password"]),
        (&["--tag", "eu", "--tag", "payroll"], &["etl:db/password"]),
        (&["--tag", "EU"], &[]),
        (&["--expiring", "30d"], &["etl:db/password"]),
        (&["--expiring", "6w"], &["etl:db/password", "etl/production:db/password"]),
        (&["--expired"], &["web:old"]),
        (&["--expiring", "30d", "--expired"], &["web:old", "etl:db/password"]),
        (&["--inactive"], &["etl:off"]),
        (&["--active", "--tag", "payroll"], &["etl:db/password"]),
        (&["--expired", "--inactive"], &[]),
    ];
    for (arguments, expected) in cases {
        assert_eq!(listed(&sandbox, &[&["--org", "acme"], *arguments].concat()), *expected, "{arguments:?}");
    }
    assert_eq!(listed(&sandbox, &["--org", "acme", "--active"]).len(), 5);
}

#[test]
fn unused_is_older_and_without_a_use_on_record() {
    let sandbox = furnished();
    let earlier = days_ago(&sandbox, 100);
    for name in ["forgotten", "used"] {
        let id = format!("acme:{name}").parse().unwrap();
        let value = secretkit::SecretValue::copied_from(CANARY.as_bytes());
        earlier.put(&id, &value, secretkit::PutMode::Create).unwrap();
    }
    let unused = || listed(&sandbox, &["--org", "acme", "--unused-since", "90d"]);
    assert_eq!(unused(), ["-:forgotten", "-:used"]);
    sandbox.value("used", "acme");
    assert_eq!(unused(), ["-:forgotten"]);
    assert_eq!(listed(&sandbox, &["--org", "acme", "--unused-since", "101d"]), [""; 0]);
    assert_eq!(listed(&sandbox, &["--scope", "acme", "--effective", "--unused-since", "90d"]), ["-:forgotten"]);
    let object = &sandbox.ok(["list", "--org", "acme", "--search", "used", "-o", "json"]).json()[0];
    assert!(object["last_used_at"].is_string() && object["last_used_by"].is_string(), "{object}");
}

#[test]
fn within_is_a_project_with_all_its_domains() {
    let sandbox = furnished();
    // Names without a group come first.
    let project = ["etl:off", "etl:db/password", "etl/production:db/password"];
    assert_eq!(listed(&sandbox, &["--within", "--org", "acme", "-p", "etl"]), project);
    assert_eq!(listed(&sandbox, &["--within", "--scope", "acme/etl"]), project);
    assert_eq!(listed(&sandbox, &["--within", "-w", "acme/etl", "--inactive"]), ["etl:off"]);
    for wrong in [&["--org", "acme"][..], &["--scope", "acme/etl/production"], &["--scope", "acme/*/production"]] {
        let outcome = sandbox.run(["list", "--within"].iter().chain(wrong));
        assert!(outcome.code == 2 && outcome.stderr.contains("a project with all its domains"), "{outcome:?}");
    }
}

#[test]
fn effective_is_what_a_task_gets_and_what_that_hides() {
    let sandbox = furnished();
    let task = ["--effective", "--scope", "acme/etl/production"];
    assert_eq!(listed(&sandbox, &task), ["-:API_KEY", "etl:off", "etl/production:db/password"]);
    // A condition is about what answers, not about what is hidden.
    assert_eq!(listed(&sandbox, &[&task[..], &["--tag", "payroll"]].concat()), [""; 0]);
    assert_eq!(listed(&sandbox, &[&task[..], &["--search", "db"]].concat()), ["etl/production:db/password"]);
    let objects = sandbox.ok([&["list", "-o", "json"], &task[..]].concat()).json();
    assert_eq!(objects[0]["hides"], serde_json::json!([]));
    assert_eq!(objects[2]["hides"], serde_json::json!(["acme/etl:db/password", "acme/*/production:db/password"]));
    assert!(sandbox.ok(["list", "--org", "acme", "-o", "json"]).json()[0].get("hides").is_none());
    let table = sandbox.ok([&["list"], &task[..]].concat()).text();
    let heading: Vec<_> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heading, ["NAME", "DIGEST", "SCOPE", "DATE", "STATE", "HIDES", "TAGS", "DESCRIPTION"]);
    assert!(table.lines().nth(3).unwrap().ends_with("acme/etl, acme/*/production"), "{table}");
    let (code, screen) = Terminal::start(&sandbox, &[&["list"], &task[..]].concat()).finish();
    assert!(code == 0 && screen.contains("acme/etl, acme/*/production"), "never cut: {screen}");
}

#[test]
fn contradictions_and_nonsense_are_refused() {
    let sandbox = Sandbox::new();
    for pair in
        [["--active", "--inactive"], ["--within", "--effective"], ["--all", "--within"], ["--all", "--effective"]]
    {
        let outcome = sandbox.run(["list", "-p", "etl"].iter().chain(&pair));
        assert!(outcome.code == 2 && outcome.stderr.contains("contradict each other"), "{pair:?}: {outcome:?}");
    }
    let long = format!("--search={}", "x".repeat(1025));
    for (option, words) in [
        ("--expiring=soon", "such as 30m, 12h, 90d or 4w"),
        ("--unused-since=2020-01-01", "such as 30m, 12h, 90d or 4w"),
        ("--search=", "search text"),
        (&long, "search text"),
        ("--tag=", "tag"),
    ] {
        let outcome = sandbox.run(["list", option]);
        assert!(outcome.code == 12 && outcome.stderr.contains(words), "{option}: {outcome:?}");
    }
    assert!(!sandbox.store().exists());
}

#[test]
fn nothing_found_is_said_and_no_error() {
    let sandbox = furnished();
    for (arguments, notice) in [
        (&["--org", "acme", "--tag", "none"][..], "there are no such secrets in org acme"),
        (&["--scope", "acme/gone", "--within"], "there are no secrets in acme/gone and its domains"),
        (&["--scope", "other/etl", "--effective"], "there are no secrets for a task at other/etl"),
        (&["--scope", "acme", "--unused-since", "1d"], "there are no such secrets in acme"),
    ] {
        let outcome = sandbox.ok([&["list", "-o", "json"], arguments].concat());
        assert_eq!((outcome.error()["notice"].as_str(), outcome.text().as_str()), (Some(notice), "[]\n"));
    }
}

#[test]
fn the_table_shows_states_and_labels_and_fits_the_terminal() {
    let sandbox = furnished();
    let piped = sandbox.ok(["list", "--org", "acme"]).text();
    let row = |name: &str, scope: &str| {
        let is_it = |line: &&str| line.starts_with(&format!("{name} ")) && line.contains(&format!(" {scope} "));
        piped.lines().find(is_it).unwrap_or_else(|| panic!("{name}: {piped}"))
    };
    assert!(row("API_KEY", "acme").contains("active") && row("API_KEY", "acme").ends_with("100 % of the Payroll"));
    assert!(
        row("db/password", "acme/etl").contains("Z  until 20")
            && row("db/password", "acme/etl").ends_with("eu, payroll")
    );
    assert!(row("off", "acme/etl").ends_with("Z  inactive") && row("old", "acme/web").ends_with("Z  expired"));
    let (_, screen) = Terminal::start(&sandbox, &["list", "--org", "acme"]).finish();
    let plain = |line: &str| {
        ["\u{1b}[1m", "\u{1b}[31m", "\u{1b}[33m", "\u{1b}[0m"]
            .iter()
            .fold(line.to_owned(), |line, code| line.replace(code, ""))
    };
    for line in screen.lines() {
        assert!(plain(line).chars().count() <= 80, "{line:?}");
    }
    assert!(
        screen.contains("\u{1b}[31minactive\u{1b}[0m") && screen.contains("\u{1b}[31mexpired\u{1b}[0m"),
        "{screen:?}"
    );
    assert!(screen.contains("\u{1b}[33muntil 20"), "it ends within a month: {screen:?}");
    let (_, screen) = Terminal::start_with(&sandbox, &["list", "--org", "acme"], &[("NO_COLOR", "1")]).finish();
    assert!(!screen.contains('\u{1b}'), "{screen:?}");
    // Where there is room, tags and descriptions are shown, cut to it.
    let (_, screen) = Terminal::start(&sandbox, &["list", "--scope", "acme"]).finish();
    assert!(screen.contains("  TAGS  DESCRIPTION") && screen.contains("  eu    100 %"), "{screen}");
}
