//! The store that a command works with. When it is done with it, what went wrong beside its work is told.

use std::ops::Deref;

use secretkit::{Created, Error, Secrets, Settings};

use super::Session;
use crate::console::Console;

/// An open store, which warns at its end where the anchor is behind it.
pub(super) struct Opened {
    secrets: Secrets,
    console: Console,
}

impl Session {
    /// The store as it is, see [`Settings::open_existing`].
    ///
    /// # Errors
    /// Those.
    pub(super) fn existing(&self) -> Result<Opened, Error> {
        self.existing_of(&self.settings)
    }

    /// The same of a store that the command line names beside its own.
    ///
    /// # Errors
    /// Those of [`existing`](Self::existing).
    pub(super) fn existing_of(&self, settings: &Settings) -> Result<Opened, Error> {
        Ok(Opened { secrets: settings.open_existing()?, console: self.console })
    }

    /// The store, made where there is none, see [`Settings::open_or_create`]. What
    /// was made is told.
    ///
    /// # Errors
    /// Those.
    pub(super) fn existing_or_new(&self) -> Result<Opened, Error> {
        self.existing_or_new_of(&self.settings)
    }

    /// The same of a store that the command line names beside its own.
    ///
    /// # Errors
    /// Those of [`existing_or_new`](Self::existing_or_new).
    pub(super) fn existing_or_new_of(&self, settings: &Settings) -> Result<Opened, Error> {
        let (secrets, created) = settings.open_or_create()?;
        self.announce(&created);
        Ok(Opened { secrets, console: self.console })
    }

    /// Nothing appears on a disk unsaid.
    fn announce(&self, created: &Created) {
        if let Some(store) = &created.store {
            self.console.notice(&format!("made the store {store}"));
        }
        if let Some(key) = &created.key {
            self.console.notice(&format!(
                "made the root key {}; keep a copy of it, apart from the store: without it no secret opens again",
                key.display()
            ));
        }
    }
}

impl Deref for Opened {
    type Target = Secrets;

    fn deref(&self) -> &Secrets {
        &self.secrets
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(why) = self.secrets.anchor_lag() {
            self.console.warning(&format!(
                "the write took effect, but the anchor does not know of it: {why}; until a write after it is \
                 remembered, an old copy of the store may go unnoticed"
            ));
        }
    }
}
