//! What a cache gives, and what it must not give any more.

#![allow(clippy::panic, clippy::unwrap_used, missing_docs, reason = "in a test a panic is the report")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Fleet, at, fleet, fleet_with, id, org, put, resolved, with_id};
use secretkit_cache::{CacheOptions, CachedStore};
use secretkit_core::seal::KeyUse;
use secretkit_core::store::Notice;
use secretkit_core::{
    Activity, Description, Error, ErrorKind, ManualClock, MetadataEdit, PutMode, SecretRequest, Setting, Timestamp,
    Verified,
};

#[test]
fn what_was_fetched_is_not_fetched_again() {
    let Fleet { probe, near, .. } = fleet(CacheOptions::default());
    let info = put(&near, "acme/etl:a", "one");
    for _ in 0..3 {
        assert_eq!(at(&near, "acme/etl:a"), "one");
        assert_eq!(with_id(&near, "acme", info.id), "one");
        assert_eq!(resolved(&near, "acme/etl/production", "a"), "one");
        assert_eq!(resolved(&near, "acme/etl/production", "b"), "(not_found)");
    }
    assert_eq!(probe.fetches(), 4, "one for each question");
}

#[test]
fn what_is_kept_under_a_key_that_is_gone_is_no_error() {
    let fleet = fleet(CacheOptions::default());
    let Fleet { near, far, .. } = &fleet;
    put(far, "acme:a", "one");
    put(far, "acme:b", "two");
    assert_eq!(at(near, "acme:a"), "one");
    // Nobody tells of any of this.
    let (keys, acme) = (far.keys(), org("acme"));
    for used_for in [KeyUse::Data, KeyUse::Meta] {
        let old: Vec<_> = keys.status(&acme).unwrap().keys.iter().map(|(info, _)| (info.id, info.used_for)).collect();
        keys.promote(&acme, keys.add(&acme, used_for).unwrap().id).unwrap();
        keys.reencrypt(&acme, 100).for_each(|progress| assert!(progress.is_ok()));
        for (id, _) in old.into_iter().filter(|(_, used)| *used == used_for) {
            if keys.retire(&acme, id).is_ok() {
                keys.destroy(&acme, id).unwrap();
            }
        }
    }
    assert_eq!(at(near, "acme:b"), "two", "it reads the keyring for this");
    assert_eq!(at(near, "acme:a"), "one", "and not under a key that it does not have any more");
}

/// What four questions answer, in every way to name one secret: at a scope, by its id, as a task there and elsewhere.
fn answers(fleet: &Fleet, of: secretkit_core::StableId) -> [String; 4] {
    let Fleet { near, .. } = fleet;
    [
        at(near, "acme/etl:a"),
        with_id(near, "acme", of),
        resolved(near, "acme/etl/production", "a"),
        resolved(near, "acme/web", "a"),
    ]
}

/// Everything that can happen to a secret and its name, and what is to be seen then.
fn life(fleet: &Fleet, by: &secretkit_core::Secrets, told: impl Fn(&Notice)) {
    let of = |text: &str| org(text);
    let name = || Notice::Name(of("acme"), "a".parse().unwrap());
    let wide = put(by, "acme:a", "wide");
    told(&name());
    let first = put(by, "acme/etl:a", "one");
    told(&name());
    let secret = || Notice::Secret(of("acme"), first.id);
    assert_eq!(answers(fleet, first.id), ["one", "one", "one", "wide"]);
    put(by, "acme/etl:a", "two");
    told(&secret());
    assert_eq!(answers(fleet, first.id), ["two", "two", "two", "wide"]);

    by.edit(&id("acme/etl:a"), &switched(Activity::Inactive), None).unwrap();
    told(&secret());
    assert_eq!(answers(fleet, first.id), ["(inactive)", "(inactive)", "(inactive)", "wide"]);
    by.edit(&id("acme/etl:a"), &switched(Activity::Active), None).unwrap();
    told(&secret());

    put(by, "acme/etl/production:a", "narrow");
    told(&name());
    assert_eq!(answers(fleet, first.id), ["two", "two", "narrow", "wide"]);
    by.delete(&id("acme/etl/production:a")).unwrap();
    told(&Notice::Org(of("acme")));
    assert_eq!(answers(fleet, first.id), ["two", "two", "two", "wide"]);

    by.delete(&id("acme/etl:a")).unwrap();
    told(&secret());
    assert_eq!(answers(fleet, first.id), ["(not_found)", "(not_found)", "wide", "wide"]);
    by.delete(&id("acme:a")).unwrap();
    told(&Notice::Secret(of("acme"), wide.id));
    assert_eq!(answers(fleet, first.id), ["(not_found)", "(not_found)", "(not_found)", "(not_found)"]);
    put(by, "acme/etl:a", "again");
    told(&name());
    assert_eq!(answers(fleet, first.id), ["again", "(not_found)", "again", "(not_found)"]);
}

fn switched(activity: Activity) -> MetadataEdit {
    let mut edit = MetadataEdit::default();
    edit.activity = Some(activity);
    edit
}

fn described(text: &str) -> MetadataEdit {
    let mut edit = MetadataEdit::default();
    edit.description = Setting::Set(Description::parse(text).unwrap());
    edit
}

#[test]
fn what_is_committed_through_it_is_seen_at_once() {
    let fleet = fleet(CacheOptions::default());
    life(&fleet, &fleet.near, |_| {});
}

#[test]
fn what_was_committed_late_is_seen_once_its_outcome_is_known() {
    let Fleet { probe, near, .. } = fleet(CacheOptions::default());
    put(&near, "acme:a", "one");
    probe.delay();
    let outcome = near.put(&id("acme:a"), &common::value("two"), PutMode::Overwrite);
    let Err(Error::OutcomeUnknown { token: Some(token), .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(at(&near, "acme:a"), "one");
    probe.arrive();
    assert_eq!(at(&near, "acme:a"), "one", "nobody knows yet");
    assert!(near.outcome(&org("acme"), &token).unwrap());
    assert_eq!(at(&near, "acme:a"), "two");
}

#[test]
fn what_others_commit_is_seen_once_it_is_told() {
    let fleet = fleet(CacheOptions::default());
    life(&fleet, &fleet.far, |notice| fleet.cached.hear(notice));
    // Through the handle that a store is given.
    let listener = fleet.cached.listener();
    put(&fleet.far, "acme/etl:a", "last");
    assert_eq!(at(&fleet.near, "acme/etl:a"), "again", "nothing was told yet");
    listener.hear(&Notice::Org(org("acme")));
    assert_eq!(at(&fleet.near, "acme/etl:a"), "last");
}

#[test]
fn what_a_notice_does_not_name_stays() {
    let Fleet { probe, cached, near, far } = fleet(CacheOptions::default());
    let infos: Vec<_> = (0..50).map(|number| put(&near, &format!("acme:s-{number}"), "one")).collect();
    put(&near, "other:s", "one");
    let read = || {
        let before = probe.fetches();
        (0..50).for_each(|number| drop(at(&near, &format!("acme:s-{number}"))));
        at(&near, "other:s");
        probe.fetches() - before
    };
    assert_eq!((read(), read()), (51, 0));
    put(&far, "acme:s-7", "two");
    cached.hear(&Notice::Secret(org("acme"), infos[7].id));
    // A few more may share the mark by chance.
    assert!((1..10).contains(&read()));
    assert_eq!(at(&near, "acme:s-7"), "two");
    cached.hear(&Notice::Org(org("other")));
    assert!((1..10).contains(&read()));
    cached.hear(&Notice::Org(org("acme")));
    assert!(read() >= 50);
}

fn aging(options: CacheOptions) -> (Fleet, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
    let fleet = fleet_with(|inner| CachedStore::new(inner, options).with_clock(clock.clone()));
    (fleet, clock)
}

#[test]
fn nothing_is_given_beyond_its_age_whatever_is_heard() {
    let (Fleet { cached, near, far, .. }, clock) =
        aging(CacheOptions::default().with_max_age(Duration::from_secs(600)));
    for told in [false, true] {
        if told {
            cached.hear(&Notice::Regained);
        }
        put(&far, "acme:a", "one");
        assert_eq!(cached.is_told(), told);
        clock.advance(Duration::from_secs(600));
        assert_eq!(at(&near, "acme:a"), "one");
        assert_eq!(at(&near, "acme:b"), "(not_found)");
        put(&far, "acme:a", "two");
        put(&far, "acme:b", "made");
        clock.advance(Duration::from_secs(599));
        assert_eq!((at(&near, "acme:a"), at(&near, "acme:b")), ("one".into(), "(not_found)".into()));
        clock.advance(Duration::from_secs(1));
        assert_eq!((at(&near, "acme:a"), at(&near, "acme:b")), ("two".into(), "made".into()));
        far.delete(&id("acme:b")).unwrap();
    }
}

#[test]
fn an_age_does_not_depend_on_the_clock_alone() {
    let (Fleet { near, far, .. }, clock) = aging(CacheOptions::default().with_max_age(Duration::from_millis(20)));
    put(&far, "acme:a", "one");
    assert_eq!(at(&near, "acme:a"), "one");
    put(&far, "acme:a", "two");
    clock.set(Timestamp::from_micros(0));
    std::thread::sleep(Duration::from_millis(25));
    assert_eq!(at(&near, "acme:a"), "two", "the clock was set back, and time went on");
}

#[test]
fn what_may_have_been_missed_is_asked_again() {
    let Fleet { probe, cached, near, far } = fleet(CacheOptions::default());
    put(&far, "acme:a", "one");
    cached.hear(&Notice::Regained);
    assert_eq!(at(&near, "acme:a"), "one");
    cached.hear(&Notice::Lost);
    assert!(!cached.is_told());
    put(&far, "acme:a", "two");
    assert_eq!(at(&near, "acme:a"), "one", "within its age");
    cached.hear(&Notice::Regained);
    assert!(cached.is_told());
    assert_eq!(at(&near, "acme:a"), "two");
    let before = probe.fetches();
    assert_eq!(at(&near, "acme:a"), "two");
    assert_eq!(probe.fetches(), before);
}

#[test]
fn what_is_asked_for_together_stays_one_snapshot() {
    let Fleet { probe, cached, near, far } = fleet(CacheOptions::default());
    let requests: Vec<_> = ["a", "b", "c"].map(|name| SecretRequest::new(name.parse().unwrap())).into();
    let together = || {
        let outcomes = near.resolve_many(&"acme/etl/production".parse().unwrap(), &requests).unwrap();
        outcomes.into_iter().map(|found| found.unwrap().value.expose_secret().to_vec()).collect::<Vec<_>>()
    };
    for name in ["a", "b", "c"] {
        put(&far, &format!("acme:{name}"), "old");
    }
    assert_eq!(at(&near, "acme:a"), "old");
    assert_eq!(together(), [b"old", b"old", b"old"]);
    assert_eq!(together(), [b"old", b"old", b"old"]);
    assert_eq!(probe.fetches(), 2, "one for all three");
    let last = ["a", "b", "c"].map(|name| put(&far, &format!("acme:{name}"), "new"))[2].id;
    assert_eq!(together(), [b"old", b"old", b"old"]);
    cached.hear(&Notice::Secret(org("acme"), last));
    assert_eq!(together(), [b"new", b"new", b"new"], "one of them is known to have changed");
}

#[test]
fn reads_that_decide_are_never_kept() {
    let Fleet { near, far, .. } = fleet(CacheOptions::default());
    let address = id("acme:a");
    let read = || at(&near, "acme:a");
    assert_eq!(read(), "(not_found)");
    put(&far, "acme:a", "one");
    assert_eq!(read(), "(not_found)");
    // What stands there by now is what a creation, an edit, an update and a deletion meet.
    let created = near.put(&address, &common::value("mine"), PutMode::Create).unwrap_err();
    assert_eq!(created.kind(), ErrorKind::AlreadyExists);
    assert_eq!(near.info(&address).unwrap().generation.number(), 1);
    near.edit(&address, &described("mine"), None).unwrap();
    assert_eq!(read(), "one");
    far.edit(&address, &described("theirs"), None).unwrap();
    let edited = near.edit(&address, &described("mine"), None).unwrap();
    assert_eq!(edited.generation.number(), 4, "the edit is not lost");
    assert_eq!(read(), "one");
    let theirs = put(&far, "acme:a", "two");
    assert_eq!(read(), "one");
    near.put(&address, &common::value("three"), PutMode::Update(theirs.generation)).unwrap();
    assert_eq!(read(), "three");
    far.delete(&address).unwrap();
    assert_eq!(read(), "three");
    assert_eq!(near.delete(&address).unwrap_err().kind(), ErrorKind::NotFound);
    let wrong = near.verify(&org("acme")).flat_map(Result::unwrap);
    assert_eq!(wrong.filter(|told| matches!(told, Verified::Wrong(_))).count(), 0);
}
