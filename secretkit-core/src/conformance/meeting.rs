//! Threads that want the same thing at the same moment.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::Factory;
use super::sample::{
    Finished, apply, at, commit, consumer, consumers_of, generation, id, inserted, kept, org, record, with_next_value,
};
use crate::record::Generation;
use crate::store::{Change, Commit, Expect, Found, SecretStore, Target, Want};

const WRITERS: usize = 8;
const ROUNDS: u64 = 8;

/// Of those that create one name at once, one succeeds and each other learns of it.
pub fn creators_at_once_have_one_winner(factory: &Factory<'_>) {
    let store = factory();
    for round in 0..ROUNDS {
        let address = format!("acme:a-{round}");
        let outcomes = at_once(&*store, |store| {
            commit(store, &[Expect::Absent(id(&address))], &[Change::Insert(record(&address))])
        });
        one_winner(&outcomes, Found::Secret(Generation::FIRST));
    }
}

/// Of those that update one generation at once, one succeeds, and every generation and revision is there once.
pub fn writers_at_once_have_one_winner_each(factory: &Factory<'_>) {
    let store = factory();
    inserted(&*store, "acme:a");
    for round in 1..=ROUNDS {
        let outcomes = at_once(&*store, |store| {
            let current = at(store, "acme:a").unwrap();
            // A thread that reads after the winner of this round must lose as well.
            let expect = Expect::Generation(org("acme"), current.head.id, generation(round));
            let (mut next, superseded) = with_next_value(&current);
            next.head.generation = generation(round + 1);
            commit(store, &[expect], &[Change::Replace(next, Some(superseded))])
        });
        one_winner(&outcomes, Found::Secret(generation(round + 1)));
    }
    let last = at(&*store, "acme:a").unwrap().head;
    assert_eq!((last.generation.number(), last.revision.number()), (ROUNDS + 1, ROUNDS + 1));
    assert!((1..=ROUNDS).all(|number| kept(&*store, "acme:a", number).is_some()));
}

/// Those that write different secrets do not stand in each other's way.
pub fn writers_of_different_secrets_all_succeed(factory: &Factory<'_>) {
    let store = factory();
    let barrier = Barrier::new(WRITERS);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (store, barrier) = (&*store, &barrier);
            scope.spawn(move || {
                barrier.wait();
                let address = format!("acme/p{}:a", writer % 2);
                for round in 0..ROUNDS {
                    let address = format!("{address}-{writer}-{round}");
                    let created = commit(store, &[Expect::Absent(id(&address))], &[Change::Insert(record(&address))]);
                    assert_eq!(created, Commit::Applied);
                    let current = at(store, &address).unwrap();
                    let expect = Expect::Generation(org("acme"), current.head.id, Generation::FIRST);
                    let (next, superseded) = with_next_value(&current);
                    let replaced = commit(store, &[expect], &[Change::Replace(next, Some(superseded))]);
                    assert_eq!(replaced, Commit::Applied);
                }
            });
        }
    });
}

/// What one batch changes together, one fetch never sees apart.
pub fn many_wants_see_one_snapshot(factory: &Factory<'_>) {
    let store = factory();
    let addresses = ["acme:a", "acme/p:b", "acme/*/d:c"];
    let mut records: Vec<_> = addresses.iter().map(|address| inserted(&*store, address)).collect();
    let wants: Vec<_> =
        addresses.iter().map(|address| Want { target: Target::Exact(id(address)), revision: None }).collect();
    let (done, seen) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for reader in 0..3 {
            let (store, wants, done, seen) = (&*store, &wants, &done, &seen);
            scope.spawn(move || {
                while !done.load(Ordering::Acquire) {
                    let answers = if reader == 0 { store.fetch_latest(wants) } else { store.fetch(wants) }.unwrap();
                    let generations: Vec<_> =
                        answers.iter().map(|answer| answer.as_ref().unwrap().record.head.generation).collect();
                    assert!(generations.windows(2).all(|pair| pair[0] == pair[1]), "{generations:?}");
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Also where a commit below panics: the readers must not wait for ever.
        let finished = Finished(&done);
        for round in 0..10_000 {
            if round >= 60 && seen.load(Ordering::Relaxed) >= 60 {
                break;
            }
            let changes: Vec<_> = records
                .iter_mut()
                .map(|record| {
                    let (next, superseded) = with_next_value(record);
                    *record = next.clone();
                    Change::Replace(next, Some(superseded))
                })
                .collect();
            apply(&*store, &changes);
        }
        drop(finished);
    });
}

/// The outcomes of the same attempt by every writer at the same moment.
fn at_once(store: &dyn SecretStore, attempt: impl Fn(&dyn SecretStore) -> Commit + Sync) -> Vec<Commit> {
    let barrier = Barrier::new(WRITERS);
    thread::scope(|scope| {
        let attempt = || {
            barrier.wait();
            attempt(store)
        };
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(attempt)).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    })
}

#[track_caller]
fn one_winner(outcomes: &[Commit], found: Found) {
    let winners = outcomes.iter().filter(|outcome| **outcome == Commit::Applied).count();
    let losers = outcomes.iter().filter(|outcome| **outcome == Commit::Refused { expectation: 0, found }).count();
    assert_eq!((winners, losers), (1, WRITERS - 1), "{outcomes:?}");
}

/// One who is seen and one who removes whom nobody sees, at the same moment: the consumer is there in the end.
pub fn a_consumer_that_is_seen_meanwhile_is_not_removed(factory: &Factory<'_>) {
    let store = factory();
    let secret = inserted(&*store, "acme:a");
    let (of, id) = (|| org("acme"), secret.head.id);
    for round in 0..ROUNDS * 4 {
        let name = format!("job-{round}");
        let old = consumer(id, &name);
        apply(&*store, &[Change::Register(of(), old.clone())]);
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            let seen = scope.spawn(|| {
                barrier.wait();
                commit(&*store, &[], &[Change::Register(of(), consumer(id, &name))])
            });
            barrier.wait();
            let unseen = Expect::ConsumerSeen(of(), id, old.name.clone(), Some(old.seen.at));
            let removed = commit(&*store, &[unseen], &[Change::Unregister(of(), id, old.name.clone())]);
            let refused = Commit::Refused { expectation: 0, found: Found::Consumer };
            assert!(removed == Commit::Applied || removed == refused, "{removed:?}");
            assert_eq!(seen.join().unwrap(), Commit::Applied);
        });
        assert_eq!(consumers_of(&*store, &secret).len() as u64, round + 1, "round {round}");
    }
}

/// One who registers and one who deletes at the same moment: either the secret stays with its consumer, or both are
/// gone and whoever registers learns of it.
pub fn a_consumer_and_a_deletion_that_meet_have_one_winner(factory: &Factory<'_>) {
    let store = factory();
    for round in 0..ROUNDS * 4 {
        let secret = inserted(&*store, &format!("acme:a-{round}"));
        let (of, id) = (|| org("acme"), secret.head.id);
        let barrier = Barrier::new(2);
        let (registered, deleted) = thread::scope(|scope| {
            let registering = scope.spawn(|| {
                barrier.wait();
                commit(&*store, &[Expect::Exists(of(), id)], &[Change::Register(of(), consumer(id, "job"))])
            });
            barrier.wait();
            let deleted = commit(&*store, &[Expect::NoConsumers(of(), id)], &[Change::Delete(of(), id)]);
            (registering.join().unwrap(), deleted)
        });
        let (there, used) = (at(&*store, &format!("acme:a-{round}")).is_some(), consumers_of(&*store, &secret).len());
        match (registered, deleted) {
            (Commit::Applied, Commit::Refused { found: Found::Consumer, .. }) => assert_eq!((there, used), (true, 1)),
            (Commit::Refused { found: Found::Nothing, .. }, Commit::Applied) => assert_eq!((there, used), (false, 0)),
            both => panic!("round {round}: {both:?}"),
        }
    }
}
