//! The store itself.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use secretkit_core::seal::{KeyId, KeyringRow, KeyringStamp};
use secretkit_core::store::{
    Batch, Commit, ConsumerRecord, EventRecord, Fetched, History, Lane, LaneHead, Listed, Query, StoreInfo, Target,
    Token, UsageRecord, Want,
};
use secretkit_core::{Error, Part, Result, SecretStore, StableId};
use secretkit_files::Existing;

use crate::connections::Connections;
use crate::place::Place;
use crate::{backup, commit, events, fetch, fork, keyring, list, schema, usage, way};

/// A store in one SQLite file, for any number of threads and processes of one machine.
///
/// It is opened once and shared, usually behind an `Arc`. Dropping it closes its connections.
///
/// # Another SQLite in the same process
/// Do not open the file with another copy of SQLite in this process, such as the one that Python brings: where POSIX
/// locks are used, its close drops the locks of ours. Before each write, and for readers ten times a second, the files
/// behind the name are compared with those that are open, and all connections are opened anew where they differ; what
/// is written in the very moment in between can still be lost.
///
/// # Forks
/// A process may fork while it has the store open, and both sides may go on using it: every connection is closed before
/// the fork, and opened again where it is needed. A call that is under way finishes first. This needs no care of the
/// caller's, as long as the fork is libc's.
///
/// # Where the file can only be read
/// [`open`](Self::open) and every read work on a read-only file or file system; a commit is [`Error::ReadOnly`].
pub struct SqliteStore {
    connections: Arc<Connections>,
}

impl SqliteStore {
    /// Opens the store at `path`, and makes it where there is none: the file for its owner alone (0600), and so its
    /// directory where that is missing (0700).
    ///
    /// Two that make one at once both succeed, with the same store.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) but for [`Error::NoStore`]; [`Error::File`] where the file or its directory cannot
    /// be made; [`Error::UnsafeStore`] under a name that ends in `-wal`, `-shm` or `-journal`, or that a
    /// backup has until it is whole, as well.
    pub fn create(path: &Path) -> Result<Self> {
        let place = Place::prepared(path)?;
        match place.check() {
            Err(Error::NoStore { .. }) => {
                let _inside = fork::enter(&place)?;
                match place.check_leftovers() {
                    Ok(()) => schema::create(&place)?,
                    // Somebody was faster: the file came whole, and what stands beside it now is its own.
                    Err(_) if place.check().is_ok() => {}
                    Err(left) => return Err(left),
                }
            }
            outcome => outcome?,
        }
        Self::at(place)
    }

    /// Opens the store at `path` for reading and, where its file allows that, writing. Makes nothing.
    ///
    /// # Errors
    /// - [`Error::NoStore`] where there is no file.
    /// - [`Error::UnsafeStore`] where others could read the file or put another in its place, where it is a symbolic
    ///   link or has a second name, and on a network file system.
    /// - [`Error::NotAStore`] where the file is something else, or was written by a newer secretkit.
    /// - [`Error::File`], [`Error::Busy`], [`Error::Corrupt`] and [`Error::Store`] for what can go wrong beside.
    pub fn open(path: &Path) -> Result<Self> {
        Self::at(Place::existing(path)?)
    }

    /// Whether the directory of `path`, and those above it, are where a store may be, as far as they exist: what
    /// [`create`](Self::create) and [`open`](Self::open) ask besides what they ask of the file. Makes nothing.
    ///
    /// # Errors
    /// - [`Error::UnsafeStore`] where others could put another file in the store's place, or make one beside it, and on
    ///   a network file system.
    /// - [`Error::File`] where a directory cannot be looked at.
    pub fn check_directory(path: &Path) -> Result<()> {
        match Place::existing(path) {
            Ok(place) => place.check_directory(),
            Err(Error::NoStore { .. }) => way::check_missing(path),
            Err(error) => Err(error),
        }
    }

    fn at(place: Place) -> Result<Self> {
        Ok(Self { connections: Connections::open(place)? })
    }

    /// Whether it holds no keyring and no secret: nothing that a root key would be needed for.
    ///
    /// # Errors
    /// The store's own.
    pub fn is_empty(&self) -> Result<bool> {
        self.connections.read(|connection| fetch::is_empty(connection, self.place()))
    }

    /// The absolute path of its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.place().path()
    }

    /// Writes a copy of all that the store holds now into a file at `target`, for its owner alone (0600), and returns
    /// when it is on the disk. Others may read and write meanwhile. A fork waits until it is done.
    ///
    /// The copy is a store: [`open`](Self::open) takes it, and the root key that opens this one opens it. Until it is
    /// whole it has another name, so that whoever kills this finds the file of before, or none; what a killed one has
    /// left is removed by the next into the same directory.
    ///
    /// # Errors
    /// - [`Error::File`] where there is no such directory, and where there is a file already and
    ///   [`Existing::Refuse`] is given.
    /// - [`Error::UnsafeStore`] where others could put another file in its place, on a network file system, over the
    ///   store itself, where the log of another store stands beside it or appears there meanwhile, and under a name that
    ///   SQLite would take for one of its own files, with `-wal`, `-shm` or `-journal` at its end, or that a backup has until
    ///   it is whole.
    /// - [`Error::Full`] and what reading the store can say.
    pub fn backup(&self, target: &Path, existing: Existing) -> Result<()> {
        let target = Place::beside_others(target)?;
        self.connections.read(|connection| backup::write(connection, self.place(), &target, existing))
    }

    /// What SQLite finds to be wrong with the file: damaged pages, indexes that miss rows, rows without those that they
    /// belong to. Empty where all is well. What is sealed is not looked into; that does
    /// [`Secrets::verify`](secretkit_core::Secrets::verify).
    ///
    /// # Errors
    /// What reading the store can say.
    pub fn examine(&self) -> Result<Vec<String>> {
        self.connections.read(|connection| backup::examine(connection, self.place()))
    }

    /// The orgs that have a keyring, in their order, whatever else is wrong with it; an [`Error::Corrupt`] in the place of
    /// each that has no valid name. For whoever goes on where
    /// [`keyrings`](secretkit_core::SecretStore::keyrings) ends with the first such row.
    ///
    /// # Errors
    /// What reading the store can say.
    pub fn orgs(&self) -> Result<Vec<Result<Part>>> {
        self.connections.read(|connection| keyring::orgs(connection, self.place()))
    }

    /// The version of SQLite that is compiled in.
    #[must_use]
    pub fn sqlite_version() -> &'static str {
        rusqlite::version()
    }

    /// The version of the tables that this library knows.
    #[must_use]
    pub const fn schema_version() -> i64 {
        schema::SCHEMA
    }

    /// Whether the commit with this token took effect; where it did not, it never will.
    fn settle(&self, org: &Part, token: &Token) -> Result<bool> {
        self.connections.write(|connection| commit::settle(connection, self.place(), org, token))
    }

    fn place(&self) -> &Place {
        self.connections.place()
    }
}

impl SecretStore for SqliteStore {
    fn info(&self) -> Result<StoreInfo> {
        Ok(self.connections.info())
    }

    fn keyring(&self, org: &Part) -> Result<Option<KeyringRow>> {
        self.connections.read(|connection| keyring::of(connection, self.place(), org))
    }

    fn keyrings(&self) -> Result<Vec<KeyringRow>> {
        self.connections.read(|connection| keyring::all(connection, self.place()))
    }

    fn sees_all_orgs(&self) -> Result<bool> {
        Ok(true)
    }

    fn key_uses(&self, org: &Part) -> Result<BTreeMap<KeyId, u64>> {
        self.connections.read(|connection| keyring::uses(connection, self.place(), org))
    }

    fn fetch(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        self.connections.read(|connection| fetch::wants(connection, self.place(), wants))
    }

    fn fetch_latest(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        self.fetch(wants)
    }

    fn list(&self, query: &Query) -> Result<Vec<Listed>> {
        self.connections.read(|connection| list::page(connection, self.place(), query))
    }

    fn history(&self, target: &Target) -> Result<Option<History>> {
        self.connections.read(|connection| fetch::history(connection, self.place(), target))
    }

    fn consumers(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Vec<ConsumerRecord>>> {
        self.connections.read(|connection| usage::consumers(connection, self.place(), org, secrets))
    }

    fn uses(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Option<UsageRecord>>> {
        self.connections.read(|connection| usage::uses(connection, self.place(), org, secrets))
    }

    fn touch(&self, org: &Part, keyring: KeyringStamp, uses: &[UsageRecord]) -> Result<()> {
        self.connections.write_in_passing(|connection| usage::touch(connection, self.place(), org, keyring, uses))
    }

    fn lanes(&self, org: &Part) -> Result<Vec<(Lane, LaneHead)>> {
        self.connections.read(|connection| events::lanes(connection, self.place(), org))
    }

    fn events(&self, org: &Part, lane: Lane, after: u64, limit: usize) -> Result<Vec<EventRecord>> {
        self.connections.read(|connection| events::after(connection, self.place(), org, lane, after, limit))
    }

    fn ids(&self, org: &Part, after: Option<StableId>, limit: usize) -> Result<Vec<StableId>> {
        self.connections.read(|connection| events::ids(connection, self.place(), org, after, limit))
    }

    /// A yes is read, unless what is read may be lost. A no is made true by a small commit, which is an error where that
    /// is not possible.
    fn outcome(&self, org: &Part, token: &Token) -> Result<bool> {
        if !self.connections.is_in_doubt()?
            && self.connections.read(|connection| events::outcome(connection, self.place(), org, token))?
        {
            return Ok(true);
        }
        self.settle(org, token)
    }

    fn commit(&self, batch: &Batch) -> Result<Commit> {
        let outcome = self.connections.write(|connection| commit::apply(connection, self.place(), batch));
        let (Err(Error::OutcomeUnknown { .. }), Some(token), Some(event)) =
            (&outcome, &batch.token, batch.events.first())
        else {
            return outcome;
        };
        match (self.settle(&event.org, token), outcome) {
            (Ok(true), _) => Ok(Commit::Applied),
            (Ok(false), Err(Error::OutcomeUnknown { store, source, .. })) => Err(Error::Store { store, source }),
            (_, outcome) => outcome,
        }
    }
}

impl fmt::Display for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place().fmt(f)
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqliteStore({})", self.place())
    }
}
