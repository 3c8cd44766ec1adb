//! Between rows and records: the only place that knows how a column is written, and that trusts none when read.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use secretkit_core::seal::{Commitment, KekId, KeyId, KeyringRow, KeyringStamp, Mac, Wrapped};
use secretkit_core::store::{
    ConsumerRecord, EventRecord, Head, Lane, LaneHead, Listed, ListedRevision, Stamp, Superseded, Target, Token,
    UsageRecord,
};
use secretkit_core::{
    Actor, Description, Digest, Error, Generation, Metadata, Part, PartKind, Result, Revision, Scope, SealedValue,
    SecretId, SecretName, SecretRecord, StableId, Tags, Timestamp,
};

/// The columns of a head and its authenticator, in the order in which [`Columns::head`] reads them.
macro_rules! head_columns {
    () => {
        "org, project, domain, grp, key, id, generation, revision, first_revision, keep, inactive_since, expires_at, \
         description, tags, created_at, created_by, updated_at, updated_by, value_at, value_by, digest, head_mac"
    };
}
pub(crate) use head_columns;

/// Where among them the id stands, from 0.
pub(crate) const ID_OF_HEAD: usize = 5;

/// Whether a row that begins with an org, as those columns do, is of this one.
pub(crate) fn is_of(row: &Row<'_>, org: &Part) -> bool {
    Columns::of(row).text() == Some(org.as_str())
}

/// Absent text is `''`, which no valid part is: NULL would make two absent parts different to a unique index.
pub(crate) fn or_empty(part: Option<&Part>) -> &str {
    part.map_or("", Part::as_str)
}

/// The keyring of `org`, from `version, kek_id, wrapped_key, keyset`.
pub(crate) fn keyring(row: &Row<'_>, org: &Part) -> Result<KeyringRow> {
    let mut columns = Columns::of(row);
    let mut read = || {
        let version = columns.counter()?;
        let kek = KekId::parse(columns.text()?).ok()?;
        let wrapped = Wrapped { kek, bytes: columns.blob()?.into() };
        Some(KeyringRow { org: org.clone(), version, wrapped, keyset: columns.record()? })
    };
    read().ok_or_else(|| Error::Corrupt { what: format!("the keyring of org {org}") })
}

/// What was asked for, from the head's columns and `record`.
pub(crate) fn secret(row: &Row<'_>, target: &Target) -> Result<SecretRecord> {
    let known = match target {
        Target::Exact(id) => Known { org: id.org(), scope: Some(id.scope()), name: Some(id.name()), actor: None },
        Target::Nearest(scope, name) => Known { org: scope.org(), scope: Some(scope), name: Some(name), actor: None },
        Target::Id(org, _) => Known::of(org, None),
    };
    record(row, &known)
}

/// The next one of several of `org`, from the same columns.
pub(crate) fn next_secret(row: &Row<'_>, org: &Part, before: Option<&Head>) -> Result<SecretRecord> {
    record(row, &Known::of(org, before))
}

fn record(row: &Row<'_>, known: &Known<'_>) -> Result<SecretRecord> {
    let mut columns = Columns::of(row);
    let (head, mac) = columns.head(known)?;
    let sealed = columns.record().ok_or_else(|| corrupt(&head.address))?;
    Ok(SecretRecord { head, mac, sealed })
}

/// The next line of a listing of `org`, from the head's columns and the record's commitment.
pub(crate) fn listed(row: &Row<'_>, org: &Part, before: Option<&Head>) -> Result<Listed> {
    let mut columns = Columns::of(row);
    let (head, mac) = columns.head(&Known::of(org, before))?;
    let commitment = columns.array().map(Commitment::from_bytes).ok_or_else(|| corrupt(&head.address))?;
    Ok(Listed { head, mac, commitment })
}

/// What the row is asked for, or what the one before it says. Where a column says the same, its text is shared: neither
/// checked nor made anew.
struct Known<'a> {
    org: &'a Part,
    scope: Option<&'a Scope>,
    name: Option<&'a SecretName>,
    actor: Option<&'a Actor>,
}

impl<'a> Known<'a> {
    fn of(org: &'a Part, before: Option<&'a Head>) -> Self {
        let address = before.map(|head| &head.address);
        Self {
            org,
            scope: address.map(SecretId::scope),
            name: address.map(SecretId::name),
            actor: before.map(|head| &head.valued.by),
        }
    }
}

/// A superseded value of the secret with this head, from
/// `secret_id, revision, value_at, value_by, digest, mac, record`.
pub(crate) fn superseded(row: &Row<'_>, head: &Head) -> Result<Superseded> {
    let mut columns = Columns::of(row);
    let mut read = || {
        Some(Superseded {
            secret: StableId::from_bytes(columns.array()?),
            revision: Revision::new(columns.counter()?)?,
            valued: columns.stamp()?,
            digest: columns.digest()?,
            mac: columns.mac()?,
            sealed: columns.record()?,
        })
    };
    read().ok_or_else(|| Error::Corrupt { what: format!("a revision of {}", head.address) })
}

/// A line of the history of the secret with this head, from
/// `secret_id, revision, value_at, value_by, digest, mac` and the record's commitment.
pub(crate) fn listed_revision(row: &Row<'_>, head: &Head) -> Result<ListedRevision> {
    let mut columns = Columns::of(row);
    let mut read = || {
        Some(ListedRevision {
            secret: StableId::from_bytes(columns.array()?),
            revision: Revision::new(columns.counter()?)?,
            valued: columns.stamp()?,
            digest: columns.digest()?,
            mac: columns.mac()?,
            commitment: columns.array().map(Commitment::from_bytes)?,
        })
    };
    read().ok_or_else(|| Error::Corrupt { what: format!("a revision of {}", head.address) })
}

/// A consumer of the secret with this id, from `name, seen_at, seen_by, mac`.
pub(crate) fn consumer(row: &Row<'_>, secret: StableId) -> Result<ConsumerRecord> {
    let mut columns = Columns::of(row);
    let mut read = || {
        let name = columns.text()?.parse().ok()?;
        Some(ConsumerRecord { secret, name, seen: columns.stamp()?, mac: columns.mac()? })
    };
    read().ok_or_else(|| Error::Corrupt { what: format!("a consumer of the secret with id {secret}") })
}

/// The last use of the secret with this id, from `used_at, used_by, mac`.
pub(crate) fn usage(row: &Row<'_>, secret: StableId) -> Result<UsageRecord> {
    let mut columns = Columns::of(row);
    let mut read = || Some(UsageRecord { secret, used: columns.stamp()?, mac: columns.mac()? });
    read().ok_or_else(|| Error::Corrupt { what: format!("the last use of the secret with id {secret}") })
}

pub(crate) fn generation(row: &Row<'_>) -> Option<Generation> {
    Columns::of(row).counter().and_then(Generation::new)
}

pub(crate) fn stamp(row: &Row<'_>) -> Option<KeyringStamp> {
    let mut columns = Columns::of(row);
    Some(KeyringStamp { version: columns.counter()?, commitment: columns.array()? })
}

/// The end of a lane, from `lane, seq, mac`.
pub(crate) fn lane(row: &Row<'_>) -> Option<(Lane, LaneHead)> {
    let mut columns = Columns::of(row);
    let lane = columns.lane()?;
    Some((lane, LaneHead { seq: columns.counter()?, mac: columns.array()? }))
}

/// An event of this org, from `lane, seq, token, at, body, mac`.
pub(crate) fn event(row: &Row<'_>, org: &Part) -> Option<EventRecord> {
    let mut columns = Columns::of(row);
    Some(EventRecord {
        org: org.clone(),
        lane: columns.lane()?,
        seq: columns.counter()?,
        token: Token::from_bytes(columns.array()?),
        at: Timestamp::from_micros(columns.integer()?),
        body: columns.blob()?.into(),
        mac: columns.mac()?,
    })
}

/// The id of a secret.
pub(crate) fn id(row: &Row<'_>) -> Option<StableId> {
    Columns::of(row).array().map(StableId::from_bytes)
}

/// How many items stand under a key.
pub(crate) fn key_use(row: &Row<'_>) -> Option<(KeyId, u64)> {
    let mut columns = Columns::of(row);
    Some((KeyId::from_bytes(columns.array()?), columns.counter()?))
}

/// Reads the columns of a row from left to right. `None` is a column that nobody here has written.
struct Columns<'r> {
    row: &'r Row<'r>,
    next: usize,
    /// The last one read.
    actor: Option<Actor>,
}

impl<'r> Columns<'r> {
    const fn of(row: &'r Row<'r>) -> Self {
        Self { row, next: 0, actor: None }
    }

    /// A head. What is wrong with it is said of its address where that can be trusted, and else of the org.
    fn head(&mut self, known: &Known<'_>) -> Result<(Head, Mac)> {
        let nameless = || Error::Corrupt { what: format!("a secret of org {}", known.org) };
        self.actor = known.actor.cloned();
        let mut address = Some(self.address(known).ok_or_else(nameless)?);
        let mut read = || {
            let head = Head {
                id: StableId::from_bytes(self.array()?),
                generation: Generation::new(self.counter()?)?,
                revision: Revision::new(self.counter()?)?,
                first_revision: Revision::new(self.counter()?)?,
                keep: self.optional_integer()?.map(u32::try_from).transpose().ok()?,
                metadata: self.metadata()?,
                created: self.stamp()?,
                updated: self.stamp()?,
                valued: self.stamp()?,
                digest: self.digest()?,
                // Last: up to here it is the error's.
                address: address.take()?,
            };
            Some((head, self.mac()?))
        };
        read().ok_or_else(|| address.as_ref().map_or_else(nameless, corrupt))
    }

    fn address(&mut self, known: &Known<'_>) -> Option<SecretId> {
        let Known { org, scope, name, actor: _ } = known;
        let org = self.part(PartKind::Org, Some(org))?;
        let project = self.optional_part(PartKind::Project, scope.and_then(Scope::project))?;
        let domain = self.optional_part(PartKind::Domain, scope.and_then(Scope::domain))?;
        let group = self.optional_part(PartKind::Group, name.and_then(SecretName::group))?;
        let key = self.part(PartKind::Key, name.map(SecretName::key))?;
        Some(SecretId::new(Scope::new(org, project, domain), SecretName::new(group, key)))
    }

    fn metadata(&mut self) -> Option<Metadata> {
        let inactive_since = self.optional_integer()?.map(Timestamp::from_micros);
        let expires_at = self.optional_integer()?.map(Timestamp::from_micros);
        let description = match self.text()? {
            "" => None,
            text => Some(Description::parse(text).ok()?),
        };
        Some(Metadata { inactive_since, expires_at, description, tags: Tags::from_column(self.text()?).ok()? })
    }

    /// Mostly one actor did all that a row tells of.
    fn stamp(&mut self) -> Option<Stamp> {
        let at = Timestamp::from_micros(self.integer()?);
        let text = self.text()?;
        let by = match &self.actor {
            Some(actor) if actor.as_str() == text => actor.clone(),
            _ => self.actor.insert(Actor::parse(text).ok()?).clone(),
        };
        Some(Stamp { at, by })
    }

    fn lane(&mut self) -> Option<Lane> {
        u8::try_from(self.integer()?).ok().and_then(Lane::new)
    }

    fn digest(&mut self) -> Option<Digest> {
        Digest::from_bytes(self.blob()?).ok()
    }

    fn mac(&mut self) -> Option<Mac> {
        Mac::from_bytes(self.blob()?).ok()
    }

    fn record(&mut self) -> Option<SealedValue> {
        SealedValue::from_bytes(self.blob()?).ok()
    }

    fn part(&mut self, kind: PartKind, known: Option<&Part>) -> Option<Part> {
        let text = self.text()?;
        match known {
            Some(known) if known.as_str() == text => Some(known.clone()),
            _ => Part::parse(kind, text).ok(),
        }
    }

    fn optional_part(&mut self, kind: PartKind, known: Option<&Part>) -> Option<Option<Part>> {
        match (self.text()?, known) {
            ("", _) => Some(None),
            (text, Some(known)) if known.as_str() == text => Some(Some(known.clone())),
            (text, _) => Part::parse(kind, text).ok().map(Some),
        }
    }

    /// From 1.
    fn counter(&mut self) -> Option<u64> {
        u64::try_from(self.integer()?).ok().filter(|&number| number > 0)
    }

    fn integer(&mut self) -> Option<i64> {
        self.optional_integer()?
    }

    fn optional_integer(&mut self) -> Option<Option<i64>> {
        match self.value()? {
            ValueRef::Null => Some(None),
            ValueRef::Integer(integer) => Some(Some(integer)),
            ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => None,
        }
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.blob()?.try_into().ok()
    }

    fn text(&mut self) -> Option<&'r str> {
        match self.value()? {
            ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok(),
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => None,
        }
    }

    fn blob(&mut self) -> Option<&'r [u8]> {
        match self.value()? {
            ValueRef::Blob(bytes) => Some(bytes),
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => None,
        }
    }

    fn value(&mut self) -> Option<ValueRef<'r>> {
        let value = self.row.get_ref(self.next).ok();
        self.next += 1;
        value
    }
}

fn corrupt(address: &SecretId) -> Error {
    Error::Corrupt { what: address.to_string() }
}
