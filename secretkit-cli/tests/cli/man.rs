//! Manual pages.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::sandbox::{Sandbox, text};

/// Writes them, and reads them back.
fn pages(sandbox: &Sandbox, directory: &Path) -> BTreeMap<String, String> {
    let outcome = sandbox.ok(["man", &text(directory)]);
    assert!(outcome.stdout.is_empty() && outcome.stderr.starts_with("wrote "), "{outcome:?}");
    let read = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).expect("a page is text"))
    };
    fs::read_dir(directory).unwrap().map(|entry| read(entry.unwrap())).collect()
}

#[test]
fn every_command_of_the_help_has_a_page() {
    let sandbox = Sandbox::new();
    let pages = pages(&sandbox, &sandbox.path("work/share/man/man1"));
    let help = sandbox.ok(["--help"]).text();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<_> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 8 && commands.contains(&"man"), "{commands:?}");
    for command in commands.iter().filter(|command| **command != "help") {
        let page = &pages[&format!("secretkit-{command}.1")];
        let help = sandbox.ok([command, "--help"]).text();
        for option in help.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2) {
            let option = option.trim_end_matches(|character: char| !character.is_ascii_lowercase() && character != '4');
            assert!(page.contains(&option.replace('-', "\\-")), "{command} {option}");
        }
        assert!(pages["secretkit.1"].contains(&format!("secretkit\\-{}(1)", command.replace('-', "\\-"))), "{command}");
        assert!(page.contains(".SH EXAMPLES"), "{command} without examples");
    }
    assert!(!pages.contains_key("secretkit-complete.1") && !pages["secretkit.1"].contains("secretkit\\-complete("));
    assert!(!sandbox.store().exists() && !sandbox.key().exists(), "nothing else was made");
}

#[test]
fn the_same_version_writes_the_same_bytes() {
    let sandbox = Sandbox::new();
    let first = pages(&sandbox, &sandbox.path("first"));
    let again = pages(&sandbox, &sandbox.path("first"));
    assert_eq!(first, again, "over those that are there");
    let mut elsewhere = sandbox.command();
    elsewhere.args(["man", "../second"]).env("TZ", "Asia/Tokyo").env("LANG", "de_DE.UTF-8").env("COLUMNS", "40");
    elsewhere.env("SECRETKIT_ORG", "not an org");
    assert_eq!(crate::sandbox::run(&mut elsewhere, b"").code, 0);
    assert_eq!(pages(&sandbox, &sandbox.path("second")), first);
    for (name, page) in &first {
        assert!(page.lines().all(|line| line.is_ascii() && !line.ends_with(' ')), "{name}");
        let (heading, _) = page.split_once('\n').unwrap();
        assert!(heading.starts_with(&format!(".TH \"{}\" 1 ", name.trim_end_matches(".1"))), "{heading}");
    }
}

#[test]
fn pages_are_read_without_a_complaint() {
    let sandbox = Sandbox::new();
    let directory = sandbox.path("man1");
    let pages = pages(&sandbox, &directory);
    let readers: [&[&str]; 2] = [&["mandoc", "-Tlint", "-Werror"], &["groff", "-man", "-Tascii", "-wall", "-z"]];
    for reader in readers {
        for name in pages.keys() {
            let mut command = Command::new(reader[0]);
            let output = match command.args(&reader[1..]).arg(directory.join(name)).stdin(Stdio::null()).output() {
                Ok(output) => output,
                Err(error) => {
                    eprintln!("not read by {}: it cannot be started: {error}", reader[0]);
                    break;
                }
            };
            let said =
                [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
            assert!(output.status.success() && said.is_empty(), "{reader:?} {name}: {said}");
        }
    }
}

#[test]
fn a_place_that_cannot_be_written_is_an_error() {
    let sandbox = Sandbox::new();
    let file = sandbox.file("taken", "");
    let outcome = sandbox.run(["man", &text(&file), "-o", "json"]);
    assert_ne!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.error()["message"].as_str().unwrap().contains("taken"), "{outcome:?}");
    assert_eq!(sandbox.run(["man"]).code, 2);
}
