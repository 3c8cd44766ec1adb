//! Records under attack: nothing but the untouched bytes in their own place opens.

use proptest::prelude::*;

use super::canonical::Canonical;
use super::context::{Context, Purpose, StoreId};
use super::primitives::{self, Key, RecordKeys};
use super::sealed::{Refusal, SealedValue};
use super::{Binding, KeyId, KeyProvider, OrgKeys, RootKey, Wrapped};
use crate::digest::Digest;
use crate::error::{Error, ErrorKind};
use crate::head::{Head, Stamp};
use crate::id::{SecretId, SecretName, StableId};
use crate::metadata::{Description, Metadata, Tags};
use crate::part::{Part, PartKind};
use crate::people::Actor;
use crate::record::{Generation, Revision};
use crate::scope::Scope;
use crate::time::Timestamp;
use crate::usage::{ConsumerRecord, UsageRecord};
use crate::value::SecretValue;

const STORE: StoreId = StoreId::from_bytes([7; 16]);
const SECRET: StableId = StableId::from_bytes([9; 16]);

fn key(byte: u8) -> Key {
    Key::copied_from(&[byte; 32])
}

fn address(text: &str) -> SecretId {
    text.parse().unwrap()
}

fn seal(id: &SecretId, value: &[u8]) -> SealedValue {
    let context = Context::value(&STORE, id, &SECRET, Revision::FIRST);
    SealedValue::seal(&key(1), KeyId::from_bytes([2; 16]), &context, &SecretValue::copied_from(value)).unwrap()
}

fn open(sealed: &SealedValue, id: &SecretId) -> Result<Vec<u8>, Refusal> {
    let context = Context::value(&STORE, id, &SECRET, Revision::FIRST);
    sealed.open(&key(1), &context).map(|value| value.expose_secret().to_vec())
}

#[test]
fn every_bit_flip_truncation_and_extension_is_refused() {
    let id = address("acme/etl/production:db/password");
    let sealed = seal(&id, b"hunter2");
    assert_eq!(open(&sealed, &id).unwrap(), b"hunter2");
    let bytes = sealed.as_bytes();
    let refused = |altered: &[u8]| match SealedValue::from_bytes(altered) {
        Ok(altered) => {
            // A record under another key id is refused when the keyring is asked for that key.
            altered.key_id() != sealed.key_id() || open(&altered, &id).is_err()
        }
        Err(error) => error.kind() == ErrorKind::Corrupt,
    };
    let mut mutations = 0;
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut altered = bytes.to_vec();
            altered[at] ^= 1 << bit;
            assert!(refused(&altered), "bit {bit} of byte {at}");
            mutations += 1;
        }
    }
    for length in 0..bytes.len() {
        assert!(refused(&bytes[..length]), "cut to {length}");
        mutations += 1;
    }
    for extra in 1..=64 {
        let mut longer = bytes.to_vec();
        longer.resize(bytes.len() + extra, 0);
        assert!(refused(&longer), "{extra} bytes more");
        mutations += 1;
    }
    assert_eq!(mutations, 8 * 123 + 123 + 64);
}

#[test]
fn r1_the_longest_value_is_sealed_and_opened_and_a_longer_one_is_neither() {
    let id = address("acme:token");
    let longest = vec![7; SecretValue::MAX_BYTES];
    let sealed = seal(&id, &longest);
    assert_eq!(format!("{sealed:?}"), format!("SealedValue(1048692 bytes under key {})", sealed.key_id()));
    let mut bytes = sealed.as_bytes().to_vec();
    assert!(open(&SealedValue::from_bytes(&bytes).unwrap(), &id).unwrap() == longest);
    bytes.push(0);
    assert_eq!(SealedValue::from_bytes(&bytes).unwrap_err().kind(), ErrorKind::Corrupt);
    let (longer, context) = ([&longest[..], b"7"].concat(), Context::value(&STORE, &id, &SECRET, Revision::FIRST));
    let refused = SealedValue::seal(&key(1), KeyId::from_bytes([2; 16]), &context, &SecretValue::copied_from(&longer));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn a_flipped_key_id_is_refused_even_under_the_same_key() {
    let id = address("acme:token");
    let mut altered = seal(&id, b"t0k3n").as_bytes().to_vec();
    altered[8] ^= 1;
    assert_eq!(open(&SealedValue::from_bytes(&altered).unwrap(), &id), Err(Refusal::Commitment));
}

#[test]
fn each_check_refuses_at_its_own_layer() {
    let id = address("acme:token");
    let sealed = seal(&id, b"t0k3n");
    let flipped = |at: usize| {
        let mut altered = sealed.as_bytes().to_vec();
        altered[at] ^= 1;
        open(&SealedValue::from_bytes(&altered).unwrap(), &id)
    };
    for at in 4..8 {
        assert_eq!(flipped(at), Err(Refusal::Header), "byte {at}");
    }
    for at in (8..100).step_by(7) {
        assert_eq!(flipped(at), Err(Refusal::Commitment), "byte {at}");
    }
    for at in 100..sealed.as_bytes().len() {
        assert_eq!(flipped(at), Err(Refusal::Tag), "byte {at}");
    }
}

#[test]
fn every_single_changed_field_of_the_context_is_refused() {
    let part = |text: &str| Part::parse(PartKind::Key, text).unwrap();
    let (org, project, domain, group, name) = (part("o"), part("p"), part("d"), part("g"), part("k"));
    let (other, other_store, other_secret) = (part("x"), StoreId::from_bytes([8; 16]), StableId::from_bytes([1; 16]));
    let whole = || Context {
        store: &STORE,
        purpose: Purpose::Value,
        org: &org,
        project: Some(&project),
        domain: Some(&domain),
        group: Some(&group),
        key: Some(&name),
        secret: Some(&SECRET),
        number: 1,
    };
    let sealed =
        SealedValue::seal(&key(1), KeyId::from_bytes([2; 16]), &whole(), &SecretValue::copied_from(b"v")).unwrap();
    assert!(sealed.open(&key(1), &whole()).is_ok());
    let changed = [
        ("store", Context { store: &other_store, ..whole() }),
        ("org", Context { org: &other, ..whole() }),
        ("project", Context { project: Some(&other), ..whole() }),
        ("no project", Context { project: None, ..whole() }),
        ("domain", Context { domain: Some(&other), ..whole() }),
        ("no domain", Context { domain: None, ..whole() }),
        ("project and domain exchanged", Context { project: Some(&domain), domain: Some(&project), ..whole() }),
        ("group", Context { group: Some(&other), ..whole() }),
        ("no group", Context { group: None, ..whole() }),
        ("key", Context { key: Some(&other), ..whole() }),
        ("secret", Context { secret: Some(&other_secret), ..whole() }),
        ("revision", Context { number: 2, ..whole() }),
    ];
    for (field, context) in changed {
        assert_eq!(sealed.open(&key(1), &context).err(), Some(Refusal::Commitment), "{field}");
    }
    let purpose = Context { purpose: Purpose::Keyset, ..whole() };
    assert_eq!(sealed.open(&key(1), &purpose).err(), Some(Refusal::Header), "purpose");
    assert_eq!(sealed.open(&key(3), &whole()).err(), Some(Refusal::Commitment), "data key");
}

/// One ciphertext that the bare cipher opens under two keys, computed in 0.3 s on a laptop: the attack that the
/// commitment is for.
#[test]
fn a_two_key_ciphertext_opens_under_one_key_at_most() {
    let text = include_str!("../../testkit/two_key_vector.json");
    let vector: serde_json::Value = serde_json::from_str(text).unwrap();
    let field = |name: &str| unhex(vector[name].as_str().unwrap());
    let keys: [[u8; 32]; 2] = [field("k1").try_into().unwrap(), field("k2").try_into().unwrap()];
    let nonce: [u8; 12] = field("nonce").try_into().unwrap();
    let (ciphertext, associated) = (field("ct"), vector["aad"].as_str().unwrap().as_bytes());
    let (body, tag) = ciphertext.split_at(ciphertext.len() - 16);

    // The control: without a commitment both keys are content, with two different texts.
    for (key, plain) in keys.iter().zip([field("pt1"), field("pt2")]) {
        let mut buffer = body.to_vec();
        primitives::decrypt(key, &nonce, associated, &mut buffer, tag.try_into().unwrap()).unwrap();
        assert_eq!(buffer, plain);
    }

    // The same ciphertext and nonce in a record, under each commitment that it can carry.
    let commitments = [[0x11; 32], [0x22; 32]];
    let record_keys = |which: usize| RecordKeys { encryption: keys[which].into(), commitment: commitments[which] };
    for (carried, commitment) in commitments.iter().enumerate() {
        let mut bytes = b"SKR1\x01\x01\x01\x00".to_vec();
        bytes.extend_from_slice(&[5; 16 + 32]);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(commitment);
        bytes.extend_from_slice(&ciphertext);
        let record = SealedValue::from_bytes(&bytes).unwrap();
        let other = 1 - carried;
        assert_eq!(record.open_with(&record_keys(other), associated).err(), Some(Refusal::Commitment));
        // Its own key gets as far as the tag, which this record's longer associated data does not satisfy either.
        assert_eq!(record.open_with(&record_keys(carried), associated).err(), Some(Refusal::Tag));
    }
}

#[test]
fn k2_a_wrapped_key_opens_only_for_its_store_org_and_version() {
    let root = RootKey::from_bytes(&[3; 32]);
    let org = Part::parse(PartKind::Org, "acme").unwrap();
    let other_org = Part::parse(PartKind::Org, "rival").unwrap();
    let (keys, row) = OrgKeys::create(STORE, &org, &root, Timestamp::from_micros(1)).unwrap();
    assert_eq!(OrgKeys::open(STORE, &row, &root).unwrap().stamp(), keys.stamp());

    let kind = |row: &super::KeyringRow, store, root: &RootKey| OrgKeys::open(store, row, root).unwrap_err().kind();
    let stranger = RootKey::from_bytes(&[4; 32]);
    assert_eq!(kind(&row, STORE, &stranger), ErrorKind::WrongRootKey);
    assert_eq!(kind(&row, StoreId::from_bytes([0; 16]), &root), ErrorKind::Corrupt);
    assert_eq!(kind(&super::KeyringRow { org: other_org, ..row.clone() }, STORE, &root), ErrorKind::Corrupt);
    assert_eq!(kind(&super::KeyringRow { version: 2, ..row.clone() }, STORE, &root), ErrorKind::Corrupt);
    // A stranger who claims the right root key's name still has the wrong key.
    let forged = Wrapped { kek: super::KekId::parse(&stranger.id().to_string()).unwrap(), ..row.wrapped.clone() };
    assert_eq!(kind(&super::KeyringRow { wrapped: forged, ..row.clone() }, STORE, &stranger), ErrorKind::Corrupt);
}

#[test]
fn k1_a_wrapped_key_of_another_length_is_refused() {
    let root = RootKey::from_bytes(&[3; 32]);
    let org = Part::parse(PartKind::Org, "acme").unwrap();
    let binding = Binding { store: &STORE, org: &org, version: 1 };
    for length in [0, 16, 31, 33, 64] {
        let value = SecretValue::init_with(length, |_| ());
        let sealed = SealedValue::seal(&Key::copied_from(&[3; 32]), root.id(), &binding.context(), &value).unwrap();
        let kek = super::KekId::parse(&root.id().to_string()).unwrap();
        let refused = root.unwrap(&Wrapped { kek, bytes: sealed.as_bytes().into() }, &binding);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Corrupt, "{length} bytes");
    }
}

#[test]
fn what_is_printed_of_an_orgs_keys_is_whose_they_are_and_their_ids() {
    let org = Part::parse(PartKind::Org, "acme").unwrap();
    let (keys, _) = OrgKeys::create(STORE, &org, &RootKey::from_bytes(&[3; 32]), Timestamp::from_micros(1)).unwrap();
    let printed = format!("{keys:?}");
    assert!(printed.starts_with("OrgKeys { org: Part(\"acme\"), version: 1, keys: ["), "{printed}");
    for info in keys.infos() {
        let key = format!("({:?}, Primary, KeyId({}))", info.used_for, info.id);
        assert!(printed.contains(&key), "{printed} holds no {key}");
    }
}

#[test]
fn a_newer_format_is_named_and_not_guessed_at() {
    let org = Part::parse(PartKind::Org, "acme").unwrap();
    let root = RootKey::from_bytes(&[3; 32]);
    let (keys, _) = OrgKeys::create(STORE, &org, &root, Timestamp::from_micros(1)).unwrap();
    let id = address("acme:token");
    let sealed = keys.seal(&id, &SECRET, Revision::FIRST, &SecretValue::copied_from(b"v")).unwrap();
    let mut newer = sealed.as_bytes().to_vec();
    newer[4] = 2;
    let error = keys.open_value(&id, &SECRET, Revision::FIRST, &SealedValue::from_bytes(&newer).unwrap());
    assert!(matches!(error, Err(Error::NewerFormat { found: 2, supported: 1, .. })));
}

#[test]
fn d1_equal_values_have_different_digests_at_different_addresses() {
    let org = Part::parse(PartKind::Org, "acme").unwrap();
    let root = RootKey::from_bytes(&[3; 32]);
    let (keys, _) = OrgKeys::create(STORE, &org, &root, Timestamp::from_micros(1)).unwrap();
    let (rival, _) = OrgKeys::create(STORE, &org, &root, Timestamp::from_micros(1)).unwrap();
    let digest = |keys: &OrgKeys, id: &str, value: &[u8]| {
        keys.digest(&address(id), &SecretValue::copied_from(value), None).unwrap().tag
    };
    let known = digest(&keys, "acme:token", b"t0k3n");
    assert_eq!(known, digest(&keys, "acme:token", b"t0k3n"), "it can be checked against");
    assert_ne!(known, digest(&keys, "acme:token", b"t0k3N"));
    assert_ne!(known, digest(&rival, "acme:token", b"t0k3n"), "it is keyed");
    for elsewhere in ["acme:other", "acme:g/token", "acme/p:token", "acme/*/p:token", "acme/p/d:token"] {
        assert_ne!(known, digest(&keys, elsewhere, b"t0k3n"), "{elsewhere}");
    }
}

/// The vector was made by another program from `docs/format.md`; `examples/python/open_vector.py` opens it too.
#[test]
fn the_worked_vector_of_the_format_document_holds() {
    let vector: serde_json::Value = serde_json::from_str(include_str!("../../testkit/record-v1.json")).unwrap();
    let hex = |field: &serde_json::Value| unhex(field.as_str().unwrap());
    let (row, head) = (&vector["keyring"], &vector["head"]);
    let text = |field: &str| head[field].as_str();
    let number = |field: &str| head[field].as_u64().unwrap();
    let stamp = |which: &str| Stamp {
        at: Timestamp::from_micros(head[format!("{which}_at")].as_i64().unwrap()),
        by: Actor::parse(text(&format!("{which}_by")).unwrap()).unwrap(),
    };

    let store = StoreId::from_bytes(hex(&vector["store_id"]).try_into().unwrap());
    let root = RootKey::from_bytes(&hex(&vector["root_key"]).try_into().unwrap());
    let keyring = super::KeyringRow {
        org: Part::parse(PartKind::Org, row["org"].as_str().unwrap()).unwrap(),
        version: row["version"].as_u64().unwrap(),
        wrapped: Wrapped {
            kek: super::KekId::parse(row["kek_id"].as_str().unwrap()).unwrap(),
            bytes: hex(&row["wrapped_key"]).into(),
        },
        keyset: SealedValue::from_bytes(&hex(&row["keyset"])).unwrap(),
    };
    let keys = OrgKeys::open(store, &keyring, &root).unwrap();

    let scope = Scope::from_parts(text("org").unwrap(), text("project"), text("domain")).unwrap();
    let head = Head {
        id: text("id").unwrap().parse().unwrap(),
        address: SecretId::new(scope, SecretName::from_parts(text("group"), text("key").unwrap()).unwrap()),
        generation: Generation::new(number("generation")).unwrap(),
        revision: Revision::new(number("revision")).unwrap(),
        first_revision: Revision::new(number("first_revision")).unwrap(),
        keep: None,
        metadata: Metadata {
            inactive_since: None,
            expires_at: head["expires_at"].as_i64().map(Timestamp::from_micros),
            description: Some(Description::parse(text("description").unwrap()).unwrap()),
            tags: Tags::parse(["pci", "prod"]).unwrap(),
        },
        created: stamp("created"),
        updated: stamp("updated"),
        valued: stamp("value"),
        digest: Digest::from_bytes(&hex(&vector["digest"])).unwrap(),
    };
    let context = Context::value(&store, &head.address, &head.id, head.revision);
    assert_eq!(context.to_bytes(), hex(&vector["context"]));

    let sealed = SealedValue::from_bytes(&hex(&vector["record"])).unwrap();
    let value = keys.open_value(&head.address, &head.id, head.revision, &sealed).unwrap();
    assert_eq!(value.expose_secret(), vector["value"].as_str().unwrap().as_bytes());
    assert_eq!(keys.digest(&head.address, &value, None).unwrap().to_bytes()[..], hex(&vector["digest"]));
    assert_eq!(head.sign(&keys, sealed.commitment()).unwrap().to_bytes()[..], hex(&vector["head_mac"]));

    let stamp = |row: &str| Stamp {
        at: Timestamp::from_micros(vector[row]["at"].as_i64().unwrap()),
        by: Actor::parse(vector[row]["by"].as_str().unwrap()).unwrap(),
    };
    let name = vector["consumer"]["name"].as_str().unwrap().parse().unwrap();
    let (org, secret) = (head.address.org(), head.id);
    let consumer = ConsumerRecord::new(org, secret, name, stamp("consumer"), &keys).unwrap();
    assert_eq!(consumer.mac.to_bytes()[..], hex(&vector["consumer"]["mac"]));
    let usage = UsageRecord::new(org, secret, stamp("usage"), &keys).unwrap();
    assert_eq!(usage.mac.to_bytes()[..], hex(&vector["usage"]["mac"]));

    // Sealing with the vector's own salt and nonce gives its very bytes.
    let key = Key::copied_from(&hex(&vector["data_key"]).try_into().unwrap());
    let (salt, nonce) = (hex(&vector["salt"]).try_into().unwrap(), hex(&vector["nonce"]).try_into().unwrap());
    let again = SealedValue::seal_with(&key, sealed.key_id(), &context, &value, &salt, &nonce).unwrap();
    assert_eq!(again.as_bytes(), sealed.as_bytes());
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// An absent field, or one that is as confusable as can be.
fn field() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop_oneof![
        Just(None),
        Just(Some(Vec::new())),
        prop::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(b'/'), Just(b'*'), Just(b'a'), any::<u8>()], 0..5)
            .prop_map(Some),
    ]
}

fn encode(fields: &[Option<Vec<u8>>]) -> Vec<u8> {
    let canonical = fields
        .iter()
        .zip(1..)
        .fold(Canonical::new(b"test\0"), |canonical, (field, tag)| canonical.optional(tag, field.as_deref()));
    canonical.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn c1_different_tuples_have_different_encodings(
        left in prop::collection::vec(field(), 0..5),
        right in prop::collection::vec(field(), 0..5),
    ) {
        prop_assert_eq!(encode(&left) == encode(&right), left == right);
    }

    #[test]
    fn a_record_returns_its_value(value: Vec<u8>) {
        let id = address("acme/etl:db/password");
        prop_assert_eq!(open(&seal(&id, &value), &id).unwrap(), value);
    }
}

#[test]
fn the_classic_confusions_have_different_contexts() {
    let context = |id: &str| Context::value(&STORE, &address(id), &SECRET, Revision::FIRST).to_bytes();
    let ids = [
        "a:b",
        "a:b/c",
        "a/b:c",
        "a/*/b:c",
        "a/b/c:d",
        "a/b:c/d",
        "a/*/b:c/d",
        "a:bc",
        "ab:c",
        "a_b:c",
        "a:b_c",
        "a/p/d:k",
        "a/pd:k",
        "a/*/pd:k",
        "a/p:d/k",
        "a/d/p:k",
    ];
    for (at, left) in ids.iter().enumerate() {
        for right in &ids[at + 1..] {
            assert_ne!(context(left), context(right), "{left} and {right}");
        }
    }
}
