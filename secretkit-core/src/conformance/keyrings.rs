//! The row that holds an org's keys.

use super::Factory;
use super::sample::{apply, commit, inserted, keyring, org};
use crate::seal::{KekId, KeyringRow, Wrapped};
use crate::store::{Change, Commit, Expect, Found};

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
