//! A root key that a command prints: a password manager, a cloud's key service, a hardware token.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use secretkit_core::{Error, Result, RootKey};
use zeroize::Zeroizing;

use super::parse::refuse_a_key;
use crate::url::unsupported;

/// A program and its arguments, run as they are and without a shell.
///
/// It gets no standard input, its standard error is this process's, and its environment is this process's without the
/// `SECRETKIT_*KEY*` variables, so that a command that uses secretkit itself does not start itself without end. It has
/// a minute, which is time to touch a token or to unlock a password manager.
#[derive(Clone, Eq, PartialEq)]
pub struct KeyCommand {
    program: Box<str>,
    arguments: Box<[Box<str>]>,
}

const PATIENCE: Duration = Duration::from_secs(60);

/// One line of 44 characters, its end in two bytes, and one byte more to see that there is no more.
const MOST_BYTES: usize = 47;

/// What a command that is started for a root key must not read one from.
const WITHOUT: [&str; 4] = ["SECRETKIT_KEY", "SECRETKIT_KEY_FILE", "SECRETKIT_PREVIOUS_KEYS", "SECRETKIT_ORG_KEYS"];

impl KeyCommand {
    /// Splits at blanks and at nothing else: there are no quotes, no escapes and no variables. What needs those is a
    /// script, named here by its path.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without a program, for one that is neither an absolute path nor a plain name to be looked
    /// for in `PATH`, for control characters, and where a word looks like a root key.
    pub fn parse(line: &str) -> Result<Self> {
        if line.contains(|character: char| character.is_control() && character != '\t') {
            return Err(unsupported("exec: takes one line without control characters"));
        }
        let words = || line.split([' ', '\t']).filter(|word| !word.is_empty());
        words().try_for_each(|word| refuse_a_key(word.as_bytes()))?;
        let mut words = words().map(Box::from);
        let program: Box<str> =
            words.next().ok_or_else(|| unsupported("exec: needs a command, as in exec:pass show secretkit/root"))?;
        if program.contains('/') && !program.starts_with('/') {
            return Err(unsupported(
                "the command of exec: is an absolute path, or a name to be looked for in PATH; one that depends on the \
                 working directory would be whatever lies there",
            ));
        }
        Ok(Self { program, arguments: words.collect() })
    }

    /// The key that it prints.
    pub(super) fn run(&self) -> Result<RootKey> {
        self.run_within(PATIENCE)
    }

    pub(super) fn run_within(&self, patience: Duration) -> Result<RootKey> {
        let end = Instant::now() + patience;
        let mut command = Command::new(&*self.program);
        command.args(self.arguments.iter().map(|argument| &**argument));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        WITHOUT.iter().for_each(|name| {
            command.env_remove(name);
        });
        let mut running = Running(command.spawn().map_err(|error| self.failed(format!("cannot be started: {error}")))?);
        let mut text = Zeroizing::new([0; MOST_BYTES]);
        let length = match running.0.stdout.take() {
            Some(output) => self.read(OwnedFd::from(output), &mut *text, end)?,
            None => 0,
        };
        if length == text.len() {
            return Err(self.malformed());
        }
        // First how it ended: what a failed command printed is no key, whatever it looks like.
        let status = self.wait(&mut running.0, end)?;
        if !status.success() {
            return Err(self.failed(ending(status)));
        }
        let line = &text[..length];
        let line = line.strip_suffix(b"\r\n").unwrap_or(line);
        RootKey::from_text(line, || self.place())
    }

    /// Reads to the end, or until `text` is full.
    fn read(&self, output: OwnedFd, text: &mut [u8], end: Instant) -> Result<usize> {
        let mut output = File::from(output);
        let mut length = 0;
        while length < text.len() {
            let left = end.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).unwrap_or_default();
            match poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&timeout)) {
                Ok(0) => return Err(self.failed(TOO_LATE.to_owned())),
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(self.failed(format!("cannot be read: {errno}"))),
            }
            match output.read(&mut text[length..]) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(format!("cannot be read: {error}"))),
            }
        }
        Ok(length)
    }

    /// One that has closed its output ends soon, and is looked at until it has.
    fn wait(&self, child: &mut Child, end: Instant) -> Result<ExitStatus> {
        let mut pause = Duration::from_micros(200);
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if Instant::now() >= end => return Err(self.failed(TOO_LATE.to_owned())),
                Ok(None) => std::thread::sleep(pause),
                Err(error) if Errno::from_io_error(&error) == Some(Errno::CHILD) => {
                    return Err(self.failed(END_LOST.to_owned()));
                }
                Err(error) => return Err(self.failed(format!("cannot be waited for: {error}"))),
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    fn place(&self) -> String {
        format!("the output of the command {}", self.program)
    }

    fn malformed(&self) -> Error {
        Error::MalformedRootKey { place: self.place() }
    }

    fn failed(&self, why: String) -> Error {
        Error::RootKeyUnavailable { place: format!("the command {}", self.program), why }
    }
}

const TOO_LATE: &str = "did not end in time, and was ended";

/// Whoever ignores SIGCHLD never learns how a child ended, and what a failed command printed is no key. The signal is the
/// host's, so it stays as it is.
const END_LOST: &str = "ended, but not how is known: this process ignores SIGCHLD, or was started with it ignored, or \
                        collects all its children; leave that signal at its default (SIG_DFL)";

fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}; its own messages say why"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "did not end as it should".to_owned(),
    }
}

/// A command that does not outlive the wait for it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Whatever was collected by somebody else is left alone: its id may be another's by now.
        if let Ok(None) = self.0.try_wait() {
            // Both fail only where it is gone already.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// The program alone: people hand tokens to commands.
impl fmt::Display for KeyCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = if self.arguments.is_empty() { "" } else { " …" };
        write!(f, "{}{rest}", self.program)
    }
}

impl fmt::Debug for KeyCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyCommand({self})")
    }
}
