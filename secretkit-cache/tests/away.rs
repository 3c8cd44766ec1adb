//! While the store cannot be reached.

#![allow(clippy::panic, clippy::unwrap_used, missing_docs, reason = "in a test a panic is the report")]

mod common;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::{Fleet, at, fleet_with, org, put};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use secretkit_cache::{CacheOptions, CachedStore};
use secretkit_core::store::Notice;
use secretkit_core::{ManualClock, Timestamp};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn aging(options: CacheOptions) -> (Fleet, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(NOW));
    let fleet = fleet_with(|inner| CachedStore::new(inner, options).with_clock(clock.clone()));
    (fleet, clock)
}

#[test]
fn nothing_stale_is_given_unless_it_is_said() {
    let (Fleet { probe, cached, near, .. }, clock) = aging(CacheOptions::default());
    put(&near, "acme:a", "one");
    assert_eq!(at(&near, "acme:a"), "one");
    probe.set_away(true);
    assert_eq!(at(&near, "acme:a"), "one", "within its age");
    clock.advance(Duration::from_secs(30));
    assert_eq!(at(&near, "acme:a"), "(unavailable)");
    assert!(cached.staleness().is_none());
    probe.set_away(false);
    assert_eq!(at(&near, "acme:a"), "one");
}

#[test]
fn answers_of_before_are_given_for_as_long_as_it_is_said_and_that_is_told() {
    let recorder = DebuggingRecorder::new();
    let counted = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let options = CacheOptions::default()
            .with_max_age(Duration::from_secs(10))
            .with_stale_while_away(Duration::from_secs(100))
            .with_retry_every(Duration::ZERO);
        let (Fleet { probe, cached, near, .. }, clock) = aging(options);
        put(&near, "acme:a", "one");
        assert_eq!((at(&near, "acme:a"), at(&near, "acme:b")), ("one".into(), "(not_found)".into()));
        probe.set_away(true);
        clock.advance(Duration::from_secs(10));
        for _ in 0..3 {
            assert_eq!((at(&near, "acme:a"), at(&near, "acme:b")), ("one".into(), "(not_found)".into()));
        }
        assert_eq!(at(&near, "acme:c"), "(unavailable)", "what was never asked cannot be answered");
        let staleness = cached.staleness().unwrap();
        assert_eq!((staleness.since, staleness.answers), (Timestamp::from_micros(NOW.as_micros() + 10_000_000), 6));

        clock.advance(Duration::from_secs(99));
        assert_eq!(at(&near, "acme:a"), "one");
        clock.advance(Duration::from_secs(1));
        assert_eq!(at(&near, "acme:a"), "(unavailable)", "not for ever");

        probe.set_away(false);
        assert_eq!(at(&near, "acme:a"), "one");
        assert!(cached.staleness().is_none());
    });
    let stale = counted.snapshot().into_vec().into_iter().find_map(|(key, _, _, value)| {
        let is_it = key.key().labels().any(|label| label.value() == "stale");
        match value {
            DebugValue::Counter(count) if is_it => Some(count),
            _ => None,
        }
    });
    assert_eq!(stale, Some(7));
}

#[test]
fn what_is_known_to_have_changed_is_never_given() {
    let options = CacheOptions::default().with_stale_while_away(Duration::from_secs(100));
    let (Fleet { probe, cached, near, far }, clock) = aging(options);
    let info = put(&near, "acme:a", "one");
    put(&near, "acme:b", "one");
    assert_eq!((at(&near, "acme:a"), at(&near, "acme:b")), ("one".into(), "one".into()));
    put(&far, "acme:a", "two");
    cached.hear(&Notice::Secret(org("acme"), info.id));
    cached.hear(&Notice::Lost);
    // Heard again for a moment: what stands there may have changed, or not.
    cached.hear(&Notice::Regained);
    cached.hear(&Notice::Lost);
    probe.set_away(true);
    clock.advance(Duration::from_secs(60));
    assert_eq!((at(&near, "acme:a"), at(&near, "acme:b")), ("(unavailable)".into(), "one".into()));
    assert_eq!(cached.staleness().unwrap().answers, 1);
}

#[test]
fn not_every_caller_waits_for_a_store_that_is_away() {
    let options = CacheOptions::default()
        .with_stale_while_away(Duration::from_secs(100))
        .with_retry_every(Duration::from_secs(3600));
    let (Fleet { probe, near, .. }, clock) = aging(options);
    put(&near, "acme:a", "one");
    put(&near, "acme:b", "two");
    assert_eq!((at(&near, "acme:a"), at(&near, "acme:b")), ("one".into(), "two".into()));
    probe.set_away(true);
    clock.advance(Duration::from_secs(40));
    let before = probe.fetches();
    for _ in 0..10 {
        assert_eq!((at(&near, "acme:a"), at(&near, "acme:b")), ("one".into(), "two".into()));
    }
    assert_eq!(probe.fetches() - before, 1, "it was tried once for all of them");
}

/// One cached secret, notices lost, and a store that was tried in vain.
fn lost(retry_every: Duration) -> (Fleet, Arc<ManualClock>) {
    let options = CacheOptions::default().with_stale_while_away(Duration::from_secs(100)).with_retry_every(retry_every);
    let (fleet, clock) = aging(options);
    put(&fleet.far, "acme:a", "one");
    fleet.cached.hear(&Notice::Regained);
    assert_eq!(at(&fleet.near, "acme:a"), "one");
    fleet.cached.hear(&Notice::Lost);
    fleet.probe.set_away(true);
    assert_eq!(at(&fleet.near, "acme:b"), "(unavailable)");
    (fleet, clock)
}

#[test]
fn the_store_is_tried_again_once_notices_are_heard_again() {
    let (Fleet { probe, cached, near, far }, _) = lost(Duration::from_secs(3600));
    probe.set_away(false);
    put(&far, "acme:a", "two");
    cached.hear(&Notice::Regained);
    assert_eq!(at(&near, "acme:a"), "two", "what was tried before says nothing of now");

    cached.hear(&Notice::Lost);
    cached.hear(&Notice::Regained);
    probe.set_away(true);
    let before = probe.fetches();
    assert_eq!([0; 3].map(|_| at(&near, "acme:a")), ["two"; 3]);
    assert_eq!(probe.fetches() - before, 1, "once is enough");
}

#[test]
fn so_it_is_where_they_are_heard_again_while_it_is_tried() {
    let (Fleet { probe, cached, near, far }, clock) = lost(Duration::ZERO);
    clock.advance(Duration::from_secs(60));
    let (again, changed) = (Arc::clone(&probe), Arc::clone(&probe));
    *probe.before.lock().unwrap() = Some(Box::new(move || {
        cached.hear(&Notice::Regained);
        *again.before.lock().unwrap() = Some(Box::new(move || {
            changed.set_away(false);
            put(&far, "acme:a", "two");
        }));
    }));
    assert_eq!(at(&near, "acme:a"), "two");
}

#[test]
fn who_waited_for_a_load_that_failed_is_told_the_same() {
    let (fleet, clock) = aging(CacheOptions::default().with_stale_while_away(Duration::from_secs(100)));
    put(&fleet.near, "acme:a", "one");
    assert_eq!(at(&fleet.near, "acme:a"), "one");
    clock.advance(Duration::from_secs(60));
    fleet.probe.set_away(true);
    thread::scope(|scope| {
        let stale: Vec<_> = (0..8).map(|_| scope.spawn(|| at(&fleet.near, "acme:a"))).collect();
        stale.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), "one"));
        let failed: Vec<_> = (0..8).map(|_| scope.spawn(|| at(&fleet.near, "acme:b"))).collect();
        failed.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), "(unavailable)"));
    });
}
