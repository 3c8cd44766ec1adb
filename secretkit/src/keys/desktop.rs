//! A root key in the desktop's keyring: GNOME Keyring, KWallet, KeePassXC, whatever speaks the Secret Service protocol.

use std::fmt;

use secretkit_core::{Result, RootKey};

use super::parse::refuse_a_key;
use crate::url::unsupported;

/// An entry of the keyring, by the attributes `service` and `username` that programs and `secret-tool` give them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyringEntry {
    service: Box<str>,
    user: Box<str>,
}

impl KeyringEntry {
    /// `SERVICE/USER`.
    ///
    /// # Errors
    /// [`Error::Unsupported`](secretkit_core::Error::Unsupported) where one of the two is missing, longer than 255 bytes
    /// or has control characters.
    pub fn parse(text: &str) -> Result<Self> {
        let is_name = |name: &str| !name.is_empty() && name.len() <= 255 && !name.contains(char::is_control);
        match text.split_once('/') {
            Some((service, user)) if is_name(service) && is_name(user) => {
                [text, service, user].iter().try_for_each(|part| refuse_a_key(part.as_bytes()))?;
                Ok(Self { service: service.into(), user: user.into() })
            }
            Some(_) | None => Err(unsupported("keyring: takes SERVICE/USER, as in keyring:secretkit/root")),
        }
    }

    #[cfg(not(all(feature = "keyring", target_os = "linux")))]
    #[expect(clippy::unused_self, reason = "as where there is one")]
    pub(super) fn read(&self) -> Result<RootKey> {
        Err(unsupported(
            "this secretkit is built without the desktop's keyring; build it with the feature `keyring` on Linux, or \
             use exec: with a command that reads the keyring, such as secret-tool",
        ))
    }

    #[cfg(all(feature = "keyring", target_os = "linux"))]
    pub(super) fn read(&self) -> Result<RootKey> {
        secret_service::read(self)
    }
}

impl fmt::Display for KeyringEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.user)
    }
}

#[cfg(all(feature = "keyring", target_os = "linux"))]
mod secret_service {
    use std::collections::HashMap;

    use secret_service::blocking::SecretService;
    use secret_service::{EncryptionType, Error as Refusal};
    use secretkit_core::{Error, Result, RootKey};
    use zeroize::Zeroizing;

    use super::KeyringEntry;

    /// Asks the desktop to unlock the entry, which may show a window of its own.
    pub(super) fn read(entry: &KeyringEntry) -> Result<RootKey> {
        let keyring = SecretService::connect(EncryptionType::Dh).map_err(|refusal| unavailable(&refusal))?;
        let attributes = HashMap::from([("service", &*entry.service), ("username", &*entry.user)]);
        let found = keyring.search_items(attributes).map_err(|refusal| unavailable(&refusal))?;
        let mut items: Vec<_> = found.unlocked.into_iter().chain(found.locked).collect();
        let item = match (items.pop(), items.is_empty()) {
            (Some(item), true) => item,
            (Some(_), false) => {
                return Err(said("has several entries with that service and username; remove all but one"));
            }
            (None, _) => {
                return Err(Error::NoRootKey(format!(
                    "the desktop's keyring has no entry with service {} and username {}",
                    entry.service, entry.user
                )));
            }
        };
        item.unlock().map_err(|refusal| unavailable(&refusal))?;
        let text = Zeroizing::new(item.get_secret().map_err(|refusal| unavailable(&refusal))?);
        RootKey::from_text(&text, || format!("the keyring entry {entry}"))
    }

    /// In words of ours: what came over the bus is not passed on.
    fn unavailable(refusal: &Refusal) -> Error {
        said(match refusal {
            Refusal::Unavailable => "is not there: no Secret Service answers on the session bus",
            Refusal::Locked | Refusal::Prompt | Refusal::PromptDisconnected => "stays locked",
            Refusal::NoResult => "gave no answer",
            _ => "cannot be reached, or failed; see the journal of the session",
        })
    }

    fn said(why: &str) -> Error {
        Error::RootKeyUnavailable { place: "the desktop's keyring".to_owned(), why: why.to_owned() }
    }
}
