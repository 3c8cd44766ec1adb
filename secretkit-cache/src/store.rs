//! The store that keeps what was fetched.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use metrics::counter;
use moka::sync::Cache;
use secretkit_core::seal::{KeyId, KeyringRow, KeyringStamp};
use secretkit_core::store::{
    Batch, Commit, ConsumerRecord, EventRecord, Fetched, History, Lane, LaneHead, Listed, Listener, Notice, Query,
    StoreInfo, Target, Token, UsageRecord, Want,
};
use secretkit_core::{Clock, Error, Part, Result, SecretStore, StableId, SystemClock};

use crate::away::{Reach, Staleness, again};
use crate::board::{Board, Mark};
use crate::entry::{Begun, Entry, Standing};
use crate::options::CacheOptions;

/// A store that keeps what was fetched from the one inside, see the [crate]. It prints as that one.
pub struct CachedStore {
    inner: Arc<dyn SecretStore>,
    kept: Cache<Vec<Want>, Kept>,
    board: Arc<Board>,
    reach: Reach,
    options: CacheOptions,
    clock: Arc<dyn Clock>,
}

/// What is kept for one call, and why it is not newer.
#[derive(Clone, Default)]
struct Kept {
    entry: Option<Arc<Entry>>,
    failure: Option<Arc<Error>>,
}

/// Whoever joins the loads of others this often in vain asks the store alone.
const JOINS: usize = 2;

impl CachedStore {
    /// Around this store. It is all for one process: two of them keep two caches.
    #[must_use]
    pub fn new(inner: Arc<dyn SecretStore>, options: CacheOptions) -> Self {
        // Weights count bytes; that none is below the average bounds the number of entries as well.
        let least = options.max_bytes.checked_div(options.max_entries).unwrap_or(0).max(1);
        let weight = move |_: &Vec<Want>, kept: &Kept| {
            let bytes = kept.entry.as_ref().map_or(0, |entry| entry.bytes());
            u32::try_from(least.max(bytes as u64)).unwrap_or(u32::MAX)
        };
        let capacity = if options.max_entries == 0 { 0 } else { options.max_bytes };
        let kept =
            Cache::builder().max_capacity(capacity).weigher(weight).time_to_live(options.end().min(FOR_EVER)).build();
        let (board, reach, clock) = (Arc::new(Board::new()), Reach::default(), Arc::new(SystemClock));
        Self { inner, kept, board, reach, options, clock }
    }

    /// Takes the time from this clock. The age of an answer is what this one or the system's steady one says, whichever
    /// is more.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What is to be told of the commits of others. It holds no store: whoever tells it keeps nothing alive.
    #[must_use]
    pub fn listener(&self) -> Arc<dyn Listener> {
        Arc::clone(&self.board) as Arc<dyn Listener>
    }

    /// Takes a notice, as [`listener`](Self::listener) does. Once this has returned, nothing of before is given for
    /// what the notice names.
    pub fn hear(&self, notice: &Notice) {
        self.board.hear(notice);
    }

    /// Whether the commits of others are heard of: not before the first [`Notice::Regained`], and not after a
    /// [`Notice::Lost`]. Where they are not, they are seen after the greatest age.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.board.is_told()
    }

    /// Since when the store cannot be reached and answers of before are given; `None` where they are not.
    #[must_use]
    pub fn staleness(&self) -> Option<Staleness> {
        self.reach.staleness()
    }

    /// What may be given without asking the store.
    fn at_hand(&self, kept: &Kept) -> Option<Vec<Option<Fetched>>> {
        let entry = kept.entry.as_ref()?;
        match self.standing(entry) {
            Standing::Good => {
                count("hit");
                Some(entry.answers())
            }
            Standing::Doubtful if self.reach.rests(self.options.retry_every) => Some(self.stale(entry)),
            Standing::Doubtful | Standing::Gone => None,
        }
    }

    fn standing(&self, entry: &Entry) -> Standing {
        entry.standing(&self.board, &*self.clock, &self.options)
    }

    fn stale(&self, entry: &Entry) -> Vec<Option<Fetched>> {
        count("stale");
        self.reach.gave_stale();
        entry.answers()
    }

    /// Asks the store, or waits for whoever is asking it the same; `None` where what they are told is out of date.
    fn loaded(&self, wants: &[Want]) -> Option<Result<Vec<Option<Fetched>>>> {
        let (before, outcome) = (Cell::new(None), Cell::new(None));
        let load = || {
            let begun = Begun::now(&self.board, &*self.clock);
            let result = self.inner.fetch(wants);
            let kept = match &result {
                Ok(answers) => {
                    self.reach.answered();
                    let entry = Entry::new(wants, answers.clone(), begun, &self.board);
                    // What answers another question is given to whoever asked, and to nobody else.
                    Kept { entry: (answers.len() == wants.len()).then(|| Arc::new(entry)), failure: None }
                }
                Err(error) => {
                    let failure = again(error).map(Arc::new);
                    if failure.is_some() {
                        self.reach.failed(&*self.clock);
                    }
                    Kept { entry: before.take(), failure }
                }
            };
            outcome.set(Some(result));
            kept
        };
        let is_over = |kept: &Kept| {
            let good = kept.entry.as_ref().is_some_and(|entry| self.standing(entry) == Standing::Good);
            before.set(kept.entry.clone());
            !good
        };
        let Kept { entry, failure } = self.kept.entry_by_ref(wants).or_insert_with_if(load, is_over).into_value();
        let standing = entry.as_ref().map_or(Standing::Gone, |entry| self.standing(entry));
        match (outcome.into_inner(), entry, failure) {
            (Some(Ok(answers)), ..) => {
                count("miss");
                Some(Ok(answers))
            }
            (_, Some(entry), Some(_)) if standing == Standing::Doubtful => Some(Ok(self.stale(&entry))),
            (Some(Err(error)), ..) => Some(Err(error)),
            (None, Some(entry), _) if standing == Standing::Good => {
                count("joined");
                Some(Ok(entry.answers()))
            }
            (None, _, Some(failure)) => again(&failure).map(Err),
            (None, _, None) => None,
        }
    }
}

/// moka refuses more than this.
const FOR_EVER: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 60 * 60);

fn count(outcome: &'static str) {
    counter!("secretkit_cache_answers_total", "outcome" => outcome).increment(1);
}

impl fmt::Display for CachedStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(formatter)
    }
}

/// Counts only: a derived one would print the whole cache into somebody's log.
impl fmt::Debug for CachedStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.kept.entry_count();
        formatter.debug_struct("CachedStore").field("inner", &self.inner).field("entries", &entries).finish()
    }
}

impl SecretStore for CachedStore {
    fn info(&self) -> Result<StoreInfo> {
        self.inner.info()
    }

    fn keyring(&self, org: &Part) -> Result<Option<KeyringRow>> {
        self.inner.keyring(org)
    }

    fn keyrings(&self) -> Result<Vec<KeyringRow>> {
        self.inner.keyrings()
    }

    fn key_uses(&self, org: &Part) -> Result<BTreeMap<KeyId, u64>> {
        self.inner.key_uses(org)
    }

    fn fetch(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        if wants.is_empty() {
            return self.inner.fetch(wants);
        }
        if let Some(answers) = self.kept.get(wants).and_then(|kept| self.at_hand(&kept)) {
            return Ok(answers);
        }
        (0..JOINS).find_map(|_| self.loaded(wants)).unwrap_or_else(|| {
            count("alone");
            self.inner.fetch(wants)
        })
    }

    fn fetch_latest(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        self.inner.fetch_latest(wants)
    }

    fn list(&self, query: &Query) -> Result<Vec<Listed>> {
        self.inner.list(query)
    }

    fn history(&self, target: &Target) -> Result<Option<History>> {
        self.inner.history(target)
    }

    fn consumers(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Vec<ConsumerRecord>>> {
        self.inner.consumers(org, secrets)
    }

    fn uses(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Option<UsageRecord>>> {
        self.inner.uses(org, secrets)
    }

    fn touch(&self, org: &Part, keyring: KeyringStamp, uses: &[UsageRecord]) -> Result<()> {
        self.inner.touch(org, keyring, uses)
    }

    fn lanes(&self, org: &Part) -> Result<Vec<(Lane, LaneHead)>> {
        self.inner.lanes(org)
    }

    fn events(&self, org: &Part, lane: Lane, after: u64, limit: usize) -> Result<Vec<EventRecord>> {
        self.inner.events(org, lane, after, limit)
    }

    fn ids(&self, org: &Part, after: Option<StableId>, limit: usize) -> Result<Vec<StableId>> {
        self.inner.ids(org, after, limit)
    }

    fn outcome(&self, org: &Part, token: &Token) -> Result<bool> {
        self.inner.outcome(org, token)
    }

    fn commit(&self, batch: &Batch) -> Result<Commit> {
        // Also where the outcome is unknown, and where the store panics.
        let _changed = WhenDone { board: &self.board, marks: self.board.of_batch(batch) };
        self.inner.commit(batch)
    }
}

/// Notes a change when the commit is over, however it ends.
struct WhenDone<'a> {
    board: &'a Board,
    marks: Vec<Mark>,
}

impl Drop for WhenDone<'_> {
    fn drop(&mut self) {
        self.board.change(&self.marks);
    }
}
