//! A façade whose keys were taken away.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use super::{Fixture, facade, fixture, id, value};
use crate::error::{ErrorKind, Result};
use crate::part::Part;
use crate::people::Access;
use crate::request::SecretRequest;
use crate::seal::{Binding, KeyProvider, KeyUse, RootKey, Wrapped, WrappingKey};
use crate::secrets::{PutMode, Secrets};
use crate::store::{SecretStore, Within};
use crate::time::Clock;

#[track_caller]
fn refused<T>(outcome: Result<T>) {
    assert_eq!(outcome.map(drop).unwrap_err().kind(), ErrorKind::NoRootKey);
}

#[test]
fn a_sealed_one_does_nothing_that_takes_a_key_and_has_none() {
    let Fixture { store, root, clock, secrets } = fixture();
    let (at, org) = (id("acme/etl/production:db/password"), Part::parse(crate::PartKind::Org, "acme").unwrap());
    secrets.put(&at, &value("one"), PutMode::Create).unwrap();
    assert_eq!(secrets.get(&at).unwrap().value.expose_secret(), b"one");
    let (keys, holders) = (Arc::downgrade(&secrets.keys_at_hand(&org).unwrap()), Arc::strong_count(&root));
    secrets.seal();
    assert!(keys.upgrade().is_none(), "they are dropped, and wiped by that");
    assert_eq!(Arc::strong_count(&root), holders - 1, "the root key is left to whoever made it");
    for _ in 0..2 {
        refused(secrets.get(&at));
        refused(secrets.resolve(at.scope(), &SecretRequest::new(at.name().clone())));
        refused(secrets.list(Within::Org(org.clone()), 10).collect::<Result<Vec<_>>>());
        refused(secrets.put(&at, &value("two"), PutMode::Overwrite));
        refused(secrets.put(&id("new:key"), &value("two"), PutMode::Create));
        refused(secrets.delete(&at));
        refused(secrets.keys().rewrap());
        refused(secrets.keys().add(&org, KeyUse::Data));
        secrets.seal();
    }
    // The use was noted before it was sealed, and is not lost.
    let again = facade(&store, &root, &clock);
    assert_eq!(again.info(&at).unwrap().last_used().map(|used| used.at), Some(clock.now()));
    assert_eq!(again.get(&at).unwrap().value.expose_secret(), b"one");
}

/// A provider that takes its time.
#[derive(Debug)]
struct Slow {
    root: RootKey,
    asked: SyncSender<()>,
    goes_on: Mutex<Receiver<()>>,
}

impl KeyProvider for Slow {
    fn wrap(&self, key: &WrappingKey, bound_to: &Binding<'_>) -> Result<Wrapped> {
        self.root.wrap(key, bound_to)
    }

    fn unwrap(&self, wrapped: &Wrapped, bound_to: &Binding<'_>) -> Result<WrappingKey> {
        self.asked.send(()).unwrap();
        self.goes_on.lock().unwrap().recv().unwrap();
        self.root.unwrap(wrapped, bound_to)
    }
}

#[test]
fn a_call_that_is_at_work_when_it_is_sealed_leaves_no_keys_behind() {
    let Fixture { store, root, secrets, .. } = fixture();
    let at = id("acme:password");
    secrets.put(&at, &value("one"), PutMode::Create).unwrap();
    let ((asked, was_asked), (go_on, goes_on)) = (sync_channel(1), sync_channel(1));
    let root = RootKey::from_text(root.to_text().expose_secret(), String::new).unwrap();
    let slow = Arc::new(Slow { root, asked, goes_on: Mutex::new(goes_on) });
    let secrets = Secrets::new(store as Arc<dyn SecretStore>, slow, Access::Unrestricted);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| secrets.get(&at));
        was_asked.recv().unwrap();
        secrets.seal();
        go_on.send(()).unwrap();
        refused(reading.join().unwrap());
    });
    refused(secrets.get(&at));
    assert!(!secrets.has_keys_at_hand(at.org()));
}
