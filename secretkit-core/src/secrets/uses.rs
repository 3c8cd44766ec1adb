//! The last use of each secret: noted when it is read, recorded later, together, and only if that costs nobody a wait.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::keys::is_out_of_use;
use super::{Secrets, is_damage};
use crate::error::{Error, ErrorKind, Result};
use crate::head::Stamp;
use crate::id::StableId;
use crate::part::Part;
use crate::record::SecretInfo;
use crate::seal::{KeyringStamp, OrgKeys};
use crate::store::SecretStore;
use crate::time::Timestamp;
use crate::usage::UsageRecord;

/// Something is done at most this often for one secret, in microseconds of the clock.
const EVERY_MICROS: u64 = 60 * 1_000_000;

/// Where no more fit, what is old is looked for at most this often.
const SWEEP_MICROS: u64 = 1_000_000;

/// Where reads go on and on, what was noted is recorded about this often.
const RECORD_AFTER: Duration = Duration::from_secs(60);

/// More than this are not remembered at a time.
const MOST: usize = 4096;

/// Keeps what is noted until it is recorded, at the latest when it is dropped.
#[derive(Debug)]
pub(crate) struct UseRecorder {
    store: Arc<dyn SecretStore>,
    noted: NotTooOften<StableId>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// Each org's, with the keyring that authenticates them.
    uses: HashMap<Part, (KeyringStamp, Vec<UsageRecord>)>,
    recorded: Instant,
}

/// Remembers when something was last done for each key, to do it at most once a minute.
#[derive(Debug)]
pub(super) struct NotTooOften<K> {
    done: Mutex<Done<K>>,
    beyond: Beyond,
}

/// What becomes of a key that does not fit among those that are remembered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Beyond {
    /// It is passed over: what may be lost.
    Lost,
    /// It is done each time that it is asked for: what somebody relies on.
    EachTime,
}

#[derive(Debug)]
struct Done<K> {
    at: HashMap<K, Timestamp>,
    /// When what is old was last thrown out.
    swept: Option<Timestamp>,
}

impl<K: Eq + Hash> NotTooOften<K> {
    pub(super) fn new(beyond: Beyond) -> Self {
        Self { done: Mutex::new(Done { at: HashMap::new(), swept: None }), beyond }
    }

    /// Whether it is to be done now. What is asked for is remembered as done, as far as there is room.
    pub(super) fn is_due(&self, key: K, now: Timestamp) -> bool {
        let mut done = lock(&self.done);
        let passed = |since: &Timestamp| now.as_micros().abs_diff(since.as_micros());
        if let Some(at) = done.at.get_mut(&key) {
            let due = passed(at) >= EVERY_MICROS;
            if due {
                *at = now;
            }
            return due;
        }
        if done.at.len() >= MOST {
            // To look through all of them takes longer than the read that asks.
            if done.swept.as_ref().is_some_and(|swept| passed(swept) < SWEEP_MICROS) {
                return self.beyond == Beyond::EachTime;
            }
            done.at.retain(|_, at| passed(at) < EVERY_MICROS);
            done.swept = Some(now);
            if done.at.len() >= MOST {
                return self.beyond == Beyond::EachTime;
            }
        }
        done.at.insert(key, now);
        true
    }

    /// It was not done after all.
    pub(super) fn undo(&self, key: &K) {
        lock(&self.done).at.remove(key);
    }
}

impl UseRecorder {
    pub(super) fn new(store: Arc<dyn SecretStore>) -> Self {
        let waiting = Waiting { uses: HashMap::new(), recorded: Instant::now() };
        Self { store, noted: NotTooOften::new(Beyond::Lost), waiting: Mutex::new(waiting) }
    }

    fn note(&self, org: &Part, keyring: KeyringStamp, used: UsageRecord) {
        let mut waiting = lock(&self.waiting);
        let (of, uses) = waiting.uses.entry(org.clone()).or_insert_with(|| (keyring, Vec::new()));
        if *of != keyring {
            // No store takes them any more.
            (*of, _) = (keyring, uses.clear());
        }
        uses.push(used);
        let due = waiting.recorded.elapsed() >= RECORD_AFTER;
        drop(waiting);
        if due {
            self.record();
        }
    }

    /// Records what was noted. What the store refuses is lost: a read must not fail or wait for this.
    pub(crate) fn record(&self) {
        let mut waiting = lock(&self.waiting);
        let uses = std::mem::take(&mut waiting.uses);
        waiting.recorded = Instant::now();
        drop(waiting);
        for (org, (keyring, uses)) in uses {
            drop(self.store.touch(&org, keyring, &uses));
        }
    }
}

/// What was checked, or nothing where it is not genuine.
///
/// # Errors
/// Every other.
pub(super) fn authentic<T>(checked: Result<T>) -> Result<Option<T>> {
    match checked {
        Ok(used) => Ok(Some(used)),
        Err(error) if is_damage(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for UseRecorder {
    fn drop(&mut self) {
        self.record();
    }
}

impl Secrets {
    /// Records now which secrets were read since the last time, as far as the store can do that at once.
    ///
    /// It happens by itself when a [`Delivery`](crate::deliver::Delivery) ends, when this is dropped, and about once
    /// a minute while reads go on. A use is noted at most once a minute for each secret, and may be lost.
    pub fn record_uses(&self) {
        if let Some(recorder) = &self.uses {
            recorder.record();
        }
    }

    /// The last use of each of these secrets of an org; none where what is recorded does not verify. It is only
    /// remembered, and whoever may read a secret may write it: what is wrong with it is told by a verification, and
    /// stands in nobody's way.
    pub(super) fn last_uses(&self, org: &Part, infos: &[SecretInfo]) -> Result<Vec<Option<Stamp>>> {
        let ids: Vec<_> = infos.iter().map(|info| info.id).collect();
        let verify = |keys: &OrgKeys| {
            let rows = self.recorded_uses(org, &ids)?.into_iter().zip(infos);
            let checked = rows.map(|(row, info)| row.map(|row| row.verify(info, keys)).transpose());
            Ok::<_, Error>(checked.collect::<Vec<_>>())
        };
        let mut checked = verify(&*self.keys_at_hand(org)?)?;
        if checked.iter().any(|used| used.as_ref().is_err_and(is_out_of_use)) {
            // Once for all of them: others may have changed keys a moment ago.
            self.forget(org);
            checked = verify(&*self.keys_at_hand(org)?)?;
        }
        checked.into_iter().map(|used| authentic(used).map(Option::flatten)).collect()
    }

    /// What is recorded of the last use of each of these secrets, unchecked; none where the row makes no sense.
    pub(super) fn recorded_uses(&self, org: &Part, ids: &[StableId]) -> Result<Vec<Option<UsageRecord>>> {
        match self.store.uses(org, ids) {
            Ok(uses) if uses.len() == ids.len() => Ok(uses),
            Ok(_) => Err(self.wrong_count()),
            // One row is at fault, and nobody says which.
            Err(error) if error.kind() == ErrorKind::Corrupt => match ids.len() {
                0 | 1 => Ok(vec![None; ids.len()]),
                several => {
                    let (some, others) = ids.split_at(several / 2);
                    Ok([self.recorded_uses(org, some)?, self.recorded_uses(org, others)?].concat())
                }
            },
            Err(error) => Err(error),
        }
    }

    /// What records the uses, for whoever outlives a borrow of this.
    pub(crate) fn use_recorder(&self) -> Option<Arc<UseRecorder>> {
        self.uses.clone()
    }

    /// Notes that the value was read.
    pub(super) fn note_use(&self, info: &SecretInfo) {
        let Some(recorder) = &self.uses else { return };
        let now = self.clock.now();
        if !recorder.noted.is_due(info.id, now) {
            return;
        }
        let org = info.address.org();
        let used = || Stamp { at: now, by: self.actor.clone() };
        let row = |keys: &OrgKeys| Ok((keys.stamp(), UsageRecord::new(org, info.id, used(), keys)?));
        if let Ok((keyring, used)) = self.with_keys(org, row) {
            recorder.note(org, keyring, used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_000_000_000;

    fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(i64::try_from(START + micros).unwrap())
    }

    #[test]
    fn something_is_due_once_a_minute_for_each_key_whichever_way_the_clock_goes() {
        let often = NotTooOften::new(Beyond::Lost);
        assert!(often.is_due(1, at(0)));
        assert!(often.is_due(2, at(0)), "another key");
        assert!(!often.is_due(1, at(EVERY_MICROS - 1)));
        assert!(often.is_due(1, at(EVERY_MICROS)));
        assert!(!often.is_due(1, at(EVERY_MICROS + 1)));
        assert!(often.is_due(1, at(0)), "the clock was put back by a minute");
        often.undo(&1);
        assert!(often.is_due(1, at(0)), "it was not done after all");
    }

    #[test]
    fn what_is_old_makes_room_and_is_looked_for_once_a_second() {
        for (beyond, told) in [(Beyond::Lost, false), (Beyond::EachTime, true)] {
            let often = NotTooOften::new(beyond);
            for key in 0..MOST {
                assert!(often.is_due(key, at(0)));
            }
            let known = || lock(&often.done).at.len();
            // The first that finds no room looks for it, and all who come within a second of that do not.
            assert_eq!(often.is_due(MOST, at(EVERY_MICROS - SWEEP_MICROS)), told);
            assert_eq!(often.is_due(MOST, at(EVERY_MICROS - 1)), told);
            assert_eq!(known(), MOST);
            assert!(often.is_due(MOST, at(EVERY_MICROS)));
            assert_eq!(known(), 1, "those of before were old");
            assert!(!often.is_due(MOST, at(EVERY_MICROS + SWEEP_MICROS)), "and it is remembered");
            // One that is just not old enough stays.
            let often = NotTooOften::new(beyond);
            for key in 0..MOST {
                assert!(often.is_due(key, at(0)));
            }
            assert_eq!(often.is_due(MOST, at(EVERY_MICROS - 1)), told);
            assert!(!often.is_due(0, at(EVERY_MICROS - 1)));
        }
    }
}
