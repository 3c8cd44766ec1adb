//! A batch in rows, as the server's function takes them, and beside them the bytes that they point into.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use secretkit_core::seal::{KeyringRow, KeyringStamp};
use secretkit_core::store::{
    Batch, Change, ConsumerRecord, EventRecord, Expect, Head, LaneHead, Stamp, Superseded, or_empty,
};
use secretkit_core::{Generation, Metadata, SecretId, SecretRecord, StableId, Timestamp};
use serde::Serialize;

/// A batch, and what it must hold while it is applied.
#[derive(Default)]
pub(crate) struct Encoded<'a> {
    pub(crate) orgs: BTreeMap<&'a str, Hold>,
    /// Heads that must not go, that change, and that go.
    pub(crate) stay: BTreeSet<StableId>,
    pub(crate) change: BTreeSet<StableId>,
    pub(crate) go: BTreeSet<StableId>,
    pub(crate) lanes: BTreeSet<(&'a str, i64)>,
    /// Heads, and the generation that each must be at.
    generations: BTreeSet<(StableId, Generation)>,
    pub(crate) expectations: Vec<Expected<'a>>,
    pub(crate) changes: Vec<Changed<'a>>,
    pub(crate) events: Vec<Event<'a>>,
    pub(crate) bytes: Vec<Cow<'a, [u8]>>,
    /// Where it expects no more than most do.
    pub(crate) usual: Option<Usual<'a>>,
}

/// What a batch expects that is like most, of one org that it holds together with others: its keyring, the end of the lane
/// of its first event, and perhaps one thing of the secret that its first change is about.
#[derive(Clone, Copy)]
pub(crate) struct Usual<'a> {
    pub(crate) keyring: &'a KeyringStamp,
    pub(crate) lane: &'a LaneHead,
    /// Nobody has its address.
    pub(crate) is_free: bool,
    pub(crate) generation: Option<Generation>,
}

/// How a batch holds an org.
#[derive(Clone, Copy, Default)]
pub(crate) struct Hold {
    /// It changes or judges it as a whole.
    pub(crate) alone: bool,
    /// It adds so many secrets.
    pub(crate) adds: usize,
}

/// A change that no store could have made out of what its batch says.
pub(crate) struct Misfit;

/// A place among the bytes, from 1 as the server counts.
pub(crate) type At = usize;

#[derive(Default, Serialize)]
pub(crate) struct Expected<'a> {
    kind: &'static str,
    org: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<At>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lane: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<At>,
}

/// Each kind of change has some of these columns: a keyring its version as the revision and its root key as the key, a
/// consumer its name as the key.
#[derive(Default, Serialize)]
pub(crate) struct Changed<'a> {
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<At>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) org: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) project: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) domain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) grp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) generation: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_revision: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keep: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inactive_since: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tags: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) updated_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) updated_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<At>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mac: Option<At>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) record: Option<At>,
}

impl Changed<'_> {
    /// Whether it only puts a head or value under another key.
    pub(crate) fn is_sealed_anew(&self) -> bool {
        matches!(self.kind, "reseal" | "replace_revision")
    }
}

#[derive(Serialize)]
pub(crate) struct Event<'a> {
    pub(crate) org: &'a str,
    pub(crate) lane: u8,
    pub(crate) seq: i64,
    pub(crate) token: At,
    pub(crate) at: i64,
    pub(crate) body: At,
    pub(crate) mac: At,
}

impl<'a> Encoded<'a> {
    /// # Errors
    /// [`Misfit`] where a superseded value is not of the secret that it stands beside.
    pub(crate) fn of(batch: &'a Batch) -> Result<Self, Misfit> {
        let Batch { token: _, expectations, changes, events } = batch;
        let mut encoded = Self::default();
        expectations.iter().for_each(|expect| encoded.expect(expect));
        let next = changes.iter().skip(1).map(Some).chain([None]);
        changes.iter().zip(next).try_for_each(|(change, next)| encoded.change(change, next))?;
        events.iter().for_each(|event| encoded.event(event));
        // What goes is held strongest already, and what changes stays.
        encoded.change.retain(|id| !encoded.go.contains(id));
        encoded.stay.retain(|id| !encoded.go.contains(id) && !encoded.change.contains(id));
        encoded.usual = encoded.usual(batch);
        Ok(encoded)
    }

    fn expect(&mut self, expect: &'a Expect) {
        let expected = match expect {
            Expect::Absent(id) => {
                self.hold(id.org().as_str());
                let [org, project, domain, grp, key] = address(id);
                Expected {
                    kind: "absent",
                    org,
                    project: Some(project),
                    domain: Some(domain),
                    grp: Some(grp),
                    key: Some(key),
                    ..Expected::default()
                }
            }
            Expect::Generation(org, id, generation) => {
                self.hold(org.as_str());
                self.change.insert(*id);
                self.generations.insert((*id, *generation));
                let (id, number) = (Some(self.id(id)), Some(generation.number().cast_signed()));
                Expected { kind: "generation", org: org.as_str(), id, number, ..Expected::default() }
            }
            Expect::Exists(org, id) => {
                self.hold(org.as_str());
                self.stay.insert(*id);
                Expected { kind: "exists", org: org.as_str(), id: Some(self.id(id)), ..Expected::default() }
            }
            Expect::NoConsumers(org, id) => {
                self.hold(org.as_str());
                // Whoever registers one waits, or has been waited for.
                self.go.insert(*id);
                Expected { kind: "no_consumers", org: org.as_str(), id: Some(self.id(id)), ..Expected::default() }
            }
            Expect::ConsumerSeen(org, id, name, at) => {
                self.hold(org.as_str());
                // As above: who is seen meanwhile would otherwise be judged by what was there before.
                self.go.insert(*id);
                let (id, number) = (Some(self.id(id)), at.map(Timestamp::as_micros));
                let key = Some(name.as_str());
                Expected { kind: "consumer_seen", org: org.as_str(), key, id, number, ..Expected::default() }
            }
            Expect::Keyring(org, stamp) => {
                self.hold(org.as_str());
                let number = stamp.as_ref().map(|stamp| stamp.version.cast_signed());
                let mark = stamp.as_ref().map(|stamp| self.push(&stamp.commitment));
                Expected { kind: "keyring", org: org.as_str(), number, mark, ..Expected::default() }
            }
            Expect::Lane(org, lane, head) => {
                self.hold(org.as_str());
                self.lanes.insert((org.as_str(), lane.number().into()));
                let number = head.as_ref().map(|LaneHead { seq, .. }| seq.cast_signed());
                let mark = head.as_ref().map(|LaneHead { mac, .. }| self.push(mac));
                let lane = Some(lane.number());
                Expected { kind: "lane", org: org.as_str(), lane, number, mark, ..Expected::default() }
            }
            Expect::KeyUnused(org, key) => {
                self.hold(org.as_str()).alone = true;
                let id = Some(self.owned(key.as_bytes().to_vec()));
                Expected { kind: "key_unused", org: org.as_str(), id, ..Expected::default() }
            }
            Expect::NoSecrets(org) => {
                self.hold(org.as_str()).alone = true;
                Expected { kind: "no_secrets", org: org.as_str(), ..Expected::default() }
            }
        };
        self.expectations.push(expected);
    }

    fn change(&mut self, change: &'a Change, next: Option<&Change>) -> Result<(), Misfit> {
        let changed = match change {
            Change::Keyring(KeyringRow { org, version, wrapped, keyset }) => {
                self.hold(org.as_str()).alone = true;
                Changed {
                    kind: "keyring",
                    org: Some(org.as_str()),
                    revision: Some(version.cast_signed()),
                    key: Some(wrapped.kek.as_str()),
                    mac: Some(self.push(&wrapped.bytes)),
                    record: Some(self.push(keyset.as_bytes())),
                    ..Changed::default()
                }
            }
            Change::Insert(record) => {
                self.hold(record.head.address.org().as_str()).adds += 1;
                self.secret("insert", record)
            }
            Change::Replace(record, superseded) => {
                self.hold(record.head.address.org().as_str());
                self.change.insert(record.head.id);
                if let Some(superseded) = superseded {
                    if superseded.secret != record.head.id {
                        return Err(Misfit);
                    }
                    let kept = self.revision("keep", superseded);
                    self.changes.push(kept);
                    // A secret that comes with many values is written once, and not once more beside each.
                    if next.is_some_and(|next| is_replaced_alike(record, next)) {
                        return Ok(());
                    }
                }
                // Every change of a head counts its generation on: where that stays, only the keys are others.
                let stays =
                    superseded.is_none() && self.generations.contains(&(record.head.id, record.head.generation));
                self.secret(if stays { "reseal" } else { "replace" }, record)
            }
            Change::ReplaceRevision(org, superseded) => {
                self.hold(org.as_str());
                Changed { org: Some(org.as_str()), ..self.revision("replace_revision", superseded) }
            }
            Change::Delete(org, id) => {
                self.hold(org.as_str());
                self.go.insert(*id);
                Changed { kind: "delete", org: Some(org.as_str()), id: Some(self.id(id)), ..Changed::default() }
            }
            Change::Register(org, ConsumerRecord { secret, name, seen: Stamp { at, by }, mac }) => {
                self.hold(org.as_str());
                self.stay.insert(*secret);
                Changed {
                    kind: "register",
                    org: Some(org.as_str()),
                    id: Some(self.id(secret)),
                    key: Some(name.as_str()),
                    value_at: Some(at.as_micros()),
                    value_by: Some(by.as_str()),
                    mac: Some(self.owned(mac.to_bytes().to_vec())),
                    ..Changed::default()
                }
            }
            Change::Unregister(org, id, name) => {
                self.hold(org.as_str());
                Changed {
                    kind: "unregister",
                    org: Some(org.as_str()),
                    id: Some(self.id(id)),
                    key: Some(name.as_str()),
                    ..Changed::default()
                }
            }
        };
        self.changes.push(changed);
        Ok(())
    }

    fn secret(&mut self, kind: &'static str, record: &'a SecretRecord) -> Changed<'a> {
        let SecretRecord { head, mac, sealed } = record;
        let Head {
            id,
            address: place,
            generation,
            revision,
            first_revision,
            keep,
            metadata,
            created,
            updated,
            valued,
            digest,
        } = head;
        let Metadata { inactive_since, expires_at, description, tags } = metadata;
        let [org, project, domain, grp, key] = address(place);
        Changed {
            kind,
            id: Some(self.id(id)),
            org: Some(org),
            project: Some(project),
            domain: Some(domain),
            grp: Some(grp),
            key: Some(key),
            generation: Some(generation.number().cast_signed()),
            revision: Some(revision.number().cast_signed()),
            first_revision: Some(first_revision.number().cast_signed()),
            keep: *keep,
            inactive_since: inactive_since.map(Timestamp::as_micros),
            expires_at: expires_at.map(Timestamp::as_micros),
            description: Some(description.as_ref().map_or("", |description| description.as_str())),
            tags: Some(tags.to_column()),
            created_at: Some(created.at.as_micros()),
            created_by: Some(created.by.as_str()),
            updated_at: Some(updated.at.as_micros()),
            updated_by: Some(updated.by.as_str()),
            value_at: Some(valued.at.as_micros()),
            value_by: Some(valued.by.as_str()),
            digest: Some(self.owned(digest.to_bytes().to_vec())),
            mac: Some(self.owned(mac.to_bytes().to_vec())),
            record: Some(self.push(sealed.as_bytes())),
        }
    }

    fn revision(&mut self, kind: &'static str, superseded: &'a Superseded) -> Changed<'a> {
        let Superseded { secret, revision, valued: Stamp { at, by }, digest, mac, sealed } = superseded;
        Changed {
            kind,
            id: Some(self.id(secret)),
            revision: Some(revision.number().cast_signed()),
            value_at: Some(at.as_micros()),
            value_by: Some(by.as_str()),
            digest: Some(self.owned(digest.to_bytes().to_vec())),
            mac: Some(self.owned(mac.to_bytes().to_vec())),
            record: Some(self.push(sealed.as_bytes())),
            ..Changed::default()
        }
    }

    fn event(&mut self, event: &'a EventRecord) {
        let EventRecord { org, lane, seq, token, at, body, mac } = event;
        self.hold(org.as_str());
        self.lanes.insert((org.as_str(), lane.number().into()));
        let event = Event {
            org: org.as_str(),
            lane: lane.number(),
            seq: seq.cast_signed(),
            token: self.push(token.as_bytes()),
            at: at.as_micros(),
            body: self.push(body),
            mac: self.owned(mac.to_bytes().to_vec()),
        };
        self.events.push(event);
    }

    fn usual(&self, batch: &'a Batch) -> Option<Usual<'a>> {
        let event = batch.events.first()?;
        let is_like_most = |hold: &Hold| !hold.alone && hold.adds <= 1;
        if self.orgs.len() != 1 || self.lanes.len() != 1 || !self.orgs.values().all(is_like_most) {
            return None;
        }
        let (mut keyring, mut lane, mut is_free, mut generation) = (None, None, false, None);
        for expect in &batch.expectations {
            match (expect, batch.changes.first()) {
                (Expect::Keyring(_, Some(stamp)), _) if keyring.is_none() => keyring = Some(stamp),
                (Expect::Lane(_, _, Some(head)), _) if lane.is_none() && head.seq.checked_add(1) == Some(event.seq) => {
                    lane = Some(head);
                }
                (Expect::Absent(id), Some(Change::Insert(record))) if !is_free && record.head.address == *id => {
                    is_free = true;
                }
                (Expect::Generation(_, id, expected), Some(Change::Replace(record, _)))
                    if generation.is_none() && record.head.id == *id =>
                {
                    generation = Some(*expected);
                }
                _ => return None,
            }
        }
        Some(Usual { keyring: keyring?, lane: lane?, is_free, generation })
    }

    /// Those that a row points to.
    pub(crate) fn at(&self, at: Option<At>) -> Option<&[u8]> {
        self.bytes.get(at?.checked_sub(1)?).map(AsRef::as_ref)
    }

    fn hold(&mut self, org: &'a str) -> &mut Hold {
        self.orgs.entry(org).or_default()
    }

    fn id(&mut self, id: &'a StableId) -> At {
        self.push(id.as_bytes())
    }

    fn push(&mut self, bytes: &'a [u8]) -> At {
        self.bytes.push(Cow::Borrowed(bytes));
        self.bytes.len()
    }

    fn owned(&mut self, bytes: Vec<u8>) -> At {
        self.bytes.push(Cow::Owned(bytes));
        self.bytes.len()
    }
}

/// Whether the next change writes the same record in place of this one.
fn is_replaced_alike(record: &SecretRecord, next: &Change) -> bool {
    let Change::Replace(SecretRecord { head, mac, sealed }, Some(_)) = next else { return false };
    // The authenticator is over all of the head.
    (head.id, mac.to_bytes()) == (record.head.id, record.mac.to_bytes())
        && sealed.as_bytes() == record.sealed.as_bytes()
}

fn address(id: &SecretId) -> [&str; 5] {
    let (scope, name) = (id.scope(), id.name());
    [
        scope.org().as_str(),
        or_empty(scope.project()),
        or_empty(scope.domain()),
        or_empty(name.group()),
        name.key().as_str(),
    ]
}
