//! Key URLs from their text. What is refused never comes back but by its scheme: it may be a key or a passphrase.

use std::str::FromStr;

use secretkit_core::{Error, Result};

use super::{CredentialName, KeyCommand, KeyUrl, KeyringEntry, PassphrasePlace};
use crate::url::{local_path, named, unsupported};

impl FromStr for KeyUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        refuse_a_key(text.as_bytes())?;
        match text.split_once(':') {
            Some(("file", path)) => Self::file(local_path("file", path)?),
            Some(("env", name)) => {
                refuse_a_key(name.as_bytes())?;
                name.parse().map(Self::Variable)
            }
            Some(("credential", name)) => CredentialName::parse(name).map(Self::Credential),
            Some(("exec", line)) => KeyCommand::parse(line).map(Self::Command),
            Some(("keyring", entry)) => KeyringEntry::parse(entry).map(Self::Keyring),
            Some(("passphrase", place)) => passphrase(place).map(Self::Passphrase),
            other => Err(unsupported(&format!(
                "{} is no kind of root key known here; use file:PATH, env:NAME, credential:NAME, exec:COMMAND, \
                 keyring:SERVICE/USER or passphrase:",
                named(other)
            ))),
        }
    }
}

fn passphrase(place: &str) -> Result<PassphrasePlace> {
    refuse_a_key(place.as_bytes())?;
    match place.split_once(':') {
        None if place.is_empty() => Ok(PassphrasePlace::Prompt),
        Some(("env", name)) => {
            refuse_a_key(name.as_bytes())?;
            name.parse().map(PassphrasePlace::Variable)
        }
        Some(("file", path)) => {
            let path = local_path("file", path)?;
            refuse_a_key(path.as_os_str().as_encoded_bytes())?;
            Ok(PassphrasePlace::File(path))
        }
        Some(_) | None => Err(unsupported(
            "after passphrase: stands file:PATH or env:NAME, or nothing, to be asked for it; the passphrase itself \
             never does",
        )),
    }
}

/// A key in the place of a key's name must not come back in an error.
pub(super) fn refuse_a_key(text: &[u8]) -> Result<()> {
    let in_alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match text {
        [most @ .., b'='] if text.len() == 44 && most.iter().all(in_alphabet) => Err(unsupported(
            "a root key itself was given where its place belongs; keep it in a file with mode 600 and name that as \
             file:PATH, or in a variable and name that as env:NAME",
        )),
        _ => Ok(()),
    }
}
