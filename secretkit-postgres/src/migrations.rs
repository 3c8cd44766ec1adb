//! How the tables come to be, and how they change: numbered files, each applied once, in their order, never back.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use secretkit_core::seal::StoreId;
use secretkit_core::{Clock, Error, Result, SystemClock};
use sha2::{Digest, Sha256};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type as T;
use tokio_postgres::{Client, Row};

use crate::error::Failure;
use crate::layout::{Commits, Layout};
use crate::product::Product;
use crate::roles;
use crate::runtime::Engine;
use crate::session::Asking;
use crate::settings::Settings;
use crate::url::PostgresUrl;

/// Which tables a store has, and which this library knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// The version of the store's tables; `None` where there is no store.
    pub version: Option<i64>,
    /// The newest version that this library knows of such a store, which is the one it needs.
    pub newest: i64,
    /// How commits are made on it; where there is no store, on one that has all it could.
    pub commits: Commits,
}

impl Status {
    /// Whether the store can be used as it is.
    #[must_use]
    pub fn is_current(self) -> bool {
        self.version == Some(self.newest)
    }
}

/// Which tables the store at this URL has. Changes nothing.
///
/// # Errors
/// - [`Error::NotAStore`] where its tables are newer than this library, or not as a version of it made them.
/// - What [`PostgresStore::open`](crate::PostgresStore::open) says of connecting.
pub fn status(url: &PostgresUrl) -> Result<Status> {
    with_engine(url, |engine, settings| {
        let applied = engine.run(async |session| applied(session.client(), settings).await);
        let applied = applied.map_err(|failure| failure.named(settings))?;
        let version = judged(settings, MIGRATIONS, &applied)?;
        let layout = Layout::of(&applied);
        Ok(Status { version, newest: newest(layout.migrations(MIGRATIONS)), commits: layout.commits() })
    })
}

/// Makes the store at this URL where there is none, and brings its tables to the version that this library needs.
///
/// All that is to be done is one transaction, and of any number that do it at once one does it and the others wait for
/// it. It needs no rights but to create a schema in the database, or objects in one that is there.
///
/// # Errors
/// - [`Error::NotAStore`] where its tables are newer than this library, or not as a version of it made them, or where the
///   schema holds something else of the same names.
/// - [`Error::Unsupported`] where the server is older than PostgreSQL 14, is a product that nothing is known of, or keeps texts
///   that are not UTF-8.
/// - What [`PostgresStore::open`](crate::PostgresStore::open) says of connecting.
pub fn migrate(url: &PostgresUrl) -> Result<Status> {
    with_engine(url, |engine, settings| {
        let layout = bring_up(engine, settings, MIGRATIONS)?;
        let newest = newest(layout.migrations(MIGRATIONS));
        Ok(Status { version: Some(newest), newest, commits: layout.commits() })
    })
}

pub(crate) fn with_engine<T>(url: &PostgresUrl, work: impl FnOnce(&Engine, &Settings) -> Result<T>) -> Result<T> {
    let settings = Arc::new(Settings::complete(url.given())?);
    let engine = Engine::start(&settings)?;
    let outcome = work(&engine, &settings);
    engine.end();
    outcome
}

/// A numbered file.
pub(crate) struct Migration {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// Their numbers are their places, from 1. One that was released never changes.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration { name: "tables", text: include_str!("../migrations/0001_tables.sql") },
    Migration { name: "functions", text: include_str!("../migrations/0002_functions.sql") },
    Migration { name: "notices", text: include_str!("../migrations/0003_notices.sql") },
    Migration { name: "access", text: include_str!("../migrations/0004_access.sql") },
];

pub(crate) fn newest(known: &[Migration]) -> i64 {
    i64::try_from(known.len()).unwrap_or(i64::MAX)
}

/// What a store has applied: numbers and checksums.
pub(crate) type Applied = Vec<(i64, String)>;

/// Which version these make: all of ours in their order, or the first of them. `functions` are those of a store that has
/// functions.
///
/// # Errors
/// [`Error::NotAStore`].
pub(crate) fn judged(settings: &Settings, functions: &[Migration], applied: &Applied) -> Result<Option<i64>> {
    let known = Layout::of(applied).migrations(functions);
    let not_ours = |why: String| Error::NotAStore { store: settings.to_string(), why };
    let Some((last, _)) = applied.last() else { return Ok(None) };
    if *last > newest(known) {
        let newest = newest(known);
        return Err(not_ours(format!(
            "has schema version {last}, and this secretkit knows up to {newest}; upgrade it"
        )));
    }
    for (number, (found, checksum)) in (1..).zip(applied) {
        let migration = usize::try_from(number - 1).ok().and_then(|place| known.get(place));
        if *found != number || migration.is_none_or(|migration| self::checksum(migration.text) != *checksum) {
            return Err(not_ours(
                "has a schema that no version of secretkit made; restore it from a backup".to_owned(),
            ));
        }
    }
    Ok(Some(*last))
}

/// Refuses a store that is not of the version that this library needs, and returns its layout.
///
/// # Errors
/// [`Error::NotAStore`], and [`Error::NoStore`] where nothing is applied.
pub(crate) fn demand_current(settings: &Settings, functions: &[Migration], applied: &Applied) -> Result<Layout> {
    let layout = Layout::of(applied);
    let newest = newest(layout.migrations(functions));
    match judged(settings, functions, applied)? {
        None => Err(Error::NoStore { store: settings.to_string() }),
        Some(version) if version == newest => Ok(layout),
        Some(version) => {
            let why =
                format!("has schema version {version}, and this secretkit needs {newest}; run secretkit store migrate");
            Err(Error::NotAStore { store: settings.to_string(), why })
        }
    }
}

/// Applies what is not applied yet, and returns what the store consists of. `functions` are those of a store that has functions.
pub(crate) fn bring_up(engine: &Engine, settings: &Settings, functions: &[Migration]) -> Result<Layout> {
    let current = || {
        let applied = engine.run(async |session| applied(session.client(), settings).await)?;
        let layout = Layout::of(&applied);
        let is_current = judged(settings, functions, &applied)? == Some(newest(layout.migrations(functions)));
        Ok(is_current.then_some(layout))
    };
    let mut attempts = 0;
    let outcome = loop {
        match current() {
            Ok(Some(layout)) => break Ok(layout),
            Ok(None) => {}
            Err(failure) => break Err(failure),
        }
        match engine.run_within(PATIENCE, async |session| in_transaction(session, settings, functions).await) {
            Ok(layout) => break Ok(layout),
            // Somebody else did it meanwhile, where nobody can be kept from that.
            Err(failure) if is_met(&failure) && attempts < MOST_ATTEMPTS => attempts += 1,
            Err(failure) => break Err(failure),
        }
    };
    outcome.map_err(|failure| match failure {
        Failure::Server(code) if TAKEN.contains(&&code) => {
            Error::NotAStore { store: settings.to_string(), why: SOMETHING_ELSE.to_owned() }
        }
        failure => failure.named(settings),
    })
}

/// Whether it says that somebody else was there first, or may say so.
fn is_met(failure: &Failure) -> bool {
    failure.is_harmless() || matches!(failure, Failure::Server(code) if TAKEN.contains(&code) || MET.contains(&code))
}

async fn in_transaction(session: &Asking, settings: &Settings, functions: &[Migration]) -> Result<Layout, Failure> {
    let client = session.client();
    client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let outcome = async {
        let layout = steps(client, settings, functions).await?;
        client.batch_execute("COMMIT").await?;
        Ok(layout)
    };
    let outcome = outcome.await;
    if outcome.is_err() {
        session.roll_back().await;
    }
    outcome
}

async fn steps(client: &Client, settings: &Settings, functions: &[Migration]) -> Result<Layout, Failure> {
    let schema = &settings.schema;
    client.batch_execute(UNHURRIED).await?;
    let product = Product::of_server(client).await?;
    if product.holds_locks() {
        if !is_there(client, settings).await? {
            client.batch_execute(&schema.fill(FIRST)).await?;
        }
        if is_there(client, settings).await? {
            client.batch_execute(&schema.fill(ALONE)).await?;
        }
    }
    let done = applied(client, settings).await?;
    judged(settings, functions, &done)?;
    let layout = if done.is_empty() { product.layout(client).await? } else { Layout::of(&done) };
    let known = layout.migrations(functions);
    if done.is_empty() {
        let there = client
            .query_typed("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", &[(&schema.as_str(), T::TEXT)])
            .await?;
        if there.is_empty() {
            client.batch_execute(&schema.fill("CREATE SCHEMA @schema@")).await?;
        }
        client.batch_execute(&schema.fill(TABLE)).await?;
    }
    for (number, migration) in (1_i64..).zip(known).skip(done.len()) {
        client.batch_execute(&schema.fill(migration.text)).await?;
        let now = SystemClock.now().as_micros();
        client
            .query_typed(
                &schema.fill(
                    "INSERT INTO @schema@.migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)",
                ),
                &[
                    (&number, T::INT8),
                    (&migration.name, T::TEXT),
                    (&checksum(migration.text), T::TEXT),
                    (&now, T::INT8),
                ],
            )
            .await?;
        if number == 1 {
            let id = StoreId::generate()?;
            client
                .query_typed(
                    &schema.fill("INSERT INTO @schema@.store (id, created_at) VALUES ($1, $2)"),
                    &[(&id.as_bytes().as_slice(), T::BYTEA), (&now, T::INT8)],
                )
                .await?;
        }
    }
    if done.len() < known.len() && layout == Layout::Functions {
        roles::renew(client, settings).await?;
    }
    Ok(layout)
}

/// What the schema has applied; nothing where there is no such schema, or no such table in it.
pub(crate) async fn applied(client: &Client, settings: &Settings) -> Result<Applied, Failure> {
    if !is_there(client, settings).await? {
        return Ok(Vec::new());
    }
    let rows = client
        .query_typed(&settings.schema.fill("SELECT version, checksum FROM @schema@.migrations ORDER BY version"), &[])
        .await?;
    let row = |row: &Row| Some((row.try_get(0).ok()?, row.try_get(1).ok()?));
    let corrupt = || Error::Corrupt { what: format!("the schema of {settings}") };
    Ok(rows.iter().map(|each| row(each).ok_or_else(corrupt)).collect::<Result<_>>()?)
}

/// Whether there is the table that says what is applied.
async fn is_there(client: &Client, settings: &Settings) -> Result<bool, Failure> {
    let found = client
        .query_typed(
            "SELECT 1 FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
             WHERE n.nspname = $1 AND c.relname = 'migrations'",
            &[(&settings.schema.as_str(), T::TEXT)],
        )
        .await?;
    Ok(!found.is_empty())
}

pub(crate) fn checksum(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Not a migration itself: it is what says which there are.
const TABLE: &str = "CREATE TABLE @schema@.migrations (
  version bigint NOT NULL PRIMARY KEY,
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at bigint NOT NULL
)";

/// How whoever changes tables or rights does so: it may take a while, and nothing is found by what others have set.
pub(crate) const UNHURRIED: &str = "SET LOCAL statement_timeout = '10min'; SET LOCAL lock_timeout = '5min'; \
     SET LOCAL synchronous_commit = on; SET LOCAL search_path = pg_catalog, pg_temp";

/// How long that may take in all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(602);

/// Of those who change tables or rights, one at a time: whoever waits here waits for somebody who does the same. It takes
/// the rights of an owner to hold this, or to hold it up.
pub(crate) const ALONE: &str = "LOCK TABLE @schema@.migrations IN SHARE ROW EXCLUSIVE MODE";

/// Where there is no table yet. Anybody who may log in to the database can hold this.
const FIRST: &str = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(@name@ || ' migrate', 0))";

/// How often it is tried again where somebody else may have done it meanwhile.
const MOST_ATTEMPTS: usize = 5;

/// What the server says where somebody makes the same at the same time.
const MET: [&SqlState; 2] = [&SqlState::DUPLICATE_SCHEMA, &SqlState::UNIQUE_VIOLATION];

/// Why such a schema is no store's.
pub(crate) const SOMETHING_ELSE: &str = "has a schema in which something else stands; name another one with schema=";

/// What the server says where something has the name of what is made.
const TAKEN: [&SqlState; 4] = [
    &SqlState::DUPLICATE_TABLE,
    &SqlState::DUPLICATE_FUNCTION,
    &SqlState::DUPLICATE_OBJECT,
    &SqlState::WRONG_OBJECT_TYPE,
];

#[cfg(test)]
mod tests {
    use secretkit_core::ErrorKind;

    use super::*;
    use crate::PostgresStore;

    #[test]
    fn an_older_store_is_brought_up_only_when_asked_to() {
        let Some(database) = secretkit_test_postgres::database() else { return };
        let url: PostgresUrl = database.url().parse().unwrap();
        with_engine(&url, |engine, settings| bring_up(engine, settings, &MIGRATIONS[..1])).unwrap();
        let older = status(&url).unwrap();
        assert_eq!((older.version, older.is_current()), (Some(1), false));
        for refused in [PostgresStore::open(&url).unwrap_err(), PostgresStore::create(&url).unwrap_err()] {
            assert_eq!(refused.kind(), ErrorKind::NotAStore, "{refused}");
            assert!(refused.to_string().contains("secretkit store migrate"), "{refused}");
        }
        assert_eq!(status(&url).unwrap(), older);
        let born = database.sql("SELECT encode(id, 'hex') FROM secretkit.store;");
        assert!(migrate(&url).unwrap().is_current());
        assert!(PostgresStore::open(&url).unwrap().is_empty().unwrap());
        assert_eq!(database.sql("SELECT encode(id, 'hex') FROM secretkit.store;"), born);
    }

    #[test]
    fn a_step_that_fails_leaves_nothing_behind() {
        let Some(database) = secretkit_test_postgres::database() else { return };
        let url: PostgresUrl = database.url().parse().unwrap();
        let broken = [
            Migration { name: "tables", text: MIGRATIONS[0].text },
            Migration { name: "broken", text: "CREATE TABLE @schema@.more (name text); SELECT 1 / 0;" },
        ];
        with_engine(&url, |engine, settings| bring_up(engine, settings, &broken)).unwrap_err();
        assert_eq!(status(&url).unwrap().version, None);
        assert_eq!(database.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'secretkit';"), "0");
        assert!(migrate(&url).unwrap().is_current());
    }

    #[test]
    fn a_migration_may_take_longer_than_any_answer() {
        let Some(database) = secretkit_test_postgres::database() else { return };
        let url: PostgresUrl = database.address().with("statement_timeout", "1s").to_string().parse().unwrap();
        let slow = [
            Migration { name: "tables", text: MIGRATIONS[0].text },
            Migration { name: "slow", text: "SELECT pg_sleep(4)" },
        ];
        with_engine(&url, |engine, settings| bring_up(engine, settings, &slow)).unwrap();
        assert_eq!(database.sql("SELECT max(version) FROM secretkit.migrations;"), "2");
    }

    #[test]
    fn tables_that_change_leave_the_groups_their_rights() {
        let Some(database) = secretkit_test_postgres::database() else { return };
        let url: PostgresUrl = database.url().parse().unwrap();
        let login = database.role();
        database.sql(&format!("ALTER ROLE {} CREATEROLE;", database.name()));
        migrate(&url).unwrap();
        let (role, org) =
            (crate::StoreRole::Reader, secretkit_core::Part::parse(secretkit_core::PartKind::Org, "acme"));
        assert!(crate::grant(&url, login.user_name(), role, &org.unwrap(), Some(database.name())).unwrap());
        let anew = "DROP FUNCTION @schema@.key_uses; \
                    CREATE FUNCTION @schema@.key_uses(of_org text) RETURNS integer LANGUAGE sql RETURN 1; \
                    REVOKE ALL ON FUNCTION @schema@.key_uses FROM PUBLIC;";
        let known = MIGRATIONS.iter().map(|known| Migration { name: known.name, text: known.text });
        let known: Vec<_> = known.chain([Migration { name: "more", text: anew }]).collect();
        with_engine(&url, |engine, settings| bring_up(engine, settings, &known)).unwrap();
        assert_eq!(database.sql_as(&login, "SELECT secretkit.key_uses('acme');").unwrap(), "1");
    }
}
