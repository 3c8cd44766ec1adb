//! What the values of a test must not be found in: what a command prints, and what lies on the disk after it.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use secretkit_core::conformance::Needles;

use crate::sandbox::{CANARY, Outcome, Sandbox};

thread_local! {
    /// The values that this test has given to a command, and the mark of all others; each test runs in a thread of its
    /// own.
    static NEEDLES: RefCell<Needles> = RefCell::new(Needles::of([CANARY]));
}

/// The commands that take one value, and those that are there to give values out.
const TAKES: [&str; 5] = ["create", "set", "add", "update", "verify-value"];
const GIVES: [&str; 4] = ["reveal", "render", "run", "export"];

/// Remembers the value that this command is given, on standard input, in a file or as an argument.
pub(crate) fn note(command: &Command, input: &[u8]) {
    let arguments: Vec<_> = command.get_args().collect();
    if !arguments.iter().any(|argument| TAKES.iter().any(|name| argument == name)) {
        return;
    }
    let after = |options: [&str; 2]| {
        let found = arguments.iter().position(|argument| options.iter().any(|option| argument == option));
        found.and_then(|at| arguments.get(at + 1))
    };
    let directory = command.get_current_dir().unwrap_or(Path::new("."));
    let value = match (after(["-f", "--file"]), after(["-v", "--value"])) {
        (Some(path), _) if *path == "-" => Some(input.to_vec()),
        // Some tests give it what is endless, or waits.
        (Some(path), _) if directory.join(path).is_file() => fs::read(directory.join(path)).ok(),
        (Some(_), _) => None,
        (None, value) => value.map(|value| value.as_encoded_bytes().to_vec()),
    };
    NEEDLES.with_borrow_mut(|needles| value.iter().for_each(|value| needles.add(value)));
}

/// A value in what it printed, unless that is what it is for. Its standard error should hold none in any case.
pub(crate) fn in_output(command: &Command, outcome: &Outcome) -> Option<String> {
    let find = |text: &[u8]| NEEDLES.with_borrow(|needles| needles.find(text));
    let gives = |argument: &OsStr| GIVES.iter().any(|name| argument.to_string_lossy().contains(name));
    let on_stdout = || if command.get_args().any(gives) { None } else { find(&outcome.stdout) };
    let found = find(outcome.stderr.as_bytes()).map(|found| format!("on standard error: {found}"));
    found.or_else(|| on_stdout().map(|found| format!("on standard output: {found}")))
}

/// A value in a file that secretkit keeps under this folder: stores, their logs, backups, keys and anchors. Where there
/// is none, the files that were searched.
pub(crate) fn in_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let (mut searched, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(directory) = open.pop() {
        // What a test has taken the rights from, or removed, holds nothing that it could read.
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else if [".db", "-wal", "-shm", ".key", "anchor"].iter().any(|ending| name.ends_with(ending)) {
                // The test's own process has none of them open, whose locks this would drop.
                let Ok(bytes) = fs::read(&path) else { continue };
                if let Some(found) = NEEDLES.with_borrow(|needles| needles.find(&bytes)) {
                    return Err(format!("in {}: {found}", path.display()));
                }
                searched.push(path);
            }
        }
    }
    Ok(searched)
}

/// Otherwise all of the above could find nothing anywhere and nobody would notice.
#[test]
fn what_is_put_there_is_found() {
    let sandbox = Sandbox::new();
    let value = b"a value without any mark";
    sandbox.create("a", value, "acme");
    let outcome = |stdout: &[u8], stderr: &str| Outcome { code: 0, stdout: stdout.to_vec(), stderr: stderr.to_owned() };
    let found = |command: &str, outcome: &Outcome| in_output(sandbox.command().arg(command), outcome).is_some();
    assert!(found("show", &outcome(value, "")) && found("show", &outcome(CANARY.as_bytes(), "")));
    assert!(found("reveal", &outcome(b"", "YSB2YWx1ZSB3aXRob3V0IGFueSBtYXJr")));
    assert!(!found("reveal", &outcome(value, "")) && !found("show", &outcome(b"a value", "")));

    let searched = in_files(&sandbox.path("")).unwrap();
    assert!(searched.contains(&sandbox.store()) && searched.contains(&sandbox.key()), "{searched:?}");
    for name in ["other.db", "other.db-wal", "other.db-shm", "backup.db", "other.key", "anchor"] {
        let path = sandbox.file(name, [b"before ", &value[..]].concat());
        assert!(in_files(&sandbox.path("")).is_err(), "{name}");
        fs::remove_file(path).unwrap();
    }
}
