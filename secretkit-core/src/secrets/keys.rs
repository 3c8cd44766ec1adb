//! The opened keys of each org, loaded once and again when the store has newer ones.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::Secrets;
use crate::error::{Error, Result};
use crate::part::Part;
use crate::seal::{KeyringRow, OrgKeys, StoreId};

#[derive(Debug, Default)]
pub(super) struct OrgCache {
    store: OnceLock<StoreId>,
    orgs: RwLock<HashMap<Part, KnownKeys>>,
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

impl Secrets {
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
        let keys = OrgKeys::open(self.store_id()?, &row, &*self.provider)?;
        Ok(Some((row, keys)))
    }

    /// The highest version of the org's keyring that this process met; 0 where it met none.
    pub(super) fn keyring_version(&self, org: &Part) -> u64 {
        self.orgs.orgs.read().unwrap_or_else(PoisonError::into_inner).get(org).map_or(0, |known| known.version)
    }

    /// The same for every org of which it met any.
    pub(super) fn keyring_versions(&self) -> HashMap<Part, u64> {
        let orgs = self.orgs.orgs.read().unwrap_or_else(PoisonError::into_inner);
        orgs.iter().map(|(org, known)| (org.clone(), known.version)).collect()
    }

    /// The org's keys for a write: those at hand, those of the store, or new ones with the row to commit.
    pub(super) fn keys_for_write(&self, org: &Part) -> Result<(Arc<OrgKeys>, Option<KeyringRow>)> {
        if let Some(keys) = self.cached(org) {
            return Ok((keys, None));
        }
        if let Some(keys) = self.load_keys(org)? {
            return Ok((keys, None));
        }
        let (keys, row) = OrgKeys::create(self.store_id()?, org, &*self.provider, self.clock.now())?;
        Ok((Arc::new(keys), Some(row)))
    }

    pub(super) fn remember(&self, keys: Arc<OrgKeys>, org: &Part) {
        let mut orgs = self.orgs.orgs.write().unwrap_or_else(PoisonError::into_inner);
        let known = orgs.entry(org.clone()).or_default();
        known.version = known.version.max(keys.stamp().version);
        known.keys = Some(keys);
    }

    /// The org's first keyring, which this process has brought. What was there before is gone, with every secret.
    pub(super) fn remember_first(&self, keys: Arc<OrgKeys>, org: &Part) {
        let known = KnownKeys { version: keys.stamp().version, keys: Some(keys) };
        self.orgs.orgs.write().unwrap_or_else(PoisonError::into_inner).insert(org.clone(), known);
    }

    /// Forgets the org's keys, so that the next use loads them, and not how far its keyring was.
    pub(super) fn forget(&self, org: &Part) {
        if let Some(known) = self.orgs.orgs.write().unwrap_or_else(PoisonError::into_inner).get_mut(org) {
            known.keys = None;
        }
    }

    pub(super) fn has_keys_at_hand(&self, org: &Part) -> bool {
        self.cached(org).is_some()
    }

    fn cached(&self, org: &Part) -> Option<Arc<OrgKeys>> {
        self.orgs.orgs.read().unwrap_or_else(PoisonError::into_inner).get(org)?.keys.clone()
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
