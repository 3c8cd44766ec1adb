//! The façade: the only place where store, keys, scope and access meet.

mod anchor;
mod audit;
mod batch;
mod consumers;
mod copy;
mod history;
mod keys;
mod lanes;
mod list;
mod read;
mod reencrypt;
mod reference;
mod rotation;
mod superseded;
#[cfg(test)]
mod tests;
mod uses;
mod verify;
mod whole;
mod write;

use std::sync::Arc;
use std::time::Duration;

use crate::anchor::RollbackAnchor;
use crate::error::{Error, ErrorKind, Result};
use crate::id::StableId;
use crate::people::{Access, Actor};
use crate::seal::KeyProvider;
use crate::store::SecretStore;
use crate::time::{Clock, SystemClock};
use crate::usage::Consumer;
use crate::value::SecretValue;

pub use audit::Events;
pub use copy::{Copied, CopyFinding, CopyProgress, Copying};
pub use list::{Effective, EffectivePages, Pages, Selection};
pub use read::Resolved;
pub use reencrypt::{Progress, Reencryption};
pub use reference::SecretRef;
pub use rotation::{KeyStatus, Keys};
pub use verify::{Finding, Verification, Verified, VerifyProgress};
pub use write::{PutItem, PutMode};

pub(crate) use uses::UseRecorder;
use uses::{Beyond, NotTooOften};

/// Secrets: a store, its keys, and who may do what with them.
///
/// Cheap to share behind an `Arc` and safe to use from many threads. It keeps an org's opened keys in memory; values
/// are opened for each call and never kept.
///
/// In a process that forks while other threads use it, the child must make one of its own: a lock may have been held
/// by a thread that the child does not have. The Python package takes care of that by itself.
///
/// ```
/// use std::sync::Arc;
/// use secretkit_core::{Access, MemoryStore, PutMode, RootKey, SecretValue, Secrets};
///
/// let secrets = Secrets::new(Arc::new(MemoryStore::new()), Arc::new(RootKey::generate()?), Access::Unrestricted);
/// let info = secrets.put(&"acme:token".parse()?, &SecretValue::copied_from(b"t0k3n"), PutMode::Create)?;
/// assert_eq!(info.revision.number(), 1);
/// assert_eq!(secrets.get(&"acme:token".parse()?)?.value.expose_secret(), b"t0k3n");
/// # Ok::<(), secretkit_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Secrets {
    store: Arc<dyn SecretStore>,
    access: Access,
    actor: Actor,
    clock: Arc<dyn Clock>,
    value_limit: usize,
    keep: u32,
    uses: Option<Arc<UseRecorder>>,
    seen: NotTooOften<(StableId, Consumer)>,
    orgs: keys::OrgCache,
    lanes: lanes::LaneCache,
    anchor: Option<anchor::Anchor>,
}

impl Secrets {
    /// The longest value that is taken unless the host says otherwise: 64 KiB.
    pub const DEFAULT_VALUE_LIMIT: usize = 64 << 10;

    /// How many superseded values a secret keeps unless the host says otherwise.
    pub const DEFAULT_KEEP: u32 = 10;

    /// How long a write tries again while others get in between.
    const DEADLINE: Duration = Duration::from_secs(5);

    /// Joins a store, the keys of its orgs and an access policy, which the host spells out.
    ///
    /// Writes are recorded as by `user@host` of this process, see [`with_actor`](Self::with_actor).
    #[must_use]
    pub fn new(store: Arc<dyn SecretStore>, keys: Arc<dyn KeyProvider>, access: Access) -> Self {
        Self {
            uses: Some(Arc::new(UseRecorder::new(Arc::clone(&store)))),
            store,
            access,
            actor: Actor::of_this_process(),
            clock: Arc::new(SystemClock),
            value_limit: Self::DEFAULT_VALUE_LIMIT,
            keep: Self::DEFAULT_KEEP,
            // One that was not registered would not keep a secret from being deleted.
            seen: NotTooOften::new(Beyond::EachTime),
            orgs: keys::OrgCache::new(keys),
            lanes: lanes::LaneCache::default(),
            anchor: None,
        }
    }

    /// Records writes as by this actor.
    #[must_use]
    pub fn with_actor(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }

    /// Takes the time from this clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes values of up to this many bytes, at most [`SecretValue::MAX_BYTES`].
    #[must_use]
    pub fn with_value_limit(mut self, bytes: usize) -> Self {
        self.value_limit = bytes.min(SecretValue::MAX_BYTES);
        self
    }

    /// Keeps this many superseded values of a secret that does not say otherwise.
    #[must_use]
    pub const fn with_keep(mut self, revisions: u32) -> Self {
        self.keep = revisions;
        self
    }

    /// Refuses a store that is behind this anchor, and keeps the anchor up with each commit.
    #[must_use]
    pub fn with_anchor(mut self, anchor: Arc<dyn RollbackAnchor>) -> Self {
        self.anchor = Some(anchor::Anchor::new(anchor));
        self
    }

    /// Does not record when and by whom secrets are used, see [`record_uses`](Self::record_uses).
    #[must_use]
    pub fn without_usage(mut self) -> Self {
        self.uses = None;
        self
    }

    /// The limit on a value's length, in bytes.
    #[must_use]
    pub const fn value_limit(&self) -> usize {
        self.value_limit
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn SecretStore {
        &*self.store
    }

    /// Who writes are recorded as by.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The clock, for whoever keeps opened values and must judge their expiry again.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Asks the access policy, before anything is fetched or opened.
    fn authorize(&self) -> Result<()> {
        match self.access {
            Access::Unrestricted => Ok(()),
        }
    }

    fn check_length(&self, value: &SecretValue) -> Result<()> {
        if value.len() > self.value_limit {
            return Err(Error::TooLarge { length: value.len(), limit: self.value_limit });
        }
        Ok(())
    }
}

/// What somebody did to the data, and not what the store or the root key cannot do.
fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::UnknownKey)
}
