//! A PostgreSQL server to measure on, and stores in it.

use std::sync::{Arc, OnceLock};

use secretkit::{Access, KeyProvider, PostgresStore, RootKey, SecretStore, Secrets};
use secretkit_test_postgres::{Address, Database, Options, Server};

use crate::Result;

/// The server of this run, with PostgreSQL's own settings: what it says is committed is on its disk. It lets clients in
/// without TLS, which would cost both sides the same. `None`, with the reason printed, where there can be none.
pub(crate) fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let start = || Options::new().access("hostnossl all all 127.0.0.1/32 scram-sha-256").start();
    SERVER.get_or_init(start).as_ref()
}

/// A store in a database of its own, and its root key.
#[derive(Debug)]
pub(crate) struct InServer {
    pub(crate) database: Database,
    pub(crate) store: Arc<dyn SecretStore>,
    pub(crate) root: Arc<RootKey>,
}

impl InServer {
    /// An empty one, whose pool has room for so many connections.
    pub(crate) fn new(server: &Server, pool: u32) -> Result<Self> {
        Self::of(server.database(), pool)
    }

    /// The same where the server has no functions for a commit.
    pub(crate) fn without_functions(server: &Server, pool: u32) -> Result<Self> {
        let database = server.database();
        database.sql("DROP EXTENSION plpgsql;");
        Self::of(database, pool)
    }

    fn of(database: Database, pool: u32) -> Result<Self> {
        let url = plain(&database).with("pool_size", &pool.to_string()).to_string();
        let store = Arc::new(PostgresStore::create(&url.parse()?)?);
        Ok(Self { database, store, root: Arc::new(RootKey::generate()?) })
    }

    pub(crate) fn open(&self) -> Secrets {
        Secrets::new(Arc::clone(&self.store), Arc::clone(&self.root) as Arc<dyn KeyProvider>, Access::Unrestricted)
    }

    /// The same store by another way, or as somebody else.
    pub(crate) fn by(&self, address: &Address) -> Result<Secrets> {
        let store = Arc::new(PostgresStore::open(&address.to_string().parse()?)?);
        Ok(Secrets::new(store, Arc::clone(&self.root) as Arc<dyn KeyProvider>, Access::Unrestricted))
    }

    /// Has the server count its rows, as it does by itself before long.
    pub(crate) fn settle(&self) {
        self.database.sql("VACUUM ANALYZE; CHECKPOINT;");
    }
}

/// The way there without TLS.
pub(crate) fn plain(database: &Database) -> Address {
    database.address().with("sslmode", "disable").without("sslrootcert")
}
