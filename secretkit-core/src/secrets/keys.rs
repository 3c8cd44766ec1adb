//! The opened keys of each org, loaded once and again when the store has newer ones.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::Secrets;
use crate::error::{Error, Result};
use crate::part::Part;
use crate::seal::{KeyProvider, KeyringRow, OrgKeys, StoreId};

#[derive(Debug)]
pub(super) struct OrgCache {
    store: OnceLock<StoreId>,
    opened: RwLock<Opened>,
}

#[derive(Debug)]
struct Opened {
    /// `None` once sealed.
    provider: Option<Arc<dyn KeyProvider>>,
    orgs: HashMap<Part, KnownKeys>,
}

/// What this process knows of an org's keys.
#[derive(Debug, Default)]
struct KnownKeys {
    /// `None` where they are to be loaded anew.
    keys: Option<Arc<OrgKeys>>,
    /// The highest version of its keyring that was met, which it is never behind again.
    version: u64,
}

/// How fresh what is read has to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Freshness {
    /// What is delivered may come from a cache.
    AtHand,
    /// What stands in the store now.
    Latest,
}

impl OrgCache {
    /// None of them yet, and where they come from.
    pub(super) fn new(provider: Arc<dyn KeyProvider>) -> Self {
        Self { store: OnceLock::new(), opened: RwLock::new(Opened { provider: Some(provider), orgs: HashMap::new() }) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Opened> {
        self.opened.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Opened> {
        self.opened.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Secrets {
    /// Takes all keys away from this `Secrets`, for good: every later call that needs one is
    /// [`Error::NoRootKey`](crate::Error::NoRootKey).
    ///
    /// The opened keys are wiped as soon as no call is at work with them, and the [`KeyProvider`] is dropped; whoever made it
    /// may still hold it. A call that is at work then may end either way. Uses are recorded first. What a [`Delivery`](crate::deliver::Delivery) has opened stays with its
    /// task. To go on, make another `Secrets`.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use secretkit_core::{Access, ErrorKind, MemoryStore, PutMode, RootKey, SecretId, SecretValue, Secrets};
    ///
    /// let secrets = Secrets::new(Arc::new(MemoryStore::new()), Arc::new(RootKey::generate()?), Access::Unrestricted);
    /// let id: SecretId = "acme:password".parse()?;
    /// secrets.put(&id, &SecretValue::copied_from(b"k3y"), PutMode::Create)?;
    /// secrets.seal();
    /// assert_eq!(secrets.get(&id).unwrap_err().kind(), ErrorKind::NoRootKey);
    /// # Ok::<(), secretkit_core::Error>(())
    /// ```
    pub fn seal(&self) {
        self.record_uses();
        let mut opened = self.orgs.write();
        opened.provider = None;
        opened.orgs.values_mut().for_each(|known| known.keys = None);
    }

    /// Where the keys of orgs come from.
    ///
    /// # Errors
    /// [`Error::NoRootKey`] once this is sealed.
    pub(super) fn provider(&self) -> Result<Arc<dyn KeyProvider>> {
        let sealed = || Error::NoRootKey("its keys were taken from it when it was sealed; open it anew".to_owned());
        self.orgs.read().provider.clone().ok_or_else(sealed)
    }

    /// Reads, and once more where what was read stood under a key that is out of use: whoever was held up between reading
    /// and checking, or read from a cache, may have missed a whole rotation. What stands there now is under other keys.
    pub(super) fn reread<T>(&self, read: impl Fn(Freshness) -> Result<T>) -> Result<T> {
        match read(Freshness::AtHand) {
            Err(error) if is_out_of_use(&error) => read(Freshness::Latest),
            outcome => outcome,
        }
    }

    /// Runs `verify` with the org's keys; where it meets a key that they lack, loads them again and runs it once more.
    ///
    /// `verify` is pure, so running it twice is safe.
    pub(super) fn with_keys<T>(&self, org: &Part, verify: impl Fn(&OrgKeys) -> Result<T>) -> Result<T> {
        let keys = match self.cached(org) {
            Some(keys) => keys,
            None => return verify(&*self.require_keys(org)?),
        };
        match verify(&keys) {
            Err(Error::UnknownKey { .. }) => verify(&*self.require_keys(org)?),
            outcome => outcome,
        }
    }

    /// The org's keys as they are at hand, for [`with_keys_at_hand`](Self::with_keys_at_hand).
    pub(super) fn keys_at_hand(&self, org: &Part) -> Result<Arc<OrgKeys>> {
        self.cached(org).map_or_else(|| self.require_keys(org), Ok)
    }

    /// As [`with_keys`](Self::with_keys), for whoever checks so many rows that asking for the keys each time counts.
    pub(super) fn with_keys_at_hand<T>(
        &self,
        org: &Part,
        keys: &OrgKeys,
        verify: impl Fn(&OrgKeys) -> Result<T>,
    ) -> Result<T> {
        match verify(keys) {
            Err(Error::UnknownKey { .. }) => self.with_keys(org, verify),
            outcome => outcome,
        }
    }

    /// The org's keys as they are now in the store, or `None` where it has none yet.
    ///
    /// This is the first look at an org, and so where an old copy of the store is refused.
    pub(super) fn load_keys(&self, org: &Part) -> Result<Option<Arc<OrgKeys>>> {
        let Some((_, keys)) = self.open_keyring(org)? else { return Ok(None) };
        let keys = Arc::new(keys);
        self.remember(Arc::clone(&keys), org);
        Ok(Some(keys))
    }

    /// The org's keyring as it is now in the store, with its keys.
    pub(super) fn open_keyring(&self, org: &Part) -> Result<Option<(KeyringRow, OrgKeys)>> {
        // Before it is read: what others bring meanwhile is newer.
        let (anchored, known) = (self.check_anchor(org)?, self.keyring_version(org));
        let Some(row) = self.store.keyring(org)? else {
            return if anchored == 0 { Ok(None) } else { Err(self.rolled_back(org)) };
        };
        if row.org != *org {
            return Err(Error::corrupt(&format!("the keyring of org {org}")));
        }
        if row.version < known.max(anchored) {
            return Err(self.rolled_back(org));
        }
        let keys = OrgKeys::open(self.store_id()?, &row, &*self.provider()?)?;
        Ok(Some((row, keys)))
    }

    /// The highest version of the org's keyring that this process met; 0 where it met none.
    pub(super) fn keyring_version(&self, org: &Part) -> u64 {
        self.orgs.read().orgs.get(org).map_or(0, |known| known.version)
    }

    /// The same for every org of which it met any.
    pub(super) fn keyring_versions(&self) -> HashMap<Part, u64> {
        let opened = self.orgs.read();
        opened.orgs.iter().map(|(org, known)| (org.clone(), known.version)).collect()
    }

    /// The org's keys for a write: those at hand, those of the store, or new ones with the row to commit.
    pub(super) fn keys_for_write(&self, org: &Part) -> Result<(Arc<OrgKeys>, Option<KeyringRow>)> {
        if let Some(keys) = self.cached(org) {
            return Ok((keys, None));
        }
        if let Some(keys) = self.load_keys(org)? {
            return Ok((keys, None));
        }
        let (keys, row) = OrgKeys::create(self.store_id()?, org, &*self.provider()?, self.clock.now())?;
        Ok((Arc::new(keys), Some(row)))
    }

    pub(super) fn remember(&self, keys: Arc<OrgKeys>, org: &Part) {
        let Opened { provider, orgs } = &mut *self.orgs.write();
        let known = orgs.entry(org.clone()).or_default();
        known.version = known.version.max(keys.stamp().version);
        // A call that began before it was sealed must not leave any behind.
        known.keys = provider.is_some().then_some(keys);
    }

    /// The org's first keyring, which this process has brought. What was there before is gone, with every secret.
    pub(super) fn remember_first(&self, keys: Arc<OrgKeys>, org: &Part) {
        let Opened { provider, orgs } = &mut *self.orgs.write();
        let known = KnownKeys { version: keys.stamp().version, keys: provider.is_some().then_some(keys) };
        orgs.insert(org.clone(), known);
    }

    /// Forgets the org's keys, so that the next use loads them, and not how far its keyring was.
    pub(super) fn forget(&self, org: &Part) {
        if let Some(known) = self.orgs.write().orgs.get_mut(org) {
            known.keys = None;
        }
    }

    pub(super) fn has_keys_at_hand(&self, org: &Part) -> bool {
        self.cached(org).is_some()
    }

    fn cached(&self, org: &Part) -> Option<Arc<OrgKeys>> {
        self.orgs.read().orgs.get(org)?.keys.clone()
    }

    /// The org's keys for a row that is there: an org without a keyring cannot have one.
    fn require_keys(&self, org: &Part) -> Result<Arc<OrgKeys>> {
        self.load_keys(org)?.ok_or_else(|| lost_keyring(org))
    }

    pub(super) fn store_id(&self) -> Result<StoreId> {
        if let Some(id) = self.orgs.store.get() {
            return Ok(*id);
        }
        let id = self.store.info()?.id;
        Ok(*self.orgs.store.get_or_init(|| id))
    }
}

/// Whether it is that a key is not in use, be it any more or at all.
pub(super) const fn is_out_of_use(error: &Error) -> bool {
    matches!(error, Error::UnknownKey { .. } | Error::KeyDestroyed { .. })
}

/// An org that has secrets and no keyring. A new one would make every value that is there unreadable for ever.
pub(super) fn lost_keyring(org: &Part) -> Error {
    Error::corrupt(&format!("the keyring of org {org}, which is gone,"))
}
