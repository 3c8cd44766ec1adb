//! Asking for the passphrase of `passphrase:` at the terminal.

use std::path::Path;

use secretkit::seal::PassphraseKey;
use secretkit::{AskPassphrase, Error, Fault, KeyRole, PassphraseQuestion, SecretValue};

use crate::failure::Stop;
use crate::terminal;

/// Whoever sits at the terminal, wherever the standard streams lead.
#[derive(Debug)]
pub(crate) struct AtTerminal;

/// The same, about the store that another is copied from.
#[derive(Debug)]
pub(crate) struct OfSource;

impl AskPassphrase for OfSource {
    fn ask(&self, question: PassphraseQuestion<'_>) -> Result<SecretValue, Error> {
        asked(question, "The store to read. ")
    }
}

impl AskPassphrase for AtTerminal {
    fn ask(&self, question: PassphraseQuestion<'_>) -> Result<SecretValue, Error> {
        asked(question, "")
    }
}

fn asked(question: PassphraseQuestion<'_>, about: &str) -> Result<SecretValue, Error> {
    if !terminal::can_be_opened() {
        return Err(Error::NoRootKey(
            "passphrase: needs a terminal to ask at, and there is none; use passphrase:file:PATH".to_owned(),
        ));
    }
    let typed = ask(&format!("{about}{}", prompt(question)))?;
    if let PassphraseQuestion::New(_) = question
        && ask("The same again: ")?.expose_secret() != typed.expose_secret()
    {
        let fault = Fault::Shape("the two that were typed differ; nothing was written");
        return Err(Error::InvalidMetadata { field: "passphrase", fault });
    }
    Ok(typed)
}

fn prompt(question: PassphraseQuestion<'_>) -> String {
    match question {
        PassphraseQuestion::New(KeyRole::Org(org)) => format!("New passphrase of org {org}: "),
        PassphraseQuestion::New(_) => "New passphrase: ".to_owned(),
        PassphraseQuestion::Known(KeyRole::Org(org)) => format!("Passphrase of org {org}: "),
        PassphraseQuestion::Known(KeyRole::Previous) => "Previous passphrase: ".to_owned(),
        _ => "Passphrase: ".to_owned(),
    }
}

fn ask(prompt: &str) -> Result<SecretValue, Error> {
    let mut length = 0;
    // One byte more than the longest: a line that fills it is refused as too long and not cut.
    let line = SecretValue::try_init_with(PassphraseKey::MAX_BYTES + 1, |line| {
        length = terminal::ask_hidden(prompt, line).map_err(into_error)?;
        Ok::<(), Error>(())
    })?;
    Ok(SecretValue::copied_from(&line.expose_secret()[..length]))
}

/// Ctrl-C travels through the library as an error of the terminal, and is Ctrl-C again where the command ends.
#[derive(Debug)]
struct Interrupted(u8);

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "interrupted by signal {}", self.0)
    }
}

impl std::error::Error for Interrupted {}

fn into_error(stop: Stop) -> Error {
    match stop {
        Stop::Signalled(signal) => {
            Error::file(Path::new("the prompt for a passphrase"), std::io::Error::other(Interrupted(signal)))
        }
        Stop::Failed(failure) => Error::NoRootKey(format!("the prompt gave no passphrase: {}", failure.message)),
        _ => Error::NoRootKey("the prompt gave no passphrase".to_owned()),
    }
}

/// The signal that ended a prompt, where that is what this error carries.
pub(crate) fn interrupted(error: &Error) -> Option<u8> {
    match error {
        Error::File { source, .. } => source.get_ref()?.downcast_ref::<Interrupted>().map(|signal| signal.0),
        _ => None,
    }
}
