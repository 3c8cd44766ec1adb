//! What a batch changes, and when it changes nothing.

use super::Factory;
use super::sample::{
    apply, at, commit, contents, fetch, generation, id, inserted, kept, keyring, org, record, replaced, revision,
    rich_metadata, same, same_superseded, with_next_head, with_next_value,
};
use crate::store::{Batch, Change, Commit, Expect, Found, Target};

/// Nothing expected and nothing changed is no error; nor is something expected and nothing changed.
pub fn an_empty_batch_is_applied(factory: &Factory<'_>) {
    let store = factory();
    assert_eq!(commit(&*store, &[], &[]), Commit::Applied);
    assert_eq!(commit(&*store, &[Expect::Absent(id("acme:a"))], &[]), Commit::Applied);
    let a = inserted(&*store, "acme:a");
    let refused = Commit::Refused { expectation: 0, found: Found::Secret(a.head.generation) };
    assert_eq!(commit(&*store, &[Expect::Absent(id("acme:a"))], &[]), refused);
}

/// An address is taken by one secret at a time, and the refusal says at which generation that is.
pub fn create_refuses_an_existing_secret(factory: &Factory<'_>) {
    let store = factory();
    let create = || (Expect::Absent(id("acme/etl:db/password")), Change::Insert(record("acme/etl:db/password")));
    let (absent, insert) = create();
    assert_eq!(commit(&*store, &[absent], &[insert]), Commit::Applied);
    let first = at(&*store, "acme/etl:db/password").unwrap();
    let (absent, insert) = create();
    let refused = Commit::Refused { expectation: 0, found: Found::Secret(generation(1)) };
    assert_eq!(commit(&*store, &[absent], &[insert]), refused);
    same(at(&*store, "acme/etl:db/password").as_ref(), &first);
    let (second, _) = replaced(&*store, &first);
    let (absent, insert) = create();
    let refused = Commit::Refused { expectation: 0, found: Found::Secret(generation(2)) };
    assert_eq!(commit(&*store, &[absent], &[insert]), refused);
    same(at(&*store, "acme/etl:db/password").as_ref(), &second);
    // The same name elsewhere is free.
    for elsewhere in
        ["acme:db/password", "acme/etl:password", "acme/etl/production:db/password", "other/etl:db/password"]
    {
        let (expect, change) = (Expect::Absent(id(elsewhere)), Change::Insert(record(elsewhere)));
        assert_eq!(commit(&*store, &[expect], &[change]), Commit::Applied, "{elsewhere}");
    }
}

/// A write applies at the one generation it expects; the refusal says which is there, or that nothing is.
pub fn a_stale_generation_is_refused(factory: &Factory<'_>) {
    let store = factory();
    let first = inserted(&*store, "acme:a");
    let expect = |number| Expect::Generation(org("acme"), first.head.id, generation(number));
    let (second, superseded) = with_next_value(&first);
    let replace = Change::Replace(second.clone(), Some(superseded));
    let found = |number| Commit::Refused { expectation: 0, found: Found::Secret(generation(number)) };
    assert_eq!(commit(&*store, &[expect(2)], std::slice::from_ref(&replace)), found(1));
    assert_eq!(commit(&*store, &[expect(1)], std::slice::from_ref(&replace)), Commit::Applied);
    assert_eq!(commit(&*store, &[expect(1)], std::slice::from_ref(&replace)), found(2));
    same(at(&*store, "acme:a").as_ref(), &second);
    let delete = Change::Delete(org("acme"), first.head.id);
    assert_eq!(commit(&*store, &[expect(1)], std::slice::from_ref(&delete)), found(2));
    assert_eq!(commit(&*store, &[expect(2)], std::slice::from_ref(&delete)), Commit::Applied);
    let nothing = Commit::Refused { expectation: 0, found: Found::Nothing };
    assert_eq!(commit(&*store, &[expect(2)], &[delete]), nothing);
    assert!(at(&*store, "acme:a").is_none());
}

/// An id in another org is no secret of this one, at whatever generation.
pub fn a_secret_is_expected_in_its_own_org(factory: &Factory<'_>) {
    let store = factory();
    let a = inserted(&*store, "one:a");
    let nothing = Commit::Refused { expectation: 0, found: Found::Nothing };
    let elsewhere = Expect::Generation(org("two"), a.head.id, a.head.generation);
    assert_eq!(commit(&*store, &[elsewhere], &[Change::Delete(org("one"), a.head.id)]), nothing);
    let batch = Batch { expectations: vec![], changes: vec![Change::Delete(org("two"), a.head.id)], ..Batch::default() };
    assert!(store.commit(&batch).is_err(), "there is no such secret in that org to delete");
    same(at(&*store, "one:a").as_ref(), &a);
}

/// Of several expectations, the refusal names the place of the first that does not hold.
pub fn the_first_expectation_that_fails_is_named(factory: &Factory<'_>) {
    let store = factory();
    let a = inserted(&*store, "acme:a");
    let (keys, stale, other) = (keyring("acme", 3), keyring("acme", 2), keyring("other", 1));
    apply(&*store, &[Change::Keyring(keys.clone())]);
    let holds = [
        Expect::Absent(id("acme:b")),
        Expect::Generation(org("acme"), a.head.id, generation(1)),
        Expect::Keyring(org("acme"), Some(keys.stamp())),
        Expect::Keyring(org("other"), None),
        Expect::NoSecrets(org("other")),
    ];
    let fails = [
        (Expect::Absent(id("acme:a")), Found::Secret(generation(1))),
        (Expect::Generation(org("acme"), a.head.id, generation(9)), Found::Secret(generation(1))),
        (Expect::Generation(org("acme"), record("acme:x").head.id, generation(1)), Found::Nothing),
        (Expect::Keyring(org("acme"), None), Found::Keyring(keys.stamp())),
        (Expect::Keyring(org("acme"), Some(stale.stamp())), Found::Keyring(keys.stamp())),
        (Expect::Keyring(org("other"), Some(other.stamp())), Found::Nothing),
        (Expect::NoSecrets(org("acme")), Found::Secret(generation(1))),
    ];
    assert_eq!(commit(&*store, &holds, &[]), Commit::Applied);
    for (fails_first, found) in &fails {
        for place in 0..=holds.len() {
            let mut expectations = holds.to_vec();
            expectations.insert(place, fails_first.clone());
            expectations.extend(fails.iter().map(|(later, _)| later.clone()));
            let refused = Commit::Refused { expectation: place, found: *found };
            assert_eq!(commit(&*store, &expectations, &[]), refused, "{fails_first:?}");
        }
    }
}

/// Where one expectation fails, no change is there afterwards, of whatever kind.
pub fn a_refused_batch_changes_nothing(factory: &Factory<'_>) {
    let store = factory();
    let (a, b) = (inserted(&*store, "acme:a"), inserted(&*store, "acme:b"));
    let keys = keyring("acme", 1);
    apply(&*store, &[Change::Keyring(keys.clone())]);
    let before = contents(&*store, &["acme", "other"]);
    let (next, superseded) = with_next_value(&a);
    let changes = [
        Change::Keyring(keyring("acme", 2)),
        Change::Keyring(keyring("other", 1)),
        Change::Insert(record("acme:c")),
        Change::Replace(next, Some(superseded)),
        Change::Delete(org("acme"), b.head.id),
    ];
    let expectations = [Expect::Keyring(org("acme"), Some(keys.stamp())), Expect::Absent(id("acme:a"))];
    let refused = Commit::Refused { expectation: 1, found: Found::Secret(generation(1)) };
    assert_eq!(commit(&*store, &expectations, &changes), refused);
    assert_eq!(contents(&*store, &["acme", "other"]), before);
}

/// A batch that relies on what it does not expect is an error, and the changes before that one are not there either.
pub fn a_change_that_does_not_fit_changes_nothing(factory: &Factory<'_>) {
    let store = factory();
    let (a, b) = (inserted(&*store, "acme:a"), inserted(&*store, "acme:b"));
    let before = contents(&*store, &["acme", "other"]);
    let moved = {
        let mut moved = with_next_head(&a);
        moved.head.address = id("acme:elsewhere");
        moved
    };
    let taken_id = {
        let mut taken = record("acme:c");
        taken.head.id = a.head.id;
        taken
    };
    let foreign = Change::Replace(with_next_head(&a), Some(with_next_value(&b).1));
    let misfits = [
        ("a superseded value of another secret", foreign),
        ("an address that is taken", Change::Insert(record("acme:a"))),
        ("an id that is taken", Change::Insert(taken_id)),
        ("a replacement of nothing", Change::Replace(record("acme:d"), None)),
        ("a replacement elsewhere", Change::Replace(moved, None)),
        ("a deletion of nothing", Change::Delete(org("acme"), record("acme:d").head.id)),
        ("a deletion in another org", Change::Delete(org("other"), a.head.id)),
    ];
    for (what, misfit) in misfits {
        let (next, superseded) = with_next_value(&b);
        let changes = vec![
            Change::Keyring(keyring("other", 1)),
            Change::Insert(record("acme:fits")),
            Change::Replace(next, Some(superseded)),
            misfit,
            Change::Insert(record("acme:fits-too")),
        ];
        let expectations = vec![Expect::Absent(id("acme:fits"))];
        assert!(store.commit(&Batch { expectations, changes, ..Batch::default() }).is_err(), "{what} was taken");
        assert_eq!(contents(&*store, &["acme", "other"]), before, "{what} left something behind");
    }
    inserted(&*store, "acme:fits");
}

/// Expectations are about what was there before the batch, in whatever order they stand.
pub fn expectations_are_judged_before_any_change(factory: &Factory<'_>) {
    let store = factory();
    let a = inserted(&*store, "acme:a");
    let (next, superseded) = with_next_value(&a);
    let expectations = [
        Expect::Generation(org("acme"), a.head.id, generation(1)),
        Expect::Absent(id("acme:b")),
        Expect::Keyring(org("acme"), None),
        Expect::Generation(org("acme"), a.head.id, generation(1)),
        Expect::Absent(id("acme:b")),
    ];
    let changes = [
        Change::Keyring(keyring("acme", 1)),
        Change::Insert(record("acme:b")),
        Change::Replace(next.clone(), Some(superseded)),
    ];
    assert_eq!(commit(&*store, &expectations, &changes), Commit::Applied);
    same(at(&*store, "acme:a").as_ref(), &next);
}

/// Each change meets what those before it left.
pub fn changes_take_effect_in_their_order(factory: &Factory<'_>) {
    let store = factory();
    let old = inserted(&*store, "acme:a");
    let new = record("acme:a");
    let (newer, superseded) = with_next_value(&new);
    let brief = record("acme:brief");
    let changes = [
        Change::Delete(org("acme"), old.head.id),
        Change::Insert(new.clone()),
        Change::Replace(newer.clone(), Some(superseded.clone())),
        Change::Insert(brief.clone()),
        Change::Delete(org("acme"), brief.head.id),
        Change::Keyring(keyring("acme", 1)),
        Change::Keyring(keyring("acme", 2)),
    ];
    apply(&*store, &changes);
    same(at(&*store, "acme:a").as_ref(), &newer);
    same_superseded(kept(&*store, "acme:a", 1).as_ref(), &superseded);
    assert!(at(&*store, "acme:brief").is_none());
    assert_eq!(store.keyring(&org("acme")).unwrap().unwrap().version, 2);
}

/// An import is one batch, whatever its size: all of it, or none where its last line is refused.
pub fn a_batch_of_a_thousand_secrets_is_one(factory: &Factory<'_>) {
    let store = factory();
    inserted(&*store, "acme:taken");
    let before = contents(&*store, &["acme"]);
    let addresses: Vec<String> = (0..1_000).map(|number| format!("acme/p{}:key-{number}", number % 7)).collect();
    let mut expectations: Vec<_> = addresses.iter().map(|address| Expect::Absent(id(address))).collect();
    let changes: Vec<_> = addresses.iter().map(|address| Change::Insert(record(address))).collect();
    expectations.push(Expect::Absent(id("acme:taken")));
    let refused = Commit::Refused { expectation: 1_000, found: Found::Secret(generation(1)) };
    assert_eq!(commit(&*store, &expectations, &changes), refused);
    assert_eq!(contents(&*store, &["acme"]), before);
    expectations.pop();
    assert_eq!(commit(&*store, &expectations, &changes), Commit::Applied);
    assert!(addresses.iter().all(|address| at(&*store, address).is_some()));
}

/// A replacement writes every column but those that never change.
pub fn a_replaced_secret_has_every_new_column(factory: &Factory<'_>) {
    let store = factory();
    let first = inserted(&*store, "acme/etl:a");
    let (mut second, superseded) = with_next_value(&first);
    second.head.metadata = rich_metadata();
    second.head.keep = Some(0);
    second.head.created = second.head.updated.clone();
    apply(&*store, &[Change::Replace(second.clone(), Some(superseded))]);
    same(at(&*store, "acme/etl:a").as_ref(), &second);
    let mut third = with_next_head(&second);
    (third.head.metadata, third.head.keep) = (first.head.metadata.clone(), None);
    apply(&*store, &[Change::Replace(third.clone(), None)]);
    same(at(&*store, "acme/etl:a").as_ref(), &third);
    assert!(at(&*store, "acme:a").is_none());
}

/// Superseded values stay from the head's first revision on; older ones go with the write that moves it.
pub fn superseded_revisions_are_kept_and_pruned(factory: &Factory<'_>) {
    let store = factory();
    let mut current = inserted(&*store, "acme:a");
    let bystander = inserted(&*store, "acme:b");
    let (_, bystander_kept) = replaced(&*store, &bystander);
    let mut all_kept = Vec::new();
    for _ in 0..5 {
        let (next, superseded) = replaced(&*store, &current);
        all_kept.push(superseded);
        current = next;
    }
    let check = |first: u64| {
        for (number, superseded) in (1..).zip(&all_kept) {
            let found = kept(&*store, "acme:a", number);
            if number < first {
                assert!(found.is_none(), "revision {number} is before the first, {first}");
            } else {
                same_superseded(found.as_ref(), superseded);
            }
        }
        same_superseded(kept(&*store, "acme:b", 1).as_ref(), &bystander_kept);
    };
    check(1);
    let (mut next, superseded) = with_next_value(&current);
    next.head.first_revision = revision(4);
    apply(&*store, &[Change::Replace(next.clone(), Some(superseded.clone()))]);
    check(4);
    same_superseded(kept(&*store, "acme:a", 6).as_ref(), &superseded);
    let mut last = with_next_head(&next);
    last.head.first_revision = last.head.revision;
    apply(&*store, &[Change::Replace(last, None)]);
    check(7);
    assert!(kept(&*store, "acme:a", 6).is_none());
}

/// A new head with the old value moves the generation and nothing else.
pub fn a_change_of_metadata_keeps_every_revision(factory: &Factory<'_>) {
    let store = factory();
    let first = inserted(&*store, "acme:a");
    let (second, superseded) = replaced(&*store, &first);
    let mut described = with_next_head(&second);
    described.head.metadata = rich_metadata();
    let expect = Expect::Generation(org("acme"), second.head.id, second.head.generation);
    assert_eq!(commit(&*store, &[expect], &[Change::Replace(described.clone(), None)]), Commit::Applied);
    same(at(&*store, "acme:a").as_ref(), &described);
    same_superseded(kept(&*store, "acme:a", 1).as_ref(), &superseded);
    assert!(kept(&*store, "acme:a", 2).is_none(), "the value is still the current one");
}

/// What is deleted is gone under its address, its id and each revision; its neighbours stay.
pub fn delete_removes_all_revisions(factory: &Factory<'_>) {
    let store = factory();
    let a = inserted(&*store, "acme:a");
    let b = inserted(&*store, "acme:b");
    let (a2, _) = replaced(&*store, &a);
    replaced(&*store, &a2);
    let (b2, b1) = replaced(&*store, &b);
    apply(&*store, &[Change::Delete(org("acme"), a.head.id)]);
    assert!(at(&*store, "acme:a").is_none());
    assert!(fetch(&*store, Target::Id(org("acme"), a.head.id), Some(revision(1))).is_none());
    same(at(&*store, "acme:b").as_ref(), &b2);
    same_superseded(kept(&*store, "acme:b", 1).as_ref(), &b1);
    // Even under the same id nothing comes back.
    apply(&*store, &[Change::Insert(a.clone())]);
    for number in 1..=3 {
        assert!(kept(&*store, "acme:a", number).is_none(), "revision {number} outlived its secret");
    }
}

/// A secret created again has an id, a generation and revisions of its own.
pub fn a_recreated_secret_starts_anew(factory: &Factory<'_>) {
    let store = factory();
    let old = inserted(&*store, "acme:a");
    replaced(&*store, &old);
    apply(&*store, &[Change::Delete(org("acme"), old.head.id)]);
    let new = record("acme:a");
    assert_eq!(commit(&*store, &[Expect::Absent(id("acme:a"))], &[Change::Insert(new.clone())]), Commit::Applied);
    same(at(&*store, "acme:a").as_ref(), &new);
    assert!(kept(&*store, "acme:a", 1).is_none());
    assert!(fetch(&*store, Target::Id(org("acme"), old.head.id), None).is_none());
    // Whoever still holds the old one finds nothing, not the new one.
    let stale = Expect::Generation(org("acme"), old.head.id, generation(1));
    assert_eq!(commit(&*store, &[stale], &[]), Commit::Refused { expectation: 0, found: Found::Nothing });
}
