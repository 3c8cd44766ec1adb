//! What a listing shows, in which order, and how it continues.

use super::Factory;
use super::sample::{apply, at, inserted, list, org, record, replaced, rich_metadata, same_listed};
use crate::store::{Change, Query, SecretStore, Within};

fn everywhere() -> Within {
    Within::Org(org("acme"))
}

/// In the order of a listing: group, key, project, domain, absent first.
const IN_ORDER: [&str; 16] = [
    "acme:K",
    "acme:a",
    "acme/*/d:a",
    "acme/P:a",
    "acme/p:a",
    "acme/p/d:a",
    "acme/p/e:a",
    "acme/p-q:a",
    "acme/p.q:a",
    "acme/p_q:a",
    "acme:a-b",
    "acme:ab",
    "acme:A/z",
    "acme:a/a",
    "acme/*/d:a/a",
    "acme:a/b",
];

fn filled(factory: &Factory<'_>) -> std::sync::Arc<dyn SecretStore> {
    let store = factory();
    // In another order than that of any listing.
    for step in 0..IN_ORDER.len() {
        inserted(&*store, IN_ORDER[step * 7 % IN_ORDER.len()]);
    }
    // Neighbours on either side, which must never show.
    for org in ["acm", "acme-", "acme0", "Acme", "b"] {
        inserted(&*store, &format!("{org}:a"));
    }
    store
}

/// A line has every column but the record, of which it shows the commitment.
pub fn a_listing_shows_the_head_and_the_commitment(factory: &Factory<'_>) {
    let store = factory();
    let mut rich = record("acme/etl/production:db/password");
    rich.head.metadata = rich_metadata();
    rich.head.keep = Some(7);
    apply(&*store, &[Change::Insert(rich)]);
    let plain = inserted(&*store, "acme:plain");
    replaced(&*store, &plain);
    let listed = store.list(&Query::first(everywhere(), 10)).unwrap();
    assert_eq!(listed.len(), 2);
    for row in &listed {
        same_listed(row, &at(&*store, &row.head.address.to_string()).unwrap());
    }
}

/// Group, key, project, domain, each byte by byte with absent first.
pub fn pages_are_ordered_by_name_then_scope(factory: &Factory<'_>) {
    assert_eq!(list(&*filled(factory), everywhere(), None, 100), IN_ORDER);
}

/// A page is full or the last, whatever the limit.
pub fn a_page_holds_no_more_than_its_limit(factory: &Factory<'_>) {
    let store = filled(factory);
    for limit in [1, 2, 5, 15, 16, 17, 1_000, usize::MAX] {
        let expected = &IN_ORDER[..limit.min(IN_ORDER.len())];
        assert_eq!(list(&*store, everywhere(), None, limit), expected, "limit {limit}");
    }
}

/// A page begins after any address: one that is there, one that was deleted, one that never was.
pub fn a_listing_resumes_after_any_address(factory: &Factory<'_>) {
    let store = filled(factory);
    for limit in [1, 3, 100] {
        for (place, address) in IN_ORDER.iter().enumerate() {
            let rest = &IN_ORDER[place + 1..];
            let expected = &rest[..limit.min(rest.len())];
            assert_eq!(list(&*store, everywhere(), Some(address), limit), expected, "after {address}");
        }
    }
    for (never, first) in [("acme:0", 0), ("acme/a:a", 4), ("acme/*/a:a", 2), ("acme/p/zz:a", 7), ("acme:zz/zz", 16)] {
        assert_eq!(list(&*store, everywhere(), Some(never), 100), &IN_ORDER[first..], "after {never}");
    }
    let deleted = at(&*store, IN_ORDER[5]).unwrap().head.id;
    apply(&*store, &[Change::Delete(org("acme"), deleted)]);
    assert_eq!(list(&*store, everywhere(), Some(IN_ORDER[5]), 100), &IN_ORDER[6..]);
}

/// Exactly at a scope is neither above nor below it.
pub fn a_listing_of_one_scope_shows_that_scope_only(factory: &Factory<'_>) {
    let store = filled(factory);
    for scope in ["acme", "acme/*/d", "acme/p", "acme/p/d", "acme/P", "acme/d", "acme/*/p", "acme/p/x"] {
        let expected: Vec<_> =
            IN_ORDER.into_iter().filter(|address| address.split_once(':').unwrap().0 == scope).collect();
        let within = || Within::Exactly(scope.parse().unwrap());
        assert_eq!(list(&*store, within(), None, 100), expected, "{scope}");
        // Page by page, one line each.
        let mut walked: Vec<String> = Vec::new();
        while let [next] = list(&*store, within(), walked.last().map(String::as_str), 1).as_slice() {
            walked.push(next.clone());
            assert!(walked.len() <= expected.len(), "{scope} goes on for ever");
        }
        assert_eq!(walked, expected, "{scope} line by line");
        assert!(list(&*store, within(), Some("acme:z/z"), 100).is_empty());
    }
}

/// An org's listing ends with the org.
pub fn a_listing_stays_within_its_org(factory: &Factory<'_>) {
    let store = filled(factory);
    for other in ["acm", "acme-", "acme0", "Acme", "b"] {
        assert_eq!(list(&*store, Within::Org(org(other)), None, 100), [format!("{other}:a")]);
    }
    for absent in ["ac", "acme00", "ACME", "a"] {
        assert!(list(&*store, Within::Org(org(absent)), None, 100).is_empty(), "{absent}");
        assert!(list(&*store, Within::Exactly(absent.parse().unwrap()), None, 100).is_empty(), "{absent}");
    }
}

/// A listing shows each commit as soon as it is acknowledged.
pub fn a_listing_follows_what_is_committed(factory: &Factory<'_>) {
    let store = factory();
    let all = || store.list(&Query::first(everywhere(), 10)).unwrap();
    let first = inserted(&*store, "acme:a");
    same_listed(&all()[0], &first);
    let (second, _) = replaced(&*store, &first);
    assert_eq!(all().len(), 1, "a superseded value is no line");
    same_listed(&all()[0], &second);
    apply(&*store, &[Change::Delete(org("acme"), first.head.id)]);
    assert!(all().is_empty());
}
