//! What is authenticated: different things have different bytes, and only what was written is read.

use secretkit_core::internals::parsers;
use secretkit_core::{Part, PartKind, Revision, SecretId, SecretValue, StableId};

/// Two lists of fields have the same encoding only where they are the same; and the input itself, as an encoding.
pub(crate) fn canonical(data: &[u8]) {
    if let Some(fields) = parsers::decoded(data) {
        assert_eq!(parsers::encoded(&fields), data, "what is read is what was written");
    }
    let lists: Vec<Vec<Option<&[u8]>>> = data.splitn(2, |byte| *byte == 0xfe).map(fields).collect();
    let encoded: Vec<_> = lists.iter().map(|fields| parsers::encoded(fields)).collect();
    for (fields, encoded) in lists.iter().zip(&encoded) {
        assert_eq!(parsers::decoded(encoded).as_ref(), Some(fields), "what was written is read");
    }
    if let ([one, other], [first, second]) = (&lists[..], &encoded[..]) {
        assert_eq!(one == other, first == second, "different fields have different bytes");
    }
}

/// Fields between bytes of 255; one that is a single NUL is absent.
fn fields(data: &[u8]) -> Vec<Option<&[u8]>> {
    data.split(|byte| *byte == 0xff).take(255).map(|field| (field != [0]).then_some(field)).collect()
}

/// Two values have the same context only where everything that it is made of is the same.
pub(crate) fn context(data: &[u8]) {
    let Some((numbers, text)) = data.split_first_chunk::<4>() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let [stores, ids, one, other] = *numbers;
    let places = text.split_once('\n').map(|(one, other)| (one.parse::<SecretId>(), other.parse::<SecretId>()));
    let Some((Ok(one_place), Ok(other_place))) = places else { return };
    let made = |place: &SecretId, store: u8, id: u8, revision: u8| {
        let revision = Revision::new(u64::from(revision) + 1).unwrap();
        parsers::context([store; 16], place, &StableId::from_bytes([id; 16]), revision)
    };
    let first = made(&one_place, stores >> 4, ids >> 4, one);
    let second = made(&other_place, stores & 15, ids & 15, other);
    let same = one_place == other_place && stores >> 4 == stores & 15 && ids >> 4 == ids & 15 && one == other;
    assert_eq!(first == second, same, "different places have different contexts");
}

/// The body of an event is what it would be written as, or it is refused.
pub(crate) fn event(data: &[u8]) {
    let org = Part::parse(PartKind::Org, "acme").unwrap();
    if let Some(again) = parsers::event_body(&org, data) {
        assert_eq!(again, data);
    }
}

/// So is a keyset, which only somebody with the wrapping key can have sealed.
pub(crate) fn keyset(data: &[u8]) {
    if let Some(again) = parsers::keyset(&SecretValue::copied_from(data)) {
        assert_eq!(again.expose_secret(), data);
    }
}
