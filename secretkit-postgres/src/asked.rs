//! Which orgs a cache may hold answers of: what is told of all others concerns nobody here.

use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use secretkit_core::Part;
use secretkit_core::seal::StoreId;
use secretkit_core::store::{Listener, Notice, Want};
use sha2::{Digest, Sha256};

/// The orgs that were asked about, by the hash under which the server tells of them.
pub(crate) struct Asked {
    store: StoreId,
    orgs: RwLock<Orgs>,
}

#[derive(Default)]
struct Orgs {
    known: HashSet<Part>,
    by_topic: HashMap<Topic, Part>,
    /// Some were forgotten since notices were last heard from the beginning.
    forgotten: bool,
}

/// An org, as those hear of it who may not know its name.
pub(crate) type Topic = [u8; 16];

impl Asked {
    pub(crate) fn of(store: StoreId) -> Self {
        Self { store, orgs: RwLock::default() }
    }

    /// To be called before the store is asked: what is told from now on concerns the answer.
    pub(crate) fn note(&self, wants: &[Want], listener: &dyn Listener) {
        let mut noted: Option<&Part> = None;
        for want in wants {
            let org = want.target.org();
            if noted != Some(org) && !self.read().known.contains(org) {
                self.add(org, listener);
            }
            noted = Some(org);
        }
    }

    fn add(&self, org: &Part, listener: &dyn Listener) {
        let mut orgs = self.write();
        if orgs.known.len() >= MOST {
            // Whoever holds answers of these is told that nothing is heard, until it is.
            *orgs = Orgs { forgotten: true, ..Orgs::default() };
            listener.hear(&Notice::Lost);
        }
        orgs.known.insert(org.clone());
        orgs.by_topic.insert(self.topic(org), org.clone());
    }

    pub(crate) fn org(&self, topic: &Topic) -> Option<Part> {
        self.read().by_topic.get(topic).cloned()
    }

    /// Before it begins to listen.
    pub(crate) fn begin(&self) {
        self.write().forgotten = false;
    }

    /// Says that everything is heard, if nothing was forgotten since it began.
    pub(crate) fn regain(&self, listener: &dyn Listener) -> bool {
        let orgs = self.write();
        if !orgs.forgotten {
            listener.hear(&Notice::Regained);
        }
        !orgs.forgotten
    }

    /// Whether it has to begin anew.
    pub(crate) fn has_forgotten(&self) -> bool {
        self.read().forgotten
    }

    fn topic(&self, org: &Part) -> Topic {
        let hash: [u8; 32] =
            Sha256::new().chain_update(self.store.as_bytes()).chain_update(org.as_str()).finalize().into();
        let mut topic = Topic::default();
        topic.copy_from_slice(&hash[..16]);
        topic
    }

    fn read(&self) -> RwLockReadGuard<'_, Orgs> {
        self.orgs.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Orgs> {
        self.orgs.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Orgs. Beyond that, all are forgotten, and those that are in use come back.
const MOST: usize = 10_000;
