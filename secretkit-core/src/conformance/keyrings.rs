//! The row that holds an org's keys.

use super::Factory;
use super::sample::{apply, commit, inserted, keyring, org};
use crate::seal::{KekId, Wrapped};
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

/// A keyring is written only over the version that its writer saw, and the refusal says which is there.
pub fn the_keyring_is_compared_and_swapped(factory: &Factory<'_>) {
    let store = factory();
    let swap = |expected: Option<u64>, version: u64| {
        let row = keyring("acme", version);
        (commit(&*store, &[Expect::Keyring(org("acme"), expected)], &[Change::Keyring(row.clone())]), row)
    };
    let refused = |found| Commit::Refused { expectation: 0, found };
    assert_eq!(swap(Some(1), 2).0, refused(Found::Nothing));
    let (first, _) = swap(None, 1);
    assert_eq!(first, Commit::Applied);
    assert_eq!(swap(None, 1).0, refused(Found::Keyring(1)));
    let (second, row) = swap(Some(1), 2);
    assert_eq!(second, Commit::Applied);
    assert_eq!(swap(Some(1), 2).0, refused(Found::Keyring(2)));
    assert_eq!(store.keyring(&org("acme")).unwrap(), Some(row));
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
