//! The same store as an application uses it.

use std::sync::{Arc, Barrier};
use std::thread;

use super::Factory;
use super::sample::{fetch, id, org, revision};
use crate::error::{Error, ErrorKind};
use crate::id::SecretId;
use crate::people::Access;
use crate::record::{Generation, SecretInfo};
use crate::request::SecretRequest;
use crate::scope::Scope;
use crate::seal::RootKey;
use crate::secrets::{PutMode, Secrets};
use crate::store::{SecretStore, Target, Within};
use crate::value::SecretValue;

/// What goes in comes out, byte for byte, at every length.
pub fn a_value_put_is_the_value_got(factory: &Factory<'_>) {
    let secrets = unlimited(factory());
    let every: Vec<u8> = (0..=255).collect();
    let values = [
        vec![],
        vec![0],
        b"trailing newline\n".to_vec(),
        b"\xff\xfe not UTF-8".to_vec(),
        every.repeat(256),
        every.repeat(SecretValue::MAX_BYTES / 256),
    ];
    for (number, value) in values.iter().enumerate() {
        let address = id(&format!("acme/etl:value-{number}"));
        let put = secrets.put(&address, &SecretValue::copied_from(value), PutMode::Create).unwrap();
        let got = secrets.get(&address).unwrap();
        assert!(got.value.expose_secret() == value, "value {number} came back changed");
        assert_eq!((got.info.id, got.revision), (put.id, revision(1)));
        assert!(secrets.verify_value(&address, &got.value).unwrap());
        let by_id = secrets.get((&org("acme"), put.id)).unwrap();
        assert!(by_id.value.expose_secret() == value);
    }
}

/// Create, overwrite and update each do what they say to what is there and to what is not.
pub fn each_mode_demands_what_it_says(factory: &Factory<'_>) {
    let secrets = unlimited(factory());
    let a = id("acme:a");
    let put = |value: &[u8], mode| secrets.put(&a, &SecretValue::copied_from(value), mode);
    let kind = |outcome: Result<SecretInfo, Error>| outcome.unwrap_err().kind();
    assert_eq!(kind(put(b"0", PutMode::Update(Generation::FIRST))), ErrorKind::NotFound);
    assert_eq!(kind(secrets.update(&a, &SecretValue::copied_from(b"0"))), ErrorKind::NotFound);
    let first = put(b"1", PutMode::Create).unwrap();
    assert_eq!(kind(put(b"0", PutMode::Create)), ErrorKind::AlreadyExists);
    let second = put(b"2", PutMode::Overwrite).unwrap();
    assert_eq!((second.id, second.generation.number(), second.revision.number()), (first.id, 2, 2));
    assert_eq!(kind(put(b"0", PutMode::Update(first.generation))), ErrorKind::Conflict);
    let third = put(b"3", PutMode::Update(second.generation)).unwrap();
    assert_eq!(third.generation.number(), 3);
    let fourth = secrets.update(&a, &SecretValue::copied_from(b"4")).unwrap();
    assert_eq!((fourth.id, fourth.revision.number()), (first.id, 4));
    assert_eq!(value(&secrets, "acme:a"), b"4");
}

/// Nothing that a store keeps holds a value, or a value's beginning.
pub fn a_stored_value_holds_no_plaintext(factory: &Factory<'_>) {
    let store = factory();
    let secrets = unlimited(Arc::clone(&store));
    let needle = b"a-needle-in-the-haystack-of-bytes";
    let a = id("acme:a");
    for mode in [PutMode::Create, PutMode::Overwrite] {
        secrets.put(&a, &SecretValue::copied_from(&needle.repeat(9)), mode).unwrap();
    }
    let fetched = fetch(&*store, Target::Exact(a), Some(revision(1))).unwrap();
    let keyring = store.keyring(&org("acme")).unwrap().unwrap();
    let records = [fetched.record.sealed, fetched.superseded.unwrap().sealed, keyring.keyset];
    for record in records.iter().map(crate::SealedValue::as_bytes).chain([&*keyring.wrapped.bytes]) {
        assert!(record.windows(8).all(|window| window != &needle[..8]));
    }
}

/// Superseded values open until they are pruned, and a request for a pruned one says what is kept.
pub fn every_revision_that_is_kept_opens(factory: &Factory<'_>) {
    let secrets = unlimited(factory()).with_keep(3);
    let a = id("acme/etl:a");
    for number in 1..=6_u8 {
        secrets.put(&a, &SecretValue::copied_from(&[number]), PutMode::Overwrite).unwrap();
    }
    let task: Scope = "acme/etl/production".parse().unwrap();
    let request = |number| SecretRequest::new(a.name().clone()).at_revision(revision(number));
    for number in 3..=6 {
        let resolved = secrets.resolve(&task, &request(number)).unwrap();
        assert_eq!((resolved.value.expose_secret(), resolved.revision.number()), (&[number as u8][..], number));
    }
    for number in [1, 2, 7] {
        let refused = secrets.resolve(&task, &request(number)).unwrap_err();
        assert!(
            matches!(refused, Error::RevisionNotFound { first, last, .. } if (first.number(), last.number()) == (3, 6))
        );
    }
}

/// The value of the nearest scope answers; once it is deleted, the next nearest.
pub fn a_task_gets_the_nearest_value(factory: &Factory<'_>) {
    let secrets = unlimited(factory());
    let places = ["acme/etl/production", "acme/etl", "acme/*/production", "acme"];
    for place in places {
        let value = SecretValue::copied_from(place.as_bytes());
        secrets.put(&id(&format!("{place}:db/password")), &value, PutMode::Create).unwrap();
    }
    let task: Scope = places[0].parse().unwrap();
    let request = SecretRequest::new("db/password".parse().unwrap());
    for place in places {
        let resolved = secrets.resolve(&task, &request).unwrap();
        assert_eq!(resolved.value.expose_secret(), place.as_bytes());
        assert_eq!(resolved.info.address.scope().to_string(), place);
        let pinned = secrets.resolve(&task, &request.clone().pinned_to("acme".parse().unwrap())).unwrap();
        assert_eq!(pinned.value.expose_secret(), b"acme");
        secrets.delete(&resolved.info.address.clone()).unwrap();
    }
    let missing = secrets.resolve(&task, &request).unwrap_err();
    assert!(matches!(missing, Error::NotFound { searched, .. } if searched.len() == 4));
}

/// Many requests have an outcome each, in their order.
pub fn many_requests_are_resolved_at_once(factory: &Factory<'_>) {
    let secrets = unlimited(factory());
    for (address, value) in [("acme:a", "1"), ("acme/etl:b", "2")] {
        secrets.put(&id(address), &SecretValue::copied_from(value.as_bytes()), PutMode::Create).unwrap();
    }
    let requests = ["a", "missing", "b", "a"].map(|name| SecretRequest::new(name.parse().unwrap()));
    let outcomes = secrets.resolve_many(&"acme/etl/production".parse().unwrap(), &requests).unwrap();
    let values: Vec<_> = outcomes
        .iter()
        .map(|outcome| outcome.as_ref().map(|resolved| resolved.value.expose_secret()).map_err(Error::kind))
        .collect();
    assert_eq!(values, [Ok(&b"1"[..]), Err(ErrorKind::NotFound), Ok(b"2"), Ok(b"1")]);
}

/// What is kept about many secrets of one scope comes in their order, as it comes for each of them alone.
pub fn many_infos_are_given_at_once(factory: &Factory<'_>) {
    let secrets = unlimited(factory());
    for address in ["acme/etl:a", "acme/etl:b", "acme:c", "other/etl:d"] {
        secrets.put(&id(address), &SecretValue::copied_from(b"x"), PutMode::Create).unwrap();
    }
    secrets.get(&id("acme/etl:b")).unwrap();
    secrets.record_uses();
    let scope = "acme/etl".parse().unwrap();
    let names = ["b", "c", "a", "d", "b", "missing"].map(|name| name.parse().unwrap());
    let infos = secrets.infos(&scope, &names).unwrap();
    for (info, name) in infos.iter().zip(&names) {
        let alone = secrets.info(&SecretId::new(scope.clone(), name.clone()));
        match (info, alone) {
            (Some(info), Ok(alone)) => {
                assert_eq!((&info.address, info.id, info.generation), (&alone.address, alone.id, alone.generation));
                assert_eq!(info.last_used(), alone.last_used());
            }
            (None, Err(Error::NotFound { .. })) => {}
            (info, alone) => panic!("{info:?} among many and {alone:?} alone"),
        }
    }
    assert_eq!(infos.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true, false, true, false]);
    assert!(infos[0].as_ref().unwrap().last_used().is_some());
    assert!(secrets.infos(&scope, &[]).unwrap().is_empty());
}

/// A listing has every secret once, in order, whatever the size of its pages.
pub fn a_listing_shows_what_was_put(factory: &Factory<'_>) {
    let secrets = unlimited(factory());
    let addresses = ["acme:a", "acme/*/d:a", "acme/p:a", "acme/p/d:a", "acme:b", "acme:g/a", "acme/p:g/a"];
    for address in addresses.iter().rev().chain(&["other:a"]) {
        secrets.put(&id(address), &SecretValue::copied_from(b"x"), PutMode::Create).unwrap();
    }
    for page in [1, 2, 3, 7, 8, 100] {
        let pages: Vec<_> = secrets.list(Within::Org(org("acme")), page).map(Result::unwrap).collect();
        assert!(pages.iter().all(|infos| infos.len() <= page));
        let listed: Vec<_> = pages.iter().flatten().map(|info| info.address.to_string()).collect();
        assert_eq!(listed, addresses, "{page} at a time");
        let behind = secrets.list(Within::Org(org("acme")), page).after(id(addresses[2])).next().unwrap().unwrap();
        assert_eq!(behind[0].address.to_string(), addresses[3]);
    }
    let exactly: Vec<_> =
        secrets.list(Within::Exactly("acme/p".parse().unwrap()), 1).flat_map(Result::unwrap).collect();
    assert_eq!(exactly.len(), 2);
}

/// After a delete nothing answers, by address or by id, and the name is free for a new secret.
pub fn a_deleted_secret_is_not_found(factory: &Factory<'_>) {
    let secrets = unlimited(factory());
    let a = id("acme:a");
    let first = secrets.put(&a, &SecretValue::copied_from(b"1"), PutMode::Create).unwrap();
    assert_eq!(secrets.delete((&org("other"), first.id)).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(secrets.delete(&a).unwrap().id, first.id);
    for outcome in [secrets.delete(&a), secrets.info(&a), secrets.info((&org("acme"), first.id))] {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NotFound);
    }
    let second = secrets.put(&a, &SecretValue::copied_from(b"2"), PutMode::Create).unwrap();
    assert_ne!(second.id, first.id);
    assert_eq!((second.generation.number(), second.revision.number()), (1, 1));
    assert_eq!(secrets.delete((&org("acme"), second.id)).unwrap().id, second.id);
}

/// Two that share a store and a root key share their secrets, whoever came first.
pub fn one_process_sees_what_another_wrote(factory: &Factory<'_>) {
    let (store, key) = (factory(), Arc::new(RootKey::generate().unwrap()));
    let both = [with_key(&store, &key), with_key(&store, &key)];
    let a = id("acme:a");
    assert_eq!(both[1].get(&a).unwrap_err().kind(), ErrorKind::NotFound);
    for number in 0..6_u8 {
        both[usize::from(number % 2)].put(&a, &SecretValue::copied_from(&[number]), PutMode::Overwrite).unwrap();
        assert!(both.iter().all(|secrets| value(secrets, "acme:a") == [number]));
    }
    both[0].delete(&a).unwrap();
    assert_eq!(both[1].get(&a).unwrap_err().kind(), ErrorKind::NotFound);
}

/// Under another root key every read and write of an org is refused, and nothing changes.
pub fn another_root_key_opens_nothing(factory: &Factory<'_>) {
    let store = factory();
    let (ours, theirs) = (unlimited(Arc::clone(&store)), unlimited(Arc::clone(&store)));
    let a = id("acme:a");
    ours.put(&a, &SecretValue::copied_from(b"ours"), PutMode::Create).unwrap();
    let before = super::sample::contents(&*store, &["acme"]);
    let outcomes = [
        theirs.get(&a).map(drop),
        theirs.info(&a).map(drop),
        theirs.put(&a, &SecretValue::copied_from(b"theirs"), PutMode::Overwrite).map(drop),
        theirs.put(&id("acme:b"), &SecretValue::copied_from(b"theirs"), PutMode::Create).map(drop),
        theirs.list(Within::Org(org("acme")), 10).next().unwrap().map(drop),
    ];
    for outcome in outcomes {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::WrongRootKey);
    }
    assert_eq!(super::sample::contents(&*store, &["acme"]), before);
    theirs.put(&id("other:a"), &SecretValue::copied_from(b"theirs"), PutMode::Create).unwrap();
    assert_eq!(value(&theirs, "other:a"), b"theirs");
}

/// Several that write to a new org at once end with one keyring, under which everything opens.
pub fn first_writers_of_an_org_agree_on_its_keys(factory: &Factory<'_>) {
    let (store, key) = (factory(), Arc::new(RootKey::generate().unwrap()));
    let writers: Vec<_> = (0..8).map(|_| with_key(&store, &key)).collect();
    let barrier = Barrier::new(writers.len());
    thread::scope(|scope| {
        for (number, secrets) in writers.iter().enumerate() {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                let address = id(&format!("acme:a-{number}"));
                secrets.put(&address, &SecretValue::copied_from(&[number as u8]), PutMode::Create).unwrap();
            });
        }
    });
    for secrets in writers.iter().chain([&with_key(&store, &key)]) {
        for number in 0..8_u8 {
            assert_eq!(value(secrets, &format!("acme:a-{number}")), [number]);
        }
    }
}

/// Overwriting never fails for having met others: every value becomes a revision, and none is lost or repeated.
pub fn overwriters_at_once_all_take_effect(factory: &Factory<'_>) {
    const WRITERS: u8 = 4;
    const ROUNDS: u8 = 8;
    let secrets = unlimited(factory()).with_keep(u32::MAX);
    let barrier = Barrier::new(WRITERS.into());
    let a = id("acme:a");
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (secrets, barrier, a) = (&secrets, &barrier, &a);
            scope.spawn(move || {
                barrier.wait();
                for round in 0..ROUNDS {
                    let value = SecretValue::copied_from(&[writer, round]);
                    secrets.put(a, &value, PutMode::Overwrite).unwrap();
                }
            });
        }
    });
    let total = u64::from(WRITERS) * u64::from(ROUNDS);
    let info = secrets.info(&a).unwrap();
    assert_eq!((info.revision.number(), info.generation.number()), (total, total));
    let mut seen = std::collections::BTreeSet::new();
    for number in 1..=total {
        let request = SecretRequest::new(a.name().clone()).at_revision(revision(number));
        seen.insert(secrets.resolve(a.scope(), &request).unwrap().value.expose_secret().to_vec());
    }
    assert_eq!(seen.len() as u64, total, "a value was lost or written twice");
}

/// A façade with a root key of its own, for values of every length.
fn unlimited(store: Arc<dyn SecretStore>) -> Secrets {
    with_key(&store, &Arc::new(RootKey::generate().unwrap()))
}

fn with_key(store: &Arc<dyn SecretStore>, key: &Arc<RootKey>) -> Secrets {
    Secrets::new(Arc::clone(store), Arc::clone(key) as _, Access::Unrestricted).with_value_limit(SecretValue::MAX_BYTES)
}

fn value(secrets: &Secrets, address: &str) -> Vec<u8> {
    secrets.get(&id(address)).unwrap().value.expose_secret().to_vec()
}
