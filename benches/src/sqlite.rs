//! The SQLite store against one prepared statement of the same database, and the durable write against one insert.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::{Connection, params};
use secretkit::{PutMode, RootKey, Scope, SecretRequest, SecretStore, SecretValue, SqliteStore};
use secretkit_core::internals::Keys;

use crate::data::{self, VALUE};
use crate::{Outcome, measure};

const COLUMNS: &str = "org, project, domain, grp, key, id, generation, revision, first_revision, keep, active, \
                       expires_at, description, tags, created_at, created_by, updated_at, updated_by, value_at, \
                       value_by, digest, head_mac, record";

pub(crate) fn rows() -> Outcome {
    resolve()?;
    create()?;
    of_a_million()
}

fn resolve() -> Outcome {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("secrets.db");
    let (store, root): (Arc<dyn SecretStore>, _) =
        (Arc::new(SqliteStore::create(&path)?), Arc::new(RootKey::generate()?));
    data::fill(&store, &root, 10_000)?;
    let secrets = data::secrets(Arc::clone(&store), &root);
    let value = SecretValue::copied_from(VALUE);
    let task: Scope = "acme/project7/production".parse()?;
    let keys = Keys::of(&*store, task.org(), &*root)?;
    let bare = bare_connection(&path)?;
    for (id, operation, at_most) in [
        ("acme/project7/production:near", "resolve from SqliteStore, first scope", 1.3),
        ("acme:far", "resolve from SqliteStore, fourth scope", 2.5),
    ] {
        let id = id.parse()?;
        secrets.put(&id, &value, PutMode::Create)?;
        let (request, record) = (SecretRequest::new(id.name().clone()), data::record(&*store, &id)?);
        let scope = id.scope();
        let part = |part: Option<&secretkit::Part>| part.map_or_else(String::new, ToString::to_string);
        let (project, domain, name) = (part(scope.project()), part(scope.domain()), id.name().to_string());
        let select = format!(
            "SELECT {COLUMNS} FROM secrets WHERE org = ?1 AND grp = ?2 AND key = ?3 AND project = ?4 AND domain = ?5"
        );
        let mut statement = bare.prepare(&select)?;
        measure::compare(
            || {
                let mut rows = statement.query(params!["acme", "", name, project, domain])?;
                let row = rows.next()?.ok_or("it is not there")?;
                let bytes: usize = (0..23).map(|column| length(row, column)).sum::<Result<_, _>>()?;
                Ok((bytes, keys.check_and_open(&record)?))
            },
            || Ok(secrets.resolve(&task, &request)?),
        )?
        .print(operation, "one prepared select + head check + open", at_most);
    }
    Ok(())
}

/// Touches a column as whoever uses it must.
fn length(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<usize> {
    use rusqlite::types::ValueRef;
    Ok(match row.get_ref(column)? {
        ValueRef::Null => 0,
        ValueRef::Integer(_) | ValueRef::Real(_) => 8,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => std::hint::black_box(bytes.to_vec()).len(),
    })
}

/// With the pragmas that secretkit sets.
fn bare_connection(path: &Path) -> Outcome<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON; \
         PRAGMA mmap_size=0; PRAGMA cell_size_check=ON",
    )?;
    Ok(connection)
}

/// Durable writes, in turns of a few: what a disk does differs from one second to the next.
fn create() -> Outcome {
    let directory = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR"))?;
    let mut least = measure::Compared { baseline: f64::INFINITY, ours: f64::INFINITY };
    let (mut bare, mut ours) = (BareInserts::new(directory.path())?, Creates::new(directory.path())?);
    for _ in 0..30 {
        least.baseline = least.baseline.min(timed(50, || bare.one())?);
        least.ours = least.ours.min(timed(50, || ours.one())?);
    }
    least.print("durable create in SqliteStore", "one durable insert of a row of that size", 1.5);
    Ok(())
}

fn timed(calls: u32, mut call: impl FnMut() -> Outcome) -> Outcome<f64> {
    let started = Instant::now();
    for _ in 0..calls {
        call()?;
    }
    Ok(started.elapsed().as_secs_f64() / f64::from(calls))
}

struct BareInserts {
    connection: Connection,
    count: u64,
}

impl BareInserts {
    fn new(directory: &Path) -> Outcome<Self> {
        let connection = bare_connection(&directory.join("bare.db"))?;
        connection.execute_batch(
            "CREATE TABLE secrets (id BLOB NOT NULL PRIMARY KEY, org TEXT NOT NULL, project TEXT NOT NULL, domain TEXT NOT \
             NULL, grp TEXT NOT NULL, key TEXT NOT NULL, rest BLOB NOT NULL, \
             UNIQUE (org, grp, key, project, domain)) STRICT",
        )?;
        Ok(Self { connection, count: 0 })
    }

    fn one(&mut self) -> Outcome {
        self.count += 1;
        let key = format!("secret{:07}", self.count);
        let id = u128::from(self.count).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        let mut statement =
            self.connection.prepare_cached("INSERT INTO secrets VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        // What a row of ours has beside its id and address: times, people, digest, authenticator and record.
        statement.execute(params![id, "acme", "etl", "production", "", key, [0_u8; 340]])?;
        Ok(())
    }
}

struct Creates {
    secrets: secretkit::Secrets,
    count: u64,
}

impl Creates {
    fn new(directory: &Path) -> Outcome<Self> {
        let store = Arc::new(SqliteStore::create(&directory.join("ours.db"))?);
        Ok(Self { secrets: data::secrets(store, &Arc::new(RootKey::generate()?)), count: 0 })
    }

    fn one(&mut self) -> Outcome {
        self.count += 1;
        let id = format!("acme/etl/production:secret{:07}", self.count).parse()?;
        self.secrets.put(&id, &SecretValue::copied_from(VALUE), PutMode::Create)?;
        Ok(())
    }
}

/// In a process of its own, whose system calls `benches/run` counts.
pub(crate) fn create_many(kind: &str, directory: &Path, count: u32) -> Outcome {
    match kind {
        "bare" => {
            let mut inserts = BareInserts::new(directory)?;
            (0..count).try_for_each(|_| inserts.one())
        }
        _ => {
            let mut creates = Creates::new(directory)?;
            (0..count).try_for_each(|_| creates.one())
        }
    }
}

fn of_a_million() -> Outcome {
    let (few, many) = (data::file_with(1_000)?, data::file_with(1_000_000)?);
    let ((few, few_root), (many, many_root)) = (few.open()?, many.open()?);
    let (few, many) = (data::secrets(few, &few_root), data::secrets(many, &many_root));
    // Spread over the whole store, so that the pages are not all at hand because of the one that was asked before.
    let (mut next_few, mut next_many) = (0, 0);
    measure::compare(
        || {
            next_few = (next_few + 617) % 1_000;
            Ok(few.get(&data::id(next_few)?)?)
        },
        || {
            next_many = (next_many + 617_293) % 1_000_000;
            Ok(many.get(&data::id(next_many)?)?)
        },
    )?
    .print("get with 1,000,000 secrets", "get with 1,000", 1.5);
    Ok(())
}
