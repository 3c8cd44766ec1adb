//! How a command ends before its end, and what to do about it.

use std::path::Path;

use secretkit::{Encoding, Error, ErrorKind, Scope, SecretId, SecretName};

use crate::passphrase;
use crate::task::PythonTask;

/// Why a command ended early.
pub(crate) enum Stop {
    /// Something to report.
    Failed(Failure),
    /// Ctrl-C at a prompt, or a signal that ends the process: its number.
    Signalled(u8),
    /// Whoever read standard output went away; nobody is there to hear about it.
    ClosedPipe,
    /// What `run` started has ended with this exit code.
    Ended(u8),
    /// What `run` should have started cannot be started: what to report, and the exit code.
    NotStarted(Failure, u8),
    /// A Python task, which only the command of the Python package can run.
    Task(Box<PythonTask>),
}

/// What went wrong, and what to do. Like [`Error`] it never holds a byte of a value.
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Stop {
    /// A command line that makes no sense as written.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<Option<String>>) -> Self {
        Self::failed(ErrorKind::Usage, message, hint)
    }

    pub(crate) fn failed(kind: ErrorKind, message: impl Into<String>, hint: impl Into<Option<String>>) -> Self {
        Self::Failed(Failure { kind, message: message.into(), hint: hint.into() })
    }

    /// The same with this hint, unless it has one that knows more.
    pub(crate) fn or_hint(self, hint: &str) -> Self {
        match self {
            Self::Failed(Failure { kind, message, hint: None }) => Self::failed(kind, message, hint.to_owned()),
            other => other,
        }
    }

    /// Whether it is that this file is not there.
    pub(crate) fn is_of_missing_file(&self, path: &Path) -> bool {
        let Self::Failed(Failure { kind: ErrorKind::FileMissing, message, hint: _ }) = self else { return false };
        *message == Error::file(path, std::io::Error::from(std::io::ErrorKind::NotFound)).to_string()
    }

    /// A terminal, or the signals at one, that cannot be used.
    pub(crate) fn terminal(source: std::io::Error) -> Self {
        Error::file(Path::new("/dev/tty"), source).into()
    }

    /// An output that could not be written.
    pub(crate) fn output(source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Error::file(Path::new("standard output"), source).into(),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        if let Some(signal) = passphrase::interrupted(&error) {
            return Self::Signalled(signal);
        }
        Self::Failed(Failure { kind: error.kind(), message: error.to_string(), hint: hint(&error) })
    }
}

/// The command to run next, where there is one.
fn hint(error: &Error) -> Option<String> {
    match error {
        Error::AlreadyExists { id } => {
            Some(format!("to give it a new value, run: secretkit update {}", arguments_for(id)))
        }
        Error::NotFound { name, searched } => searched.first().map(|scope| not_found_hint(name, scope)),
        Error::IdNotFound { .. } => {
            Some("`secretkit list --all --output json` prints the id of each secret".to_owned())
        }
        Error::Conflict { id, .. } => {
            Some(format!("to see it as it is now, run: secretkit show {}", arguments_for(id)))
        }
        Error::InUse { id, .. } => {
            let secret = arguments_for(id);
            Some(format!(
                "to see them, run: secretkit use list {secret}; to switch it off all the same, run: secretkit update \
                 {secret} --inactive"
            ))
        }
        Error::NotOwnRootKey { .. } => Some(
            "name the other one with --previous-key, also where it is that of --key, and run: secretkit key rewrap"
                .to_owned(),
        ),
        Error::KeyInUse { org, .. } => {
            Some(format!("to write anew what is under it, run: secretkit key reencrypt --org {org}"))
        }
        Error::RevisionNotFound { id, .. } => {
            Some(format!("to see what is kept, run: secretkit history {}", arguments_for(id)))
        }
        Error::ConsumerNotFound { id } => {
            Some(format!("to see who uses it, run: secretkit use list {}", arguments_for(id)))
        }
        Error::InvalidEncoding { encoding: Encoding::Base64, .. } => Some(
            "it must be one line without blanks; where only a line end at its end is too much, give --trim-newline"
                .to_owned(),
        ),
        _ => None,
    }
}

fn not_found_hint(name: &SecretName, scope: &Scope) -> String {
    format!(
        "to see what there is, run: secretkit list --all --org {}; to create it, run: secretkit create {}",
        scope.org(),
        arguments_for(&SecretId::new(scope.clone(), name.clone()))
    )
}

/// An address as the arguments that name it, safe to paste into a shell.
pub(crate) fn arguments_for(id: &SecretId) -> String {
    match id.scope().to_string() {
        scope if scope.contains('*') => format!("{} --scope '{scope}'", id.name()),
        scope => format!("{} --scope {scope}", id.name()),
    }
}
