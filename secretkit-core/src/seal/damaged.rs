//! The corpus of damaged records: each refused at the check that its file names. See `testkit/damaged/README.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::context::{Context, StoreId};
use super::keyring::KeyringRow;
use super::provider::{KekId, Wrapped};
use super::sealed::{Refusal, SealedValue};
use super::{OrgKeys, RootKey};
use crate::error::Error;
use crate::id::{SecretId, SecretName, StableId};
use crate::part::{Part, PartKind};
use crate::record::Revision;
use crate::scope::Scope;

/// What the worked vector holds, as far as its record needs it.
struct Vector {
    keys: OrgKeys,
    store: StoreId,
    address: SecretId,
    secret: StableId,
    revision: Revision,
    genuine: Vec<u8>,
}

#[test]
fn r1_to_r11_every_damaged_record_is_refused_at_its_check() {
    let vector = vector();
    assert_eq!(refused_at(&vector, &vector.genuine), None, "the record itself opens");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("testkit/damaged/records");
    let (mut files, mut rules) = (0, BTreeMap::<String, u32>::new());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
        let bytes = unhex(text.lines().last().unwrap());
        assert_eq!(refused_at(&vector, &bytes), Some(field("expect:")), "{}", path.display());
        *rules.entry(field("must:").to_owned()).or_default() += 1;
        files += 1;
    }
    assert!(files >= 75, "{files} damaged records");
    assert_eq!(rules.len(), 11, "each rule of the record is broken by some file: {rules:?}");
}

/// At which check; `None` where it opens.
fn refused_at(vector: &Vector, bytes: &[u8]) -> Option<&'static str> {
    let Vector { keys, store, address, secret, revision, .. } = vector;
    let Ok(sealed) = SealedValue::from_bytes(bytes) else { return Some("form") };
    let public = keys.open_value(address, secret, *revision, &sealed);
    // What a caller learns is less than where it was.
    match public {
        Ok(_) => return None,
        Err(Error::NewerFormat { .. }) => return Some("version"),
        Err(Error::UnknownKey { .. }) => return Some("key"),
        Err(error) => assert!(matches!(error, Error::Corrupt { .. }), "{error:?}"),
    }
    let (_, key) = keys.primary(super::KeyUse::Data).unwrap();
    let context = Context::value(store, address, secret, *revision);
    match sealed.open(key, &context) {
        Ok(_) => None,
        Err(Refusal::Header) => Some("header"),
        Err(Refusal::Commitment) => Some("commitment"),
        Err(Refusal::Tag) => Some("tag"),
    }
}

fn vector() -> Vector {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testkit/record-v1.json");
    let vector: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let hex = |value: &serde_json::Value| unhex(value.as_str().unwrap());
    let (row, head) = (&vector["keyring"], &vector["head"]);
    let text = |field: &str| head[field].as_str();
    let store = StoreId::from_bytes(hex(&vector["store_id"]).try_into().unwrap());
    let root = RootKey::from_bytes(&hex(&vector["root_key"]).try_into().unwrap());
    let keyring = KeyringRow {
        org: Part::parse(PartKind::Org, text("org").unwrap()).unwrap(),
        version: row["version"].as_u64().unwrap(),
        wrapped: Wrapped {
            kek: KekId::parse(row["kek_id"].as_str().unwrap()).unwrap(),
            bytes: hex(&row["wrapped_key"]).into(),
        },
        keyset: SealedValue::from_bytes(&hex(&row["keyset"])).unwrap(),
    };
    let scope = Scope::from_parts(text("org").unwrap(), text("project"), text("domain")).unwrap();
    let name = SecretName::from_parts(text("group"), text("key").unwrap()).unwrap();
    Vector {
        keys: OrgKeys::open(store, &keyring, &root).unwrap(),
        store,
        address: SecretId::new(scope, name),
        secret: text("id").unwrap().parse().unwrap(),
        revision: Revision::new(head["revision"].as_u64().unwrap()).unwrap(),
        genuine: hex(&vector["record"]),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
