//! Rows that make no sense to the store itself: what is beside them is read all the same, and a store that fails in another
//! way is told of.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::replayed::Replayed;
use super::{id, value};
use crate::deliver::{Delivery, DeliveryOptions};
use crate::error::{Error, ErrorKind};
use crate::filter::Filter;
use crate::memory::MemoryStore;
use crate::people::Access;
use crate::seal::{KeyState, KeyUse, RootKey};
use crate::secrets::{Copied, CopyFinding, Finding, PutMode, Secrets, Verified};
use crate::store::{Query, SecretStore, Target, Within};

fn senseless() -> Error {
    Error::corrupt(&"a row")
}

fn full() -> Error {
    Error::Full { store: "replayed".to_owned() }
}

/// With secrets `acme:0` to `acme:9`, each of which was read.
fn ten() -> (Arc<Replayed>, Secrets) {
    let store = Arc::new(Replayed::new());
    let root = Arc::new(RootKey::generate().unwrap());
    let secrets = Secrets::new(Arc::clone(&store) as Arc<dyn SecretStore>, root, Access::Unrestricted);
    for number in 0..10 {
        let at = id(&format!("acme:{number}"));
        secrets.put(&at, &value("x"), PutMode::Create).unwrap();
        secrets.get(&at).unwrap();
    }
    secrets.record_uses();
    (store, secrets)
}

#[test]
fn the_events_before_one_that_makes_no_sense_come_first() {
    let (store, secrets) = ten();
    let read = || {
        let outcomes = secrets.events(id("acme:0").org());
        outcomes.map(|outcome| outcome.map(|event| event.seq).map_err(|error| error.kind())).collect::<Vec<_>>()
    };
    // One process alone writes to one lane: the keyring, and each secret.
    assert_eq!(read(), (1..=11).map(Ok).collect::<Vec<_>>());
    for bad in 1..=11 {
        *store.of_event.lock().unwrap() = Some((bad, senseless));
        let expected: Vec<_> = (1..bad).map(Ok).chain([Err(ErrorKind::Corrupt)]).collect();
        assert_eq!(read(), expected, "event {bad}");
        *store.of_event.lock().unwrap() = Some((bad, full));
        assert_eq!(read(), [Err(ErrorKind::Full)], "nothing is tried in smaller pieces");
    }
}

#[test]
fn a_verification_finds_where_a_lane_goes_on_behind_the_end_that_is_said_of_it() {
    let (store, secrets) = ten();
    let org = id("acme:0").org().clone();
    let (lane, end) = store.lanes(&org).unwrap().remove(0);
    let found = || {
        let told = secrets.verify(&org).flat_map(Result::unwrap);
        told.filter(|told| matches!(told, Verified::Wrong(Finding::BrokenChain { lane: of, .. }) if *of == lane))
            .count()
    };
    assert_eq!(found(), 0);
    secrets.put(&id("acme:0"), &value("y"), PutMode::Overwrite).unwrap();
    assert_eq!(found(), 0);
    *store.ends.lock().unwrap() = Some(vec![(lane, end)]);
    assert_eq!(found(), 1, "one event more than the lane is said to have");
    *store.ends.lock().unwrap() = Some(Vec::new());
    assert_eq!(found(), 1, "a lane that is said to have none");
    *store.ends.lock().unwrap() = None;
    *store.of_event.lock().unwrap() = Some((5, senseless));
    assert_eq!(found(), 1, "an event that makes no sense");
    *store.of_event.lock().unwrap() = Some((5, full));
    assert_eq!(secrets.verify(&org).last().unwrap().unwrap_err().kind(), ErrorKind::Full);
}

#[test]
fn a_use_that_makes_no_sense_hides_itself_alone() {
    let (store, secrets) = ten();
    let org = id("acme:0").org().clone();
    let listed = || secrets.list(Within::Org(org.clone()), 100).next().unwrap();
    let infos = listed().unwrap();
    assert!(infos.iter().all(|info| info.last_used().is_some()));
    for bad in &infos {
        *store.of_use.lock().unwrap() = Some((bad.id, senseless));
        for info in listed().unwrap() {
            assert_eq!(info.last_used().is_none(), info.id == bad.id, "{}", info.address);
        }
        assert!(secrets.info(&bad.address).unwrap().last_used().is_none());
        *store.of_use.lock().unwrap() = Some((bad.id, full));
        assert_eq!(listed().unwrap_err().kind(), ErrorKind::Full);
        assert_eq!(secrets.info(&bad.address).unwrap_err().kind(), ErrorKind::Full);
    }
}

#[test]
fn a_task_gets_its_secrets_where_nobody_can_note_that_it_uses_them() {
    let (store, secrets) = ten();
    let requests = ["0", "1"].map(|name| crate::SecretRequest::new(name.parse().unwrap()));
    let options = DeliveryOptions { consumer: Some("job".parse().unwrap()), ..DeliveryOptions::default() };
    let delivered = || Delivery::prepare(&secrets, id("acme:0").scope(), &requests, &options).unwrap();
    store.is_full.store(true, Ordering::Relaxed);
    let delivery = delivered();
    assert!(delivery.get(id("acme:1").name(), None).unwrap().value.is_same_as(&value("x")));
    assert_eq!(delivery.registration().unwrap_err().kind(), ErrorKind::Full);
    store.is_full.store(false, Ordering::Relaxed);
    assert!(delivered().registration().is_ok(), "it is tried again at once");
    assert_eq!(secrets.consumers(&id("acme:1")).unwrap().len(), 1);
}

#[test]
fn a_copy_tells_of_events_that_make_no_sense_and_ends_where_they_cannot_be_read() {
    let (store, secrets) = ten();
    secrets.delete(&id("acme:9")).unwrap();
    let (target, root) = (Arc::new(MemoryStore::new()), Arc::new(RootKey::generate().unwrap()));
    let target = Secrets::new(target, root, Access::Unrestricted);
    let org = id("acme:0").org().clone();
    *store.of_event.lock().unwrap() = Some((5, senseless));
    let told: Vec<_> = target.copy_from(&secrets, &org, 100).flat_map(Result::unwrap).collect();
    let damaged = |told: &&Copied| matches!(told, Copied::Left(CopyFinding::Damaged(what)) if what == "a row");
    assert_eq!(told.iter().filter(damaged).count(), 1, "{told:?}");
    assert_eq!(target.list(Within::Org(org.clone()), 100).next().unwrap().unwrap().len(), 9);
    *store.of_event.lock().unwrap() = Some((5, full));
    assert_eq!(target.copy_from(&secrets, &org, 100).last().unwrap().unwrap_err().kind(), ErrorKind::Full);
}

/// A use that stayed under the key of before would be lost with it.
#[test]
fn a_reencryption_waits_for_whoever_writes_until_it_has_the_uses_too() {
    let (store, secrets) = ten();
    let (keys, org) = (secrets.keys(), id("acme:0").org().clone());
    let old = keys.status(&org).unwrap().in_state(KeyUse::Meta, KeyState::Primary).next().unwrap().id;
    keys.promote(&org, keys.add(&org, KeyUse::Meta).unwrap().id).unwrap();
    store.busy.store(3, Ordering::Relaxed);
    let progress = keys.reencrypt(&org, 100).last().unwrap().unwrap();
    assert_eq!((progress.checked, progress.rewritten), (10, 10));
    assert_eq!(store.busy.load(Ordering::Relaxed), 0);
    keys.retire(&org, old).unwrap();
    let infos = secrets.list(Within::Org(org), 100).next().unwrap().unwrap();
    assert!(infos.iter().all(|info| info.last_used().is_some()));
}

/// Each row is genuine, and the store gives it for another one.
#[test]
fn a_secret_in_answer_to_another_question_is_refused() {
    let (store, secrets) = ten();
    for place in ["acme/etl:0", "acme/other:0", "acme/*/production:0"] {
        secrets.put(&id(place), &value(place), PutMode::Create).unwrap();
    }
    let asked = id("acme/etl:0");
    let by_id = (asked.org(), secrets.info(&asked).unwrap().id);
    let (task, request) = ("acme/etl/staging".parse().unwrap(), crate::SecretRequest::new(asked.name().clone()));
    let (exactly, nearest) = (|| secrets.get(&asked).map(drop), || secrets.resolve(&task, &request).map(drop));
    for (other, answers_nearest) in [
        ("acme/etl:0", true),
        ("acme:0", true),
        ("acme:1", false),
        ("acme/other:0", false),
        ("acme/*/production:0", false),
    ] {
        *store.fetches.lock().unwrap() = Some(Target::Exact(id(other)));
        let corrupt = |outcome: crate::Result<()>| match outcome {
            Ok(()) => false,
            Err(error) => error.kind() == ErrorKind::Corrupt || panic!("{error}"),
        };
        let is_other = id(other) != asked;
        assert_eq!(corrupt(exactly()), is_other, "{other}");
        assert_eq!(corrupt(nearest()), !answers_nearest, "{other} to a task");
        assert_eq!(corrupt(secrets.get(by_id).map(drop)), is_other, "{other} by id");
        assert_eq!(corrupt(secrets.info(by_id).map(drop)), is_other, "{other}, everything but its value");
        assert_eq!(corrupt(secrets.put(&asked, &value("x"), PutMode::Overwrite).map(drop)), is_other, "over {other}");
        assert_eq!(corrupt(secrets.verify_value(&asked, &value("x")).map(drop)), is_other, "{other}, compared");
    }
}

/// Each row is genuine; a store may leave out and repeat, and must not add.
#[test]
fn a_listing_refuses_rows_that_were_not_asked_for() {
    let (store, secrets) = ten();
    let everywhere = || Within::Org(id("acme:0").org().clone());
    let described = Filter { tags: vec!["pci".into()], ..Filter::default() };
    let listed = |within: Within, filter: Filter| secrets.list(within, 100).filtered(filter).next().transpose();
    let elsewhere = || Within::Exactly("acme/etl".parse().unwrap());
    assert!(listed(everywhere(), described.clone()).unwrap().is_none());
    assert!(listed(elsewhere(), Filter::default()).unwrap().is_none());
    *store.lists.lock().unwrap() = Some(Query::first(everywhere(), 100));
    assert_eq!(listed(everywhere(), Filter::default()).unwrap().unwrap().len(), 10);
    assert_eq!(listed(everywhere(), described).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(listed(elsewhere(), Filter::default()).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn what_is_not_genuine_is_nothing_and_what_failed_is_an_error() {
    use crate::secrets::uses::authentic;
    assert!(matches!(authentic(Ok(1)), Ok(Some(1))));
    assert!(matches!(authentic::<u8>(Err(senseless())), Ok(None)));
    assert!(matches!(authentic::<u8>(Err(full())), Err(Error::Full { .. })));
}
