//! What is known to have changed, and when.
//!
//! Time is a counter here. An answer carries the count at which its load began; a change counts on and notes its number
//! at each mark that it concerns. An answer holds while none of its marks has a higher number than it carries. So a load
//! that began before a change can never pass for one that began after it, whenever it ends: there is no moment at which
//! the two have to be ordered.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use metrics::counter;
use secretkit_core::seal::KeyringStamp;
use secretkit_core::store::{Batch, Change, Expect, Notice};
use secretkit_core::{Part, SecretName, StableId};

/// The marks of what changed.
#[derive(Debug)]
pub(crate) struct Board {
    count: AtomicU64,
    /// The number of the last change of whatever has this mark. Two that share one only cost a load.
    marks: Box<[AtomicU64]>,
    /// The number of the last time from which on something may have been missed.
    doubted: AtomicU64,
    told: AtomicBool,
    keyrings: Mutex<HashMap<Part, Option<KeyringStamp>>>,
    hasher: RandomState,
}

/// The place of a mark.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Mark(u16);

/// A count at which something began.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Count(u64);

/// What was forgotten of one is at worst kept too long, until it is too old.
const MOST_KEYRINGS: usize = 10_000;

/// 32 KiB of marks.
const MARKS: u16 = 4096;

impl Board {
    pub(crate) fn new() -> Self {
        Self {
            count: AtomicU64::new(0),
            marks: (0..MARKS).map(|_| AtomicU64::new(0)).collect(),
            doubted: AtomicU64::new(0),
            told: AtomicBool::new(false),
            keyrings: Mutex::default(),
            hasher: RandomState::new(),
        }
    }

    /// Read before the store is asked.
    pub(crate) fn now(&self) -> Count {
        Count(self.count.load(Ordering::SeqCst))
    }

    /// Whether any of these has changed since.
    pub(crate) fn has_changed(&self, marks: &[Mark], since: Count) -> bool {
        marks.iter().any(|Mark(at)| self.marks[usize::from(*at)].load(Ordering::SeqCst) > since.0)
    }

    /// Whether a change may have been missed since.
    pub(crate) fn is_doubted(&self, since: Count) -> bool {
        self.doubted.load(Ordering::SeqCst) > since.0
    }

    /// Whether changes by others are heard of.
    pub(crate) fn is_told(&self) -> bool {
        self.told.load(Ordering::SeqCst)
    }

    /// Whether an org's keyring is another than when this was last asked. The first is as good as none: it was read before
    /// anything could be opened.
    pub(crate) fn is_new(&self, org: &Part, stamp: Option<KeyringStamp>) -> bool {
        let mut keyrings = self.keyrings.lock().unwrap_or_else(PoisonError::into_inner);
        if keyrings.len() >= MOST_KEYRINGS && !keyrings.contains_key(org) {
            keyrings.clear();
        }
        keyrings.insert(org.clone(), stamp).is_some_and(|before| before != stamp)
    }

    /// These have changed: called when the store has them already.
    pub(crate) fn change(&self, marks: &[Mark]) {
        let number = self.next();
        for Mark(at) in marks {
            self.marks[usize::from(*at)].fetch_max(number, Ordering::SeqCst);
        }
    }

    fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Of everything in an org.
    pub(crate) fn of_org(&self, org: &Part) -> Mark {
        self.mark((0_u8, org))
    }

    /// Of all secrets of a name, at whatever scope, and of there being none.
    pub(crate) fn of_name(&self, org: &Part, name: &SecretName) -> Mark {
        self.mark((1_u8, org, name))
    }

    /// Of one secret.
    pub(crate) fn of_secret(&self, org: &Part, id: StableId) -> Mark {
        self.mark((2_u8, org, id))
    }

    fn mark(&self, what: impl std::hash::Hash) -> Mark {
        #[expect(clippy::cast_possible_truncation, reason = "the remainder fits")]
        let at = (self.hasher.hash_one(what) % u64::from(MARKS)) as u16;
        Mark(at)
    }

    /// What a commit may change or has shown to be otherwise.
    pub(crate) fn of_batch(&self, batch: &Batch) -> Vec<Mark> {
        let mut marks = Vec::with_capacity(batch.changes.len() * 2);
        for change in &batch.changes {
            match change {
                Change::Insert(record) | Change::Replace(record, _) => {
                    let org = record.head.address.org();
                    marks.push(self.of_secret(org, record.head.id));
                    marks.push(self.of_name(org, record.head.address.name()));
                }
                Change::ReplaceRevision(org, row) => marks.push(self.of_secret(org, row.secret)),
                Change::Delete(org, id) => marks.push(self.of_secret(org, *id)),
                // No answer holds any of these.
                Change::Keyring(_) | Change::Register(..) | Change::Unregister(..) => {}
            }
        }
        for expect in &batch.expectations {
            match expect {
                Expect::Absent(id) => marks.push(self.of_name(id.org(), id.name())),
                Expect::Generation(org, id, _) | Expect::Exists(org, id) => marks.push(self.of_secret(org, *id)),
                Expect::NoConsumers(..)
                | Expect::ConsumerSeen(..)
                | Expect::Keyring(..)
                | Expect::Lane(..)
                | Expect::KeyUnused(..)
                | Expect::NoSecrets(_) => {}
            }
        }
        marks.sort_unstable();
        marks.dedup();
        marks
    }
}

impl Board {
    /// See [`Listener`](secretkit_core::store::Listener).
    pub(crate) fn hear(&self, notice: &Notice) {
        let what = match notice {
            Notice::Secret(org, id) => {
                self.change(&[self.of_secret(org, *id)]);
                "secret"
            }
            Notice::Name(org, name) => {
                self.change(&[self.of_name(org, name)]);
                "name"
            }
            Notice::Org(org) => {
                self.change(&[self.of_org(org)]);
                "org"
            }
            Notice::Lost => {
                self.told.store(false, Ordering::SeqCst);
                "lost"
            }
            Notice::Regained => {
                self.doubted.fetch_max(self.next(), Ordering::SeqCst);
                self.told.store(true, Ordering::SeqCst);
                "regained"
            }
        };
        counter!("secretkit_cache_notices_total", "notice" => what).increment(1);
    }
}
