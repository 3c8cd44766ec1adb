//! Each promise of `SECURITY.md` names tests that are there, and so does each invariant of `docs/architecture.md`.

#![allow(clippy::panic, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const PROMISES_UNDER: [&str; 6] = [
    "Whoever can read the store",
    "Whoever can write the store",
    "Whoever logs in to the server",
    "Whoever is on the same machine",
    "Logs, errors and outputs",
    "Names, scopes and times",
];

#[test]
fn every_promise_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let document = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let mut proven = BTreeSet::new();
    for heading in PROMISES_UNDER {
        let (_, section) = document.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
        let section = section.split("\n## ").next().unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise "));
        let mut promises = 0;
        for row in rows {
            let cells: Vec<_> = row.trim_matches('|').rsplitn(2, " | ").collect();
            let [shown_by, promise] = cells[..] else { panic!("{heading}: {row}") };
            let tests = tests(shown_by);
            assert!(!tests.is_empty(), "{promise} is shown by nothing");
            for (path, test) in tests {
                let text = fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
                assert!(is_test(path, &text, test), "{promise}: there is no test {test} in {path}");
                proven.insert((path, test));
            }
            promises += 1;
        }
        assert!(promises >= 3, "{heading} promises {promises} things");
    }
    assert!(proven.len() >= 60, "{} tests", proven.len());
}

#[test]
fn a_name_that_is_no_test_is_noticed() {
    assert_eq!(tests("`a/b.rs`: `one_test`, `another`; `c.py`: `test_it`, and more").len(), 3);
    let rust = "fn helper() {}\n\n#[test]\n#[ignore]\nfn a_test() {}\n\npub fn a_law(factory: &Factory<'_>) {}\n";
    assert!(is_test("src/x.rs", rust, "a_test") && !is_test("src/x.rs", rust, "helper"));
    assert!(!is_test("src/x.rs", rust, "a_law") && is_test("src/conformance/x.rs", rust, "a_law"));
    assert!(!is_test("src/x.rs", rust, "a_tes") && is_test("x.py", "\ndef test_it() -> None:", "test_it"));
}

#[test]
fn every_invariant_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let document = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let (_, section) = document.split_once("\n## Invariants, and the test that guards each\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut named = 0;
    for row in section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| invariant ")) {
        let shown_by = row.trim_matches('|').rsplit(" | ").next().unwrap();
        // A path here is as short as can be found, and some rows tell of whole files.
        for (path, test) in tests(shown_by).into_iter().filter(|(_, test)| is_name(test)) {
            assert!(is_anywhere(root, test), "there is no test {test}, which is said to be in {path}");
            named += 1;
        }
    }
    assert!(named >= 30, "{named} tests");
    assert!(!is_anywhere(root, &"no_test_has_this_name".repeat(2)));
}

/// Whether it can be the name of a test, and is not a crate, a folder, or a pattern of several.
fn is_name(text: &str) -> bool {
    text.contains('_') && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Whether some file of tests, or of a crate with tests in it, has a function of this name.
fn is_anywhere(root: &Path, test: &str) -> bool {
    let (rust, python) = (format!("fn {test}("), format!("def {test}("));
    let mut folders: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.join("Cargo.toml").is_file());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
                let text = fs::read_to_string(path).unwrap();
                if text.contains(&rust) || text.contains(&python) {
                    return true;
                }
            }
        }
    }
    false
}

/// The tests of a cell: a path, and behind it the names of what is in it.
fn tests(cell: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut path = "";
    for quoted in cell.split('`').skip(1).step_by(2) {
        match quoted.ends_with(".rs") || quoted.ends_with(".py") {
            true => path = quoted,
            false => found.push((path, quoted)),
        }
    }
    found
}

fn is_test(path: &str, text: &str, name: &str) -> bool {
    let (rust, python) = (format!("fn {name}("), format!("def {name}("));
    let lines: Vec<_> = text.lines().map(str::trim_start).collect();
    if path.ends_with(".py") {
        return name.starts_with("test_") && lines.iter().any(|line| line.starts_with(&python));
    }
    lines.iter().enumerate().any(|(at, line)| {
        // A law of the kit is a public function that each store's tests run.
        let is_law = path.contains("/conformance/") && line.starts_with("pub fn");
        let marked = || lines[at.saturating_sub(4)..at].iter().rev().take_while(|line| line.starts_with("#["));
        line.contains(&rust) && (is_law || marked().any(|line| *line == "#[test]"))
    })
}
