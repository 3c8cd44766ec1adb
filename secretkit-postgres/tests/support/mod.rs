//! What the tests of this crate share.

#![allow(dead_code, reason = "each test uses some of it")]

pub(crate) mod ears;
pub(crate) mod tenants;

use std::sync::Arc;

use secretkit_core::{Access, PutMode, RootKey, SecretId, SecretInfo, SecretValue, Secrets};
use secretkit_postgres::{PostgresStore, PostgresUrl};
use secretkit_test_postgres::{Address, Database, database};

/// A fresh database, and the root key.
pub(crate) struct Home {
    pub(crate) database: Database,
    pub(crate) key: Arc<RootKey>,
}

impl Home {
    /// `None`, with the reason printed, where there can be no server.
    pub(crate) fn new() -> Option<Self> {
        database().map(Self::of)
    }

    pub(crate) fn of(database: Database) -> Self {
        Self { database, key: Arc::new(RootKey::generate().unwrap()) }
    }

    /// As it is: a commit will be one call of a function.
    pub(crate) fn with_functions(self) -> Self {
        self
    }

    /// Without the language of functions: a commit will be a transaction of single statements.
    pub(crate) fn without_functions(self) -> Self {
        self.database.sql("DROP EXTENSION plpgsql;");
        self
    }

    /// With a store in it, and some secrets: two in one org, one of them at its second value, and one in another org.
    pub(crate) fn filled() -> Option<Self> {
        let home = Self::new()?;
        let secrets = home.created();
        put(&secrets, "acme/etl:db/password", b"first");
        put(&secrets, "acme/etl:db/password", b"second");
        put(&secrets, "acme:token", b"t0k3n");
        put(&secrets, "other:token", b"another");
        Some(home)
    }

    pub(crate) fn url(&self) -> PostgresUrl {
        url(&self.database.address())
    }

    pub(crate) fn created(&self) -> Secrets {
        self.secrets(PostgresStore::create(&self.url()).unwrap())
    }

    pub(crate) fn opened(&self) -> Secrets {
        self.secrets(PostgresStore::open(&self.url()).unwrap())
    }

    pub(crate) fn secrets(&self, store: PostgresStore) -> Secrets {
        Secrets::new(Arc::new(store), Arc::clone(&self.key) as _, Access::Unrestricted)
    }
}

pub(crate) fn url(address: &Address) -> PostgresUrl {
    address.to_string().parse().unwrap()
}

pub(crate) fn id(text: &str) -> SecretId {
    text.parse().unwrap()
}

pub(crate) fn put(secrets: &Secrets, address: &str, value: &[u8]) -> SecretInfo {
    secrets.put(&id(address), &SecretValue::copied_from(value), PutMode::Overwrite).unwrap()
}

pub(crate) fn get(secrets: &Secrets, address: &str) -> Vec<u8> {
    secrets.get(&id(address)).unwrap().value.expose_secret().to_vec()
}

/// A batch by hand, for one org, which it holds `alone` or with others: expectations as JSON, and changes and events, of
/// which the first goes as parameters. Places are in `bytes`, whose ids stay. To be selected from.
pub(crate) fn applied(org: &str, alone: bool, batch: [&str; 3], bytes: &str) -> String {
    let [expectations, changes, events] = batch;
    format!(
        "(VALUES (ARRAY[{bytes}]::bytea[])) AS b (bytes), \
         jsonb_to_record('{changes}'::jsonb -> 0) AS c (kind text, id integer, org text, project text, domain text, grp text, \
           key text, generation bigint, revision bigint, first_revision bigint, keep bigint, inactive_since bigint, \
           expires_at bigint, description text, tags text, created_at bigint, created_by text, updated_at bigint, \
           updated_by text, value_at bigint, value_by text, digest integer, mac integer, record integer), \
         jsonb_to_record('{events}'::jsonb -> 0) AS e (org text, lane bigint, seq bigint, token integer, at bigint, \
           body integer, mac integer), \
         LATERAL secretkit.apply(ARRAY['{org}'], ARRAY[{alone}], ARRAY[false], b.bytes, '{{}}', '{{}}', '{{}}', '{{}}', \
           '\\x00', true, false, NULL, NULL, NULL, NULL, NULL, '{expectations}', \
           c.kind, b.bytes[c.id], c.org, c.project, c.domain, c.grp, c.key, c.generation, c.revision, c.first_revision, \
           c.keep, c.inactive_since, c.expires_at, c.description, c.tags, c.created_at, c.created_by, c.updated_at, \
           c.updated_by, c.value_at, c.value_by, b.bytes[c.digest], b.bytes[c.mac], b.bytes[c.record], \
           ('{changes}'::jsonb - 0)::text, \
           e.org, e.lane, e.seq, b.bytes[e.token], e.at, b.bytes[e.body], b.bytes[e.mac], ('{events}'::jsonb - 0)::text, \
           b.bytes) AS a"
    )
}
