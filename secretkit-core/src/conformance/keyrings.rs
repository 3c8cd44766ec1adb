//! The row that holds an org's keys.

use super::Factory;
use super::sample::{
    apply, at, commit, consumer, contents, inserted, kept, keyring, mac, org, replaced, revision, same, same_superseded,
    sealed, usage,
};
use crate::digest::Digest;
use crate::seal::{KekId, KeyringRow, Wrapped};
use crate::store::{Batch, Change, Commit, Expect, Found, Superseded};

/// Every column of a keyring comes back, also its extremes.
pub fn a_keyring_returns_as_it_was_written(factory: &Factory<'_>) {
    let store = factory();
    let mut row = keyring("acme", 1);
    apply(&*store, &[Change::Keyring(row.clone())]);
    assert_eq!(store.keyring(&org("acme")).unwrap(), Some(row.clone()));
    row.version = i64::MAX.unsigned_abs();
    let kek = KekId::parse(&"/:arn~".repeat(42)).unwrap();
    row.wrapped = Wrapped { kek, bytes: (0..=255).collect::<Vec<u8>>().repeat(64).into() };
    apply(&*store, &[Change::Keyring(row.clone())]);
    assert_eq!(store.keyring(&org("acme")).unwrap(), Some(row));
}

/// A keyring is written only over the one that its writer saw, and the refusal says which is there.
pub fn the_keyring_is_compared_and_swapped(factory: &Factory<'_>) {
    let store = factory();
    let (one, two) = (keyring("acme", 1), keyring("acme", 2));
    let swap = |expected: Option<&KeyringRow>, row: &KeyringRow| {
        let expect = Expect::Keyring(org("acme"), expected.map(KeyringRow::stamp));
        commit(&*store, &[expect], &[Change::Keyring(row.clone())])
    };
    let refused = |found| Commit::Refused { expectation: 0, found };
    assert_eq!(swap(Some(&one), &two), refused(Found::Nothing));
    assert_eq!(swap(None, &one), Commit::Applied);
    assert_eq!(swap(None, &one), refused(Found::Keyring(one.stamp())));
    assert_eq!(swap(Some(&one), &two), Commit::Applied);
    assert_eq!(swap(Some(&one), &two), refused(Found::Keyring(two.stamp())));
    assert_eq!(store.keyring(&org("acme")).unwrap(), Some(two));
}

/// A keyring that was lost and made anew is another one, though its version is the same.
pub fn a_keyring_is_more_than_its_version(factory: &Factory<'_>) {
    let store = factory();
    let there = keyring("acme", 1);
    apply(&*store, &[Change::Keyring(there.clone())]);
    let mut stamp = there.stamp();
    stamp.commitment[31] ^= 1;
    let found = Commit::Refused { expectation: 0, found: Found::Keyring(there.stamp()) };
    assert_eq!(commit(&*store, &[Expect::Keyring(org("acme"), Some(stamp))], &[]), found);
    assert_eq!(commit(&*store, &[Expect::Keyring(org("acme"), Some(there.stamp()))], &[]), Commit::Applied);
}

/// Whether an org has secrets is asked of that org alone, at all of its scopes.
pub fn an_org_without_secrets_is_told_from_one_with_any(factory: &Factory<'_>) {
    let store = factory();
    inserted(&*store, "acm:a");
    inserted(&*store, "acmee:a");
    apply(&*store, &[Change::Keyring(keyring("acme", 1))]);
    let none = [Expect::NoSecrets(org("acme"))];
    assert_eq!(commit(&*store, &none, &[]), Commit::Applied);
    let only = inserted(&*store, "acme/p/d:g/a");
    let found = Commit::Refused { expectation: 0, found: Found::Secret(only.head.generation) };
    assert_eq!(commit(&*store, &none, &[]), found);
    apply(&*store, &[Change::Delete(org("acme"), only.head.id)]);
    assert_eq!(commit(&*store, &none, &[]), Commit::Applied);
}

/// One org's keyring says nothing of another's, and has no part in its secrets.
pub fn keyrings_of_orgs_are_apart(factory: &Factory<'_>) {
    let store = factory();
    let (one, two) = (keyring("one", 1), keyring("two", 7));
    apply(&*store, &[Change::Keyring(one.clone()), Change::Keyring(two.clone())]);
    inserted(&*store, "three:a");
    assert_eq!(store.keyring(&org("one")).unwrap(), Some(one));
    assert_eq!(store.keyring(&org("two")).unwrap(), Some(two));
    for absent in ["three", "One", "on", "onee"] {
        assert_eq!(store.keyring(&org(absent)).unwrap(), None, "{absent}");
    }
}

/// Each org's as it stands, ordered by org, byte by byte.
pub fn every_keyring_is_listed_by_org(factory: &Factory<'_>) {
    let store = factory();
    assert!(store.keyrings().unwrap().is_empty());
    let rows = ["b", "acme", "B", "acme-2", "a"].map(|of| keyring(of, 1));
    for row in &rows {
        apply(&*store, &[Change::Keyring(row.clone())]);
    }
    let next = keyring("acme", 2);
    apply(&*store, &[Change::Keyring(next.clone())]);
    let expected = [&rows[2], &rows[4], &next, &rows[3], &rows[0]].map(Clone::clone);
    assert_eq!(store.keyrings().unwrap(), expected);
}

/// Records, authenticators and digests, current and superseded, and of consumers; each org's for itself. A last use,
/// which every reader may write, counts for none.
pub fn items_are_counted_under_their_keys(factory: &Factory<'_>) {
    let store = factory();
    assert!(store.key_uses(&org("acme")).unwrap().is_empty());
    let row = keyring("acme", 1);
    apply(&*store, &[Change::Keyring(row.clone())]);
    let (current, superseded) = replaced(&*store, &inserted(&*store, "acme:a"));
    let consumer = consumer(current.head.id, "job");
    apply(&*store, &[Change::Register(org("acme"), consumer.clone())]);
    let used = usage(current.head.id);
    store.touch(&org("acme"), row.stamp(), std::slice::from_ref(&used)).unwrap();
    inserted(&*store, "other:a");

    let mut expected = std::collections::BTreeMap::new();
    for id in [
        current.sealed.key_id(),
        current.mac.key_id(),
        current.head.digest.key_id(),
        superseded.sealed.key_id(),
        superseded.mac.key_id(),
        superseded.digest.key_id(),
        consumer.mac.key_id(),
    ] {
        *expected.entry(id).or_insert(0) += 1;
    }
    assert_eq!(store.key_uses(&org("acme")).unwrap(), expected);
}

/// An expectation, so that nobody writes under it in between.
pub fn a_key_with_items_is_not_unused(factory: &Factory<'_>) {
    let store = factory();
    let secret = inserted(&*store, "acme:a");
    let unused = |of: &str, key| Expect::KeyUnused(org(of), key);
    for key in [secret.sealed.key_id(), secret.mac.key_id(), secret.head.digest.key_id()] {
        let items = store.key_uses(&org("acme")).unwrap()[&key];
        let refused = Commit::Refused { expectation: 0, found: Found::Items(items) };
        assert_eq!(commit(&*store, &[unused("acme", key)], &[]), refused);
        assert_eq!(commit(&*store, &[unused("other", key)], &[]), Commit::Applied);
    }
    apply(&*store, &[Change::Delete(org("acme"), secret.head.id)]);
    assert_eq!(commit(&*store, &[unused("acme", secret.mac.key_id())], &[]), Commit::Applied);
}

/// And nothing else changes; one that is not kept has no place.
pub fn a_superseded_value_is_written_anew_in_its_place(factory: &Factory<'_>) {
    let store = factory();
    let (second, first_value) = replaced(&*store, &inserted(&*store, "acme:a"));
    let (third, second_value) = replaced(&*store, &second);
    let anew = Superseded { mac: mac(), digest: Digest(mac()), sealed: sealed(b"anew"), ..first_value };
    apply(&*store, &[Change::ReplaceRevision(org("acme"), anew.clone())]);
    same_superseded(kept(&*store, "acme:a", 1).as_ref(), &anew);
    same_superseded(kept(&*store, "acme:a", 2).as_ref(), &second_value);
    same(at(&*store, "acme:a").as_ref(), &third);
    let before = contents(&*store, &["acme"]);
    let absent = Superseded { revision: revision(3), ..anew.clone() };
    for (of, row) in [("acme", absent), ("other", anew)] {
        let batch = Batch { expectations: Vec::new(), changes: vec![Change::ReplaceRevision(org(of), row)], ..Batch::default() };
        assert!(store.commit(&batch).is_err());
    }
    assert_eq!(contents(&*store, &["acme"]), before);
}
