//! Between rows and records: the only place that knows how a column is written, and that trusts none when read.

use secretkit_core::seal::{Commitment, KekId, KeyId, KeyringRow, KeyringStamp, Mac, StoreId, Wrapped};
use secretkit_core::store::{
    ConsumerRecord, EventRecord, Found, Head, Lane, LaneHead, Listed, ListedRevision, Stamp, StoreInfo, Superseded,
    Target, Token, UsageRecord,
};
use secretkit_core::{
    Actor, Description, Digest, Error, Generation, Metadata, Part, PartKind, Result, Revision, Scope, SealedValue,
    SecretId, SecretName, SecretRecord, StableId, Tags, Timestamp,
};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

/// Absent text is `''`, which no valid part is: NULL would make two absent parts different to a unique index.
pub(crate) fn or_empty(part: Option<&Part>) -> &str {
    part.map_or("", Part::as_str)
}

/// The keyring of `org`, from column `first` on: `version, kek_id, wrapped_key, keyset`.
pub(crate) fn keyring(row: &Row, first: usize, org: &Part) -> Result<KeyringRow> {
    let mut columns = Columns::after(row, first);
    let mut read = || {
        let version = columns.counter()?;
        let kek = KekId::parse(columns.text()?).ok()?;
        let wrapped = Wrapped { kek, bytes: columns.blob()?.into() };
        Some(KeyringRow { org: org.clone(), version, wrapped, keyset: columns.record()? })
    };
    read().ok_or_else(|| Error::Corrupt { what: format!("the keyring of org {org}") })
}

/// The org of a keyring or a secret, from its first column.
pub(crate) fn org(row: &Row) -> Result<Part> {
    let nameless = || Error::Corrupt { what: "what stands under an org without a valid name".to_owned() };
    Columns::of(row).text().and_then(|org| Part::parse(PartKind::Org, org).ok()).ok_or_else(nameless)
}

/// What the store was born with, from `id, created_at`.
pub(crate) fn info(row: &Row) -> Option<StoreInfo> {
    let mut columns = Columns::of(row);
    Some(StoreInfo {
        id: StoreId::from_bytes(columns.array()?),
        created_at: Timestamp::from_micros(columns.integer()?),
    })
}

/// A secret's name, from `grp, key`.
pub(crate) fn name(row: &Row) -> Option<SecretName> {
    let mut columns = Columns::of(row);
    let (group, key) = (columns.text()?, columns.text()?);
    SecretName::from_parts(Some(group).filter(|group| !group.is_empty()), key).ok()
}

/// Which of the things that were asked for it belongs to, from this column.
pub(crate) fn place(row: &Row, column: usize) -> Option<usize> {
    row.try_get::<_, i32>(column).ok().and_then(|place| usize::try_from(place).ok())
}

/// The same, where the server has counted from 1.
pub(crate) fn ordinal(row: &Row) -> Option<usize> {
    let ordinal = row.try_get::<_, i64>(0).ok()?;
    usize::try_from(ordinal).ok()?.checked_sub(1)
}

/// What was asked for, from the head's columns and `record`.
pub(crate) fn secret(row: &Row, target: &Target) -> Result<SecretRecord> {
    let mut columns = Columns::of(row);
    let known = match target {
        Target::Exact(id) => Known { org: id.org(), scope: Some(id.scope()), name: Some(id.name()) },
        Target::Nearest(scope, name) => Known { org: scope.org(), scope: Some(scope), name: Some(name) },
        Target::Id(org, _) => Known { org, scope: None, name: None },
    };
    let (head, mac) = columns.head(&known)?;
    let sealed = columns.record().ok_or_else(|| corrupt(&head.address))?;
    Ok(SecretRecord { head, mac, sealed })
}

/// A line of a listing of `org`, from the head's columns and the record's commitment.
pub(crate) fn listed(row: &Row, org: &Part) -> Result<Listed> {
    let mut columns = Columns::of(row);
    let (head, mac) = columns.head(&Known { org, scope: None, name: None })?;
    let commitment = columns.array().map(Commitment::from_bytes).ok_or_else(|| corrupt(&head.address))?;
    Ok(Listed { head, mac, commitment })
}

/// What the caller knows of the row already. Where a column says the same, its text is shared and not made anew.
struct Known<'a> {
    org: &'a Part,
    scope: Option<&'a Scope>,
    name: Option<&'a SecretName>,
}

/// A superseded value of the secret with this head, from column `first` on:
/// `secret_id, revision, value_at, value_by, digest, mac, record`.
pub(crate) fn superseded(row: &Row, first: usize, head: &Head) -> Result<Superseded> {
    let mut columns = Columns::after(row, first);
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

/// A line of the history of the secret with this head, from column `first` on:
/// `secret_id, revision, value_at, value_by, digest, mac` and the record's commitment.
pub(crate) fn listed_revision(row: &Row, first: usize, head: &Head) -> Result<ListedRevision> {
    let mut columns = Columns::after(row, first);
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

/// A consumer of the secret with this id, from `place, name, seen_at, seen_by, mac`.
pub(crate) fn consumer(row: &Row, secret: StableId) -> Result<ConsumerRecord> {
    let mut columns = Columns::after(row, 1);
    let mut read = || {
        let name = columns.text()?.parse().ok()?;
        Some(ConsumerRecord { secret, name, seen: columns.stamp()?, mac: columns.mac()? })
    };
    read().ok_or_else(|| Error::Corrupt { what: format!("a consumer of the secret with id {secret}") })
}

/// The last use of the secret with this id, from `place, used_at, used_by, mac`.
pub(crate) fn usage(row: &Row, secret: StableId) -> Result<UsageRecord> {
    let mut columns = Columns::after(row, 1);
    let mut read = || Some(UsageRecord { secret, used: columns.stamp()?, mac: columns.mac()? });
    read().ok_or_else(|| Error::Corrupt { what: format!("the last use of the secret with id {secret}") })
}

/// What stands where something else was expected, from `refused, there, number, mark`: its place and itself. `None`
/// where nothing was refused.
pub(crate) fn refused(row: &Row) -> Option<Option<(usize, Option<Found>)>> {
    let mut columns = Columns::of(row);
    let Some(place) = columns.value::<Option<i32>>()? else { return Some(None) };
    let place = usize::try_from(place).ok()?;
    let mut found = || {
        Some(match columns.text()? {
            "nothing" => Found::Nothing,
            "consumer" => Found::Consumer,
            "secret" => Found::Secret(Generation::new(columns.counter()?)?),
            "items" => Found::Items(columns.counter()?),
            "keyring" => Found::Keyring(columns.keyring_stamp()?),
            "lane" => Found::Lane(columns.lane_head()?),
            _ => return None,
        })
    };
    Some(Some((place, found())))
}

/// The end of a lane, from `lane, seq, mac`.
pub(crate) fn lane(row: &Row) -> Option<(Lane, LaneHead)> {
    let mut columns = Columns::of(row);
    Some((columns.lane()?, columns.lane_head()?))
}

/// The end of a lane that is known, from `seq, mac`.
pub(crate) fn lane_head(row: &Row) -> Option<LaneHead> {
    Columns::of(row).lane_head()
}

/// Which keyring it is, from `version` and the keyset's commitment.
pub(crate) fn keyring_stamp(row: &Row) -> Option<KeyringStamp> {
    Columns::of(row).keyring_stamp()
}

/// The generation of a secret.
pub(crate) fn generation(row: &Row) -> Option<Generation> {
    Generation::new(Columns::of(row).counter()?)
}

/// An event of this org, from `lane, seq, token, at, body, mac`.
pub(crate) fn event(row: &Row, org: &Part) -> Option<EventRecord> {
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
pub(crate) fn id(row: &Row) -> Option<StableId> {
    Columns::of(row).array().map(StableId::from_bytes)
}

/// How many items stand under a key.
pub(crate) fn key_use(row: &Row) -> Option<(KeyId, u64)> {
    let mut columns = Columns::of(row);
    Some((KeyId::from_bytes(columns.array()?), columns.counter()?))
}

/// Reads the columns of a row from left to right. `None` is a column that nobody here has written.
struct Columns<'r> {
    row: &'r Row,
    next: usize,
    /// The last one read.
    actor: Option<Actor>,
}

impl<'r> Columns<'r> {
    const fn of(row: &'r Row) -> Self {
        Self::after(row, 0)
    }

    const fn after(row: &'r Row, next: usize) -> Self {
        Self { row, next, actor: None }
    }

    /// A head. What is wrong with it is said of its address where that can be trusted, and else of the org.
    fn head(&mut self, known: &Known<'_>) -> Result<(Head, Mac)> {
        let nameless = || Error::Corrupt { what: format!("a secret of org {}", known.org) };
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
        let Known { org, scope, name } = known;
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

    fn keyring_stamp(&mut self) -> Option<KeyringStamp> {
        Some(KeyringStamp { version: self.counter()?, commitment: self.array()? })
    }

    fn lane_head(&mut self) -> Option<LaneHead> {
        Some(LaneHead { seq: self.counter()?, mac: self.array()? })
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
        self.value()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.blob()?.try_into().ok()
    }

    fn text(&mut self) -> Option<&'r str> {
        self.value()
    }

    fn blob(&mut self) -> Option<&'r [u8]> {
        self.value()
    }

    fn value<T: FromSql<'r>>(&mut self) -> Option<T> {
        let value = self.row.try_get(self.next).ok();
        self.next += 1;
        value
    }
}

fn corrupt(address: &SecretId) -> Error {
    Error::Corrupt { what: address.to_string() }
}
