//! How an org's keys move from state to state: each step a new version of its keyring.

use super::KeyId;
use super::keyring::{KeyringRow, OrgKeys};
use super::keyset::{KeyEntry, KeyState, KeyUse, Keyset};
use super::primitives::Key;
use super::provider::KeyProvider;
use crate::error::{Error, Result};
use crate::part::Part;
use crate::time::Timestamp;

/// A key of an org as its status shows it. It has no field that could hold the key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyInfo {
    /// Its public id.
    pub id: KeyId,
    /// What it is for.
    pub used_for: KeyUse,
    /// Where it stands in its life.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was retired: no backup from after that needs it. `None` before, and where nobody noted it.
    pub retired_at: Option<Timestamp>,
}

/// One step in the life of a key. A key moves forward only, and its id is never used again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// A new key, pending: readers know it before any writer uses it.
    Add(KeyUse),
    /// Pending to primary; the primary one before it only opens from now on.
    Promote(KeyId),
    /// Decrypt-only to retired; what is pending may be given up the same way.
    Retire(KeyId),
    /// Retired to destroyed.
    Destroy(KeyId),
    /// Every key destroyed, whatever is left under it.
    DestroyAll,
}

impl OrgKeys {
    /// These keys after `steps`, and the row that holds them: the next version, under a wrapping key of its own.
    ///
    /// Without any step it is a rewrap.
    ///
    /// # Errors
    /// [`Error::KeyStep`] for a step that the key's state does not allow, and what the provider says.
    pub(crate) fn after(
        &self,
        steps: &[Step],
        provider: &dyn KeyProvider,
        now: Timestamp,
    ) -> Result<(Self, KeyringRow)> {
        let bytes = self.keyset.to_bytes();
        let corrupt = || Error::corrupt(&format!("the keyring of org {}", self.org));
        let mut keyset = Keyset::from_bytes(&bytes).ok_or_else(corrupt)?;
        steps.iter().try_for_each(|step| keyset.take(*step, &self.org, now))?;
        let version = self.stamp.version.checked_add(1).ok_or_else(corrupt)?;
        let row = super::keyring::sealed_row(&self.store, &self.org, version, &keyset, provider)?;
        Ok((Self { store: self.store, org: self.org.clone(), stamp: row.stamp(), keyset }, row))
    }

    /// Every key with its state, in the order in which they were made.
    pub(crate) fn infos(&self) -> Vec<KeyInfo> {
        let info = |entry: &KeyEntry| {
            let KeyEntry { id, used_for, state, created_at, retired_at, key: _ } = *entry;
            KeyInfo { id, used_for, state, created_at, retired_at }
        };
        self.keyset.keys.iter().map(info).collect()
    }

    /// The id of the key that writers use for this.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where there is none.
    pub(crate) fn primary_id(&self, used_for: KeyUse) -> Result<KeyId> {
        self.primary(used_for).map(|(id, _)| id)
    }
}

impl Keyset {
    fn take(&mut self, step: Step, org: &Part, now: Timestamp) -> Result<()> {
        match step {
            Step::Add(used_for) => {
                if let Some(pending) =
                    self.keys.iter().find(|key| (key.used_for, key.state) == (used_for, KeyState::Pending))
                {
                    return Err(refused(org, pending, "is pending already; promote or retire it first"));
                }
                let (id, key) = (KeyId::generate()?, Some(Key::generate()?));
                self.keys.push(KeyEntry {
                    id,
                    used_for,
                    state: KeyState::Pending,
                    created_at: now,
                    retired_at: None,
                    key,
                });
            }
            Step::Promote(id) => {
                let entry = self.entry(org, id)?;
                if entry.state != KeyState::Pending {
                    return Err(refused(org, entry, "cannot be promoted; only a pending key can"));
                }
                let used_for = entry.used_for;
                let is_primary = |other: &&mut KeyEntry| (other.used_for, other.state) == (used_for, KeyState::Primary);
                self.keys.iter_mut().filter(is_primary).for_each(|other| other.state = KeyState::DecryptOnly);
                self.entry(org, id)?.state = KeyState::Primary;
            }
            Step::Retire(id) => {
                let entry = self.entry(org, id)?;
                if !matches!(entry.state, KeyState::DecryptOnly | KeyState::Pending) {
                    return Err(refused(org, entry, "cannot be retired; only a decrypt-only or pending key can"));
                }
                (entry.state, entry.retired_at) = (KeyState::Retired, Some(now));
            }
            Step::Destroy(id) => {
                let entry = self.entry(org, id)?;
                if entry.state != KeyState::Retired {
                    return Err(refused(org, entry, "cannot be destroyed; only a retired key can"));
                }
                (entry.state, entry.key) = (KeyState::Destroyed, None);
            }
            Step::DestroyAll => {
                for entry in &mut self.keys {
                    (entry.state, entry.key) = (KeyState::Destroyed, None);
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, org: &Part, id: KeyId) -> Result<&mut KeyEntry> {
        self.keys
            .iter_mut()
            .find(|entry| entry.id == id)
            .ok_or_else(|| Error::KeyNotFound { org: org.clone(), key: id })
    }
}

fn refused(org: &Part, entry: &KeyEntry, why: &'static str) -> Error {
    Error::KeyStep { org: org.clone(), key: entry.id, state: entry.state, why }
}
