//! Between a store's rows and its records: the one place that knows what stands in a column, and that trusts none.

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::head::{Head, Stamp};
use crate::id::{SecretId, SecretName, StableId};
use crate::metadata::{Description, Metadata, Tags};
use crate::part::{Part, PartKind};
use crate::people::Actor;
use crate::record::{Generation, ListedSecret as Listed, Revision, SecretRecord};
use crate::revision::{ListedRevision, RevisionRecord as Superseded};
use crate::scope::Scope;
use crate::seal::{Commitment, KekId, KeyId, KeyringRow, KeyringStamp, Mac, SealedValue, Wrapped};
use crate::store::{ConsumerRecord, EventRecord, Lane, LaneHead, Target, Token, UsageRecord};
use crate::time::Timestamp;

/// A row of a table, whose columns are counted from 0. Each gives `None` for what is of another type, or not there.
pub trait Row<'r> {
    /// A number, or the lack of one: NULL is `Some(None)`.
    fn integer(&self, column: usize) -> Option<Option<i64>>;

    /// Text, which is never NULL here.
    fn text(&self, column: usize) -> Option<&'r str>;

    /// Bytes, which are never NULL here.
    fn blob(&self, column: usize) -> Option<&'r [u8]>;
}

/// Absent text is `''`, which no valid part is: NULL would make two absent parts different to a unique index.
#[must_use]
pub fn or_empty(part: Option<&Part>) -> &str {
    part.map_or("", Part::as_str)
}

/// Reads the columns of a row from left to right, for a store that keeps a secret's parts in columns of their own.
///
/// Times are microseconds since 1970, an id is 16 bytes, absent text is `''`; an authenticator and a digest are algorithm,
/// key id and 32 bytes; a commitment is 32 bytes of a record. Whoever can write to the store can write anything: what no
/// constructor of this crate accepts is `None`, or [`Error::Corrupt`] where it is known whose it is.
///
/// A head is `org, project, domain, grp, key, id, generation, revision, first_revision, keep, inactive_since, expires_at,
/// description, tags, created_at, created_by, updated_at, updated_by, value_at, value_by, digest, head_mac`.
///
/// ```
/// use secretkit_core::store::{Columns, Row};
///
/// /// As some database hands it out.
/// struct Answer(Vec<i64>);
///
/// impl<'r> Row<'r> for &'r Answer {
///     fn integer(&self, column: usize) -> Option<Option<i64>> {
///         self.0.get(column).copied().map(Some)
///     }
///     fn text(&self, _: usize) -> Option<&'r str> {
///         None
///     }
///     fn blob(&self, _: usize) -> Option<&'r [u8]> {
///         None
///     }
/// }
///
/// assert_eq!(Columns::of(&Answer(vec![7])).generation().map(|generation| generation.number()), Some(7));
/// assert!(Columns::of(&Answer(vec![-7])).generation().is_none());
/// ```
#[derive(Debug)]
pub struct Columns<R> {
    row: R,
    next: usize,
    /// The last one read.
    actor: Option<Actor>,
}

/// What the row is asked for, or what the one before it says. Where a column says the same, its text is shared: neither
/// checked nor made anew.
struct Known<'a> {
    org: &'a Part,
    scope: Option<&'a Scope>,
    name: Option<&'a SecretName>,
    actor: Option<&'a Actor>,
}

impl<R> Columns<R> {
    /// All of them.
    pub const fn of(row: R) -> Self {
        Self::after(row, 0)
    }

    /// Without the first so many.
    pub const fn after(row: R, first: usize) -> Self {
        Self { row, next: first, actor: None }
    }
}

/// Records.
impl<'r, R: Row<'r>> Columns<R> {
    /// What was asked for, from a head and `record`.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn secret(&mut self, target: &Target) -> Result<SecretRecord> {
        self.found(&match target {
            Target::Exact(id) => Known { org: id.org(), scope: Some(id.scope()), name: Some(id.name()), actor: None },
            Target::Nearest(scope, name) => {
                Known { org: scope.org(), scope: Some(scope), name: Some(name), actor: None }
            }
            Target::Id(org, _) => Known::of(org, None),
        })
    }

    /// The next one of several of `org`, from the same columns.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn next_secret(&mut self, org: &Part, before: Option<&Head>) -> Result<SecretRecord> {
        self.found(&Known::of(org, before))
    }

    fn found(&mut self, known: &Known<'_>) -> Result<SecretRecord> {
        let (head, mac) = self.head(known)?;
        let sealed = self.record().ok_or_else(|| corrupt(&head.address))?;
        Ok(SecretRecord { head, mac, sealed })
    }

    /// The next line of a listing of `org`, from a head and the record's commitment.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn listed(&mut self, org: &Part, before: Option<&Head>) -> Result<Listed> {
        let (head, mac) = self.head(&Known::of(org, before))?;
        let commitment = self.array().map(Commitment::from_bytes).ok_or_else(|| corrupt(&head.address))?;
        Ok(Listed { head, mac, commitment })
    }

    /// A superseded value of the secret with this head, from
    /// `secret_id, revision, value_at, value_by, digest, mac, record`.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn superseded(&mut self, head: &Head) -> Result<Superseded> {
        let mut read = || {
            Some(Superseded {
                secret: self.id()?,
                revision: Revision::new(self.counter()?)?,
                valued: self.stamp()?,
                digest: self.digest()?,
                mac: self.mac()?,
                sealed: self.record()?,
            })
        };
        read().ok_or_else(|| Error::Corrupt { what: format!("a revision of {}", head.address) })
    }

    /// A line of the history of the secret with this head, from `secret_id, revision, value_at, value_by, digest, mac` and
    /// the record's commitment.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn listed_revision(&mut self, head: &Head) -> Result<ListedRevision> {
        let mut read = || {
            Some(ListedRevision {
                secret: self.id()?,
                revision: Revision::new(self.counter()?)?,
                valued: self.stamp()?,
                digest: self.digest()?,
                mac: self.mac()?,
                commitment: self.array().map(Commitment::from_bytes)?,
            })
        };
        read().ok_or_else(|| Error::Corrupt { what: format!("a revision of {}", head.address) })
    }

    /// The keyring of `org`, from `version, kek_id, wrapped_key, keyset`.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn keyring(&mut self, org: &Part) -> Result<KeyringRow> {
        let mut read = || {
            let version = self.counter()?;
            let kek = KekId::parse(self.text()?).ok()?;
            let wrapped = Wrapped { kek, bytes: self.blob()?.into() };
            Some(KeyringRow { org: org.clone(), version, wrapped, keyset: self.record()? })
        };
        read().ok_or_else(|| Error::Corrupt { what: format!("the keyring of org {org}") })
    }

    /// A consumer of the secret with this id, from `name, seen_at, seen_by, mac`.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn consumer(&mut self, secret: StableId) -> Result<ConsumerRecord> {
        let mut read = || {
            let name = self.text()?.parse().ok()?;
            Some(ConsumerRecord { secret, name, seen: self.stamp()?, mac: self.mac()? })
        };
        read().ok_or_else(|| Error::Corrupt { what: format!("a consumer of the secret with id {secret}") })
    }

    /// The last use of the secret with this id, from `used_at, used_by, mac`.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn usage(&mut self, secret: StableId) -> Result<UsageRecord> {
        let mut read = || Some(UsageRecord { secret, used: self.stamp()?, mac: self.mac()? });
        read().ok_or_else(|| Error::Corrupt { what: format!("the last use of the secret with id {secret}") })
    }

    /// An event of this org, from `lane, seq, token, at, body, mac`.
    pub fn event(&mut self, org: &Part) -> Option<EventRecord> {
        Some(EventRecord {
            org: org.clone(),
            lane: self.lane()?,
            seq: self.counter()?,
            token: Token::from_bytes(self.array()?),
            at: Timestamp::from_micros(self.integer()?),
            body: self.blob()?.into(),
            mac: self.mac()?,
        })
    }
}

/// Parts of records.
impl<'r, R: Row<'r>> Columns<R> {
    /// An org, from its name.
    pub fn org(&mut self) -> Option<Part> {
        Part::parse(PartKind::Org, self.text()?).ok()
    }

    /// A secret's name, from `grp, key`.
    pub fn name(&mut self) -> Option<SecretName> {
        let (group, key) = (self.text()?, self.text()?);
        SecretName::from_parts(Some(group).filter(|group| !group.is_empty()), key).ok()
    }

    /// The id of a secret.
    pub fn id(&mut self) -> Option<StableId> {
        self.array().map(StableId::from_bytes)
    }

    /// The generation of a secret.
    pub fn generation(&mut self) -> Option<Generation> {
        self.counter().and_then(Generation::new)
    }

    /// Which keyring it is, from `version` and the keyset's commitment.
    pub fn keyring_stamp(&mut self) -> Option<KeyringStamp> {
        Some(KeyringStamp { version: self.counter()?, commitment: self.array()? })
    }

    /// The number of a lane.
    pub fn lane(&mut self) -> Option<Lane> {
        u8::try_from(self.integer()?).ok().and_then(Lane::new)
    }

    /// The end of a lane, from `seq, mac`.
    pub fn lane_head(&mut self) -> Option<LaneHead> {
        Some(LaneHead { seq: self.counter()?, mac: self.array()? })
    }

    /// How many items stand under a key, from its id and their number.
    pub fn key_use(&mut self) -> Option<(KeyId, u64)> {
        Some((KeyId::from_bytes(self.array()?), self.counter()?))
    }

    /// A head. What is wrong with it is said of its address where that can be trusted, and else of the org.
    fn head(&mut self, known: &Known<'_>) -> Result<(Head, Mac)> {
        let nameless = || Error::Corrupt { what: format!("a secret of org {}", known.org) };
        self.actor = known.actor.cloned();
        let mut address = Some(self.address(known).ok_or_else(nameless)?);
        let mut read = || {
            let (id, generation) = (self.id()?, self.generation()?);
            let (revision, first_revision) = (Revision::new(self.counter()?)?, Revision::new(self.counter()?)?);
            let keep = self.optional_integer()?.map(u32::try_from).transpose().ok()?;
            let metadata = self.metadata()?;
            let (created, updated, valued) = (self.stamp()?, self.stamp()?, self.stamp()?);
            let (digest, mac) = (self.digest()?, self.mac()?);
            // Last: up to here it is the error's.
            let address = address.take()?;
            let head = Head {
                id,
                address,
                generation,
                revision,
                first_revision,
                keep,
                metadata,
                created,
                updated,
                valued,
                digest,
            };
            Some((head, mac))
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
}

/// Single columns.
impl<'r, R: Row<'r>> Columns<R> {
    /// A number from 1.
    pub fn counter(&mut self) -> Option<u64> {
        u64::try_from(self.integer()?).ok().filter(|&number| number > 0)
    }

    /// A number.
    pub fn integer(&mut self) -> Option<i64> {
        self.optional_integer()?
    }

    /// A number, or the lack of one.
    pub fn optional_integer(&mut self) -> Option<Option<i64>> {
        let column = self.step();
        self.row.integer(column)
    }

    /// So many bytes and no others.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.blob()?.try_into().ok()
    }

    /// Text.
    pub fn text(&mut self) -> Option<&'r str> {
        let column = self.step();
        self.row.text(column)
    }

    /// Bytes.
    pub fn blob(&mut self) -> Option<&'r [u8]> {
        let column = self.step();
        self.row.blob(column)
    }

    const fn step(&mut self) -> usize {
        let column = self.next;
        self.next += 1;
        column
    }
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

fn corrupt(address: &SecretId) -> Error {
    Error::Corrupt { what: address.to_string() }
}
