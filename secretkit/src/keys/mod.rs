//! Where a root key comes from, by URL. `docs/keys.md` says which to choose.

mod command;
mod credential;
mod desktop;
mod parse;
mod prompt;
mod rating;
mod several;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use secretkit_core::seal::PassphraseKey;
use secretkit_core::{KeyProvider, Result, RootKey, VariableName};

use crate::url::shown;

pub use command::KeyCommand;
pub use credential::CredentialName;
pub use desktop::KeyringEntry;
pub use prompt::{AskPassphrase, KeyRole, PassphraseQuestion};
pub use rating::KeyRating;

pub(crate) use prompt::{Asking, Prompted};
pub(crate) use several::{Deferred, org_keys_from, previous_keys_from};

/// Where the root key is.
///
/// | URL | the root key is |
/// |---|---|
/// | `file:PATH` | in a file that only its owner can read, one line of 44 characters |
/// | `env:NAME` | the same line in a variable |
/// | `credential:NAME` | the same line in a credential of systemd, a file of `$CREDENTIALS_DIRECTORY` |
/// | `exec:COMMAND ARGUMENTS` | the same line, printed by a command |
/// | `keyring:SERVICE/USER` | the same line in the desktop's keyring, in builds with the feature `keyring` |
/// | `passphrase:` | computed from a passphrase that the host asks for |
/// | `passphrase:file:PATH`, `passphrase:env:NAME` | computed from a passphrase that is kept there |
///
/// ```
/// use secretkit::KeyUrl;
///
/// let url: KeyUrl = "exec:pass show secretkit/root".parse()?;
/// // What is handed to a command may be a secret, and is not printed.
/// assert_eq!(url.to_string(), "exec:pass …");
/// assert!("passphrase:hunter2".parse::<KeyUrl>().is_err_and(|error| !error.to_string().contains("hunter2")));
/// # Ok::<(), secretkit::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeyUrl {
    /// A file that only its owner can read.
    File(PathBuf),
    /// A variable of this process's environment.
    Variable(VariableName),
    /// A credential that systemd handed to this service.
    Credential(CredentialName),
    /// What a command prints.
    Command(KeyCommand),
    /// An entry of the desktop's keyring.
    Keyring(KeyringEntry),
    /// A passphrase, of which the root key is made.
    Passphrase(PassphrasePlace),
}

/// Where a passphrase comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PassphrasePlace {
    /// From whoever the host can ask, when it is first needed.
    Prompt,
    /// A variable of this process's environment.
    Variable(VariableName),
    /// A file that only its owner can read.
    File(PathBuf),
}

impl KeyUrl {
    /// The key file at this path.
    ///
    /// # Errors
    /// [`Error::Unsupported`](secretkit_core::Error::Unsupported) where the path looks like a key: it was pasted in the
    /// wrong place, and errors print paths.
    pub fn file(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        parse::refuse_a_key(path.as_os_str().as_encoded_bytes())?;
        Ok(Self::File(path))
    }

    /// Reads the key, or the passphrase of which it is made.
    ///
    /// One that has to be asked for is not asked for here: nobody is there to ask. See
    /// [`load_asking`](Self::load_asking).
    ///
    /// # Errors
    /// Those of [`RootKey::from_file`], [`RootKey::from_variable`] and [`PassphraseKey::from_file`], and
    /// [`Error::RootKeyUnavailable`](secretkit_core::Error::RootKeyUnavailable) where a command or a keyring fails.
    pub fn load(&self) -> Result<Arc<dyn KeyProvider>> {
        self.load_with(None)
    }

    /// The same for a host that can ask for a passphrase. It is asked when the passphrase is first needed, not here, and
    /// again where the answer opened nothing.
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub fn load_asking(&self, ask: Arc<dyn AskPassphrase>) -> Result<Arc<dyn KeyProvider>> {
        self.load_with(Some(ask))
    }

    fn load_with(&self, ask: Option<Arc<dyn AskPassphrase>>) -> Result<Arc<dyn KeyProvider>> {
        Ok(match self {
            Self::File(path) => Arc::new(RootKey::from_file(path)?),
            Self::Variable(name) => Arc::new(RootKey::from_variable(name.as_str())?),
            Self::Credential(name) => Arc::new(name.read()?),
            Self::Command(command) => Arc::new(command.run()?),
            Self::Keyring(entry) => Arc::new(entry.read()?),
            Self::Passphrase(PassphrasePlace::Prompt) => {
                let prompted = Arc::new(Prompted::new(KeyRole::Primary, ask));
                Asking::around(Arc::clone(&prompted) as _, vec![prompted])
            }
            Self::Passphrase(PassphrasePlace::Variable(name)) => Arc::new(PassphraseKey::from_variable(name.as_str())?),
            Self::Passphrase(PassphrasePlace::File(path)) => Arc::new(PassphraseKey::from_file(path)?),
        })
    }

    /// Whether somebody has to be asked before this key can be used.
    #[must_use]
    pub const fn needs_asking(&self) -> bool {
        matches!(self, Self::Passphrase(PassphrasePlace::Prompt))
    }

    /// The file that it names, if it names one by its path.
    pub(crate) const fn path_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::File(path) | Self::Passphrase(PassphrasePlace::File(path)) => Some(path),
            _ => None,
        }
    }
}

impl fmt::Display for KeyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", shown(path)),
            Self::Variable(name) => write!(f, "env:{}", name.as_str()),
            Self::Credential(name) => write!(f, "credential:{}", name.as_str()),
            Self::Command(command) => write!(f, "exec:{command}"),
            Self::Keyring(entry) => write!(f, "keyring:{entry}"),
            Self::Passphrase(PassphrasePlace::Prompt) => f.write_str("passphrase:"),
            Self::Passphrase(PassphrasePlace::Variable(name)) => write!(f, "passphrase:env:{}", name.as_str()),
            Self::Passphrase(PassphrasePlace::File(path)) => write!(f, "passphrase:file:{}", shown(path)),
        }
    }
}
