//! The values that a secret had before, as a list.

use super::Factory;
use super::sample::{
    apply, at, generation, id, inserted, kept, org, record, replaced, revision, same, same_listed, same_superseded,
    with_next_value,
};
use crate::revision::{ListedRevision, RevisionRecord};
use crate::store::{Change, History, SecretStore, Target};

/// All that are kept, each with every column but the record, of which it shows the commitment.
pub fn a_history_shows_every_kept_revision_oldest_first(factory: &Factory<'_>) {
    let store = factory();
    let first = inserted(&*store, "acme/etl:token");
    inserted(&*store, "acme/etl:neighbour");
    let History { current, superseded } = history(&*store, "acme/etl:token").unwrap();
    same_listed(&current, &first);
    assert!(superseded.is_empty());

    let (mut record, mut expected) = (first, Vec::new());
    for _ in 0..12 {
        let (next, kept) = replaced(&*store, &record);
        expected.push(columns(&of(&kept)));
        record = next;
    }
    let History { current, superseded } = history(&*store, "acme/etl:token").unwrap();
    same_listed(&current, &record);
    assert_eq!(superseded.iter().map(columns).collect::<Vec<_>>(), expected);

    let (mut next, kept) = with_next_value(&record);
    next.head.first_revision = revision(12);
    apply(&*store, &[Change::Replace(next, Some(kept.clone()))]);
    let left = history(&*store, "acme/etl:token").unwrap().superseded;
    assert_eq!(left.iter().map(columns).collect::<Vec<_>>(), [expected[11].clone(), columns(&of(&kept))]);
}

/// By its address, from a scope that it includes, and by its id within its org.
pub fn a_history_is_found_by_every_target(factory: &Factory<'_>) {
    let store = factory();
    let (record, _) = replaced(&*store, &inserted(&*store, "acme/etl:token"));
    let nearest = Target::Nearest("acme/etl/production".parse().unwrap(), "token".parse().unwrap());
    for target in [Target::Exact(id("acme/etl:token")), nearest, Target::Id(org("acme"), record.head.id)] {
        let found = store.history(&target).unwrap().unwrap();
        same_listed(&found.current, &record);
        assert_eq!(found.superseded.len(), 1);
    }
    assert!(store.history(&Target::Id(org("other"), record.head.id)).unwrap().is_none());
}

/// No secret, no history; also after it is deleted.
pub fn a_history_of_nothing_is_nothing(factory: &Factory<'_>) {
    let store = factory();
    assert!(history(&*store, "acme:token").is_none());
    let (record, _) = replaced(&*store, &inserted(&*store, "acme:token"));
    apply(&*store, &[Change::Delete(org("acme"), record.head.id)]);
    assert!(history(&*store, "acme:token").is_none());
    inserted(&*store, "acme:token");
    assert!(history(&*store, "acme:token").unwrap().superseded.is_empty());
}

/// Inserted with the values that it had before, in one batch: each is kept, and what is written last counts.
pub fn a_secret_comes_with_its_history(factory: &Factory<'_>) {
    let store = factory();
    let first = record("acme/etl:token");
    let (second, kept_first) = with_next_value(&first);
    let (mut third, kept_second) = with_next_value(&second);
    third.head.generation = generation(41);
    let changes = [
        Change::Insert(third.clone()),
        Change::Replace(third.clone(), Some(kept_first.clone())),
        Change::Replace(third.clone(), Some(kept_second.clone())),
    ];
    apply(&*store, &changes);
    same(at(&*store, "acme/etl:token").as_ref(), &third);
    let History { current, superseded } = history(&*store, "acme/etl:token").unwrap();
    same_listed(&current, &third);
    let expected = [columns(&of(&kept_first)), columns(&of(&kept_second))];
    assert_eq!(superseded.iter().map(columns).collect::<Vec<_>>(), expected);
    same_superseded(kept(&*store, "acme/etl:token", 1).as_ref(), &kept_first);
}

fn history(store: &dyn SecretStore, address: &str) -> Option<History> {
    store.history(&Target::Exact(id(address))).unwrap()
}

fn of(row: &RevisionRecord) -> ListedRevision {
    let RevisionRecord { secret, revision, valued, digest, mac, sealed } = row.clone();
    ListedRevision { secret, revision, valued, digest, mac, commitment: sealed.commitment() }
}

fn columns(row: &ListedRevision) -> String {
    let ListedRevision { secret, revision, valued, digest, mac, commitment } = row;
    let (digest, mac) = (digest.to_bytes(), mac.to_bytes());
    format!("{secret} {revision} {valued:?} {digest:?} {mac:?} {:?}", commitment.as_bytes())
}
