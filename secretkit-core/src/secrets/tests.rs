//! The façade against a store that lies: every column altered, rows moved, keys replaced.

mod old_copies;
mod replayed;
mod sealed;
mod unreadable;

use std::sync::Arc;
use std::time::Duration;

use super::{PutMode, Secrets};
use crate::deliver::{Delivery, DeliveryOptions};
use crate::digest::Digest;
use crate::edit::{MetadataEdit, Setting};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Activity;
use crate::head::{Head, Stamp};
use crate::id::{SecretId, StableId};
use crate::memory::MemoryStore;
use crate::metadata::{Description, Tags};
use crate::people::{Access, Actor};
use crate::record::{Generation, Revision, SecretRecord};
use crate::request::SecretRequest;
use crate::scope::Scope;
use crate::seal::{KeyringRow, Mac, OrgKeys, RootKey};
use crate::store::{Batch, Change, SecretStore, Target, Want, Within};
use crate::time::{Clock, ManualClock, Timestamp};
use crate::value::SecretValue;

struct Fixture {
    store: Arc<MemoryStore>,
    root: Arc<RootKey>,
    clock: Arc<ManualClock>,
    secrets: Secrets,
}

fn fixture() -> Fixture {
    let (store, root) = (Arc::new(MemoryStore::new()), Arc::new(RootKey::generate().unwrap()));
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_000_000)));
    let secrets = facade(&store, &root, &clock);
    Fixture { store, root, clock, secrets }
}

fn facade(store: &Arc<MemoryStore>, root: &Arc<RootKey>, clock: &Arc<ManualClock>) -> Secrets {
    let store = Arc::clone(store) as Arc<dyn SecretStore>;
    Secrets::new(store, Arc::clone(root) as _, Access::Unrestricted).with_clock(Arc::clone(clock) as Arc<dyn Clock>)
}

fn id(text: &str) -> SecretId {
    text.parse().unwrap()
}

fn value(text: &str) -> SecretValue {
    SecretValue::copied_from(text.as_bytes())
}

fn record(store: &MemoryStore, at: &SecretId) -> SecretRecord {
    let want = Want { target: Target::Exact(at.clone()), revision: None };
    store.fetch(&[want]).unwrap().pop().flatten().unwrap().record
}

/// Writes a row past the façade, as somebody with the database open would.
fn overwrite(store: &MemoryStore, record: SecretRecord) {
    let gone = Change::Delete(record.head.address.org().clone(), record.head.id);
    commit(store, vec![gone, Change::Insert(record)]);
}

fn commit(store: &MemoryStore, changes: Vec<Change>) {
    let _ = store.commit(&Batch { expectations: Vec::new(), changes, ..Batch::default() }).unwrap();
}

#[track_caller]
fn corrupt<T: std::fmt::Debug>(outcome: Result<T>, what: &str) {
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Corrupt, "{what}");
}

#[test]
fn h1_every_changed_column_of_a_head_is_refused() {
    let Fixture { store, secrets, .. } = fixture();
    let at = id("acme/etl:db/password");
    let other = secrets.put(&id("acme/etl:db/other"), &value("x"), PutMode::Create).unwrap();
    secrets.put(&at, &value("one"), PutMode::Create).unwrap();
    secrets.put(&at, &value("two"), PutMode::Overwrite).unwrap();
    let honest = record(&store, &at);
    let digest_of = |change: fn(&mut [u8])| {
        let mut bytes = honest.head.digest.to_bytes();
        change(&mut bytes);
        Digest::from_bytes(&bytes).unwrap()
    };
    let later = Stamp { at: Timestamp::from_micros(5), by: honest.head.created.by.clone() };
    let somebody = |stamp: &Stamp| Stamp { at: stamp.at, by: Actor::parse("mallory").unwrap() };
    type Alter<'a> = Box<dyn Fn(&mut Head) + 'a>;
    let columns: Vec<(&str, Alter<'_>)> = vec![
        ("id", Box::new(|head| head.id = StableId::from_bytes([1; 16]))),
        ("generation", Box::new(|head| head.generation = Generation::new(7).unwrap())),
        ("generation back", Box::new(|head| head.generation = Generation::FIRST)),
        ("revision", Box::new(|head| head.revision = Revision::FIRST)),
        ("first_revision", Box::new(|head| head.first_revision = Revision::new(2).unwrap())),
        ("keep", Box::new(|head| head.keep = Some(3))),
        ("inactive_since", Box::new(|head| head.metadata.inactive_since = Some(Timestamp::from_micros(0)))),
        ("expires_at", Box::new(|head| head.metadata.expires_at = Some(Timestamp::from_micros(i64::MAX)))),
        ("description", Box::new(|head| head.metadata.description = Some(Description::parse("mine").unwrap()))),
        ("tags", Box::new(|head| head.metadata.tags = Tags::parse(["prod"]).unwrap())),
        ("created_at", Box::new(|head| head.created = later.clone())),
        ("created_by", Box::new(|head| head.created = somebody(&head.created))),
        ("updated_at", Box::new(|head| head.updated = later.clone())),
        ("updated_by", Box::new(|head| head.updated = somebody(&head.updated))),
        ("value_at", Box::new(|head| head.valued = later.clone())),
        ("value_by", Box::new(|head| head.valued = somebody(&head.valued))),
        ("digest", Box::new(|head| head.digest = digest_of(|bytes| bytes[48] ^= 1))),
        ("digest key", Box::new(|head| head.digest = digest_of(|bytes| bytes[1] ^= 1))),
        ("digest of another", Box::new(|head| head.digest = other.digest)),
    ];
    for (column, alter) in &columns {
        let mut altered = honest.clone();
        alter(&mut altered.head);
        let replace = |old: &SecretRecord, new: &SecretRecord| {
            commit(&store, vec![Change::Delete(at.org().clone(), old.head.id), Change::Insert(new.clone())]);
        };
        replace(&honest, &altered);
        corrupt(secrets.get(&at), column);
        corrupt(secrets.info(&at), column);
        let listed = secrets.list(Within::Org(at.org().clone()), 10).next().unwrap();
        corrupt(listed, column);
        corrupt(secrets.put(&at, &value("three"), PutMode::Overwrite), column);
        replace(&altered, &honest);
        assert_eq!(secrets.get(&at).unwrap().value.expose_secret(), b"two");
    }
    assert!(columns.len() >= 19);
}

#[test]
fn an_altered_authenticator_or_record_is_refused() {
    let Fixture { store, secrets, .. } = fixture();
    let at = id("acme:token");
    secrets.put(&at, &value("one"), PutMode::Create).unwrap();
    let old = record(&store, &at);
    secrets.put(&at, &value("two"), PutMode::Overwrite).unwrap();
    let honest = record(&store, &at);
    let mut bytes = honest.mac.to_bytes();
    bytes[48] ^= 1;
    overwrite(&store, SecretRecord { mac: Mac::from_bytes(&bytes).unwrap(), ..honest.clone() });
    corrupt(secrets.get(&at), "mac");
    bytes = honest.mac.to_bytes();
    bytes[1] ^= 1;
    overwrite(&store, SecretRecord { mac: Mac::from_bytes(&bytes).unwrap(), ..honest.clone() });
    assert_eq!(secrets.get(&at).unwrap_err().kind(), ErrorKind::UnknownKey, "mac key");
    overwrite(&store, SecretRecord { sealed: old.sealed.clone(), ..honest.clone() });
    corrupt(secrets.get(&at), "the old record under the new head");
    overwrite(&store, SecretRecord { head: old.head, mac: old.mac, sealed: honest.sealed });
    corrupt(secrets.get(&at), "the new record under the old head");
}

#[test]
fn h2_a_row_that_moved_to_another_address_is_refused() {
    let Fixture { store, secrets, .. } = fixture();
    let places = ["a/p/d:g/k", "b/p/d:g/k", "a/q/d:g/k", "a/p/e:g/k", "a/p/d:h/k", "a/p/d:g/l", "a/p:g/k", "a/*/d:g/k"];
    for place in places {
        secrets.put(&id(place), &value(place), PutMode::Create).unwrap();
    }
    for from in places {
        for to in places.into_iter().filter(|to| *to != from) {
            let (honest, mut moved) = (record(&store, &id(to)), record(&store, &id(from)));
            // The thief keeps the target's id, so that the row is found by whatever asks for it.
            moved.head.address = id(to);
            commit(&store, vec![Change::Delete(honest.head.address.org().clone(), honest.head.id)]);
            moved.head.id = honest.head.id;
            commit(&store, vec![Change::Insert(moved)]);
            let refused = secrets.get(&id(to)).unwrap_err().kind();
            assert!(matches!(refused, ErrorKind::Corrupt | ErrorKind::UnknownKey), "{from} in place of {to}");
            overwrite(&store, honest);
        }
    }
}

#[test]
fn v1_a_superseded_value_is_bound_to_its_revision() {
    let Fixture { store, secrets, .. } = fixture();
    let at = id("acme:token");
    for text in ["one", "two", "three"] {
        secrets.put(&at, &value(text), PutMode::Overwrite).unwrap();
    }
    let scope: Scope = "acme".parse().unwrap();
    let request = |number| SecretRequest::new(at.name().clone()).at_revision(Revision::new(number).unwrap());
    for (number, text) in [(1, "one"), (2, "two"), (3, "three")] {
        assert_eq!(secrets.resolve(&scope, &request(number)).unwrap().value.expose_secret(), text.as_bytes());
    }
    let beyond = secrets.resolve(&scope, &request(4)).unwrap_err();
    assert!(matches!(beyond, Error::RevisionNotFound { .. }), "{beyond}");

    // Revision 1 in the place of revision 2, and revision 2 gone.
    let fetch = |revision| {
        let revision = Revision::new(revision);
        store.fetch(&[Want { target: Target::Exact(at.clone()), revision }]).unwrap().pop().flatten().unwrap()
    };
    let (honest, mut forged) = (fetch(1), fetch(1).superseded.unwrap());
    forged.revision = Revision::new(2).unwrap();
    overwrite(&store, honest.record.clone());
    commit(&store, vec![Change::Replace(honest.record.clone(), Some(forged))]);
    corrupt(secrets.resolve(&scope, &request(2)), "revision 1 as 2");
    overwrite(&store, honest.record);
    corrupt(secrets.resolve(&scope, &request(2)), "a kept revision that is gone");
}

#[test]
fn a_foreign_keyring_is_refused() {
    let Fixture { store, root, clock, secrets } = fixture();
    let at = id("acme:token");
    secrets.put(&at, &value("mine"), PutMode::Create).unwrap();
    let elsewhere = fixture();
    elsewhere.secrets.put(&at, &value("theirs"), PutMode::Create).unwrap();
    let theirs = elsewhere.store.keyring(at.org()).unwrap().unwrap();
    commit(&store, vec![Change::Keyring(theirs.clone())]);
    let fresh = facade(&store, &root, &clock);
    assert_eq!(fresh.get(&at).unwrap_err().kind(), ErrorKind::WrongRootKey);
    // The same root key, but wrapped for another store.
    let fresh = facade(&store, &elsewhere.root, &clock);
    corrupt(fresh.get(&at), "a keyring of another store");
    let moved = KeyringRow { org: id("rival:x").org().clone(), ..theirs };
    commit(&store, vec![Change::Keyring(moved)]);
    corrupt(fresh.put(&id("rival:x"), &value("x"), PutMode::Create), "a keyring of another org");
}

#[test]
fn first_writes_at_once_end_with_one_keyring() {
    for _ in 0..20 {
        let Fixture { store, root, clock, .. } = fixture();
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|threads| {
            for number in 0..8 {
                let (store, root, clock, start) = (&store, &root, &clock, &start);
                threads.spawn(move || {
                    let secrets = facade(store, root, clock);
                    start.wait();
                    secrets.put(&id(&format!("acme:n{number}")), &value("v"), PutMode::Create).unwrap();
                });
            }
        });
        let fresh = facade(&store, &root, &clock);
        for number in 0..8 {
            fresh.get(&id(&format!("acme:n{number}"))).unwrap();
        }
        assert_eq!(store.keyring(id("acme:n").org()).unwrap().unwrap().version, 1);
    }
}

#[test]
fn an_org_that_lost_its_keyring_gets_no_other() {
    let Fixture { store, root, clock, secrets } = fixture();
    secrets.put(&id("acme:a"), &value("1"), PutMode::Create).unwrap();
    // Another store with the same rows, as one that somebody deleted the keyring from.
    let robbed = Arc::new(MemoryStore::new());
    commit(&robbed, vec![Change::Insert(record(&store, &id("acme:a")))]);
    let fresh = facade(&robbed, &root, &clock);
    corrupt(fresh.put(&id("acme:b"), &value("2"), PutMode::Create), "a write");
    corrupt(fresh.get(&id("acme:a")), "a read");
    assert!(robbed.keyring(id("acme:a").org()).unwrap().is_none());
    fresh.put(&id("other:b"), &value("2"), PutMode::Create).unwrap();
}

#[test]
fn a_write_under_keys_that_were_replaced_is_sealed_again() {
    let Fixture { store, root, clock, secrets } = fixture();
    secrets.put(&id("acme:a"), &value("1"), PutMode::Create).unwrap();
    secrets.delete(&id("acme:a")).unwrap();
    // The keyring is lost and made anew, again as version 1, while `secrets` still holds the old keys.
    let (keys, row) = OrgKeys::create(store.info().unwrap().id, id("acme:a").org(), &*root, clock.now()).unwrap();
    assert_eq!(keys.stamp().version, 1);
    commit(&store, vec![Change::Keyring(row)]);
    secrets.put(&id("acme:b"), &value("2"), PutMode::Create).unwrap();
    assert_eq!(facade(&store, &root, &clock).get(&id("acme:b")).unwrap().value.expose_secret(), b"2");
}

#[test]
fn inactive_and_expired_are_errors_and_no_descent() {
    let Fixture { clock, secrets, .. } = fixture();
    let (near, far) = (id("acme/etl:token"), id("acme:token"));
    for at in [&near, &far] {
        secrets.put(at, &value("t0k3n"), PutMode::Create).unwrap();
    }
    let task: Scope = "acme/etl/production".parse().unwrap();
    let request = SecretRequest::new(near.name().clone());
    let expiry = Timestamp::from_micros(2_000_000);
    let expires = MetadataEdit { expires_at: Setting::Set(expiry), ..MetadataEdit::default() };
    secrets.edit(&near, &expires, None).unwrap();
    clock.set(Timestamp::from_micros(1_999_999));
    assert!(secrets.resolve(&task, &request).is_ok());
    clock.advance(Duration::from_micros(1));
    assert!(matches!(secrets.resolve(&task, &request), Err(Error::Expired { since, .. }) if since == expiry));
    clock.set(Timestamp::from_micros(0));
    assert!(secrets.resolve(&task, &request).is_ok(), "a clock that jumps back");
    let off = MetadataEdit { activity: Some(Activity::Inactive), ..MetadataEdit::default() };
    secrets.edit(&near, &off, None).unwrap();
    assert_eq!(secrets.resolve(&task, &request).unwrap_err().kind(), ErrorKind::Inactive);
    assert_eq!(secrets.get(&near).unwrap_err().kind(), ErrorKind::Inactive);
    assert!(!secrets.info(&near).unwrap().metadata.is_active(), "its head can be read");
    assert!(secrets.verify_value(&near, &value("t0k3n")).unwrap());
}

#[test]
fn an_expiry_that_no_calendar_reaches_is_refused() {
    let Fixture { secrets, .. } = fixture();
    let at = id("acme:token");
    secrets.put(&at, &value("t0k3n"), PutMode::Create).unwrap();
    let expires = |at| MetadataEdit { expires_at: Setting::Set(at), ..MetadataEdit::default() };
    let last = Timestamp::from_micros(253_402_207_200_000_000);
    assert_eq!(last.to_string(), "9999-12-30T22:00:00Z");
    assert_eq!(secrets.edit(&at, &expires(last), None).unwrap().metadata.expires_at, Some(last));
    for beyond in [last.as_micros() + 1_000_000, i64::MAX] {
        let beyond = expires(Timestamp::from_micros(beyond));
        let kinds = [
            secrets.edit(&at, &beyond, None).unwrap_err().kind(),
            secrets.put_with(&at, &value("n3w"), PutMode::Overwrite, &beyond).unwrap_err().kind(),
        ];
        assert_eq!(kinds, [ErrorKind::InvalidMetadata; 2]);
    }
    assert_eq!(secrets.info(&at).unwrap().metadata.expires_at, Some(last));
}

#[test]
fn what_was_delivered_expires_too() {
    let Fixture { clock, secrets, .. } = fixture();
    let at = id("acme:token");
    secrets.put(&at, &value("t0k3n"), PutMode::Create).unwrap();
    let expiry = Timestamp::from_micros(2_000_000);
    let expires = MetadataEdit { expires_at: Setting::Set(expiry), ..MetadataEdit::default() };
    secrets.edit(&at, &expires, None).unwrap();
    let requests = [SecretRequest::new(at.name().clone())];
    let options = DeliveryOptions::default();
    let delivery = Delivery::prepare(&secrets, at.scope(), &requests, &options).unwrap();
    assert!(delivery.get(at.name(), None).is_ok());
    clock.set(expiry);
    assert_eq!(delivery.get(at.name(), None).unwrap_err().kind(), ErrorKind::Expired);
}

#[test]
fn a_use_is_recorded_when_a_task_ends_and_when_a_process_lets_go() {
    let Fixture { store, root, clock, secrets } = fixture();
    let (by_task, by_process) = (id("acme:task"), id("acme:process"));
    for at in [&by_task, &by_process] {
        secrets.put(at, &value("t0k3n"), PutMode::Create).unwrap();
    }
    let used = |at: &SecretId| secrets.info(at).unwrap().last_used().is_some();
    let reader = facade(&store, &root, &clock);
    let requests = [SecretRequest::new(by_task.name().clone())];
    let delivery = Delivery::prepare(&reader, by_task.scope(), &requests, &DeliveryOptions::default()).unwrap();
    assert!(!used(&by_task));
    drop(delivery);
    assert!(used(&by_task));
    reader.get(&by_process).unwrap();
    assert!(!used(&by_process));
    drop(reader);
    assert!(used(&by_process));
}

#[test]
fn a_pin_must_include_the_task_and_has_no_fallback() {
    let Fixture { secrets, .. } = fixture();
    secrets.put(&id("acme:token"), &value("org"), PutMode::Create).unwrap();
    let task: Scope = "acme/etl/production".parse().unwrap();
    let pinned = |scope: &str| SecretRequest::new("token".parse().unwrap()).pinned_to(scope.parse().unwrap());
    assert_eq!(secrets.resolve(&task, &pinned("acme")).unwrap().value.expose_secret(), b"org");
    assert_eq!(secrets.resolve(&task, &pinned("acme/etl")).unwrap_err().kind(), ErrorKind::NotFound);
    for stranger in ["rival", "acme/other", "acme/etl/staging"] {
        assert_eq!(secrets.resolve(&task, &pinned(stranger)).unwrap_err().kind(), ErrorKind::InvalidRequest);
    }
}

#[test]
fn a_value_over_the_limit_changes_nothing() {
    let Fixture { secrets, .. } = fixture();
    let at = id("acme:token");
    let secrets = secrets.with_value_limit(4);
    assert_eq!(secrets.value_limit(), 4);
    secrets.put(&at, &value("four"), PutMode::Create).unwrap();
    let refused = secrets.put(&at, &value("fives"), PutMode::Overwrite).unwrap_err();
    assert!(matches!(refused, Error::TooLarge { length: 5, limit: 4 }));
    assert_eq!(secrets.get(&at).unwrap().revision, Revision::FIRST);
}

#[test]
fn an_update_by_id_follows_the_secret_and_not_its_address() {
    let Fixture { secrets, .. } = fixture();
    let at = id("acme/etl:token");
    let first = secrets.put(&at, &value("one"), PutMode::Create).unwrap();
    let second = secrets
        .update_with((at.org(), first.id), &value("two"), &MetadataEdit::default(), Some(first.generation))
        .unwrap();
    assert_eq!((second.address.clone(), second.revision), (at.clone(), first.revision.next()));
    let kind = |outcome: Result<_>| outcome.map(drop).unwrap_err().kind();
    let stale =
        secrets.update_with((at.org(), first.id), &value("no"), &MetadataEdit::default(), Some(first.generation));
    assert_eq!(kind(stale), ErrorKind::Conflict);
    assert_eq!(
        kind(secrets.update_with((id("other:x").org(), first.id), &value("no"), &MetadataEdit::default(), None)),
        ErrorKind::NotFound
    );
    // What was made at the same address since is another secret.
    secrets.delete(&at).unwrap();
    secrets.put(&at, &value("new"), PutMode::Create).unwrap();
    assert_eq!(
        kind(secrets.update_with((at.org(), first.id), &value("no"), &MetadataEdit::default(), None)),
        ErrorKind::NotFound
    );
    assert_eq!(secrets.get(&at).unwrap().value.expose_secret(), b"new");
}
