//! Stores of every release, which every later one must read; and stores with one fault each, which none must believe.
//!
//! `testkit/golden/VERSION` holds a store, its root key and what is in it. A new release adds one with
//! `cargo test -p secretkit-sqlite --test golden make -- --ignored`; those that are there never change.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secretkit_core::seal::KeyUse;
use secretkit_core::store::Within;
use secretkit_core::{
    Access, Activity, Actor, Clock, Description, Encoding, Error, ErrorKind, Finding, ManualClock, MetadataEdit, Part,
    PartKind, PutMode, Revision, RootKey, SecretId, SecretValue, Secrets, Setting, Tags, Timestamp, Verified,
};
use secretkit_sqlite::SqliteStore;
use serde_json::{Value, json};

const ORGS: [&str; 2] = ["acme", "other"];

fn testkit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("testkit")
}

/// A copy of a golden store, because whoever opens a store may write to it.
struct Copied {
    directory: tempfile::TempDir,
    golden: PathBuf,
}

impl Copied {
    fn of(golden: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["secrets.db", "root.key"] {
            let copy = directory.path().join(name);
            fs::copy(golden.join(name), &copy).unwrap();
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self { directory, golden: golden.to_owned() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("secrets.db")
    }

    fn opened(&self) -> Result<Secrets, Error> {
        let store = Arc::new(SqliteStore::open(&self.path())?);
        let key = Arc::new(RootKey::from_file(&self.directory.path().join("root.key"))?);
        Ok(Secrets::new(store, key, Access::Unrestricted).without_usage())
    }

    fn contents(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.golden.join("contents.json")).unwrap()).unwrap()
    }
}

fn goldens() -> Vec<PathBuf> {
    let found: Vec<_> = fs::read_dir(testkit().join("golden")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!found.is_empty());
    found
}

#[test]
fn every_golden_store_is_read() {
    for golden in goldens() {
        let copied = Copied::of(&golden);
        let secrets = copied.opened().unwrap();
        assert_eq!(told(&secrets), copied.contents(), "{}", golden.display());
        assert!(findings(&secrets).is_empty(), "{}", golden.display());
    }
}

#[test]
fn every_golden_store_is_written_to() {
    for golden in goldens() {
        let copied = Copied::of(&golden);
        let secrets = copied.opened().unwrap();
        let at: SecretId = "acme:token".parse().unwrap();
        let before = secrets.info(&at).unwrap();
        let after = secrets.update(&at, &SecretValue::copied_from(b"of today")).unwrap();
        assert_eq!(after.revision, before.revision.next());
        secrets.put(&"acme/new:name".parse().unwrap(), &SecretValue::copied_from(b"x"), PutMode::Create).unwrap();
        assert_eq!(secrets.keys().rewrap().unwrap(), ORGS.len());
        secrets.keys().reencrypt(at.org(), 100).for_each(|progress| {
            progress.unwrap();
        });
        assert!(findings(&secrets).is_empty());
    }
}

/// One fault in each file, with what a read or a verification must say of it. See `testkit/damaged/README.md`.
#[test]
fn every_damaged_store_is_refused_where_its_file_says() {
    let mut faults: Vec<_> =
        fs::read_dir(testkit().join("damaged/stores")).unwrap().map(|entry| entry.unwrap().path()).collect();
    faults.sort();
    assert!(faults.len() >= 60, "{} damaged stores", faults.len());
    for fault in &faults {
        let text = fs::read_to_string(fault).unwrap();
        let expected = text.lines().find_map(|line| line.strip_prefix("-- expect: ")).unwrap();
        for golden in goldens() {
            let copied = Copied::of(&golden);
            let raw = rusqlite::Connection::open(copied.path()).unwrap();
            raw.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
            raw.execute_batch(&text).unwrap_or_else(|error| panic!("{}: {error}", fault.display()));
            raw.close().unwrap();
            assert_eq!(outcome(&copied), expected, "{} on {}", fault.display(), golden.display());
        }
    }
    println!("{} damaged stores, each refused where its file says", faults.len());
}

/// At which layer the store is refused first: when it is opened, by a read of all that is in it, or by `verify`.
fn outcome(copied: &Copied) -> String {
    let secrets = match copied.opened() {
        Ok(secrets) => secrets,
        Err(error) => return format!("open {}", error.kind()),
    };
    let genuine = copied.contents();
    match read(&secrets, &genuine) {
        Err(kind) => return format!("read {kind}"),
        Ok(false) => return "read false".to_owned(),
        Ok(true) => {}
    }
    match findings(&secrets).first() {
        Some(finding) => format!("verify {}", finding.split(':').next().unwrap()),
        None => "nothing".to_owned(),
    }
}

/// Reads everything that the contents name; `false` where anything is not what it was and no error said so.
fn read(secrets: &Secrets, genuine: &Value) -> Result<bool, ErrorKind> {
    let kind = |error: Error| error.kind();
    for secret in genuine["secrets"].as_array().unwrap() {
        let at: SecretId = secret["address"].as_str().unwrap().parse().unwrap();
        let info = match secrets.info(&at) {
            // Absence cannot be authenticated on a read.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            info => info.map_err(kind)?,
        };
        let (now, mut secret) = (told_of(secrets, &info).map_err(kind)?, secret.clone());
        // A last use that does not verify is none, and only `verify` tells that there is one.
        if now["last_used"].is_null() {
            secret["last_used"] = Value::Null;
        }
        // An earlier state of the same secret is authentic in itself: only `verify` can tell.
        if now != secret && info.generation.number() == secret["generation"].as_u64().unwrap() {
            return Ok(false);
        }
    }
    for org in ORGS {
        secrets.list(Within::Org(part(org)), 100).collect::<Result<Vec<_>, _>>().map_err(kind)?;
    }
    Ok(true)
}

fn findings(secrets: &Secrets) -> Vec<String> {
    let mut found = Vec::new();
    for org in ORGS {
        for told in secrets.verify(&part(org)) {
            match told {
                Ok(told) => found.extend(told.into_iter().filter_map(|told| match told {
                    Verified::Wrong(finding) => Some(Finding::to_string(&finding)),
                    _ => None,
                })),
                Err(error) => found.push(format!("{}: {error}", error.kind())),
            }
        }
    }
    found
}

/// Everything in the store that a caller can see.
fn told(secrets: &Secrets) -> Value {
    let mut listed = Vec::new();
    for org in ORGS {
        for info in secrets.list(Within::Org(part(org)), 100).flat_map(Result::unwrap) {
            listed.push(told_of(secrets, &secrets.info(&info.address).unwrap()).unwrap());
        }
    }
    let keys: BTreeMap<_, _> = ORGS
        .iter()
        .map(|org| {
            let status = secrets.keys().status(&part(org)).unwrap();
            let line = |(info, items): &(secretkit_core::seal::KeyInfo, u64)| {
                format!("{} {} {items}", info.used_for, info.state)
            };
            (*org, (status.version, status.keys.iter().map(line).collect::<Vec<_>>()))
        })
        .collect();
    let events: Vec<_> = ORGS
        .iter()
        .flat_map(|org| secrets.events(&part(org)).map(Result::unwrap))
        .map(|event| format!("{} {} {} {}", event.lane, event.seq, event.at, event.action))
        .collect();
    json!({ "secrets": listed, "keys": keys, "events": events })
}

fn told_of(secrets: &Secrets, info: &secretkit_core::SecretInfo) -> Result<Value, Error> {
    let mut revisions = BTreeMap::new();
    let history = secrets.history(&info.address)?;
    for row in &history {
        let value = match secrets.get_revision(&info.address, row.revision) {
            Ok(found) => Encoding::Base64.encode(&found.value)?,
            Err(error) if matches!(error.kind(), ErrorKind::Inactive | ErrorKind::Expired) => {
                SecretValue::copied_from(error.kind().as_str().as_bytes())
            }
            Err(error) => return Err(error),
        };
        let value = String::from_utf8(value.expose_secret().to_vec()).unwrap();
        revisions.insert(row.revision.number(), json!([value, row.digest.to_string(), row.valued.at, row.valued.by]));
    }
    let consumers: Vec<_> =
        secrets.consumers(&info.address)?.into_iter().map(|row| json!([row.name, row.seen.at, row.seen.by])).collect();
    let metadata = &info.metadata;
    Ok(json!({
        "address": info.address.to_string(),
        "id": info.id,
        "generation": info.generation,
        "keep": info.keep,
        "inactive_since": metadata.inactive_since,
        "expires_at": metadata.expires_at,
        "description": metadata.description.as_ref().map(Description::as_str),
        "tags": metadata.tags.iter().collect::<Vec<_>>(),
        "created": [json!(info.created.at), json!(info.created.by)],
        "updated": [json!(info.updated.at), json!(info.updated.by)],
        "last_used": info.last_used().map(|used| json!([used.at, used.by])),
        "revisions": revisions,
        "consumers": consumers,
    }))
}

fn part(org: &str) -> Part {
    Part::parse(PartKind::Org, org).unwrap()
}

/// Makes the golden store of this release.
#[test]
#[ignore = "run by hand, once for each release"]
fn make() {
    let directory = testkit().join("golden").join(env!("CARGO_PKG_VERSION").rsplit_once('.').unwrap().0);
    fs::create_dir_all(&directory).unwrap();
    for name in ["secrets.db", "root.key", "contents.json"] {
        assert!(!directory.join(name).exists(), "{name} is there already, and a golden store never changes");
    }
    let key = RootKey::generate().unwrap();
    fs::write(directory.join("root.key"), key.to_text().expose_secret()).unwrap();
    fs::set_permissions(directory.join("root.key"), fs::Permissions::from_mode(0o600)).unwrap();

    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_795_219_200_000_000)));
    let scratch = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::create(&scratch.path().join("secrets.db")).unwrap());
    let key = Arc::new(key);
    let opened = || Secrets::new(Arc::clone(&store) as _, Arc::clone(&key) as _, Access::Unrestricted);
    let filling =
        opened().with_clock(Arc::clone(&clock) as Arc<dyn Clock>).with_actor(Actor::parse("golden@secretkit").unwrap());
    fill(&filling, &clock);
    drop(filling);
    // To tell what is in it is no use of it.
    let secrets = opened().without_usage();
    fs::write(directory.join("contents.json"), format!("{:#}\n", told(&secrets))).unwrap();
    drop((secrets, store));
    // Small pages: the file is kept for ever.
    let raw = rusqlite::Connection::open(scratch.path().join("secrets.db")).unwrap();
    raw.execute_batch("PRAGMA journal_mode=DELETE; PRAGMA page_size=512; VACUUM; PRAGMA journal_mode=WAL").unwrap();
    raw.close().unwrap();
    fs::copy(scratch.path().join("secrets.db"), directory.join("secrets.db")).unwrap();
}

/// Something of everything that there is.
fn fill(secrets: &Secrets, clock: &ManualClock) {
    let put = |address: &str, value: &[u8]| {
        clock.advance(Duration::from_secs(60));
        let at: SecretId = address.parse().unwrap();
        secrets.put(&at, &SecretValue::copied_from(value), PutMode::Overwrite).unwrap()
    };
    let edit = |address: &str, edit: &MetadataEdit| {
        clock.advance(Duration::from_secs(60));
        secrets.edit(&address.parse::<SecretId>().unwrap(), edit, None).unwrap();
    };
    for scope in ["acme", "acme/etl", "acme/*/production", "acme/etl/production", "other"] {
        put(&format!("{scope}:token"), scope.as_bytes());
        put(&format!("{scope}:db/password"), b"first");
        put(&format!("{scope}:db/password"), b"second");
    }
    put("acme:empty", b"");
    put("acme:every-byte", &(0..=255).collect::<Vec<u8>>());
    (0..15).for_each(|number: u8| drop(put("acme:many", &[number])));
    put("acme:few", b"1");
    edit("acme:few", &few());
    (2..5).for_each(|number: u8| drop(put("acme:few", &[number])));
    let all =
        described("What the payroll job uses. Müller fragen, 'quotes\" and \\ included", &["eu", "émigré", "a b"]);
    edit("acme/etl:token", &all);
    edit("acme:empty", &{
        let mut edit = MetadataEdit::default();
        edit.expires_at = Setting::Set(Timestamp::from_micros(4_102_444_800_000_000));
        edit
    });
    edit("acme:every-byte", &{
        let mut edit = MetadataEdit::default();
        edit.activity = Some(Activity::Inactive);
        edit
    });
    for consumer in ["etl.jobs:nightly", "ü 'report\"", "zeta"] {
        clock.advance(Duration::from_secs(60));
        secrets.add_consumer(&"acme/etl:token".parse::<SecretId>().unwrap(), &consumer.parse().unwrap()).unwrap();
    }
    secrets.remove_consumer(&"acme/etl:token".parse::<SecretId>().unwrap(), &"zeta".parse().unwrap()).unwrap();
    put("acme:deleted", b"gone");
    secrets.delete(&"acme:deleted".parse::<SecretId>().unwrap()).unwrap();
    put("acme:again", b"before");
    secrets.delete(&"acme:again".parse::<SecretId>().unwrap()).unwrap();
    put("acme:again", b"after");
    put("acme:back", b"one");
    put("acme:back", b"two");
    secrets.rollback(&"acme:back".parse::<SecretId>().unwrap(), Revision::FIRST, None).unwrap();
    for address in ["acme/etl:token", "acme:many"] {
        secrets.get(&address.parse::<SecretId>().unwrap()).unwrap();
    }
    secrets.record_uses();

    // Keys in every state.
    let (keys, acme) = (secrets.keys(), part("acme"));
    let old = keys.status(&acme).unwrap().keys.iter().map(|(info, _)| (info.used_for, info.id)).collect::<Vec<_>>();
    for used_for in [KeyUse::Data, KeyUse::Meta, KeyUse::Audit] {
        clock.advance(Duration::from_secs(60));
        keys.promote(&acme, keys.add(&acme, used_for).unwrap().id).unwrap();
    }
    put("acme/etl/production:token", b"under the second data key");
    keys.reencrypt(&acme, 100).for_each(|progress| {
        progress.unwrap();
    });
    for (used_for, key) in old {
        if matches!(used_for, KeyUse::Data | KeyUse::Meta) {
            keys.retire(&acme, key).unwrap();
        }
        if used_for == KeyUse::Data {
            keys.destroy(&acme, key).unwrap();
        }
    }
    keys.add(&acme, KeyUse::Digest).unwrap();
    keys.rewrap().unwrap();
    put("acme:last", b"after the rotation");
}

fn few() -> MetadataEdit {
    let mut edit = MetadataEdit::default();
    edit.keep = Setting::Set(2);
    edit
}

fn described(description: &str, tags: &[&str]) -> MetadataEdit {
    let mut edit = MetadataEdit::default();
    edit.description = Setting::Set(Description::parse(description).unwrap());
    edit.add_tags = Tags::parse(tags.iter().copied()).unwrap();
    edit
}
