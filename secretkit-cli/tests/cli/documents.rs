//! What `docs/cli.md` promises is what the command does.

use std::collections::BTreeSet;

use secretkit::ErrorKind;

use crate::sandbox::{CANARY, Sandbox};

const PAGE: &str = include_str!("../../../docs/cli.md");

/// The cells of the rows of a table that begins with this line.
fn table(heading: &str) -> Vec<Vec<String>> {
    let rows: Vec<_> = PAGE
        .lines()
        .skip_while(|line| *line != heading)
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect())
        .collect();
    assert!(!rows.is_empty(), "no table {heading}");
    rows
}

#[test]
fn the_table_of_exit_codes_is_the_table_of_kinds() {
    let documented: Vec<_> =
        table("| code | kind | means |").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let kinds: Vec<_> =
        ErrorKind::ALL.iter().map(|kind| (kind.exit_code().to_string(), kind.as_str().to_owned())).collect();
    assert_eq!(documented, kinds);
}

#[test]
fn the_table_of_json_keys_is_what_is_printed() {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), "acme");
    let shown = sandbox.ok(["show", "token", "--scope", "acme", "--output", "json"]).json();
    let keys: BTreeSet<String> = shown.as_object().unwrap().keys().cloned().collect();
    let documented: BTreeSet<String> = table("| key | is |").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(keys, documented);
}

#[test]
fn the_tables_of_json_keys_of_lines_are_what_is_printed() {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), "acme");
    sandbox.ok(["use", "add", "token", "payroll", "--org", "acme"]);
    for (command, heading) in [("history", "| key of `history` | is |"), ("use list", "| key of `use list` | is |")] {
        let printed = sandbox.ok(command.split(' ').chain(["token", "--org", "acme", "-o", "json"])).json();
        let keys: BTreeSet<String> = printed[0].as_object().unwrap().keys().cloned().collect();
        let documented: BTreeSet<String> = table(heading).into_iter().map(|row| row[0].clone()).collect();
        assert_eq!(keys, documented, "{command}");
    }
}

#[test]
fn the_table_of_keys_of_an_import_is_what_is_printed() {
    let sandbox = Sandbox::new();
    sandbox.file("a.env", format!("A={CANARY}\n"));
    let printed = sandbox.ok(["import", "a.env", "-o", "json"]).json();
    let keys: BTreeSet<String> = printed.as_object().unwrap().keys().cloned().collect();
    let documented: BTreeSet<String> =
        table("| key of `import` | is |").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(keys, documented);
}

#[test]
fn the_tables_of_json_keys_of_keys_and_upkeep_are_what_is_printed() {
    let sandbox = Sandbox::new();
    sandbox.create("token", CANARY.as_bytes(), "acme");
    let keys = |object: &serde_json::Value| object.as_object().unwrap().keys().cloned().collect::<BTreeSet<String>>();
    let documented = |heading: &str| table(heading).into_iter().map(|row| row[0].clone()).collect::<BTreeSet<_>>();
    let status = sandbox.ok(["key", "status", "-o", "json"]).json();
    assert_eq!(keys(&status[0]), documented("| key of `key status` | is |"));
    assert_eq!(keys(&status[0]["keys"][0]), documented("| key of one of its `keys` | is |"));
    let doctor = sandbox.ok(["doctor", "-o", "json"]).json();
    assert_eq!(keys(&doctor), ["checks", "rating"].map(str::to_owned).into());
    assert_eq!(keys(&doctor["checks"][0]), documented("| key of one of the `checks` | is |"));
    let [from, to] = [sandbox.store(), sandbox.path("new.db")].map(|path| format!("sqlite:{}", path.display()));
    let copied = sandbox.ok(["store", "copy", "--from", &from, "--to", &to, "-o", "json"]).json();
    assert_eq!(keys(&copied), documented("| key of `store copy` | is |"));
    for command in ["status", "migrate"] {
        let tables = sandbox.ok(["store", command, "-o", "json"]).json();
        assert_eq!(keys(&tables), documented("| key of `store status` | is |"));
    }
    let event = sandbox.ok(["audit", "-o", "json"]).text();
    let event = serde_json::from_str(event.lines().next().unwrap()).unwrap();
    assert_eq!(keys(&event), documented("| key of `audit` | is |"));
    rusqlite::Connection::open(sandbox.store()).unwrap().execute_batch("DELETE FROM secrets").unwrap();
    let found = sandbox.run(["verify", "-o", "json"]).json();
    assert_eq!(keys(&found[0]), documented("| key of `verify` | is |"));
}

#[test]
fn every_command_option_and_variable_of_the_help_is_on_the_page() {
    let sandbox = Sandbox::new();
    let top = sandbox.ok(["--help"]).text();
    let commands = [
        "create",
        "update",
        "list",
        "show",
        "reveal",
        "delete",
        "history",
        "rollback",
        "prune",
        "use",
        "use add",
        "use remove",
        "use list",
        "use prune",
        "verify-value",
        "run",
        "render",
        "import",
        "export",
        "key",
        "key status",
        "key rewrap",
        "key rotate",
        "key add",
        "key promote",
        "key reencrypt",
        "key retire",
        "key destroy",
        "verify",
        "audit",
        "backup",
        "store",
        "store copy",
        "store migrate",
        "store status",
        "store grant",
        "store revoke",
        "store grants",
        "store roles",
        "doctor",
        "completions",
        "man",
    ];
    let listed = top.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    for command in listed.map(|line| line.split_whitespace().next().unwrap()).filter(|command| *command != "help") {
        assert!(commands.contains(&command), "{command} is not looked at");
        let told = table("| command | does |")
            .concat()
            .into_iter()
            .any(|cell| cell.split('`').any(|word| word == command || word.starts_with(&format!("{command} "))));
        assert!(told, "{command} is not in the table of commands");
    }
    let mut words = BTreeSet::new();
    for command in &commands {
        assert!(command.contains(' ') || top.contains(&format!("\n  {command} ")), "{command}: {top}");
        let help = sandbox.ok(command.split(' ').chain(["--help"])).text();
        assert!(help.contains("Examples:"), "{command} without examples");
        let (options, _) = help.split_once("Examples:").unwrap();
        let is_word = |character: char| character.is_ascii_alphanumeric() || "-_$".contains(character);
        words.extend(
            options.split(|character| !is_word(character)).filter(|word| word.starts_with("--")).map(str::to_owned),
        );
        words.extend(
            options.split(|character| !is_word(character)).filter_map(|word| word.strip_prefix('$')).map(str::to_owned),
        );
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{command}: {line:?}");
        }
    }
    assert!(words.len() > 25, "{words:?}");
    for word in words.iter().filter(|word| *word != "--help") {
        assert!(PAGE.contains(word.as_str()), "{word} is not in docs/cli.md");
    }
}
