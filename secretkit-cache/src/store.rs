//! The store that keeps what was fetched.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use metrics::counter;
use secretkit_core::seal::{KeyId, KeyringRow, KeyringStamp};
use secretkit_core::store::{
    Batch, Commit, ConsumerRecord, EventRecord, Fetched, History, Lane, LaneHead, Listed, Listener, Notice, Query,
    StoreInfo, Target, Token, UsageRecord, Want,
};
use secretkit_core::{Clock, Error, Part, Result, SecretStore, StableId, SystemClock};

use crate::away::{Staleness, again};
use crate::board::{Board, Count, Mark};
use crate::entry::{Begun, Entry, Standing};
use crate::options::CacheOptions;
use crate::room::{Room, Rooms};

/// A store that keeps what was fetched from the one inside, see the [crate]. It prints as that one.
pub struct CachedStore {
    inner: Arc<dyn SecretStore>,
    rooms: Arc<Rooms>,
    clock: Arc<dyn Clock>,
}

/// What is kept for one call, and why it is not newer.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    pub(crate) entry: Option<Arc<Entry>>,
    failure: Option<Failure>,
}

/// That the store could not be reached, by an attempt that began then.
#[derive(Clone)]
struct Failure {
    error: Arc<Error>,
    begun: Count,
}

/// Whoever joins the loads of others this often in vain asks the store alone.
const JOINS: usize = 2;

impl CachedStore {
    /// Around this store. It is all for one process: two of them keep two caches.
    #[must_use]
    pub fn new(inner: Arc<dyn SecretStore>, options: CacheOptions) -> Self {
        Self { inner, rooms: Arc::new(Rooms::new(options)), clock: Arc::new(SystemClock) }
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
        Arc::clone(&self.rooms) as Arc<dyn Listener>
    }

    /// Takes a notice, as [`listener`](Self::listener) does. Once this has returned, nothing of before is given for
    /// what the notice names.
    pub fn hear(&self, notice: &Notice) {
        self.rooms.hear(notice);
    }

    /// Whether the commits of others are heard of: not before the first [`Notice::Regained`], and not after a
    /// [`Notice::Lost`]. Where they are not, they are seen after the greatest age.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.rooms.ours().board.is_told()
    }

    /// Since when the store cannot be reached and answers of before are given; `None` where they are not.
    #[must_use]
    pub fn staleness(&self) -> Option<Staleness> {
        self.rooms.ours().reach.staleness()
    }

    /// What may be given without asking the store.
    fn at_hand(&self, room: &Room, kept: &Kept) -> Option<Vec<Option<Fetched>>> {
        let entry = kept.entry.as_ref()?;
        match self.standing(room, entry) {
            Standing::Good => {
                count("hit");
                Some(entry.answers())
            }
            Standing::Doubtful if room.reach.rests(self.rooms.options().retry_every, &room.board) => {
                Some(stale(room, entry))
            }
            Standing::Doubtful | Standing::Gone => None,
        }
    }

    fn standing(&self, room: &Room, entry: &Entry) -> Standing {
        entry.standing(&room.board, &*self.clock, self.rooms.options())
    }

    /// Asks the store, or waits for whoever is asking it the same; `None` where what they are told is out of date.
    fn loaded(&self, room: &Room, wants: &[Want]) -> Option<Result<Vec<Option<Fetched>>>> {
        let (before, outcome) = (Cell::new(None), Cell::new(None));
        let load = || {
            let begun = Begun::now(&room.board, &*self.clock);
            let result = self.inner.fetch(wants);
            let kept = match &result {
                Ok(answers) => {
                    room.reach.answered();
                    let entry = Entry::new(wants, answers.clone(), begun, &room.board);
                    // What answers another question is given to whoever asked, and to nobody else.
                    Kept { entry: (answers.len() == wants.len()).then(|| Arc::new(entry)), failure: None }
                }
                Err(error) => {
                    let begun = begun.count();
                    let failure = again(error).map(|error| Failure { error: Arc::new(error), begun });
                    if failure.is_some() {
                        room.reach.failed(&*self.clock, begun);
                    }
                    Kept { entry: before.take(), failure }
                }
            };
            outcome.set(Some(result));
            kept
        };
        let is_over = |kept: &Kept| {
            let good = kept.entry.as_ref().is_some_and(|entry| self.standing(room, entry) == Standing::Good);
            before.set(kept.entry.clone());
            !good
        };
        let Kept { entry, failure } = room.kept.entry_by_ref(wants).or_insert_with_if(load, is_over).into_value();
        let standing = entry.as_ref().map_or(Standing::Gone, |entry| self.standing(room, entry));
        match (outcome.into_inner(), entry, failure) {
            (Some(Ok(answers)), ..) => {
                count("miss");
                Some(Ok(answers))
            }
            // Where notices were heard again meanwhile, the store is asked once more.
            (_, Some(entry), Some(failure)) if standing == Standing::Doubtful => {
                (!room.board.is_doubted(failure.begun)).then(|| Ok(stale(room, &entry)))
            }
            (Some(Err(error)), ..) => Some(Err(error)),
            (None, Some(entry), _) if standing == Standing::Good => {
                count("joined");
                Some(Ok(entry.answers()))
            }
            (None, _, Some(failure)) => again(&failure.error).map(Err),
            (None, _, None) => None,
        }
    }
}

fn stale(room: &Room, entry: &Entry) -> Vec<Option<Fetched>> {
    count("stale");
    room.reach.gave_stale();
    entry.answers()
}

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
        let entries = self.rooms.ours().kept.entry_count();
        formatter.debug_struct("CachedStore").field("inner", &self.inner).field("entries", &entries).finish()
    }
}

impl SecretStore for CachedStore {
    fn info(&self) -> Result<StoreInfo> {
        self.inner.info()
    }

    fn keyring(&self, org: &Part) -> Result<Option<KeyringRow>> {
        let row = self.inner.keyring(org)?;
        // Whoever reads a keyring that has changed forgets the keys of before, and could not open what is kept under them.
        if self.rooms.ours().board.is_new(org, row.as_ref().map(KeyringRow::stamp)) {
            self.hear(&Notice::Org(org.clone()));
        }
        Ok(row)
    }

    fn keyrings(&self) -> Result<Vec<KeyringRow>> {
        self.inner.keyrings()
    }

    fn sees_all_orgs(&self) -> Result<bool> {
        self.inner.sees_all_orgs()
    }

    fn key_uses(&self, org: &Part) -> Result<BTreeMap<KeyId, u64>> {
        self.inner.key_uses(org)
    }

    fn fetch(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        if wants.is_empty() {
            return self.inner.fetch(wants);
        }
        let room = self.rooms.ours();
        if let Some(answers) = room.kept.get(wants).and_then(|kept| self.at_hand(room, &kept)) {
            return Ok(answers);
        }
        (0..JOINS).find_map(|_| self.loaded(room, wants)).unwrap_or_else(|| {
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
        let took_effect = self.inner.outcome(org, token)?;
        if took_effect {
            // What was fetched since that commit was given up may be of before it, and nobody knows here what it changed.
            self.hear(&Notice::Org(org.clone()));
        }
        Ok(took_effect)
    }

    fn commit(&self, batch: &Batch) -> Result<Commit> {
        // Also where the outcome is unknown, and where the store panics.
        let board = &self.rooms.ours().board;
        let _changed = WhenDone { board, marks: board.of_batch(batch) };
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
