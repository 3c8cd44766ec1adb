//! What a person at a terminal sees and types.

use rustix::process::Signal;

use crate::sandbox::{CANARY, Sandbox};
use crate::terminal::Terminal;

const PROMPT: &str = "Enter secret value: ";

#[test]
fn a_value_is_asked_for_once_and_not_shown() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::start(&sandbox, &["create", "my_secret"]);
    terminal.expect(PROMPT);
    terminal.type_line(CANARY);
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert_eq!(screen.matches(PROMPT).count(), 1, "{screen}");
    assert!(screen.contains("created default:my_secret, revision 1"), "{screen}");
    assert!(!screen.contains(CANARY), "what was typed is on the screen");
    assert_eq!(sandbox.value("my_secret", "default"), CANARY.as_bytes());
}

#[test]
fn an_update_asks_in_the_same_way() {
    let sandbox = Sandbox::new();
    sandbox.create("my_secret", CANARY.as_bytes(), "default");
    let mut terminal = Terminal::start(&sandbox, &["update", "my_secret"]);
    terminal.expect(PROMPT);
    terminal.type_line(&format!("{CANARY}-new"));
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("updated default:my_secret, revision 2") && !screen.contains(CANARY), "{screen}");
    assert_eq!(sandbox.value("my_secret", "default"), format!("{CANARY}-new").as_bytes());
}

#[test]
fn nobody_is_asked_for_a_value_that_cannot_be_stored() {
    let sandbox = Sandbox::new();
    let (code, screen) = Terminal::start(&sandbox, &["update", "my_secret"]).finish();
    assert!(code == 45 && !screen.contains(PROMPT), "{code}: {screen}");
    sandbox.create("my_secret", CANARY.as_bytes(), "default");
    for (arguments, expected) in [
        (&["create", "my_secret"][..], 21),
        (&["update", "other"], 20),
        (&["set", "other", "--update-only"], 20),
        (&["update", "my_secret", "--org", "acme"], 20),
    ] {
        let (code, screen) = Terminal::start(&sandbox, arguments).finish();
        assert!(code == expected && !screen.contains(PROMPT), "{arguments:?}, {code}: {screen}");
    }
    let mut terminal = Terminal::start(&sandbox, &["create", "my_secret", "--overwrite"]);
    terminal.expect(PROMPT);
    terminal.type_line(CANARY);
    assert_eq!(terminal.finish().0, 0);
}

/// The store that is looked into is the one that is written to.
#[test]
fn a_passphrase_is_asked_for_once_beside_a_value() {
    let sandbox = Sandbox::new();
    let phrase = "correct horse battery staple";
    let mut terminal = Terminal::start(&sandbox, &["create", "my_secret", "--key", "passphrase:"]);
    terminal.expect(PROMPT);
    terminal.type_line(CANARY);
    terminal.expect("New passphrase: ");
    terminal.type_line(phrase);
    terminal.expect("The same again: ");
    terminal.type_line(phrase);
    assert_eq!(terminal.finish().0, 0);
    // That a secret is not there takes no key to know.
    let (value, key) = ((PROMPT, CANARY), ("Passphrase: ", phrase));
    for (command, name, asked) in [("create", "other", [value, key]), ("update", "my_secret", [key, value])] {
        let mut terminal = Terminal::start(&sandbox, &[command, name, "--key", "passphrase:"]);
        for (question, answer) in asked {
            terminal.expect(question);
            terminal.type_line(answer);
        }
        let (code, screen) = terminal.finish();
        assert_eq!((code, screen.matches("Passphrase: ").count()), (0, 1), "{screen}");
    }
}

#[test]
fn erasing_keys_erase_whole_characters() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::start(&sandbox, &["create", "typed"]);
    terminal.expect(PROMPT);
    terminal.type_keys("thrown away\u{15}");
    terminal.type_keys(&format!("{CANARY}é€\u{7f}\u{7f}!\u{8}\tü"));
    terminal.type_line("");
    assert_eq!(terminal.finish().0, 0);
    assert_eq!(sandbox.value("typed", "default"), format!("{CANARY}\tü").as_bytes());
}

#[test]
fn a_long_line_is_not_cut() {
    // A terminal that collects lines itself cuts them at 4,095 bytes.
    let sandbox = Sandbox::new();
    let long = CANARY.repeat(1_000);
    let mut terminal = Terminal::start(&sandbox, &["create", "long"]);
    terminal.expect(PROMPT);
    terminal.type_line(&long);
    assert_eq!(terminal.finish().0, 0);
    assert_eq!(sandbox.value("long", "default"), long.as_bytes());
}

#[test]
fn ctrl_c_leaves_with_130_and_the_terminal_as_it_was() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::start(&sandbox, &["create", "my_secret"]);
    terminal.expect(PROMPT);
    terminal.type_keys(&format!("{CANARY}\u{3}"));
    let (code, screen) = terminal.finish();
    assert_eq!(code, 130, "{screen}");
    assert!(!screen.contains(CANARY) && !screen.contains("error"), "{screen}");
    assert!(!sandbox.store().exists() && !sandbox.key().exists(), "nothing was made");
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130), (Signal::QUIT, 131)] {
        let sandbox = Sandbox::new();
        let mut terminal = Terminal::start(&sandbox, &["create", "my_secret"]);
        terminal.expect(PROMPT);
        terminal.type_keys(CANARY);
        terminal.signal(&sandbox, signal);
        let (found, screen) = terminal.finish();
        assert_eq!(found, code, "{screen}");
        assert!(!screen.contains(CANARY) && !screen.contains("error"), "{screen}");
        assert!(!sandbox.store().exists() && !sandbox.key().exists(), "nothing was made");
    }
}

/// What tells how far something is stands aside for as long as somebody is asked.
#[cfg(target_os = "linux")]
#[test]
fn a_prompt_in_the_middle_of_something_long_stays_on_the_screen_and_a_signal_finds_the_terminal() {
    let sandbox = Sandbox::new();
    let phrase = sandbox.path("phrase");
    std::fs::write(&phrase, "correct horse battery staple").unwrap();
    std::fs::set_permissions(&phrase, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let import = sandbox.path("more.env");
    std::fs::write(&import, "MORE=value\n").unwrap();
    let of_file = format!("passphrase:file:{}", phrase.display());
    sandbox.ok(["import", import.to_str().unwrap(), "--key", &of_file]);
    let export = ["export", "--format", "json", "--key", "passphrase:", "--yes"];
    let again = ["import", import.to_str().unwrap(), "--overwrite", "--key", "passphrase:"];
    for command in [export.as_slice(), &again] {
        let mut terminal = Terminal::start(&sandbox, command);
        terminal.expect("Passphrase: ");
        // Later than anything is drawn.
        std::thread::sleep(std::time::Duration::from_millis(1_700));
        terminal.signal(&sandbox, Signal::TERM);
        let (code, screen) = terminal.finish();
        assert_eq!(code, 143, "{screen}");
        assert!(screen.trim_end().ends_with("Passphrase:") && !screen.contains("\u{1b}[K"), "{screen:?}");
    }
    let mut terminal = Terminal::start(&sandbox, &export);
    terminal.expect("Passphrase: ");
    terminal.type_line("correct horse battery staple");
    let (code, screen) = terminal.finish();
    assert!(code == 0 && screen.contains("\"value\"") && !screen.contains("horse"), "{screen}");
}

#[test]
fn a_paste_that_is_too_long_stays_off_the_screen() {
    let long = CANARY.repeat(7_000);
    let lines = format!("{CANARY}\r").repeat(7_000);
    for (keys, code) in [
        (format!("{long}\r"), 15),
        // What is erased from it is not known any more, unless it is all of it.
        (format!("{long}\u{7f}\r"), 15),
        (format!("{long}\u{15}short\r"), 0),
        (format!("{long}\u{3}"), 130),
        (lines, 14),
    ] {
        let sandbox = Sandbox::new();
        let mut terminal = Terminal::start(&sandbox, &["create", "my_secret"]);
        terminal.expect(PROMPT);
        terminal.type_keys(&keys);
        let (found, screen) = terminal.finish();
        assert_eq!(found, code, "{screen}");
        assert!(!screen.contains("cAnA"), "a part of what was pasted is on the screen: {screen}");
        assert_eq!(sandbox.store().exists(), code == 0);
    }
}

#[test]
fn base64_may_be_as_long_at_the_prompt_as_in_a_file() {
    // 65,535 and 65,538 bytes.
    for (count, code) in [(21_845, 0), (21_846, 15)] {
        let sandbox = Sandbox::new();
        let mut terminal = Terminal::start(&sandbox, &["create", "my_secret", "--base64"]);
        terminal.expect(PROMPT);
        terminal.type_line(&"eHh4".repeat(count));
        let (found, screen) = terminal.finish();
        assert_eq!(found, code, "{screen}");
        assert!(code != 0 || sandbox.value("my_secret", "default") == "xxx".repeat(count).as_bytes());
    }
}

#[test]
fn what_nobody_meant_to_type_is_no_value() {
    for (keys, code) in [
        ("\u{4}".to_owned(), 16),
        (format!("{CANARY}\u{1b}[A\r"), 14),
        (format!("{CANARY}\rsecond line\rthird line\r"), 14),
    ] {
        let sandbox = Sandbox::new();
        let mut terminal = Terminal::start(&sandbox, &["create", "my_secret"]);
        terminal.expect(PROMPT);
        terminal.type_keys(&keys);
        let (found, screen) = terminal.finish();
        assert_eq!(found, code, "{screen}");
        assert!(screen.contains("error: ") && !screen.contains(CANARY), "{screen}");
        assert!(!sandbox.store().exists(), "nothing was made");
    }
}

#[test]
fn an_empty_line_is_no_value_unless_it_is_meant() {
    let sandbox = Sandbox::new();
    for (arguments, expected) in [(&["create", "empty"][..], 16), (&["create", "empty", "--allow-empty"], 0)] {
        let mut terminal = Terminal::start(&sandbox, arguments);
        terminal.expect(PROMPT);
        terminal.type_line("");
        let (code, screen) = terminal.finish();
        assert_eq!(code, expected, "{screen}");
        assert_eq!(screen.contains("the one that was given is empty"), expected != 0, "{screen}");
        assert_eq!(sandbox.store().exists(), expected == 0);
    }
    assert_eq!(sandbox.value("empty", "default"), b"");
}

#[test]
fn delete_asks_and_takes_no_for_an_answer() {
    let sandbox = Sandbox::new();
    sandbox.create("db/password", CANARY.as_bytes(), "acme/etl");
    let arguments = ["delete", "db/password", "--scope", "acme/etl"];
    let question = "Delete acme/etl:db/password with its 1 revision (no use is recorded)? [y/N] ";
    for answer in ["n", "", "yep"] {
        let mut terminal = Terminal::start(&sandbox, &arguments);
        terminal.expect(question);
        terminal.type_line(answer);
        let (code, screen) = terminal.finish();
        assert_eq!(code, 1, "{screen}");
        assert!(screen.contains("not deleted"), "{screen}");
    }
    assert_eq!(sandbox.value("db/password", "acme/etl"), CANARY.as_bytes());
    let mut terminal = Terminal::start(&sandbox, &arguments);
    terminal.expect("with its 1 revision (last used less than a minute ago by tester@");
    terminal.expect(")? [y/N] ");
    terminal.type_line("y");
    let (code, screen) = terminal.finish();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("deleted acme/etl:db/password, revision 1"), "{screen}");
    assert_eq!(sandbox.run(["show", "db/password", "--scope", "acme/etl"]).code, 20);
}

#[test]
fn delete_says_how_many_revisions_are_kept() {
    let sandbox = Sandbox::new();
    sandbox.create("my_secret", CANARY.as_bytes(), "default");
    for (revision, kept) in [(2, 2), (15, 11)] {
        let current = || sandbox.ok(["show", "my_secret", "-o", "json"]).json()["revision"].as_u64();
        while current() < Some(revision) {
            sandbox.ok(["update", "my_secret", "next"]);
        }
        let mut terminal = Terminal::start(&sandbox, &["delete", "my_secret"]);
        terminal.expect(&format!("Delete default:my_secret with its {kept} revisions (no use is recorded)? [y/N] "));
        terminal.type_line("n");
        assert_eq!(terminal.finish().0, 1);
    }
}

#[test]
fn delete_with_yes_does_not_ask() {
    let sandbox = Sandbox::new();
    sandbox.create("my_secret", CANARY.as_bytes(), "default");
    let (code, screen) = Terminal::start(&sandbox, &["delete", "my_secret", "--yes"]).finish();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains('?'), "{screen}");
}

#[test]
fn reveal_ends_the_line_at_a_terminal_only() {
    let sandbox = Sandbox::new();
    sandbox.create("my_secret", CANARY.as_bytes(), "default");
    let (code, screen) = Terminal::start(&sandbox, &["reveal", "my_secret"]).finish();
    assert_eq!((code, screen), (0, format!("found default:my_secret, revision 1\n{CANARY}\n")));
    assert_eq!(sandbox.ok(["reveal", "my_secret"]).stdout, CANARY.as_bytes());
}

#[test]
fn control_bytes_reach_a_terminal_only_when_asked_for() {
    let hostile: [&[u8]; 4] = [b"a\x1b[2Jb", b"a\x00b", b"\xff\xfe", b"good\rbad!"];
    for value in hostile {
        let sandbox = Sandbox::new();
        sandbox.create("binary", value, "default");
        let (code, screen) = Terminal::start(&sandbox, &["reveal", "binary"]).finish();
        assert_eq!(code, 53, "{screen}");
        assert!(screen.contains("--raw") && !screen.contains('\u{1b}') && !screen.contains('\0'), "{screen:?}");
        assert_eq!(sandbox.ok(["reveal", "binary"]).stdout, value);
    }
    let sandbox = Sandbox::new();
    sandbox.create("binary", b"a\x1b[1mb", "default");
    let (code, screen) = Terminal::start(&sandbox, &["reveal", "binary", "--raw"]).finish();
    assert_eq!(code, 0);
    assert!(screen.ends_with("a\u{1b}[1mb"), "{screen:?}");
}
