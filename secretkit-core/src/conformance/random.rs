//! A long random sequence of batches, against the simplest thing that could keep secrets.

use std::collections::BTreeMap;

use super::Factory;
use super::sample::{
    at, commit, consumer, consumer_columns, consumers_of, contents, generation, id, kept, keyring, list, org, record,
    same, same_superseded, with_next_head, with_next_value,
};
use crate::id::{SecretId, StableId};
use crate::part::Part;
use crate::record::SecretRecord;
use crate::revision::RevisionRecord;
use crate::scope::Scope;
use crate::seal::KeyringRow;
use crate::store::{Change, Commit, ConsumerRecord, Expect, Found, SecretStore, Target, Within};
use crate::usage::Consumer;

/// Whatever is done to a store, in whatever order: each outcome is the model's, and so is what is there in the end.
pub fn any_sequence_of_changes_ends_as_in_the_model(factory: &Factory<'_>) {
    for seed in [1, 0x5eed, 0xdead_beef] {
        let store = factory();
        let (mut model, mut random) = (Model::default(), Random(seed));
        for step in 0..150 {
            let (expectations, changes) = model.any_batch(&mut random);
            let expected = model.commit(&expectations, &changes);
            let found = commit(&*store, &expectations, &changes);
            assert_eq!(found, expected, "seed {seed}, step {step}: {expectations:?} {changes:?}");
            if step % 10 == 0 {
                model.compare(&*store);
            }
        }
        model.compare(&*store);
        assert!(contents(&*store, &ORGS).len() > 20, "the sequence did something");
    }
}

const ORGS: [&str; 2] = ["acme", "other"];
const SCOPES: [&str; 8] = ["", "/p", "/*/d", "/p/d", "/d", "/*/p", "/d/p", "/P"];
const NAMES: [&str; 3] = ["a", "a/a", "b"];
const CONSUMERS: [&str; 3] = ["etl.jobs:nightly", "etl.jobs:hourly", "a"];

#[derive(Default)]
struct Model {
    secrets: BTreeMap<SecretId, Kept>,
    keyrings: BTreeMap<&'static str, KeyringRow>,
}

struct Kept {
    record: SecretRecord,
    superseded: Vec<RevisionRecord>,
    consumers: BTreeMap<Consumer, ConsumerRecord>,
}

impl Model {
    /// One to three changes, each under an expectation that mostly holds.
    fn any_batch(&self, random: &mut Random) -> (Vec<Expect>, Vec<Change>) {
        let (mut expectations, mut changes) = (Vec::new(), Vec::new());
        let mut touched = Vec::new();
        for _ in 0..=random.below(3) {
            let address = random.address();
            if touched.contains(&address) {
                continue;
            }
            touched.push(address.clone());
            let (expect, change) = match self.secrets.get(&address) {
                _ if random.below(12) == 0 => self.any_keyring(random, &changes),
                None => (Expect::Absent(address.clone()), Change::Insert(record(&address.to_string()))),
                Some(kept) => Self::any_change(random, kept),
            };
            expectations.push(expect);
            changes.push(change);
        }
        // What most often goes wrong: somebody was faster.
        if random.below(4) == 0 {
            let address = random.address();
            expectations.push(match self.secrets.get(&address) {
                Some(kept @ Kept { record, .. }) => {
                    let (of, id) = (org(ORGS[random.below(2)]), record.head.id);
                    match random.below(4) {
                        0 => Expect::Exists(of, id),
                        1 => Expect::NoConsumers(of, id),
                        2 => {
                            let name = CONSUMERS[random.below(CONSUMERS.len())].parse().unwrap();
                            let seen = kept.consumers.get(&name).map(|row| row.seen.at);
                            Expect::ConsumerSeen(of, id, name, seen.filter(|_| random.below(3) > 0))
                        }
                        _ => Expect::Generation(of, id, generation(random.below(4) as u64 + 1)),
                    }
                }
                None => Expect::Absent(address),
            });
        }
        (expectations, changes)
    }

    fn any_change(random: &mut Random, kept: &Kept) -> (Expect, Change) {
        let Kept { record: current, consumers, .. } = kept;
        let (head, of) = (&current.head, || current.head.address.org().clone());
        let name = CONSUMERS[random.below(CONSUMERS.len())];
        let expect = Expect::Generation(of(), head.id, head.generation);
        let change = match random.below(9) {
            0 if consumers.is_empty() => Change::Delete(of(), head.id),
            0 => return (Expect::NoConsumers(of(), head.id), Change::Delete(of(), head.id)),
            2 => return (Expect::Exists(of(), head.id), Change::Register(of(), consumer(head.id, name))),
            3 => Change::Unregister(of(), head.id, name.parse().unwrap()),
            1 => Change::Replace(with_next_head(current), None),
            _ => {
                let (mut next, superseded) = with_next_value(current);
                if random.below(3) == 0 {
                    next.head.first_revision = head.revision;
                }
                Change::Replace(next, Some(superseded))
            }
        };
        (expect, change)
    }

    fn any_keyring(&self, random: &mut Random, before: &[Change]) -> (Expect, Change) {
        let of = ORGS[random.below(2)];
        // Two keyrings of one org in one batch would need the second to follow the first.
        let again = before.iter().any(|change| matches!(change, Change::Keyring(row) if row.org == org(of)));
        let stamp = self.keyrings.get(of).map(KeyringRow::stamp);
        let next = stamp.map_or(0, |stamp| stamp.version) + if again { 2 } else { 1 };
        (Expect::Keyring(org(of), stamp), Change::Keyring(keyring(of, next)))
    }

    fn commit(&mut self, expectations: &[Expect], changes: &[Change]) -> Commit {
        for (expectation, expect) in expectations.iter().enumerate() {
            let (found, holds) = match expect {
                Expect::Absent(address) => {
                    let found = self.secrets.get(address).map(|kept| kept.record.head.generation);
                    (found.map(Found::Secret), found.is_none())
                }
                Expect::Generation(of, id, expected) => {
                    let found = self.with_id(of, *id).map(|kept| kept.record.head.generation);
                    (found.map(Found::Secret), found == Some(*expected))
                }
                Expect::Exists(of, id) => (None, self.with_id(of, *id).is_some()),
                Expect::NoConsumers(of, id) => {
                    let free = self.with_id(of, *id).is_none_or(|kept| kept.consumers.is_empty());
                    (Some(Found::Consumer), free)
                }
                Expect::ConsumerSeen(of, id, name, expected) => {
                    let row = self.with_id(of, *id).and_then(|kept| kept.consumers.get(name));
                    (row.map(|_| Found::Consumer), row.map(|row| row.seen.at) == *expected)
                }
                Expect::Keyring(of, expected) => {
                    let found = self.keyrings.get(of.as_str()).map(KeyringRow::stamp);
                    (found.map(Found::Keyring), found == *expected)
                }
                Expect::KeyUnused(..) | Expect::Lane(..) => unreachable!("keys and events have laws of their own"),
                Expect::NoSecrets(of) => {
                    let found = self.secrets.values().find(|kept| kept.record.head.address.org() == of);
                    (found.map(|kept| Found::Secret(kept.record.head.generation)), found.is_none())
                }
            };
            if !holds {
                return Commit::Refused { expectation, found: found.unwrap_or(Found::Nothing) };
            }
        }
        for change in changes {
            self.apply(change.clone());
        }
        Commit::Applied
    }

    fn with_id(&self, of: &Part, id: StableId) -> Option<&Kept> {
        self.secrets.values().find(|kept| kept.record.head.id == id && kept.record.head.address.org() == of)
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Keyring(row) => {
                let of = ORGS.into_iter().find(|of| *of == row.org.as_str()).unwrap();
                self.keyrings.insert(of, row);
            }
            Change::Insert(record) => {
                let kept = Kept { record, superseded: Vec::new(), consumers: BTreeMap::new() };
                assert!(self.secrets.insert(kept.record.head.address.clone(), kept).is_none());
            }
            Change::Replace(record, superseded) => {
                let kept = self.secrets.get_mut(&record.head.address).unwrap();
                kept.superseded.extend(superseded);
                kept.superseded.retain(|row| row.revision >= record.head.first_revision);
                kept.record = record;
            }
            Change::ReplaceRevision(..) => unreachable!("it has laws of its own"),
            Change::Delete(_, id) => self.secrets.retain(|_, kept| kept.record.head.id != id),
            Change::Register(_, row) => {
                let kept = self.secrets.values_mut().find(|kept| kept.record.head.id == row.secret).unwrap();
                kept.consumers.insert(row.name.clone(), row);
            }
            Change::Unregister(_, id, name) => {
                let kept = self.secrets.values_mut().find(|kept| kept.record.head.id == id).unwrap();
                kept.consumers.remove(&name);
            }
        }
    }

    fn compare(&self, store: &dyn SecretStore) {
        for of in ORGS {
            assert_eq!(store.keyring(&org(of)).unwrap().as_ref(), self.keyrings.get(of));
            let mut expected: Vec<_> = self.secrets.keys().filter(|address| address.org().as_str() == of).collect();
            expected.sort_by_key(|address| (address.name(), address.scope()));
            let expected: Vec<_> = expected.into_iter().map(ToString::to_string).collect();
            assert_eq!(list(store, Within::Org(org(of)), None, 100), expected);
        }
        for address in addresses() {
            let (found, expected) = (at(store, &address), self.secrets.get(&id(&address)));
            match expected {
                None => assert!(found.is_none(), "{address}"),
                Some(Kept { record, superseded, consumers }) => {
                    let expected: Vec<_> = consumers.values().map(consumer_columns).collect();
                    assert_eq!(consumers_of(store, record), expected, "{address}");
                    same(found.as_ref(), record);
                    for number in 1..=record.head.revision.number() {
                        match superseded.iter().find(|row| row.revision.number() == number) {
                            Some(row) => same_superseded(kept(store, &address, number).as_ref(), row),
                            None => assert!(kept(store, &address, number).is_none(), "{address} {number}"),
                        }
                    }
                }
            }
            self.compare_nearest(store, &id(&address));
        }
    }

    fn compare_nearest(&self, store: &dyn SecretStore, task: &SecretId) {
        let (scope, name): (&Scope, _) = (task.scope(), task.name());
        let expected = SecretId::chain(scope, name).find_map(|address| self.secrets.get(&address));
        let found = super::sample::fetch(store, Target::Nearest(scope.clone(), name.clone()), None);
        assert_eq!(found.map(|found| found.record.head.id), expected.map(|kept| kept.record.head.id), "{task}");
    }
}

fn addresses() -> impl Iterator<Item = String> {
    ORGS.iter()
        .flat_map(|of| SCOPES.iter().flat_map(move |scope| NAMES.iter().map(move |name| format!("{of}{scope}:{name}"))))
}

/// Xorshift: the same sequence on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    fn address(&mut self) -> SecretId {
        let (of, scope, name) = (self.below(ORGS.len()), self.below(SCOPES.len()), self.below(NAMES.len()));
        id(&format!("{}{}:{}", ORGS[of], SCOPES[scope], NAMES[name]))
    }
}
