//! Rows to store and ways to compare them.
//!
//! They authenticate and open nothing: a store has no key and must take them as they are. Only what the constructors
//! check is true of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::digest::Digest;
use crate::head::{Head, Stamp};
use crate::id::{SecretId, StableId};
use crate::metadata::{Description, Metadata, Tags};
use crate::part::{Part, PartKind};
use crate::people::Actor;
use crate::record::{Generation, ListedSecret, Revision, SecretRecord};
use crate::revision::RevisionRecord;
use crate::seal::{KekId, KeyringRow, Mac, SealedValue, Wrapped};
use crate::store::{
    Batch, Change, Commit, ConsumerRecord, EventRecord, Expect, Fetched, Lane, Query, SecretStore, Target, Token,
    UsageRecord, Want, Within,
};
use crate::time::Timestamp;

/// A number that no other sample has.
fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub(super) fn id(text: &str) -> SecretId {
    text.parse().unwrap()
}

pub(super) fn org(text: &str) -> Part {
    Part::parse(PartKind::Org, text).unwrap()
}

pub(super) fn generation(number: u64) -> Generation {
    Generation::new(number).unwrap()
}

pub(super) fn revision(number: u64) -> Revision {
    Revision::new(number).unwrap()
}

/// The first row of a new secret at this address.
pub(super) fn record(address: &str) -> SecretRecord {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&unique().to_be_bytes());
    let head = Head {
        id: StableId::from_bytes(bytes),
        address: id(address),
        generation: Generation::FIRST,
        revision: Revision::FIRST,
        first_revision: Revision::FIRST,
        keep: None,
        metadata: Metadata::default(),
        created: stamp(),
        updated: stamp(),
        valued: stamp(),
        digest: Digest(mac()),
    };
    SecretRecord { head, mac: mac(), sealed: sealed(&unique().to_be_bytes()) }
}

/// The row that follows once a new value is set, and the one that keeps the old value.
pub(super) fn with_next_value(record: &SecretRecord) -> (SecretRecord, RevisionRecord) {
    let Head { id: secret, revision, ref valued, digest, .. } = record.head;
    let superseded =
        RevisionRecord { secret, revision, valued: valued.clone(), digest, mac: mac(), sealed: record.sealed.clone() };
    let mut next = with_next_head(record);
    next.head.revision = revision.next();
    next.head.valued = stamp();
    next.head.digest = Digest(mac());
    next.sealed = sealed(&unique().to_be_bytes());
    (next, superseded)
}

/// The row that follows once something else than the value changes.
pub(super) fn with_next_head(record: &SecretRecord) -> SecretRecord {
    let mut next = SecretRecord { mac: mac(), ..record.clone() };
    next.head.generation = next.head.generation.next();
    next.head.updated = stamp();
    next
}

/// Metadata with nothing at its default.
pub(super) fn rich_metadata() -> Metadata {
    Metadata {
        inactive_since: Some(Timestamp::from_micros(1_700_000_000_000_001)),
        expires_at: Some(Timestamp::from_micros(4_102_444_800_000_001)),
        description: Some(
            Description::parse("What the payroll job uses. Müller fragen, 'quotes\" and \\ included").unwrap(),
        ),
        tags: Tags::parse(["payroll", "eu", "émigré", "a b"]).unwrap(),
    }
}

pub(super) fn stamp() -> Stamp {
    let number = unique();
    let at = Timestamp::from_micros(1_800_000_000_000_000 + number.cast_signed());
    Stamp { at, by: Actor::parse(&format!("actor-{number}@host")).unwrap() }
}

pub(super) fn mac() -> Mac {
    let mut bytes = [1; Mac::BYTES];
    bytes[9..17].copy_from_slice(&unique().to_be_bytes());
    bytes[17..25].copy_from_slice(&unique().to_be_bytes());
    Mac::from_bytes(&bytes).unwrap()
}

/// Something of a record's form with this body.
pub(super) fn sealed(body: &[u8]) -> SealedValue {
    let mut bytes = vec![0; SealedValue::OVERHEAD - 16];
    bytes[..8].copy_from_slice(b"SKR1\x01\x01\x01\x00");
    let number = unique().to_be_bytes();
    bytes[SealedValue::COMMITMENT_AT..SealedValue::COMMITMENT_AT + 8].copy_from_slice(&number);
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(&[0xff; 16]);
    SealedValue::from_bytes(&bytes).unwrap()
}

/// A consumer of the secret with this id.
pub(super) fn consumer(secret: StableId, name: &str) -> ConsumerRecord {
    ConsumerRecord { secret, name: name.parse().unwrap(), seen: stamp(), mac: mac() }
}

/// A use of the secret with this id.
pub(super) fn usage(secret: StableId) -> UsageRecord {
    UsageRecord { secret, used: stamp(), mac: mac() }
}

/// Number `seq` of a lane, chained with nothing: a store has no key.
pub(super) fn event(of: &str, lane: u8, seq: u64) -> EventRecord {
    let mut token = [0; 16];
    token[..8].copy_from_slice(&unique().to_be_bytes());
    let (lane, token) = (Lane::new(lane).unwrap(), Token::from_bytes(token));
    let body = (0..=255).chain(unique().to_be_bytes()).collect();
    EventRecord { org: org(of), lane, seq, token, at: stamp().at, body, mac: mac() }
}

pub(super) fn consumers_of(store: &dyn SecretStore, record: &SecretRecord) -> Vec<String> {
    let mut answers = store.consumers(record.head.address.org(), &[record.head.id]).unwrap();
    assert_eq!(answers.len(), 1, "one answer for one secret");
    answers.remove(0).iter().map(consumer_columns).collect()
}

pub(super) fn consumer_columns(row: &ConsumerRecord) -> String {
    let ConsumerRecord { secret, name, seen, mac } = row;
    format!("{secret} {name} {seen:?} mac {:?}", mac.to_bytes())
}

pub(super) fn use_of(store: &dyn SecretStore, record: &SecretRecord) -> Option<String> {
    let mut answers = store.uses(record.head.address.org(), &[record.head.id]).unwrap();
    assert_eq!(answers.len(), 1, "one answer for one secret");
    answers.remove(0).map(|row| use_columns(&row))
}

pub(super) fn use_columns(row: &UsageRecord) -> String {
    let UsageRecord { secret, used, mac } = row;
    format!("{secret} {used:?} mac {:?}", mac.to_bytes())
}

pub(super) fn keyring(of: &str, version: u64) -> KeyringRow {
    let number = unique().to_be_bytes();
    let wrapped = Wrapped { kek: KekId::parse(&format!("kek-{}", unique())).unwrap(), bytes: Box::new(number) };
    KeyringRow { org: org(of), version, wrapped, keyset: sealed(&number) }
}

pub(super) fn commit(store: &dyn SecretStore, expectations: &[Expect], changes: &[Change]) -> Commit {
    store.commit(&Batch { expectations: expectations.to_vec(), changes: changes.to_vec(), ..Batch::default() }).unwrap()
}

#[track_caller]
pub(super) fn apply(store: &dyn SecretStore, changes: &[Change]) {
    assert_eq!(commit(store, &[], changes), Commit::Applied);
}

/// Stores the first row of a new secret at this address.
#[track_caller]
pub(super) fn inserted(store: &dyn SecretStore, address: &str) -> SecretRecord {
    let record = record(address);
    apply(store, &[Change::Insert(record.clone())]);
    record
}

/// Stores a new value in place of this one.
#[track_caller]
pub(super) fn replaced(store: &dyn SecretStore, record: &SecretRecord) -> (SecretRecord, RevisionRecord) {
    let (next, superseded) = with_next_value(record);
    apply(store, &[Change::Replace(next.clone(), Some(superseded.clone()))]);
    (next, superseded)
}

pub(super) fn fetch(store: &dyn SecretStore, target: Target, revision: Option<Revision>) -> Option<Fetched> {
    let mut answers = store.fetch(&[Want { target, revision }]).unwrap();
    assert_eq!(answers.len(), 1, "one answer for one want");
    answers.pop().unwrap()
}

pub(super) fn at(store: &dyn SecretStore, address: &str) -> Option<SecretRecord> {
    fetch(store, Target::Exact(id(address)), None).map(|fetched| fetched.record)
}

pub(super) fn kept(store: &dyn SecretStore, address: &str, number: u64) -> Option<RevisionRecord> {
    fetch(store, Target::Exact(id(address)), Some(revision(number)))?.superseded
}

pub(super) fn list(store: &dyn SecretStore, within: Within, after: Option<&str>, limit: usize) -> Vec<String> {
    let listed = store.list(&Query { after: after.map(id), ..Query::first(within, limit) }).unwrap();
    listed.into_iter().map(|row| row.head.address.to_string()).collect()
}

/// All that can be read of these orgs, to compare: each line's text, and the record that belongs to it.
pub(super) fn contents(store: &dyn SecretStore, orgs: &[&str]) -> Vec<(String, Option<SealedValue>)> {
    let mut contents = Vec::new();
    for name in orgs {
        contents.push((format!("keyring {:?}", store.keyring(&org(name)).unwrap()), None));
        let all = Query::first(Within::Org(org(name)), usize::MAX);
        for row in store.list(&all).unwrap() {
            let address = row.head.address.to_string();
            let record = at(store, &address).unwrap();
            same_listed(&row, &record);
            for number in 1..=record.head.revision.number() {
                if let Some(kept) = kept(store, &address, number) {
                    let (columns, sealed) = revision_columns(&kept);
                    contents.push((format!("{address} {columns}"), Some(sealed)));
                }
            }
            contents.extend(consumers_of(store, &record).into_iter().map(|row| (row, None)));
            contents.extend(use_of(store, &record).map(|row| (row, None)));
            let (columns, sealed) = columns(&record);
            contents.push((columns, Some(sealed)));
        }
    }
    contents
}

#[track_caller]
pub(super) fn same(found: Option<&SecretRecord>, expected: &SecretRecord) {
    assert_eq!(found.map(columns), Some(columns(expected)));
}

#[track_caller]
pub(super) fn same_superseded(found: Option<&RevisionRecord>, expected: &RevisionRecord) {
    assert_eq!(found.map(revision_columns), Some(revision_columns(expected)));
}

#[track_caller]
pub(super) fn same_listed(found: &ListedSecret, record: &SecretRecord) {
    let ListedSecret { head, mac, commitment } = found;
    assert_eq!(head_columns(head), head_columns(&record.head));
    assert_eq!(mac.to_bytes(), record.mac.to_bytes());
    assert_eq!(commitment.as_bytes(), record.sealed.commitment().as_bytes());
}

fn columns(record: &SecretRecord) -> (String, SealedValue) {
    let SecretRecord { head, mac, sealed } = record;
    (format!("{} mac {:?}", head_columns(head), mac.to_bytes()), sealed.clone())
}

/// Its `Debug` shows every column but the whole of the digest.
fn head_columns(head: &Head) -> String {
    format!("{head:?} digest {:?}", head.digest.to_bytes())
}

fn revision_columns(row: &RevisionRecord) -> (String, SealedValue) {
    let RevisionRecord { secret, revision, valued, digest, mac, sealed } = row;
    let (digest, mac) = (digest.to_bytes(), mac.to_bytes());
    (format!("{secret} {revision} {valued:?} digest {digest:?} mac {mac:?}"), sealed.clone())
}

/// Says that it is over when it is dropped: also where a law is broken, and others would go on for ever.
pub(super) struct Finished<'a>(pub(super) &'a AtomicBool);

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
