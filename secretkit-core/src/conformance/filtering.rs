//! Which secrets a listing shows: by place, and by what people keep about them.

use super::Factory;
use super::sample::{apply, id, inserted, org, record};
use crate::filter::{Activity, Filter, Search};
use crate::metadata::{Description, Metadata, Tags};
use crate::part::{Part, PartKind};
use crate::store::{Change, Query, SecretStore, Within};
use crate::time::Timestamp;

const ADDRESSES: [&str; 10] = [
    "acme:a",
    "acme/*/d:a",
    "acme/d:a",
    "acme/p:a",
    "acme/p/d:a",
    "acme/p/e:a",
    "acme/q:a",
    "acme/*/d:b",
    "acme/p:b",
    "other/p:a",
];

/// At the project and at each of its domains, and nowhere else.
pub fn a_listing_of_a_project_shows_all_its_domains(factory: &Factory<'_>) {
    let store = filled(factory);
    let project = |name: &str| Within::Project { org: org("acme"), project: Part::parse(PartKind::Project, name).unwrap() };
    assert_eq!(shown(&*store, project("p")), ["acme/p:a", "acme/p/d:a", "acme/p/e:a", "acme/p:b"]);
    assert_eq!(shown(&*store, project("d")), ["acme/d:a"]);
    assert!(shown(&*store, project("e")).is_empty());
}

/// The scopes of the chain, each of which may answer.
pub fn a_listing_along_a_scope_shows_what_a_task_there_sees(factory: &Factory<'_>) {
    let store = filled(factory);
    for (task, expected) in [
        ("acme/p/d", &["acme:a", "acme/*/d:a", "acme/p:a", "acme/p/d:a", "acme/*/d:b", "acme/p:b"][..]),
        ("acme/p/e", &["acme:a", "acme/p:a", "acme/p/e:a", "acme/p:b"]),
        ("acme/p", &["acme:a", "acme/p:a", "acme/p:b"]),
        ("acme/*/d", &["acme:a", "acme/*/d:a", "acme/*/d:b"]),
        ("acme/d", &["acme:a", "acme/d:a"]),
        ("acme", &["acme:a"]),
        ("acme/x/y", &["acme:a"]),
    ] {
        assert_eq!(shown(&*store, Within::Along(task.parse().unwrap())), expected, "{task}");
    }
}

/// Exactly what matches every condition is shown.
pub fn a_filter_leaves_out_what_does_not_match(factory: &Factory<'_>) {
    let store = factory();
    let at = Timestamp::from_micros;
    let keep = |address: &str, metadata: Metadata| {
        let mut secret = record(address);
        secret.head.metadata = metadata;
        apply(&*store, &[Change::Insert(secret)]);
    };
    let described = |text: &str| Some(Description::parse(text).unwrap());
    let tagged = |tags: &[&str]| Tags::parse(tags.iter().copied()).unwrap();
    keep("acme:plain", Metadata::default());
    keep("acme:db/Payroll", Metadata { tags: tagged(&["eu", "pci"]), expires_at: Some(at(100)), ..Metadata::default() });
    keep("acme/p:x", Metadata { description: described("for the PAYROLL job"), tags: tagged(&["eu"]), ..Metadata::default() });
    keep("acme/p:y", Metadata { inactive_since: Some(at(5)), expires_at: Some(at(-5)), ..Metadata::default() });
    keep("acme/p:z", Metadata { tags: tagged(&["payroll-2"]), expires_at: Some(at(101)), ..Metadata::default() });

    let show = |filter: Filter| {
        let query = Query { filter, ..Query::first(Within::Org(org("acme")), 100) };
        store.list(&query).unwrap().iter().map(|row| row.head.address.to_string()).collect::<Vec<_>>()
    };
    let search = |text: &str| Filter { search: Some(Search::parse(text).unwrap()), ..Filter::default() };
    let tags = |tags: &[&str]| Filter { tags: tags.iter().map(|tag| Box::from(*tag)).collect(), ..Filter::default() };
    let expires = |from: i64, to: i64| Filter { expires: Some(at(from)..=at(to)), ..Filter::default() };
    let activity = |activity| Filter { activity: Some(activity), ..Filter::default() };

    assert_eq!(show(search("payroll")), ["acme/p:x", "acme/p:z", "acme:db/Payroll"]);
    assert_eq!(show(search("DB/PAY")), ["acme:db/Payroll"]);
    assert!(show(search("pay%")).is_empty(), "no character is a wildcard");
    assert_eq!(show(tags(&["eu"])), ["acme/p:x", "acme:db/Payroll"]);
    assert_eq!(show(tags(&["pci", "eu"])), ["acme:db/Payroll"]);
    assert!(show(tags(&["EU"])).is_empty(), "a tag is compared byte by byte");
    assert_eq!(show(expires(i64::MIN, 100)), ["acme/p:y", "acme:db/Payroll"]);
    assert_eq!(show(expires(101, 101)), ["acme/p:z"]);
    assert_eq!(show(activity(Activity::Inactive)), ["acme/p:y"]);
    assert_eq!(show(activity(Activity::Active)).len(), 4);
    let both = Filter { activity: Some(Activity::Active), ..expires(i64::MIN, 100) };
    assert_eq!(show(both), ["acme:db/Payroll"]);
}

/// A page is full or the last, also where most is left out.
pub fn a_page_is_full_of_what_matches(factory: &Factory<'_>) {
    let store = factory();
    let changes: Vec<_> = (0..60)
        .map(|number| {
            let mut secret = record(&format!("acme:k{number:02}"));
            let tag = if number % 7 == 0 { "seventh" } else { "other" };
            secret.head.metadata.tags = Tags::parse([tag]).unwrap();
            Change::Insert(secret)
        })
        .collect();
    apply(&*store, &changes);
    let filter = Filter { tags: vec!["seventh".into()], ..Filter::default() };
    let (mut after, mut walked) = (None, Vec::new());
    loop {
        let query = Query { filter: filter.clone(), after, ..Query::first(Within::Org(org("acme")), 4) };
        let page = store.list(&query).unwrap();
        walked.extend(page.iter().map(|row| row.head.address.to_string()));
        if page.len() < 4 {
            break;
        }
        after = page.last().map(|row| row.head.address.clone());
    }
    let expected: Vec<_> = (0..60).step_by(7).map(|number| format!("acme:k{number:02}")).collect();
    assert_eq!(walked, expected);
}

fn filled(factory: &Factory<'_>) -> std::sync::Arc<dyn SecretStore> {
    let store = factory();
    for address in ADDRESSES {
        inserted(&*store, address);
    }
    store
}

/// In the order of the listing; page by page, two lines each.
fn shown(store: &dyn SecretStore, within: Within) -> Vec<String> {
    let (mut after, mut shown) = (None, Vec::<String>::new());
    loop {
        let page = store.list(&Query { after, ..Query::first(within.clone(), 2) }).unwrap();
        shown.extend(page.iter().map(|row| row.head.address.to_string()));
        if page.len() < 2 {
            return shown;
        }
        after = Some(id(shown.last().unwrap()));
    }
}
