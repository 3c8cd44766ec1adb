//! The scripts of `secretkit completions` in the shells that they are for.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rexpect::session::{PtySession, spawn_command};
use rustix::termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use crate::sandbox::{CANARY, Sandbox, run, text};

/// Whether the shell is there; where it is not, that is said.
fn is_here(shell: &str) -> bool {
    let started = Command::new(shell).args(["-c", "true"]).status();
    let here = started.as_ref().is_ok_and(std::process::ExitStatus::success);
    if !here {
        eprintln!("not tested in {shell}: it cannot be started: {started:?}; what it is told is tested all the same");
    }
    here
}

/// A sandbox with names, a file and, on the path, a `secretkit` that notes its arguments before it goes on.
fn stocked() -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, scope) in [("db/password", "acme/etl"), ("token", "acme"), ("tls.key", "acme")] {
        sandbox.create(name, CANARY.as_bytes(), scope);
    }
    sandbox.file("only-file", "");
    fs::create_dir(sandbox.path("bin")).unwrap();
    let wrapper = format!(
        "#!/bin/sh\necho \"$*\" >>'{}'\nexec '{}' \"$@\"\n",
        text(&sandbox.path("arguments")),
        env!("CARGO_BIN_EXE_secretkit"),
    );
    fs::write(sandbox.path("bin/secretkit"), wrapper).unwrap();
    fs::set_permissions(sandbox.path("bin/secretkit"), fs::Permissions::from_mode(0o755)).unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.ok(["completions", shell]).stdout;
        fs::write(sandbox.path(&format!("script.{shell}")), script).unwrap();
    }
    sandbox
}

/// The shell with that `secretkit` first on its path.
fn shell(sandbox: &Sandbox, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    sandbox.isolate(&mut command);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", text(&sandbox.path("bin")))).env("TERM", "dumb").args(arguments);
    command
}

/// The line of `docs/cli.md` for this shell.
fn documented(shell: &str) -> String {
    let page = include_str!("../../../docs/cli.md");
    let row = page.lines().find(|line| line.starts_with(&format!("| {shell} | "))).unwrap();
    row.trim_matches(['|', ' ', '`']).rsplit('`').next().unwrap().replace("\\|", "|")
}

/// Nothing was ever given as an argument but `complete`: other users see arguments, and a value may be among the words.
fn assert_nothing_was_shown(sandbox: &Sandbox) {
    let noted = fs::read_to_string(sandbox.path("arguments")).unwrap();
    let harmless = |line: &str| line == "complete" || line.starts_with("completions ");
    assert!(noted.lines().any(|line| line == "complete") && noted.lines().all(harmless), "{noted}");
}

/// Lines to be completed, and what is added to them; at a terminal a space follows, unless more has to come.
const LINES: [(&str, &str); 12] = [
    ("secretkit sho", "w "),
    ("secretkit list --st", "ore "),
    ("secretkit list --output=j", "son "),
    ("secretkit --org acme show to", "ken "),
    ("secretkit show --scope=acme to", "ken "),
    ("secretkit --org=acme -p etl reveal \"db/", "password\" "),
    ("secretkit show --scope acme --name=tl", "s.key "),
    ("secretkit run --org acme --file tl", "s.key="),
    ("secretkit list --store=sq", "lite:"),
    ("secretkit create x --file=onl", "y-file "),
    ("secretkit create x value-of-mine -f onl", "y-file "),
    ("secretkit list --store sqlite:onl", "y-file "),
];

#[test]
fn bash_completes() {
    assert!(is_here("bash"), "this test needs bash");
    let sandbox = stocked();
    // As readline calls it: the words as bash takes them apart, the line, and where the cursor is.
    let call = |words: &[&str], line: &str| {
        const CALL: &str = "source ../script.bash; COMP_LINE=$1; COMP_POINT=${#1}; shift; COMP_WORDS=(\"$@\"); \
                            COMP_CWORD=$(($# - 1)); _secretkit secretkit \"${COMP_WORDS[COMP_CWORD]}\"; \
                            ((${#COMPREPLY[@]} == 0)) || printf '%s\\n' \"${COMPREPLY[@]}\"";
        let mut command = shell(&sandbox, "bash", &["--norc", "--noprofile", "-c", CALL, "bash", line]);
        let outcome = run(command.args(words), b"");
        assert_eq!((outcome.code, &*outcome.stderr), (0, ""), "{line}: {outcome:?}");
        outcome.text().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(call(&["secretkit", "reve"], "secretkit reve"), ["reveal"]);
    assert_eq!(
        call(&["secretkit", "show", "--scope", "acme", ""], "secretkit show --scope acme "),
        ["tls.key", "token"]
    );
    let line = "secretkit  --scope=acme/etl   show ";
    assert_eq!(call(&["secretkit", "--scope", "=", "acme/etl", "show", ""], line), ["db/password"]);
    assert_eq!(call(&["secretkit", "show", "--output", "="], "secretkit show --output="), ["json", "table"]);
    assert_eq!(call(&["secretkit", "create", "x", "-f", "o"], "secretkit create x -f o"), ["only-file"]);
    assert_eq!(
        call(&["secretkit", "list", "--store", "sqlite", ":", "o"], "secretkit list --store sqlite:o"),
        ["only-file"]
    );
    assert_eq!(call(&["secretkit", "show", ""], "secretkit show "), [""; 0]);
    // What a shell would run is run by nobody.
    let hostile = ["secretkit", "show", "--scope", "$(touch${IFS}../ran)`touch ../ran`", ""];
    assert_eq!(call(&hostile, &hostile.join(" ")), [""; 0]);
    assert!(!sandbox.path("ran").exists());
    assert_nothing_was_shown(&sandbox);
}

#[test]
fn bash_completes_at_a_terminal() {
    assert!(is_here("bash"), "this test needs bash");
    let sandbox = stocked();
    let mut command = shell(&sandbox, "bash", &["--norc", "--noprofile", "-i"]);
    command.env("PS1", "ready> ").env("INPUTRC", "/dev/null");
    at_a_terminal(&sandbox, command, &format!("bind 'set bell-style none'; {}", documented("bash")));
}

#[test]
fn zsh_completes_at_a_terminal() {
    if !is_here("zsh") {
        return;
    }
    let sandbox = stocked();
    let checked = run(&mut shell(&sandbox, "zsh", &["-n", "../script.zsh"]), b"");
    assert_eq!((checked.code, &*checked.stderr), (0, ""));
    let mut command = shell(&sandbox, "zsh", &["-d", "-i", "+o", "promptsp"]);
    command.env("PS1", "ready> ").env("PROMPT", "ready> ");
    at_a_terminal(
        &sandbox,
        command,
        &format!("unsetopt beep; autoload -Uz compinit; compinit -u -D; {}", documented("zsh")),
    );
}

#[test]
fn fish_completes() {
    if !is_here("fish") {
        return;
    }
    let sandbox = stocked();
    for (line, added) in LINES {
        // Of an open quote it tells only the words.
        let line = line.replace('"', "");
        let call = format!("{}; complete -C '{line}'", documented("fish"));
        let outcome = run(&mut shell(&sandbox, "fish", &["--no-config", "-c", &call]), b"");
        assert_eq!((outcome.code, &*outcome.stderr), (0, ""), "{line}: {outcome:?}");
        let word = format!("{}{}", line.rsplit(' ').next().unwrap(), added.trim_matches(['"', ' ']));
        let offered = outcome.text();
        assert!(offered.lines().any(|line| line.split('\t').next() == Some(&word)), "{line}: {word} not in {offered}");
    }
    assert_nothing_was_shown(&sandbox);
}

/// Types the lines, presses Tab, and looks at what comes.
fn at_a_terminal(sandbox: &Sandbox, command: Command, prepare: &str) {
    let mut waiting = Command::new("/bin/sh");
    sandbox.isolate(&mut waiting);
    waiting.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    waiting
        .args(["-c", "printf begin; read go; exec \"$@\"", "sh"])
        .arg(command.get_program())
        .args(command.get_args());
    let mut session = spawn_command(waiting, Some(20_000)).unwrap();
    session.exp_string("begin").unwrap();
    // Shells show what is typed where the terminal does.
    let terminal = session.process().get_file_handle().unwrap();
    let mut modes = tcgetattr(&terminal).unwrap();
    modes.local_modes |= LocalModes::ECHO;
    tcsetattr(&terminal, OptionalActions::Now, &modes).unwrap();
    tcsetwinsize(&terminal, Winsize { ws_row: 24, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    session.send_line("go").unwrap();
    expect(&mut session, "ready> ");
    session.send_line(&format!("{prepare}; echo prep''ared")).unwrap();
    expect(&mut session, "prepared");
    for (line, added) in LINES {
        // The line's own echo is behind it as soon as this is.
        let typed = format!("{line}\t");
        session.send(&typed).unwrap();
        session.flush().unwrap();
        expect(&mut session, &format!("{line}{added}"));
        // Away with it.
        session.send_control('u').unwrap();
        session.send_line("echo lo''aded").unwrap();
        expect(&mut session, "loaded");
        expect(&mut session, "ready> ");
    }
    // An interactive shell ignores the signal that would be sent to it.
    session.send_line("exit").unwrap();
    session.exp_eof().unwrap();
    assert_nothing_was_shown(sandbox);
}

#[track_caller]
fn expect(session: &mut PtySession, text: &str) {
    if let Err(error) = session.exp_string(text) {
        panic!("no {text:?} on the screen: {error}");
    }
}
