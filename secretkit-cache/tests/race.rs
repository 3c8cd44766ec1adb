//! Loads and changes that meet: no load that began before a change may be given after it.

#![allow(clippy::panic, clippy::unwrap_used, missing_docs, reason = "in a test a panic is the report")]

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;

use common::{Fleet, at, fleet, id, org, put, resolved, rotate, text, with_id};
use secretkit_cache::{CacheOptions, CachedStore};
use secretkit_core::store::{Notice, Target, Want};
use secretkit_core::{SecretRequest, SecretStore, Secrets, StableId};

/// Where a load is stopped: before it has read the rows, or after that and before its answer is kept.
#[derive(Clone, Copy, Debug)]
enum Stop {
    BeforeRead,
    AfterRead,
}

/// How the change comes about.
#[derive(Clone, Copy, Debug)]
enum By {
    Commit,
    Notice,
    OrgNotice,
    Regained,
}

/// What changes, and what is seen of `acme/etl:a` by a task in `acme/etl/production` before and after.
#[derive(Clone, Copy, Debug)]
enum What {
    Updated,
    Deleted,
    Shadowed,
    Made,
}

/// How the secret is asked for.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Nearest,
    Exact,
    Id,
}

struct Gate {
    reached: Receiver<()>,
    go_on: Sender<()>,
}

/// Stops the next load there.
fn gate(fleet: &Fleet, stop: Stop) -> Gate {
    let ((tell_reached, reached), (go_on, wait)) = (channel(), channel());
    let hook = Box::new(move || {
        tell_reached.send(()).unwrap();
        wait.recv().unwrap();
    });
    let place = match stop {
        Stop::BeforeRead => &fleet.probe.before,
        Stop::AfterRead => &fleet.probe.after,
    };
    *place.lock().unwrap() = Some(hook);
    Gate { reached, go_on }
}

fn prepare(fleet: &Fleet, what: What) -> Option<StableId> {
    put(&fleet.far, "acme:other", "other");
    match what {
        What::Updated | What::Deleted | What::Shadowed => Some(put(&fleet.far, "acme/etl:a", "old").id),
        What::Made => None,
    }
}

fn change(by: &Secrets, what: What) {
    match what {
        What::Updated | What::Made => drop(put(by, "acme/etl:a", "new")),
        What::Deleted => drop(by.delete(&id("acme/etl:a")).unwrap()),
        What::Shadowed => drop(put(by, "acme/etl/production:a", "new")),
    }
}

fn ask(near: &Secrets, asked: Asked, of: Option<StableId>) -> String {
    match (asked, of) {
        (Asked::Nearest, _) => resolved(near, "acme/etl/production", "a"),
        (Asked::Exact, _) | (Asked::Id, None) => at(near, "acme/etl:a"),
        (Asked::Id, Some(of)) => with_id(near, "acme", of),
    }
}

#[test]
fn no_load_from_before_a_change_is_given_after_it() {
    for stop in [Stop::BeforeRead, Stop::AfterRead] {
        for by in [By::Commit, By::Notice, By::OrgNotice, By::Regained] {
            for what in [What::Updated, What::Deleted, What::Shadowed, What::Made] {
                for asked in [Asked::Nearest, Asked::Exact, Asked::Id] {
                    met(stop, by, what, asked);
                }
            }
        }
    }
}

fn met(stop: Stop, by: By, what: What, asked: Asked) {
    let case = format!("{stop:?} {by:?} {what:?} {asked:?}");
    let fleet = fleet(CacheOptions::default());
    let of = prepare(&fleet, what);
    // The keys are loaded before, so that the gate meets the load of the secret.
    at(&fleet.near, "acme:other");
    let Gate { reached, go_on } = gate(&fleet, stop);
    let expected = match (what, asked) {
        (What::Deleted, _) => "(not_found)",
        (What::Shadowed, Asked::Exact | Asked::Id) => "old",
        _ => "new",
    };
    thread::scope(|scope| {
        let loading = scope.spawn(|| ask(&fleet.near, asked, of));
        reached.recv().unwrap();
        match by {
            By::Commit => change(&fleet.near, what),
            By::Notice => {
                change(&fleet.far, what);
                fleet.cached.hear(&match (what, of) {
                    (What::Updated | What::Deleted, Some(of)) => Notice::Secret(org("acme"), of),
                    _ => Notice::Name(org("acme"), "a".parse().unwrap()),
                });
            }
            By::OrgNotice => {
                change(&fleet.far, what);
                fleet.cached.hear(&Notice::Org(org("acme")));
            }
            By::Regained => {
                change(&fleet.far, what);
                fleet.cached.hear(&Notice::Regained);
            }
        }
        // Whoever begins now must not be content with the load that began before.
        let joining = scope.spawn(|| ask(&fleet.near, asked, of));
        thread::yield_now();
        go_on.send(()).unwrap();
        let found = loading.join().unwrap();
        if matches!(stop, Stop::BeforeRead) {
            assert_eq!(found, expected, "{case}: it read what was there by then");
        }
        assert_eq!(joining.join().unwrap(), expected, "{case}: joined");
        assert_eq!(ask(&fleet.near, asked, of), expected, "{case}: after");
    });
    assert_eq!(ask(&fleet.near, asked, of), expected, "{case}: later");
}

#[test]
fn who_asks_for_the_same_waits_for_one_load() {
    let fleet = fleet(CacheOptions::default());
    put(&fleet.far, "acme:a", "one");
    put(&fleet.far, "acme:b", "two");
    at(&fleet.near, "acme:b");
    let before = fleet.probe.fetches();
    let Gate { reached, go_on } = gate(&fleet, Stop::AfterRead);
    let started = Barrier::new(8);
    thread::scope(|scope| {
        let first = scope.spawn(|| at(&fleet.near, "acme:a"));
        reached.recv().unwrap();
        let others: Vec<_> = (0..7)
            .map(|_| {
                scope.spawn(|| {
                    started.wait();
                    at(&fleet.near, "acme:a")
                })
            })
            .collect();
        started.wait();
        // While that load hangs, another name is read.
        assert_eq!(at(&fleet.near, "acme:b"), "two");
        go_on.send(()).unwrap();
        assert_eq!(first.join().unwrap(), "one");
        others.into_iter().for_each(|other| assert_eq!(other.join().unwrap(), "one"));
    });
    assert_eq!(fleet.probe.fetches() - before, 1);
}

#[test]
fn a_load_that_panics_leaves_the_next_one_free() {
    let fleet = fleet(CacheOptions::default());
    put(&fleet.far, "acme:a", "one");
    at(&fleet.near, "acme:b");
    *fleet.probe.before.lock().unwrap() = Some(Box::new(|| panic!("the store broke")));
    thread::scope(|scope| assert!(scope.spawn(|| at(&fleet.near, "acme:a")).join().is_err()));
    assert_eq!(at(&fleet.near, "acme:a"), "one");
}

/// Two caches of one store, each told of what is committed through the other: no reader that begins after a commit has
/// been told sees what was before it.
#[test]
fn nothing_goes_back_among_many() {
    let fleet = fleet(CacheOptions::default());
    let second = Arc::new(CachedStore::new(fleet.probe.clone(), CacheOptions::default().with_max_entries(3)));
    let caches = [fleet.cached.clone(), second.clone()];
    let secret = put(&fleet.near, "acme/etl:a", "0");
    let (committed, done) = (AtomicU64::new(1), AtomicBool::new(false));
    let task = "acme/etl/production".parse().unwrap();
    let targets = [
        Target::Exact(id("acme/etl:a")),
        Target::Nearest(task, "a".parse().unwrap()),
        Target::Id(org("acme"), secret.id),
    ];
    thread::scope(|scope| {
        for reader in 0..6 {
            let (cache, target) = (&caches[reader % 2], targets[reader % 3].clone());
            let (committed, done) = (&committed, &done);
            scope.spawn(move || {
                let wants = [Want { target, revision: None }];
                while !done.load(Ordering::SeqCst) {
                    let least = committed.load(Ordering::SeqCst);
                    let found = cache.fetch(&wants).unwrap().pop().flatten().unwrap();
                    assert!(found.record.head.generation.number() >= least, "reader {reader}");
                }
            });
        }
        for _ in 0..2_000 {
            let info = put(&fleet.near, "acme/etl:a", "next");
            second.hear(&Notice::Secret(org("acme"), info.id));
            committed.store(info.generation.number(), Ordering::SeqCst);
        }
        done.store(true, Ordering::SeqCst);
    });
}

#[test]
fn a_reader_that_was_held_up_through_a_rotation_reads_again() {
    for ask in [
        (|near: &Secrets| at(near, "acme:a")) as fn(&Secrets) -> String,
        |near| resolved(near, "acme/etl", "a"),
        |near| {
            let requests = ["a", "b"].map(|name| SecretRequest::new(name.parse().unwrap()));
            let both = near.resolve_many(&"acme".parse().unwrap(), &requests).unwrap();
            assert_eq!(both.len(), 2);
            text(both.into_iter().next().unwrap())
        },
    ] {
        let fleet = Arc::new(fleet(CacheOptions::default()));
        put(&fleet.far, "acme:a", "one");
        put(&fleet.far, "acme:b", "two");
        // It has the rows and not the keys yet.
        let others = Arc::clone(&fleet);
        *fleet.probe.after.lock().unwrap() = Some(Box::new(move || rotate(&others.far, "acme")));
        assert_eq!(ask(&fleet.near), "one");
        assert!(fleet.probe.after.lock().unwrap().is_none(), "the rotation came in between");
    }
}
