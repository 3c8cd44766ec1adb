//! How good each place of a root key is, in plain words.

use super::{KeyUrl, PassphrasePlace};

/// How good a place is, as far as its kind tells.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum KeyRating {
    /// Better than nothing: for tests and first steps.
    Weak,
    /// Depends on something that secretkit cannot see.
    Fair,
    /// As good as the machine it is used on.
    Good,
}

impl KeyUrl {
    /// How good this place is, and why.
    #[must_use]
    pub const fn rating(&self) -> (KeyRating, &'static str) {
        match self {
            Self::File(_) => (
                KeyRating::Good,
                "a file that only its owner can read: as good as the accounts of this machine, where its copies are \
                 kept apart from those of the store",
            ),
            Self::Credential(_) => {
                (KeyRating::Good, "handed over by the service manager, in memory and to this service alone")
            }
            Self::Variable(_) => (
                KeyRating::Weak,
                "a variable: it stays readable in /proc for as long as the process runs, children inherit it, and crash \
                 reports quote it; use a file or a credential",
            ),
            Self::Command(_) => (
                KeyRating::Fair,
                "as good as what the command asks; other users of this machine see its arguments while it runs",
            ),
            Self::Keyring(_) => {
                (KeyRating::Fair, "good at a desktop: it opens with the login, and to every program of that user")
            }
            Self::Passphrase(PassphrasePlace::Prompt) => (
                KeyRating::Fair,
                "nowhere but in a head: as good as the passphrase is long, because whoever has a copy of the store can \
                 try others at half a second each",
            ),
            Self::Passphrase(PassphrasePlace::File(_)) => {
                (KeyRating::Fair, "a passphrase in a file: a root key in that file would be stronger and faster")
            }
            Self::Passphrase(PassphrasePlace::Variable(_)) => (
                KeyRating::Weak,
                "a passphrase in a variable: it stays readable in /proc for as long as the process runs, and children \
                 inherit it; use a file or a credential",
            ),
        }
    }
}
