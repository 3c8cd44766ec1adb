//! Writing: every expectation checked and every change applied in one transaction.

use rusqlite::{Connection, Row, TransactionBehavior, params};
use secretkit_core::seal::KeyringRow;
use secretkit_core::store::{
    Batch, Change, Commit, ConsumerRecord, Expect, Found, Head, Stamp, Superseded, Token, or_empty,
};
use secretkit_core::{Consumer, Error, Metadata, Part, Result, SecretRecord, StableId, Timestamp};

use crate::error::{self, Named};
use crate::place::Place;
use crate::rows;
use crate::schema::SCHEMA;
use crate::{events, keyring};

/// The lock is taken at the begin: a transaction that reads first and then wants to write fails where it meets
/// another, instead of waiting for it.
pub(crate) fn apply(connection: &mut Connection, place: &Place, batch: &Batch) -> Result<Commit> {
    let Batch { token, expectations, changes, events } = batch;
    // Rolled back where it is dropped without a commit.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).at(place)?;
    let work = Work { connection: &transaction, place };
    if let (Some(token), Some(event)) = (token, events.first())
        && events::outcome(&transaction, place, &event.org, token)?
    {
        return Ok(Commit::Applied);
    }
    for (expectation, expect) in expectations.iter().enumerate() {
        if let Some(found) = work.contradiction(expect)? {
            return Ok(Commit::Refused { expectation, found });
        }
    }
    for change in changes {
        work.change(change)?;
    }
    events.iter().try_for_each(|event| events::add(&transaction, place, event))?;
    transaction.commit().map(|()| Commit::Applied).map_err(|failed| error::of_commit(place, *token, failed))
}

/// Whether the commit with this token took effect. Where it did not, it does not do so later.
///
/// The bytes of a commit that failed while it was flushed may stand in the log, behind the last one that counts. Nobody
/// sees them until the log is read anew, after a crash; then they count, unless another commit has taken their place.
/// This one does, and writes the first page as it is.
///
/// # Errors
/// [`Error::OutcomeUnknown`] where it fails as well.
pub(crate) fn settle(connection: &mut Connection, place: &Place, org: &Part, token: &Token) -> Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).at(place)?;
    if events::outcome(&transaction, place, org, token)? {
        return Ok(true);
    }
    transaction.pragma_update(None, "user_version", SCHEMA).at(place)?;
    transaction.commit().map(|()| false).map_err(|failed| error::of_commit(place, Some(*token), failed))
}

/// What is done within the transaction.
struct Work<'a> {
    connection: &'a Connection,
    place: &'a Place,
}

impl Work<'_> {
    /// What is there instead of what is expected; `None` where the expectation holds.
    fn contradiction(&self, expect: &Expect) -> Result<Option<Found>> {
        Ok(match expect {
            Expect::Absent(id) => self
                .one(
                    "SELECT generation FROM secrets \
                     WHERE org = ?1 AND grp = ?2 AND key = ?3 AND project = ?4 AND domain = ?5",
                    params![
                        id.org().as_str(),
                        or_empty(id.name().group()),
                        id.name().key().as_str(),
                        or_empty(id.scope().project()),
                        or_empty(id.scope().domain())
                    ],
                    |row| rows::of(row).generation().ok_or_else(|| corrupt(id)),
                )?
                .map(Found::Secret),
            Expect::Generation(org, id, expected) => {
                let found = self.one(
                    "SELECT generation FROM secrets WHERE id = ?1 AND org = ?2",
                    params![id.as_bytes(), org.as_str()],
                    |row| rows::of(row).generation().ok_or_else(|| corrupt(id)),
                )?;
                (found != Some(*expected)).then(|| found.map_or(Found::Nothing, Found::Secret))
            }
            Expect::Exists(org, id) => {
                let found = self.one(
                    "SELECT 1 FROM secrets WHERE id = ?1 AND org = ?2",
                    params![id.as_bytes(), org.as_str()],
                    |_| Ok(()),
                )?;
                found.is_none().then_some(Found::Nothing)
            }
            Expect::NoConsumers(org, id) => self.one(
                "SELECT 1 FROM consumers JOIN secrets ON id = secret_id WHERE secret_id = ?1 AND org = ?2 LIMIT 1",
                params![id.as_bytes(), org.as_str()],
                |_| Ok(Found::Consumer),
            )?,
            Expect::ConsumerSeen(org, id, name, expected) => {
                let found = self.one(
                    "SELECT seen_at FROM consumers CROSS JOIN secrets ON id = secret_id AND org = ?2 \
                     WHERE secret_id = ?1 AND name = ?3",
                    params![id.as_bytes(), org.as_str(), name.as_str()],
                    |row| row.get::<_, i64>(0).map_err(|_| corrupt(&format_args!("a consumer of {id}"))),
                )?;
                (found != expected.map(Timestamp::as_micros)).then(|| found.map_or(Found::Nothing, |_| Found::Consumer))
            }
            Expect::Keyring(org, expected) => {
                let found = keyring::stamp(self.connection, self.place, org)?;
                (found != *expected).then(|| found.map_or(Found::Nothing, Found::Keyring))
            }
            Expect::Lane(org, lane, expected) => {
                let found = events::lane(self.connection, self.place, org, *lane)?;
                (found != *expected).then(|| found.map_or(Found::Nothing, Found::Lane))
            }
            Expect::KeyUnused(org, key) => {
                keyring::uses(self.connection, self.place, org)?.get(key).map(|items| Found::Items(*items))
            }
            Expect::NoSecrets(org) => self
                .one("SELECT generation FROM secrets WHERE org = ?1 LIMIT 1", [org.as_str()], |row| {
                    rows::of(row).generation().ok_or_else(|| corrupt(&format_args!("a secret of org {org}")))
                })?
                .map(Found::Secret),
        })
    }

    fn change(&self, change: &Change) -> Result<()> {
        match change {
            Change::Keyring(row) => self.put_keyring(row),
            Change::Insert(record) => self.insert(record),
            Change::Replace(record, superseded) => self.replace(record, superseded.as_ref()),
            Change::ReplaceRevision(org, superseded) => self.replace_revision(org, superseded),
            Change::Delete(org, id) => self.delete(org, *id),
            Change::Register(org, consumer) => self.register(org, consumer),
            Change::Unregister(org, id, name) => self.unregister(org, *id, name),
        }
    }

    fn put_keyring(&self, row: &KeyringRow) -> Result<()> {
        let KeyringRow { org, version, wrapped, keyset } = row;
        self.execute(
            "INSERT INTO keyring (org, version, kek_id, wrapped_key, keyset) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (org) DO UPDATE SET version = excluded.version, kek_id = excluded.kek_id, \
             wrapped_key = excluded.wrapped_key, keyset = excluded.keyset",
            params![org.as_str(), version.cast_signed(), wrapped.kek.as_str(), wrapped.bytes, keyset.as_bytes()],
        )?;
        Ok(())
    }

    fn insert(&self, record: &SecretRecord) -> Result<()> {
        self.write_secret(
            record,
            "INSERT INTO secrets (id, org, project, domain, grp, key, generation, revision, first_revision, keep, \
             inactive_since, expires_at, description, tags, created_at, created_by, updated_at, updated_by, value_at, \
             value_by, digest, head_mac, record) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, \
             ?21, ?22, ?23)",
        )
    }

    /// The address is in the condition and not among what is set: a secret never moves.
    fn replace(&self, record: &SecretRecord, superseded: Option<&Superseded>) -> Result<()> {
        if let Some(superseded) = superseded {
            self.keep(record, superseded)?;
        }
        self.write_secret(
            record,
            "UPDATE secrets SET generation = ?7, revision = ?8, first_revision = ?9, keep = ?10, inactive_since = ?11, \
             expires_at = ?12, description = ?13, tags = ?14, created_at = ?15, created_by = ?16, \
             updated_at = ?17, updated_by = ?18, value_at = ?19, value_by = ?20, digest = ?21, head_mac = ?22, \
             record = ?23 \
             WHERE id = ?1 AND org = ?2 AND project = ?3 AND domain = ?4 AND grp = ?5 AND key = ?6",
        )?;
        self.execute(
            "DELETE FROM revisions WHERE secret_id = ?1 AND revision < ?2",
            params![record.head.id.as_bytes(), record.head.first_revision.number().cast_signed()],
        )?;
        Ok(())
    }

    fn write_secret(&self, record: &SecretRecord, statement: &str) -> Result<()> {
        let SecretRecord { head, mac, sealed } = record;
        let Head {
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
        } = head;
        let Metadata { inactive_since, expires_at, description, tags } = metadata;
        let (scope, name) = (address.scope(), address.name());
        let written = self.execute(
            statement,
            params![
                id.as_bytes(),
                scope.org().as_str(),
                or_empty(scope.project()),
                or_empty(scope.domain()),
                or_empty(name.group()),
                name.key().as_str(),
                generation.number().cast_signed(),
                revision.number().cast_signed(),
                first_revision.number().cast_signed(),
                keep,
                inactive_since.map(Timestamp::as_micros),
                expires_at.map(Timestamp::as_micros),
                description.as_ref().map_or("", |description| description.as_str()),
                tags.to_column(),
                created.at.as_micros(),
                created.by.as_str(),
                updated.at.as_micros(),
                updated.by.as_str(),
                valued.at.as_micros(),
                valued.by.as_str(),
                digest.to_bytes(),
                mac.to_bytes(),
                sealed.as_bytes(),
            ],
        )?;
        self.exactly_one(written)
    }

    fn keep(&self, record: &SecretRecord, superseded: &Superseded) -> Result<()> {
        let Superseded { secret, revision, valued: Stamp { at, by }, digest, mac, sealed } = superseded;
        if *secret != record.head.id {
            return Err(self.unfit());
        }
        let written = self.execute(
            "INSERT INTO revisions (secret_id, revision, value_at, value_by, digest, mac, record) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                secret.as_bytes(),
                revision.number().cast_signed(),
                at.as_micros(),
                by.as_str(),
                digest.to_bytes(),
                mac.to_bytes(),
                sealed.as_bytes()
            ],
        )?;
        self.exactly_one(written)
    }

    fn replace_revision(&self, org: &Part, superseded: &Superseded) -> Result<()> {
        let Superseded { secret, revision, valued: Stamp { at, by }, digest, mac, sealed } = superseded;
        let written = self.execute(
            "UPDATE revisions SET value_at = ?3, value_by = ?4, digest = ?5, mac = ?6, record = ?7 \
             WHERE secret_id = (SELECT id FROM secrets WHERE id = ?1 AND org = ?8) AND revision = ?2",
            params![
                secret.as_bytes(),
                revision.number().cast_signed(),
                at.as_micros(),
                by.as_str(),
                digest.to_bytes(),
                mac.to_bytes(),
                sealed.as_bytes(),
                org.as_str()
            ],
        )?;
        self.exactly_one(written)
    }

    /// Its superseded values and its last use go with it, by their foreign keys. A consumer stands against it by its
    /// own.
    fn delete(&self, org: &Part, id: StableId) -> Result<()> {
        let written =
            self.execute("DELETE FROM secrets WHERE id = ?1 AND org = ?2", params![id.as_bytes(), org.as_str()])?;
        self.exactly_one(written)
    }

    fn register(&self, org: &Part, consumer: &ConsumerRecord) -> Result<()> {
        let ConsumerRecord { secret, name, seen: Stamp { at, by }, mac } = consumer;
        let written = self.execute(
            "INSERT INTO consumers (secret_id, name, seen_at, seen_by, mac) \
             SELECT id, ?3, ?4, ?5, ?6 FROM secrets WHERE id = ?1 AND org = ?2 \
             ON CONFLICT (secret_id, name) DO UPDATE SET seen_at = excluded.seen_at, seen_by = excluded.seen_by, \
             mac = excluded.mac",
            params![secret.as_bytes(), org.as_str(), name.as_str(), at.as_micros(), by.as_str(), mac.to_bytes()],
        )?;
        self.exactly_one(written)
    }

    fn unregister(&self, org: &Part, id: StableId, name: &Consumer) -> Result<()> {
        self.execute(
            "DELETE FROM consumers WHERE secret_id = (SELECT id FROM secrets WHERE id = ?1 AND org = ?2) AND name = ?3",
            params![id.as_bytes(), org.as_str(), name.as_str()],
        )?;
        Ok(())
    }

    fn one<T>(
        &self,
        statement: &str,
        parameters: impl rusqlite::Params,
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.connection.prepare_cached(statement).at(self.place)?;
        let mut rows = statement.query(parameters).at(self.place)?;
        rows.next().at(self.place)?.map(read).transpose()
    }

    fn execute(&self, statement: &str, parameters: impl rusqlite::Params) -> Result<usize> {
        self.connection.prepare_cached(statement).and_then(|mut statement| statement.execute(parameters)).at(self.place)
    }

    fn exactly_one(&self, written: usize) -> Result<()> {
        if written == 1 { Ok(()) } else { Err(self.unfit()) }
    }

    /// A batch that relies on what it does not expect. The façade makes none.
    fn unfit(&self) -> Error {
        let source = "a change does not fit what is stored; expect what it relies on".into();
        Error::Store { store: self.place.to_string(), source }
    }
}

fn corrupt(what: &dyn std::fmt::Display) -> Error {
    Error::Corrupt { what: what.to_string() }
}
