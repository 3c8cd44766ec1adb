//! Between rows and records: the only place that knows how a column is written, and that trusts none when read.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use secretkit_core::seal::{Commitment, KekId, KeyringRow, KeyringStamp, Mac, Wrapped};
use secretkit_core::store::{Head, Listed, Stamp, Superseded};
use secretkit_core::{
    Actor, Description, Digest, Error, Generation, Metadata, Part, PartKind, Result, Revision, Scope, SealedValue,
    SecretId, SecretName, SecretRecord, StableId, Tags, Timestamp,
};

/// The columns of a head and its authenticator, in the order in which [`Columns::head`] reads them.
macro_rules! head_columns {
    () => {
        "org, project, domain, grp, key, id, generation, revision, first_revision, keep, active, expires_at, \
         description, tags, created_at, created_by, updated_at, updated_by, value_at, value_by, digest, head_mac"
    };
}
pub(crate) use head_columns;

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

/// A secret of `org`, from the head's columns and `record`.
pub(crate) fn secret(row: &Row<'_>, org: &Part) -> Result<SecretRecord> {
    let mut columns = Columns::of(row);
    let (address, head, mac) = columns.head_of(org)?;
    let sealed = columns.record().ok_or_else(|| corrupt(&address))?;
    Ok(SecretRecord { head, mac, sealed })
}

/// A line of a listing of `org`, from the head's columns and the record's commitment.
pub(crate) fn listed(row: &Row<'_>, org: &Part) -> Result<Listed> {
    let mut columns = Columns::of(row);
    let (address, head, mac) = columns.head_of(org)?;
    let commitment = columns.array().map(Commitment::from_bytes).ok_or_else(|| corrupt(&address))?;
    Ok(Listed { head, mac, commitment })
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

pub(crate) fn generation(row: &Row<'_>) -> Option<Generation> {
    Columns::of(row).counter().and_then(Generation::new)
}

pub(crate) fn stamp(row: &Row<'_>) -> Option<KeyringStamp> {
    let mut columns = Columns::of(row);
    Some(KeyringStamp { version: columns.counter()?, commitment: columns.array()? })
}

/// Reads the columns of a row from left to right. `None` is a column that nobody here has written.
struct Columns<'r> {
    row: &'r Row<'r>,
    next: usize,
}

impl<'r> Columns<'r> {
    const fn of(row: &'r Row<'r>) -> Self {
        Self { row, next: 0 }
    }

    /// A head. What is wrong with it is said of its address where that can be trusted, and else of the org.
    fn head_of(&mut self, org: &Part) -> Result<(SecretId, Head, Mac)> {
        let nameless = || Error::Corrupt { what: format!("a secret of org {org}") };
        let address = self.address().ok_or_else(nameless)?;
        self.head(&address).map(|(head, mac)| (address.clone(), head, mac)).ok_or_else(|| corrupt(&address))
    }

    fn address(&mut self) -> Option<SecretId> {
        let org = self.part(PartKind::Org)?;
        let (project, domain) = (self.optional_part(PartKind::Project)?, self.optional_part(PartKind::Domain)?);
        let group = self.optional_part(PartKind::Group)?;
        let name = SecretName::new(group, self.part(PartKind::Key)?);
        Some(SecretId::new(Scope::new(org, project, domain), name))
    }

    fn head(&mut self, address: &SecretId) -> Option<(Head, Mac)> {
        let head = Head {
            address: address.clone(),
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
        };
        Some((head, self.mac()?))
    }

    fn metadata(&mut self) -> Option<Metadata> {
        let active = match self.integer()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let expires_at = self.optional_integer()?.map(Timestamp::from_micros);
        let description = match self.text()? {
            "" => None,
            text => Some(Description::parse(text).ok()?),
        };
        Some(Metadata { active, expires_at, description, tags: Tags::from_column(self.text()?).ok()? })
    }

    fn stamp(&mut self) -> Option<Stamp> {
        let at = Timestamp::from_micros(self.integer()?);
        Some(Stamp { at, by: Actor::parse(self.text()?).ok()? })
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

    fn part(&mut self, kind: PartKind) -> Option<Part> {
        Part::parse(kind, self.text()?).ok()
    }

    fn optional_part(&mut self, kind: PartKind) -> Option<Option<Part>> {
        match self.text()? {
            "" => Some(None),
            text => Part::parse(kind, text).ok().map(Some),
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
