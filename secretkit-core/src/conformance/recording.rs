//! Events: added with their change, in lanes, and found by their token.

use super::Factory;
use super::sample::{
    apply, at, commit, contents, event, generation, id, inserted, keyring, org, record, with_next_head,
};
use crate::event::{EventRecord, Lane, Token};
use crate::id::StableId;
use crate::store::{Batch, Change, Commit, Expect, Found, SecretStore};

/// Every column, in the order of its lane, page by page.
pub fn an_event_returns_as_it_was_added(factory: &Factory<'_>) {
    let store = factory();
    assert!(store.lanes(&org("acme")).unwrap().is_empty());
    let events: Vec<_> = (1..=7).map(|seq| event("acme", 3, seq)).collect();
    for pair in events.chunks(2) {
        assert_eq!(added(&*store, pair, &[]), Commit::Applied);
    }
    added_one(&*store, &event("acme", 4, 1));
    added_one(&*store, &event("other", 3, 1));
    let expected: Vec<_> = events.iter().map(columns).collect();
    let found = |after, limit| {
        let events = store.events(&org("acme"), lane(3), after, limit).unwrap();
        events.iter().map(columns).collect::<Vec<_>>()
    };
    assert_eq!(found(0, 100), expected);
    assert_eq!(found(2, 3), expected[2..5]);
    assert!(found(7, 3).is_empty() && found(u64::MAX, 3).is_empty());
    let lanes = store.lanes(&org("acme")).unwrap();
    assert_eq!(lanes.iter().map(|(lane, head)| (lane.number(), head.seq)).collect::<Vec<_>>(), [(3, 7), (4, 1)]);
    assert_eq!(lanes[0].1, events[6].head());
    assert!(store.events(&org("never"), lane(3), 0, 10).unwrap().is_empty());
}

/// The event and the change it tells of are one.
pub fn an_event_and_its_change_are_one(factory: &Factory<'_>) {
    let store = factory();
    let secret = record("acme:a");
    assert_eq!(added(&*store, &[event("acme", 0, 1)], &[Change::Insert(secret.clone())]), Commit::Applied);
    assert!(at(&*store, "acme:a").is_some());
    let before = contents(&*store, &["acme"]);
    // A change that does not fit takes its event along.
    let refused =
        Batch { changes: vec![Change::Insert(secret)], events: vec![event("acme", 0, 2)], ..Batch::default() };
    assert!(store.commit(&refused).is_err());
    // An event that does not follow the end of its lane takes its change along.
    for seq in [1, 3, 7] {
        let late = Batch {
            changes: vec![Change::Insert(record("acme:b"))],
            events: vec![event("acme", 0, seq)],
            ..Batch::default()
        };
        assert!(store.commit(&late).is_err(), "number {seq}");
    }
    assert_eq!(contents(&*store, &["acme"]), before);
    assert_eq!(store.lanes(&org("acme")).unwrap()[0].1.seq, 1);
}

/// In one batch, one after the other or in turn; and where one does not, nothing is there.
pub fn events_of_several_lanes_follow_each_its_own(factory: &Factory<'_>) {
    let store = factory();
    added_one(&*store, &event("acme", 1, 1));
    let lanes = || {
        ["acme", "other"].map(|name| {
            let lanes = store.lanes(&org(name)).unwrap();
            lanes.iter().map(|(lane, head)| (lane.number(), head.seq)).collect::<Vec<_>>()
        })
    };
    let several: Vec<_> = [
        ("acme", 1, 2),
        ("acme", 1, 3),
        ("acme", 1, 4),
        ("acme", 2, 1),
        ("other", 2, 1),
        ("other", 2, 2),
        ("acme", 2, 2),
        ("acme", 1, 5),
        ("acme", 1, 6),
    ]
    .map(|(org, lane, seq)| event(org, lane, seq))
    .into();
    assert_eq!(added(&*store, &several, &[]), Commit::Applied);
    let after = [vec![(1, 6), (2, 2)], vec![(2, 2)]];
    assert_eq!(lanes(), after);
    for event in &several {
        let found = store.events(&event.org, event.lane, event.seq - 1, 1).unwrap();
        assert_eq!(found.iter().map(columns).collect::<Vec<_>>(), [columns(event)]);
    }
    let ends = [(lane(1), several[8].head()), (lane(2), several[6].head())];
    assert_eq!(store.lanes(&org("acme")).unwrap(), ends);
    for amiss in [
        [("acme", 1, 7), ("acme", 1, 9)],
        [("acme", 1, 7), ("acme", 1, 7)],
        [("acme", 1, 8), ("acme", 1, 9)],
        [("acme", 1, 7), ("acme", 2, 2)],
        [("acme", 1, 7), ("acme", 3, 2)],
        [("other", 2, 3), ("acme", 2, 4)],
    ] {
        let events = amiss.map(|(org, lane, seq)| event(org, lane, seq)).into();
        assert!(store.commit(&Batch { events, ..Batch::default() }).is_err(), "{amiss:?}");
        assert_eq!(lanes(), after, "{amiss:?}");
        assert!(store.events(&org("acme"), lane(1), 6, 9).unwrap().is_empty(), "{amiss:?}");
    }
}

/// And the refusal says where it ends.
pub fn the_end_of_a_lane_is_expected(factory: &Factory<'_>) {
    let store = factory();
    let (first, second) = (event("acme", 5, 1), event("acme", 5, 2));
    let ends = |head| Expect::Lane(org("acme"), lane(5), head);
    let refused = |found| Commit::Refused { expectation: 0, found };
    assert_eq!(commit(&*store, &[ends(Some(first.head()))], &[]), refused(Found::Nothing));
    assert_eq!(commit(&*store, &[ends(None)], &[]), Commit::Applied);
    added_one(&*store, &first);
    assert_eq!(commit(&*store, &[ends(None)], &[]), refused(Found::Lane(first.head())));
    assert_eq!(commit(&*store, &[ends(Some(first.head()))], &[]), Commit::Applied);
    added_one(&*store, &second);
    assert_eq!(commit(&*store, &[ends(Some(first.head()))], &[]), refused(Found::Lane(second.head())));
    let mut same_number = second.head();
    same_number.mac[48] ^= 1;
    assert_eq!(commit(&*store, &[ends(Some(same_number))], &[]), refused(Found::Lane(second.head())));
    assert_eq!(commit(&*store, &[Expect::Lane(org("other"), lane(5), None)], &[]), Commit::Applied);
}

/// Of what nearly every batch expects, in whatever order, and whatever else does not hold either.
pub fn the_first_that_does_not_hold_is_told(factory: &Factory<'_>) {
    let store = factory();
    let ring = keyring("acme", 7);
    let mut head = inserted(&*store, "acme:taken");
    apply(&*store, &[Change::Keyring(ring.clone())]);
    let mut end = event("acme", 9, 1);
    added_one(&*store, &end);
    let ring_found = Found::Keyring(ring.stamp());
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (number, order) in orders.into_iter().enumerate() {
        // Half of them create, the others change.
        for bits in 0..16_u8 {
            let [secret_holds, lane_holds, ring_holds, creates] = [1, 2, 4, 8].map(|bit| bits & bit == 0);
            let holds = [secret_holds, lane_holds, ring_holds];
            let what = format!("{order:?} {holds:?} {creates}");
            let next = with_next_head(&head);
            let (secret, change) = if creates {
                let address = if secret_holds { format!("acme:free-{number}-{bits}") } else { "acme:taken".to_owned() };
                (Expect::Absent(id(&address)), Change::Insert(record(&address)))
            } else {
                let at = if secret_holds { head.head.generation } else { generation(1_000) };
                (Expect::Generation(org("acme"), head.head.id, at), Change::Replace(next.clone(), None))
            };
            let stale = event("acme", 9, end.seq - u64::from(end.seq > 1)).head();
            let lane_end = if lane_holds { end.head() } else { stale };
            let (mut stamp, follows) = (ring.stamp(), event("acme", 9, lane_end.seq + 1));
            if !ring_holds {
                stamp.commitment[0] ^= 1;
            }
            let expectations = [
                (secret, Found::Secret(head.head.generation)),
                (Expect::Lane(org("acme"), lane(9), Some(lane_end)), Found::Lane(end.head())),
                (Expect::Keyring(org("acme"), Some(stamp)), ring_found),
            ];
            let batch = Batch {
                token: Some(follows.token),
                expectations: order.map(|place| expectations[place].0.clone()).into(),
                changes: vec![change],
                events: vec![follows.clone()],
            };
            let first = order.into_iter().position(|place| !holds[place]);
            let before = contents(&*store, &["acme"]);
            let expected = match first {
                Some(expectation) => Commit::Refused { expectation, found: expectations[order[expectation]].1 },
                None => Commit::Applied,
            };
            assert_eq!(store.commit(&batch).unwrap(), expected, "{what}");
            if first.is_some() {
                assert_eq!(contents(&*store, &["acme"]), before, "{what}");
            } else {
                end = follows;
                head = if creates { head } else { next };
            }
            assert_eq!(store.lanes(&org("acme")).unwrap(), [(lane(9), end.head())], "{what}");
            assert_eq!(store.outcome(&org("acme"), &batch.token.unwrap()).unwrap(), first.is_none(), "{what}");
        }
    }
}

/// However often it is asked for.
pub fn a_token_takes_effect_once(factory: &Factory<'_>) {
    let store = factory();
    let (secret, first) = (record("acme:a"), event("acme", 1, 1));
    let batch = Batch {
        token: Some(first.token),
        expectations: vec![Expect::Absent(id("acme:a"))],
        changes: vec![Change::Insert(secret)],
        events: vec![first.clone()],
    };
    assert!(!store.outcome(&org("acme"), &first.token).unwrap());
    assert_eq!(store.commit(&batch).unwrap(), Commit::Applied);
    assert!(store.outcome(&org("acme"), &first.token).unwrap());
    assert!(!store.outcome(&org("other"), &first.token).unwrap());
    let before = contents(&*store, &["acme"]);
    assert_eq!(store.commit(&batch).unwrap(), Commit::Applied, "it has been");
    assert_eq!(contents(&*store, &["acme"]), before);
    assert_eq!(store.events(&org("acme"), lane(1), 0, 10).unwrap().len(), 1);
    assert!(!store.outcome(&org("acme"), &Token::generate().unwrap()).unwrap());
}

/// Events outlive what they tell of.
pub fn a_deleted_secret_leaves_its_events(factory: &Factory<'_>) {
    let store = factory();
    let secret = inserted(&*store, "acme:a");
    added_one(&*store, &event("acme", 2, 1));
    let gone = Change::Delete(org("acme"), secret.head.id);
    assert_eq!(added(&*store, &[event("acme", 2, 2)], &[gone]), Commit::Applied);
    assert_eq!(store.events(&org("acme"), lane(2), 0, 10).unwrap().len(), 2);
}

/// Byte by byte, each once, in pages.
pub fn ids_are_walked_in_their_order(factory: &Factory<'_>) {
    let store = factory();
    let mut expected: Vec<_> = (0..23).map(|number| inserted(&*store, &format!("acme/p:k{number}")).head.id).collect();
    inserted(&*store, "other:a");
    for last in [0xff, 0x80, 0x7f] {
        let mut secret = record(&format!("acme:x{last}"));
        secret.head.id = StableId::from_bytes([last; 16]);
        apply(&*store, &[Change::Insert(secret)]);
        expected.push(StableId::from_bytes([last; 16]));
    }
    expected.sort();
    for limit in [1, 5, 26, 100] {
        let mut walked: Vec<StableId> = Vec::new();
        loop {
            let page = store.ids(&org("acme"), walked.last().copied(), limit).unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            walked.extend(page);
        }
        assert_eq!(walked, expected, "{limit} at a time");
    }
}

fn lane(number: u8) -> Lane {
    Lane::new(number).unwrap()
}

#[track_caller]
fn added_one(store: &dyn SecretStore, event: &EventRecord) {
    assert_eq!(added(store, std::slice::from_ref(event), &[]), Commit::Applied);
}

fn added(store: &dyn SecretStore, events: &[EventRecord], changes: &[Change]) -> Commit {
    store.commit(&Batch { changes: changes.to_vec(), events: events.to_vec(), ..Batch::default() }).unwrap()
}

fn columns(event: &EventRecord) -> String {
    let EventRecord { org, lane, seq, token, at, body, mac } = event;
    format!("{org} {lane} {seq} {token} {at} {body:?} {:?}", mac.to_bytes())
}
