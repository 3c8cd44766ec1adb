//! What a verification finds, and what it does not take for wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::Factory;
use super::sample::{Finished, at, id, org};
use crate::edit::{MetadataEdit, Setting};
use crate::event::{Action, Subject};
use crate::filter::Activity;
use crate::people::Access;
use crate::record::SecretRecord;
use crate::seal::{KeyUse, RootKey};
use crate::secrets::{Finding, PutItem, PutMode, Secrets, Verified};
use crate::store::{Batch, Change, Commit, SecretStore};
use crate::value::SecretValue;

/// Who did what to which secret, in the order of its lane; nothing is recorded of what was refused or only read.
pub fn every_write_has_its_event(factory: &Factory<'_>) {
    let secrets = opened(&factory());
    let a = id("acme/etl:a");
    let first = secrets.put(&a, &value("one"), PutMode::Create).unwrap();
    secrets.put(&a, &value("no"), PutMode::Create).unwrap_err();
    secrets.update(&a, &value("two")).unwrap();
    let off = MetadataEdit { activity: Some(Activity::Inactive), ..MetadataEdit::default() };
    secrets.edit(&a, &off, None).unwrap();
    secrets.edit(&a, &off, None).unwrap();
    secrets.get(&a).unwrap_err();
    secrets.rollback(&a, crate::Revision::FIRST, None).unwrap();
    secrets.add_consumer(&a, &"job".parse().unwrap()).unwrap();
    secrets.delete(&a).unwrap_err();
    secrets.remove_consumer(&a, &"job".parse().unwrap()).unwrap();
    secrets.prune(&a, 0).unwrap();
    let last = secrets.delete(&a).unwrap();
    let events: Vec<_> = secrets.events(&org("acme")).map(Result::unwrap).collect();
    let of_secret: Vec<_> = events.iter().filter(|event| matches!(event.subject, Subject::Secret { .. })).collect();
    let actions: Vec<_> = of_secret.iter().map(|event| event.action).collect();
    use Action::{AddConsumer, Create, Delete, Edit, RemoveConsumer, Rollback, Update};
    assert_eq!(actions, [Create, Update, Edit, Rollback, AddConsumer, RemoveConsumer, Edit, Delete]);
    for event in &of_secret {
        let Subject::Secret { id, address, .. } = &event.subject else { unreachable!() };
        assert_eq!((*id, address), (first.id, &a));
        assert_eq!(event.by.as_str(), secrets.actor().as_str());
    }
    let Subject::Secret { generation, revision, .. } = of_secret[7].subject else { unreachable!() };
    assert_eq!((generation, revision), (last.generation, last.revision));
    let keyring = events.iter().filter(|event| event.action == Action::CreateKeyring).count();
    assert_eq!(keyring, 1);

    let values = [value("x"), value("y")];
    let items: Vec<_> =
        ["acme:x", "acme:y"].into_iter().zip(&values).map(|(at, value)| PutItem { id: id(at), value }).collect();
    secrets.put_all(&items, PutMode::Create).unwrap();
    secrets.keys().rewrap().unwrap();
    secrets.keys().promote(&org("acme"), secrets.keys().add(&org("acme"), KeyUse::Data).unwrap().id).unwrap();
    secrets.keys().reencrypt(&org("acme"), 10).for_each(|progress| {
        progress.unwrap();
    });
    let count =
        |action| secrets.events(&org("acme")).map(Result::unwrap).filter(|event| event.action == action).count();
    assert_eq!((count(Create), count(Action::ChangeKeyring), count(Action::Reencrypt)), (3, 3, 2));
    assert!(secrets.events(&org("other")).next().is_none());
}

/// After everything that can be done to it, through two processes.
pub fn a_store_that_is_whole_verifies(factory: &Factory<'_>) {
    let (store, root) = (factory(), root());
    let (one, other) = (with_root(&store, &root), with_root(&store, &root));
    assert!(findings(&one).is_empty(), "an empty store");
    for number in 0..40 {
        let secrets = if number % 3 == 0 { &other } else { &one };
        let address = format!("acme/p{}:k{}", number % 4, number % 10);
        secrets.put(&id(&address), &value(&number.to_string()), PutMode::Overwrite).unwrap();
        if number % 7 == 0 {
            secrets.delete(&id(&address)).unwrap();
        }
        secrets.keys().rewrap().unwrap();
    }
    one.put(&id("acme:used"), &value("x"), PutMode::Create).unwrap();
    other.add_consumer(&id("acme:used"), &"job".parse().unwrap()).unwrap();
    other.get(&id("acme:used")).unwrap();
    other.record_uses();
    for used_for in [KeyUse::Meta, KeyUse::Audit] {
        one.keys().promote(&org("acme"), one.keys().add(&org("acme"), used_for).unwrap().id).unwrap();
    }
    one.keys().reencrypt(&org("acme"), 5).for_each(|progress| {
        progress.unwrap();
    });
    other.put(&id("acme:last"), &value("x"), PutMode::Create).unwrap();
    assert_eq!(findings(&one), []);
    assert_eq!(findings(&other), []);
    let whole = one.verify(&org("acme")).flat_map(Result::unwrap).last().unwrap();
    let Verified::Progress(progress) = whole else { panic!("it ends with how far it is") };
    assert_eq!(progress.secrets, store.ids(&org("acme"), None, 1000).unwrap().len() as u64);
    assert!(progress.events > 80);
}

/// Removed behind secretkit's back.
pub fn a_row_that_vanished_is_found(factory: &Factory<'_>) {
    let store = factory();
    let secrets = opened(&store);
    let gone = secrets.put(&id("acme/etl:gone"), &value("x"), PutMode::Create).unwrap();
    secrets.put(&id("acme:there"), &value("x"), PutMode::Create).unwrap();
    secrets.put(&id("acme:deleted"), &value("x"), PutMode::Create).unwrap();
    secrets.delete(&id("acme:deleted")).unwrap();
    behind(&*store, vec![Change::Delete(org("acme"), gone.id)]);
    assert_eq!(findings(&secrets), [Finding::Vanished { id: gone.id, address: gone.address.clone() }]);
}

/// A deleted secret whose row, authentic as it was, is there again.
pub fn a_row_that_came_back_is_found(factory: &Factory<'_>) {
    let store = factory();
    let secrets = opened(&store);
    let a = id("acme:a");
    secrets.put(&a, &value("x"), PutMode::Create).unwrap();
    let old = row(&*store, "acme:a");
    secrets.delete(&a).unwrap();
    assert_eq!(findings(&secrets), []);
    behind(&*store, vec![Change::Insert(old.clone())]);
    assert_eq!(secrets.get(&a).unwrap().value.expose_secret(), b"x", "a read alone cannot see it");
    assert_eq!(findings(&secrets), [Finding::CameBack { id: old.head.id, address: a }]);
}

/// To a state that it once had, authentic as it was.
pub fn a_row_that_was_put_back_is_found(factory: &Factory<'_>) {
    let store = factory();
    let secrets = opened(&store);
    let a = id("acme:a");
    let first = secrets.put(&a, &value("old"), PutMode::Create).unwrap();
    let old = row(&*store, "acme:a");
    let second = secrets.put(&a, &value("new"), PutMode::Overwrite).unwrap();
    behind(&*store, vec![Change::Delete(org("acme"), first.id), Change::Insert(old)]);
    let (found, recorded) = (first.generation, second.generation);
    assert_eq!(findings(&secrets), [Finding::OutOfStep { id: first.id, address: a, found, recorded }]);
}

/// To a state that it once had, and then changed by somebody who did not know: their change must not hide it, and neither
/// must any later one, nor that it is written anew under other keys.
pub fn a_row_that_was_put_back_and_changed_is_found(factory: &Factory<'_>) {
    let store = factory();
    let secrets = opened(&store);
    let a = id("acme:a");
    let first = secrets.put(&a, &value("old"), PutMode::Create).unwrap();
    let old = row(&*store, "acme:a");
    secrets.put(&a, &value("new"), PutMode::Overwrite).unwrap();
    behind(&*store, vec![Change::Delete(org("acme"), first.id), Change::Insert(old)]);
    let forked = || [Finding::Forked { id: first.id, address: a.clone() }];
    secrets.edit(&a, &MetadataEdit { keep: Setting::Set(3), ..MetadataEdit::default() }, None).unwrap();
    assert_eq!(secrets.get(&a).unwrap().value.expose_secret(), b"old");
    assert_eq!(findings(&secrets), forked());
    secrets.put(&a, &value("next"), PutMode::Overwrite).unwrap();
    assert_eq!(findings(&secrets), forked());
    secrets.keys().promote(&org("acme"), secrets.keys().add(&org("acme"), KeyUse::Data).unwrap().id).unwrap();
    secrets.keys().reencrypt(&org("acme"), 10).for_each(|progress| {
        progress.unwrap();
    });
    assert_eq!(findings(&secrets), forked());
    secrets.delete(&a).unwrap();
    assert_eq!(findings(&secrets), []);
}

/// Nothing of what they do is taken for wrong.
pub fn a_verification_goes_on_among_writers(factory: &Factory<'_>) {
    let (store, root) = (factory(), root());
    let verifier = with_root(&store, &root);
    verifier.put(&id("acme:a0"), &value("x"), PutMode::Create).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..3 {
            let (secrets, done) = (with_root(&store, &root), &done);
            scope.spawn(move || {
                let mut number = 0;
                while !done.load(Ordering::Relaxed) {
                    let address = id(&format!("acme:a{}", (number + writer) % 5));
                    number += 1;
                    secrets.put(&address, &value("x"), PutMode::Overwrite).unwrap();
                    if number % 3 == 0 {
                        // Another may have been faster.
                        drop(secrets.delete(&address));
                    }
                }
            });
        }
        let _finished = Finished(&done);
        for _ in 0..10 {
            assert_eq!(findings(&verifier), []);
        }
    });
}

fn findings(secrets: &Secrets) -> Vec<Finding> {
    let told = secrets.verify(&org("acme")).flat_map(Result::unwrap);
    told.filter_map(|told| match told {
        Verified::Wrong(finding) => Some(finding),
        Verified::Progress(_) => None,
    })
    .collect()
}

/// What somebody does who can write to the store and has no key.
fn behind(store: &dyn SecretStore, changes: Vec<Change>) {
    assert_eq!(store.commit(&Batch { changes, ..Batch::default() }).unwrap(), Commit::Applied);
}

fn row(store: &dyn SecretStore, address: &str) -> SecretRecord {
    at(store, address).unwrap()
}

fn root() -> Arc<RootKey> {
    Arc::new(RootKey::generate().unwrap())
}

fn opened(store: &Arc<dyn SecretStore>) -> Secrets {
    with_root(store, &root())
}

fn with_root(store: &Arc<dyn SecretStore>, root: &Arc<RootKey>) -> Secrets {
    Secrets::new(Arc::clone(store), Arc::clone(root) as _, Access::Unrestricted)
}

fn value(text: &str) -> SecretValue {
    SecretValue::copied_from(text.as_bytes())
}
