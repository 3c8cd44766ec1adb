//! What a store answers to a want.

use super::Factory;
use super::sample::{
    apply, at, contents, fetch, id, inserted, org, record, replaced, revision, rich_metadata, same, same_superseded,
    sealed,
};
use crate::id::SecretName;
use crate::metadata::{Description, Tags};
use crate::part::Part;
use crate::people::Actor;
use crate::record::{Generation, Revision, SecretRecord};
use crate::scope::Scope;
use crate::store::{Change, Query, Target, Want, Within};
use crate::time::Timestamp;
use crate::value::SecretValue;

/// A fresh store holds nothing, and says so without an error.
pub fn an_empty_store_answers_nothing(factory: &Factory<'_>) {
    let store = factory();
    assert!(store.keyring(&org("acme")).unwrap().is_none());
    assert!(at(&*store, "acme/etl:db/password").is_none());
    let task = "acme/etl/production".parse().unwrap();
    assert!(fetch(&*store, Target::Nearest(task, "db/password".parse().unwrap()), None).is_none());
    let stranger = record("acme:a").head.id;
    assert!(fetch(&*store, Target::Id(org("acme"), stranger), Some(Revision::FIRST)).is_none());
    let all = Query::first(Within::Org(org("acme")), 10);
    assert!(store.list(&all).unwrap().is_empty());
    assert!(store.fetch(&[]).unwrap().is_empty(), "no want, no answer");
    assert!(!store.to_string().is_empty(), "errors name the store by its Display");
}

/// A store has an id for life, and no other store has it.
pub fn a_store_keeps_its_id(factory: &Factory<'_>) {
    let store = factory();
    let info = store.info().unwrap();
    inserted(&*store, "acme:a");
    assert_eq!(store.info().unwrap(), info);
    assert_ne!(factory().info().unwrap().id, info.id);
}

/// Every column comes back as it was written.
pub fn a_secret_returns_as_it_was_inserted(factory: &Factory<'_>) {
    let store = factory();
    let mut full = record("acme/etl/production:db/password");
    full.head.metadata = rich_metadata();
    full.head.keep = Some(3);
    full.head.generation = Generation::new(41).unwrap();
    full.head.revision = revision(17);
    full.head.first_revision = revision(14);
    apply(&*store, &[Change::Insert(full.clone())]);
    same(at(&*store, "acme/etl/production:db/password").as_ref(), &full);
    same(fetch(&*store, Target::Id(org("acme"), full.head.id), None).map(|fetched| fetched.record).as_ref(), &full);
}

/// `None` is not zero, not empty and not the longest; the ends of every range come back.
pub fn absent_columns_are_kept_apart_from_every_present_one(factory: &Factory<'_>) {
    let store = factory();
    let last = i64::MAX.unsigned_abs();
    let longest = |length: usize| "ü".repeat(length / 2);
    let many: Vec<String> = (0..Tags::MAX_COUNT).map(|number| format!("{number:02}{}", longest(62))).collect();
    let times = [i64::MIN, -1, 0, 1, i64::MAX];
    for (number, micros) in times.into_iter().enumerate() {
        let mut extreme = record(&format!("acme:extreme-{number}"));
        let head = &mut extreme.head;
        (head.created.at, head.updated.at, head.valued.at) =
            (Timestamp::from_micros(micros), Timestamp::from_micros(micros), Timestamp::from_micros(micros));
        head.metadata.expires_at = Some(Timestamp::from_micros(micros));
        head.keep = Some([0, 1, u32::MAX][number % 3]);
        head.generation = Generation::new(last).unwrap();
        (head.revision, head.first_revision) = (revision(last), revision(last - 1));
        head.metadata.description = Some(Description::parse(&longest(Description::MAX_BYTES)).unwrap());
        head.metadata.tags = Tags::parse(many.iter().map(String::as_str)).unwrap();
        head.created.by = Actor::parse(&longest(Actor::MAX_BYTES)).unwrap();
        apply(&*store, &[Change::Insert(extreme.clone())]);
        same(at(&*store, &format!("acme:extreme-{number}")).as_ref(), &extreme);
    }
    let plain = inserted(&*store, "acme:plain");
    same(at(&*store, "acme:plain").as_ref(), &plain);
}

/// A record is bytes, of any value and up to the longest, current or superseded.
pub fn every_byte_value_and_length_returns(factory: &Factory<'_>) {
    let store = factory();
    let every: Vec<u8> = (0..=255).collect();
    let bodies =
        [vec![], vec![0], every.clone(), every.repeat(256), vec![0; 100], every.repeat(SecretValue::MAX_BYTES / 256)];
    for (number, body) in bodies.iter().enumerate() {
        let address = format!("acme:value-{number}");
        let mut first = record(&address);
        first.sealed = sealed(body);
        apply(&*store, &[Change::Insert(first.clone())]);
        same(at(&*store, &address).as_ref(), &first);
        let (_, superseded) = replaced(&*store, &first);
        assert_eq!(superseded.sealed, first.sealed);
        same_superseded(super::sample::kept(&*store, &address, 1).as_ref(), &superseded);
    }
    assert_eq!(contents(&*store, &["acme"]).len(), 1 + 2 * bodies.len(), "one line for each value, and the keyring's");
}

/// For every kind of task and whichever of the four candidates exist: the first along the chain, and no other.
pub fn the_nearest_scope_answers_first(factory: &Factory<'_>) {
    let name: SecretName = "db/password".parse().unwrap();
    let places = ["acme/etl/production", "acme/etl", "acme/*/production", "acme"];
    // What no task here may ever see.
    let beside =
        ["acme/web/production", "acme/web", "acme/*/staging", "acme/etl/staging", "other", "other/etl/production"];
    for existing in 0..16_u8 {
        let store = factory();
        for scope in beside {
            inserted(&*store, &format!("{scope}:db/password"));
        }
        for (bit, scope) in places.iter().enumerate() {
            inserted(&*store, &format!("{scope}:password"));
            if existing & 1 << bit != 0 {
                inserted(&*store, &format!("{scope}:db/password"));
            }
        }
        for task in places {
            let task: Scope = task.parse().unwrap();
            let expected = task.chain().find(|scope| {
                places.iter().enumerate().any(|(bit, place)| existing & 1 << bit != 0 && *place == scope.to_string())
            });
            let found = fetch(&*store, Target::Nearest(task.clone(), name.clone()), None);
            let found = found.map(|fetched| fetched.record.head.address);
            assert_eq!(found.as_ref().map(crate::SecretId::scope), expected.as_ref(), "{task} with {existing:04b}");
            assert!(found.is_none_or(|address| *address.name() == name));
        }
    }
}

/// `acme/*/x` and `acme/x` are two places; so are a scope with a part and one without.
pub fn an_absent_project_is_not_an_empty_one(factory: &Factory<'_>) {
    let store = factory();
    let addresses = ["acme:a", "acme/x:a", "acme/*/x:a", "acme/x/x:a"];
    let records: Vec<_> = addresses.iter().map(|address| inserted(&*store, address)).collect();
    for (address, record) in addresses.iter().zip(&records) {
        same(at(&*store, address).as_ref(), record);
    }
    let nearest = |task: &str| fetch(&*store, Target::Nearest(task.parse().unwrap(), "a".parse().unwrap()), None);
    for (task, record) in ["acme", "acme/x", "acme/*/x", "acme/x/x"].iter().zip(&records) {
        same(nearest(task).map(|fetched| fetched.record).as_ref(), record);
    }
}

/// A key with a group and one without are two names, and nothing joins or splits them.
pub fn a_group_is_no_part_of_the_key(factory: &Factory<'_>) {
    let store = factory();
    let addresses = ["acme:a", "acme:b", "acme:a/b", "acme:b/a", "acme:ab", "acme:a_b", "acme/a:b", "acme/b:a"];
    let records: Vec<_> = addresses.iter().map(|address| inserted(&*store, address)).collect();
    for (address, record) in addresses.iter().zip(&records) {
        same(at(&*store, address).as_ref(), record);
    }
}

/// No case is folded, nothing is trimmed, and no character is a wildcard.
pub fn names_are_compared_byte_by_byte(factory: &Factory<'_>) {
    let store = factory();
    let longest = "k".repeat(Part::MAX_BYTES);
    let almost = "k".repeat(Part::MAX_BYTES - 1);
    let keys = [
        "key", "Key", "KEY", "key_", "key-", "key.", "key0", "k_y", "k-y", "k.y", "k", "_", "0", "00", &longest,
        &almost,
    ];
    let records: Vec<_> = keys.iter().map(|key| inserted(&*store, &format!("acme:{key}"))).collect();
    for (key, record) in keys.iter().zip(&records) {
        same(at(&*store, &format!("acme:{key}")).as_ref(), record);
    }
    for (place, other) in [("acme/p", "acme/P"), ("acme/*/d", "acme/*/D"), ("acme", "Acme"), ("acme/p/d", "acme/p/D")] {
        let record = inserted(&*store, &format!("{place}:folded"));
        assert!(at(&*store, &format!("{other}:folded")).is_none(), "{other} is {place}");
        same(at(&*store, &format!("{place}:folded")).as_ref(), &record);
    }
    assert!(at(&*store, "acme:g/folded").is_none());
}

/// The same names in two orgs are different secrets.
pub fn orgs_are_apart(factory: &Factory<'_>) {
    let store = factory();
    let one = inserted(&*store, "one/p/d:a");
    assert!(at(&*store, "two/p/d:a").is_none());
    let two = inserted(&*store, "two/p/d:a");
    same(at(&*store, "one/p/d:a").as_ref(), &one);
    same(at(&*store, "two/p/d:a").as_ref(), &two);
}

/// An id answers only together with the org that the secret is in.
pub fn an_id_is_bound_to_its_org(factory: &Factory<'_>) {
    let store = factory();
    let one = inserted(&*store, "one:a");
    inserted(&*store, "two:a");
    let by_id = |of: &str| fetch(&*store, Target::Id(org(of), one.head.id), None).map(|fetched| fetched.record);
    same(by_id("one").as_ref(), &one);
    assert!(by_id("two").is_none());
    assert!(by_id("three").is_none());
}

/// Many wants of every kind, some of them twice, some of nothing: an answer for each, in their order.
pub fn many_wants_are_answered_in_their_order(factory: &Factory<'_>) {
    let store = factory();
    let a = inserted(&*store, "acme/etl:a");
    let b = inserted(&*store, "acme:b");
    let (b2, b1) = replaced(&*store, &b);
    let task: Scope = "acme/etl/production".parse().unwrap();
    let want = |target, revision| Want { target, revision };
    let wants = [
        want(Target::Exact(id("acme:missing")), None),
        want(Target::Exact(id("acme/etl:a")), None),
        want(Target::Nearest(task.clone(), "b".parse().unwrap()), Some(Revision::FIRST)),
        want(Target::Id(org("acme"), a.head.id), Some(Revision::FIRST)),
        want(Target::Nearest(task.clone(), "missing".parse().unwrap()), Some(Revision::FIRST)),
        want(Target::Exact(id("acme/etl:a")), None),
        want(Target::Nearest(task, "a".parse().unwrap()), None),
    ];
    for answers in [store.fetch(&wants).unwrap(), store.fetch_latest(&wants).unwrap()] {
        assert_eq!(answers.len(), wants.len());
        for (answer, expected) in answers.iter().zip([None, Some(&a), Some(&b2), Some(&a), None, Some(&a), Some(&a)]) {
            match expected {
                None => assert!(answer.is_none()),
                Some(expected) => same(answer.as_ref().map(|fetched| &fetched.record), expected),
            }
        }
        let superseded: Vec<_> =
            answers.iter().map(|answer| answer.as_ref().and_then(|answer| answer.superseded.as_ref())).collect();
        same_superseded(superseded[2], &b1);
        assert!(superseded.iter().enumerate().all(|(at, row)| at == 2 || row.is_none()), "nobody asked for these");
    }
}

/// Every commit is seen by the next call, of whichever kind, and whatever was asked before it.
pub fn an_answer_follows_what_is_committed(factory: &Factory<'_>) {
    let store = factory();
    let task: Scope = "acme/etl/production".parse().unwrap();
    let stranger = record("acme/etl:a");
    let wants = [
        Want { target: Target::Nearest(task.clone(), "a".parse().unwrap()), revision: None },
        Want { target: Target::Exact(id("acme/etl:a")), revision: Some(Revision::FIRST) },
        Want { target: Target::Id(org("acme"), stranger.head.id), revision: None },
    ];
    let answered = |expected: [Option<&SecretRecord>; 3]| {
        let one_by_one = || wants.iter().flat_map(|want| store.fetch(std::slice::from_ref(want)).unwrap()).collect();
        for answers in [store.fetch(&wants).unwrap(), store.fetch_latest(&wants).unwrap(), one_by_one()] {
            let found: Vec<_> = answers.iter().map(|answer| answer.as_ref().map(|found| &found.record)).collect();
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.into_iter().zip(expected) {
                match expected {
                    None => assert!(found.is_none()),
                    Some(expected) => same(found, expected),
                }
            }
        }
    };
    answered([None, None, None]);
    let wide = inserted(&*store, "acme:a");
    answered([Some(&wide), None, None]);
    apply(&*store, &[Change::Insert(stranger.clone())]);
    answered([Some(&stranger), Some(&stranger), Some(&stranger)]);
    let (next, _) = replaced(&*store, &stranger);
    answered([Some(&next), Some(&next), Some(&next)]);
    let nearest = inserted(&*store, "acme/etl/production:a");
    answered([Some(&nearest), Some(&next), Some(&next)]);
    apply(&*store, &[Change::Delete(org("acme"), nearest.head.id)]);
    answered([Some(&next), Some(&next), Some(&next)]);
    apply(&*store, &[Change::Delete(org("acme"), next.head.id)]);
    answered([Some(&wide), None, None]);
}

/// A superseded value comes with its secret where it is wanted and kept, and only there.
pub fn a_superseded_value_is_fetched_on_demand(factory: &Factory<'_>) {
    let store = factory();
    let first = inserted(&*store, "acme/etl:a");
    let (second, kept_first) = replaced(&*store, &first);
    let (third, kept_second) = replaced(&*store, &second);
    let other = inserted(&*store, "acme:a");
    replaced(&*store, &other);
    let wanted = |target: Target, number: u64| {
        let fetched = fetch(&*store, target, Some(revision(number))).unwrap();
        same(Some(&fetched.record), &third);
        fetched.superseded
    };
    let exact = || Target::Exact(id("acme/etl:a"));
    same_superseded(wanted(exact(), 1).as_ref(), &kept_first);
    same_superseded(wanted(exact(), 2).as_ref(), &kept_second);
    same_superseded(wanted(Target::Id(org("acme"), first.head.id), 2).as_ref(), &kept_second);
    let nearest = Target::Nearest("acme/etl/production".parse().unwrap(), "a".parse().unwrap());
    same_superseded(wanted(nearest, 1).as_ref(), &kept_first);
    assert!(wanted(exact(), 3).is_none(), "the current value is inline");
    assert!(wanted(exact(), 4).is_none());
    assert!(fetch(&*store, exact(), None).unwrap().superseded.is_none());
}
