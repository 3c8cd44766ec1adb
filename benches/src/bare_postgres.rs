//! The same statements by the same client, and nothing else: what a program would cost that had no types, no checks and no
//! other secrets than these. It is asynchronous throughout, with a thread of its runtime for each core, or has threads that
//! wait, as whoever uses ours does.

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use deadpool::managed::{Manager, Metrics, Pool, RecycleError, RecycleResult};
use futures_util::future::try_join5;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use secretkit::SecretId;
use secretkit::store::or_empty;
use secretkit_test_postgres::Database;
use tokio::runtime::Runtime;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Column, NoTls, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Result;
use crate::measure::by_threads;
use crate::server::plain;
use crate::stores::COLUMNS;

/// A pool of connections to one database, each with the same statements prepared.
pub(crate) struct Bare {
    runtime: Runtime,
    pool: Pool<Connector>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) prepared: Vec<Statement>,
}

pub(crate) struct Connector {
    url: String,
    statements: Vec<String>,
    tls: Option<MakeRustlsConnect>,
}

impl Connector {
    /// Without TLS.
    pub(crate) fn plain(database: &Database, statements: &[&str]) -> Self {
        let statements = statements.iter().map(|&statement| statement.to_owned()).collect();
        Self { url: plain(database).to_string(), statements, tls: None }
    }

    /// With TLS, of a server whose certificate this authority has signed.
    pub(crate) fn with_tls(database: &Database, statements: &[&str], authority: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(authority)? {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let url = database.address().with("sslmode", "require").without("sslrootcert").to_string();
        Ok(Self { url, tls: Some(MakeRustlsConnect::new(config)), ..Self::plain(database, statements) })
    }

    /// A batch of this operation by so many threads, each of which has a connection and a runtime of its own, as the
    /// client for programs that are not asynchronous does it.
    pub(crate) fn by_threads<O: Operation>(
        &self,
        threads: u32,
        operation: O,
    ) -> Result<impl FnMut(u32) -> Result<Duration> + use<O>> {
        let connected = || -> Result<_> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let connection = runtime.block_on(self.create())?;
            Ok(Mutex::new((runtime, connection)))
        };
        let each = (0..threads).map(|_| connected()).collect::<Result<Vec<_>>>()?;
        Ok(by_threads(threads, move |number| {
            let its = each[(number % threads) as usize].lock().unwrap_or_else(PoisonError::into_inner);
            Ok(its.0.block_on(operation.run(&its.1, number))?)
        }))
    }
}

impl Manager for Connector {
    type Type = Connection;
    type Error = tokio_postgres::Error;

    async fn create(&self) -> std::result::Result<Connection, tokio_postgres::Error> {
        let client = match &self.tls {
            Some(tls) => {
                let (client, connection) = tokio_postgres::connect(&self.url, tls.clone()).await?;
                tokio::spawn(connection);
                client
            }
            None => {
                let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await?;
                tokio::spawn(connection);
                client
            }
        };
        let mut prepared = Vec::with_capacity(self.statements.len());
        for statement in &self.statements {
            prepared.push(client.prepare(statement).await?);
        }
        Ok(Connection { client, prepared })
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<tokio_postgres::Error> {
        if connection.client.is_closed() { Err(RecycleError::message("it is closed")) } else { Ok(()) }
    }
}

impl Bare {
    pub(crate) fn new(database: &Database, size: usize, statements: &[&str]) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let pool = Pool::builder(Connector::plain(database, statements)).max_size(size).build()?;
        Ok(Self { runtime, pool })
    }

    /// A batch of this operation by so many tasks that start together.
    pub(crate) fn by_tasks<'a>(
        &'a self,
        tasks: u32,
        operation: impl Operation,
    ) -> impl FnMut(u32) -> Result<Duration> + 'a {
        let operation = Arc::new(operation);
        let mut first = 0;
        move |times| {
            let run = |task: u32| {
                let (operation, pool) = (Arc::clone(&operation), self.pool.clone());
                let numbers = (first..first + times).filter(move |number| number % tasks == task);
                async move {
                    for number in numbers {
                        let connection = pool.get().await.map_err(|error| error.to_string())?;
                        operation.run(&connection, number).await.map_err(|error| error.to_string())?;
                    }
                    Ok::<_, String>(())
                }
            };
            let start = Instant::now();
            self.runtime.block_on(async {
                let running: Vec<_> = (0..tasks).map(|task| tokio::spawn(run(task))).collect();
                for task in running {
                    task.await??;
                }
                Ok::<_, Box<dyn Error>>(())
            })?;
            first += times;
            Ok(start.elapsed())
        }
    }
}

impl Bare {
    /// The same by so many threads that wait, each for a connection and then for its answer, as a program does that is not
    /// asynchronous and shares a pool.
    pub(crate) fn by_threads<'a>(
        &'a self,
        threads: u32,
        operation: impl Operation,
    ) -> impl FnMut(u32) -> Result<Duration> + 'a {
        by_threads(threads, move |number| {
            self.runtime.block_on(async {
                let connection = self.pool.get().await.map_err(|error| error.to_string())?;
                Ok(operation.run(&connection, number).await?)
            })
        })
    }
}

/// What is done on a connection, again and again.
pub(crate) trait Operation: Send + Sync + 'static {
    /// Does it for the so many'th time.
    fn run(&self, on: &Connection, number: u32) -> impl Future<Output = Answer> + Send;
}

pub(crate) type Answer = std::result::Result<(), tokio_postgres::Error>;

/// The secret of a name that is nearest to the task, all columns of it: four candidates, as the store asks for them.
#[derive(Clone, Debug)]
pub(crate) struct Nearest(pub(crate) Vec<SecretId>);

impl Nearest {
    pub(crate) fn statement() -> String {
        format!(
            "SELECT {COLUMNS} FROM secretkit.secrets WHERE org = $1 AND grp = $2 AND key = $3 AND project IN ($4, '') \
             AND domain IN ($5, '') ORDER BY project DESC, domain DESC LIMIT 1"
        )
    }
}

impl Operation for Nearest {
    async fn run(&self, on: &Connection, number: u32) -> Answer {
        // As far apart as those that ours asks for.
        let id = &self.0[(number as usize * 7_919) % self.0.len()];
        let (scope, name) = (id.scope(), id.name());
        let (org, group, key) = (scope.org().as_str(), or_empty(name.group()), name.key().as_str());
        let (project, domain) = (or_empty(scope.project()), or_empty(scope.domain()));
        let rows = on.client.query(&on.prepared[0], &[&org, &group, &key, &project, &domain]).await?;
        rows.iter().try_for_each(read)
    }
}

/// Reads every column, as the client hands it out: nothing is copied and nothing is checked.
fn read(row: &Row) -> Answer {
    for (place, column) in row.columns().iter().enumerate() {
        match *column.type_() {
            Type::INT8 => drop(std::hint::black_box(row.try_get::<_, Option<i64>>(place)?)),
            Type::BYTEA => drop(std::hint::black_box(row.try_get::<_, Option<&[u8]>>(place)?)),
            _ => drop(std::hint::black_box(row.try_get::<_, Option<&str>>(place)?)),
        }
    }
    Ok(())
}

/// What a create writes, as one transaction: the secret, the end of its lane, its event. All five statements are on their
/// way before the first is answered, so that it takes one round trip as ours does.
#[derive(Clone, Debug)]
pub(crate) struct Create {
    secret: Vec<Value>,
    event: Vec<Value>,
}

/// A column of a row that somebody has written.
#[derive(Clone, Debug)]
enum Value {
    Number(Option<i64>),
    Text(String),
    Bytes(Vec<u8>),
}

impl Create {
    pub(crate) fn statements() -> [String; 5] {
        let values = |columns: usize| (1..=columns).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
        [
            "BEGIN".to_owned(),
            format!("INSERT INTO secretkit.secrets ({COLUMNS}) VALUES ({})", values(23)),
            "UPDATE secretkit.lanes SET seq = $3, mac = $4 WHERE org = $1 AND lane = $2".to_owned(),
            format!("INSERT INTO secretkit.events ({EVENT}) VALUES ({})", values(7)),
            "COMMIT".to_owned(),
        ]
    }

    /// Writes rows like those of a store that has one secret. Gives it the other lanes of its org, as it would have before
    /// long.
    pub(crate) fn like(database: &Database) -> Result<Self> {
        let bare = Bare::new(database, 1, &[])?;
        bare.runtime.block_on(async {
            let connection = bare.pool.get().await.map_err(|error| error.to_string())?;
            let client = &connection.client;
            let secret = client.query_one(&format!("SELECT {COLUMNS} FROM secretkit.secrets"), &[]).await?;
            let event = format!("SELECT {EVENT} FROM secretkit.events ORDER BY seq DESC LIMIT 1");
            let event = client.query_one(&event, &[]).await?;
            let lanes = "INSERT INTO secretkit.lanes (org, lane, seq, mac) SELECT org, number, 0, mac \
                         FROM secretkit.lanes, generate_series(0, 15) AS number ON CONFLICT DO NOTHING";
            client.execute(lanes, &[]).await?;
            Ok(Self { secret: values(&secret)?, event: values(&event)? })
        })
    }
}

impl Operation for Create {
    async fn run(&self, on: &Connection, number: u32) -> Answer {
        let (mut secret, mut event) = (self.secret.clone(), self.event.clone());
        // A key of the same length, and an id that sorts after the one before, as one of ours does.
        secret[4] = Value::Text(format!("key4-{number:07}"));
        if let Value::Bytes(id) = &mut secret[5] {
            id[..4].copy_from_slice(&number.to_be_bytes());
        }
        // No two tasks at once have the same lane.
        event[1] = Value::Number(Some(i64::from(number % 8)));
        event[2] = Value::Number(Some(i64::from(number) + 100));
        let lane: [&(dyn ToSql + Sync); 4] = [&event[0], &event[1], &event[2], &event[6]];
        let (secret, told) = (parameters(&secret), parameters(&event));
        let Connection { client, prepared } = on;
        let written = try_join5(
            client.execute(&prepared[0], &[]),
            client.execute(&prepared[1], &secret),
            client.execute(&prepared[2], &lane),
            client.execute(&prepared[3], &told),
            client.execute(&prepared[4], &[]),
        );
        let (_, secrets, lanes, events, _) = written.await?;
        assert_eq!((secrets, lanes, events), (1, 1, 1), "a row is missing");
        Ok(())
    }
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Number(number) => number.to_sql(kind, out),
            Self::Text(text) => text.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn values(row: &Row) -> std::result::Result<Vec<Value>, tokio_postgres::Error> {
    let value = |(place, column): (usize, &Column)| {
        Ok(match *column.type_() {
            Type::INT8 => Value::Number(row.try_get(place)?),
            Type::BYTEA => Value::Bytes(row.try_get(place)?),
            _ => Value::Text(row.try_get(place)?),
        })
    };
    row.columns().iter().enumerate().map(value).collect()
}

/// The columns of an event's row.
const EVENT: &str = "org, lane, seq, token, at, body, mac";
