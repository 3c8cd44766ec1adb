//! An org's keys in use: opened from its keyring row, sealing, opening and authenticating for exactly that org.

use super::canonical::Canonical;
use super::context::{Context, Purpose, StoreId, part_bytes};
use super::keyset::{KeyState, KeyUse, Keyset};
use super::mac::{KeyId, Mac};
use super::primitives::{self, Key};
use super::provider::{Binding, KeyProvider, Wrapped, WrappingKey};
use super::sealed::{FORMAT_VERSION, SealedValue};
use crate::error::{Error, Result};
use crate::id::{SecretId, StableId};
use crate::part::Part;
use crate::record::Revision;
use crate::time::Timestamp;
use crate::value::SecretValue;

/// An org's keyring as a store keeps it. Changed by compare-and-swap on `version`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "these are the columns; a store must not miss a new one")]
pub struct KeyringRow {
    /// The org.
    pub org: Part,
    /// 1, 2, 3, …: counts every change.
    pub version: u64,
    /// The wrapping key under its root key.
    pub wrapped: Wrapped,
    /// The keyset under the wrapping key.
    pub keyset: SealedValue,
}

/// Which keyring it is. A version alone would take a keyring that was lost and made anew for the one before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a store compares both")]
pub struct KeyringStamp {
    /// Its version.
    pub version: u64,
    /// The commitment of its keyset's record, at [`SealedValue::COMMITMENT_AT`].
    pub commitment: [u8; 32],
}

impl KeyringRow {
    /// Which keyring it is.
    #[must_use]
    pub fn stamp(&self) -> KeyringStamp {
        KeyringStamp { version: self.version, commitment: *self.keyset.commitment().as_bytes() }
    }
}

/// An org's keys, opened.
pub(crate) struct OrgKeys {
    pub(super) store: StoreId,
    pub(super) org: Part,
    pub(super) stamp: KeyringStamp,
    pub(super) keyset: Keyset,
}

impl OrgKeys {
    /// New keys for an org that has none, and the row to commit with them.
    pub(crate) fn create(
        store: StoreId,
        org: &Part,
        provider: &dyn KeyProvider,
        now: Timestamp,
    ) -> Result<(Self, KeyringRow)> {
        let keyset = Keyset::generate(now)?;
        let row = sealed_row(&store, org, 1, &keyset, provider)?;
        Ok((Self { store, org: org.clone(), stamp: row.stamp(), keyset }, row))
    }

    /// The keys of this row.
    ///
    /// # Errors
    /// [`Error::WrongRootKey`], [`Error::NewerFormat`], or [`Error::Corrupt`] where the row does not belong here.
    pub(crate) fn open(store: StoreId, row: &KeyringRow, provider: &dyn KeyProvider) -> Result<Self> {
        let KeyringRow { org, version, wrapped, keyset } = row;
        let what = || format!("the keyring of org {org}");
        let wrapping = provider.unwrap(wrapped, &Binding { store: &store, org, version: *version })?;
        if let Some(found) = keyset.newer_format() {
            return Err(newer_format(what(), found));
        }
        let context = Context::keyring(&store, Purpose::Keyset, org, *version);
        let bytes = (keyset.key_id() == wrapping.id()).then(|| keyset.open(&wrapping.0, &context).ok()).flatten();
        let bytes = bytes.ok_or_else(|| Error::corrupt(&what()))?;
        let keyset = Keyset::from_bytes(&bytes).ok_or_else(|| match Keyset::newer_format(&bytes) {
            Some((found, supported)) => {
                Error::NewerFormat { what: what(), found: found.into(), supported: supported.into() }
            }
            None => Error::corrupt(&what()),
        })?;
        Ok(Self { store, org: org.clone(), stamp: row.stamp(), keyset })
    }

    pub(crate) const fn stamp(&self) -> KeyringStamp {
        self.stamp
    }

    pub(crate) const fn store(&self) -> &StoreId {
        &self.store
    }

    /// Seals a value for exactly this address, id and revision.
    pub(crate) fn seal(
        &self,
        id: &SecretId,
        secret: &StableId,
        revision: Revision,
        value: &SecretValue,
    ) -> Result<SealedValue> {
        let (key_id, key) = self.primary(KeyUse::Data)?;
        SealedValue::seal(key, key_id, &Context::value(&self.store, id, secret, revision), value)
    }

    /// Opens a value that was sealed for exactly this address, id and revision.
    ///
    /// # Errors
    /// [`Error::UnknownKey`], [`Error::NewerFormat`], and [`Error::Corrupt`] for everything else.
    pub(crate) fn open_value(
        &self,
        id: &SecretId,
        secret: &StableId,
        revision: Revision,
        sealed: &SealedValue,
    ) -> Result<SecretValue> {
        if let Some(found) = sealed.newer_format() {
            return Err(newer_format(id.to_string(), found));
        }
        // Before the key: what is no such record says nothing of keys.
        if !sealed.is_for(Purpose::Value) {
            return Err(Error::corrupt(id));
        }
        let key = self.find(KeyUse::Data, sealed.key_id())?;
        sealed.open(key, &Context::value(&self.store, id, secret, revision)).map_err(|_| Error::corrupt(id))
    }

    /// Authenticates a canonical encoding.
    pub(crate) fn authenticate(&self, message: &[u8]) -> Result<Mac> {
        let (key_id, key) = self.primary(KeyUse::Meta)?;
        Ok(Mac { key: key_id, tag: primitives::mac(key, message) })
    }

    /// Checks a canonical encoding; `false` where it is not what was authenticated.
    ///
    /// # Errors
    /// [`Error::UnknownKey`].
    pub(crate) fn is_authentic(&self, mac: &Mac, message: &[u8]) -> Result<bool> {
        let key = self.find(KeyUse::Meta, mac.key)?;
        Ok(primitives::equal(&primitives::mac(key, message), &mac.tag))
    }

    /// Authenticates an event with the one before it.
    pub(crate) fn chain(&self, message: &[u8]) -> Result<Mac> {
        let (key_id, key) = self.primary(KeyUse::Audit)?;
        Ok(Mac { key: key_id, tag: primitives::mac(key, message) })
    }

    /// Stands in an event until it is chained.
    pub(crate) const fn unchained(&self) -> Mac {
        Mac { key: KeyId::from_bytes([0; 16]), tag: [0; 32] }
    }

    /// Checks an event with the one before it. The keys of before serve as well: a chain outlives them.
    ///
    /// # Errors
    /// [`Error::UnknownKey`], [`Error::KeyDestroyed`].
    pub(crate) fn is_chained(&self, mac: &Mac, message: &[u8]) -> Result<bool> {
        let key = self.find(KeyUse::Audit, mac.key)?;
        Ok(primitives::equal(&primitives::mac(key, message), &mac.tag))
    }

    /// Whether a key was made before another. Keys take their turn in the order in which they were made, and every commit
    /// expects the keyring that it was made under; so nothing genuine under a key follows what stands under a later one.
    pub(crate) fn is_older(&self, key: KeyId, than: KeyId) -> bool {
        let at = |id| self.keyset.keys.iter().position(|entry| entry.id == id);
        matches!((at(key), at(than)), (Some(key), Some(than)) if key < than)
    }

    /// The digest of a value at an address, under a key of that address's own.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] where `key` names a digest key that is not here.
    pub(crate) fn digest(&self, id: &SecretId, value: &SecretValue, key: Option<KeyId>) -> Result<Mac> {
        let (key_id, key) = match key {
            Some(key_id) => (key_id, self.find(KeyUse::Digest, key_id)?),
            None => self.primary(KeyUse::Digest)?,
        };
        let address = Canonical::new(b"secretkit/address/1\0")
            .bytes(1, self.store.as_bytes())
            .text(2, id.org().as_str())
            .optional(3, id.scope().project().map(part_bytes))
            .optional(4, id.scope().domain().map(part_bytes))
            .optional(5, id.name().group().map(part_bytes))
            .text(6, id.name().key().as_str())
            .finish();
        let subkey = primitives::subkey(key, b"secretkit/v1 digest\0", &address);
        Ok(Mac { key: key_id, tag: primitives::mac(&subkey, value.expose_secret()) })
    }

    /// # Errors
    /// [`Error::KeyDestroyed`] for an org whose keys were all destroyed.
    pub(super) fn primary(&self, used_for: KeyUse) -> Result<(KeyId, &Key)> {
        self.keyset
            .keys
            .iter()
            .filter(|entry| entry.used_for == used_for && entry.state == KeyState::Primary)
            .find_map(|entry| Some((entry.id, entry.key.as_ref()?)))
            .ok_or_else(|| Error::KeyDestroyed { org: self.org.clone() })
    }

    /// A pending key opens too: another process may have promoted it a moment ago.
    fn find(&self, used_for: KeyUse, id: KeyId) -> Result<&Key> {
        self.keyset
            .keys
            .iter()
            .filter(|entry| entry.used_for == used_for && entry.id == id)
            .find_map(|entry| match entry.state {
                KeyState::Retired | KeyState::Destroyed => None,
                KeyState::Pending | KeyState::Primary | KeyState::DecryptOnly => entry.key.as_ref(),
            })
            .ok_or_else(|| match self.keyset.keys.iter().any(|entry| entry.id == id) {
                true => Error::KeyDestroyed { org: self.org.clone() },
                false => Error::UnknownKey { org: self.org.clone(), key: id },
            })
    }
}

impl std::fmt::Debug for OrgKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<_> = self.keyset.keys.iter().map(|entry| (entry.used_for, entry.state, entry.id)).collect();
        f.debug_struct("OrgKeys")
            .field("org", &self.org)
            .field("version", &self.stamp.version)
            .field("keys", &ids)
            .finish()
    }
}

/// The row that holds these keys, under a wrapping key of its own.
pub(super) fn sealed_row(
    store: &StoreId,
    org: &Part,
    version: u64,
    keyset: &Keyset,
    provider: &dyn KeyProvider,
) -> Result<KeyringRow> {
    let wrapping = WrappingKey(Key::generate()?);
    let wrapped = provider.wrap(&wrapping, &Binding { store, org, version })?;
    let context = Context::keyring(store, Purpose::Keyset, org, version);
    let keyset = SealedValue::seal(&wrapping.0, wrapping.id(), &context, &keyset.to_bytes())?;
    Ok(KeyringRow { org: org.clone(), version, wrapped, keyset })
}

fn newer_format(what: String, found: u8) -> Error {
    Error::NewerFormat { what, found: found.into(), supported: FORMAT_VERSION.into() }
}
