//! The store itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use secretkit_core::seal::{KeyId, KeyringRow, KeyringStamp};
use secretkit_core::store::{
    Batch, Commit, ConsumerRecord, EventRecord, Fetched, History, Lane, LaneHead, Listed, Listener, Query as Page,
    StoreInfo, Target, Token, UsageRecord, Want,
};
use secretkit_core::{Error, Part, Result, SecretStore, StableId};
use tokio_postgres::error::SqlState;

use crate::calls::Calls;
use crate::commit::Way;
use crate::engines::Engines;
use crate::error::Failure;
use crate::layout::{Commits, Layout};
use crate::migrations::{self, Applied, MIGRATIONS};
use crate::runtime::Engine;
use crate::session::Asking;
use crate::settings::Settings;
use crate::statements::{Query, Statements};
use crate::url::PostgresUrl;
use crate::{commit, counted, fetch, more, product, rows};

/// A store in one schema of a PostgreSQL database, for any number of threads, processes and machines.
///
/// It is opened once and shared, usually behind an `Arc`. Its calls may be made from any thread, also from within an
/// asynchronous runtime, where they hold up the thread that they are made in. Dropping it closes its connections.
///
/// # Forks
/// A process may fork while it has the store open, and both sides may go on using it: the child makes connections of its
/// own when it first needs one, and leaves alone those that it inherited.
///
/// # Where the server cannot be reached
/// A call ends within its time-outs: [`Error::Busy`] where it took too long, [`Error::Unavailable`] where there is no
/// server. The next call connects again; the store needs not be opened anew.
pub struct PostgresStore {
    settings: Arc<Settings>,
    statements: Statements,
    info: StoreInfo,
    commits: Commits,
    calls: Calls,
    told: OnceLock<Arc<dyn Listener>>,
    engines: Engines,
}

impl PostgresStore {
    /// Opens the store at this URL, and makes it where its schema holds none. Tables of an older version are left as they
    /// are: [`migrate`](crate::migrate) changes those.
    ///
    /// Any number that make one at once all succeed, with the same store.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) but for [`Error::NoStore`], and those of [`migrate`](crate::migrate).
    pub fn create(url: &PostgresUrl) -> Result<Self> {
        Self::opened(url, Absent::Make)
    }

    /// Opens the store at this URL. Makes and changes nothing.
    ///
    /// # Errors
    /// - [`Error::NoStore`] where its schema holds none.
    /// - [`Error::NotAStore`] where its tables are of another version, or nobody's.
    /// - [`Error::Unavailable`] where no server can be reached, [`Error::Busy`] where none has room.
    /// - [`Error::StoreDenied`] where the server does not let its user in, or see the tables.
    /// - [`Error::UnsafeStore`] where the server cannot prove who it is, and where others can read the password file or a
    ///   key.
    /// - [`Error::Unsupported`] where something that the URL, a service or the environment asks for cannot be done, and
    ///   where the store has functions and was brought to a server that is not PostgreSQL.
    /// - [`Error::File`], [`Error::Corrupt`] and [`Error::Store`] for what can go wrong beside.
    pub fn open(url: &PostgresUrl) -> Result<Self> {
        Self::opened(url, Absent::Refuse)
    }

    fn opened(url: &PostgresUrl, absent: Absent) -> Result<Self> {
        let settings = Arc::new(Settings::complete(url.given())?);
        let statements = Statements::of_schema(&settings.schema);
        let engines = Engines::start(&settings)?;
        let engine = engines.current(&settings)?;
        let (info, commits) = match born(engine, &settings, &statements) {
            Err(Error::NoStore { .. }) if absent == Absent::Make => {
                migrations::bring_up(engine, &settings, MIGRATIONS)?;
                born(engine, &settings, &statements)?
            }
            outcome => outcome?,
        };
        Ok(Self { settings, statements, info, commits, calls: Calls::start()?, told: OnceLock::new(), engines })
    }

    /// From now on tells this listener of what is committed to the store by whomever, as a cache in front of it wants to
    /// know: at first that nothing is heard yet, and a moment later, once a connection listens, that everything is.
    ///
    /// That is a connection of its own beside those of the pool, to the primary, as `listen` in the URL says or as the
    /// others go. What is told is what was committed a few milliseconds ago. Where the connection breaks the listener is
    /// told so at once, and within six seconds where it dies without a sign; it is then made anew. Nothing is told of
    /// orgs that this process has not fetched anything from.
    ///
    /// In a forked child it begins anew with the first call of the store. Where [commits](Self::commits) are transactions of
    /// single statements, nothing is ever heard.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where another one is told already: a store tells one listener. [`Error::Store`] where the
    /// system gives no thread.
    pub fn tell(&self, listener: Arc<dyn Listener>) -> Result<()> {
        self.told.set(listener).map_err(|_| Error::Unsupported("a store tells one listener".to_owned()))?;
        self.engine().map(drop)
    }

    /// Whether it holds no keyring and no secret: nothing that a root key would be needed for. False where the login may
    /// not see all of it.
    ///
    /// # Errors
    /// The store's own.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.sees_all_orgs()? && self.read(async |session| more::is_empty(session, &self.statements).await)?)
    }

    /// The orgs of which this login sees a keyring or a secret, in their order, whatever else is wrong with them; an
    /// [`Error::Corrupt`] in the place of each that has no valid name. For whoever goes on where
    /// [`keyrings`](SecretStore::keyrings) ends with the first such row.
    ///
    /// # Errors
    /// The store's own.
    pub fn orgs(&self) -> Result<Vec<Result<Part>>> {
        self.read(async |session| more::orgs(session, &self.statements).await)
    }

    /// How commits are made on it.
    #[must_use]
    pub const fn commits(&self) -> Commits {
        self.commits
    }

    /// The version of the tables that this library knows, of a store that has functions.
    #[must_use]
    pub fn schema_version() -> i64 {
        migrations::newest(MIGRATIONS)
    }

    fn engine(&self) -> Result<&Engine> {
        let engine = self.engines.current(&self.settings)?;
        // Where there are no functions, nobody tells.
        if let Some(listener) = self.told.get().filter(|_| self.commits == Commits::Function) {
            engine.listen(self.info.id, listener)?;
        }
        Ok(engine)
    }

    fn way(&self) -> Result<Way<'_>> {
        let Self { settings, statements, commits, .. } = self;
        Ok(Way { engine: self.engine()?, settings, statements, commits: *commits })
    }

    /// Reads; once more on another connection where one broke or somebody came in between.
    fn read<T>(&self, work: impl AsyncFn(&Asking) -> Result<T, Failure>) -> Result<T> {
        let engine = self.engine()?;
        let named = |failure: Failure| failure.named(&*self.settings);
        match engine.run(async |session| work(session).await) {
            Err(failure) if failure.is_worth_another_read() => {
                counted::retrying(&failure);
                engine.run(async |session| work(session).await).map_err(named)
            }
            outcome => outcome.map_err(named),
        }
    }
}

/// What becomes of a schema that holds no store.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Absent {
    Make,
    Refuse,
}

/// What the store was born with, if it is one that this library can use.
fn born(engine: &Engine, settings: &Settings, statements: &Statements) -> Result<(StoreInfo, Commits)> {
    let outcome = engine.run(async |session| {
        let rows = session.query(statements, Query::Info, &[]).await?;
        Ok(rows)
    });
    let rows = outcome.map_err(|failure| match failure {
        Failure::Server(code) if NOTHING_THERE.contains(&&code) => Error::NoStore { store: settings.to_string() },
        failure => failure.named(settings),
    })?;
    let corrupt = || Error::Corrupt { what: format!("the id of the store {settings}") };
    let [row] = rows.as_slice() else { return Err(corrupt()) };
    let applied = |row: &tokio_postgres::Row| -> Option<Applied> {
        let (versions, checksums): (Vec<i64>, Vec<String>) = (row.try_get(2).ok()?, row.try_get(3).ok()?);
        Some(versions.into_iter().zip(checksums).collect())
    };
    let applied = applied(row).ok_or_else(corrupt)?;
    let commits = Layout::of(&applied).commits();
    // It may have been made elsewhere and brought here.
    if commits == Commits::Function
        && let Some(unfit) = product::unfit_by_name(row.try_get(4).unwrap_or_default())
    {
        return Err(unfit.into());
    }
    migrations::demand_current(settings, MIGRATIONS, &applied)?;
    Ok((rows::info(row).ok_or_else(corrupt)?, commits))
}

impl SecretStore for PostgresStore {
    fn info(&self) -> Result<StoreInfo> {
        Ok(self.info)
    }

    fn keyring(&self, org: &Part) -> Result<Option<KeyringRow>> {
        self.read(async |session| more::keyring(session, &self.statements, org).await)
    }

    fn keyrings(&self) -> Result<Vec<KeyringRow>> {
        self.read(async |session| more::keyrings(session, &self.statements).await)
    }

    fn sees_all_orgs(&self) -> Result<bool> {
        if self.commits == Commits::Transaction {
            // There are no roles.
            return Ok(true);
        }
        self.read(async |session| more::sees_all_orgs(session, &self.statements).await)
    }

    fn key_uses(&self, org: &Part) -> Result<BTreeMap<KeyId, u64>> {
        let way = self.way()?;
        self.read(async |session| way.key_uses(session, org).await)
    }

    fn fetch(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        self.engine()?.note(wants);
        self.read(async |session| fetch::wants(session, &self.statements, wants).await)
    }

    /// The same: every read goes to the server that writes go to.
    fn fetch_latest(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
        self.fetch(wants)
    }

    fn list(&self, query: &Page) -> Result<Vec<Listed>> {
        self.read(async |session| fetch::page(session, &self.statements, query).await)
    }

    fn history(&self, target: &Target) -> Result<Option<History>> {
        self.read(async |session| fetch::history(session, &self.statements, target).await)
    }

    fn consumers(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Vec<ConsumerRecord>>> {
        self.read(async |session| more::consumers(session, &self.statements, org, secrets).await)
    }

    fn uses(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Option<UsageRecord>>> {
        self.read(async |session| more::uses(session, &self.statements, org, secrets).await)
    }

    fn touch(&self, org: &Part, keyring: KeyringStamp, uses: &[UsageRecord]) -> Result<()> {
        let way = self.way()?;
        match way.engine.run_aside(async |session| way.touch(session, org, keyring, uses).await) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Busy { store: self.to_string() }),
            Err(failure) => Err(failure.named(&*self.settings)),
        }
    }

    fn lanes(&self, org: &Part) -> Result<Vec<(Lane, LaneHead)>> {
        self.read(async |session| more::lanes(session, &self.statements, org).await)
    }

    fn events(&self, org: &Part, lane: Lane, after: u64, limit: usize) -> Result<Vec<EventRecord>> {
        self.read(async |session| more::events(session, &self.statements, org, lane, after, limit).await)
    }

    fn ids(&self, org: &Part, after: Option<StableId>, limit: usize) -> Result<Vec<StableId>> {
        self.read(async |session| more::ids(session, &self.statements, org, after, limit).await)
    }

    fn outcome(&self, org: &Part, token: &Token) -> Result<bool> {
        let signed = self.calls.signed(token);
        let way = self.way()?;
        self.read(async |session| way.outcome(session, org, &signed).await)
    }

    fn commit(&self, batch: &Batch) -> Result<Commit> {
        commit::apply(&self.way()?, &self.calls, batch)
    }
}

impl fmt::Display for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresStore({})", self.settings)
    }
}

/// What the server says where there is no such table.
const NOTHING_THERE: [&SqlState; 2] = [&SqlState::UNDEFINED_TABLE, &SqlState::INVALID_SCHEMA_NAME];
