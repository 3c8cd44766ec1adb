//! What a passphrase wraps opens with that passphrase, at the cost that is stored, and with nothing else.

use super::*;
use crate::error::ErrorKind;
use crate::part::PartKind;
use crate::seal::context::StoreId;
use crate::seal::{RootKey, RootKeys};

const STORE: StoreId = StoreId::from_bytes([7; 16]);

fn org(name: &str) -> Part {
    Part::parse(PartKind::Org, name).unwrap()
}

/// Cheap, so that hundreds of derivations take no time.
fn provider(passphrase: &[u8]) -> PassphraseKey {
    let cost = PassphraseCost::new(16, 1, 1).unwrap();
    PassphraseKey::new(SecretValue::copied_from(passphrase)).unwrap().with_cost(cost)
}

fn wrapping_key() -> WrappingKey {
    WrappingKey(Key::copied_from(&[5; 32]))
}

fn wrap(provider: &dyn KeyProvider, org: &Part) -> Wrapped {
    provider.wrap(&wrapping_key(), &Binding { store: &STORE, org, version: 1 }).unwrap()
}

fn unwrap(provider: &dyn KeyProvider, wrapped: &Wrapped, org: &Part) -> Result<WrappingKey> {
    provider.unwrap(wrapped, &Binding { store: &STORE, org, version: 1 })
}

#[track_caller]
fn refused(provider: &dyn KeyProvider, wrapped: &Wrapped, org: &Part, kind: ErrorKind) -> String {
    let error = unwrap(provider, wrapped, org).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    format!("{error} {error:?}")
}

fn altered(wrapped: &Wrapped, at: usize, with: &[u8]) -> Wrapped {
    let mut bytes = wrapped.bytes.clone();
    bytes[at..at + with.len()].copy_from_slice(with);
    Wrapped { bytes, kek: wrapped.kek.clone() }
}

fn salts(provider: &PassphraseKey) -> usize {
    provider.derived.lock().unwrap().len()
}

#[test]
fn the_same_passphrase_opens_in_another_process_and_another_does_not() {
    let acme = org("acme");
    let wrapped = wrap(&provider(b"correct horse"), &acme);
    assert_eq!(wrapped.bytes.len(), 168);
    assert_eq!(format!("{:?}", provider(b"correct horse")), "PassphraseKey([REDACTED])");
    let opened = unwrap(&provider(b"correct horse"), &wrapped, &acme).unwrap();
    assert_eq!(opened.expose_secret(), &[5; 32]);
    for other in [&b"correct horsf"[..], b"correct horse ", b"Correct horse", b"x"] {
        let told = refused(&provider(other), &wrapped, &acme, ErrorKind::WrongRootKey);
        assert!(told.contains("altered") && !told.contains("horse"), "{told}");
    }
}

#[test]
fn a_key_is_derived_once_for_all_keyrings_of_a_process() {
    let (first, second) = (org("first"), org("second"));
    let maker = provider(b"correct horse");
    let (one, two) = (wrap(&maker, &first), wrap(&maker, &second));
    assert_eq!(one.kek, two.kek);
    assert_ne!(one.bytes, two.bytes);
    let opener = provider(b"correct horse");
    unwrap(&opener, &one, &first).unwrap();
    unwrap(&opener, &two, &second).unwrap();
    assert_eq!(salts(&opener), 1);
    // Whoever opened a keyring wraps the next one so that it opens for nothing too.
    assert_eq!(wrap(&opener, &org("third")).kek, one.kek);
    assert_eq!(salts(&opener), 1);
}

#[test]
fn nothing_is_wrapped_under_a_salt_that_a_wrong_passphrase_was_tried_on() {
    let acme = org("acme");
    let wrapped = wrap(&provider(b"correct horse"), &acme);
    let wrong = provider(b"battery staple");
    refused(&wrong, &wrapped, &acme, ErrorKind::WrongRootKey);
    refused(&wrong, &wrapped, &acme, ErrorKind::WrongRootKey);
    assert_eq!(salts(&wrong), 1, "a second try costs nothing");
    assert_ne!(wrap(&wrong, &acme).kek, wrapped.kek);
}

#[test]
fn a_cost_of_before_opens_and_the_next_wrap_has_that_of_today() {
    let acme = org("acme");
    let before = wrap(&provider(b"correct horse"), &acme);
    let today = provider(b"correct horse").with_cost(PassphraseCost::new(64, 2, 1).unwrap());
    unwrap(&today, &before, &acme).unwrap();
    let after = wrap(&today, &acme);
    assert_ne!(after.kek, before.kek);
    assert_eq!(after.bytes[COST_AT..RECORD_AT], [0, 0, 0, 64, 0, 0, 0, 2, 0, 0, 0, 1]);
    unwrap(&provider(b"correct horse"), &after, &acme).unwrap();
}

#[test]
fn what_was_derived_for_an_altered_store_is_not_kept_without_end() {
    let acme = org("acme");
    let opener = provider(b"correct horse");
    for _ in 0..MOST_DERIVED + 10 {
        refused(&opener, &wrap(&provider(b"somebody else"), &acme), &acme, ErrorKind::WrongRootKey);
    }
    assert_eq!(salts(&opener), MOST_DERIVED);
}

#[test]
fn p1_only_exactly_this_layout_is_read() {
    let acme = org("acme");
    let provider = provider(b"correct horse");
    let wrapped = wrap(&provider, &acme);
    for length in (0..BYTES).chain([BYTES + 1, BYTES + 16]) {
        let mut bytes = wrapped.bytes.to_vec();
        bytes.resize(length, 0);
        refused(&provider, &Wrapped { bytes: bytes.into(), kek: wrapped.kek.clone() }, &acme, ErrorKind::Corrupt);
    }
    for (at, with) in [(0, b'X'), (3, b'2'), (4, 0), (5, 0), (5, 2), (6, 1), (7, 1), (RECORD_AT, b'X')] {
        refused(&provider, &altered(&wrapped, at, &[with]), &acme, ErrorKind::Corrupt);
    }
    let told = refused(&provider, &altered(&wrapped, 4, &[2]), &acme, ErrorKind::Unsupported);
    assert!(told.contains("version 2"), "{told}");
}

#[test]
fn p2_an_absurd_cost_is_refused_before_anything_is_computed() {
    let acme = org("acme");
    let provider = provider(b"correct horse");
    let wrapped = wrap(&provider, &acme);
    let most = u32::MAX;
    for (memory, passes, lanes) in [
        (most, 3, 1),
        ((1 << 20) + 1, 1, 1),
        (1 << 20, 3, 1),
        (16, most, 1),
        (most, most, most),
        (16, 1, most),
        (1 << 10, 1, 17),
        (16, 1, 3),
        (7, 1, 1),
        (0, 1, 1),
        (16, 0, 1),
        (16, 1, 0),
    ] {
        let cost = [memory, passes, lanes].map(u32::to_be_bytes).concat();
        let told = refused(&provider, &altered(&wrapped, COST_AT, &cost), &acme, ErrorKind::Unsupported);
        assert!(told.contains("altered"), "{told}");
        assert_eq!(PassphraseCost::new(memory, passes, lanes).unwrap_err().kind(), ErrorKind::InvalidMetadata);
    }
    assert_eq!(salts(&provider), 1, "none of them was computed");
    for (memory, passes, lanes) in [(1 << 20, 2, 16), (8, 1, 1), (128, 1, 16)] {
        PassphraseCost::new(memory, passes, lanes).unwrap();
    }
    assert!(PassphraseCost::default().refusal().is_none());
}

#[test]
fn p3_the_name_of_the_root_key_is_the_salt_and_says_its_kind() {
    let acme = org("acme");
    let provider = provider(b"correct horse");
    let wrapped = wrap(&provider, &acme);
    let salt = &wrapped.bytes[RECORD_AT + 8..RECORD_AT + 24];
    let hex: String = salt.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(wrapped.kek.as_str(), format!("passphrase:{hex}"));
    let named = |kek: &str| Wrapped { kek: KekId::parse(kek).unwrap(), bytes: wrapped.bytes.clone() };
    refused(&provider, &named(&format!("passphrase:{}", "0".repeat(32))), &acme, ErrorKind::Corrupt);
    refused(&provider, &named("passphrase:"), &acme, ErrorKind::Corrupt);
    // Another kind of root key altogether: nothing is parsed or computed.
    let told = refused(&provider, &named(&hex), &acme, ErrorKind::WrongRootKey);
    assert!(told.contains("a passphrase"), "{told}");
}

#[test]
fn p4_a_wrapped_key_of_another_length_is_refused() {
    let acme = org("acme");
    let provider = provider(b"correct horse");
    let wrapped = wrap(&provider, &acme);
    let derived = provider.for_wrapping().unwrap();
    let binding = Binding { store: &STORE, org: &acme, version: 1 };
    for length in [0, 16, 31, 33, 64] {
        let value = SecretValue::init_with(length, |_| ());
        let id = KeyId::from_bytes(derived.salt);
        let record = SealedValue::seal(&derived.key, id, &binding.context(), &value).unwrap();
        let bytes = [&wrapped.bytes[..RECORD_AT], record.as_bytes()].concat();
        let forged = Wrapped { bytes: bytes.into(), kek: wrapped.kek.clone() };
        refused(&provider, &forged, &acme, ErrorKind::Corrupt);
    }
}

#[test]
fn p5_a_wrong_passphrase_and_an_altered_record_give_one_error() {
    let (acme, rival) = (org("acme"), org("rival"));
    let maker = provider(b"correct horse");
    let wrapped = wrap(&maker, &acme);
    let expected = Error::WrongPassphrase { org: acme.clone() }.to_string();
    let said = |provider: &PassphraseKey, wrapped: &Wrapped| unwrap(provider, wrapped, &acme).unwrap_err().to_string();
    assert_eq!(said(&provider(b"battery staple"), &wrapped), expected);
    // Every bit of salt, nonce, commitment, ciphertext and tag; those before are the header's, with errors of their own.
    for at in RECORD_AT + 24..BYTES {
        for bit in 0..8 {
            assert_eq!(said(&maker, &altered(&wrapped, at, &[wrapped.bytes[at] ^ (1 << bit)])), expected, "byte {at}");
        }
    }
    // A legal cost that is not the one it was made at, another org, another version, another store.
    assert_eq!(said(&maker, &altered(&wrapped, COST_AT, &[0, 0, 0, 32])), expected);
    assert_eq!(unwrap(&maker, &wrapped, &rival).unwrap_err().kind(), ErrorKind::WrongRootKey);
    for (store, version) in [(STORE, 2), (StoreId::from_bytes([8; 16]), 1)] {
        let binding = Binding { store: &store, org: &acme, version };
        assert_eq!(maker.unwrap(&wrapped, &binding).unwrap_err().to_string(), expected);
    }
}

/// The vector was made from `docs/format.md` with other libraries.
#[test]
fn the_worked_vector_opens() {
    let vector: serde_json::Value = serde_json::from_str(include_str!("../../../testkit/passphrase-v1.json")).unwrap();
    let text = |field: &str| vector[field].as_str().unwrap().to_owned();
    let hex = |field: &str| -> Vec<u8> {
        let text = text(field);
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    let store = StoreId::from_bytes(hex("store_id").try_into().unwrap());
    let org = org(&text("org"));
    let binding = Binding { store: &store, org: &org, version: vector["version"].as_u64().unwrap() };
    let wrapped = Wrapped { kek: KekId::parse(&text("kek_id")).unwrap(), bytes: hex("wrapped_key").into() };
    let opened = provider(text("passphrase").as_bytes()).unwrap(&wrapped, &binding).unwrap();
    assert_eq!(opened.expose_secret()[..], hex("wrapping_key"));
}

#[test]
fn a_passphrase_takes_its_place_among_other_root_keys() {
    let acme = org("acme");
    let file = Arc::new(RootKey::generate().unwrap());
    let (old, new) = (Arc::new(provider(b"correct horse")), Arc::new(provider(b"battery staple")));
    let (by_file, by_old) = (wrap(&*file, &acme), wrap(&*old, &acme));
    let all = RootKeys::new(new).with_previous(file).with_previous(old);
    unwrap(&all, &by_file, &acme).unwrap();
    unwrap(&all, &by_old, &acme).unwrap();
    let after = wrap(&all, &acme);
    unwrap(&provider(b"battery staple"), &after, &acme).unwrap();
    refused(&provider(b"correct horse"), &after, &acme, ErrorKind::WrongRootKey);
    let stranger = RootKeys::new(Arc::new(RootKey::generate().unwrap())).with_previous(Arc::new(provider(b"x")));
    refused(&stranger, &after, &acme, ErrorKind::WrongRootKey);
}

#[test]
fn the_default_cost_is_stored_and_paid_once() {
    let provider = PassphraseKey::new(SecretValue::copied_from(b"correct horse")).unwrap();
    let acme = org("acme");
    let wrapped = wrap(&provider, &acme);
    // 128 MiB, 3 passes, 1 lane.
    assert_eq!(wrapped.bytes[COST_AT..RECORD_AT], [0, 2, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1]);
    unwrap(&provider, &wrapped, &acme).unwrap();
    assert_eq!(salts(&provider), 1);
}

#[test]
fn empty_and_endless_passphrases_are_refused_and_a_line_end_is_dropped_once() {
    for length in [0, PassphraseKey::MAX_BYTES + 1] {
        let error = PassphraseKey::new(SecretValue::init_with(length, |bytes| bytes.fill(b'x'))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidMetadata);
    }
    let text = |text: &[u8]| PassphraseKey::from_text(text).map(|key| key.passphrase.expose_secret().to_vec());
    assert_eq!(text(b"a b").unwrap(), b"a b");
    assert_eq!(text(b"a b\n").unwrap(), b"a b");
    assert_eq!(text(b"a b\r\n").unwrap(), b"a b");
    assert_eq!(text(b"a b\n\n").unwrap(), b"a b\n");
    assert_eq!(text(b" a\r").unwrap(), b" a\r");
    for empty in [&b""[..], b"\n", b"\r\n"] {
        assert_eq!(text(empty).unwrap_err().kind(), ErrorKind::InvalidMetadata);
    }
}
