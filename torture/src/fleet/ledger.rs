//! What clients have said so far, and what the store must therefore hold.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use secretkit_core::store::Within;
use secretkit_core::{ErrorKind, SecretId, Secrets, Subject, Verified};

use super::report::{Change, Said};
use super::room::{Room, org};
use crate::campaign::Faults;

/// Everything that one client has said.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// What was acknowledged, and how often.
    changes: BTreeMap<Change, usize>,
    /// The value of each revision.
    values: BTreeMap<(String, u64), u64>,
    pub(crate) failed: BTreeMap<&'static str, usize>,
    /// How many unknown outcomes turned out not to have taken effect, and to have.
    pub(crate) told: [usize; 2],
    pub(crate) most: BTreeMap<String, u64>,
    pub(crate) wrong: Vec<String>,
    pub(crate) last: Option<Instant>,
}

impl Ledger {
    pub(crate) fn note(&mut self, said: Said) {
        match said {
            Said::Changed(change, value) => {
                if let Some(value) = value {
                    self.values.insert((change.id.clone(), change.revision), value);
                }
                *self.changes.entry(change).or_default() += 1;
                self.last = Some(Instant::now());
            }
            Said::Told(applied) => self.told[usize::from(applied)] += 1,
            Said::Failed(kind) => *self.failed.entry(ErrorKind::as_str(kind)).or_default() += 1,
            Said::Most(what, number) => {
                let most = self.most.entry(what).or_default();
                *most = number.max(*most);
            }
            Said::Wrong(what) => self.wrong.push(what),
        }
    }

    /// The same with what another client has said.
    pub(crate) fn join(&mut self, other: Self) {
        let Self { changes, values, failed, told, most, wrong, last } = other;
        changes.into_iter().for_each(|(change, count)| *self.changes.entry(change).or_default() += count);
        self.values.extend(values);
        failed.into_iter().for_each(|(kind, count)| *self.failed.entry(kind).or_default() += count);
        self.told = [self.told[0] + told[0], self.told[1] + told[1]];
        for (what, number) in most {
            self.note(Said::Most(what, number));
        }
        self.wrong.extend(wrong);
        self.last = self.last.max(last);
    }

    /// How many writes took effect.
    pub(crate) fn acknowledged(&self) -> usize {
        self.changes.values().sum()
    }

    /// What was acknowledged and what of it is lost, and what was told of outcomes that were unknown.
    pub(crate) fn summary(&self, lost: usize) -> String {
        let [did_not, did] = self.told;
        format!(
            "{} writes acknowledged, {} unknown outcomes told by their token ({did} had taken effect), {lost} lost",
            self.acknowledged(),
            did_not + did
        )
    }

    /// Finds errors of other kinds than these a fault, and that the first of them was not met.
    pub(crate) fn failed_with(&self, kinds: &[ErrorKind], faults: &mut Faults) {
        let others: Vec<_> =
            self.failed.keys().filter(|kind| !kinds.iter().any(|known| known.as_str() == **kind)).collect();
        if !others.is_empty() {
            faults.add(format!("errors of these kinds were not expected: {others:?}"));
        }
        if kinds.first().is_some_and(|first| !self.failed.contains_key(first.as_str())) {
            faults.add(format!("no call failed with {}: {}", kinds[0], self.failures()));
        }
    }

    /// How long the slowest call took.
    pub(crate) fn slowest(&self) -> Duration {
        Duration::from_millis(self.most.get("call").copied().unwrap_or_default())
    }

    /// How often each kind of error was met.
    pub(crate) fn failures(&self) -> String {
        let failed: Vec<_> = self.failed.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        if failed.is_empty() { "none".to_owned() } else { failed.join(", ") }
    }

    /// Compares with a store on which nobody works any more. Says how much that was acknowledged is lost.
    pub(crate) fn compare(&self, secrets: &Secrets, room: &Room, faults: &mut Faults) -> usize {
        self.wrong.iter().for_each(|what| faults.add(format!("a client says: {what}")));
        let lives = self.lives(faults);
        let mut present = BTreeSet::new();
        for (address, lives) in &lives {
            let standing: Vec<_> = lives.iter().filter(|life| !life.deleted).collect();
            let parsed: SecretId = address.parse().unwrap();
            let found = secrets.get(&parsed);
            match (standing.as_slice(), found) {
                ([], Err(error)) if error.kind() == ErrorKind::NotFound => {}
                ([life], Ok(found)) => {
                    present.insert(address.clone());
                    let there = (found.info.id.to_string(), found.info.generation.number());
                    if there != (life.id.clone(), life.generation) {
                        faults.add(format!("{address} is {there:?}, and {life:?} was acknowledged"));
                    }
                    let value = self.values.get(&(life.id.clone(), life.revision));
                    if value.map(|value| room.bytes(*value)).as_deref() != Some(found.value.expose_secret()) {
                        faults.add(format!("{address} has another value than was acknowledged"));
                    }
                }
                (standing, found) => {
                    let found = found.map(|found| found.info.generation.number()).map_err(|error| error.to_string());
                    faults.add(format!("{address} should be {standing:?} and is {found:?}"));
                }
            }
        }
        let lost = self.compare_events(secrets, faults);
        for page in secrets.list(Within::Org(org()), 500) {
            match page {
                Ok(page) => page.iter().filter(|info| !present.contains(&info.address.to_string())).for_each(|info| {
                    faults.add(format!("{} is there, and nobody was told so", info.address));
                }),
                Err(error) => faults.add(format!("the listing fails: {error}")),
            }
        }
        for told in secrets.verify(&org()) {
            match told {
                Ok(told) => told.iter().for_each(|told| {
                    if let Verified::Wrong(finding) = told {
                        faults.add(format!("verify finds: {finding}"));
                    }
                }),
                Err(error) => faults.add(format!("verify fails: {error}")),
            }
        }
        lost
    }

    /// What became of each address, id by id: each generation had one winner, and none is missing.
    fn lives(&self, faults: &mut Faults) -> BTreeMap<String, Vec<Life>> {
        let mut lives = BTreeMap::<String, Vec<Life>>::new();
        let mut changes: Vec<_> = self.changes.iter().collect();
        // A deletion has the generation that it ends.
        changes.sort_by_key(|(Change { address, id, generation, action, .. }, _)| {
            (address, id, *generation, action == "delete")
        });
        for (change, count) in changes {
            let lives = lives.entry(change.address.clone()).or_default();
            if lives.last().is_none_or(|life| life.id != change.id) {
                lives.push(Life { id: change.id.clone(), generation: 0, revision: 0, deleted: false });
            }
            let Some(life) = lives.last_mut() else { continue };
            let follows = match change.action.as_str() {
                "delete" => {
                    let twice = std::mem::replace(&mut life.deleted, true);
                    !twice && (change.generation, change.revision) == (life.generation, life.revision)
                }
                "add-consumer" | "remove-consumer" => continue,
                "edit" => (change.generation, change.revision) == (life.generation + 1, life.revision),
                _ => (change.generation, change.revision) == (life.generation + 1, life.revision + 1),
            };
            if !follows || *count != 1 {
                faults.add(format!("{change:?} was won {count} times, after {life:?}"));
            }
            if !life.deleted {
                (life.generation, life.revision) = (change.generation, change.revision);
            }
        }
        lives
    }

    /// Shows that a second winner of a generation would be seen, and one that is missing.
    ///
    /// # Panics
    /// Where it would not.
    pub(crate) fn notices_a_second_winner(&self) {
        let follows = |first: &Change| {
            self.changes.keys().any(|change| change.id == first.id && change.generation > first.generation)
        };
        let created = |change: &&Change| change.action == "create" && follows(change);
        let Some(update) = self.changes.keys().find(created) else { panic!("nothing was updated") };
        for count in [0, 2] {
            let (mut changes, mut noticed) = (self.changes.clone(), Faults::default());
            match count {
                0 => changes.remove(update),
                _ => changes.insert(update.clone(), count),
            };
            Self { changes, ..Self::default() }.lives(&mut noticed);
            assert!(noticed.count() > 0, "{update:?} {count} times goes unnoticed");
        }
    }

    /// The events are what was acknowledged: nothing less, and nothing more.
    fn compare_events(&self, secrets: &Secrets, faults: &mut Faults) -> usize {
        let mut missing = self.changes.clone();
        for event in secrets.events(&org()) {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    faults.add(format!("an event does not open: {error}"));
                    continue;
                }
            };
            let Subject::Secret { id, address, generation, revision, .. } = event.subject else { continue };
            let change = Change {
                address: address.to_string(),
                id: id.to_string(),
                generation: generation.number(),
                revision: revision.number(),
                action: event.action.to_string(),
            };
            match missing.get_mut(&change) {
                Some(count) if *count > 0 => *count -= 1,
                _ => faults.add(format!("{change:?} took effect, and nobody was told so")),
            }
        }
        missing.retain(|_, count| *count > 0);
        missing.keys().for_each(|change| faults.add(format!("{change:?} was acknowledged and is lost")));
        missing.len()
    }
}

/// A secret from its creation to its end, if it has one.
#[derive(Clone, Debug)]
struct Life {
    id: String,
    generation: u64,
    revision: u64,
    deleted: bool,
}
