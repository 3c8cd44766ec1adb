//! An event is read as it was recorded, and only where it was recorded.

use super::*;
use crate::seal::{KeyId, RootKey, StoreId};

const TOKEN: Token = Token::from_bytes([6; 16]);
const AT: Timestamp = Timestamp::from_micros(7);

fn org(name: &str) -> Part {
    Part::parse(PartKind::Org, name).unwrap()
}

fn keys() -> OrgKeys {
    OrgKeys::create(StoreId::from_bytes([7; 16]), &org("acme"), &RootKey::generate().unwrap(), AT).unwrap().0
}

fn secret(address: &str, head: Option<[u8; 32]>, consumer: Option<&str>) -> Subject {
    let consumer = consumer.map(|name| name.parse().unwrap());
    let (generation, revision) = (Generation::new(4).unwrap(), Revision::new(3).unwrap());
    let (id, address) = (StableId::from_bytes([9; 16]), address.parse().unwrap());
    Subject::Secret { id, address, generation, revision, head, consumer }
}

fn record(action: Action, by: &str, subject: Subject, previous: Option<&LaneHead>, keys: &OrgKeys) -> EventRecord {
    let draft = Draft { action, by: &Actor::parse(by).unwrap(), subject };
    draft.chained(&org("acme"), (Lane::FIRST, previous), TOKEN, AT, keys).unwrap()
}

/// Three events of a lane; of the last one every field of a secret is there.
fn lane(keys: &OrgKeys) -> [EventRecord; 3] {
    let first = record(Action::CreateKeyring, "root", Subject::Keyring { version: 5 }, None, keys);
    let second = record(Action::Create, "alice", secret("acme:token", None, None), Some(&first.head()), keys);
    let all = secret("acme/etl/production:db/password", Some([8; 32]), Some("job"));
    let third = record(Action::AddConsumer, "bob", all, Some(&second.head()), keys);
    [first, second, third]
}

#[test]
fn an_event_verifies_behind_the_one_that_it_followed_and_nowhere_else() {
    let keys = keys();
    let [first, second, third] = lane(&keys);
    assert_eq!([first.seq, second.seq, third.seq], [1, 2, 3]);
    let verifies = |event: &EventRecord, previous: Option<&LaneHead>| match event.verify(previous, None, &keys) {
        Ok(event) => Some(event.seq),
        Err(error) => {
            assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
            None
        }
    };
    assert_eq!(verifies(&first, None), Some(1));
    assert_eq!(verifies(&second, Some(&first.head())), Some(2));
    assert_eq!(verifies(&third, Some(&second.head())), Some(3));
    assert_eq!(verifies(&second, None), None);
    assert_eq!(verifies(&third, Some(&first.head())), None);
    // What it followed in everything but one: its number, which is not part of the chain, or its authenticator, which is.
    let LaneHead { seq, mac } = second.head();
    for number in [0, seq - 1, seq + 1, u64::MAX] {
        assert_eq!(verifies(&third, Some(&LaneHead { seq: number, mac })), None, "behind number {number}");
    }
    for at in 17..Mac::BYTES {
        let mut mac = mac;
        mac[at] ^= 1;
        assert_eq!(verifies(&third, Some(&LaneHead { seq, mac })), None, "byte {at}");
    }
}

#[test]
fn every_single_changed_column_of_an_event_is_refused() {
    let keys = keys();
    let [_, second, third] = lane(&keys);
    let previous = second.head();
    assert!(third.verify(Some(&previous), None, &keys).is_ok());
    let body = |at: usize| {
        let mut body = third.body.clone();
        body[at] ^= 1;
        body
    };
    let mut changed = vec![
        ("org", EventRecord { org: org("rival"), ..third.clone() }),
        ("lane", EventRecord { lane: Lane::new(1).unwrap(), ..third.clone() }),
        ("token", EventRecord { token: Token::from_bytes([5; 16]), ..third.clone() }),
        ("time", EventRecord { at: Timestamp::from_micros(8), ..third.clone() }),
    ];
    changed.extend((0..third.body.len()).map(|at| ("body", EventRecord { body: body(at), ..third.clone() })));
    for at in 0..32 {
        let Mac { key, mut tag } = third.mac;
        tag[at] ^= 1;
        changed.push(("authenticator", EventRecord { mac: Mac { key, tag }, ..third.clone() }));
    }
    for (column, event) in changed {
        let refused = event.verify(Some(&previous), None, &keys).unwrap_err();
        assert!(matches!(refused, Error::Corrupt { .. }), "{column}: {refused:?}");
    }
    // Its number together with that of the one before, so that it follows.
    let (moved, before) = (EventRecord { seq: 4, ..third.clone() }, LaneHead { seq: 3, ..previous });
    assert!(matches!(moved.verify(Some(&before), None, &keys), Err(Error::Corrupt { .. })));
    let unknown = Mac { key: KeyId::from_bytes([0; 16]), ..third.mac };
    let refused = EventRecord { mac: unknown, ..third.clone() }.verify(Some(&previous), None, &keys);
    assert!(matches!(refused, Err(Error::UnknownKey { .. })), "key: {refused:?}");
    assert!(third.verify(Some(&previous), None, &self::keys()).is_err(), "keys of somebody else");
}

/// Whatever event was read before it: what both have in common is shared, and nothing else is taken over.
#[test]
fn an_event_is_read_as_it_was_recorded_whichever_was_read_before() {
    let keys = keys();
    let subjects = [
        Subject::Keyring { version: u64::MAX },
        secret("acme:token", None, None),
        secret("acme/etl:token", Some([1; 32]), None),
        secret("acme/*/etl:etl/token", None, Some("job")),
        secret("acme/etl/production:db/token", Some([1; 32]), Some("task")),
        secret("acme/other/staging:web/token", Some([2; 32]), Some("job")),
    ];
    let mut recorded = Vec::new();
    for subject in subjects {
        for by in ["alice", "bob"] {
            let action = match subject {
                Subject::Keyring { .. } => Action::ChangeKeyring,
                Subject::Secret { .. } => Action::Edit,
            };
            let written = format!("{:?}", (action, Actor::parse(by).unwrap(), &subject));
            recorded.push((record(action, by, subject.clone(), None, &keys), written));
        }
    }
    for (event, written) in &recorded {
        assert_eq!(format!("{:?}", event.read(None).unwrap()), *written);
        for (before, _) in &recorded {
            let before = before.verify(None, None, &keys).unwrap();
            let (action, by, subject) = event.read(Some(&before)).unwrap();
            assert_eq!(by.as_str().as_ptr() == before.by.as_str().as_ptr(), by == before.by);
            if let (Subject::Secret { address, .. }, Some(known)) = (&subject, before.address()) {
                let parts = |id: &SecretId| {
                    let parts = [id.scope().project(), id.scope().domain(), id.name().group()];
                    parts.map(|part| part.map(|part| (part.clone(), part.as_str().as_ptr())))
                };
                for (part, known) in parts(address).into_iter().zip(parts(known)) {
                    if let (Some((part, here)), Some((known, there))) = (part, known) {
                        assert_eq!(here == there, part == known, "{part} and {known}");
                    }
                }
            }
            assert_eq!(format!("{:?}", (action, by, subject)), *written, "after {before:?}");
        }
    }
}

#[test]
fn an_action_prints_as_it_is_serialized_and_a_lane_as_its_number() {
    let words = Action::ALL.map(|action| {
        assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
        assert_eq!(action.to_string(), action.as_str());
        action.as_str()
    });
    assert_eq!(words[..3], ["create", "update", "edit"]);
    assert_eq!(Lane::all().map(Lane::number).collect::<Vec<_>>(), (0..16).collect::<Vec<_>>());
    assert_eq!(Lane::new(15).map(|lane| lane.to_string()).as_deref(), Some("15"));
    assert_eq!(Lane::new(16), None);
    let digits = "06".repeat(16);
    assert_eq!((TOKEN.to_string(), format!("{TOKEN:?}")), (digits.clone(), format!("Token({digits})")));
}

#[test]
fn every_action_is_on_the_page_of_the_command() {
    let page = include_str!("../../../docs/cli.md");
    let row = page.lines().find(|line| line.starts_with("| `action` |")).unwrap();
    for action in Action::ALL {
        assert!(row.contains(&format!("`{action}`")), "{action}");
    }
}
