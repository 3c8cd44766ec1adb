//! A home of its own for each test, and the rule that every run obeys: no value on standard error or in a listing, and
//! none in a file that it leaves.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::leaks;

/// Every value that the tests store begins with this, so that a leak is found wherever it appears.
pub(crate) const CANARY: &str = "cAnArY-7fZq";

pub(crate) struct Sandbox {
    folder: TempDir,
    user: User,
}

/// Who the command runs as.
enum User {
    /// Whoever runs the tests.
    Tester,
    /// `nobody`, with a copy of the command where that user can reach it.
    Nobody(PathBuf),
}

const NOBODY: u32 = 65_534;

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let sandbox = Self { folder: tempfile::tempdir().unwrap(), user: User::Tester };
        for folder in ["home", "work"] {
            fs::create_dir(sandbox.path(folder)).unwrap();
        }
        sandbox
    }

    /// One in which permissions mean something: root may do everything, so under root the command runs as nobody.
    pub(crate) fn without_root() -> Self {
        let mut sandbox = Self::new();
        if rustix::process::geteuid().is_root() {
            let copy = sandbox.path("secretkit");
            // By a process of its own: whatever another test starts while the copy is open for writing here inherits that
            // for a moment, and a program that is open for writing cannot be started.
            let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_secretkit")).arg(&copy).status().unwrap();
            assert!(copied.success(), "{copied}");
            for place in ["", "home", "work"] {
                std::os::unix::fs::chown(sandbox.path(place), Some(NOBODY), Some(NOBODY)).unwrap();
            }
            sandbox.user = User::Nobody(copy);
        }
        sandbox
    }

    /// A path in the sandbox.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The store that the first write makes.
    pub(crate) fn store(&self) -> PathBuf {
        self.path("home/.local/share/secretkit/secrets.db")
    }

    /// The root key that the first write makes.
    pub(crate) fn key(&self) -> PathBuf {
        self.path("home/.config/secretkit/root.key")
    }

    /// A file in the working directory.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path("work").join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// The same with this mode.
    pub(crate) fn file_with_mode(&self, name: &str, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.file(name, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// Makes a directory that belongs to whoever the command runs as, and those above it.
    pub(crate) fn owned_directory(&self, path: &Path) {
        let missing: Vec<_> = path.ancestors().take_while(|directory| !directory.exists()).collect();
        for directory in missing.into_iter().rev() {
            fs::create_dir(directory).unwrap();
            fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
            if let User::Nobody(_) = self.user {
                std::os::unix::fs::chown(directory, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
    }

    /// A root key file other than the store's own.
    pub(crate) fn other_key(&self, name: &str) -> PathBuf {
        let path = self.path("work").join(name);
        secretkit::create_root_key(&path).unwrap();
        path
    }

    /// `secretkit` with nothing of the environment but a home in the sandbox.
    pub(crate) fn command(&self) -> Command {
        let mut command = match &self.user {
            User::Tester => Command::new(env!("CARGO_BIN_EXE_secretkit")),
            User::Nobody(copy) => {
                let mut command = Command::new(copy);
                command.uid(NOBODY).gid(NOBODY);
                command
            }
        };
        self.isolate(&mut command);
        command
    }

    pub(crate) fn isolate(&self, command: &mut Command) {
        command.env_clear().current_dir(self.path("work")).env("HOME", self.path("home")).env("USER", "tester");
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
    }

    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Outcome {
        self.run_with(arguments, b"", &[])
    }

    /// The same with this on standard input, which is never a terminal, and these variables.
    pub(crate) fn run_with<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
        input: &[u8],
        variables: &[(&str, &OsStr)],
    ) -> Outcome {
        let mut command = self.command();
        command.args(arguments).envs(variables.iter().copied());
        run(&mut command, input)
    }

    /// The same, where it must succeed.
    #[track_caller]
    pub(crate) fn ok<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        outcome
    }

    /// Stores a value, given on standard input.
    #[track_caller]
    pub(crate) fn create(&self, name: &str, value: &[u8], scope: &str) {
        let outcome = self.run_with(["create", name, "-f", "-", "--allow-empty", "--scope", scope], value, &[]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
    }

    /// The value at exactly this scope.
    #[track_caller]
    pub(crate) fn value(&self, name: &str, scope: &str) -> Vec<u8> {
        self.ok(["reveal", name, "--exact", "--scope", scope]).stdout
    }

    /// Every file with its mode and its bytes, but for the two that SQLite keeps beside an open store; and what the
    /// store says. Whatever changes nothing leaves this as it was.
    pub(crate) fn state(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut state = BTreeMap::new();
        if self.store().exists() {
            let listing =
                self.ok(["list", "--all", "-o", "json", "--store", &format!("sqlite:{}", self.store().display())]);
            let mut listed = listing.json();
            for object in listed.as_array_mut().unwrap() {
                // That a value was read is recorded, and changes nothing.
                object.as_object_mut().unwrap().retain(|key, _| !key.starts_with("last_used_"));
            }
            state.insert("listing".into(), (0, listed.to_string().into_bytes()));
        }
        let mut open = vec![self.folder.path().to_owned()];
        while let Some(path) = open.pop() {
            let name = path.to_string_lossy().into_owned();
            let metadata = fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
            if name.ends_with("-wal") || name.ends_with("-shm") {
                continue;
            }
            // The store's own bytes may move between its files; the listing above is what it says.
            let bytes =
                if metadata.is_file() && !name.ends_with(".db") { fs::read(&path).unwrap() } else { Vec::new() };
            state.insert(path, (metadata.permissions().mode(), bytes));
        }
        state
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            leaks::in_files(self.folder.path()).unwrap();
        }
    }
}

/// Runs a prepared command and checks that it gave no value away.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Outcome {
    leaks::note(command, input);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // Whoever does not read its input closes it early, and that is no failure of the test.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let outcome = Outcome {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).expect("standard error is text"),
    };
    if let Some(found) = leaks::in_output(command, &outcome) {
        panic!("{found}: {command:?}: {outcome:?}");
    }
    let harmless = |character: char| character == '\n' || !character.is_control();
    assert!(outcome.stderr.chars().all(harmless), "control bytes on standard error: {outcome:?}");
    assert!(!outcome.stderr.contains("panicked"), "{outcome:?}");
    outcome
}

/// Runs it with a standard output that nobody reads any more: the exit code, and what is on standard error.
pub(crate) fn into_closed_pipe(mut command: Command) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).expect("standard error is text"))
}

impl Outcome {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The last line of standard error as JSON.
    pub(crate) fn error(&self) -> serde_json::Value {
        let line = self.stderr.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
