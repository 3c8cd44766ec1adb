//! Consumers, which hold a secret, and its last use, which does not.

use super::Factory;
use super::sample::{
    apply, at, commit, consumer, consumer_columns, consumers_of, contents, inserted, keyring, org, same, usage,
    use_columns, use_of,
};
use crate::seal::KeyringStamp;
use crate::store::{Batch, Change, Commit, Expect, Found, SecretStore, UsageRecord};
use crate::time::Timestamp;

/// Every column; ordered by name, byte by byte.
pub fn a_consumer_returns_as_it_was_registered(factory: &Factory<'_>) {
    let store = factory();
    let (first, second) = (inserted(&*store, "acme:a"), inserted(&*store, "acme:b"));
    assert!(consumers_of(&*store, &first).is_empty());
    let rows = ["zeta", "Etl.jobs:nightly", "a b/c", "ü'\"\\"].map(|name| consumer(first.head.id, name));
    for row in &rows {
        apply(&*store, &[Change::Register(org("acme"), row.clone())]);
    }
    let other = consumer(second.head.id, "zeta");
    apply(&*store, &[Change::Register(org("acme"), other.clone())]);
    let expected = [&rows[1], &rows[2], &rows[0], &rows[3]].map(consumer_columns);
    assert_eq!(consumers_of(&*store, &first), expected);
    let answers = store.consumers(&org("acme"), &[second.head.id, first.head.id, second.head.id]).unwrap();
    assert_eq!(answers.iter().map(Vec::len).collect::<Vec<_>>(), [1, 4, 1], "an answer for each, in their order");
    assert_eq!(consumers_of(&*store, &second), [consumer_columns(&other)]);
}

/// The same name of the same secret is one row.
pub fn a_consumer_seen_again_takes_its_own_place(factory: &Factory<'_>) {
    let store = factory();
    let secret = inserted(&*store, "acme:a");
    apply(&*store, &[Change::Register(org("acme"), consumer(secret.head.id, "job"))]);
    let again = consumer(secret.head.id, "job");
    apply(&*store, &[Change::Register(org("acme"), again.clone())]);
    assert_eq!(consumers_of(&*store, &secret), [consumer_columns(&again)]);
}

/// It alone; what was not there may be removed.
pub fn an_unregistered_consumer_is_gone(factory: &Factory<'_>) {
    let store = factory();
    let secret = inserted(&*store, "acme:a");
    let rows = ["job", "Job", "job2"].map(|name| consumer(secret.head.id, name));
    apply(&*store, &rows.clone().map(|row| Change::Register(org("acme"), row)));
    let remove = |name: &str| Change::Unregister(org("acme"), secret.head.id, name.parse().unwrap());
    apply(&*store, &[remove("job"), remove("never")]);
    assert_eq!(consumers_of(&*store, &secret), [consumer_columns(&rows[1]), consumer_columns(&rows[2])]);
}

/// Neither expected nor by mistake does it go, and the whole batch stays undone.
pub fn a_secret_with_consumers_stays(factory: &Factory<'_>) {
    let store = factory();
    let secret = inserted(&*store, "acme:a");
    let (of, id) = (|| org("acme"), secret.head.id);
    let (free, gone) = (Expect::NoConsumers(of(), id), Change::Delete(of(), id));
    apply(&*store, &[Change::Register(of(), consumer(id, "job"))]);
    let before = contents(&*store, &["acme"]);
    let refused = Commit::Refused { expectation: 1, found: Found::Consumer };
    assert_eq!(commit(&*store, &[Expect::Exists(of(), id), free.clone()], std::slice::from_ref(&gone)), refused);
    let forgotten = Batch { expectations: Vec::new(), changes: vec![gone.clone()], ..Batch::default() };
    assert!(store.commit(&forgotten).is_err(), "a batch that forgot to expect it");
    assert_eq!(contents(&*store, &["acme"]), before);
    let last = Change::Unregister(of(), id, "job".parse().unwrap());
    assert_eq!(commit(&*store, &[], &[last, gone]), Commit::Applied);
    assert!(at(&*store, "acme:a").is_none());
    assert_eq!(commit(&*store, &[free], &[]), Commit::Applied, "what is not there has none");
    let absent = Commit::Refused { expectation: 0, found: Found::Nothing };
    assert_eq!(commit(&*store, &[Expect::Exists(of(), id)], &[]), absent);
    let late = Batch {
        expectations: Vec::new(),
        changes: vec![Change::Register(of(), consumer(id, "job"))],
        ..Batch::default()
    };
    assert!(store.commit(&late).is_err(), "nobody uses what is not there");
}

/// Seen at that time, at another, or not there at all.
pub fn when_a_consumer_was_seen_is_expected(factory: &Factory<'_>) {
    let store = factory();
    let secret = inserted(&*store, "acme:a");
    let row = consumer(secret.head.id, "job");
    let expect = |of: &str, name: &str, at: Option<Timestamp>| {
        let expect = Expect::ConsumerSeen(org(of), secret.head.id, name.parse().unwrap(), at);
        commit(&*store, &[expect], &[])
    };
    let refused = |found| Commit::Refused { expectation: 0, found };
    let at = row.seen.at;
    let later = Timestamp::from_micros(at.as_micros() + 1);
    assert_eq!(expect("acme", "job", None), Commit::Applied);
    assert_eq!(expect("acme", "job", Some(at)), refused(Found::Nothing));
    apply(&*store, &[Change::Register(org("acme"), row)]);
    assert_eq!(expect("acme", "job", Some(at)), Commit::Applied);
    for wrong in [None, Some(later)] {
        assert_eq!(expect("acme", "job", wrong), refused(Found::Consumer));
    }
    for (of, name) in [("acme", "Job"), ("other", "job")] {
        assert_eq!(expect(of, name, Some(at)), refused(Found::Nothing));
        assert_eq!(expect(of, name, None), Commit::Applied);
    }
}

/// Another org's id is no handle to them.
pub fn consumers_are_bound_to_their_org(factory: &Factory<'_>) {
    let store = factory();
    let secret = inserted(&*store, "acme:a");
    let id = secret.head.id;
    let row = consumer(id, "job");
    apply(&*store, &[Change::Register(org("acme"), row.clone())]);
    touch(&*store, "acme", &[usage(id)]);
    assert_eq!(store.consumers(&org("other"), &[id]).unwrap()[0].len(), 0);
    assert!(store.uses(&org("other"), &[id]).unwrap()[0].is_none());
    let before = contents(&*store, &["acme"]);
    assert_eq!(commit(&*store, &[Expect::NoConsumers(org("other"), id)], &[]), Commit::Applied);
    let absent = Commit::Refused { expectation: 0, found: Found::Nothing };
    assert_eq!(commit(&*store, &[Expect::Exists(org("other"), id)], &[]), absent);
    apply(&*store, &[Change::Unregister(org("other"), id, "job".parse().unwrap())]);
    let foreign =
        Batch { expectations: Vec::new(), changes: vec![Change::Register(org("other"), row)], ..Batch::default() };
    assert!(store.commit(&foreign).is_err());
    touch(&*store, "other", &[usage(id)]);
    assert_eq!(contents(&*store, &["acme"]), before);
}

/// Every column; an earlier use does not take the place of a later one, and one at the same time does.
pub fn a_last_use_returns_and_only_moves_on(factory: &Factory<'_>) {
    let store = factory();
    let secret = inserted(&*store, "acme:a");
    assert!(use_of(&*store, &secret).is_none());
    let (early, late) = (usage(secret.head.id), usage(secret.head.id));
    assert!(early.used.at < late.used.at);
    let touch = |row| touch(&*store, "acme", std::slice::from_ref(row));
    touch(&early);
    assert_eq!(use_of(&*store, &secret), Some(use_columns(&early)));
    touch(&late);
    touch(&early);
    assert_eq!(use_of(&*store, &secret), Some(use_columns(&late)));
    let mut again = usage(secret.head.id);
    again.used.at = late.used.at;
    touch(&again);
    assert_eq!(use_of(&*store, &secret), Some(use_columns(&again)), "the same use under another key");
    let mut oldest = usage(secret.head.id);
    oldest.used.at = Timestamp::from_micros(-1);
    touch(&oldest);
    assert_eq!(use_of(&*store, &secret), Some(use_columns(&again)));
}

/// It may have been deleted since it was used.
pub fn a_use_of_what_is_not_there_is_passed_over(factory: &Factory<'_>) {
    let store = factory();
    let (gone, there) = (inserted(&*store, "acme:gone"), inserted(&*store, "acme:there"));
    apply(&*store, &[Change::Delete(org("acme"), gone.head.id)]);
    let uses = [usage(gone.head.id), usage(there.head.id)];
    touch(&*store, "acme", &uses);
    assert!(use_of(&*store, &gone).is_none());
    assert_eq!(use_of(&*store, &there), Some(use_columns(&uses[1])));
    touch(&*store, "acme", &[]);
}

/// Neither makes a new generation, so neither gets between a read and the write that follows it.
pub fn uses_and_consumers_touch_no_head(factory: &Factory<'_>) {
    let store = factory();
    let secret = inserted(&*store, "acme:a");
    apply(&*store, &[Change::Register(org("acme"), consumer(secret.head.id, "job"))]);
    touch(&*store, "acme", &[usage(secret.head.id)]);
    same(at(&*store, "acme:a").as_ref(), &secret);
    let expect = Expect::Generation(org("acme"), secret.head.id, secret.head.generation);
    assert_eq!(commit(&*store, &[expect], &[]), Commit::Applied);
}

/// One that is created again begins without.
pub fn a_deleted_secret_takes_its_last_use_along(factory: &Factory<'_>) {
    let store = factory();
    let secret = inserted(&*store, "acme:a");
    touch(&*store, "acme", &[usage(secret.head.id)]);
    apply(&*store, &[Change::Delete(org("acme"), secret.head.id)]);
    assert!(use_of(&*store, &secret).is_none());
    apply(&*store, &[Change::Insert(secret.clone())]);
    assert!(use_of(&*store, &secret).is_none(), "also under the same id");
}

/// What is authenticated with a key that may be gone by now must not come back.
pub fn a_use_under_another_keyring_is_passed_over(factory: &Factory<'_>) {
    let store = factory();
    let secret = inserted(&*store, "acme:a");
    let (before, now) = (keyring("acme", 1), keyring("acme", 2));
    let uses = [usage(secret.head.id)];
    store.touch(&org("acme"), before.stamp(), &uses).unwrap();
    assert!(use_of(&*store, &secret).is_none(), "an org without a keyring");
    apply(&*store, &[Change::Keyring(now.clone())]);
    store.touch(&org("acme"), before.stamp(), &uses).unwrap();
    let same_version = KeyringStamp { version: 2, ..before.stamp() };
    store.touch(&org("acme"), same_version, &uses).unwrap();
    assert!(use_of(&*store, &secret).is_none());
    store.touch(&org("acme"), now.stamp(), &uses).unwrap();
    assert_eq!(use_of(&*store, &secret), Some(use_columns(&uses[0])));
}

/// Under the keyring that the org has, or gets.
fn touch(store: &dyn SecretStore, of: &str, uses: &[UsageRecord]) {
    let stamp = store.keyring(&org(of)).unwrap().map(|row| row.stamp()).unwrap_or_else(|| {
        let row = keyring(of, 1);
        apply(store, &[Change::Keyring(row.clone())]);
        row.stamp()
    });
    store.touch(&org(of), stamp, uses).unwrap();
}
